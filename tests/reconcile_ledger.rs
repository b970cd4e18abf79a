//! A renamed deployment is one record in the ledger, in one batch and in a unit of many.
use reeve::model::deployment::{DeploymentSpec, Entrypoint, FullName};
use reeve::model::desired::{Declared, Desired};
use reeve::model::overrides::Owner;
use reeve::reconcile::{Options, Plan, plan};
use reeve::store::ledger::{Changed, Ledger};
use reeve::store::{MAX_ROWS, open};
use uuid::Uuid;

fn project(flow: &str, count: usize) -> Desired {
    let mut desired = Desired { project: "shop".to_owned(), root: "/srv/shop".to_owned(), ..Desired::default() };
    for number in 0..count {
        let entrypoint = Some(Entrypoint::Shell { command: format!("echo {number}") });
        let spec = DeploymentSpec { entrypoint, ..DeploymentSpec::default() };
        let declared = Declared { spec, file: "deployment.yaml".to_owned(), pointer: format!("/deployments/{number}") };
        desired.deployments.insert(FullName::new(flow, number.to_string()), declared);
    }
    desired
}

fn renamed(count: usize) -> Desired {
    let mut desired = project("new", count);
    for name in desired.deployments.keys() {
        desired.renames.insert(name.clone(), vec![FullName::new("old", name.deployment.clone())]);
    }
    desired
}

fn ledger() -> Ledger {
    Ledger::new(open("ram:", Uuid::from_u128(7)).unwrap())
}

fn plan_of(ledger: &Ledger, desired: &Desired) -> Plan {
    plan(desired, &ledger.stored(desired).unwrap(), "2026-11-21T09:00:00Z".parse().unwrap(), &Options::default())
}

async fn apply(ledger: &Ledger, desired: &Desired) -> Plan {
    let mut plan = plan_of(ledger, desired);
    ledger.apply(plan.base_revision, &plan.take_writes()).await.unwrap();
    plan
}

#[tokio::test]
async fn a_rename_leaves_one_record_under_the_new_name() {
    // The second is larger than any batch, and goes through the store's redo log.
    for count in [3, MAX_ROWS] {
        let ledger = ledger();
        apply(&ledger, &project("old", count)).await;
        let before = ledger.stored(&project("old", count)).unwrap().deployments;
        let mut feed = ledger.feed();
        let plan = apply(&ledger, &renamed(count)).await;
        assert_eq!((plan.counts.rename, plan.counts.changes()), (count, count));
        assert!(plan_of(&ledger, &renamed(count)).is_in_sync());
        let names = ledger.deployment_names().unwrap();
        assert_eq!(names.len(), count);
        for (name, old) in &before {
            let new = FullName::new("new", name.deployment.clone());
            assert_eq!(ledger.deployment_by_name(name).unwrap(), None, "{name}");
            let found = ledger.deployment_by_name(&new).unwrap().unwrap();
            assert_eq!((found.id, &found.name, found.created), (old.id, &new, old.created));
            assert_eq!(ledger.deployment(old.id).unwrap().unwrap(), found);
        }
        assert_eq!(ledger.deployments().count(), count);
        let mut told = Vec::new();
        while told.len() < count {
            told.extend(feed.next().await.unwrap().into_iter().filter(|changed| matches!(changed, Changed::Deployment(_) | Changed::Everything)));
            if told.contains(&Changed::Everything) {
                break;
            }
        }
        assert!(told.contains(&Changed::Everything) || before.values().all(|old| told.contains(&Changed::Deployment(old.id))));
    }
}

#[tokio::test]
async fn what_bears_an_earlier_name_is_found_whoever_owns_it() {
    for owner in [None, Some("other")] {
        let ledger = ledger();
        let mut theirs = project("old", 1);
        theirs.project = "other".to_owned();
        apply(&ledger, &theirs).await;
        if owner.is_none() {
            let mut free = ledger.stored(&theirs).unwrap().deployments.into_values().next().unwrap();
            free.owner = None;
            let write = reeve::model::write::Write::PutDeployment(Box::new(free));
            ledger.apply(ledger.revision().unwrap(), &[write]).await.unwrap();
        }
        let plan = plan_of(&ledger, &renamed(1));
        assert_eq!((plan.counts.adopt, plan.is_refused(), plan.counts.create), (usize::from(owner.is_none()), owner.is_some(), 0));
        let kept = ledger.deployment_by_name(&FullName::new("old", "0")).unwrap().unwrap();
        assert_eq!(kept.owner, owner.map(|project| Owner { project: project.to_owned(), file: "deployment.yaml".to_owned() }));
    }
}
