//! reeve keeps a host's scheduled work equal to what git says.
pub mod api;
pub mod cli;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod dispatch;
pub mod executor;
pub mod manifest;
pub mod model;
pub mod python;
pub mod reconcile;
pub mod schedule;
pub mod settings;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod template;
