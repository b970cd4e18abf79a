//! Python functions: called, drained, and what is said when they cannot be.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use reeve::executor::confinement::Confinement;
use reeve::executor::{End, Executor, Interpreter, Job, Program};
use reeve::executor::log::Stream;
use super::house::{self, House};

fn python(house: &House, source: &str, function: &str, parameters: serde_json::Value) -> Job {
    fs::write(house.directory.path().join("flow.py"), source).unwrap();
    let serde_json::Value::Object(parameters) = parameters else {
        panic!("parameters are an object")
    };
    house.job(Program::Python {
        interpreter: None,
        file: "flow.py".into(),
        function: function.into(),
        parameters,
    })
}

#[tokio::test]
async fn python_functions_of_every_kind_return_their_value() {
    let source = "
import asyncio, sys
def plain(a, /, b=2, *, c): print('called', a, b, c); return {'sum': a + b + c}
async def later(): await asyncio.sleep(0); return [1]
def steps():
    yield print('one')
    yield print('two')
    return 'done'
async def stream():
    yield print('first')
class Group:
    @staticmethod
    def inside(): return sys.argv[0].endswith('flow.py')
def large(): return 'x' * 100000
def thing(): return object()
";
    let table = [
        (
            "plain",
            serde_json::json!({"a": 1, "c": 3}),
            serde_json::json!({"sum": 6}),
            vec!["called 1 2 3"],
        ),
        (
            "later",
            serde_json::json!({}),
            serde_json::json!([1]),
            vec![],
        ),
        (
            "steps",
            serde_json::json!({}),
            serde_json::json!("done"),
            vec!["one", "two"],
        ),
        (
            "stream",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec!["first"],
        ),
        (
            "Group.inside",
            serde_json::json!({}),
            serde_json::json!(true),
            vec![],
        ),
        (
            "large",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec!["reeve: the return value is not kept: as JSON it is 100002 bytes, more than 8192"],
        ),
        (
            "thing",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec!["reeve: the return value is not kept: it is not JSON (Object of type object is not JSON serializable)"],
        ),
    ];
    for (function, parameters, value, printed) in table {
        let mut house = House::new();
        let outcome = house
            .run(python(&house, source, function, parameters))
            .await;
        assert!(
            outcome.is_success(),
            "{function}: {outcome:?} {:?}",
            house.output(Stream::Error)
        );
        assert_eq!(outcome.value.unwrap_or_default(), value, "{function}");
        assert_eq!(house.output(Stream::Output), printed, "{function}");
        assert_eq!(
            house.output(Stream::Reeve)[0],
            "python interpreter: python3 from PATH (the working directory has no .venv)"
        );
    }
}

#[tokio::test]
async fn python_failures_say_what_is_wrong() {
    let source = "
import datetime, sys
def raises(): raise ValueError('the disk is on fire')
def leaves(): sys.exit(3)
def explains(): raise ValueError('first line says why\\n\\n  see https://example.org')
def dated(day: datetime.date): pass
def takes(a, b, c=1): pass
number = 5
";
    let table = [
        (
            "raises",
            serde_json::json!({}),
            "exited with code 1: ValueError: the disk is on fire",
        ),
        ("leaves", serde_json::json!({}), "exited with code 3"),
        ("explains", serde_json::json!({}), "exited with code 1: ValueError: first line says why"),
        (
            "dated",
            serde_json::json!({"day": "5 o'clock"}),
            "exited with code 1: the parameter `day` is the text `5 o'clock`; expected a date such as `2026-11-20`",
        ),
        (
            "takes",
            serde_json::json!({"a": 1, "z": 2, "y": 3}),
            "exited with code 1: parameters of takes do not fit (missing: b; unexpected: z, y); it takes: a, b, c",
        ),
        (
            "absent",
            serde_json::json!({}),
            "exited with code 1: FILE has no function absent; it has dated, explains, leaves, raises, takes",
        ),
        (
            "number",
            serde_json::json!({}),
            "exited with code 1: number in FILE is not a function but int",
        ),
    ];
    for (function, parameters, message) in table {
        let mut house = House::new();
        let outcome = house
            .run(python(&house, source, function, parameters))
            .await;
        let file = house.directory.path().join("flow.py").display().to_string();
        assert_eq!(outcome.message, message.replace("FILE", &file));
        if function == "raises" {
            let error = house.output(Stream::Error);
            assert_eq!(error[0], "Traceback (most recent call last):");
            assert_eq!(error[1], format!("  File \"{file}\", line 3, in raises"));
            assert!(levels(&house).iter().all(|(_, level)| *level == 40), "{:?}", levels(&house));
            assert_eq!(
                outcome.exception.as_deref(),
                Some("ValueError: the disk is on fire")
            );
        }
    }
}

#[tokio::test]
async fn values_reach_every_kind_of_parameter_as_its_annotation_says() {
    let source = "
from __future__ import annotations
import functools
from dataclasses import dataclass
from datetime import date
from typing import Any
def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs): return function(*args, **kwargs)
    return inner
@logged
def wrapped(a: date, b: Any, c: Missing, d=None): return repr((a, b, c, d))
def keywords(*args: date, **kwargs: date): return repr((args, kwargs))
def positional(a, /, b: int = 3, *args: date): return repr((a, b, args))
def absent(day: date = None): return repr(day)
class Call:
    def __call__(self, day: date): return repr(day)
    def method(self): pass
call = Call()
part = functools.partial(absent)
@dataclass
class Faulty:
    name: str
    def __post_init__(self): self.nowhere
def faulty(a: Faulty): pass
";
    let day = "datetime.date(2026, 1, 2)";
    let table = [
        ("wrapped", serde_json::json!({"a": "2026-01-02", "b": {"x": 1}, "c": 5, "d": "e"}), Ok(format!("({day}, {{'x': 1}}, 5, 'e')"))),
        ("keywords", serde_json::json!({"k": "2026-01-02", "args": ["2026-01-02"]}), Ok(format!("(({day},), {{'k': {day}}})"))),
        ("positional", serde_json::json!({"a": 1, "args": ["2026-01-02"]}), Ok(format!("(1, 3, ({day},))"))),
        ("absent", serde_json::json!({"day": null}), Ok("None".to_owned())),
        ("call", serde_json::json!({"day": "2026-01-02"}), Ok(day.to_owned())),
        ("part", serde_json::json!({"day": "2026-01-02"}), Ok(day.to_owned())),
        ("keywords", serde_json::json!({"k": "x"}), Err("the parameter `k` is the text `x`; expected a date such as `2026-11-20`")),
        ("faulty", serde_json::json!({"a": {"name": "n"}}), Err("AttributeError: 'Faulty' object has no attribute 'nowhere'")),
        ("Call.method", serde_json::json!({}), Err("Call.method is a method of instances of its class: a run has none to give it as self; name a function that calls it")),
    ];
    for (function, parameters, expected) in table {
        let mut house = House::new();
        let outcome = house.run(python(&house, source, function, parameters)).await;
        match expected {
            Ok(value) => assert_eq!(outcome.value, Some(value.into()), "{function}: {outcome:?} {:?}", house.output(Stream::Error)),
            Err(message) => assert_eq!(outcome.message, format!("exited with code 1: {message}"), "{function}"),
        }
        if function == "faulty" {
            let error = house.output(Stream::Error).join("\n");
            assert!(error.contains("in __post_init__") && !error.contains("<string>\", line 1, in <module>"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_interpreter_that_is_none_is_named() {
    let mut house = House::new();
    let Program::Python { file, function, parameters, .. } = python(&house, "", "f", serde_json::json!({})).program else { panic!() };
    let program = Program::Python { interpreter: Some(Interpreter::Configured("/bin/ls".into())), file, function, parameters };
    let outcome = house.run(house.job(program)).await;
    let expected = "exited with code 2: /bin/ls ended before it called the function: is it a Python interpreter, 3.8 or newer, that keeps the open files it is given?";
    assert_eq!(outcome.message, expected);
    assert!(house.output(Stream::Error).concat().len() < 2_000, "the runner's source is not printed");
}

#[tokio::test]
async fn megabytes_of_parameters_arrive_and_nothing_that_is_handed_over_is_inherited() {
    let source = "
import os, subprocess
def main(text, days: list[__import__('datetime').date]):
    held = subprocess.run('ls -l /proc/self/fd; env', shell=True, stdout=subprocess.PIPE, close_fds=False).stdout.decode()
    return [len(text), days[0].year, 'memfd' in held or 'REEVE_HANDED' in held]
";
    let mut house = House::new();
    let job = python(&house, source, "main", serde_json::json!({"text": "x".repeat(5_000_000), "days": ["2026-11-20"]}));
    let outcome = house.run(job).await;
    assert_eq!(outcome.value, Some(serde_json::json!([5_000_000, 2026, false])), "{outcome:?}");
}

/// What the log says with its levels, but for where the run's process is from.
fn levels(house: &House) -> Vec<(String, u8)> {
    let lines = reeve::executor::log::read_all(&house.run_directory()).unwrap().into_iter();
    let told = lines.filter(|line| !line.message.starts_with("run ") && !line.message.starts_with("python interpreter: "));
    told.map(|line| (line.message.clone(), line.level())).collect()
}

#[tokio::test]
async fn a_function_that_is_told_to_stop_leaves_by_its_finally() {
    let source = "
import asyncio, time, signal, sys
def plain():
    try:
        print('ready'); time.sleep(1000)
    finally:
        print('released')
async def later():
    try:
        print('ready'); await asyncio.sleep(1000)
    finally:
        print('released')
def own():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    print('ready'); time.sleep(1000)
";
    let table = [
        ("plain", "stopped on request; ended on SIGTERM", vec!["ready", "released"]),
        ("later", "stopped on request; ended on SIGTERM", vec!["ready", "released"]),
        ("own", "stopped on request; ended on SIGTERM, exit code 7", vec!["ready"]),
    ];
    for (function, message, output) in table {
        let mut house = House::new();
        let handle = house.start(python(&house, source, function, serde_json::json!({}))).await;
        house.line("ready").await;
        house.executor.stop(&handle, house::PATIENCE).await.unwrap();
        let outcome = house.outcome().await;
        assert_eq!(outcome.message, message, "{function}");
        assert_eq!(house.output(Stream::Output), output, "{function}");
        assert_eq!(levels(&house).last(), Some(&(message.to_owned(), 30)), "{function}");
        let by_signal = function != "own";
        assert!(matches!(&outcome.end, End::Stopped { how, .. } if (how.signal == Some(15)) == by_signal), "{:?}", outcome.end);
    }
}

#[tokio::test]
async fn a_traceback_is_the_users_own_also_of_a_coroutine() {
    let source = "
import asyncio
async def raises():
    await asyncio.sleep(0)
    raise ValueError('no')
";
    let mut house = House::new();
    let outcome = house.run(python(&house, source, "raises", serde_json::json!({}))).await;
    assert_eq!(outcome.message, "exited with code 1: ValueError: no");
    let file = house.directory.path().join("flow.py").display().to_string();
    let error = house.output(Stream::Error);
    assert_eq!(error[1], format!("  File \"{file}\", line 5, in raises"), "{error:?}");
    assert_eq!(error.iter().filter(|line| line.starts_with("  File")).count(), 1, "{error:?}");
}

#[tokio::test]
async fn why_a_program_could_not_start_is_an_error_in_the_log() {
    let mut house = House::new();
    let job = house.job(Program::Arguments(vec!["no-such-program".to_owned()]));
    let outcome = house.run(job).await;
    assert_eq!(levels(&house), [(outcome.message, 40)]);
}

#[tokio::test]
async fn a_returned_secret_is_masked() {
    let mut house = House::new();
    let job = python(
        &house,
        "def main(key): return {'keys': [key], 'count': 1}",
        "main",
        serde_json::json!({"key": "correct horse"}),
    );
    let outcome = house
        .run(Job {
            secrets: vec!["correct horse".into()],
            ..job
        })
        .await;
    assert_eq!(
        outcome.value,
        Some(serde_json::json!({"keys": ["***"], "count": 1}))
    );
    house.left_alone().await;
    for file in fs::read_dir(house.run_directory()).unwrap() {
        let path = file.unwrap().path();
        assert!(
            !fs::read_to_string(&path).unwrap().contains("correct horse"),
            "{path:?} holds the secret"
        );
    }
}

#[tokio::test]
async fn a_prefect_flow_is_refused() {
    let mut house = House::new();
    let prefect = house.directory.path().join("prefect");
    fs::create_dir(&prefect).unwrap();
    fs::write(prefect.join("__init__.py"), "from .flows import flow\n").unwrap();
    fs::write(prefect.join("flows.py"), "class Flow:\n    def __init__(self, fn): self.fn = fn\n    def __call__(self): raise SystemExit('a server was started')\ndef flow(fn): return Flow(fn)\n").unwrap();
    let outcome = house
        .run(python(
            &house,
            "from prefect import flow\n@flow\ndef main(): pass\n",
            "main",
            serde_json::json!({}),
        ))
        .await;
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert!(
        outcome
            .message
            .contains("flow.py is a Prefect flow; this version of reeve runs plain functions"),
        "{}",
        outcome.message
    );
}

#[tokio::test]
async fn the_interpreter_of_the_project_is_preferred() {
    let mut house = House::new();
    let bin = house.directory.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python"), "#!/bin/sh\necho the project\n").unwrap();
    fs::set_permissions(bin.join("python"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        house
            .run(python(&house, "", "f", serde_json::json!({})))
            .await
            .is_success()
    );
    assert_eq!(house.output(Stream::Output), ["the project"]);
    assert!(
        house.output(Stream::Reeve)[0]
            .ends_with(".venv/bin/python (the working directory's .venv)")
    );
    for (interpreter, why) in [
        (Interpreter::OfProject(bin.join("python")), "the project's .venv"),
        (Interpreter::Configured(bin.join("python")), "as configured"),
    ] {
        let mut elsewhere = House::new();
        let Program::Python { file, function, parameters, .. } = python(&elsewhere, "", "f", serde_json::json!({})).program else { panic!() };
        let program = Program::Python { interpreter: Some(interpreter), file, function, parameters };
        let job = elsewhere.job(program);
        assert!(elsewhere.run(job).await.is_success());
        assert!(elsewhere.output(Stream::Reeve)[0].ends_with(&format!(".venv/bin/python ({why})")), "{why}");
    }
}

/// Only root can start runs as others; everybody as themselves.
#[tokio::test]
async fn a_result_arrives_whoever_runs_the_function() {
    let user = rustix::process::geteuid().is_root().then(|| "65534".to_owned());
    let source = "
import os
def value(): return os.getuid()
def raises(): raise ValueError('the disk is on fire')
";
    for function in ["value", "raises"] {
        let mut house = House::new();
        fs::set_permissions(house.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let job = python(&house, source, function, serde_json::json!({}));
        let confinement = Confinement { user: user.clone(), ..Confinement::default() };
        let outcome = house.run(Job { confinement, ..job }).await;
        let expected = user.as_ref().map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.parse().unwrap());
        match function {
            "value" => assert_eq!(outcome.value, Some(expected.into()), "{outcome:?} {:?}", house.output(Stream::Error)),
            _ => assert_eq!(outcome.message, "exited with code 1: ValueError: the disk is on fire"),
        }
    }
}

#[tokio::test]
async fn the_file_of_the_result_is_the_runners_alone() {
    let source = "
import os, stat, subprocess
def memory(number):
    return os.path.exists('/proc/self/fd/%d' % number) and 'memfd:' in os.readlink('/proc/self/fd/%d' % number)
def inherits():
    names = subprocess.run(['sh', '-c', 'ls -l /proc/self/fd; env'], stdout=subprocess.PIPE, close_fds=False).stdout.decode()
    return 'memfd' in names or 'REEVE_RESULT' in names
def closes():
    for number in range(3, 64):
        if memory(number):
            os.dup2(os.open('mine', os.O_CREAT | os.O_RDWR), number)
    return 'lost'
def fills():
    number = next(number for number in range(3, 64) if memory(number))
    try:
        while os.write(number, b'x' * 4096): pass
    except OSError as error:
        print(error.strerror)
";
    let run = async |function: &str| {
        let mut house = House::new();
        let outcome = house.run(python(&house, source, function, serde_json::json!({}))).await;
        assert!(outcome.is_success(), "{function}: {outcome:?} {:?}", house.output(Stream::Error));
        (house, outcome)
    };
    assert_eq!(run("inherits").await.1.value, Some(false.into()));
    let (house, outcome) = run("closes").await;
    assert_eq!((outcome.value, fs::read_to_string(house.directory.path().join("mine")).unwrap().as_str()), (None, ""));
    assert_eq!(house.output(Stream::Error), ["reeve: the result was not kept: its file was closed"]);
    let (house, outcome) = run("fills").await;
    assert_eq!((outcome.value, house.output(Stream::Output)), (None, vec!["Operation not permitted".to_owned()]));
}
