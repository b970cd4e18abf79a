//! The project's file: its model, how it is edited, and the way from its text to what is desired.
use super::event::{Edit, entry_of};
use super::random::Random;
use reeve::manifest::{self, FileContent, Files, Input, ManifestFile, OnMissing};
use reeve::model::desired::Desired;
use reeve::model::policy::{Missed, MissedRun, OnResume, Overlap, Policy};
use reeve::schedule::{Gap, Overlap as Twice, Resolution, RuleSpec, parse_interval};

/// Rules, each with spellings that mean the same. Zones follow the rules, so that nights of clock changes touch most of them.
pub const RULES: [&[&str]; 14] = [
    &["cron: '0 9 * * *', timezone: Europe/Berlin", "cron: '00 09 * * 0-6', timezone: Europe/Berlin"],
    &["cron: '0 9 * * 1-5', timezone: Europe/Berlin", "cron: '0 9 * * mon-fri', timezone: Europe/Berlin"],
    &["cron: '0 10 * * *', timezone: Europe/Berlin"],
    &["cron: '30 2 * * *', timezone: Europe/Berlin", "cron: '30 2 ? * *', timezone: Europe/Berlin"],
    &["cron: '0 */3 * * *', timezone: Europe/Berlin", "cron: '0 0,3,6,9,12,15,18,21 * * *', timezone: Europe/Berlin"],
    &["cron: '30 2 * * *', timezone: America/New_York"],
    &["cron: '*/20 1-2 * * *', timezone: Australia/Lord_Howe", "cron: '0,20,40 1,2 * * *', timezone: Australia/Lord_Howe"],
    &["cron: '15 1 * * *', timezone: America/New_York"],
    &["interval: 9000, timezone: Europe/Berlin", "interval: PT2H30M, timezone: Europe/Berlin"],
    &["interval: P1D, timezone: Australia/Lord_Howe, anchor_date: '2027-01-01T02:15:00'"],
    &["rrule: 'FREQ=DAILY;BYHOUR=2,14;BYMINUTE=30', timezone: Europe/Berlin", "rrule: 'RRULE:FREQ=DAILY;BYMINUTE=30;BYHOUR=14,2', timezone: Europe/Berlin"],
    &["rrule: 'FREQ=HOURLY;INTERVAL=5', timezone: America/New_York"],
    &["cron: '0 9 * * *', timezone: UTC", "cron: '0 9 * * *'"],
    // Bursts: slots closer together than a run is made ahead.
    &["cron: '0 9 * * * */2', timezone: Europe/Berlin", "cron: '0 9 * * * 0-58/2', timezone: Europe/Berlin"],
];

/// How many policies a schedule may have.
pub const POLICIES: usize = 9;

fn policy(number: usize) -> Policy {
    let every = |text: &str| parse_interval(text).ok();
    let missed = |run, within: Option<&str>, limit| Policy { missed: Missed { run, within: within.and_then(every), limit }, ..Policy::default() };
    match number {
        1 => missed(MissedRun::Skip, None, None),
        2 => missed(MissedRun::All, None, None),
        3 => missed(MissedRun::All, Some("PT6H"), Some(3)),
        4 => Policy { on_resume: OnResume::Latest, ..Policy::default() },
        5 => Policy { overlap: Overlap::Skip, ..Policy::default() },
        6 => Policy { overlap: Overlap::Queue { most: 2 }, expire_after: every("PT30M"), ..Policy::default() },
        7 => Policy { overlap: Overlap::CancelRunning, ..Policy::default() },
        8 => Policy { spread: every("PT5M"), jitter: every("PT1M"), ..Policy::default() },
        _ => Policy::default(),
    }
}

/// One in four asks for something else than its kind of rule does.
fn resolution(number: u8) -> Option<Resolution> {
    let gap = [Gap::Later, Gap::Earlier, Gap::Skip][usize::from(number / 3) % 3];
    let overlap = [Twice::First, Twice::Last, Twice::Both][usize::from(number) % 3];
    (number != 0).then_some(Resolution { gap, overlap })
}

/// A schedule in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub rule: usize,
    pub spelling: usize,
    pub slug: Option<u8>,
    pub active: bool,
    pub parameter: Option<u8>,
    pub policy: usize,
    pub dst: u8,
}

impl Entry {
    fn text(&self) -> String {
        let spellings = RULES[self.rule];
        let mut text = format!("{{{}", spellings[self.spelling % spellings.len()]);
        if let Some(slug) = self.slug {
            text.push_str(&format!(", slug: s{slug}"));
        }
        if let Some(value) = self.parameter {
            text.push_str(&format!(", parameters: {{x: {value}}}"));
        }
        if !self.active {
            text.push_str(", active: false");
        }
        text + "}"
    }
}

/// A deployment in the file.
#[derive(Debug, Clone)]
pub struct Declared {
    pub name: u8,
    pub paused: bool,
    pub entries: Vec<Entry>,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Project {
    pub deployments: Vec<Declared>,
    renamed: bool,
    moved: bool,
}

impl Project {
    pub fn new(random: &mut Random) -> Self {
        let deployments = (0..1 + random.below(2)).map(|name| Declared {
            name: name as u8,
            paused: false,
            entries: (0..1 + random.below(3)).map(|_| entry_of(random)).collect(),
        });
        let mut project = Project { deployments: deployments.collect(), renamed: false, moved: false };
        project.unique_slugs();
        project
    }

    pub fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::AddDeployment(number) => {
                let name = number % 4;
                if self.deployments.iter().all(|deployment| deployment.name != name) {
                    let entry = Entry { rule: usize::from(*number) % RULES.len(), spelling: 0, slug: None, active: true, parameter: None, policy: 0, dst: 0 };
                    self.deployments.push(Declared { name, paused: false, entries: vec![entry] });
                }
            }
            Edit::RemoveDeployment(number) if self.deployments.len() > 1 => {
                let index = usize::from(*number) % self.deployments.len();
                self.deployments.remove(index);
            }
            Edit::RemoveDeployment(_) => {}
            Edit::RenameFile => self.renamed = !self.renamed,
            Edit::MoveRoot => self.moved = !self.moved,
            Edit::Paused(number) => {
                let deployment = self.deployment(*number);
                deployment.paused = !deployment.paused;
            }
            Edit::Add(number, entry) => {
                let deployment = self.deployment(*number);
                if deployment.entries.len() < 6 {
                    deployment.entries.push(entry.clone());
                }
            }
            Edit::Duplicate(number, entry) => {
                let deployment = self.deployment(*number);
                if !deployment.entries.is_empty() && deployment.entries.len() < 6 {
                    let twin = deployment.entries[usize::from(*entry) % deployment.entries.len()].clone();
                    deployment.entries.push(Entry { slug: None, ..twin });
                }
            }
            Edit::Reverse(number) => self.deployment(*number).entries.reverse(),
            Edit::Remove(number, entry) => {
                let entries = &mut self.deployment(*number).entries;
                if !entries.is_empty() {
                    entries.remove(usize::from(*entry) % entries.len());
                }
            }
            Edit::Rule(number, entry, rule) => self.entry(*number, *entry, |entry| entry.rule = *rule),
            Edit::Respell(number, entry) => self.entry(*number, *entry, |entry| entry.spelling += 1),
            Edit::Slug(number, entry, slug) => self.entry(*number, *entry, |entry| entry.slug = *slug),
            Edit::Parameters(number, entry, parameter) => self.entry(*number, *entry, |entry| entry.parameter = *parameter),
            Edit::Policy(number, entry, policy) => self.entry(*number, *entry, |entry| entry.policy = *policy),
            Edit::Dst(number, entry, dst) => self.entry(*number, *entry, |entry| entry.dst = *dst),
            Edit::Active(number, entry) => self.entry(*number, *entry, |entry| entry.active = !entry.active),
        }
        self.unique_slugs();
    }

    fn deployment(&mut self, number: u8) -> &mut Declared {
        let index = usize::from(number) % self.deployments.len();
        &mut self.deployments[index]
    }

    fn entry(&mut self, deployment: u8, entry: u8, change: impl FnOnce(&mut Entry)) {
        let entries = &mut self.deployment(deployment).entries;
        if !entries.is_empty() {
            let index = usize::from(entry) % entries.len();
            change(&mut entries[index]);
        }
    }

    /// A slug twice in a deployment is an error of the file, and changes nothing.
    fn unique_slugs(&mut self) {
        for deployment in &mut self.deployments {
            let mut taken = [false; 256];
            for entry in &mut deployment.entries {
                entry.slug = entry.slug.filter(|slug| !std::mem::replace(&mut taken[usize::from(*slug)], true));
            }
        }
    }

    pub fn text(&self) -> String {
        let mut text = "name: sim\ndeployments:\n".to_owned();
        for deployment in &self.deployments {
            let Declared { name, paused, entries } = deployment;
            text.push_str(&format!("  - name: d{name}\n    command: 'true'\n    paused: {paused}\n    schedules:{}\n", if entries.is_empty() { " []" } else { "" }));
            for entry in entries {
                text.push_str(&format!("      - {}\n", entry.text()));
            }
        }
        text
    }

    /// What the text says. Policies and `dst` are laid over it here: what they are called in a file is tested elsewhere.
    pub fn desired(&self) -> Desired {
        let path = if self.renamed { "other.yaml" } else { "deployment.yaml" };
        let manifests = [ManifestFile { path: path.to_owned(), content: self.text().into_bytes() }];
        let loaded = manifest::load(&Input {
            root: if self.moved { "/srv/moved" } else { "/srv/sim" },
            manifests: &manifests,
            files: &NoFiles,
            environment: &|_| None,
            strict: true,
            missing_environment: OnMissing::Error,
            missing_sources: OnMissing::Error,
        });
        let mut desired = loaded.desired.unwrap_or_else(|| panic!("the file is refused: {:?}\n{}", loaded.problems, self.text()));
        for (name, declared) in &mut desired.deployments {
            let of_file = self.deployments.iter().find(|deployment| format!("d{}", deployment.name) == name.deployment).expect("a deployment of the file");
            for (schedule, entry) in declared.spec.schedules.iter_mut().zip(&of_file.entries) {
                schedule.policy = policy(entry.policy);
                schedule.spec.dst = resolution(entry.dst);
            }
        }
        desired
    }
}

/// A rule in one of its spellings, as a file's reader has it.
pub fn read_rule(rule: usize, spelling: usize) -> (RuleSpec, Option<String>) {
    let entry = Entry { rule, spelling, slug: None, active: true, parameter: None, policy: 0, dst: 0 };
    let project = Project { deployments: vec![Declared { name: 0, paused: false, entries: vec![entry] }], renamed: false, moved: false };
    let desired = project.desired();
    let spec = desired.deployments.values().next().expect("a deployment").spec.schedules[0].spec.clone();
    (spec.rule, spec.timezone)
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Missing
    }
}
