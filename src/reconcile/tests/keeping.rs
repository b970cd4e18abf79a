//! What left the files and stays, and what stands against pruning.
use super::desired::{Declare, full, pool, project};
use super::home::{Home, deeds};
use crate::model::desired::{Desired, FailedUnit};
use crate::model::work_pool::{WorkPoolSpec, WorkQueueSpec};
use crate::reconcile::{NotRead, NoteLevel, Plan, Refusal};

fn shop() -> Desired {
    let queue = WorkQueueSpec { priority: 2, ..Default::default() };
    project("shop").with_pool("p", pool("process")).with_queue("p", "q", queue).with("a/b", |d| d.work_pool = Some("p".into())).with("a/c", |_| {})
}

fn noted(plan: &Plan) -> Vec<(&str, &str)> {
    plan.notes.iter().map(|note| (&*note.code, &*note.name)).collect()
}

#[test]
fn without_pruning_everything_stays_and_is_reported() {
    let mut home = Home::new();
    home.apply(&shop());
    let before = home.stored.clone();
    let mut next = project("shop");
    next.rules.prune.enabled = false;
    let plan = home.apply(&next);
    assert!(plan.is_empty() && !plan.is_refused(), "{:?} {:?}", deeds(&plan), plan.refusals);
    assert_eq!((plan.exit_code(true), plan.counts.kept), (0, 4));
    assert_eq!(noted(&plan), [("not-pruned", "p"), ("not-pruned", "p/q"), ("not-pruned", "a/b"), ("not-pruned", "a/c")]);
    assert_eq!(
        plan.notes[2].message,
        "the deployment `a/b` is no longer declared, but stays and goes on: the project says `prune: false`"
    );
    assert_eq!(home.stored, before);
    next.rules.prune.enabled = true;
    home.options.allow_prune = Some(4);
    assert_eq!(home.plan(&next).counts.prune, 4);
}

#[test]
fn twenty_are_named_and_the_rest_is_counted() {
    for (count, last) in [(20, None), (21, Some("1 more object is no longer declared, but stays")), (25, Some("5 more objects are no longer declared, but stay"))] {
        let mut home = Home::new();
        home.apply(&(0..count).fold(project("shop"), |desired, n| desired.with(&format!("f/{n:03}"), |_| {})));
        let mut next = project("shop");
        next.rules.prune.enabled = false;
        let plan = home.plan(&next);
        assert_eq!((plan.counts.kept, plan.notes.len()), (count, 20 + usize::from(last.is_some())));
        assert_eq!(plan.notes.get(20).map(|note| &*note.message), last);
    }
}

#[test]
fn what_is_protected_stays_with_what_it_needs() {
    let mut home = Home::new();
    let mut desired = shop().with_queue("p", "idle", WorkQueueSpec::default());
    desired.deployments.get_mut(&full("a/b")).unwrap().spec.protect = true;
    desired.deployments.get_mut(&full("a/b")).unwrap().spec.work_queue = Some("q".into());
    home.apply(&desired);
    let plan = home.apply_all(&project("shop"));
    assert_eq!(deeds(&plan), ["prune deployment a/c", "prune work queue p/idle"]);
    assert_eq!(noted(&plan), [("pool-kept", "p"), ("queue-kept", "p/q"), ("protected", "a/b")]);
    assert_eq!(plan.notes[0].message, "the work pool `p` is no longer declared, but stays: the deployment `a/b`, which is protected, uses it");
    assert_eq!(plan.notes[2].help.as_deref(), Some("to remove it, set `protect: false`, apply that, and then remove the entry"));
    assert_eq!(plan.counts.kept, 3);
    // As it says: first no longer protected, then removed.
    assert_eq!(home.apply(&shop().without("a/c")).counts.prune, 0);
    assert_eq!(home.apply_all(&project("shop").with("z/z", |_| {})).counts.prune, 3);
    assert_eq!(home.stored.deployments.len(), 1);
}

#[test]
fn a_protected_pool_keeps_its_queues_and_a_protected_queue_its_pool() {
    let protected = WorkPoolSpec { protect: true, ..pool("process") };
    let mut home = Home::new();
    home.apply(&project("shop").with_pool("p", protected.clone()).with_queue("p", "q", WorkQueueSpec::default()).with("a/b", |_| {}));
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert!(plan.is_empty());
    assert_eq!(noted(&plan), [("protected", "p"), ("protected", "p/q")]);
    // Of a pool that is declared, a queue goes as any other.
    assert_eq!(deeds(&home.plan(&project("shop").with_pool("p", protected).with("a/b", |_| {}))), ["prune work queue p/q"]);
    let mut home = Home::new();
    let queue = WorkQueueSpec { protect: true, ..Default::default() };
    home.apply(&project("shop").with_pool("p", pool("process")).with_queue("p", "q", queue).with("a/b", |_| {}));
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert!(plan.is_empty());
    assert_eq!(noted(&plan), [("pool-kept", "p"), ("protected", "p/q")]);
}

#[test]
fn while_something_cannot_be_read_nothing_is_pruned_or_reset() {
    let mut home = Home::new();
    let queue = WorkQueueSpec { priority: 7, ..Default::default() };
    home.apply(&shop().with_queue("p", "default", queue));
    let before = home.stored.clone();
    // `p`, its queues and `a/c` stood in the file that is broken now; `a/b` uses them and is read.
    let unit = |file: &str, pointer: Option<&str>| FailedUnit {
        file: file.into(),
        pointer: pointer.map(str::to_owned),
        name: None,
        problems: Vec::new(),
    };
    let mut next = project("shop").with("a/b", |d| {
        d.work_pool = Some("p".into());
        d.work_queue = Some("q".into());
        d.retries = 1;
    });
    next.failed = vec![unit("pools.yaml", None), unit("deployment.yaml", Some("/deployments/1")), unit("pools.yaml", Some("/deployments/0"))];
    let plan = home.apply(&next);
    assert_eq!(deeds(&plan), ["update deployment a/b"]);
    assert_eq!((home.stored.work_pools.clone(), home.stored.work_queues.clone()), (before.work_pools, before.work_queues));
    assert_eq!(plan.counts.kept, 4);
    let note = plan.notes.iter().find(|note| note.code == "prune-blocked").unwrap();
    assert_eq!(note.level, NoteLevel::Warning);
    assert_eq!(
        note.message,
        "nothing is pruned while there are errors in `deployment.yaml`, `pools.yaml`: 4 objects are declared nowhere else, and they stay meanwhile"
    );
    assert!(home.plan(&next).is_empty());
}

#[test]
fn a_second_checkout_prunes_nothing_unasked() {
    let mut home = Home::new();
    home.apply(&shop());
    home.options.also_in = Some("/srv/shop".to_owned());
    let moved = |desired: Desired| Desired { root: "/home/x/shop".into(), ..desired };
    let plan = home.plan(&moved(shop().without("a/c")));
    assert_eq!(plan.exit_code(false), 3);
    assert_eq!(
        plan.refusals[0].to_string(),
        "the project `shop` was applied from /srv/shop, which still holds it, and 1 object would be pruned from /home/x/shop: \
         if this is another project, give it another `name:`; if it moved here, say --allow-prune=1"
    );
    assert!(!home.plan(&moved(shop())).is_refused(), "what prunes nothing moves");
    home.options.allow_prune = Some(2);
    assert_eq!(home.plan(&moved(shop().without("a/c"))).refusals, [Refusal::AllowanceDiffers { prunes: 1, allowed: 2 }]);
    home.options.allow_prune = Some(1);
    assert_eq!(deeds(&home.apply(&moved(shop().without("a/c"))))[0], "prune deployment a/c");
}

#[test]
fn nothing_is_pruned_during_a_checkout() {
    let mut home = Home::new();
    home.apply(&shop());
    home.options.checkout = Some("/srv/shop/.git/index.lock".to_owned());
    let fewer = shop().without("a/c");
    let plan = home.plan(&fewer);
    assert_eq!(plan.refusals, [Refusal::CheckoutInProgress { lock: "/srv/shop/.git/index.lock".into(), prunes: 1 }]);
    assert_eq!(
        plan.refusals[0].to_string(),
        "a checkout is in progress (`/srv/shop/.git/index.lock` is there): 1 object would be pruned; \
         wait for it to end, or, if no git runs there, remove that file"
    );
    home.options.allow_prune = Some(1);
    assert_eq!(home.plan(&fewer).exit_code(false), 3, "no allowance lifts it");
    home.options.allow_prune = None;
    assert_eq!(home.plan(&project("shop")).refusals.len(), 2, "the other guards speak as well");
    assert!(!home.plan(&shop().with("a/new", |_| {})).is_refused(), "what prunes nothing is applied");
    home.options.checkout = None;
    assert!(!home.plan(&fewer).is_refused());
}

#[test]
fn nothing_is_pruned_by_a_file_that_is_being_written() {
    let mut home = Home::new();
    home.apply(&shop());
    home.options.being_written = Some("deployment.yaml".to_owned());
    let fewer = shop().without("a/c");
    let plan = home.plan(&fewer);
    assert_eq!(plan.refusals, [Refusal::BeingWritten { file: "deployment.yaml".into(), prunes: 1 }]);
    assert_eq!(
        plan.refusals[0].to_string(),
        "`deployment.yaml` is being written: 1 object would be pruned; wait until whoever has it open has closed it"
    );
    home.options.allow_prune = Some(1);
    assert_eq!(home.plan(&fewer).exit_code(false), 3, "no allowance lifts it");
    assert!(!home.plan(&shop().with("a/new", |_| {})).is_refused(), "what prunes nothing is applied");
}

/// A project whose deployments `a/N` stand in the files that are given, in order.
fn of_files(files: &[&str]) -> Desired {
    let mut desired = files.iter().enumerate().fold(project("shop"), |desired, (n, _)| desired.with(&format!("a/{n}"), |_| {}));
    for (declared, file) in desired.deployments.values_mut().zip(files) {
        declared.file = (*file).to_owned();
    }
    desired
}

#[test]
fn what_nobody_has_read_is_not_pruned_unasked() {
    let left = |file: &str| (file.to_owned(), NotRead::Left);
    let away = |file: &str| (file.to_owned(), NotRead::NoMatch("jobs/*.yaml".to_owned()));
    let table: [(&str, &[&str], &[(String, NotRead)], &[&str], Option<&str>); 7] = [
        (
            "a named subset",
            &["a.yaml", "b.yaml", "b.yaml"],
            &[left("b.yaml")],
            &["a.yaml"],
            Some("`b.yaml` is there and was not read, and 2 objects from there would be pruned: to have them read, too, say \
                  `reeve reconcile --project /srv/shop -f a.yaml -f b.yaml`; if they are to go, say \
                  `reeve reconcile --project /srv/shop --allow-prune=2`"),
        ),
        (
            "no longer included",
            &["a.yaml", "b.yaml", "c.yaml"],
            &[left("b.yaml"), left("c.yaml")],
            &[],
            Some("`b.yaml`, `c.yaml` are there and were not read, and 2 objects from there would be pruned: name them under `include:` to \
                  have them read; if they are to go, say `reeve reconcile --project /srv/shop --allow-prune=2`"),
        ),
        ("a file that is gone", &["a.yaml", "b.yaml"], &[], &[], None),
        ("a file that declares nothing that goes", &["a.yaml", "b.yaml"], &[left("c.yaml")], &["a.yaml"], None),
        (
            "a directory that is away",
            &["a.yaml", "jobs/b.yaml"],
            &[away("jobs/b.yaml")],
            &[],
            Some("`jobs/*.yaml` matches no file any more, and 1 object came from there: if the files are away for a moment, bring them \
                  back; if they are gone for good, say `reeve reconcile --project /srv/shop --allow-prune=1`"),
        ),
        (
            "both",
            &["a.yaml", "b.yaml", "jobs/c.yaml"],
            &[left("b.yaml"), away("jobs/c.yaml")],
            &["a.yaml"],
            Some("`b.yaml` is there and was not read, and 1 object from there would be pruned: to have them read, too, say \
                  `reeve reconcile --project /srv/shop -f a.yaml -f b.yaml`; if they are to go, say \
                  `reeve reconcile --project /srv/shop --allow-prune=2`"),
        ),
        ("nothing goes", &["a.yaml"], &[left("b.yaml")], &["a.yaml"], None),
    ];
    for (what, files, not_read, named, refused) in table {
        let mut home = Home::new();
        home.apply(&of_files(files));
        home.options.not_read = not_read.iter().cloned().collect();
        home.options.named = named.iter().map(|name| (*name).to_owned()).collect();
        let next = of_files(&files[..1]);
        let plan = home.plan(&next);
        let said: Vec<String> = plan.refusals.iter().map(|refusal| refusal.in_full(&plan.root)).collect();
        assert_eq!(said, refused.into_iter().collect::<Vec<_>>(), "{what}");
        home.options.allow_prune = Some(plan.counts.prune);
        assert!(!home.plan(&next).is_refused(), "{what}: the words allow it");
    }
}

#[test]
fn of_many_files_that_were_not_read_the_first_are_named() {
    let files: Vec<String> = (10..22).map(|n| format!("{n}.yaml")).collect();
    let mut home = Home::new();
    home.apply(&of_files(&files.iter().map(String::as_str).collect::<Vec<_>>()));
    home.options.not_read = files[1..].iter().map(|file| (file.clone(), NotRead::Left)).collect();
    home.options.named = vec!["10.yaml".to_owned()];
    let said = home.plan(&of_files(&["10.yaml"])).refusals[0].to_string();
    assert!(said.contains("`18.yaml` and 3 more files are there and were not read, and 11 objects from there"), "{said}");
    assert!(said.contains("give each of them with `-f`, too; if they are to go, say --allow-prune=11"), "{said}");
}

#[test]
fn the_words_fit_one_object_and_many() {
    let one = Refusal::PrunesEverything { prunes: 1 }.to_string();
    assert_eq!(one, "nothing is declared any more, and the only object of the project would be pruned: if that is meant, say --allow-prune=1");
    assert!(Refusal::PrunesMany { prunes: 1, owned: 1, limit: 0 }.to_string().starts_with("1 of the project's 1 object would"));
}
