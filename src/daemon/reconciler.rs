//! The reconcile pass: read the files, plan against the ledger, apply; and the status of each project.
//!
//! One pass serves every cause: start-up, a file event, a timer, a request. It is idempotent, and passes do not
//! overlap. A file that is wrong, a guard that refuses and a disk that fails leave the last good generation in force,
//! and the status says why.
use super::ProjectSettings;
use super::apply::Applied;
use super::events;
use super::host;
use super::looks;
use super::places;
use super::removal;
use super::units;
use crate::clock;
use crate::control::{Author, ControlError, ReconcileReport, ReconcileRequest, Stamp};
use crate::dispatch::scheduled::ends_with_pause;
use crate::executor::KINDS;
use crate::manifest::{self, Input, OnMissing};
use crate::model::desired::Desired;
use crate::model::position::Position;
use crate::model::problem::{Problem, Severity, SourceLine};
use crate::model::status::{Phase, Status};
use crate::model::id::DeploymentId;
use crate::model::state::StateType;
use crate::model::stored::{Project, SourceState};
use crate::reconcile::explain::{self, Tense};
use crate::reconcile::{Action, NotRead, Options, Plan, RunsOf, Unit};
use crate::source::{self, Fingerprint, Snapshot, SourceError, SourceSet};
use crate::store::ledger::{Ledger, LedgerError, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// After a failure that is not the files' fault, the pass is tried again this much later.
pub const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How often a plan is made again because the definitions moved while it was made.
const MOST_REPLANS: usize = 8;

/// Makes passes, one at a time.
pub struct Reconciler {
    pub(super) writer: Option<Ledger>,
    pub(super) reader: Reader,
    pub(super) status: watch::Sender<Status>,
    alone: Mutex<()>,
    /// Told when every project is to be looked at again, whether or not its files have changed.
    again: watch::Sender<()>,
    /// Told when a pass has written something, or a project has another name.
    written: watch::Sender<()>,
    /// The names of the projects that are served, by their roots, as far as they are known.
    names: std::sync::Mutex<BTreeMap<PathBuf, String>>,
}

/// What a pass needs to know.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    pub root: PathBuf,
    pub files: Vec<PathBuf>,
    pub dry_run: bool,
    pub strict: bool,
    pub allow_prune: Option<usize>,
    /// Show only what has drifted.
    pub drift_only: bool,
    /// Objects of other projects that are taken over, by full name.
    pub adopt: BTreeSet<String>,
    /// Files that were sent, instead of those that lie in the directory.
    pub sources: Option<Snapshot>,
    /// A git revision to read instead of what lies in the directory.
    pub revision: Option<String>,
    /// Nothing is pruned while the files have only just changed.
    pub settle: bool,
    /// The content (of a [`SourceState`]) that has stood long enough, whatever the times of its files say.
    pub settled: Option<String>,
    /// Only this plan is carried out.
    pub expect: Option<Stamp>,
    /// Who asked for it; `None`: the daemon makes it on its own.
    pub by: Option<Author>,
}

/// What a pass found, for its caller.
pub struct Outcome {
    pub report: ReconcileReport,
    /// Every path that the outcome depends on, for whoever watches them.
    pub consulted: Vec<PathBuf>,
    /// The project's name, where the files could be read.
    pub project: Option<String>,
    pub deployments: usize,
    /// What refused the plan.
    pub refusal: Option<String>,
    /// Nothing was done, because the plan prunes and the files have only just changed: how long until they will have settled.
    pub unsettled: Option<Duration>,
    /// What is stored of the project, as it was before the pass.
    pub stored: Option<Project>,
    /// The files that were read.
    pub source: Option<SourceState>,
    /// By which it is known later whether they are still the same; `None` where they lie in no directory of this host.
    pub fingerprint: Option<Fingerprint>,
}

impl Reconciler {
    /// `writer`: `None` where nothing may be written; every pass is a dry run then.
    pub fn new(writer: Option<Ledger>, reader: Reader, status: Status) -> Arc<Self> {
        Arc::new(Reconciler {
            writer,
            reader,
            status: watch::Sender::new(status),
            alone: Mutex::new(()),
            again: watch::Sender::new(()),
            written: watch::Sender::new(()),
            names: std::sync::Mutex::default(),
        })
    }

    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Has every project that is served looked at again.
    pub fn look_again(&self) {
        self.again.send_replace(());
    }

    /// Told of every [`Reconciler::look_again`] from now on.
    pub fn asked_again(&self) -> watch::Receiver<()> {
        self.again.subscribe()
    }

    /// Told from now on of every pass that wrote something, and of projects that change their names: what is held back because of
    /// another project may then go on.
    pub fn watch_written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Whether a project waits for something else than its own files.
    pub fn is_held_back(&self, root: &Path) -> bool {
        let status = self.status.borrow();
        let project = status.projects.iter().find(|project| Path::new(&project.root) == root);
        project.is_some_and(|project| match &project.phase {
            Phase::Refused { .. } => true,
            Phase::Rejected { problems, .. } => problems.iter().any(|problem| problem.code == SERVED_TWICE),
            _ => false,
        })
    }

    /// Finds out what the projects are called that are to be served, before the first of them is applied. Where the files do not
    /// tell, it is the name that the project was applied under.
    pub fn learn_names(&self, projects: &[ProjectSettings]) {
        let applied = self.reader.projects().unwrap_or_default();
        for project in projects {
            let here = applied.iter().find(|applied| Path::new(&applied.root) == project.root).map(|applied| applied.name.clone());
            let name = source::read_directory(&project.root, &project.files).ok().and_then(|sources| name(&sources));
            if let Some(name) = name.or(here) {
                self.learn_name(&project.root, &name);
            }
        }
    }

    fn learn_name(&self, root: &Path, name: &str) {
        if !self.status.borrow().projects.iter().any(|project| Path::new(&project.root) == root) {
            return;
        }
        let before = self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(root.to_owned(), name.to_owned());
        if before.as_deref() != Some(name) {
            self.written.send_replace(());
        }
    }

    /// Changes the daemon's own part of the status.
    pub fn update_status(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// A pass that somebody asked for. It changes the status only of a project that this daemon serves.
    pub async fn reconcile(&self, request: ReconcileRequest, by: Author) -> Result<ReconcileReport, ControlError> {
        if !request.root.is_absolute() {
            return Err(ControlError::Invalid(format!("the project's root must be an absolute path, found {}", request.root.display())));
        }
        if request.sources.is_some() && !request.dry_run {
            return Err(ControlError::Invalid("files that were sent can only be planned with: a daemon applies what lies on its own host".to_owned()));
        }
        let root = if request.sources.is_some() { request.root } else { self.known_as(request.root)? };
        let pass = Pass {
            root,
            files: request.files,
            dry_run: request.dry_run || request.drift_only,
            drift_only: request.drift_only,
            adopt: request.adopt.into_iter().collect(),
            sources: request.sources,
            strict: request.strict,
            allow_prune: request.allow_prune,
            revision: None,
            settle: false,
            settled: None,
            expect: request.expect,
            by: Some(by.clone()),
        };
        let (dry_run, abridged) = (pass.dry_run, request.abridged);
        let served = self.status.borrow().projects.iter().any(|project| Path::new(&project.root) == pass.root);
        let root = pass.root.clone();
        match self.pass(pass).await {
            Ok(mut outcome) => {
                tell_asked(&outcome, dry_run, &by);
                if served && !dry_run {
                    self.note(&root, &outcome);
                }
                if let Some(plan) = outcome.report.plan.as_mut().filter(|_| abridged) {
                    explain::abridge(plan);
                }
                Ok(outcome.report.ended())
            }
            Err(error @ PassError::Source(_)) => Err(ControlError::Invalid(error.to_string())),
            Err(error @ PassError::Gone { .. }) => Err(ControlError::Refused(error.to_string())),
            Err(PassError::Ledger(error)) => Err(error.into()),
        }
    }

    /// The path under which a directory is served, or a project was applied from it, where that is a link to the one that is asked
    /// for: `cd` leads through links, and the project is the same.
    fn known_as(&self, root: PathBuf) -> Result<PathBuf, LedgerError> {
        if root.canonicalize().is_ok_and(|real| real == root) {
            let served = self.status.borrow().projects.iter().map(|project| PathBuf::from(&project.root)).collect::<Vec<_>>();
            let applied = self.reader.projects()?.into_iter().map(|project| PathBuf::from(project.root));
            let known: Vec<PathBuf> = served.into_iter().chain(applied).collect();
            if !known.contains(&root) {
                return Ok(known.into_iter().find(|known| known.canonicalize().is_ok_and(|real| real == root)).unwrap_or(root));
            }
        }
        Ok(root)
    }

    /// One pass. Blocking work runs on a blocking thread.
    pub async fn pass(&self, pass: Pass) -> Result<Outcome, PassError> {
        let _alone = self.alone.lock().await;
        let mut tries = 0;
        // Units that an earlier try has committed, before the definitions moved under the others.
        let mut committed = BTreeSet::new();
        loop {
            let prepared = self.prepare(pass.clone()).await?;
            let Prepared { mut outcome, mut units, base } = prepared;
            units::remember(&mut outcome.report.units, &committed);
            if outcome.report.stale.is_some() {
                if !committed.is_empty() {
                    units::stop(&mut outcome.report);
                }
                return Ok(outcome);
            }
            if outcome.unsettled.is_some() {
                return Ok(outcome);
            }
            let (Some(writer), false) = (&self.writer, units.is_empty() || pass.dry_run) else {
                outcome.report.applied = !pass.dry_run && outcome.report.plan.is_some() && outcome.refusal.is_none();
                return Ok(outcome);
            };
            if let Some(plan) = &outcome.report.plan {
                events::attach(&mut units, plan, &pass);
            }
            let carried_out = units::carry_out(writer, base, &units, &mut outcome.report.units).await;
            self.written.send_replace(());
            match carried_out? {
                Applied::Done => {
                    outcome.report.applied = true;
                    return Ok(outcome);
                }
                Applied::Moved if tries < MOST_REPLANS => {
                    tries += 1;
                    committed.extend(units::applied(&outcome.report.units));
                }
                Applied::Moved => return Err(PassError::Ledger(LedgerError::Conflict("definitions".to_owned()))),
            }
        }
    }

    async fn prepare(&self, pass: Pass) -> Result<Prepared, PassError> {
        let reader = self.reader.clone();
        let others = self.other_roots(&pass.root);
        let (root, is_here) = (pass.root.clone(), pass.sources.is_none() && pass.revision.is_none() && !pass.dry_run);
        let runs_here = self.writer.is_some() && pass.sources.is_none() && pass.revision.is_none();
        let prepared = tokio::task::spawn_blocking(move || prepare(&reader, &pass, &others, runs_here)).await;
        // A parse of ten thousand deployments leaves tens of megabytes behind that the allocator would keep. A command ends soon.
        if !self.status.borrow().projects.is_empty() {
            release_memory();
        }
        if let Ok(Ok(Prepared { outcome: Outcome { project: Some(name), .. }, .. })) = &prepared
            && is_here
        {
            self.learn_name(&root, name);
        }
        prepared.unwrap_or_else(|panicked| Err(PassError::Source(SourceError::NoDirectory {
            directory: PathBuf::new(),
            error: std::io::Error::other(panicked),
        })))
    }

    /// The other projects that this daemon serves, by name, with their roots.
    fn other_roots(&self, root: &Path) -> BTreeMap<String, String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let others = names.iter().filter(|(other, _)| *other != root);
        others.map(|(root, name)| (name.clone(), root.display().to_string())).collect()
    }
}

/// Says in the log what a reconcile did that somebody asked for; what the daemon does by itself its narrator tells.
fn tell_asked(outcome: &Outcome, dry_run: bool, by: &Author) {
    if let (Some(plan), Some(name), false) = (&outcome.report.plan, &outcome.project, dry_run)
        && !plan.is_empty()
    {
        tracing::info!(source = format!("project '{name}'"), "asked for {by}: {}", explain::summary(plan, Tense::Done));
    }
}

/// Why a pass came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("failed to read the project: {0}")]
    Source(#[from] SourceError),
    /// There are no files any more where a project was applied from.
    #[error("failed to read the project: {error}; {left}")]
    Gone { error: SourceError, left: String },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

struct Prepared {
    outcome: Outcome,
    units: Vec<Unit>,
    base: u64,
}

/// `runs_here`: what is planned will run on this host.
fn prepare(reader: &Reader, pass: &Pass, others: &BTreeMap<String, String>, runs_here: bool) -> Result<Prepared, PassError> {
    let sources = match (&pass.sources, &pass.revision) {
        (Some(sources), _) => source::read_snapshot(&pass.root, sources.clone())?,
        (None, Some(revision)) => source::read_revision(&pass.root, &pass.files, revision)?,
        (None, None) => source::read_directory(&pass.root, &pass.files).map_err(|error| removal::unreadable(reader, &pass.root, error))?,
    };
    let (mut desired, mut problems) = load(&sources, pass.strict);
    // What was sent lies on another host: it is this very project as it might be.
    let name = desired.as_ref().filter(|_| pass.sources.is_none()).map(|desired| desired.project.clone()).unwrap_or_default();
    if let Some(other) = others.get(&name) {
        problems.push(two_roots(&name, &sources, other));
        desired = None;
    }
    let source = SourceState { content: sources.content_hash(), commit: sources.git_commit() };
    let is_here = pass.sources.is_none() && pass.revision.is_none();
    let fingerprint = is_here.then(|| Fingerprint::of(&sources, &pass.files, &source.content));
    let source = Some(source);
    let Some(mut desired) = desired else {
        let report = ReconcileReport { problems, ..ReconcileReport::default() };
        // Whose wrong files are is not known from them, but where they lie: what is in force is that project's.
        let stored = reader.projects()?.into_iter().find(|project| Path::new(&project.root) == pass.root);
        let deployments = stored.as_ref().map(|project| deployments_of(reader, &project.name)).transpose()?.unwrap_or(0);
        let project = stored.as_ref().map(|project| project.name.clone());
        let outcome = Outcome { report, consulted: consulted(&sources), project, deployments, refusal: None, unsettled: None, stored, source, fingerprint };
        return Ok(Prepared { outcome, units: Vec::new(), base: 0 });
    };
    if runs_here {
        problems.extend(host::missing(reader, &desired, &sources)?);
    }
    let stored = reader.project(&desired.project)?;
    if let (Some(_), Some(stored)) = (&pass.sources, &stored) {
        // Where another host has its checkout says nothing about where this one has it.
        desired.root.clone_from(&stored.root);
    }
    let mut plan = plan(reader, &desired, pass, &sources, source.clone())?;
    places::without_said_twice(&mut plan, &problems);
    if is_read(&plan, pass.dry_run) {
        places::of_own(&mut plan, &sources);
        places::of_others(reader, &mut plan);
    }
    let refusal = plan.refusals.first().map(|refusal| refusal.in_full(&plan.root));
    let is_settled = !pass.settle || pass.dry_run || plan.is_refused() || plan.counts.prune == 0;
    let is_settled = is_settled || source.as_ref().is_some_and(|source| pass.settled.as_ref() == Some(&source.content));
    let unsettled = if is_settled { None } else { looks::settles_in(sources.declaring(), clock::of_files()) };
    let units = plan.take_units(desired.rules.atomicity);
    let unit_reports = units::reports(&desired, &units, refusal.as_deref());
    let base = plan.base_revision;
    // Only what is looked at first is known again; a large plan takes its time to digest.
    let stamp = (pass.dry_run || pass.expect.is_some())
        .then(|| Stamp { base_revision: base, sources: source.as_ref().map(|source| source.content.clone()).unwrap_or_default(), digest: plan.digest() });
    let stale = pass.expect.as_ref().zip(stamp.as_ref()).and_then(|(expected, stamp)| stale(expected, stamp));
    let report = ReconcileReport { plan: Some(plan), problems, stamp, stale, units: unit_reports, ..ReconcileReport::default() };
    let (project, deployments) = (Some(desired.project), desired.deployments.len());
    let consulted = consulted(&sources);
    Ok(Prepared { outcome: Outcome { report, consulted, project, deployments, refusal, unsettled, stored, source, fingerprint }, units, base })
}

/// Why a plan is not the one that somebody looked at.
fn stale(expected: &Stamp, found: &Stamp) -> Option<String> {
    let why = if expected.sources != found.sources {
        "the files have changed since it was made".to_owned()
    } else if expected.base_revision != found.base_revision {
        format!("what is stored has changed since it was made (revision {}, now {})", expected.base_revision, found.base_revision)
    } else if expected.digest != found.digest {
        "it is made otherwise now (another version of reeve, or another environment of the daemon)".to_owned()
    } else {
        return None;
    };
    Some(why)
}

/// The code of [`two_roots`].
pub(super) const SERVED_TWICE: &str = "project-served-twice";

/// One name is one project: applied from two directories in turn, each would undo the other.
fn two_roots(project: &str, sources: &SourceSet, other: &str) -> Problem {
    let texts = sources.manifests().iter().map(|file| (file.path.clone(), std::str::from_utf8(&file.content).unwrap_or_default()));
    let names = texts.clone().filter_map(|(path, text)| Some((path, manifest::Locator::new(text).find("/name", manifest::At::Value)?)));
    let name = names.map(|(file, found)| {
        let source = SourceLine { text: found.text, length: found.length.max(1) };
        (Position { file, line: found.line, column: found.column }, Some(source))
    });
    let first = texts.map(|(file, _)| (Position { file, line: 1, column: 1 }, None));
    let (position, source) = name.chain(first).next().unzip();
    Problem {
        severity: Severity::Error,
        code: SERVED_TWICE.to_owned(),
        message: format!("the projects in {} and {other} have the same name, `{project}`", sources.root().display()),
        position,
        help: Some("give one of them another `name:`, or serve only one".to_owned()),
        source: source.flatten(),
    }
}

/// What the files say, with every problem.
pub fn load(sources: &SourceSet, strict: bool) -> (Option<Desired>, Vec<Problem>) {
    let loaded = manifest::load(&input(sources, &sources.root().to_string_lossy(), strict));
    (loaded.desired, loaded.problems)
}

/// The project's name alone, where the files tell it.
fn name(sources: &SourceSet) -> Option<String> {
    manifest::project_name(&input(sources, &sources.root().to_string_lossy(), false))
}

fn input<'a>(sources: &'a SourceSet, root: &'a str, strict: bool) -> Input<'a> {
    Input {
        root,
        manifests: sources.manifests(),
        files: sources,
        environment: &|name| std::env::var(name).ok(),
        strict,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    }
}

/// Where else the project lies: in the directory that it was applied from, if that holds a project file of the same name, or one
/// whose name nobody can tell. Only `named` files that lie below the root are looked for there, too.
fn other_checkout(desired: &Desired, stored: Option<&Project>, named: &[PathBuf]) -> Option<String> {
    let former = stored.map(|stored| Path::new(&stored.root)).filter(|former| *former != Path::new(&desired.root))?;
    // A link that leads to the very same directory is no second checkout.
    if former.canonicalize().ok()? == Path::new(&desired.root).canonicalize().ok()? {
        return None;
    }
    let below = |file: &PathBuf| file.strip_prefix(&desired.root).unwrap_or(file).to_owned();
    let named: Vec<PathBuf> = named.iter().map(below).filter(|file| file.is_relative()).collect();
    let sources = source::read_directory(former, &named).ok()?;
    name(&sources).is_none_or(|name| name == desired.project).then(|| former.display().to_string())
}

fn plan(reader: &Reader, desired: &Desired, pass: &Pass, sources: &SourceSet, source: Option<SourceState>) -> Result<Plan, LedgerError> {
    let stored = reader.stored(desired)?;
    let also_in = other_checkout(desired, stored.project.as_ref(), &pass.files);
    let mut options = Options {
        allow_prune: pass.allow_prune,
        adopt: pass.adopt.clone(),
        also_in,
        checkout: sources.checkout_in_progress().map(|lock| lock.display().to_string()),
        source,
        executor_kinds: KINDS.iter().map(|kind| kind.name.to_owned()).collect(),
        ..Options::default()
    };
    let now = clock::now();
    let mut plan = crate::reconcile::plan(desired, &stored, now, &options);
    if plan.counts.prune > 0 {
        options.not_read = not_read(&plan, sources);
        options.being_written = sources.being_written();
        if !options.not_read.is_empty() || options.being_written.is_some() {
            options.named = pass.files.iter().map(|file| file.strip_prefix(&desired.root).unwrap_or(file).display().to_string()).collect();
            plan = crate::reconcile::plan(desired, &stored, now, &options);
        }
    }
    if is_read(&plan, pass.dry_run) {
        plan.foresee(&stored, now);
        let runs = runs_in_progress(reader)?;
        plan.count_runs(|deployment| runs.get(&deployment).copied().unwrap_or_default());
    }
    if pass.drift_only {
        plan.only_drift();
    }
    Ok(plan)
}

/// The files that declared what a plan prunes and were not read, and may not be gone.
fn not_read(plan: &Plan, sources: &SourceSet) -> BTreeMap<String, NotRead> {
    let read: BTreeSet<&str> = sources.manifests().iter().map(|file| file.path.as_str()).collect();
    let pruned = plan.steps.iter().filter(|step| step.action == Action::Prune).filter_map(|step| step.file.as_deref());
    let files: BTreeSet<&str> = pruned.filter(|file| !read.contains(file)).collect();
    let why = |file: &str| match sources.has(file) {
        true => Some(NotRead::Left),
        false => sources.matches_nothing(file).map(|pattern| NotRead::NoMatch(pattern.to_owned())),
    };
    files.into_iter().filter_map(|file| Some((file.to_owned(), why(file)?))).collect()
}

/// How many deployments a project owns.
fn deployments_of(reader: &Reader, project: &str) -> Result<usize, LedgerError> {
    let mut count = 0;
    for deployment in reader.deployments() {
        count += usize::from(deployment?.owner.is_some_and(|owner| owner.project == project));
    }
    Ok(count)
}

/// Of each deployment, how many of its runs wait and how many run.
pub(super) fn runs_in_progress(reader: &Reader) -> Result<BTreeMap<DeploymentId, RunsOf>, LedgerError> {
    let mut counts: BTreeMap<DeploymentId, RunsOf> = BTreeMap::new();
    for id in reader.active_run_ids()? {
        let Some(run) = reader.run(id)? else { continue };
        let Some(deployment) = run.deployment_id else { continue };
        let count = counts.entry(deployment).or_default();
        if run.state.kind == StateType::Scheduled {
            count.waiting += 1;
            count.to_pause += usize::from(ends_with_pause(&run));
        } else {
            count.running += 1;
        }
    }
    Ok(counts)
}

/// Whether somebody may read the plan line by line. What is only told costs: positions a second parse of the file, runs to come
/// their computation. Who asks to see a plan waits for more of it than who asks to have it done.
fn is_read(plan: &Plan, asked_to_see: bool) -> bool {
    const MOST_TOLD: usize = 200;
    const MOST_SEEN: usize = 5_000;
    // In sync there may still be overrides in force, which are told with what the file says, and notes.
    let tells = !plan.shadowed.is_empty() || (asked_to_see && !plan.notes.is_empty());
    (!plan.is_in_sync() || plan.is_refused() || tells) && plan.steps.len() <= if asked_to_see { MOST_SEEN } else { MOST_TOLD }
}

fn consulted(sources: &SourceSet) -> Vec<PathBuf> {
    let manifests = sources.manifests().iter().map(|file| file.path.clone());
    // A checkout that ends is a change, too.
    let paths = manifests.chain(sources.consulted()).map(|path| sources.root().join(path));
    paths.chain(sources.checkout_in_progress()).collect()
}

fn release_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time from any thread; it touches only free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}
