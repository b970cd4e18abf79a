//! The forms of values in the JSON schema of a project file: one function for each, named by `schema_with`.
use super::policy::MOST_QUEUED;
use crate::model::policy::MOST_MISSED_RUNS;
use schemars::Schema;
use serde_json::json;

/// A text, or a number or boolean that is read as one.
pub(super) fn text(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["string", "number", "null"] })
}

/// `true`, `false`, YAML 1.1's `yes`, `no`, `on`, `off`, or a placeholder.
pub(super) fn boolean(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["boolean", "string", "null"] })
}

/// A whole number, or a placeholder.
pub(super) fn count(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }, { "type": "null" }] })
}

/// Seconds, or a placeholder.
pub(super) fn seconds(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }, { "type": "null" }] })
}

/// One text or a list of them.
pub(super) fn texts(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array" }, { "type": "null" }] })
}

/// Steps: a list, or one step.
pub(super) fn steps(_: &mut schemars::SchemaGenerator) -> Schema {
    let step = json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": { "type": ["object", "null"] } });
    schemars::json_schema!({ "anyOf": [{ "type": "array", "items": step }, step, { "type": "object", "maxProperties": 0 }, { "type": "null" }] })
}

/// A program: one text for the shell, or a list of its name and arguments.
pub(super) fn command(_: &mut schemars::SchemaGenerator) -> Schema {
    let argument = json!({ "type": ["string", "number", "boolean"] });
    schemars::json_schema!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "minItems": 1, "items": argument }, { "type": "null" }] })
}

/// Environment variables; null unsets one, `{secret: VALUE}` marks one.
pub(super) fn environment(_: &mut schemars::SchemaGenerator) -> Schema {
    let plain = json!({ "type": ["string", "number", "boolean", "null"] });
    let secret = json!({
        "type": "object", "required": ["secret"], "additionalProperties": false,
        "properties": { "secret": { "type": ["string", "number", "boolean"] } },
    });
    schemars::json_schema!({ "type": ["object", "null"], "additionalProperties": { "anyOf": [plain, secret] } })
}

/// Whether a run gets the daemon's environment, or which of it.
pub(super) fn inherited(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["boolean", "array", "string", "null"], "items": { "type": "string" } })
}

/// Exit codes, signals, words.
pub(super) fn retry_on(_: &mut schemars::SchemaGenerator) -> Schema {
    let cause = json!({ "type": ["integer", "string"] });
    schemars::json_schema!({ "anyOf": [{ "type": "array", "items": cause, "minItems": 1 }, cause, { "type": "null" }] })
}

/// Seconds, a list of seconds, or how they grow.
pub(super) fn delays(_: &mut schemars::SchemaGenerator) -> Schema {
    let number = json!({ "type": "number", "minimum": 0, "maximum": 31_536_000 });
    let exponential = json!({ "type": "object", "properties": {
        "exponential": { "description": "The first delay; each further one is twice as long.", "type": ["number", "string"], "default": 10 },
        "cap": { "description": "No delay is longer.", "type": ["number", "string"], "default": 3600 },
        "jitter": { "description": "Up to so large a share of each delay is added to it.", "type": ["number", "string"], "minimum": 0, "maximum": 1, "default": 0 },
    } });
    schemars::json_schema!({ "anyOf": [number, { "type": "array", "items": number }, { "type": "string" }, exponential, { "type": "null" }] })
}

/// An interval: seconds, an ISO 8601 duration or `HH:MM:SS`.
pub(super) fn interval(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string" }, { "type": "null" }] })
}

/// A duration: `90s`, `30m`, `2h`, `1d`, `1w`, seconds, ISO 8601 or `HH:MM:SS`.
pub(super) fn duration(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }, { "type": "null" }] })
}

/// Tags with numbers, or a list of both.
pub(super) fn tag_limits(_: &mut schemars::SchemaGenerator) -> Schema {
    let limit = json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] });
    let tag = json!({ "type": ["string", "number"] });
    let entry = json!({ "type": "object", "properties": { "tag": tag, "limit": limit }, "required": ["tag", "limit"] });
    schemars::json_schema!({ "anyOf": [
        { "type": "object", "additionalProperties": limit },
        { "type": "array", "items": entry },
        { "type": "null" },
    ] })
}

/// A word, or a mapping.
pub(super) fn missed(_: &mut schemars::SchemaGenerator) -> Schema {
    let words = json!({ "enum": ["skip", "latest", "all"] });
    let time = json!({ "type": ["number", "string"] });
    schemars::json_schema!({ "default": "latest", "anyOf": [
        words,
        { "type": "string", "pattern": "\\{\\{" },
        { "type": "object", "properties": {
            "run": { "default": "latest", "description": "Which of the missed slots run.", "enum": ["skip", "latest", "all"] },
            "within": { "anyOf": [time], "description": "Only slots that are not older than this run. Default: however old." },
            "limit": { "description": "With `run: all`: at most so many of the newest run.", "type": ["integer", "string"], "minimum": 1, "maximum": MOST_MISSED_RUNS, "default": MOST_MISSED_RUNS },
        } },
        { "type": "null" },
    ] })
}

/// A word.
pub(super) fn on_resume(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "default": "skip", "anyOf": [{ "enum": ["skip", "latest"] }, { "type": "string", "pattern": "\\{\\{" }, { "type": "null" }] })
}

/// A word, or `{queue: N}`.
pub(super) fn overlap(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "default": "allow", "anyOf": [
        { "enum": ["allow", "skip", "queue", "cancel_running"] },
        { "type": "string", "pattern": "\\{\\{" },
        { "type": "object", "required": ["queue"], "properties": { "queue": { "description": "At most so many runs wait.", "type": ["integer", "string"], "minimum": 1, "default": MOST_QUEUED } } },
        { "type": "null" },
    ] })
}

/// Settings of clock changes.
pub(super) fn dst(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["object", "null"], "properties": {
        "gap": { "description": "A time that the clocks skip fires as much later (default; of rrules, earlier), earlier, or not at all.", "enum": ["later", "earlier", "skip"], "default": "later" },
        "overlap": { "description": "A time that happens twice fires the first time (default), the last, or both.", "enum": ["first", "last", "both"], "default": "first" },
    } })
}

/// By name, a list of spans of time, or a calendar file.
pub(super) fn calendars(_: &mut schemars::SchemaGenerator) -> Schema {
    let file = json!({ "type": "object", "required": ["file"], "properties": { "file": { "description": "The path of a calendar file (iCalendar, RFC 5545), relative to the project's root. Recurring events are read for 20 years.", "type": "string" } } });
    schemars::json_schema!({ "type": ["object", "null"], "additionalProperties": { "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }, file] } })
}

/// `true`, `false`, or a mapping.
pub(super) fn prune(_: &mut schemars::SchemaGenerator) -> Schema {
    let number = json!({ "type": ["integer", "string", "null"], "minimum": 0 });
    schemars::json_schema!({ "default": true, "anyOf": [
        { "type": ["boolean", "string", "null"] },
        { "type": "object", "properties": {
            "enabled": { "type": ["boolean", "string", "null"], "default": true, "description": "Whether anything is pruned; `false`: it is only reported." },
            "at_most": { "anyOf": [number], "default": 5, "description": "So many prunes are never too many." },
            "percent": { "anyOf": [number], "maximum": 100, "default": 20, "description": "The share of what the project owns that may be pruned unasked." },
        } },
    ] })
}

/// A word.
pub(super) fn drift(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "default": "correct", "enum": ["correct", "report", "ignore", null] })
}

/// A word.
pub(super) fn atomicity(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "default": "project", "enum": ["project", "file", "deployment", null] })
}

/// A word.
pub(super) fn on_delete(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({ "default": "finish", "anyOf": [{ "enum": ["finish", "cancel"] }, { "type": "string", "pattern": "\\{\\{" }, { "type": "null" }] })
}

/// JSON pointers.
pub(super) fn pointers(_: &mut schemars::SchemaGenerator) -> Schema {
    let pointer = json!({ "type": "string", "pattern": "^/" });
    schemars::json_schema!({ "anyOf": [pointer, { "type": "array", "items": pointer }, { "type": "null" }] })
}
