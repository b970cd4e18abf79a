//! Each rule of the queue on small snapshots, and what holds of every snapshot.
use super::*;
use crate::model::deployment::CollisionStrategy;
use crate::model::work_pool::DEFAULT_AGENT_POOL;
use proptest::prelude::*;
use std::collections::HashMap;
use uuid::Uuid;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn run(number: u128, due: i64) -> Waiting {
    Waiting {
        run: FlowRunId(Uuid::from_u128(number)),
        due: at(due),
        expires: None,
        late_at: None,
        overlap: Overlap::Allow,
        first_attempt: true,
        deployment: Some(DeploymentId(Uuid::from_u128(1_000 + number))),
        deployment_name: Some(format!("flow/d{number}")),
        limit: None,
        pool: Some("pool".to_owned()),
        queue: None,
        tags: Vec::new(),
    }
}

fn queue(priority: u32) -> Queue {
    Queue { paused: false, priority, limit: None, filter: None }
}

fn pool(queues: &[(&str, Queue)]) -> Capacity {
    let queues = queues.iter().map(|(name, queue)| (name.to_string(), queue.clone())).collect();
    let pool = Pool { kind: "process".to_owned(), paused: false, limit: None, queues };
    Capacity { pools: BTreeMap::from([("pool".to_owned(), pool)]), ..Capacity::default() }
}

fn decided(capacity: &Capacity, holders: &[Holder], waiting: &[Waiting]) -> Vec<(u128, Verdict)> {
    decided_after(capacity, holders, &HashMap::new(), waiting)
}

fn decided_after(capacity: &Capacity, holders: &[Holder], served: &HashMap<DeploymentId, Timestamp>, waiting: &[Waiting]) -> Vec<(u128, Verdict)> {
    let snapshot = Snapshot { capacity, holders: &mut holders.iter(), served, kinds: &["process"], now: at(100), horizon: at(100) };
    let waiting: Vec<&Waiting> = waiting.iter().collect();
    decide(snapshot, &waiting).into_iter().map(|(run, verdict)| (run.0.as_u128(), verdict)).collect()
}

fn started(verdicts: &[(u128, Verdict)]) -> Vec<u128> {
    verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Start { .. })).map(|(run, _)| *run).collect()
}

fn holder(waiting: &Waiting, queue: &str) -> Holder {
    Holder {
        run: waiting.run,
        between_attempts: false,
        stopping: false,
        deployment: waiting.deployment,
        pool: waiting.pool.clone(),
        queue: Some(queue.to_owned()),
        tags: waiting.tags.clone(),
    }
}

#[test]
fn priority_then_due_then_id() {
    let pools = pool(&[("default", queue(2)), ("urgent", queue(1))]);
    let mut urgent = run(3, 90);
    urgent.queue = Some("urgent".to_owned());
    let verdicts = decided(&pools, &[], &[run(2, 50), run(1, 50), run(4, 40), urgent]);
    assert_eq!(started(&verdicts), [3, 4, 1, 2]);
}

#[test]
fn limits_of_pool_and_queue_hold_for_the_runs_of_one_decision_too() {
    let mut pools = pool(&[("default", queue(1))]);
    pools.pools.get_mut("pool").unwrap().limit = Some(2);
    let waiting = [run(1, 1), run(2, 2), run(3, 3)];
    let verdicts = decided(&pools, &[holder(&run(9, 0), "default")], &waiting);
    assert_eq!(started(&verdicts), [1]);
    assert_eq!(verdicts[1].1, Verdict::Wait(Reason::PoolFull { pool: "pool".to_owned(), limit: 2 }));
    pools.pools.get_mut("pool").unwrap().limit = None;
    pools.pools.get_mut("pool").unwrap().queues.get_mut("default").unwrap().limit = Some(1);
    assert_eq!(started(&decided(&pools, &[], &waiting)), [1]);
    pools.pools.get_mut("pool").unwrap().queues.get_mut("default").unwrap().limit = Some(0);
    assert_eq!(started(&decided(&pools, &[], &waiting)), Vec::<u128>::new());
}

#[test]
fn a_full_deployment_enqueues_or_cancels() {
    let pools = pool(&[("default", queue(1))]);
    let mut first = run(1, 1);
    let limit = |collision_strategy| Some(ConcurrencyLimit { limit: 1, collision_strategy, grace_period_seconds: None });
    first.limit = limit(CollisionStrategy::Enqueue);
    let mut second = first.clone();
    second.run = FlowRunId(Uuid::from_u128(2));
    let verdicts = decided(&pools, &[], &[first.clone(), second.clone()]);
    assert_eq!(verdicts[1].1, Verdict::Wait(Reason::DeploymentFull { limit: 1 }));
    second.limit = limit(CollisionStrategy::CancelNew);
    assert_eq!(decided(&pools, &[], &[first, second])[1].1, Verdict::Cancel(Cancelled::DeploymentFull));
}

#[test]
fn what_cannot_be_served_says_why() {
    let mut pools = pool(&[("default", queue(1))]);
    let reason = |pools: &Capacity, run: Waiting| decided(pools, &[], &[run]).remove(0).1;
    let mut lost = run(1, 1);
    lost.pool = Some("gone".to_owned());
    assert_eq!(reason(&pools, lost), Verdict::Wait(Reason::NoSuchPool("gone".to_owned())));
    let mut nowhere = run(1, 1);
    nowhere.queue = Some("gone".to_owned());
    let wanted = Reason::NoSuchQueue { pool: "pool".to_owned(), queue: "gone".to_owned() };
    assert_eq!(reason(&pools, nowhere), Verdict::Wait(wanted));
    assert_eq!(reason(&pools, run(1, 101)), Verdict::Wait(Reason::NotDue));
    pools.pools.get_mut("pool").unwrap().paused = true;
    assert_eq!(reason(&pools, run(1, 1)), Verdict::Wait(Reason::PoolPaused("pool".to_owned())));
    pools.pools.get_mut("pool").unwrap().kind = "kubernetes".to_owned();
    assert!(matches!(reason(&pools, run(1, 1)), Verdict::Wait(Reason::NoExecutor { .. })));
}

#[test]
fn filters_choose_the_queue_and_keep_others_out() {
    let mut tagged = queue(1);
    tagged.filter = Some(QueueFilter { tags: vec!["tutorial".to_owned()], ..QueueFilter::default() });
    let mut pools = pool(&[("default", queue(2)), ("tutorial_queue", tagged)]);
    let mut leo = run(1, 1);
    leo.tags = vec!["tutorial".to_owned(), "dev".to_owned()];
    let to = |verdict: Verdict| match verdict {
        Verdict::Start { queue, .. } => queue,
        _ => None,
    };
    assert_eq!(to(decided(&pools, &[], &[leo.clone()]).remove(0).1).as_deref(), Some("tutorial_queue"));
    assert_eq!(to(decided(&pools, &[], &[run(2, 1)]).remove(0).1).as_deref(), Some("default"));
    let mut stranger = run(3, 1);
    stranger.queue = Some("tutorial_queue".to_owned());
    assert!(matches!(decided(&pools, &[], &[stranger]).remove(0).1, Verdict::Wait(Reason::QueueFilter { .. })));
    // Without a pool: a matching queue of the default agent pool, else none at all.
    let agent = pools.pools.remove("pool").unwrap();
    pools.pools.insert(DEFAULT_AGENT_POOL.to_owned(), agent);
    leo.pool = None;
    assert_eq!(to(decided(&pools, &[], &[leo]).remove(0).1).as_deref(), Some("tutorial_queue"));
    let mut plain = run(4, 1);
    plain.pool = None;
    assert_eq!(decided(&pools, &[], &[plain]).remove(0).1, Verdict::Start { pool: None, queue: None });
}

/// A run of one deployment with others, under a policy.
fn of_one(number: u128, due: i64, overlap: Overlap) -> Waiting {
    Waiting { overlap, deployment: Some(DeploymentId(Uuid::from_u128(7))), ..run(number, due) }
}

fn said(verdicts: Vec<(u128, Verdict)>) -> Vec<(u128, String)> {
    let word = |verdict| match verdict {
        Verdict::Start { .. } => "start".to_owned(),
        Verdict::Wait(_) => "wait".to_owned(),
        Verdict::Supersede { stop, .. } => format!("stop {:?}", stop.iter().map(|run| run.0.as_u128()).collect::<Vec<_>>()),
        Verdict::Cancel(Cancelled::Skipped(why)) => format!("{why:?}").split(['(', ' ']).next().unwrap().to_owned(),
        Verdict::Cancel(why) => format!("{why:?}"),
    };
    verdicts.into_iter().map(|(run, verdict)| (run, word(verdict))).collect()
}

#[test]
fn a_slot_that_meets_a_run_still_going_fares_as_its_policy_says() {
    let pools = pool(&[("default", queue(1))]);
    let going = of_one(9, 0, Overlap::Allow);
    let holders = [holder(&going, "default")];
    let three = |overlap| [of_one(1, 1, overlap), of_one(2, 2, overlap), of_one(3, 3, overlap)];
    let table = [
        (Overlap::Allow, ["start", "start", "start"]),
        (Overlap::Skip, ["StillGoing", "StillGoing", "StillGoing"]),
        (Overlap::Queue { most: 2 }, ["wait", "wait", "QueueFull"]),
        (Overlap::Queue { most: 0 }, ["QueueFull", "QueueFull", "QueueFull"]),
        (Overlap::CancelRunning, ["Superseded", "Superseded", "stop [9]"]),
    ];
    for (overlap, wanted) in table {
        let words = said(decided(&pools, &holders, &three(overlap)));
        assert_eq!(words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), wanted, "{overlap:?}");
    }
    // Nothing going: the first starts, and the others meet it.
    for (overlap, wanted) in [(Overlap::Skip, ["start", "StillGoing"]), (Overlap::Queue { most: 1 }, ["start", "wait"])] {
        let words = said(decided(&pools, &[], &three(overlap)[..2]));
        assert_eq!(words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), wanted, "{overlap:?}");
    }
    // What is being stopped is waited for; a retry and another deployment are not concerned.
    let stopping = [Holder { stopping: true, ..holder(&going, "default") }];
    assert_eq!(said(decided(&pools, &stopping, &[of_one(1, 1, Overlap::CancelRunning)])), [(1, "wait".to_owned())]);
    let retry = Waiting { first_attempt: false, ..of_one(1, 1, Overlap::Skip) };
    assert_eq!(said(decided(&pools, &holders, &[retry])), [(1, "start".to_owned())]);
    let other = Waiting { overlap: Overlap::Skip, ..run(1, 1) };
    assert_eq!(said(decided(&pools, &holders, &[other])), [(1, "start".to_owned())]);
}

#[test]
fn a_run_between_attempts_is_going_but_holds_no_slot() {
    let mut pools = pool(&[("default", queue(1))]);
    pools.pools.get_mut("pool").unwrap().limit = Some(1);
    let resting = [Holder { between_attempts: true, ..holder(&of_one(9, 0, Overlap::Allow), "default") }];
    assert_eq!(said(decided(&pools, &resting, &[of_one(1, 1, Overlap::Skip)])), [(1, "StillGoing".to_owned())]);
    assert_eq!(said(decided(&pools, &resting, &[of_one(1, 1, Overlap::Allow)])), [(1, "start".to_owned())]);
}

#[test]
fn what_waited_too_long_expires_whatever_it_waits_for() {
    let pools = pool(&[]);
    let expires = |at_second| Waiting { expires: Some(at(at_second)), ..run(1, 1) };
    assert_eq!(said(decided(&pools, &[], &[expires(99)])), [(1, "Expired".to_owned())]);
    assert_eq!(said(decided(&pools, &[], &[expires(100)])), [(1, "wait".to_owned())]);
    assert_eq!(said(decided(&pools, &[], &[Waiting { first_attempt: false, ..expires(99) }])), [(1, "wait".to_owned())]);
}

#[test]
fn nothing_is_cancelled_ahead_of_its_time() {
    let pools = pool(&[("default", queue(1))]);
    let going = of_one(9, 0, Overlap::Allow);
    let holders = [holder(&going, "default")];
    let limit = Some(ConcurrencyLimit { limit: 1, collision_strategy: CollisionStrategy::CancelNew, grace_period_seconds: None });
    let full = Waiting { limit, ..of_one(1, 101, Overlap::Allow) };
    for waiting in [of_one(1, 101, Overlap::Skip), of_one(1, 101, Overlap::CancelRunning), full] {
        let decided = |now| {
            let snapshot = Snapshot { capacity: &pools, holders: &mut holders.iter(), served: &HashMap::new(), kinds: &["process"], now: at(now), horizon: at(101) };
            decide(snapshot, &[&waiting]).remove(0).1
        };
        assert_eq!(decided(100), Verdict::Wait(Reason::NotDue));
        assert!(matches!(decided(101), Verdict::Cancel(_) | Verdict::Supersede { .. }));
    }
}

fn tagged(run: Waiting, tags: &[&str]) -> Waiting {
    Waiting { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..run }
}

fn limited(tags: &[(&str, u32)]) -> Capacity {
    Capacity { tags: tags.iter().map(|(tag, limit)| ((*tag).to_owned(), *limit)).collect(), ..pool(&[("default", queue(1))]) }
}

fn tag_full(tag: &str, limit: u32) -> Verdict {
    Verdict::Wait(Reason::TagFull { tag: tag.to_owned(), limit })
}

#[test]
fn a_run_needs_a_slot_of_each_of_its_tags_limits_or_takes_none() {
    let capacity = limited(&[("db", 2), ("gpu", 1), ("off", 0)]);
    let both = |number| tagged(run(number, number as i64), &["db", "free", "gpu"]);
    let db = |number| tagged(run(number, number as i64), &["db"]);
    let verdicts = decided(&capacity, &[], &[both(1), both(2), db(3), db(4), tagged(run(5, 5), &["free"]), tagged(run(6, 6), &["off"])]);
    assert_eq!(started(&verdicts), [1, 3, 5], "the second of both waits for `gpu` and takes no `db`");
    let verdicts: HashMap<u128, Verdict> = verdicts.into_iter().collect();
    assert_eq!((&verdicts[&2], &verdicts[&4], &verdicts[&6]), (&tag_full("gpu", 1), &tag_full("db", 2), &tag_full("off", 0)));
    // Whoever holds it: another pool's run, or one without a pool. Not one that waits for its next attempt.
    let elsewhere = Holder { pool: None, queue: None, ..holder(&both(9), "default") };
    assert_eq!(decided(&capacity, &[elsewhere.clone()], &[both(1)]).remove(0).1, tag_full("gpu", 1));
    let resting = Holder { between_attempts: true, ..elsewhere };
    assert_eq!(started(&decided(&capacity, &[resting], &[both(1)])), [1]);
    let twice = tagged(run(1, 1), &["db", "db"]);
    assert_eq!(started(&decided(&capacity, &[], &[twice, db(2), db(3)])), [1, 2], "a tag that is there twice is one tag");
    let nowhere = Waiting { pool: None, ..both(1) };
    assert_eq!(decided(&capacity, &[holder(&both(9), "default")], &[nowhere]).remove(0).1, tag_full("gpu", 1));
}

#[test]
fn a_queue_with_pool_types_serves_only_these() {
    let of_type = |kind: &str| Queue { filter: Some(QueueFilter { pool_types: vec![kind.to_owned()], ..QueueFilter::default() }), ..queue(1) };
    let capacity = pool(&[("default", queue(2)), ("docker", of_type("docker")), ("here", of_type("process"))]);
    let wanted = Verdict::Start { pool: Some("pool".to_owned()), queue: Some("here".to_owned()) };
    assert_eq!(decided(&capacity, &[], &[run(1, 1)]).remove(0).1, wanted);
    let named = Waiting { queue: Some("docker".to_owned()), ..run(1, 1) };
    assert!(matches!(decided(&capacity, &[], &[named]).remove(0).1, Verdict::Wait(Reason::QueueFilter { .. })));
}

/// The `number`-th run of a deployment.
fn of(deployment: u128, number: u128, due: i64) -> Waiting {
    Waiting { deployment: Some(DeploymentId(Uuid::from_u128(deployment))), ..run(1_000 * deployment + number, due) }
}

#[test]
fn deployments_take_turns() {
    let mut capacity = pool(&[("default", queue(1))]);
    let flood: Vec<Waiting> = (0..500).map(|number| of(1, number, 1)).collect();
    let waiting: Vec<Waiting> = flood.iter().cloned().chain([of(2, 0, 50), of(2, 1, 50), of(3, 0, 60)]).collect();
    capacity.pools.get_mut("pool").unwrap().limit = Some(5);
    let started = |holders: &[Holder]| started(&decided(&capacity, holders, &waiting));
    assert_eq!(started(&[]), [1_000, 2_000, 3_000, 1_001, 2_001]);
    let going: Vec<Holder> = flood[..3].iter().map(|run| holder(run, "default")).collect();
    assert_eq!(started(&going), [2_000, 3_000], "who has runs going comes after who has none");
    // Blocked by a tag, the old runs of a deployment do not hold up its others, nor other deployments.
    let blocked = flood.iter().map(|run| tagged(run.clone(), &["off"]));
    let waiting: Vec<Waiting> = blocked.chain([of(1, 900, 70)]).chain((0..10).map(|number| of(2, number, 50))).collect();
    let off = Capacity { tags: limited(&[("off", 0)]).tags, ..capacity };
    let found: Vec<u128> = decided(&off, &[], &waiting).into_iter().filter(|(_, verdict)| matches!(verdict, Verdict::Start { .. })).map(|(run, _)| run).collect();
    assert_eq!(found[..2], [2_000, 1_900]);
}

/// One slot, of a queue or of a tag: each time it is free, one run starts, and ends before the next is asked.
#[test]
fn deployments_take_turns_at_a_single_slot() {
    let mut single = pool(&[("default", queue(1))]);
    single.pools.get_mut("pool").unwrap().queues.get_mut("default").unwrap().limit = Some(1);
    for capacity in [single, limited(&[("db", 1)])] {
        let of = |deployment, number, due| tagged(of(deployment, number, due), &["db"]);
        let mut waiting: Vec<Waiting> = (0..5).map(|number| of(1, number, 1)).chain((0..3).map(|number| of(2, number, 2))).collect();
        // It was served before it came in line: that makes it no later. And one comes when the others are at it.
        let mut served = HashMap::from([(DeploymentId(Uuid::from_u128(1)), at(0))]);
        let mut order = Vec::new();
        for now in 10..19 {
            if now == 12 {
                waiting.push(of(3, 0, 10));
            }
            let next = started(&decided_after(&capacity, &[], &served, &waiting));
            let index = waiting.iter().position(|run| [run.run.0.as_u128()] == next[..]).expect("one starts");
            let run = waiting.remove(index);
            served.insert(run.deployment.unwrap(), at(now));
            order.push(next[0]);
        }
        assert_eq!(order, [1_000, 2_000, 1_001, 3_000, 2_001, 1_002, 2_002, 1_003, 1_004]);
    }
}

/// Runs of a few deployments in two queues, some of them going, under limits.
fn crowded() -> impl Strategy<Value = (Capacity, Vec<Holder>, Vec<Waiting>)> {
    let one = (1..5u128, 0..100i64, any::<bool>(), 0..4u8);
    let runs = proptest::collection::vec(one, 1..40);
    (runs, 0..10usize, proptest::option::of(0..12u32), 0..6u32, 1..3u32).prop_map(|(runs, going, limit, tag, priority)| {
        let mut capacity = pool(&[("default", queue(1)), ("other", queue(priority))]);
        capacity.pools.get_mut("pool").unwrap().limit = limit;
        capacity.tags = BTreeMap::from([("x".to_owned(), tag), ("y".to_owned(), 2)]);
        let tags = [&[][..], &["x"], &["y"], &["x", "y"]];
        let made = runs.into_iter().enumerate().map(|(index, (deployment, due, other, bits))| {
            let queue = Some(if other { "other" } else { "default" }.to_owned());
            Waiting { queue, ..tagged(of(deployment, index as u128, due), tags[usize::from(bits)]) }
        });
        let mut waiting: Vec<Waiting> = made.collect();
        let holders = waiting.split_off(waiting.len().saturating_sub(going.min(waiting.len() - 1)));
        let holders = holders.iter().map(|run| holder(run, run.queue.as_deref().unwrap())).collect();
        (capacity, holders, waiting)
    })
}

proptest! {
    /// Of what starts: no limit is exceeded; of one deployment and priority it is what was due first among what needs the same;
    /// nobody starts a run while one that needs the same, of a deployment with fewer runs going, waits.
    #[test]
    fn limits_hold_and_nobody_starves((capacity, holders, waiting) in crowded()) {
        let verdicts = decided(&capacity, &holders, &waiting);
        prop_assert_eq!(verdicts.len(), waiting.len());
        let by_id: HashMap<u128, &Waiting> = waiting.iter().map(|run| (run.run.0.as_u128(), run)).collect();
        let mut going: Vec<(Option<DeploymentId>, Vec<String>)> = holders.iter().map(|holder| (holder.deployment, holder.tags.clone())).collect();
        let before = going.clone();
        let needs = |run: &Waiting| (run.queue.clone(), run.tags.clone());
        for (index, (run, verdict)) in verdicts.iter().enumerate() {
            let run = by_id[run];
            if !matches!(verdict, Verdict::Start { .. }) {
                prop_assert!(matches!(verdict, Verdict::Wait(Reason::PoolFull { .. } | Reason::TagFull { .. })), "{:?}", verdict);
                continue;
            }
            let count = |deployment| going.iter().filter(|(of, _)| *of == deployment).count();
            for (other, verdict) in &verdicts[index + 1..] {
                let other = by_id[other];
                if needs(other) == needs(run) {
                    let same = other.deployment == run.deployment;
                    prop_assert!(!same || (run.due, run.run) < (other.due, other.run), "of one deployment the oldest is first");
                    let is_left = !matches!(verdict, Verdict::Start { .. });
                    prop_assert!(same || !is_left || count(run.deployment) <= count(other.deployment), "{:?} starts before {:?}", run, other);
                }
            }
            going.push((run.deployment, run.tags.clone()));
        }
        let has = |going: &[(Option<DeploymentId>, Vec<String>)], tag: &str| going.iter().filter(|(_, tags)| tags.iter().any(|other| other == tag)).count();
        for (tag, limit) in &capacity.tags {
            prop_assert!(has(&going, tag) <= has(&before, tag).max(*limit as usize), "tag {}", tag);
        }
        if let Some(limit) = capacity.pools["pool"].limit {
            prop_assert!(going.len() <= before.len().max(limit as usize));
        }
    }
}

proptest! {
    /// Asking only the heads and letting the rest follow comes to the same as asking all.
    #[test]
    fn who_follows_a_run_that_waits_would_have_been_told_to_wait(
        runs in proptest::collection::vec((0..4u128, 0..3usize, 0..50i64), 1..60),
        limit in 0..6u32,
        most in 1..8usize,
    ) {
        let mut pools = pool(&[("default", queue(1)), ("urgent", queue(1))]);
        pools.pools.get_mut("pool").unwrap().limit = Some(limit);
        pools.tags.insert("tag".to_owned(), 2);
        let waiting: Vec<Waiting> = runs.iter().enumerate().map(|(number, (deployment, kind, due))| {
            let mut run = run(number as u128 + 1, *due);
            run.deployment = Some(DeploymentId(Uuid::from_u128(*deployment)));
            match kind {
                0 => {}
                1 => run.queue = Some("urgent".to_owned()),
                _ => run.tags = vec!["tag".to_owned()],
            }
            run
        }).collect();
        let all: HashMap<u128, Verdict> = decided(&pools, &[], &waiting).into_iter().collect();
        let due: Vec<&Waiting> = waiting.iter().collect();
        let Heads { asked, followers } = heads(&due, most, at(100));
        prop_assert_eq!(asked.len() + followers.len(), waiting.len());
        let asked: Vec<Waiting> = asked.into_iter().cloned().collect();
        let some: HashMap<u128, Verdict> = decided(&pools, &[], &asked).into_iter().collect();
        for (run, last) in followers {
            if matches!(some[&last.0.as_u128()], Verdict::Wait(_)) {
                prop_assert!(matches!(all[&run.0.as_u128()], Verdict::Wait(_)), "{run} would have started");
            }
        }
    }
}
