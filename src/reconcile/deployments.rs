//! Deployments with their flows and schedules: create, update, adopt, restore, prune.
use super::diff::{Pair, pairs};
use super::plan::{Action, Drift, FieldChange, Made};
use super::planner::{Claim, Deed, Difference, Planner, differ, drifted, each, restored, taken};
use super::renames::{self, Origin};
use super::{digest, fields, ignored, kept, notes, schedules};
use crate::model::deployment::{Deployment, DeploymentSpec, Flow, FullName};
use crate::model::desired::Declared;
use crate::model::id::{DeploymentId, FlowId, Kind};
use crate::model::stored::{ObjectName, Pruned};
use crate::model::write::Write;
use serde_json::{Value, json};
use std::borrow::Cow;

impl<'a> Planner<'a> {
    pub(super) fn deployments(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for (name, pair) in pairs(&desired.deployments, &stored.deployments) {
            match pair {
                Pair::Added(declared) => self.add_deployment(name, declared),
                Pair::Both(declared, old) => self.keep_deployment(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) && !self.renames.is_earlier(name) => self.leave_deployment(old),
                Pair::Removed(old) => self.leave_earlier(old),
            }
        }
    }

    /// A declared deployment whose name is not there: new, or one that had another name, or was pruned.
    fn add_deployment(&mut self, name: &'a FullName, declared: &'a Declared<DeploymentSpec>) {
        match self.renames.origin_of(name) {
            Some(Origin::Stored(old)) => self.rename(name, declared, old),
            Some(Origin::Pruned(old)) => self.restore(name, declared, old),
            Some(Origin::Others(old)) => {
                if let Some(owner) = &old.owner {
                    self.refuse_owned(Kind::Deployment, old.name.to_string(), owner, declared);
                }
            }
            Some(Origin::Several(earlier)) => self.refuse_several(name, &earlier, declared),
            Some(Origin::Blocked(earlier)) => self.notes.push(notes::rename_blocked(name, earlier, declared)),
            None => match renames::pruned_deployment(self.desired, self.stored, self.now, name) {
                Some(old) => self.restore(name, declared, old),
                None => self.create_deployment(name, declared),
            },
        }
    }

    fn create_deployment(&mut self, name: &'a FullName, declared: &'a Declared<DeploymentSpec>) {
        let id = DeploymentId(self.new_id(Kind::Deployment, &name.to_string()));
        self.notes.extend(notes::renamed_from_nothing(self, name, declared));
        let (flow_id, mut makes, mut writes) = self.flow(&name.flow);
        let outcome =
            schedules::reconcile(&self.context(name, false, declared.spec.paused), &[], &declared.spec.schedules);
        let shown = fields::of_deployment(&declared.spec);
        let mut changes = fields::set(&self.default_deployment, &shown);
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
            declared_digest: Some(digest::of(&shown, &declared.spec.schedules)),
            created: self.now,
            updated: self.now,
        };
        writes.push(Write::PutDeployment(Box::new(deployment)));
        let deed = Deed::new(Action::Create, Kind::Deployment, name.to_string(), id.0, format!("new in {}", declared.file));
        self.step(Deed { changes, makes, writes, ..deed }, Some(&declared.file), Some(&declared.pointer));
    }

    fn keep_deployment(&mut self, declared: &'a Declared<DeploymentSpec>, old: &'a Deployment) {
        let action = match self.claim(old.owner.as_ref(), || old.name.to_string()) {
            Claim::Others(owner) => {
                return self.refuse_owned(Kind::Deployment, old.name.to_string(), owner, declared);
            }
            Claim::Nobodys | Claim::Taken => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.deployment_shadows(&old.name, old, declared);
        if action == Action::Update && self.is_as_declared(&declared.spec, old) {
            return self.unchanged(Kind::Deployment, || old.name.to_string(), old.id.0, declared);
        }
        self.rewrite_deployment(action, &old.name, declared, old, Vec::new());
    }

    fn is_as_declared(&self, spec: &DeploymentSpec, old: &Deployment) -> bool {
        old.root.as_deref() == Some(&self.desired.root)
            && fields::same_deployment(&old.declared, spec)
            && schedules::same(&old.schedules, &spec.schedules)
    }

    /// A deployment that was pruned and is declared again, perhaps under another name: its id, history and overrides go on.
    fn restore(&mut self, name: &'a FullName, declared: &'a Declared<DeploymentSpec>, old: &'a Deployment) {
        self.deployment_shadows(name, old, declared);
        self.rewrite_deployment(Action::Restore, name, declared, old, vec![Write::DeleteTombstone(ObjectName::Deployment(old.name.clone()))]);
    }

    /// A deployment that goes on under another name. It is removed before it is written: both are one record.
    fn rename(&mut self, name: &'a FullName, declared: &'a Declared<DeploymentSpec>, old: &'a Deployment) {
        let action = if self.is_ours(old.owner.as_ref()) { Action::Rename } else { Action::Adopt };
        self.deployment_shadows(name, old, declared);
        let remove = Write::DeleteDeployment { id: old.id, name: old.name.clone() };
        self.rewrite_deployment(action, name, declared, old, vec![remove]);
    }

    /// A stored deployment is written anew, as `declared` under `name`. `writes` come first.
    fn rewrite_deployment(
        &mut self,
        action: Action,
        name: &'a FullName,
        declared: &'a Declared<DeploymentSpec>,
        old: &'a Deployment,
        mut writes: Vec<Write>,
    ) {
        let shown = fields::of_deployment(&declared.spec);
        let digest = digest::of(&shown, &declared.spec.schedules);
        let settled = ignored::settled_deployment(&self.desired.rules.ignore_fields, old, &declared.spec);
        let mut spec = settled.map_or(Cow::Borrowed(&declared.spec), Cow::Owned);
        if action == Action::Update && self.is_as_declared(&spec, old) {
            return self.unchanged(Kind::Deployment, || old.name.to_string(), old.id.0, declared);
        }
        let moved = old.root.as_deref() != Some(&self.desired.root);
        let drift = match self.difference(action, old.owner.as_ref(), old.declared_digest.as_deref(), &digest) {
            Difference::Ignored | Difference::Drifted(Drift::Report) if moved => {
                // The root is written, and what has drifted stays.
                spec = Cow::Owned(declared_of(old));
                None
            }
            Difference::Left => {
                spec = Cow::Owned(declared_of(old));
                None
            }
            Difference::Ignored => return self.unchanged(Kind::Deployment, || old.name.to_string(), old.id.0, declared),
            Difference::Drifted(drift) => (!moved).then_some(drift),
            Difference::Declared => None,
        };
        let (flow_id, mut makes, flow_writes) = match drift {
            Some(Drift::Report) => (old.flow_id, Vec::new(), Vec::new()),
            _ => self.flow(&name.flow),
        };
        writes.extend(flow_writes);
        let mut new = Deployment { name: name.clone(), declared_digest: Some(digest), ..self.rewritten(&spec, &declared.file, old, flow_id) };
        let held_before = old.paused() || action == Action::Restore;
        let outcome = schedules::reconcile(&self.context(name, held_before, new.paused()), &old.schedules, &spec.schedules);
        if drift != Some(Drift::Report) {
            self.schedule_notes(name, declared, &outcome);
        }
        new.schedules = outcome.schedules;
        makes.extend(outcome.made);
        let shown = if matches!(spec, Cow::Owned(_)) { fields::of_deployment(&spec) } else { shown };
        let changes = deployment_changes(old, &new, &shown, outcome.changes);
        let drift = drift.filter(|_| !changes.is_empty());
        let reason = self.reason(action, declared, old, &changes, drift);
        writes.push(Write::PutDeployment(Box::new(new)));
        if drift == Some(Drift::Report) {
            (makes, writes) = (Vec::new(), Vec::new());
        }
        let deed = Deed::new(action, Kind::Deployment, name.to_string(), old.id.0, reason);
        let renamed_from = (*name != old.name).then(|| old.name.to_string());
        self.step(Deed { renamed_from, drift, changes, makes, writes, ..deed }, Some(&declared.file), Some(&declared.pointer));
    }

    fn reason(
        &self,
        action: Action,
        declared: &Declared<DeploymentSpec>,
        old: &Deployment,
        changes: &[FieldChange],
        drift: Option<Drift>,
    ) -> Cow<'static, str> {
        let file = &declared.file;
        match action {
            Action::Restore => restored(file),
            Action::Adopt => taken(old.owner.as_ref(), file),
            Action::Rename => format!("was `{}`, and keeps its id, runs, schedules and overrides", old.name).into(),
            _ if drift.is_some() => drifted(file),
            _ if changes.iter().all(|change| change.field == "root") => "the project moved".into(),
            _ => differ(changes, file),
        }
    }

    /// The record as it is declared now, still without schedules. What operators laid over it stays.
    fn rewritten(&self, spec: &DeploymentSpec, file: &str, old: &Deployment, flow_id: FlowId) -> Deployment {
        Deployment {
            id: old.id,
            flow_id,
            name: old.name.clone(),
            declared: without_schedules(spec),
            schedules: Vec::new(),
            owner: Some(self.owner(file)),
            root: Some(self.desired.root.clone()),
            overrides: old.overrides.clone(),
            declared_digest: None,
            created: old.created,
            updated: self.now,
        }
    }

    /// A deployment of ours that is no longer declared.
    fn leave_deployment(&mut self, old: &'a Deployment) {
        if let Some(why) = kept::why(self.desired, old.declared.protect) {
            return self.keep(Kind::Deployment, old.name.to_string(), old.owner.as_ref(), why);
        }
        self.pruned.push(old);
        self.prune_deployment(old);
    }

    /// What bears an earlier name of a declared deployment, and is spoken of under the new one.
    fn leave_earlier(&mut self, old: &Deployment) {
        if !self.desired.failed.is_empty() && self.is_ours(old.owner.as_ref()) {
            self.keep(Kind::Deployment, old.name.to_string(), old.owner.as_ref(), kept::Why::Unread);
        }
    }

    /// It stops at once, and is kept for 7 days so that it can come back.
    fn prune_deployment(&mut self, old: &Deployment) {
        let remove = Write::DeleteDeployment { id: old.id, name: old.name.clone() };
        let of_schedules = old.schedules.iter().flat_map(|schedule| {
            schedule.overrides.iter().map(|(field, by)| (Cow::Owned(format!("schedules/{}/{field}", schedule.key)), by))
        });
        let overrides = each(&old.overrides).chain(of_schedules);
        self.prune(Pruned::Deployment(Box::new(old.clone())), vec![remove], overrides);
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
            self.notes.extend(notes::of_schedule((*index, &outcome.schedules[*index]), name, declared, self.now));
        }
    }

    fn deployment_shadows(&mut self, name: &FullName, old: &Deployment, declared: &Declared<DeploymentSpec>) {
        if old.overrides.is_empty() && old.schedules.iter().all(|schedule| schedule.overrides.is_empty()) {
            return;
        }
        let (name, Declared { spec, file, pointer, .. }) = (name.to_string(), declared);
        self.shadows(Kind::Deployment, &name, "", &old.overrides, (file, pointer), || fields::of_deployment(spec));
        for (index, schedule, declared) in schedules::going_on(&old.schedules, &spec.schedules) {
            let (prefix, pointer) = (format!("schedules/{}/", schedule.key), format!("{pointer}/schedules/{index}"));
            self.shadows(Kind::Deployment, &name, &prefix, &schedule.overrides, (file, &pointer), || fields::value(declared));
        }
    }
}

fn without_schedules(spec: &DeploymentSpec) -> DeploymentSpec {
    DeploymentSpec { schedules: Vec::new(), ..spec.clone() }
}

/// What a stored deployment would be declared as.
fn declared_of(old: &Deployment) -> DeploymentSpec {
    let schedules = old.schedules.iter().map(|schedule| schedule.declared.clone()).collect();
    DeploymentSpec { schedules, ..old.declared.clone() }
}

fn deployment_changes(old: &Deployment, new: &Deployment, shown: &Value, schedules: Vec<FieldChange>) -> Vec<FieldChange> {
    let mut changes = fields::changes(&fields::of_deployment(&old.declared), shown);
    fields::shade(&mut changes, "", &old.overrides);
    changes.extend(schedules);
    if old.root != new.root {
        let root = |deployment: &Deployment| deployment.root.as_ref().map(|root| json!(root));
        let (old, new): (Option<Value>, Option<Value>) = (root(old), root(new));
        changes.push(fields::change("root".to_owned(), old.as_ref(), new.as_ref()));
    }
    changes
}
