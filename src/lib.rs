//! reeve keeps a host's scheduled work equal to what git says.
//!
//! It reads `deployment.yaml` project files, compares them with what it remembers, reconciles deployments, schedules,
//! work pools and queues, and hands due runs to executors. It speaks Prefect's words and the shapes of Prefect 3's API.
//!
//! # The flow of data
//!
//! ```text
//! files --source--> text --manifest--> Desired --reconcile--> Plan --daemon::apply--> ledger
//!                                          ^ Stored (ledger)                             |
//!       schedule + dispatch::due --> FlowRun{Scheduled} --> dispatch::queue --> claim <--+
//!                                             |
//!         daemon::dispatcher --> executor --> report --> model::transition --> ledger
//!                                             |
//!                        change feed (by sequence) --> scheduler, dispatcher, api
//! ```
//!
//! # The map, in reading order
//!
//! A module imports only from those above it (the leaves [`clock`], [`settings`], [`telemetry`] only by modules with
//! effects). `tests/architecture.rs` reads every import and holds this.
//!
//! | module | it answers |
//! |---|---|
//! | [`schedule`] | when? cron, interval, rrule: rule and instant to next instants; time zones and DST here and nowhere else |
//! | [`model`] | what is there? ids, deployments, pools, runs, `Desired`, `Stored`, `Status`, the state table |
//! | [`template`] | what does `{{ }}` become? |
//! | [`python`] | what does the source say? It is read and never imported |
//! | [`manifest`] | what does the file say? `Desired`, or every problem with line and column |
//! | [`dispatch`] | who runs next? due slots, the run of a slot, queue order and limits |
//! | [`reconcile`] | what must change? plan and its explanation |
//! | [`source`] | where does the text come from? a complete set of files, or an error |
//! | [`store`] | what do we remember? four verbs on bytes; `store::ledger` above them with every invariant |
//! | [`executor`] | who does the work? one file per kind, and the run supervisor |
//! | [`control`] | what may others ask of the daemon? |
//! | [`api`] | HTTP: one file per resource, one error table |
//! | [`daemon`] | life: watch, reconcile, apply, schedule, dispatch, clean up, stop |
//! | [`cli`] | commands: one file each |
//! | [`clock`] [`settings`] [`telemetry`] | leaves |
//!
//! # Invariants
//!
//! * **Pure core.** `schedule model template python manifest dispatch reconcile` know no async, I/O, clock or
//!   randomness; instants, ids and files come in as arguments.
//! * **Single doors.** Only `daemon::apply` turns a plan's steps into writes. Only `store::ledger` commits. Only
//!   `model::transition` yields a new state of a run. Only `daemon`, `executor` and `source` start processes. Only
//!   [`clock`] reads the clock.
//! * **Level, not edge.** A file event, a request, a timer and start-up wake the same idempotent pass. The scheduler
//!   and the dispatcher hear of every change through the ledger's feed, whoever made it, and look at the record as it is.
//! * **Decide, commit, act.** A run is Pending on disk before its process is started; a slot's run and its schedule's
//!   cursor are one commit; a restarted daemon asks each claimed run's directory what became of it.
//! * **One implementation of each command.** The CLI speaks the API's JSON only. Beside a daemon it does so over HTTP;
//!   without one it opens the home and calls the same router in its own process (`daemon::offline`).
//!
//! # Where this differs from what one might expect
//!
//! * A large definition change (more than one batch) is a redo log with one small commit that makes it true; until its
//!   rows are all applied, readers may see some of them. The scheduler follows through the feed.
//! * Upcoming runs are not stored: `dispatch::upcoming` computes them and `store::ledger::future` keeps the next few of each
//!   schedule, so that lists, counts and ids know them; the first write to one makes it real. `Upcoming` holds one instant per
//!   schedule; a run is made a second before its slot, so that only its start is left to do then, and is taken back if its
//!   schedule is paused or changed within that second. Made by a daemon that then died, it is missed like its slot.
//! * All slots of a schedule share the tail of their runs' ids: an id of a run to come is resolved at once.
//! * What is to begin now, or after a retry's delay, is written down as an instant, and is none: `dispatch::wait` reads it so that a clock
//!   that was set back makes nobody wait for it. A run's states are in order for the same reason, and its time is measured
//!   (`model::run`). `tests/faults` sets the clock of daemon and supervisors, which a debug build lets it (`clock::moved`).
//! * A slot that is missed is a record, never a gap: 100 one by one, the rest as one count. A clock that was set back takes cursors
//!   and timers back with it; what was recorded as missed by a clock that was ahead runs when its time comes.
//! * `reconcile --dry-run --against` plans over a home in memory that is made equal to a git revision (`source::git`); with `--api`
//!   the files travel to that daemon (`source::snapshot`).
//! * Where a project asks for units that fail alone (`atomicity`), `Desired.failed` names what is missing and nothing is pruned;
//!   `reconcile::units` parts a plan's writes, what deployments share first, and each part is a commit (`daemon::units`).
//! * What would be pruned because a file was not read, or is being written, is refused (`reconcile::guard`, `source::writer`); a daemon's
//!   own pass prunes when the files have stood for a second (`daemon::looks`), and is made again when that is over.
//! * Each owned record carries a digest of what was declared: a difference from the file without a change of the file is drift.
//! * Runs of a pruned deployment that asks for it are cancelled by the dispatcher, which reads the tombstone: so also after a restart.
//! * Lists and counts are answered from memory for runs that are over (`store::ledger::history`, 56 bytes each), read behind readiness
//!   from one small row per run. Until then, and without a daemon, they read the runs, no further than the latest ones need: the id of a
//!   run carries when it was to start.
//! * What is counted for `/metrics` is counted where it is committed, in `store::ledger`.
//! * What is done to a project is an event in the same commit (`store::ledger::events`, the last 1,000 of a home) and a line of the log;
//!   a daemon that starts reads from them since when things are as it finds them.
//! * A run is claimed, and its supervisor started, 100 ms before it is due; the supervisor starts the process at the instant.
//! * Supervisors are forked by a spawner that exists before the daemon has threads (`executor::spawner`); where it is gone,
//!   the binary is executed for each instead.
//! * Pull steps are done by the run's own process: the supervisor starts the binary as `__prepare`, which ends by executing the program
//!   in its place (`executor::prepare`). Who uses a work tree holds a lock on it that outlives that exec.
//! * A run without a work pool is executed by the daemon itself, outside any pool and limit but its deployment's.
//! * Pausing keeps a schedule's cursor; resuming makes it effective anew, so that slots that passed meanwhile never fire.
pub mod api;
pub mod cli;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod dispatch;
pub mod executor;
pub mod manifest;
pub mod model;
pub mod python;
pub mod reconcile;
pub mod schedule;
pub mod settings;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod template;
