//! A host on which a scenario is played: its files, its home, its daemon, its clock.
use super::daemon::Daemon;
use super::world::{Clock, Processes};
use jiff::{SignedDuration, Timestamp};
use reeve::dispatch::due::resumed_since;
use reeve::manifest::{self, At, FileContent, Files, Input, Locator, ManifestFile, OnMissing};
use reeve::model::deployment::{Deployment, FullName};
use reeve::model::desired::Desired;
use reeve::model::overrides::Override;
use reeve::model::position::Position;
use reeve::model::run::FlowRun;
use reeve::model::stored::Pruned;
use reeve::model::write::Write;
use reeve::reconcile::explain::{self, Style, Tense};
use reeve::reconcile::{Options, Plan, plan};
use reeve::store::ReadStore;
use reeve::store::ledger::{Ledger, LedgerError};
use reeve::store::ram::RamStore;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use uuid::Uuid;

const BEGIN: &str = "2026-11-21T09:00:00Z";

pub struct Host {
    files: BTreeMap<String, String>,
    content: Arc<RamStore>,
    daemon: Daemon,
    processes: Processes,
    clock: Clock,
}

impl Host {
    pub async fn new() -> Host {
        let clock = Clock { now: BEGIN.parse().unwrap(), elapsed: 0 };
        let content = Arc::new(RamStore::new(Uuid::from_u128(7)));
        let daemon = Daemon::start(&content, clock.now).await.unwrap_or_else(|ended| panic!("{}", ended.0));
        Host { files: BTreeMap::new(), content, daemon, processes: Processes::default(), clock }
    }

    /// Carries out one line of a scenario and returns what is to be seen.
    ///
    /// `write FILE` (input), `edit FILE: OLD => NEW`, `remove FILE`, `move FILE TO`, `plan [FLAGS]`, `apply [FLAGS]`, `advance SPAN`,
    /// `pause NAME WHY`, `resume NAME`, `tamper NAME: FIELD` (changes what is stored behind everybody's back), `show`, `again COUNT`.
    pub async fn command(&mut self, line: &str, input: &str) -> String {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "write" => drop(self.files.insert(rest.to_owned(), input.to_owned())),
            "edit" => self.edit(rest),
            "remove" => assert!(self.files.remove(rest).is_some(), "there is no {rest}"),
            "move" => {
                let (from, to) = rest.split_once(' ').unwrap();
                let content = self.files.remove(from).unwrap();
                self.files.insert(to.to_owned(), content);
            }
            "plan" => return self.reconcile(rest, Tense::Planned).await,
            "apply" => return self.reconcile(rest, Tense::Done).await,
            "again" => return self.again(rest.parse().unwrap()).await,
            "advance" => self.advance(rest.parse().unwrap_or_else(|error| panic!("{rest}: {error}"))).await,
            "pause" => {
                let (name, why) = rest.split_once(' ').unwrap();
                self.pause(name, Some(why)).await;
            }
            "resume" => self.pause(rest, None).await,
            "tamper" => self.tamper(rest).await,
            "show" => return self.show(),
            other => panic!("a scenario has no command {other}"),
        }
        String::new()
    }

    fn edit(&mut self, rest: &str) {
        let (file, change) = rest.split_once(": ").unwrap();
        let (old, new) = change.split_once(" => ").unwrap();
        let content = self.files.get_mut(file).unwrap_or_else(|| panic!("there is no {file}"));
        assert!(content.contains(old), "{file} has no {old}");
        *content = content.replacen(old, new, 1);
    }

    /// Reads the files; what is wrong with them stands in the text.
    fn load(&self, said: &mut String) -> Option<Desired> {
        let manifests: Vec<ManifestFile> = self.manifests().map(|(path, text)| ManifestFile { path: path.clone(), content: text.clone().into_bytes() }).collect();
        let loaded = manifest::load(&Input {
            root: "/srv/etl",
            manifests: &manifests,
            files: self,
            environment: &|_| None,
            strict: false,
            missing_environment: OnMissing::Warning,
            missing_sources: OnMissing::Error,
        });
        loaded.problems.iter().for_each(|problem| said.push_str(&format!("{problem}\n")));
        loaded.desired
    }

    fn manifests(&self) -> impl Iterator<Item = (&String, &String)> {
        self.files.iter().filter(|(path, _)| path.ends_with(".yaml"))
    }

    fn plan(&self, desired: &Desired, flags: &str) -> Plan {
        let stored = self.daemon.ledger.stored(desired).unwrap();
        let allow_prune = flags.split(' ').find_map(|flag| flag.strip_prefix("--allow-prune=")).map(|count| count.parse().unwrap());
        let mut plan = plan(desired, &stored, self.clock.now, &Options { allow_prune, ..Options::default() });
        plan.foresee(&stored, self.clock.now);
        let texts: BTreeMap<&str, Locator> = self.manifests().map(|(path, text)| (path.as_str(), Locator::new(text))).collect();
        plan.locate(|file, pointer| {
            let found = texts.get(file)?.find(pointer, At::Key)?;
            Some(Position { file: file.to_owned(), line: found.line, column: found.column })
        });
        plan
    }

    async fn reconcile(&mut self, flags: &str, tense: Tense) -> String {
        let mut said = String::new();
        let Some(desired) = self.load(&mut said) else { return said + "exit 1" };
        let mut plan = self.plan(&desired, flags);
        let dry_run = tense == Tense::Planned;
        said.push_str(&explain::text(&plan, Style { width: Some(120), tense, ..Style::default() }));
        let code = if desired.failed.is_empty() { plan.exit_code(dry_run) } else { 1 };
        if !dry_run {
            let base = plan.base_revision;
            for (done, unit) in plan.take_units(desired.rules.atomicity).iter().enumerate() {
                self.daemon.ledger.apply(base + done as u64, &unit.writes).await.unwrap();
            }
            self.pass().await;
        }
        said + &format!("exit {code}")
    }

    /// Reconciles the same files again and again, a minute apart: each time nothing is written but what schedules write themselves.
    async fn again(&mut self, count: u32) -> String {
        let mut said = String::new();
        let desired = self.load(&mut said).unwrap_or_else(|| panic!("{said}"));
        for _ in 0..count {
            let before = self.content.sequence();
            let mut plan = self.plan(&desired, "");
            let writes = plan.take_writes();
            assert!(plan.is_empty() && writes.is_empty() && self.content.sequence() == before, "{plan:?}");
            self.advance(SignedDuration::from_mins(1)).await;
        }
        format!("{count} times in sync, nothing written")
    }

    async fn advance(&mut self, span: SignedDuration) {
        let until = self.clock.elapsed + i64::try_from(span.as_micros()).unwrap();
        loop {
            self.pass().await;
            if self.clock.elapsed >= until {
                return;
            }
            let wake = self.daemon.wakes_at().map(|at| self.clock.elapsed + at.duration_since(self.clock.now).as_micros().max(0) as i64);
            let next = wake.into_iter().chain(self.processes.next_end()).chain([until]).min().unwrap_or(until);
            let step = (next - self.clock.elapsed).max(i64::from(next == self.clock.elapsed)).min(until - self.clock.elapsed);
            self.clock.pass(step);
            self.processes.end_those_due(self.clock.elapsed);
        }
    }

    /// The daemon does what is to be done at this instant; each run takes a second.
    async fn pass(&mut self) {
        let passed = self.daemon.pass(self.clock, &mut self.processes, &|_| 1_000_000).await;
        passed.unwrap_or_else(|ended| panic!("at {}: {}", self.clock.now, ended.0));
    }

    /// As the daemon's command does it.
    async fn pause(&mut self, name: &str, why: Option<&str>) {
        let now = self.clock.now;
        let by = |why: &str| Override { value: true.into(), who: "alice".to_owned(), why: Some(why.to_owned()), since: now, until: None };
        let change = |deployment: &mut Deployment| match why {
            Some(why) => drop(deployment.overrides.insert("paused".to_owned(), by(why))),
            None => {
                deployment.overrides.remove("paused");
                deployment.schedules.iter_mut().for_each(|schedule| schedule.effective_since = resumed_since(schedule, now));
            }
        };
        self.change(name, change).await;
    }

    /// Changes a field of the declared deployment, as nobody should: `etl/nightly: retries=3`.
    async fn tamper(&mut self, rest: &str) {
        let (name, change) = rest.split_once(": ").unwrap();
        let (field, value) = change.split_once('=').unwrap();
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        let tampered = |deployment: &mut Deployment| {
            let mut declared = serde_json::to_value(&deployment.declared).unwrap();
            declared[field] = value.clone();
            deployment.declared = serde_json::from_value(declared).unwrap();
        };
        self.change(name, tampered).await;
    }

    async fn change(&mut self, name: &str, change: impl Fn(&mut Deployment)) {
        let (ledger, name) = (self.daemon.ledger.clone(), FullName::parse(name).unwrap());
        let edited: Result<(), LedgerError> = ledger
            .edit(|| {
                let mut deployment = ledger.deployment_by_name(&name)?.unwrap_or_else(|| panic!("there is no {name}"));
                change(&mut deployment);
                Ok((vec![Write::PutDeployment(Box::new(deployment))], ()))
            })
            .await;
        edited.unwrap();
        self.pass().await;
    }

    /// What is stored: each deployment with its schedules and runs.
    fn show(&self) -> String {
        let ledger = &self.daemon.ledger;
        let mut said = format!("{} | {}\n", self.clock.now, self.projects(ledger));
        let mut deployments: Vec<Deployment> = ledger.deployments().map(Result::unwrap).collect();
        deployments.sort_by(|a, b| a.name.cmp(&b.name));
        for deployment in &deployments {
            let owner = deployment.owner.as_ref().map_or("nobody's".to_owned(), |owner| format!("{}, {}", owner.project, owner.file));
            let paused = if deployment.paused() { ", paused" } else { "" };
            writeln!(said, "{} ({owner}{paused}) {}", deployment.name, short(deployment.id.0)).unwrap();
            for schedule in &deployment.schedules {
                writeln!(said, "  schedule {}: {}", short(schedule.id.0), schedule.declared.spec.describe()).unwrap();
            }
            self.show_runs(deployment, &mut said);
        }
        for tombstone in ledger.tombstones().unwrap() {
            let kind = match &tombstone.object {
                Pruned::Deployment(_) => String::new(),
                other => format!("{} ", other.name().kind().words()),
            };
            writeln!(said, "tombstone {kind}{} {}", tombstone.object.name(), short(tombstone.object.id())).unwrap();
        }
        said
    }

    fn projects(&self, ledger: &Ledger) -> String {
        let projects = ledger.projects().unwrap();
        projects.iter().map(|project| format!("{} generation {}", project.name, project.generation)).collect::<Vec<_>>().join(", ")
    }

    /// How many runs ended how, and the last slot of each way.
    fn show_runs(&self, deployment: &Deployment, said: &mut String) {
        let runs = self.daemon.ledger.runs_newest_first(None).map(Result::unwrap);
        let mut by_state: BTreeMap<String, (usize, Timestamp)> = BTreeMap::new();
        for run in runs.filter(|run: &FlowRun| run.deployment_id == Some(deployment.id)) {
            by_state.entry(run.state.name.clone()).or_insert((0, run.expected_start_time)).0 += 1;
        }
        for (state, (count, last)) in by_state {
            writeln!(said, "  runs {state}: {count}, last {last}").unwrap();
        }
    }
}

impl Files for Host {
    fn read(&self, path: &str) -> FileContent {
        self.files.get(path).map_or(FileContent::Missing, |text| FileContent::Found(text.clone().into_bytes()))
    }
}

/// Enough of an id to see that it stays the same.
fn short(id: Uuid) -> String {
    id.simple().to_string()[24..].to_owned()
}
