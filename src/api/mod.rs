//! HTTP: Prefect 3's API under `/api`, and reeve's own routes under `/api/reeve`.
//!
//! One file per resource: it parses, asks the ledger's `Reader` or the `Control`, and answers. Nothing is decided here, nothing
//! is written here, and no socket is needed: the CLI calls the same router in its own process where no daemon runs.
//! What stands on the wire has its own types (`wire`); errors have one table (`error`). Adding a route: one file, one `.merge`.
mod automations;
mod collections;
mod concurrency_limits;
mod deployments;
mod entries;
mod error;
mod extract;
mod filter;
mod flow_runs;
mod flows;
mod guard;
mod health;
mod log_records;
mod log_stream;
mod logs;
mod metrics;
mod overrides;
mod page;
mod projects;
mod reeve;
mod states;
mod tombstones;
mod upcoming;
mod why;
mod wire;
mod work_pools;
mod work_queues;
mod workers;

pub use guard::Guard;
pub use health::{API_VERSION, PREFECT_VERSION};

use crate::control::{Control, ControlError};
use crate::settings::Home;
use crate::executor::watch::DirectoryWatcher;
use crate::store::ledger::Reader;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, Uri};
use axum::middleware;
use error::ApiError;
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use tower::util::MapRequest;

/// The largest request body, in bytes. A larger one is answered with 413.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// What the routes need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub reader: Reader,
    pub control: Arc<dyn Control>,
    pub home: Arc<Home>,
    /// reeve's own version.
    pub version: &'static str,
    watcher: Arc<OnceLock<Arc<DirectoryWatcher>>>,
    /// True when the server begins to stop: answers without an end are then ended. `None`: it never does.
    stop: Option<watch::Receiver<bool>>,
}

impl Api {
    /// An API over what `reader` sees and `control` does.
    pub fn new(reader: Reader, control: Arc<dyn Control>, home: Home) -> Self {
        Api { reader, control, home: Arc::new(home), version: env!("CARGO_PKG_VERSION"), watcher: Arc::default(), stop: None }
    }

    /// Ends the answers that would go on for ever when `stop` becomes true.
    pub fn until(self, stop: watch::Receiver<bool>) -> Self {
        Api { stop: Some(stop), ..self }
    }

    /// Waits until the server begins to stop.
    fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let stop = self.stop.clone();
        async move {
            match stop {
                Some(mut stop) => drop(stop.wait_for(|stop| *stop).await),
                None => std::future::pending().await,
            }
        }
    }

    /// Runs `read` off the async threads: every scan, and whatever else may wait for a disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Api) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let api = self.clone();
        match tokio::task::spawn_blocking(move || read(&api)).await {
            Ok(answer) => answer,
            Err(_) => Err(ControlError::Unavailable("the server is stopping: try again".to_owned()).into()),
        }
    }

    /// One for all who follow logs: a user may have few inotify instances.
    fn watcher(&self) -> io::Result<Arc<DirectoryWatcher>> {
        if let Some(watcher) = self.watcher.get() {
            return Ok(watcher.clone());
        }
        let watcher = DirectoryWatcher::new()?;
        Ok(self.watcher.get_or_init(|| watcher).clone())
    }
}

/// All routes, guarded. The router needs no socket: `tower::ServiceExt::oneshot` calls it in process.
pub fn router(api: Api, guard: Guard) -> Router {
    let routes = Router::new()
        .merge(health::routes())
        .merge(flows::routes())
        .merge(deployments::routes())
        .merge(flow_runs::routes())
        .merge(states::routes())
        .merge(logs::routes())
        .merge(work_pools::routes())
        .merge(work_queues::routes())
        .merge(workers::routes())
        .merge(collections::routes())
        .merge(concurrency_limits::routes())
        .merge(automations::routes())
        .merge(entries::routes())
        .merge(overrides::routes())
        .merge(projects::routes())
        .merge(reeve::routes())
        .merge(tombstones::routes())
        .merge(upcoming::routes())
        .merge(why::routes())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .fallback(async || ApiError::no_route())
        .layer(middleware::from_fn(health::check_client_version))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(api.clone());
    Router::new()
        .merge(metrics::routes().with_state(api))
        .nest_service("/api", MapRequest::new(routes, without_trailing_slash))
        .fallback(async || ApiError::no_route())
        .layer(middleware::from_fn_with_state(guard, guard::check))
}

/// Collections are reached with and without a slash at the end: clients of different ages send either.
fn without_trailing_slash<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let Some(shorter) = path.strip_suffix('/').filter(|path| !path.is_empty()) else { return request };
    let shorter = match request.uri().query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    if let Ok(uri) = shorter.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}
