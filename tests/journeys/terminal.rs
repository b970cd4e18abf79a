//! The user's two terminals: one with a daemon, one in which commands are typed.
use super::common::{Answer, Daemon, Host};
use super::steady::Steady;

pub struct Terminals {
    host: Host,
    daemon: Option<Daemon>,
    /// How many lines of the daemon have been looked at.
    seen: usize,
    steady: Steady,
}

impl Terminals {
    /// An empty project directory, and no home yet.
    pub fn new() -> Terminals {
        let host = Host::new("");
        host.remove("deployment.yaml");
        let steady = Steady::new(&host.path());
        Terminals { host, daemon: None, seen: 0, steady }
    }

    /// Carries out one line and returns what is to be seen.
    ///
    /// `reeve ...` as it stands; `reeve daemon` in the other terminal, until it waits for what is due. `daemon until TEXT`: what it says
    /// from there to the line with TEXT; `Ctrl-C`: its end. Files: `write FILE` (input), `edit FILE: OLD => NEW` (`\n` ends a line), `cat FILE`.
    pub fn typed(&mut self, line: &str, input: &str) -> String {
        let line = self.steady.unsteady(line);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let said = match (word, rest) {
            ("reeve", "daemon") => self.start(),
            ("reeve", rest) => self.reeve(rest),
            ("daemon", rest) => self.watched_until(&[rest.strip_prefix("until ").unwrap_or_else(|| panic!("until what: {line}?"))]),
            ("Ctrl-C", _) => self.interrupt(),
            ("write", file) => self.written(file, input),
            ("edit", rest) => self.edited(rest),
            ("cat", file) => self.host.read(file),
            _ => panic!("nobody types {line:?} in a journey"),
        };
        self.steady.text(&said)
    }

    /// What the command prints, standard error after standard output, and its exit code where it is not 0.
    fn reeve(&self, rest: &str) -> String {
        let words = words(rest);
        let answer = Answer::of(self.host.command().env("USER", "ada").args(&words), &[rest]);
        let code = if answer.code == 0 { String::new() } else { format!("[exit code {}]", answer.code) };
        format!("{}{}{code}", answer.out, answer.err)
    }

    fn start(&mut self) -> String {
        assert!(self.daemon.is_none(), "there is a daemon already");
        self.daemon = Some(self.host.daemon());
        self.seen = 0;
        self.watched_until(&["nothing is scheduled", "| next - ", "no project"])
    }

    fn watched_until(&mut self, texts: &[&str]) -> String {
        let (found, next) = self.daemon.as_ref().expect("there is no daemon").lines_until(self.seen, texts);
        self.seen = next;
        found.join("\n")
    }

    fn interrupt(&mut self) -> String {
        let (status, said) = self.daemon.take().expect("there is no daemon").interrupt();
        assert!(status.success(), "{status}: {said}");
        said.lines().skip(self.seen).collect::<Vec<_>>().join("\n")
    }

    fn written(&self, file: &str, input: &str) -> String {
        self.host.write(file, input);
        String::new()
    }

    fn edited(&self, rest: &str) -> String {
        let (file, change) = rest.split_once(": ").expect("edit FILE: OLD => NEW");
        let (old, new) = change.split_once(" => ").expect("edit FILE: OLD => NEW");
        let text = self.host.read(file);
        assert!(text.contains(old), "{file} has no {old}:\n{text}");
        self.host.write(file, &text.replacen(old, &new.replace("\\n", "\n"), 1));
        String::new()
    }
}

/// The words of a command line, as a shell splits it; single quotes hold together what is between them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut quoted = false;
    let mut word = String::new();
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    assert!(!quoted, "an open quote: {line}");
    words.push(word);
    words
}
