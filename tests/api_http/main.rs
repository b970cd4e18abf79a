//! The HTTP API in process: a ledger in memory, a control that stands in for the daemon, no socket.
mod control;
mod filters;
mod future;
mod guard;
mod hostile;
mod logs;
mod prefect_client;
mod resources;
mod support;
