//! The shipped systemd units leave runs alone, and say nothing that this binary or its README does not know.
mod common;

use common::Host;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd").join(name)).unwrap()
}

/// The value of a setting that must stand in the unit once.
#[track_caller]
fn value<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut found = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let (Some(value), None) = (found.next(), found.next()) else { panic!("not one line {name}= in\n{unit}") };
    value
}

#[test]
fn a_stop_of_the_service_ends_the_daemon_only() {
    for name in ["reeve.service", "reeve-user.service"] {
        let unit = read(name);
        assert_eq!(value(&unit, "KillMode"), "process", "{name}: systemd would kill the runs");
        assert_eq!(value(&unit, "Restart"), "always");
        assert_eq!(value(&unit, "OOMPolicy"), "continue", "{name}: a run without memory would stop the daemon");
        // No notification is sent: systemd would wait for one in vain.
        assert_eq!(value(&unit, "Type"), "exec");
        // Taken away under the runs, or in the way of their control groups.
        for never in ["PrivateTmp=", "RuntimeDirectory=", "ProtectControlGroups=", "ExecStop="] {
            assert!(!unit.contains(never), "{name}: {never}");
        }
    }
}

#[test]
fn the_units_name_only_what_the_binary_has() {
    let host = Host::new("");
    let help = host.cli(&["daemon", "--help"]).exits(0).out;
    for name in ["reeve.service", "reeve-user.service"] {
        let unit = read(name);
        let command: Vec<&str> = value(&unit, "ExecStart").split_whitespace().collect();
        assert!(command[0].ends_with("/reeve") && command[1] == "daemon", "{command:?}");
        for option in command.iter().filter(|word| word.starts_with('-')) {
            assert!(help.split([' ', '\n', ',']).any(|word| word == *option), "{name}: `reeve daemon` has no {option}");
        }
        assert!(value(&unit, "Environment").starts_with("REEVE_HOME="));
    }
}

#[test]
fn the_readme_explains_every_line_that_runs_inherit() {
    let readme = read("README.md");
    let unit = read("reeve.service");
    let (_, inherited) = unit.split_once("for the runs too.\n").unwrap();
    let lines: Vec<&str> = inherited.lines().take_while(|line| !line.is_empty()).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let (name, _) = line.split_once('=').unwrap();
        assert!(readme.contains(name) || name.starts_with("ProtectKernel") && readme.contains("ProtectKernel"), "{line}");
    }
}
