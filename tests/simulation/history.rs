//! One history: events happen to a file, a daemon and a clock, and between them time passes.
use super::Counts;
use super::daemon::{Daemon, Ended};
use super::event::{Edit, Event, What, When};
use super::file::{Project, RULES};
use super::oracle::{Found, Oracle};
use super::random::Random;
use super::world::{Clock, Processes};
use jiff::{SignedDuration, Timestamp};
use reeve::model::id::FlowRunId;
use reeve::model::overrides::Override;
use reeve::model::write::Write;
use reeve::reconcile::{Options, plan};
use reeve::schedule::RuleSpec;
use reeve::store::ReadStore;
use reeve::store::ledger::{Ledger, LedgerError};
use reeve::store::ram::RamStore;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;
const MADE_AHEAD: SignedDuration = SignedDuration::from_secs(1);

/// Clock changes in Berlin, New York and on Lord Howe.
const CHANGES: [&str; 6] =
    ["2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z", "2027-03-14T07:00:00Z", "2027-11-07T06:00:00Z", "2027-04-03T15:00:00Z", "2027-10-02T15:30:00Z"];

/// What happened in histories that were right, added up.
#[derive(Default, Debug)]
pub struct Seen {
    pub slots: u64,
    pub missed: u64,
    pub kills_in_writes: u64,
    counts: Counts,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.slots += other.slots;
        self.missed += other.missed;
        self.kills_in_writes += other.kills_in_writes;
        for (name, count) in &other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    fn count(&mut self, name: &'static str, more: u64) {
        *self.counts.entry(name).or_default() += more;
    }

    fn found(&mut self, found: &Found) {
        self.slots += found.slots;
        self.missed += found.missed;
        self.count("started", found.started);
        self.count("counted as missed", found.counted);
        self.count("cancelled, skipped, expired or crashed", found.not_run);
    }
}

/// How a daemon is killed, and how it comes back.
#[derive(Clone)]
struct Comeback {
    down: i64,
    edit: Option<Edit>,
    deploy_first: bool,
}

struct World {
    seed: u64,
    told: bool,
    clock: Clock,
    content: Arc<RamStore>,
    processes: Processes,
    file: Project,
    oracle: Oracle,
    daemon: Daemon,
    /// How it comes back, where a kill is on its way.
    doomed: Option<Comeback>,
    seen: Seen,
}

/// Plays the events. An error says what is wrong.
pub async fn run(seed: u64, events: &[Event], told: bool) -> Result<Seen, String> {
    let mut world = World::begin(seed, told).await?;
    for event in events {
        world.wait(event.when).await?;
        world.tell(|| format!("{event:?}"));
        world.happen(&event.what).await?;
    }
    world.end().await
}

impl World {
    async fn begin(seed: u64, told: bool) -> Result<World, String> {
        let mut random = Random(seed);
        let change: Timestamp = random.pick(&CHANGES).parse().map_err(|error| format!("{error}"))?;
        let before = random.below(40 * HOUR as u64) as i64;
        let now = change - SignedDuration::from_micros(before);
        let content = Arc::new(RamStore::new(Uuid::from_u128(7)));
        let daemon = Daemon::start(&content, now).await.map_err(|ended| ended.0)?;
        let file = Project::new(&mut random);
        let clock = Clock { now, elapsed: 0 };
        let mut world = World { seed, told, clock, content, processes: Processes::default(), file, oracle: Oracle::default(), daemon, doomed: None, seen: Seen::default() };
        world.deploy().await?;
        Ok(world)
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{}  {}", self.clock.now, what());
        }
    }

    async fn wait(&mut self, when: When) -> Result<(), String> {
        match when {
            When::After(microseconds) => self.pass_time(microseconds).await,
            When::NearSlot(offset) => self.to_slot(offset).await,
            When::AfterSlots(count, offset) => {
                for _ in 0..count {
                    self.to_slot(1_000).await?;
                }
                self.to_slot(offset).await
            }
        }
    }

    async fn to_slot(&mut self, offset: i64) -> Result<(), String> {
        let slot = self.daemon.next_slot().map(|wakes| wakes + MADE_AHEAD);
        let away = slot.map_or(HOUR, |slot| slot.duration_since(self.clock.now).as_micros().clamp(0, i128::from(40 * HOUR)) as i64);
        self.pass_time((away + offset).max(0)).await
    }

    async fn happen(&mut self, what: &What) -> Result<(), String> {
        self.come_back_if_doomed().await?;
        match what {
            What::Edit(edit) => {
                self.file.edit(edit);
                self.deploy().await
            }
            What::Redeploy => self.redeploy().await,
            What::Pause(number) => self.pause(*number, true).await,
            What::Resume(number) => self.pause(*number, false).await,
            What::Restart { down, deploy_first } => {
                self.seen.count("restarts", 1);
                self.come_back(Comeback { down: *down, edit: None, deploy_first: *deploy_first }).await
            }
            What::Kill { writes, made, down, edit, deploy_first } => {
                self.daemon.disk.kill_at(*writes, *made);
                self.doomed = Some(Comeback { down: *down, edit: edit.clone(), deploy_first: *deploy_first });
                Ok(())
            }
            What::SetClock(by) => {
                self.seen.count("clocks set", 1);
                self.oracle.set_back |= *by < 0;
                self.clock.set(*by);
                self.pass().await
            }
            What::Nothing => Ok(()),
        }
    }

    /// Lets time pass, and everything happen that is due meanwhile.
    async fn pass_time(&mut self, microseconds: i64) -> Result<(), String> {
        let until = self.clock.elapsed + microseconds;
        loop {
            self.pass().await?;
            if self.clock.elapsed >= until {
                return Ok(());
            }
            let wake = self.daemon.wakes_at().map(|at| self.clock.elapsed + at.duration_since(self.clock.now).as_micros().max(0) as i64);
            let next = wake.into_iter().chain(self.processes.next_end()).chain([until]).min().unwrap_or(until);
            // A slot may have nanoseconds, and a wait has not.
            let step = (next - self.clock.elapsed).max(i64::from(next == self.clock.elapsed)).min(until - self.clock.elapsed);
            self.clock.pass(step);
            self.processes.end_those_due(self.clock.elapsed);
        }
    }

    /// The daemon does what is to be done at this instant.
    async fn pass(&mut self) -> Result<(), String> {
        let seed = self.seed;
        let lasts = move |run: FlowRunId| how_long(seed, run);
        match self.daemon.pass(self.clock, &mut self.processes, &lasts).await {
            Ok(()) => {
                self.oracle.passed(self.clock.now);
                Ok(())
            }
            Err(ended) => self.survive(ended).await,
        }
    }

    /// An error of a daemon whose disk is dead is the kill that was on its way; any other is a failure.
    async fn survive(&mut self, ended: Ended) -> Result<(), String> {
        match (self.daemon.disk.is_dead(), self.doomed.take()) {
            (true, Some(comeback)) => {
                self.seen.kills_in_writes += 1;
                self.tell(|| "killed at a write".to_owned());
                self.note_definitions()?;
                Box::pin(self.come_back(comeback)).await
            }
            _ => Err(format!("at {}: the daemon failed: {}", self.clock.now, ended.0)),
        }
    }

    async fn come_back_if_doomed(&mut self) -> Result<(), String> {
        match self.doomed.take() {
            Some(comeback) => {
                self.seen.count("kills between writes", 1);
                self.tell(|| "killed".to_owned());
                self.come_back(comeback).await
            }
            None => Ok(()),
        }
    }

    /// The daemon is gone for a while, and starts again on what is on the disk.
    async fn come_back(&mut self, comeback: Comeback) -> Result<(), String> {
        self.clock.pass(comeback.down);
        self.processes.end_those_due(self.clock.elapsed);
        if let Some(edit) = &comeback.edit {
            self.file.edit(edit);
        }
        self.tell(|| "starts again".to_owned());
        self.daemon = Daemon::start(&self.content, self.clock.now).await.map_err(|ended| ended.0)?;
        if !comeback.deploy_first {
            self.pass().await?;
        }
        self.deploy().await
    }

    /// The file is read and applied, as a reconcile pass does it.
    async fn deploy(&mut self) -> Result<(), String> {
        let before = self.faces();
        self.tell(|| format!("the file: {:?}", self.file.deployments));
        match self.apply().await {
            Ok(_) => {
                self.note_definitions()?;
                self.check_identities(&before)?;
                self.pass().await
            }
            Err(ended) => self.survive(ended).await,
        }
    }

    /// Returns how many writes there were.
    async fn apply(&mut self) -> Result<usize, Ended> {
        let ledger = &self.daemon.ledger;
        let desired = self.file.desired();
        let stored = ledger.stored(&desired)?;
        let mut plan = plan(&desired, &stored, self.clock.now, &Options::default());
        if let Some(refusal) = plan.refusals.first() {
            return Err(Ended(format!("the plan is refused: {refusal}")));
        }
        let base = plan.base_revision;
        let writes = plan.take_writes();
        if !writes.is_empty() {
            ledger.apply(base, &writes).await?;
        }
        Ok(writes.len())
    }

    /// A file that says what it said before: nothing is written.
    async fn redeploy(&mut self) -> Result<(), String> {
        self.deploy().await?;
        self.come_back_if_doomed().await?;
        let sequence = self.content.sequence();
        match self.apply().await {
            Ok(0) if self.content.sequence() == sequence => Ok(()),
            Ok(writes) => Err(format!("a second pass over the same file made {writes} writes")),
            Err(ended) => Err(ended.0),
        }
    }

    /// An operator pauses or resumes a deployment: as the daemon's command does it.
    async fn pause(&mut self, number: u8, paused: bool) -> Result<(), String> {
        let names = self.daemon.ledger.deployment_names().map_err(|error| error.to_string())?;
        let Some((_, id)) = names.get(usize::from(number) % names.len().max(1)) else { return Ok(()) };
        let (ledger, now, id) = (self.daemon.ledger.clone(), self.clock.now, *id);
        let edited: Result<(), LedgerError> = ledger
            .edit(|| {
                let Some(mut deployment) = ledger.deployment(id)? else { return Ok((Vec::new(), ())) };
                if deployment.paused() == paused {
                    return Ok((Vec::new(), ()));
                }
                match deployment.declared.paused == paused {
                    true => drop(deployment.overrides.remove("paused")),
                    false => {
                        let by = Override { value: paused.into(), who: "alice".to_owned(), why: None, since: now, until: None };
                        drop(deployment.overrides.insert("paused".to_owned(), by));
                    }
                }
                if !paused {
                    deployment.schedules.iter_mut().for_each(|schedule| schedule.effective_since = reeve::dispatch::due::resumed_since(schedule, now));
                }
                deployment.updated = now;
                Ok((vec![Write::PutDeployment(Box::new(deployment))], ()))
            })
            .await;
        match edited {
            Ok(()) => {
                self.note_definitions()?;
                self.pass().await
            }
            Err(error) => self.survive(error.into()).await,
        }
    }

    /// What is stored is in force from now on, whoever lives to hear of it.
    fn note_definitions(&mut self) -> Result<(), String> {
        self.oracle.definitions(&Ledger::new(self.content.clone()), self.clock, &|rule, zone| meaning(rule, zone))
    }

    /// Which records stand for which entries of the file.
    fn faces(&self) -> BTreeMap<String, Vec<Uuid>> {
        let mut faces: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
        for deployment in self.daemon.ledger.deployments().filter_map(Result::ok) {
            for schedule in &deployment.schedules {
                let declared = &schedule.declared;
                let rule = meaning(&declared.spec.rule, declared.spec.timezone.as_deref());
                // Twins are the same to everybody, and so are a default and its absence.
                let dst = declared.spec.dst.unwrap_or_else(|| declared.spec.rule.resolution());
                let face = format!("{} {rule} {dst:?} {:?} {:?} {}", deployment.name, declared.slug, declared.parameters, declared.active);
                faces.entry(face).or_default().push(schedule.id.0);
            }
        }
        faces.values_mut().for_each(|ids| ids.sort());
        faces
    }

    /// An entry that was in the file before and still is goes on with the record that it had.
    fn check_identities(&self, before: &BTreeMap<String, Vec<Uuid>>) -> Result<(), String> {
        for (face, ids) in self.faces() {
            let Some(had) = before.get(&face) else { continue };
            let kept = ids.iter().filter(|id| had.contains(id)).count();
            if kept < had.len().min(ids.len()) {
                return Err(format!("moved: {face} had the records {had:?}, and has {ids:?}\n{}", self.file.text()));
            }
        }
        Ok(())
    }

    /// Long enough for everything that was begun to come to its end.
    async fn end(mut self) -> Result<Seen, String> {
        self.come_back_if_doomed().await?;
        self.pass_time(4 * HOUR).await?;
        let found = self.oracle.check(&self.daemon.ledger, &self.processes, self.clock)?;
        self.seen.found(&found);
        Ok(self.seen)
    }
}

/// How long a run's process goes on: most end at once or soon, some for hours.
fn how_long(seed: u64, run: FlowRunId) -> i64 {
    let mut random = Random(seed ^ run.0.as_u64_pair().0 ^ run.0.as_u64_pair().1);
    match random.below(10) {
        0..=3 => 0,
        4..=7 => random.below(20_000_000) as i64,
        _ => random.below(3 * HOUR as u64) as i64,
    }
}

/// Which of `RULES` a stored rule is.
fn meaning(rule: &RuleSpec, zone: Option<&str>) -> usize {
    static KNOWN: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
        let mut known = BTreeMap::new();
        for (number, spellings) in RULES.iter().enumerate() {
            for spelling in 0..spellings.len() {
                let (rule, zone) = super::file::read_rule(number, spelling);
                known.insert(format!("{rule:?} {:?}", zone.as_deref().unwrap_or("UTC")), number);
            }
        }
        known
    });
    KNOWN.get(&format!("{rule:?} {:?}", zone.unwrap_or("UTC"))).copied().unwrap_or_else(|| panic!("no rule of the file: {rule:?} {zone:?}"))
}

