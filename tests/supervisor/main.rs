//! Drives real runs through the process executor and the real binary as supervisor: how they end, what is left of them,
//! and what a daemon that comes later still learns.
mod adoption;
mod ends;
mod house;
mod output;
mod python;
mod stopping;
