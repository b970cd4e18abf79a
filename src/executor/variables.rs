//! The job variables of process runs.
use serde_json::{Value, json};

/// Their JSON schema: `variables` of the base job template of a `process` pool.
pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "title": "Name", "type": "string", "description": "Name given to the run's process, for people." },
            "env": {
                "title": "Environment Variables", "type": "object", "additionalProperties": { "type": ["string", "null"] },
                "description": "Environment variables to set for the run; null removes one."
            },
            "labels": {
                "title": "Labels", "type": "object", "additionalProperties": { "type": "string" },
                "description": "Labels of the run; a process cannot carry any, they are only kept."
            },
            "command": { "title": "Command", "type": "string", "description": "The command to run instead of the entrypoint." },
            "stream_output": {
                "title": "Stream Output", "type": "boolean", "default": true,
                "description": "Whether the run's output also appears in the daemon's own output. The run's log is always kept."
            },
            "working_dir": {
                "title": "Working Directory", "type": "string", "format": "path",
                "description": "Where the process starts; by default the project's directory."
            },
            "python": {
                "title": "Python Interpreter", "type": "string", "format": "path",
                "description": "For Python entrypoints; by default the working directory's .venv, else python3 from PATH."
            },
            "grace_seconds": {
                "title": "Grace", "type": "number", "minimum": 0, "default": 10,
                "description": "Seconds between SIGTERM and SIGKILL when the run is stopped or times out."
            },
            "max_output": {
                "title": "Maximum Output", "type": ["integer", "string"],
                "description": "Log kept per attempt, in bytes or as 16M: beyond it, the beginning and the end are kept."
            },
            "env_file": {
                "title": "Environment File", "type": "string", "format": "path",
                "description": "A file of NAME=VALUE lines below the project's directory, read when the run starts."
            },
            "env_inherit": {
                "title": "Inherited Environment", "type": ["boolean", "array"], "items": { "type": "string" }, "default": true,
                "description": "Whether the run gets the daemon's environment, only PATH, HOME and the like, or those and a list of names."
            },
            "user": { "title": "User", "type": ["string", "integer"], "description": "As whom the run runs; needs a daemon that runs as root." },
            "group": { "title": "Group", "type": ["string", "integer"], "description": "Its group; by default the groups of the user." },
            "nice": { "title": "Niceness", "type": "integer", "minimum": -20, "maximum": 19, "description": "How much it gives way to others." },
            "umask": { "title": "File Mode Mask", "type": "string", "pattern": "^0?[0-7]{1,3}$", "description": "Octal: \"027\"." },
            "memory_max": {
                "title": "Memory", "type": ["integer", "string"],
                "description": "Bytes, or 512M: of the whole run where a control group can hold it, else of each process."
            },
            "cpu_max": { "title": "Processors", "type": "number", "exclusiveMinimum": 0, "description": "0.5 is half of one; where a control group can hold it." }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::job::OF_PROCESSES;

    #[test]
    fn what_is_read_is_what_the_template_knows_of() {
        let schema = schema();
        let names: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, OF_PROCESSES);
    }
}
