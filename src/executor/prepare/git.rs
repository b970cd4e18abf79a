//! git, asked for one thing at a time: never for a password, never through a hook, and with what is secret in its environment only.
use super::command::{self, Ended};
use super::credentials::Remote;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// What another repository's git may have left in the environment.
const FOREIGN: [&str; 7] = [
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX",
];

/// No surprise housekeeping in a clone that several runs share, no hook of a template, one pack for each fetch.
const SETTINGS: [(&str, &str); 6] = [
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("fetch.unpackLimit", "1"),
    ("advice.detachedHead", "false"),
];

/// git for one remote.
pub struct Git<'a> {
    remote: &'a Remote,
}

/// Why git did not do it.
pub struct Refused {
    /// What it said last, without `fatal:`.
    pub line: String,
    /// All that it said.
    pub text: String,
}

impl<'a> Git<'a> {
    pub fn new(remote: &'a Remote) -> Self {
        Git { remote }
    }

    fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new("git");
        command.current_dir(directory).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS_REQUIRE", "never");
        for name in FOREIGN {
            command.env_remove(name);
        }
        // Behind the settings that the run's own environment has.
        let first = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(self.remote.setting());
        let mut count = first;
        for (name, value) in settings {
            command.env(format!("GIT_CONFIG_KEY_{count}"), name).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        // SAFETY: one system call between fork and exec. A git that outlived us would write to a clone that is no longer locked.
        unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
        command
    }

    /// What it wrote.
    ///
    /// # Errors
    /// It did not do it.
    pub fn ask(&self, directory: &Path, arguments: &[&str]) -> Result<String, Refused> {
        let mut command = self.command(directory);
        let ended = command::run(command.args(arguments), false).map_err(|error| missing(&error))?;
        if ended.status.success() { Ok(ended.output.kept()) } else { Err(refused(&ended)) }
    }

    /// `2.47.3`
    fn version(&self) -> Option<String> {
        let said = self.ask(Path::new("/"), &["version"]).ok()?;
        said.split_whitespace().nth(2).map(str::to_owned)
    }

    /// Why it could not be reached, with what to do.
    pub fn explain(&self, refused: &Refused) -> String {
        let Refused { line, text } = refused;
        let any = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        if any(&["transport 'file' not allowed"])
            && let Some((address, path)) = refused_submodule(text)
        {
            return format!(
                "the submodule {path} lies in a directory of this host ({address}), and git takes none from there unasked; give it an https or \
                 ssh address in .gitmodules, or allow it with `env: {{GIT_ALLOW_PROTOCOL: file:https:ssh}}`"
            );
        }
        let hint = if any(&["Permission denied (publickey", "Host key verification failed"]) {
            "; the run's user needs a key that this host takes and the host in its known_hosts; or write the https:// address and an access_token"
        } else if any(&["could not read Username", "Authentication failed", "terminal prompts disabled", "403", "Invalid username or"]) {
            if self.remote.has_login()
                && let Some(version) = self.version().filter(|version| is_too_old(version))
            {
                return format!("{line}; git {version} cannot be given a token: install git 2.31 or newer");
            }
            match self.remote.has_login() {
                true => "; the host does not take the given token",
                false => "; if it is private, set a token in the environment and write `access_token: \"{{ $NAME }}\"`",
            }
        } else {
            ""
        };
        format!("{line}{hint}")
    }
}

/// Address and path, as git's `clone of 'X' into submodule path 'Y' failed` has them; of the path, what is below the work tree.
fn refused_submodule(text: &str) -> Option<(&str, &str)> {
    let (_, said) = text.split_once("clone of '")?;
    let (address, said) = said.split_once("' into submodule path '")?;
    let (path, _) = said.split_once("' failed")?;
    // `Failed to clone 'vendor/lib'. Retry scheduled`: the same path, as .gitmodules has it.
    let short = text.split("Failed to clone '").nth(1).and_then(|said| said.split_once('\''));
    Some((address, short.map_or(path, |(short, _)| short)))
}

/// Those before 2.31 know nothing of `GIT_CONFIG_COUNT`, by which they would get the token.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) < (2, 31))
}

fn missing(error: &io::Error) -> Refused {
    let line = match error.kind() {
        io::ErrorKind::NotFound => "git is not on the run's PATH: install it".to_owned(),
        _ => format!("git was not started: {error}"),
    };
    Refused { text: line.clone(), line }
}

fn refused(ended: &Ended) -> Refused {
    let text = ended.error.tail();
    let line = last_word(&text).or_else(|| ended.output.last_line());
    Refused { line: line.unwrap_or_else(|| format!("git ended with {}", command::how(ended.status))), text }
}

/// The first `fatal:` or `error:` line of the last lot, since advice follows it; else the last line.
fn last_word(text: &str) -> Option<String> {
    let marked = |mark: &str| text.lines().filter_map(|line| line.trim().strip_prefix(mark)).find(|line| !line.trim().is_empty());
    let line = marked("fatal:").or_else(|| marked("error:")).map(|line| line.trim().to_owned());
    line.or_else(|| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_before_2_31_is_too_old_for_tokens() {
        for (version, expected) in [("2.30.9", true), ("1.8.3.1", true), ("2.31.0", false), ("2.47.3", false), ("2.50.1.windows.1", false), ("3.0", false), ("unknown", false)] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }

    #[test]
    fn what_git_said_last_without_its_advice() {
        for (text, expected) in [
            ("fatal: repository 'x' not found\n", Some("repository 'x' not found")),
            ("remote: sorry\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n", Some("Could not read from remote repository.")),
            ("warning: a\nerror: b\n", Some("b")),
            ("something\n\n", Some("something")),
            ("", None),
        ] {
            assert_eq!(last_word(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_hint_says_what_to_do() {
        let refused = |text: &str| Refused { line: "x".to_owned(), text: text.to_owned() };
        let without = Remote::new("https://host/a", None, None).unwrap();
        let with = Remote::new("https://host/a", Some("t"), None).unwrap();
        let unread = refused("fatal: could not read Username for 'https://host': terminal prompts disabled");
        assert!(Git::new(&without).explain(&unread).contains("access_token"));
        assert!(Git::new(&with).explain(&unread).contains("does not take the given token"));
        assert_eq!(Git::new(&with).explain(&refused("fatal: x")), "x");
        let submodule = "fatal: transport 'file' not allowed\nfatal: clone of 'file:///srv/lib' into submodule path '/t/HASH/vendor/lib' failed\n\
                         Failed to clone 'vendor/lib'. Retry scheduled\n";
        let said = Git::new(&without).explain(&refused(submodule));
        assert!(said.starts_with("the submodule vendor/lib lies in a directory of this host (file:///srv/lib), and"), "{said}");
        assert!(said.ends_with("`env: {GIT_ALLOW_PROTOCOL: file:https:ssh}`"), "{said}");
    }
}
