//! Takes overrides away whose time is over, as `reeve override clear` does.
//!
//! It knows of each override with an end when that is, follows the changes of definitions, and sleeps until the first end. One that
//! ended while no daemon ran is taken away at once.
use super::alarm::Alarm;
use super::commands::clear_override;
use super::error::DaemonError;
use super::signals::told;
use crate::clock;
use crate::control::OverrideRef;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, Kind};
use crate::model::overrides::Overrides;
use crate::store::ledger::{Changed, Ledger, LedgerError, Reader};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Clears overrides at their ends until told to stop.
pub async fn run(ledger: Ledger, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
    let mut feed = ledger.feed();
    let mut alarm = Alarm::new()?;
    let mut ends = Ends::read(ledger.reader()).await?;
    loop {
        tokio::select! {
            biased;
            () = told(&mut stop) => return Ok(()),
            changed = feed.next() => match changed {
                Some(changed) if changed.contains(&Changed::Everything) => ends = Ends::read(ledger.reader()).await?,
                Some(changed) => ends.follow(&ledger, &changed)?,
                None => return Ok(()),
            },
            rung = alarm.wait(ends.earliest()) => {
                rung?;
                for which in ends.take_over(clock::now()) {
                    match end(&ledger, &which).await {
                        // Others write without pause: the next look finds it again.
                        Err(LedgerError::Conflict(_)) => ends = Ends::read(ledger.reader()).await?,
                        ended => ended?,
                    }
                }
            }
        }
    }
}

/// Clears one, unless somebody has given it another end meanwhile; the feed then tells of that.
async fn end(ledger: &Ledger, which: &OverrideRef) -> Result<(), LedgerError> {
    let now = clock::now();
    clear_override(ledger, which, |by| by.until.is_some_and(|until| until <= now), None).await?;
    Ok(())
}

/// The overrides that end by themselves. Nearly no object has one.
#[derive(Default)]
struct Ends {
    deployments: BTreeMap<DeploymentId, Vec<(Timestamp, OverrideRef)>>,
    /// Of all pools, queues and limits of tags: they are few.
    work_pools: Vec<(Timestamp, OverrideRef)>,
}

impl Ends {
    /// Reads every object, off the async threads.
    async fn read(reader: Reader) -> Result<Self, DaemonError> {
        let read = tokio::task::spawn_blocking(move || {
            let mut ends = Ends { work_pools: of_work_pools(&reader)?, ..Ends::default() };
            for deployment in reader.deployments() {
                ends.note(&deployment?);
            }
            Ok::<_, LedgerError>(ends)
        });
        match read.await {
            Ok(ends) => Ok(ends?),
            Err(panicked) => Err(DaemonError::TaskEnded { task: "expiry", reason: panicked.to_string() }),
        }
    }

    fn follow(&mut self, reader: &Reader, changed: &[Changed]) -> Result<(), LedgerError> {
        for change in changed {
            match change {
                Changed::Deployment(id) => match reader.deployment(*id)? {
                    Some(deployment) => self.note(&deployment),
                    None => drop(self.deployments.remove(id)),
                },
                Changed::WorkPools | Changed::TagLimits => self.work_pools = of_work_pools(reader)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, deployment: &Deployment) {
        let ends = of_deployment(deployment);
        match ends.is_empty() {
            true => drop(self.deployments.remove(&deployment.id)),
            false => drop(self.deployments.insert(deployment.id, ends)),
        }
    }

    fn all(&self) -> impl Iterator<Item = &(Timestamp, OverrideRef)> {
        self.deployments.values().flatten().chain(&self.work_pools)
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.all().map(|(until, _)| *until).min()
    }

    /// Those that have ended; they are known no longer.
    fn take_over(&mut self, now: Timestamp) -> Vec<OverrideRef> {
        let over = self.all().filter(|(until, _)| *until <= now).map(|(_, which)| which.clone()).collect();
        self.deployments.values_mut().chain([&mut self.work_pools]).for_each(|ends| ends.retain(|(until, _)| *until > now));
        over
    }
}

fn of_deployment(deployment: &Deployment) -> Vec<(Timestamp, OverrideRef)> {
    let own = deployment.overrides.iter().map(|(field, by)| (field.clone(), by.until));
    let of_schedules = deployment.schedules.iter().flat_map(|schedule| {
        schedule.overrides.iter().map(|(field, by)| (format!("schedules/{}/{field}", schedule.key), by.until))
    });
    let ending = own.chain(of_schedules).filter_map(|(field, until)| Some((until?, field)));
    ending.map(|(until, field)| (until, OverrideRef { kind: Kind::Deployment, name: deployment.name.to_string(), field })).collect()
}

fn of_work_pools(reader: &Reader) -> Result<Vec<(Timestamp, OverrideRef)>, LedgerError> {
    let mut ends = Vec::new();
    let mut note = |kind: Kind, name: String, overrides: &Overrides| {
        for (field, by) in overrides {
            ends.extend(by.until.map(|until| (until, OverrideRef { kind, name: name.clone(), field: field.clone() })));
        }
    };
    reader.tag_limits()?.iter().for_each(|limit| note(Kind::ConcurrencyLimit, limit.tag.clone(), &limit.overrides));
    reader.work_pools()?.iter().for_each(|pool| note(Kind::WorkPool, pool.name.clone(), &pool.overrides));
    reader.work_queues()?.iter().for_each(|queue| note(Kind::WorkQueue, queue.full_name(), &queue.overrides));
    Ok(ends)
}
