//! What is executed for a [`Program`]: which interpreter, with which arguments; and what it means when it cannot be.
//!
//! For whoever starts a run's program: the supervisor, or the process that prepared the code for it.
use super::outcome::NotStarted;
use super::{Interpreter, Program, handed};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// A program, its arguments, and what the reader of the log should know of the choice.
pub struct Choice {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    pub remark: Option<String>,
}

/// Decides what is executed in a directory. Only looks for the interpreter; starts nothing.
pub fn choose(program: &Program, directory: &Path) -> Choice {
    match program {
        Program::Shell(script) => Choice { program: "sh".into(), arguments: vec!["-c".into(), script.into()], remark: None },
        Program::Arguments(words) => {
            let mut words = words.iter().map(OsString::from);
            Choice { program: words.next().unwrap_or_default(), arguments: words.collect(), remark: None }
        }
        Program::Python { interpreter, file, function, .. } => {
            python(interpreter.as_ref(), directory, vec![directory.join(file).into(), function.into()])
        }
        Program::Module { interpreter, module, function, .. } => {
            python(interpreter.as_ref(), directory, vec![module.into(), function.into(), "module".into()])
        }
    }
}

fn python(interpreter: Option<&Interpreter>, directory: &Path, of_runner: Vec<OsString>) -> Choice {
    let (interpreter, remark) = choose_interpreter(interpreter, directory);
    let mut arguments = vec!["-u".into(), "-c".into(), handed::START.into()];
    arguments.extend(of_runner);
    Choice { program: interpreter.into(), arguments, remark: Some(remark) }
}

/// The interpreter for code in a directory, and a sentence that says why.
pub fn choose_interpreter(given: Option<&Interpreter>, working_directory: &Path) -> (PathBuf, String) {
    if let Some(given) = given {
        let (path, why) = match given {
            Interpreter::Configured(path) => (path, "as configured"),
            Interpreter::OfProject(path) => (path, "the project's .venv"),
        };
        return (path.clone(), format!("python interpreter: {} ({why})", path.display()));
    }
    let project = working_directory.join(".venv/bin/python");
    if project.exists() {
        let remark = format!(
            "python interpreter: {} (the working directory's .venv)",
            project.display()
        );
        return (project, remark);
    }
    (
        "python3".into(),
        "python interpreter: python3 from PATH (the working directory has no .venv)".to_owned(),
    )
}

/// Where a program was to be executed, to tell why it was not.
pub struct Surroundings<'a> {
    pub directory: &'a Path,
    /// The run's own.
    pub search_path: Option<&'a str>,
    /// It asks for another user, a niceness or the like.
    pub confined: bool,
}

/// What an error of exec(3) means to the person who wrote the command.
pub fn explain(program: &str, error: &io::Error, around: &Surroundings<'_>) -> (NotStarted, String) {
    let path = program.contains('/').then(|| around.directory.join(program));
    match error.raw_os_error() {
        Some(libc::ENOENT) if path.as_deref().is_some_and(Path::exists) => (
            NotStarted::NotFound,
            format!(
                "{program} exists, but the interpreter that it names (in its #! line or program header) does not"
            ),
        ),
        Some(libc::EACCES) if path.is_none() && !is_on_path(program, around) => (
            // What execvp(3) answers where a directory of PATH may not be searched.
            NotStarted::NotFound,
            format!("command not found: {program} (not every directory of PATH can be read)"),
        ),
        Some(libc::ENOENT | libc::ENOTDIR) => (
            NotStarted::NotFound,
            format!("command not found: {program}"),
        ),
        Some(libc::EACCES) if path.as_deref().is_some_and(Path::is_dir) => (
            NotStarted::NotExecutable,
            format!("{program} is a directory, not a program"),
        ),
        Some(libc::EACCES) => (
            NotStarted::NotExecutable,
            format!("permission denied: {program} is not executable"),
        ),
        Some(libc::ENOEXEC) => (
            NotStarted::NotExecutable,
            format!("{program} is not a program that this system can execute"),
        ),
        Some(libc::E2BIG) => (
            NotStarted::Other,
            format!(
                "{program} was not started: its arguments and environment together are larger than the system allows"
            ),
        ),
        Some(libc::EPERM) if around.confined => (
            NotStarted::Other,
            format!("{program} was not started: this daemon may not do what user, group or nice ask for ({error})"),
        ),
        _ => (
            NotStarted::Other,
            format!("{program} was not started: {error}"),
        ),
    }
}

/// A bare name is there, in a directory of the run's own `PATH` that we can read.
fn is_on_path(program: &str, around: &Surroundings<'_>) -> bool {
    around.search_path.is_some_and(|path| {
        path.split(':')
            .any(|directory| Path::new(directory).join(program).exists())
    })
}

/// # Errors
/// A sentence: why no program can begin there.
pub fn check_directory(directory: &Path) -> Result<(), String> {
    let shown = directory.display();
    Err(match std::fs::metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => {
            format!("working directory {shown} is not a directory")
        }
        Ok(_) => match rustix::fs::access(directory, rustix::fs::Access::EXEC_OK) {
            Ok(()) => return Ok(()),
            Err(error) => format!(
                "working directory {shown} cannot be entered: {}",
                io::Error::from(error)
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("working directory {shown} does not exist")
        }
        Err(error) => format!("working directory {shown} cannot be entered: {error}"),
    })
}

/// For a shell's exit codes that mean a failed start (POSIX, 2.8.2), what they mean.
pub fn shell_hint(program: &Program, code: i32) -> Option<&'static str> {
    let shell = matches!(program, Program::Shell(_));
    match code {
        127 if shell => Some("the shell found no such command"),
        126 if shell => Some("the shell could not execute the command"),
        _ => None,
    }
}

/// Of a function whose interpreter ended before it had read anything of reeve's: what that is likely to mean.
pub fn no_python(program: &Program, directory: &Path) -> Option<String> {
    let (Program::Python { interpreter, .. } | Program::Module { interpreter, .. }) = program else { return None };
    let (interpreter, _) = choose_interpreter(interpreter.as_ref(), directory);
    Some(format!(
        "{} ended before it called the function: is it a Python interpreter, 3.8 or newer, that keeps the open files it is given?",
        interpreter.display()
    ))
}

/// What is executed, for the first remark of the log; without arguments, which may hold anything.
pub fn describe(program: &Program) -> String {
    match program {
        Program::Shell(_) => "sh -c".to_owned(),
        Program::Arguments(words) => words.first().cloned().unwrap_or_default(),
        Program::Python { file, function, .. } => {
            format!(
                "{}:{function}",
                Path::new(file.file_name().unwrap_or(OsStr::new("?"))).display()
            )
        }
        Program::Module { module, function, .. } => format!("{module}:{function}"),
    }
}
