//! HTTP: one file per resource, one error table.
