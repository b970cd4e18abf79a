//! What others may ask of the daemon.
