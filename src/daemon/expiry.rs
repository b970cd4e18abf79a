//! Takes overrides away whose time is over.
//!
//! They count no longer from that instant on, whoever reads (`dispatch::ended`); what is written here is what is so already, and
//! tells the scheduler and the dispatcher. It knows of each object when the first of its overrides ends, follows the changes of
//! definitions, and sleeps until the first end. What ended while no daemon ran is taken away at once.
use super::alarm::Alarm;
use super::commands;
use super::error::DaemonError;
use super::events;
use super::signals;
use crate::clock;
use crate::dispatch::ended::{Ended, Overridden};
use crate::model::deployment::{Deployment, FullName};
use crate::model::event::{Event, Object};
use crate::model::id::{DeploymentId, Kind};
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{WorkPool, WorkQueue};
use crate::model::write::Write;
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
            () = signals::told(&mut stop) => return Ok(()),
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

/// Takes away what has ended of one object, unless somebody has given it another end meanwhile; the feed then tells of that.
async fn end(ledger: &Ledger, (kind, name): &(Kind, String)) -> Result<(), LedgerError> {
    let written = ledger.with_ended();
    let edited = ledger.edit::<_, LedgerError>(|| {
        let now = clock::now();
        let found = match kind {
            Kind::ConcurrencyLimit => written.tag_limit(name)?.map(|mut limit| {
                let ended = limit.end_overrides(now);
                let ended = told(&commands::tag_limit_object(&limit), ended);
                (ended, Write::PutTagLimit(TagLimit { updated: now, ..limit }))
            }),
            Kind::WorkPool => written.work_pool(name)?.map(|mut pool| {
                let ended = pool.end_overrides(now);
                let ended = told(&commands::work_pool_object(&pool), ended);
                (ended, Write::PutWorkPool(WorkPool { updated: now, ..pool }))
            }),
            Kind::WorkQueue => {
                let queue = name.split_once('/').map(|(pool, queue)| written.work_queue(pool, queue)).transpose()?;
                queue.flatten().map(|mut queue| {
                    let ended = queue.end_overrides(now);
                let ended = told(&commands::work_queue_object(&queue), ended);
                    (ended, Write::PutWorkQueue(WorkQueue { updated: now, ..queue }))
                })
            }
            Kind::Deployment | Kind::Flow | Kind::Schedule => {
                let named = FullName::parse(name).map(|name| written.deployment_by_name(&name)).transpose()?;
                named.flatten().map(|mut deployment| {
                    let ended = deployment.end_overrides(now);
                let ended = told(&commands::deployment_object(&deployment), ended);
                    (ended, Write::PutDeployment(Box::new(Deployment { updated: now, ..deployment })))
                })
            }
        };
        Ok(match found.filter(|(ended, _)| !ended.is_empty()) {
            Some((ended, write)) => {
                let mut writes = vec![write];
                ended.iter().for_each(|event| events::add(&mut writes, event));
                (writes, ended)
            }
            None => (Vec::new(), Vec::new()),
        })
    });
    edited.await?.iter().for_each(events::tell);
    Ok(())
}

/// What tells of the overrides of an object that have ended.
fn told(object: &Object<'_>, ended: Vec<Ended>) -> Vec<Event> {
    let event = |(field, by): Ended| {
        let message = format!("{field} = {}, set by {}, has ended at its time: it is as declared again", by.value, by.who);
        events::of_its_own("override-ended", object, &message).with("field", field)
    };
    ended.into_iter().map(event).collect()
}

/// When an override of an object ends, and which object that is.
type End = (Timestamp, (Kind, String));

/// The first ends of overrides. Nearly no object has one.
#[derive(Default)]
struct Ends {
    deployments: BTreeMap<DeploymentId, End>,
    /// Of all pools, queues and limits of tags: they are few.
    others: Vec<End>,
}

impl Ends {
    /// Reads every object, off the async threads.
    async fn read(reader: Reader) -> Result<Self, DaemonError> {
        let read = tokio::task::spawn_blocking(move || {
            let reader = reader.with_ended();
            let mut ends = Ends { others: of_others(&reader)?, ..Ends::default() };
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
        let reader = reader.with_ended();
        for change in changed {
            match change {
                Changed::Deployment(id) => match reader.deployment(*id)? {
                    Some(deployment) => self.note(&deployment),
                    None => drop(self.deployments.remove(id)),
                },
                Changed::WorkPools | Changed::TagLimits => self.others = of_others(&reader)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, deployment: &Deployment) {
        match deployment.first_end() {
            None => drop(self.deployments.remove(&deployment.id)),
            Some(end) => drop(self.deployments.insert(deployment.id, (end, (Kind::Deployment, deployment.name.to_string())))),
        }
    }

    fn all(&self) -> impl Iterator<Item = &End> {
        self.deployments.values().chain(&self.others)
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.all().map(|(until, _)| *until).min()
    }

    /// The objects of which something has ended; they are known no longer until the feed tells of them.
    fn take_over(&mut self, now: Timestamp) -> Vec<(Kind, String)> {
        let over = self.all().filter(|(until, _)| *until <= now).map(|(_, which)| which.clone()).collect();
        self.deployments.retain(|_, (until, _)| *until > now);
        self.others.retain(|(until, _)| *until > now);
        over
    }
}

fn of_others(reader: &Reader) -> Result<Vec<End>, LedgerError> {
    let mut ends = Vec::new();
    let mut note = |kind: Kind, name: String, end: Option<Timestamp>| ends.extend(end.map(|end| (end, (kind, name))));
    reader.tag_limits()?.into_iter().for_each(|limit| note(Kind::ConcurrencyLimit, limit.tag.clone(), limit.first_end()));
    reader.work_pools()?.into_iter().for_each(|pool| note(Kind::WorkPool, pool.name.clone(), pool.first_end()));
    reader.work_queues()?.iter().for_each(|queue| note(Kind::WorkQueue, queue.full_name(), queue.first_end()));
    Ok(ends)
}
