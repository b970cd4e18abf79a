//! Deployments with their flows and schedules: create, update, adopt, restore, prune.
use super::diff::{Pair, pairs};
use super::plan::{Action, FieldChange, Made};
use super::planner::{Claim, Deed, Planner, differ};
use super::{fields, notes, schedules};
use crate::model::deployment::{Deployment, DeploymentSpec, Flow, FullName};
use crate::model::desired::Declared;
use crate::model::id::{DeploymentId, FlowId, Kind};
use crate::model::stored::{TOMBSTONE_DAYS, Tombstone};
use crate::model::write::Write;
use jiff::SignedDuration;
use serde_json::{Value, json};

impl<'a> Planner<'a> {
    pub(super) fn deployments(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for (name, pair) in pairs(&desired.deployments, &stored.deployments) {
            match pair {
                Pair::Added(declared) => match self.tombstone(name) {
                    Some(tombstone) => self.restore(declared, tombstone),
                    None => self.create_deployment(name, declared),
                },
                Pair::Both(declared, old) => self.keep_deployment(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) => self.prune_deployment(old),
                Pair::Removed(_) => {}
            }
        }
    }

    /// What this project pruned under the name, as long as it can be restored.
    fn tombstone(&self, name: &FullName) -> Option<&'a Tombstone> {
        let tombstone = self.stored.tombstones.get(name)?;
        let age = self.now.duration_since(tombstone.pruned);
        let kept = age < SignedDuration::from_hours(24 * TOMBSTONE_DAYS);
        (kept && tombstone.project == self.desired.project).then_some(tombstone)
    }

    fn create_deployment(&mut self, name: &'a FullName, declared: &'a Declared<DeploymentSpec>) {
        let id = DeploymentId(self.new_id(Kind::Deployment, &name.to_string()));
        let (flow_id, mut makes, mut writes) = self.flow(&name.flow);
        let outcome =
            schedules::reconcile(&self.context(name, false, declared.spec.paused), &[], &declared.spec.schedules);
        let mut changes = fields::set(&self.default_deployment, &fields::of_deployment(&declared.spec));
        self.schedule_notes(name, declared, &outcome);
        changes.extend(outcome.changes);
        makes.extend(outcome.made);
        let deployment = Deployment {
            id,
            flow_id,
            name: name.clone(),
            declared: without_schedules(&declared.spec),
            schedules: outcome.schedules,
            owner: Some(self.owner(&declared.file)),
            root: Some(self.desired.root.clone()),
            overrides: Default::default(),
            declared_digest: None,
            created: self.now,
            updated: self.now,
        };
        writes.push(Write::PutDeployment(Box::new(deployment)));
        let deed = Deed {
            action: Action::Create,
            kind: Kind::Deployment,
            name: name.to_string(),
            id: id.0,
            reason: format!("new in {}", declared.file).into(),
            changes,
            makes,
            writes,
        };
        self.step(deed, Some(&declared.file), Some(&declared.pointer));
    }

    fn keep_deployment(&mut self, declared: &'a Declared<DeploymentSpec>, old: &'a Deployment) {
        let action = match self.claim(old.owner.as_ref()) {
            Claim::Others(owner) => {
                return self.refuse_owned(Kind::Deployment, old.name.to_string(), owner, declared);
            }
            Claim::Nobodys => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.deployment_shadows(old, &declared.spec);
        if action == Action::Update && self.is_as_declared(declared, old) {
            return self.unchanged(Kind::Deployment, || old.name.to_string(), old.id.0, declared);
        }
        self.rewrite_deployment(action, declared, old, Vec::new());
    }

    fn is_as_declared(&self, declared: &Declared<DeploymentSpec>, old: &Deployment) -> bool {
        old.root.as_deref() == Some(&self.desired.root)
            && fields::same_deployment(&old.declared, &declared.spec)
            && schedules::same(&old.schedules, &declared.spec.schedules)
    }

    /// A deployment that was pruned and is declared again: its id, history and overrides go on.
    fn restore(&mut self, declared: &'a Declared<DeploymentSpec>, tombstone: &'a Tombstone) {
        let old = &tombstone.deployment;
        self.deployment_shadows(old, &declared.spec);
        self.rewrite_deployment(Action::Restore, declared, old, vec![Write::DeleteTombstone(old.name.clone())]);
    }

    fn rewrite_deployment(
        &mut self,
        action: Action,
        declared: &'a Declared<DeploymentSpec>,
        old: &'a Deployment,
        mut writes: Vec<Write>,
    ) {
        let (flow_id, mut makes, flow_writes) = self.flow(&old.name.flow);
        writes.extend(flow_writes);
        let mut new = self.rewritten(declared, old, flow_id);
        let held_before = old.paused() || action == Action::Restore;
        let outcome = schedules::reconcile(
            &self.context(&old.name, held_before, new.paused()),
            &old.schedules,
            &declared.spec.schedules,
        );
        self.schedule_notes(&old.name, declared, &outcome);
        new.schedules = outcome.schedules;
        makes.extend(outcome.made);
        let changes = deployment_changes(old, &new, outcome.changes);
        let reason = match action {
            Action::Restore => format!("was pruned, and is declared again in {}", declared.file).into(),
            Action::Adopt => format!("belongs to nobody; {} declares it", declared.file).into(),
            _ if changes.iter().all(|change| change.field == "root") => "the project moved".into(),
            _ => differ(&changes, &declared.file),
        };
        writes.push(Write::PutDeployment(Box::new(new)));
        let deed = Deed {
            action,
            kind: Kind::Deployment,
            name: old.name.to_string(),
            id: old.id.0,
            reason,
            changes,
            makes,
            writes,
        };
        self.step(deed, Some(&declared.file), Some(&declared.pointer));
    }

    /// The record as it is declared now, still without schedules. What operators laid over it stays.
    fn rewritten(&self, declared: &Declared<DeploymentSpec>, old: &Deployment, flow_id: FlowId) -> Deployment {
        Deployment {
            id: old.id,
            flow_id,
            name: old.name.clone(),
            declared: without_schedules(&declared.spec),
            schedules: Vec::new(),
            owner: Some(self.owner(&declared.file)),
            root: Some(self.desired.root.clone()),
            overrides: old.overrides.clone(),
            declared_digest: None,
            created: old.created,
            updated: self.now,
        }
    }

    /// It stops at once, and is kept for 7 days so that it can come back.
    fn prune_deployment(&mut self, old: &Deployment) {
        let tombstone = Tombstone { deployment: old.clone(), pruned: self.now, project: self.desired.project.clone() };
        let writes = vec![
            Write::DeleteDeployment { id: old.id, name: old.name.clone() },
            Write::PutTombstone(Box::new(tombstone)),
        ];
        let deed = Deed {
            action: Action::Prune,
            kind: Kind::Deployment,
            name: old.name.to_string(),
            id: old.id.0,
            reason: format!("no longer declared; declared again within {TOMBSTONE_DAYS} days it comes back").into(),
            changes: Vec::new(),
            makes: Vec::new(),
            writes,
        };
        self.step(deed, old.owner.as_ref().map(|owner| owner.file.as_str()), None);
    }

    /// The flow's id; where nobody has it yet, the first step that needs it makes it.
    fn flow(&mut self, name: &'a str) -> (FlowId, Vec<Made>, Vec<Write>) {
        if let Some(flow) = self.stored.flows.get(name) {
            return (flow.id, Vec::new(), Vec::new());
        }
        if let Some(id) = self.new_flows.get(name) {
            return (*id, Vec::new(), Vec::new());
        }
        let id = FlowId(self.new_id(Kind::Flow, name));
        self.new_flows.insert(name, id);
        let made = Made { kind: Kind::Flow, name: name.to_owned(), id: id.0 };
        let flow = Flow {
            id,
            name: name.to_owned(),
            tags: Vec::new(),
            labels: Default::default(),
            created: self.now,
            updated: self.now,
        };
        (id, vec![made], vec![Write::PutFlow(flow)])
    }

    fn context<'b>(&self, deployment: &'b FullName, held_before: bool, held_after: bool) -> schedules::Context<'b> {
        schedules::Context {
            home: self.stored.home,
            base_revision: self.stored.revision,
            now: self.now,
            deployment,
            held_before,
            held_after,
        }
    }

    fn schedule_notes(&mut self, name: &FullName, declared: &Declared<DeploymentSpec>, outcome: &schedules::Outcome) {
        for index in &outcome.fresh {
            if self.schedules_looked_at == notes::MOST_SCHEDULES {
                return;
            }
            self.schedules_looked_at += 1;
            self.notes.extend(notes::of_schedule(&outcome.schedules[*index], name, declared, self.now));
        }
    }

    fn deployment_shadows(&mut self, old: &Deployment, spec: &DeploymentSpec) {
        if old.overrides.is_empty() && old.schedules.iter().all(|schedule| schedule.overrides.is_empty()) {
            return;
        }
        let name = old.name.to_string();
        self.shadows(Kind::Deployment, &name, "", &old.overrides, || fields::of_deployment(spec));
        for (schedule, declared) in schedules::going_on(&old.schedules, &spec.schedules) {
            let prefix = format!("schedules/{}/", schedule.key);
            self.shadows(Kind::Deployment, &name, &prefix, &schedule.overrides, || fields::value(declared));
        }
    }
}

fn without_schedules(spec: &DeploymentSpec) -> DeploymentSpec {
    DeploymentSpec { schedules: Vec::new(), ..spec.clone() }
}

fn deployment_changes(old: &Deployment, new: &Deployment, schedules: Vec<FieldChange>) -> Vec<FieldChange> {
    let mut changes = fields::changes(&fields::of_deployment(&old.declared), &fields::of_deployment(&new.declared));
    fields::shade(&mut changes, "", &old.overrides);
    changes.extend(schedules);
    if old.root != new.root {
        let root = |deployment: &Deployment| deployment.root.as_ref().map(|root| json!(root));
        let (old, new): (Option<Value>, Option<Value>) = (root(old), root(new));
        changes.push(fields::change("root".to_owned(), old.as_ref(), new.as_ref()));
    }
    changes
}
