//! The texts as files under `tests/data/reconcile`; `REEVE_UPDATE=1` writes them.
use super::desired::{Declare, cron, full, named, pool, project, python};
use super::home::{Home, over};
use crate::model::deployment::{CollisionStrategy, ConcurrencyLimit, DeploymentSpec, Entrypoint, OnDelete};
use crate::model::desired::Desired;
use crate::model::policy::Overlap;
use crate::model::position::Position;
use crate::model::project::DriftRule;
use crate::model::work_pool::{WorkPoolSpec, WorkQueueSpec};
use crate::reconcile::{Plan, RunsOf};
use crate::model::problem::{Problem, Severity};
use crate::reconcile::explain::{Style, Tense, abridge, annotations, markdown, summary, text};
use crate::schedule::{Every, RuleSpec};
use serde_json::json;
use std::path::PathBuf;

fn compare(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/reconcile").join(name);
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, stored, "{name} differs: REEVE_UPDATE=1 writes it");
}

fn located(mut plan: Plan) -> Plan {
    plan.locate(|file, pointer| {
        let index: u32 = pointer.rsplit('/').next()?.parse().ok()?;
        Some(Position { file: file.to_owned(), line: 10 * (index + 1), column: 5 })
    });
    plan
}

/// What a hostile file might put into a comment.
fn problems() -> Vec<Problem> {
    let problem = |message: &str| Problem {
        severity: Severity::Warning,
        code: "unknown-key".to_owned(),
        message: message.to_owned(),
        position: Some(Position { file: "a,b.yaml".to_owned(), line: 3, column: 7 }),
        help: None,
        source: None,
    };
    vec![problem("unknown key `tags_`: <img src=x> @everyone 100%"), problem("a lone ` and a\nline")]
}

fn shop() -> Desired {
    project("shop")
        .with_pool("local", WorkPoolSpec { concurrency_limit: Some(4), ..pool("process") })
        .with_queue("local", "high", WorkQueueSpec { concurrency_limit: Some(2), ..Default::default() })
        .with("etl/daily", |d| {
            d.entrypoint = python("flows/etl.py", "daily");
            d.description = Some("Loads yesterday".into());
            d.work_pool = Some("local".into());
            d.work_queue = Some("high".into());
            d.parameters.insert("region".into(), json!("eu"));
            d.env.insert("DB_PASSWORD".into(), Some("hunter2".into()));
            d.schedules = vec![named("nightly", "0 2 * * *"), cron("*/15 * * * *")];
            d.schedules[0].spec.timezone = Some("Europe/Zurich".into());
        })
        .with("health/check", |d| {
            d.entrypoint = Some(Entrypoint::Shell { command: "df -h / | tail -1".into() });
            let every = Every::from_microseconds(900_000_000).unwrap();
            d.schedules = vec![cron("")];
            d.schedules[0].spec.rule = RuleSpec::Interval { every, anchor: None };
            d.schedules[0].active = false;
        })
        .with("old/report", |_| {})
}

/// Changes of every sort over `shop`.
fn reworked() -> (Home, Desired) {
    let mut home = Home::new();
    home.options.list_unchanged = false;
    home.apply(&project("ops").with_pool("shared", pool("process")));
    home.stored.project = None;
    home.apply(&shop().with("made/by-hand", |d| d.retries = 1).with("came/back", |_| {}).with("same/same", |_| {}));
    home.apply(&shop().with("made/by-hand", |d| d.retries = 1).with("same/same", |_| {}));
    home.deployment("made/by-hand").owner = None;
    home.deployment("etl/daily").overrides.insert("paused".into(), over(json!(false)));
    let mut next =
        shop().without("old/report").with("made/by-hand", |_| {}).with("came/back", |_| {}).with("same/same", |_| {});
    next = next.with("ml/train", |d| {
        d.work_pool = Some("gpu".into());
        d.concurrency_limit = Some(ConcurrencyLimit {
            limit: 1,
            collision_strategy: CollisionStrategy::Enqueue,
            grace_period_seconds: None,
        });
    });
    let etl = &mut next.deployments.get_mut(&full("etl/daily")).unwrap().spec;
    etl.parameters.insert("region".into(), json!("us"));
    etl.parameters.insert(
        "notes".into(),
        json!("a long text that goes on and on until it leaves the terminal on its right side"),
    );
    etl.env.insert("DB_PASSWORD".into(), Some("hunter3".into()));
    etl.paused = true;
    etl.schedules[0].spec.timezone = None;
    etl.schedules[1] = cron("*/10 * * * *");
    etl.schedules.push(cron("0 12 * * 1"));
    next.work_pools.get_mut("local").unwrap().spec.concurrency_limit = None;
    (home, next.with_pool("k8s", pool("kubernetes")))
}

#[test]
fn a_first_apply() {
    let plan = located(Home::new().plan(&shop()));
    compare("create.txt", &text(&plan, Style { width: Some(100), ..Default::default() }));
    compare("create-verbose.txt", &text(&plan, Style { width: Some(100), verbose: true, ..Default::default() }));
    assert_eq!(summary(&plan, Tense::Done), "5 created");
}

#[test]
fn changes_of_every_sort() {
    let (home, next) = reworked();
    let plan = located(home.plan(&next));
    compare("changes.txt", &text(&plan, Style { width: Some(100), ..Default::default() }));
    compare("changes-60-columns.txt", &text(&plan, Style { width: Some(60), ..Default::default() }));
    compare("changes.md", &markdown(Some(&plan), &problems(), Some("origin/main")));
    compare("changes-annotations.txt", &annotations(Some(&plan), &problems(), "etl/"));
    compare("changes-colour.txt", &text(&plan, Style { colour: true, ..Default::default() }));
    assert_eq!(summary(&plan, Tense::Done), "2 created, 2 updated, 1 adopted, 1 restored, 1 pruned, 3 unchanged");
}

#[test]
fn in_sync() {
    let (mut home, next) = reworked();
    home.apply(&next);
    compare("in-sync.txt", &text(&home.plan(&next), Style::default()));
    home.options.list_unchanged = true;
    compare("in-sync-verbose.txt", &text(&home.plan(&next), Style { verbose: true, ..Default::default() }));
    let nothing = Home::new().plan(&project("shop"));
    assert_eq!(summary(&nothing, Tense::Planned), "In sync: nothing to change, nothing declared");
}

#[test]
fn moved() {
    let (mut home, mut next) = reworked();
    home.apply(&next);
    next.root = "/srv/elsewhere".into();
    next.deployments.get_mut(&full("same/same")).unwrap().spec.retries = 3;
    compare("moved.txt", &text(&home.plan(&next), Style::default()));
}

#[test]
fn refused() {
    let mut home = Home::new();
    home.apply(&project("ops").with("etl/daily", |_| {}));
    home.apply(&(0..12).fold(shop().without("etl/daily"), |d, n| d.with(&format!("old/{n}"), |_| {})));
    let plan = located(home.plan(&shop()));
    compare("refused.md", &markdown(Some(&plan), &[], None));
    compare("refused-annotations.txt", &annotations(Some(&plan), &[], ""));
    compare("refused.txt", &text(&plan, Style { width: Some(80), ..Default::default() }));
    assert!(
        text(&plan, Style { tense: Tense::Done, ..Default::default() }).contains("nothing is written (12 to prune")
    );
}

#[test]
fn long_lists_are_cut_but_prunes_never() {
    let many = |prefix: &str| (0..70).fold(project("shop"), |d, n| d.with(&format!("{prefix}/{n:02}"), |_| {}));
    let mut home = Home::new();
    home.apply(&many("old"));
    let mut plan = home.plan(&many("new"));
    let whole = serde_json::to_string(&plan).unwrap().len();
    let text = text(&plan, Style::default());
    assert_eq!(text.matches("  + new/").count(), 50);
    assert_eq!(text.matches("  - old/").count(), 70);
    assert!(text.contains("  ... and 20 more (--verbose lists them)\n"), "{text}");
    abridge(&mut plan);
    assert_eq!(crate::reconcile::explain::text(&plan, Style::default()), text, "only what is not shown is dropped");
    assert!(serde_json::to_string(&plan).unwrap().len() < whole);
}

#[test]
fn numbers_are_grouped_and_plurals_right() {
    let mut home = Home::new();
    let one = project("shop").with("a/b", |_| {});
    home.apply(&one);
    assert_eq!(summary(&home.plan(&one), Tense::Planned), "In sync: nothing to change, 1 object");
    let mut plan = home.plan(&one);
    plan.counts.unchanged = 1_234_567;
    assert_eq!(summary(&plan, Tense::Planned), "In sync: nothing to change, 1,234,567 objects");
    plan.counts.create = 1000;
    assert_eq!(summary(&plan, Tense::Planned), "1,000 to create, 1,234,567 unchanged");
    plan.counts = Default::default();
    plan.counts.prune = 2;
    assert_eq!(summary(&plan, Tense::Done), "2 pruned");
}

#[test]
fn a_name_with_an_escape_code_is_shown_and_not_obeyed() {
    let mut home = Home::new();
    home.options.list_unchanged = false;
    let plan = home.plan(&project("shop").with("a/\u{1b}[2Jb", |d| d.tags = vec!["\u{1b}[31m".into()]));
    let text = text(&plan, Style { verbose: true, ..Default::default() });
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_renamed_project_is_refused_without_a_wall_of_text() {
    let many = |project_name: &str| (0..70).fold(project(project_name), |d, n| d.with(&format!("a/{n:02}"), |_| {}));
    let mut home = Home::new();
    home.apply(&many("shop"));
    let plan = home.plan(&many("store"));
    let page = text(&plan, Style::default());
    assert_eq!((plan.refusals.len(), page.matches("refused: ").count()), (70, 10));
    assert!(page.contains("... and 60 more refusals (--verbose lists them)\n"), "{page}");
}

#[test]
fn a_project_under_another_name_is_told_once() {
    let of = |name: &str| project(name).with("a/b", |_| {}).with("a/c", |_| {});
    let mut home = Home::new();
    home.apply(&of("shop"));
    let mut plan = home.plan(&of("store"));
    let root = plan.root.clone();
    plan.refusals.iter_mut().for_each(|refusal| refusal.locate_owner(|_, _, _| Some((root.clone(), None))));
    let page = text(&plan, Style::default());
    assert_eq!(page.matches("refused: ").count(), 1, "{page}");
    assert!(page.contains("`name:` was `shop` and is `store` now, and it declares 2 objects of `shop`"), "{page}");
}

#[test]
fn overrides_in_force_are_told_in_sync_with_what_the_file_says_or_the_default() {
    let shop = project("shop").with("a/b", |_| {}).with("a/c", |_| {});
    let mut home = Home::new();
    home.options.list_unchanged = false;
    home.apply(&shop);
    for name in ["a/b", "a/c"] {
        home.deployment(name).overrides.insert("paused".into(), over(json!(true)));
    }
    let mut plan = home.plan(&shop);
    plan.locate(|file, pointer| (pointer == "/deployments/0/paused").then(|| Position { file: file.to_owned(), line: 4, column: 5 }));
    compare("overrides-in-sync.txt", &text(&plan, Style::default()));
}

#[test]
fn many_fields_of_a_new_object_are_counted() {
    let wordy = |d: &mut DeploymentSpec| {
        d.tags = vec!["x".repeat(300)];
        d.retries = 5;
        (0..20).for_each(|n| _ = d.env.insert(format!("NAME_{n}"), Some("value".into())));
        d.schedules = vec![cron("0 2 * * *")];
    };
    let plan = Home::new().plan(&project("shop").with("a/b", wordy));
    compare("create-many-fields.txt", &text(&plan, Style::default()));
}

#[test]
fn changes_that_are_no_drift_are_told_to_wait() {
    let shop = project("shop").with("a/b", |_| {}).with("a/c", |_| {});
    let mut home = Home::new();
    home.apply(&shop);
    let mut plan = home.plan(&project("shop").with("a/b", |d| d.retries = 2).with("a/c", |d| d.retries = 2));
    plan.only_drift();
    let told = summary(&plan, Tense::Planned);
    assert_eq!(told, format!("Nothing has drifted; 2 other changes wait: `reeve reconcile --dry-run --project {}`", plan.root));
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let mut many = project("many");
    for number in 0..3_000 {
        many = many.with(&format!("flow/{}-{number}", "long-name".repeat(20)), |_| {});
    }
    let mut home = Home::new();
    home.apply(&many);
    home.options.allow_prune = Some(3_000);
    let plan = home.plan(&project("many"));
    let comment = markdown(Some(&plan), &[], None);
    assert!(comment.len() <= 60_200, "{}", comment.len());
    assert!(comment.contains("more lines, which `reeve reconcile --dry-run` shows"));
}

#[test]
fn the_plan_says_which_runs_to_come_appear_and_vanish() {
    let daily = |hour: &str| {
        let denser = if hour == "2" { "0 * * * *" } else { "*/30 * * * *" };
        let expression = format!("0 {hour} * * *");
        project("night").with("etl/daily", move |d| d.schedules = vec![cron(&expression), named("often", "*/5 * * * *"), named("denser", denser)]).with("old/report", |d| d.schedules = vec![cron("@yearly")])
    };
    let mut home = Home::new();
    home.apply(&daily("2"));
    let mut next = daily("3").with("new/one", |d| d.schedules = vec![cron("0 0 1 1 *")]);
    next.deployments.retain(|name, _| name.flow != "old");
    let (mut plan, stored, now) = (home.plan(&next), home.stored.clone(), home.now);
    plan.foresee(&stored, now);
    let runs = |name: &str| plan.steps.iter().find(|step| step.name == name).unwrap().runs.clone().unwrap();
    let daily = runs("etl/daily");
    assert_eq!((daily.moves.len(), daily.appear.len(), daily.vanish.len()), (3, 24, 0), "the next three, and nothing of the schedule that stays: {daily:?}");
    assert_eq!((daily.moves[0].from.to_string(), daily.moves[0].to.to_string()), ("2026-11-22T02:00:00Z".into(), "2026-11-22T03:00:00Z".into()));
    assert_eq!((runs("old/report").vanish.len(), runs("new/one").appear.len()), (3, 3));
    compare("runs-to-come.txt", &text(&plan, Style::default()));
    let before = home.plan(&next).digest();
    assert_eq!(plan.digest(), before, "what is foreseen changes with the hour, and is no part of what the plan does");
}

/// What a team does in an afternoon: renames, objects that stay, drift, runs in progress.
fn afternoon() -> (Home, Desired) {
    let policies = |d: &mut DeploymentSpec| {
        d.schedules = vec![named("hourly", "0 * * * *")];
        d.schedules[0].policy.overlap = Overlap::Queue { most: 100 };
    };
    let mut before = project("night").with("flow/old", |d| d.schedules = vec![named("nightly", "0 2 * * *")]).with("flow/drifted", |d| d.retries = 1);
    before = before.with("flow/gone", |d| d.on_delete = OnDelete::Cancel).with("flow/stays", |d| d.protect = true).with("same/same", |_| {});
    let mut home = Home::new();
    home.options.list_unchanged = false;
    home.apply(&before);
    home.apply(&project("ops").with("report/daily", |_| {}));
    home.stored.project = None;
    home.options.adopt.insert("report/daily".to_owned());
    home.deployment("flow/drifted").declared.retries = 7;
    let mut after = before.without("flow/gone").without("flow/stays").without("flow/old").with("flow/new", |d| {
        d.schedules = vec![named("nightly", "0 3 * * *")];
        d.entrypoint = python("flow.py", "renamed");
    });
    after = after.with("flow/policies", policies).with("report/daily", |_| {});
    after.renames.insert(full("flow/new"), vec![full("flow/old")]);
    (home, after)
}

#[test]
fn an_afternoons_work() {
    let (home, after) = afternoon();
    let mut plan = located(home.plan(&after));
    plan.foresee(&home.stored, home.now);
    plan.count_runs(|_| RunsOf { waiting: 1, running: 2, to_pause: 0 });
    compare("afternoon.txt", &text(&plan, Style { width: Some(100), ..Default::default() }));
    compare("afternoon-verbose.txt", &text(&plan, Style { width: Some(100), verbose: true, ..Default::default() }));
    compare("afternoon.md", &markdown(Some(&plan), &[], Some("origin/main")));
    compare("afternoon-annotations.txt", &annotations(Some(&plan), &[], ""));
    let json = serde_json::to_value(&plan).unwrap();
    let back: Plan = serde_json::from_value(json).unwrap();
    assert_eq!(text(&back, Style::default()), text(&plan, Style::default()));
    assert_eq!(plan.digest(), home.plan(&after).digest(), "runs in progress come and go, and are no part of what the plan does");
}

#[test]
fn drift_that_is_left_is_shown_and_changes_nothing() {
    let (mut home, mut after) = afternoon();
    home.apply_all(&after);
    home.deployment("flow/drifted").declared.retries = 7;
    after.rules.drift = DriftRule::Report;
    let mut plan = located(home.plan(&after));
    compare("drift-reported.txt", &text(&plan, Style::default()));
    assert_eq!(summary(&plan, Tense::Done), "1 drifted and left so, 1 kept, 4 unchanged");
    plan.only_drift();
    compare("only-drift.txt", &text(&plan, Style::default()));
    after.rules.drift = DriftRule::Correct;
    assert_eq!(summary(&home.plan(&after), Tense::Done), "1 corrected (drift), 1 kept, 4 unchanged");
    home.apply(&after);
    assert_eq!(summary(&home.plan(&after), Tense::Planned), "In sync: nothing to change, 5 objects, 1 kept");
}

#[test]
fn runs_in_progress_are_told_in_the_right_number() {
    let pruned = |on_delete: OnDelete| move |d: &mut DeploymentSpec| d.on_delete = on_delete;
    let plan = |edit: &dyn Fn(&mut DeploymentSpec), now: Option<&dyn Fn(&mut DeploymentSpec)>| {
        let mut home = Home::new();
        home.options.list_unchanged = false;
        home.apply(&project("shop").with("a/b", edit).with("a/c", |_| {}));
        let after = project("shop").with("a/c", |_| {});
        home.plan(&match now {
            Some(now) => after.with("a/b", now),
            None => after,
        })
    };
    let nothing = |_: &mut DeploymentSpec| {};
    let code = |d: &mut DeploymentSpec| d.entrypoint = python("flow.py", "other");
    let retries = |d: &mut DeploymentSpec| (d.retries, d.description) = (3, Some("x".to_owned()));
    let paused = |d: &mut DeploymentSpec| (d.paused, d.timeout_seconds) = (true, Some(5.0));
    let words = |d: &mut DeploymentSpec| d.description = Some("x".to_owned());
    type Edit<'a> = &'a dyn Fn(&mut DeploymentSpec);
    let (finish, cancel) = (pruned(OnDelete::Finish), pruned(OnDelete::Cancel));
    // What it was and is, the runs (waiting, of them scheduled ones, running), what is told, how many are cancelled, the exit code.
    let cases: [(Edit<'_>, Option<Edit<'_>>, (usize, usize, usize), Option<&str>, usize, u8); 13] = [
        (&finish, None, (0, 0, 0), None, 0, 4),
        (&finish, None, (0, 0, 1), Some("1 run goes on to its end"), 0, 4),
        (&finish, None, (1, 1, 2), Some("2 runs go on to their end, 1 waiting run never starts"), 0, 4),
        (&cancel, None, (2000, 0, 1), Some("1 run is cancelled, 2,000 waiting runs never start"), 1, 4),
        (&cancel, None, (0, 0, 3), Some("3 runs are cancelled"), 3, 4),
        (&nothing, Some(&code), (2, 2, 1), Some("2 waiting runs will start with the new definition, 1 run goes on with the old one"), 0, 2),
        (&nothing, Some(&code), (0, 0, 0), None, 0, 2),
        (&nothing, Some(&code), (0, 0, 2), Some("2 runs go on with the old definition"), 0, 2),
        (&nothing, Some(&retries), (1, 1, 2), Some("2 runs go on as they were made, 1 waiting run will start as it was made"), 0, 2),
        (&nothing, Some(&paused), (3, 2, 1), Some("1 run goes on to its end, 2 waiting runs are cancelled"), 2, 4),
        (&nothing, Some(&paused), (3, 0, 1), None, 0, 2),
        (&nothing, Some(&words), (3, 3, 3), None, 0, 2),
        (&paused, Some(&nothing), (1, 0, 0), Some("1 waiting run will start with the new definition"), 0, 2),
    ];
    for (before, after, (waiting, to_pause, running), told, cancelled, exit) in cases {
        let mut plan = plan(before, after);
        plan.count_runs(|_| RunsOf { waiting, running, to_pause });
        let page = text(&plan, Style::default());
        let line = page.lines().find_map(|line| line.strip_prefix("      in progress: "));
        assert_eq!((line, plan.exit_code(true)), (told, exit), "{page}");
        let comment = markdown(Some(&plan), &[], None);
        let says = |count: usize| comment.contains(&format!("{count} runs in progress are cancelled")) || count == 1 && comment.contains("1 run in progress is cancelled");
        assert_eq!((comment.contains("in progress"), says(cancelled)), (line.is_some() || cancelled > 0, cancelled > 0), "{comment}");
    }
}
