//! What of a plan is written together: all of it, or each file or deployment on its own, as the project's rules say.
use super::plan::{Action, Plan, Step};
use crate::model::id::Kind;
use crate::model::project::Atomicity;
use crate::model::write::Write;
use std::collections::BTreeMap;

/// Writes that are one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The project, a file relative to its root, or a deployment's full name.
    pub name: String,
    pub writes: Vec<Write>,
}

impl Plan {
    /// The plan's writes, unit by unit in the order in which they are committed. As of `take_writes`, an empty or refused plan has
    /// none.
    ///
    /// What deployments share comes first, as the project's own unit: removals, so that nothing fires beside what takes its place;
    /// pools, queues and flows, so that nothing refers to what is not there yet.
    pub fn take_units(&mut self, atomicity: Atomicity) -> Vec<Unit> {
        if atomicity == Atomicity::Project {
            let writes = self.take_writes();
            return if writes.is_empty() { Vec::new() } else { vec![Unit { name: self.project.clone(), writes }] };
        }
        if self.is_refused() {
            return Vec::new();
        }
        let mut shared = Unit { name: self.project.clone(), writes: self.project_write.take().map(Write::PutProject).into_iter().collect() };
        let mut units: Vec<Unit> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for step in &mut self.steps {
            let writes = std::mem::take(&mut step.writes);
            if is_shared(step) {
                shared.writes.extend(writes);
                continue;
            }
            let (flows, own): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(|write| matches!(write, Write::PutFlow(_)));
            shared.writes.extend(flows);
            if own.is_empty() {
                continue;
            }
            let name = match (atomicity, &step.file) {
                (Atomicity::File, Some(file)) => file,
                _ => &step.name,
            };
            let place = *places.entry(name.clone()).or_insert_with(|| {
                units.push(Unit { name: name.clone(), writes: Vec::new() });
                units.len() - 1
            });
            units[place].writes.extend(own);
        }
        units.splice(0..0, (!shared.writes.is_empty()).then_some(shared));
        units
    }
}

fn is_shared(step: &Step) -> bool {
    step.action == Action::Prune || step.kind != Kind::Deployment
}
