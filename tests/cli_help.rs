//! The command line as people read it: `--help` of every command is a committed file, so that a change shows in review.
//! `REEVE_UPDATE=1 cargo test --test cli_help` rewrites it.
use std::fmt::Write;
use std::path::Path;

#[test]
fn the_help_of_every_command_is_the_committed_text() {
    let mut text = String::new();
    describe(&mut reeve::cli::command().term_width(100), "reeve", &mut text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cli/help.txt");
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == text, "the help differs from {}: REEVE_UPDATE=1 rewrites it", path.display());
}

fn describe(command: &mut clap::Command, name: &str, text: &mut String) {
    let help = command.clone().bin_name(name).term_width(100).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    writeln!(text, "$ {name} --help\n{}\n", lines.join("\n").trim_end()).unwrap();
    for child in command.get_subcommands_mut().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        let name = format!("{name} {}", child.get_name());
        describe(child, &name, text);
    }
}

#[test]
fn every_command_and_option_says_what_it_does() {
    fn check(command: &clap::Command, name: &str) {
        assert!(command.get_about().is_some(), "{name} has no help");
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
        }
        for child in command.get_subcommands() {
            check(child, &format!("{name} {}", child.get_name()));
        }
    }
    check(&reeve::cli::command(), "reeve");
}
