//! Job variables of a run that nobody reads: a slip in `--job-variable` would have no effect, and give no word.
use super::super::client::{Client, segment};
use super::super::words::{alternatives, nearest};
use crate::executor::process::KIND;
use crate::model::JsonMap;
use crate::template::job::{JobTemplate, OF_PROCESSES};
use serde_json::Value;

/// A sentence for each that neither the template of the pool nor the executor reads. What cannot be found out is not guessed at, as
/// what workers of another type make of a pool without a template.
pub async fn unread(client: &Client, pool: Option<&str>, given: &JsonMap) -> Vec<String> {
    if given.is_empty() {
        return Vec::new();
    }
    let found = match pool {
        None => Value::Null,
        Some(pool) => match client.get(&format!("/work_pools/{}", segment(pool))).await {
            Ok(found) => found,
            Err(_) => return Vec::new(),
        },
    };
    let is_process = found.is_null() || found["type"] == KIND;
    let none = JsonMap::new();
    let template = JobTemplate::new(pool.unwrap_or_default(), found["base_job_template"].as_object().unwrap_or(&none));
    if !is_process && template.names().next().is_none() {
        return Vec::new();
    }
    sentences(pool, &template, if is_process { &OF_PROCESSES } else { &[] }, given)
}

fn sentences(pool: Option<&str>, template: &JobTemplate<'_>, also: &[&str], given: &JsonMap) -> Vec<String> {
    let sentence = |name: &str| {
        let known = template.names().chain(also.iter().copied());
        let near: Vec<String> = nearest(name, known).iter().map(|near| format!("`{near}`")).collect();
        let meant = if near.is_empty() { String::new() } else { format!("; did you mean {}?", alternatives(&near)) };
        let knows = pool.map_or_else(|| "processes know".to_owned(), |pool| format!("work pool '{pool}' knows"));
        format!("The job variable `{}` has no effect: {knows} none of that name{meant}", name.escape_debug())
    };
    template.unread(given, also).into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_slip_is_named_with_what_was_meant() {
        let template = json!({"variables": {"properties": {"region": {"type": "string"}}}});
        let template = JobTemplate::new("p", template.as_object().unwrap());
        let given = json!({"regoin": 1, "region": 2, "nice": 3, "bogus": "m"});
        let said = sentences(Some("p"), &template, &OF_PROCESSES, given.as_object().unwrap());
        assert_eq!(said, [
            "The job variable `regoin` has no effect: work pool 'p' knows none of that name; did you mean `region`?",
            "The job variable `bogus` has no effect: work pool 'p' knows none of that name",
        ]);
    }
}
