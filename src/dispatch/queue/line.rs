//! All that stands in one waiting run's way, and how many runs go before it.
use super::{FlowRunId, Holder, Reason, Snapshot, Verdict, Waiting, settle};
use crate::model::id::DeploymentId;
use std::collections::HashSet;

/// Where a run stands in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub verdict: Verdict,
    /// Where it waits: each thing that would keep it from starting if all the others were gone.
    pub obstacles: Vec<Reason>,
    /// How many runs that wait now would start before it if what it waits for were free. Who waits for something else, too, is not among
    /// them. It is one decision looked ahead: what ends first and what comes later can change the order.
    pub ahead: usize,
}

/// What a decision takes for free, whoever holds it.
#[derive(Debug, Default)]
pub(super) struct Granted {
    reasons: HashSet<Reason>,
    /// Whose limit is meant where one of the reasons is that a deployment's is reached.
    deployment: Option<DeploymentId>,
}

impl Granted {
    pub fn holds(&self, run: &Waiting, reason: &Reason) -> bool {
        let of_another = || matches!(reason, Reason::DeploymentFull { .. }) && run.deployment != self.deployment;
        self.reasons.contains(reason) && !of_another()
    }
}

/// Where the waiting run `of` stands; `None` where it is not among those that wait. Costs two decisions.
pub fn line(snapshot: Snapshot<'_>, waiting: &[&Waiting], of: FlowRunId) -> Option<Line> {
    let run = *waiting.iter().find(|run| run.run == of)?;
    let (terms, holders) = snapshot.split();
    let holders: Vec<&Holder> = holders.collect();
    let asked = |granted: &Granted| settle(terms, holders.iter().copied(), waiting, granted);
    let settled = asked(&Granted::default());
    let (_, verdict) = settled.verdicts.iter().find(|(id, _)| *id == of)?;
    let going = match verdict {
        Verdict::Wait(reason) | Verdict::Supersede { reason, .. } => Some(reason).filter(|reason| matches!(reason, Reason::StillGoing(_))),
        _ => return Some(Line { verdict: verdict.clone(), obstacles: Vec::new(), ahead: 0 }),
    };
    let in_the_way = settled.slots.obstacles(terms.kinds, run, settled.places.place(run));
    let obstacles: Vec<Reason> = going.cloned().into_iter().chain(in_the_way).collect();
    let granted = Granted { reasons: obstacles.iter().cloned().collect(), deployment: run.deployment };
    let starts = |verdicts: &[(FlowRunId, Verdict)]| -> HashSet<FlowRunId> {
        let starting = verdicts.iter().take_while(|(id, _)| *id != of).filter(|(_, verdict)| matches!(verdict, Verdict::Start { .. }));
        starting.map(|(id, _)| *id).collect()
    };
    let anyway = starts(&settled.verdicts);
    let ahead = starts(&asked(&granted).verdicts).difference(&anyway).count();
    Some(Line { verdict: verdict.clone(), obstacles, ahead })
}
