//! The life of the daemon: watch, reconcile, schedule, dispatch, supervise, stop.
