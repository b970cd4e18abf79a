//! From job variables to as whom a run runs, and what it may use.
use crate::executor::confinement::Confinement;
use crate::model::JsonMap;
use crate::model::size::{SMALLEST_MEMORY, bytes};
use serde_json::Value;

/// As whom a run runs and what it may use.
///
/// # Errors
/// A sentence: which variable is wrong, and what was expected.
pub fn confinement(variables: &JsonMap) -> Result<Confinement, String> {
    let text = |name: &str| match variables.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("the job variable {name} is {other}; expected a name or a number")),
    };
    let nice = text("nice")?.map(|nice| nice.parse::<i32>().ok().filter(|nice| (-20..=19).contains(nice)).ok_or(nice)).transpose();
    let mask = text("umask")?.map(|mask| u32::from_str_radix(&mask, 8).ok().filter(|mask| *mask <= 0o777).ok_or(mask)).transpose();
    let memory = text("memory_max")?.map(|size| bytes(&size).filter(|bytes| *bytes >= SMALLEST_MEMORY).ok_or(size)).transpose();
    let cpu = text("cpu_max")?.map(|cpu| cpu.parse::<f64>().ok().filter(|cpu| *cpu > 0.0 && cpu.is_finite()).ok_or(cpu)).transpose();
    let wrong = |name: &'static str, expected: &'static str| move |found: String| format!("the job variable {name} is {found}; expected {expected}");
    Ok(Confinement {
        user: text("user")?,
        group: text("group")?,
        nice: nice.map_err(wrong("nice", "a whole number from -20 to 19"))?,
        umask: mask.map_err(wrong("umask", "octal digits such as \"027\""))?,
        memory_max: memory.map_err(wrong("memory_max", "bytes, or a size such as 512M or 2G; at least 1M"))?,
        cpu_max: cpu.map_err(wrong("cpu_max", "a number of processors, such as 0.5"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> JsonMap {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_confinement_is_read_or_refused_with_what_was_expected() {
        let read = confinement(&map(json!({"user": 1000, "group": "staff", "nice": "10", "umask": "027", "memory_max": "512M", "cpu_max": 0.5}))).unwrap();
        let expected = Confinement {
            user: Some("1000".into()), group: Some("staff".into()), nice: Some(10), umask: Some(0o27), memory_max: Some(512 << 20), cpu_max: Some(0.5),
        };
        assert_eq!(read, expected);
        for (variables, expected) in [
            (json!({"nice": 20}), "-20 to 19"),
            (json!({"umask": "9"}), "octal"),
            (json!({"memory_max": "much"}), "512M"),
            (json!({"memory_max": "-1"}), "512M"),
            (json!({"memory_max": 1}), "at least 1M"),
            (json!({"cpu_max": 0}), "processors"),
            (json!({"user": ["root"]}), "a name or a number"),
        ] {
            let error = confinement(&map(variables.clone())).unwrap_err();
            assert!(error.contains(expected), "{variables}: {error}");
        }
        assert!(confinement(&JsonMap::new()).unwrap().is_none());
    }
}
