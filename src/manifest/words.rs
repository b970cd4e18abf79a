//! Words that people write: near misses, YAML 1.1's booleans, secret-looking names, and keys that reeve knows of
//! but does not act on.
use super::report::{Place, Problem};

/// The candidate that was probably meant: at most a third of the word's letters differ, `-` and `_` count as one; or
/// one of both is how the other begins or ends (`work_queue`, `work_queue_name`; `limit`, `concurrency_limit`).
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    let allowed = allowed(&wanted);
    let part = |short: &str, long: &str| {
        let begins = long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
        short.len() >= 4 && (begins || long.strip_suffix(short).is_some_and(|rest| rest.ends_with('_')))
    };
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let edits = strsim::damerau_levenshtein(&wanted, &candidate);
        if part(&wanted, &candidate) || part(&candidate, &wanted) { edits.min(allowed) } else { edits }
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *candidate != word)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether a word is another one with a slip of the keys, and not one that merely begins or ends like it.
pub fn is_slip(word: &str, meant: &str) -> bool {
    let wanted = plain(word);
    word != meant && strsim::damerau_levenshtein(&wanted, &plain(meant)) <= allowed(&wanted)
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', ' ', '.'], "_")
}

/// So many letters may differ.
fn allowed(word: &str) -> usize {
    (word.chars().count() / 3).clamp(1, 3)
}

/// YAML 1.1's booleans as PyYAML reads them (and `true`/`false` in quotes).
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What to say of keys that belong somewhere else.
pub fn elsewhere(key: &str) -> Option<String> {
    let place = match key {
        "timezone" | "time_zone" | "cron" | "interval" | "rrule" | "anchor_date" | "day_or" | "catchup" | "max_active_runs" | "max_scheduled_runs" => "this belongs into an entry of `schedules:`",
        "image" | "volumes" | "networks" | "cpu" | "memory" | "namespace" | "labels" => "this belongs into `job_variables:`",
        "cmd" | "script" | "run" | "shell" => "did you mean `command`?",
        "environment" | "environment_variables" | "envs" | "variables" => "did you mean `env`?",
        "cwd" | "workdir" | "directory" | "work_dir" => "did you mean `working_dir`?",
        "requirements" => "a `pip_install_requirements` step under `pull:` installs requirements",
        _ => return None,
    };
    Some(place.to_owned())
}

/// A key that later versions act on.
#[derive(Debug, Clone, Copy)]
pub struct NotYet {
    pub key: &'static str,
}

impl NotYet {
    pub fn problem(self, place: Place) -> Problem {
        Problem::warning("not-acted-on", format!("`{}` is not acted on yet", self.key), place)
    }
}

/// Keys of a deployment.
pub const DEPLOYMENT_LATER: &[NotYet] = &[
    NotYet { key: "sla" },
    NotYet { key: "version_type" },
];
