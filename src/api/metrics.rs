//! `/metrics`: what is counted, in Prometheus's text form (version 0.0.4). Names begin with `reeve_`; times are in seconds.
use super::Api;
use super::concurrency_limits::holders;
use super::error::ApiError;
use crate::clock;
use crate::model::measure::{Count, Histogram, Place, Totals};
use crate::model::status::{PASS_OUTCOMES, Phase, Status};
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkPool, WorkQueue};
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::path::Path;

const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route stands beside `/api`, where Prometheus looks unless it is told otherwise.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(api): State<Api>) -> Result<Response, ApiError> {
    let status = api.control.status();
    let text = api.read(move |api| {
        let limits = api.reader.tag_limits()?;
        // Every active run is read for this, so only where somebody has set a limit.
        let queues = api.reader.work_queues()?;
        let holders = if limits.is_empty() { BTreeMap::new() } else { holders(&api.reader)? };
        let mut page = text(&status, &api.reader.totals(), &api.reader.work_pools()?, &queues);
        tags(&mut page, &limits, |tag| holders.get(tag).map_or(0, Vec::len));
        page.family("store_bytes", "gauge", "What the store takes on the disk.");
        page.line("store_bytes", &[], bytes_below(&api.home.store()));
        Ok(page.text)
    });
    Ok(([(CONTENT_TYPE, CONTENT)], text.await?).into_response())
}

fn text(status: &Status, totals: &Totals, pools: &[WorkPool], queues: &[WorkQueue]) -> Page {
    let mut page = Page::default();
    page.family("build_info", "gauge", "The version that runs.");
    page.line("build_info", &[("version", &status.version)], 1);
    page.family("uptime_seconds", "gauge", "Since the daemon started.");
    page.line("uptime_seconds", &[], clock::now().duration_since(status.started).as_secs_f64().max(0.0));
    page.family("ready", "gauge", "Whether the daemon is ready.");
    page.line("ready", &[], u8::from(status.ready));
    runs(&mut page, totals);
    places(&mut page, totals);
    slots(&mut page, totals, pools, queues);
    projects(&mut page, status);
    page
}

fn runs(page: &mut Page, totals: &Totals) {
    page.family("flow_runs_ended_total", "counter", "Runs that came to an end, by state.");
    for (state, count) in &totals.ended {
        page.line("flow_runs_ended_total", &[("state", state)], count);
    }
    page.family("flow_runs", "gauge", "Runs that are not over, by state.");
    for (state, count) in &totals.by_state {
        page.line("flow_runs", &[("state", state)], count.max(&0));
    }
    page.histogram("flow_run_lateness_seconds", "From when a run was to start until it did.", &totals.lateness);
    let help = "From when an attempt was due until it was claimed: it waited for a slot, a paused pool or queue, or the daemon.";
    page.histogram("flow_run_queue_wait_seconds", help, &totals.queue_wait);
    page.histogram("flow_run_duration_seconds", "How long runs that ended had been running, over all attempts.", &totals.duration);
}

/// Of each pool and queue what waits and what runs.
fn places(page: &mut Page, totals: &Totals) {
    for (name, help) in [("flow_runs_waiting", "Runs that wait for their time or a slot."), ("flow_runs_running", "Runs that hold a slot.")] {
        page.family(name, "gauge", help);
        for ((pool, queue), active) in &totals.active {
            let count = if name == "flow_runs_waiting" { active.waiting } else { active.running };
            // A run that names no queue has one when it holds a slot.
            if count <= 0 && queue.is_none() {
                continue;
            }
            page.line(name, &[("work_pool", pool.as_deref().unwrap_or_default()), ("work_queue", queue.as_deref().unwrap_or_default())], count.max(0));
        }
    }
}

/// The slots of each pool and queue that has a limit, and how many are taken.
fn slots(page: &mut Page, totals: &Totals, pools: &[WorkPool], queues: &[WorkQueue]) {
    let limited = |pool: &WorkPool| Some((pool.name.clone(), pool.effective().concurrency_limit?));
    let pools: Vec<_> = pools.iter().filter_map(limited).collect();
    page.family("work_pool_slots", "gauge", "The concurrency limit of a pool that has one.");
    for (pool, limit) in &pools {
        page.line("work_pool_slots", &[("work_pool", pool)], limit);
    }
    page.family("work_pool_slots_taken", "gauge", "Runs that hold a slot of a pool that has a limit.");
    for (pool, _) in &pools {
        let of_it = totals.active.iter().filter(|((place, _), _)| place.as_ref() == Some(pool));
        page.line("work_pool_slots_taken", &[("work_pool", pool)], of_it.map(|(_, active)| active.running).sum::<Count>().max(0));
    }
    let limited = |queue: &WorkQueue| Some((queue.pool.clone(), queue.name.clone(), queue.effective().concurrency_limit?));
    let queues: Vec<_> = queues.iter().filter_map(limited).collect();
    page.family("work_queue_slots", "gauge", "The concurrency limit of a queue that has one.");
    for (pool, queue, limit) in &queues {
        page.line("work_queue_slots", &[("work_pool", pool), ("work_queue", queue)], limit);
    }
    page.family("work_queue_slots_taken", "gauge", "Runs that hold a slot of a queue that has a limit.");
    for (pool, queue, _) in &queues {
        let is_it = |place: &Place| place.0.as_ref() == Some(pool) && place.1.as_deref().unwrap_or(DEFAULT_QUEUE) == queue;
        let taken: Count = totals.active.iter().filter(|(place, _)| is_it(place)).map(|(_, active)| active.running).sum();
        page.line("work_queue_slots_taken", &[("work_pool", pool), ("work_queue", queue)], taken.max(0));
    }
}

/// The slots of each tag that has a limit, and how many are taken.
fn tags(page: &mut Page, limits: &[TagLimit], taken: impl Fn(&str) -> usize) {
    page.family("tag_slots", "gauge", "The concurrency limit of a tag that has one.");
    for limit in limits {
        page.line("tag_slots", &[("tag", &limit.tag)], limit.effective().concurrency_limit);
    }
    page.family("tag_slots_taken", "gauge", "Runs that hold a slot of a tag's concurrency limit.");
    for limit in limits {
        page.line("tag_slots_taken", &[("tag", &limit.tag)], taken(&limit.tag));
    }
}

fn projects(page: &mut Page, status: &Status) {
    page.family("project_in_sync", "gauge", "Whether a project was equal to its files when it was looked at last.");
    for project in &status.projects {
        page.line("project_in_sync", &[("project", &project.name)], u8::from(matches!(project.phase, Phase::Idle)));
    }
    page.family("project_generation", "gauge", "How often a project's definitions have changed.");
    for project in &status.projects {
        page.line("project_generation", &[("project", &project.name)], project.generation);
    }
    page.family("project_reconciles_total", "counter", "Reconcile passes of a project, by outcome.");
    for project in &status.projects {
        for outcome in PASS_OUTCOMES {
            let count = project.passes.get(outcome).copied().unwrap_or_default();
            page.line("project_reconciles_total", &[("project", &project.name), ("outcome", outcome)], count);
        }
    }
}

/// The text in the making.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = write!(self.text, "# HELP reeve_{name} {help}\n# TYPE reeve_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "reeve_{name}{labels} {value}");
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut below = 0;
        for (bound, count) in histogram.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]).zip(&histogram.counts) {
            below += count;
            self.line(&format!("{name}_bucket"), &[("le", &bound)], below);
        }
        self.line(&format!("{name}_sum"), &[], histogram.sum);
        self.line(&format!("{name}_count"), &[], histogram.count());
    }
}

/// A label's value: a backslash, a quote and a line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The bytes of all files below a directory that is at most a few levels deep.
fn bytes_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        _ => entry.metadata().map_or(0, |metadata| metadata.len()),
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_and_labels_are_escaped() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        [0.1, 0.7, 9.0].into_iter().for_each(|value| histogram.add(value));
        let mut page = Page::default();
        page.histogram("x_seconds", "Help.", &histogram);
        page.line("y", &[("name", "a\"b\\c\nd")], 1);
        let expected = "# HELP reeve_x_seconds Help.\n# TYPE reeve_x_seconds histogram\nreeve_x_seconds_bucket{le=\"0.5\"} 1\n\
            reeve_x_seconds_bucket{le=\"1\"} 2\nreeve_x_seconds_bucket{le=\"+Inf\"} 3\nreeve_x_seconds_sum 9.799999999999999\nreeve_x_seconds_count 3\n\
            reeve_y{name=\"a\\\"b\\\\c\\nd\"} 1\n";
        assert_eq!(page.text, expected.replace("9.799999999999999", &histogram.sum.to_string()));
    }
}
