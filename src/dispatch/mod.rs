//! Who runs next: pure decisions, each a function of a snapshot and an instant.
//!
//! * `due`: which slots of a schedule are due, and which one is next.
//! * `scheduled`: the run that stands for a slot.
//! * `upcoming`: the runs of slots that are still to come, as far ahead as they are shown.
//! * `ended`: overrides whose time is over, which count no longer.
//! * `why`: the chain of all that, in words, for one instant.
//! * `overlap`: what becomes of a slot that meets an earlier run of its deployment.
//! * `wait`: when a run that waits is due, whatever was done to the clock meanwhile.
//! * `queue`: which waiting runs may start, in which order, and why the others wait.
//!
//! Nothing here reads a clock, a store or a file; the daemon carries the decisions out.
pub mod due;
pub mod ended;
pub mod overlap;
pub mod queue;
pub mod scheduled;
pub mod upcoming;
pub mod wait;
pub mod why;
