//! The order in which waiting runs are asked: by priority, and within one deployments take turns.
//!
//! A turn goes to the deployment with the fewest runs going, those counted that this decision starts; then to the one that was
//! asked least often in vain, then to the one that has stood in line longest: since its oldest run was due or, where that is later,
//! since it was served last. So they alternate at a single slot too, and a deployment with thousands of due runs takes
//! the slots that no other wants, and no more: one that has nothing going gets the next slot but for those that waited as
//! long with nothing going. Queues of the same priority share these turns. The order is a heap of deployments, so that a decision
//! over n runs costs n log n.
use super::Waiting;
use super::place::Place;
use crate::model::id::{DeploymentId, FlowRunId};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// A run and where it stands.
type Placed<'a> = (&'a Waiting, Place<'a>);

/// The waiting runs in the order in which they are asked.
pub(super) struct Turns<'a> {
    /// By priority and deployment, the last to be asked first.
    waiting: BTreeMap<(u32, Option<DeploymentId>), Vec<Placed<'a>>>,
    /// The deployments of the priority that is being asked.
    asking: Vec<Asked<'a>>,
    heap: BinaryHeap<Reverse<Key>>,
    /// Whose run was given last.
    last: Option<usize>,
    /// When a run of a deployment was started last.
    served: &'a HashMap<DeploymentId, Timestamp>,
}

struct Asked<'a> {
    deployment: Option<DeploymentId>,
    runs: Vec<Placed<'a>>,
    /// How many of its runs were asked so far.
    asked: u32,
    /// How many were going when the first was.
    going: u32,
}

/// The smallest is next: runs going, asked in vain, in line since, due, id, index of the deployment.
type Key = (u32, u32, Timestamp, Timestamp, FlowRunId, usize);

impl<'a> Turns<'a> {
    pub fn of(placed: impl Iterator<Item = Placed<'a>>, served: &'a HashMap<DeploymentId, Timestamp>) -> Self {
        let mut waiting: BTreeMap<_, Vec<Placed<'a>>> = BTreeMap::new();
        for (run, place) in placed {
            waiting.entry((place.priority, run.deployment)).or_default().push((run, place));
        }
        waiting.values_mut().for_each(|runs| runs.sort_unstable_by_key(|(run, _)| Reverse((run.due, run.run))));
        Turns { waiting, asking: Vec::new(), heap: BinaryHeap::new(), last: None, served }
    }

    /// The next run to be asked. `going`: how many runs of a deployment are going, the answers so far counted.
    pub fn next(&mut self, going: impl Fn(DeploymentId) -> u32) -> Option<Placed<'a>> {
        let going = |deployment: Option<DeploymentId>| deployment.map_or(0, &going);
        if let Some(last) = self.last.take() {
            self.queue_up(last, going(self.asking[last].deployment));
        }
        if self.heap.is_empty() {
            self.begin_priority(going);
        }
        let Reverse((.., index)) = self.heap.pop()?;
        let asked = &mut self.asking[index];
        asked.asked += 1;
        self.last = Some(index);
        asked.runs.pop()
    }

    fn begin_priority(&mut self, going: impl Fn(Option<DeploymentId>) -> u32) {
        self.asking.clear();
        let Some((&(priority, _), _)) = self.waiting.first_key_value() else { return };
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 == priority) {
            let ((_, deployment), runs) = entry.remove_entry();
            let already = going(deployment);
            self.asking.push(Asked { deployment, runs, asked: 0, going: already });
            self.queue_up(self.asking.len() - 1, already);
        }
    }

    fn queue_up(&mut self, index: usize, going: u32) {
        let asked = &self.asking[index];
        let in_vain = asked.asked.saturating_sub(going.saturating_sub(asked.going));
        if let Some((run, _)) = asked.runs.last() {
            let served = asked.deployment.and_then(|deployment| self.served.get(&deployment));
            let since = served.map_or(run.due, |served| run.due.max(*served));
            self.heap.push(Reverse((going, in_vain, since, run.due, run.run, index)));
        }
    }
}
