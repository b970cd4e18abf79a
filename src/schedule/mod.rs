//! When is a schedule due: rule and instant in, next instants out. Time zones and DST live here and nowhere else.
mod spec;

pub use spec::{RuleSpec, Spec};

impl Spec { pub fn normal_form(&self) -> String { format!("{self:?}") } }
