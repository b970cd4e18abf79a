//! Small projects for tests.
use crate::model::deployment::{DeploymentSpec, Entrypoint, FullName};
use crate::model::desired::{Declared, Desired};
use crate::model::schedule::ScheduleDeclaration;
use crate::model::tag_limit::TagLimitSpec;
use crate::model::work_pool::{WorkPoolSpec, WorkQueueSpec};
use crate::schedule::{RuleSpec, Spec};

pub const FILE: &str = "deployment.yaml";

pub fn project(name: &str) -> Desired {
    Desired { project: name.to_owned(), root: format!("/srv/{name}"), ..Default::default() }
}

pub fn full(name: &str) -> FullName {
    FullName::parse(name).unwrap()
}

pub fn pool(kind: &str) -> WorkPoolSpec {
    WorkPoolSpec {
        kind: kind.to_owned(),
        description: None,
        concurrency_limit: None,
        paused: false,
        base_job_template: None,
        protect: false,
    }
}

pub fn python(path: &str, function: &str) -> Option<Entrypoint> {
    Some(Entrypoint::Python { path: path.to_owned(), function: function.to_owned() })
}

pub fn cron(expression: &str) -> ScheduleDeclaration {
    ScheduleDeclaration::new(Spec::new(RuleSpec::Cron { expression: expression.to_owned(), day_or: true }, None))
}

pub fn named(slug: &str, expression: &str) -> ScheduleDeclaration {
    ScheduleDeclaration { slug: Some(slug.to_owned()), ..cron(expression) }
}

/// Declaring, in the order of a file.
pub trait Declare: Sized {
    fn with_pool(self, name: &str, spec: WorkPoolSpec) -> Self;
    fn with_queue(self, pool: &str, name: &str, spec: WorkQueueSpec) -> Self;
    fn with_limit(self, tag: &str, concurrency_limit: u32) -> Self;
    fn with(self, name: &str, edit: impl FnOnce(&mut DeploymentSpec)) -> Self;
    fn without(self, name: &str) -> Self;
}

impl Declare for Desired {
    fn with_pool(mut self, name: &str, spec: WorkPoolSpec) -> Self {
        let pointer = format!("/work_pools/{}", self.work_pools.len());
        self.work_pools.insert(name.to_owned(), Declared { spec, file: FILE.to_owned(), pointer });
        self
    }

    fn with_queue(mut self, pool: &str, name: &str, spec: WorkQueueSpec) -> Self {
        let pointer = format!("/work_queues/{}", self.work_queues.len());
        let declared = Declared { spec, file: FILE.to_owned(), pointer };
        self.work_queues.insert((pool.to_owned(), name.to_owned()), declared);
        self
    }

    fn with_limit(mut self, tag: &str, concurrency_limit: u32) -> Self {
        let spec = TagLimitSpec { concurrency_limit };
        self.tag_limits.insert(tag.to_owned(), Declared { spec, file: FILE.to_owned(), pointer: format!("/concurrency_limits/{tag}") });
        self
    }

    fn with(mut self, name: &str, edit: impl FnOnce(&mut DeploymentSpec)) -> Self {
        let mut spec = DeploymentSpec { entrypoint: python("flow.py", "main"), ..Default::default() };
        edit(&mut spec);
        let pointer = format!("/deployments/{}", self.deployments.len());
        self.deployments.insert(full(name), Declared { spec, file: FILE.to_owned(), pointer });
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.deployments.remove(&full(name)).unwrap();
        self
    }
}
