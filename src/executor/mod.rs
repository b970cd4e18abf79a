//! Who does the work: one file per kind of executor, and the run supervisor.
