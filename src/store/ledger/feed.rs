//! The ledger's change feed: which records changed, in the order of the commits.
use super::{Reader, key};
use crate::model::deployment::FullName;
use crate::model::id::{DeploymentId, FlowRunId};
use crate::store::Changes;

/// A record that was written or deleted. It carries no data: a reader looks at the record as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    Run(FlowRunId),
    Deployment(DeploymentId),
    /// A work pool or a work queue.
    WorkPools,
    /// A concurrency limit of a tag.
    TagLimits,
    Project(String),
    /// Of a deployment.
    Tombstone(FullName),
    /// The reader fell behind, and must look at everything that it follows.
    Everything,
}

/// A reader of the feed.
pub struct Feed {
    changes: Changes,
}

impl Reader {
    /// A feed of everything that is committed from now on. Begin it, then read: nothing falls between.
    pub fn feed(&self) -> Feed {
        Feed { changes: self.store.changes(self.store.sequence() + 1) }
    }
}

impl Feed {
    /// What the next commit changed; waits for it. `None` when the store is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Vec<Changed>> {
        loop {
            let changed: Vec<Changed> = match self.changes.next().await? {
                Ok(change) => change.keys.iter().filter_map(|key| decode(key)).collect(),
                Err(_lagged) => vec![Changed::Everything],
            };
            if !changed.is_empty() {
                return Some(changed);
            }
        }
    }
}

fn decode(row_key: &[u8]) -> Option<Changed> {
    match *row_key.first()? {
        key::RUN => key::id_in(row_key).map(|id| Changed::Run(FlowRunId(id))),
        key::DEPLOYMENT => key::id_in(row_key).map(|id| Changed::Deployment(DeploymentId(id))),
        key::WORK_POOL | key::WORK_QUEUE => Some(Changed::WorkPools),
        key::TAG_LIMIT => Some(Changed::TagLimits),
        key::PROJECT => Some(Changed::Project(String::from_utf8_lossy(&row_key[1..]).into_owned())),
        key::TOMBSTONE => {
            let text = String::from_utf8_lossy(&row_key[1..]).into_owned();
            let (flow, deployment) = text.split_once('\0')?;
            Some(Changed::Tombstone(FullName::new(flow, deployment)))
        }
        _ => None,
    }
}
