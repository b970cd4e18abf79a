//! Files that are no manifests, broken or hostile: one clear error, little memory, never a panic.
use proptest::prelude::*;
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::problem::Severity;
use std::path::Path;
use std::process::Command;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> FileContent {
        if path.ends_with("flow.py") { FileContent::Found(b"def run(x: int = 1):\n    pass\n".to_vec()) } else { FileContent::Missing }
    }
}

fn load(content: Vec<u8>) -> Loaded {
    manifest::load(&Input {
        root: "/project",
        manifests: &[ManifestFile { path: "deployment.yaml".to_owned(), content }],
        files: &NoFiles,
        environment: &|name| (name == "HOME").then(|| "/root".to_owned()),
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Warning,
    })
}

/// Levels of a block mapping, each indented by one more space.
fn staircase(levels: usize) -> String {
    (0..levels).map(|level| format!("{}a:\n", " ".repeat(level))).collect()
}

/// Ten levels of ten aliases each: ten thousand million values.
fn alias_bomb(item: &str) -> String {
    let mut text = format!("l0: &l0 [{}]\n", [item; 10].join(", "));
    for level in 1..10 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        text.push_str(&format!("l{level}: &l{level} [{aliases}]\n"));
    }
    text + "deployments: *l9\n"
}

/// Each hostile input, with the code of the one error that it must give.
fn hostile(name: &str) -> (Vec<u8>, &'static str) {
    let text = |text: String, code| (text.into_bytes(), code);
    match name {
        "33 MiB" => (vec![b'a'; 33 << 20], "too-large"),
        "binary" => ((0..20u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(), "binary"),
        "not UTF-8" => (b"deployments:\n- name: \xc3\x28\n".to_vec(), "not-utf-8"),
        "10,000 brackets" => text("deployments: ".to_owned() + &"[".repeat(10_000) + &"]".repeat(10_000), "too-deep"),
        "30 MiB of brackets" => text("[".repeat(30 << 20), "too-deep"),
        "100,000 braces" => text("{a: ".repeat(100_000), "too-deep"),
        "10,000 dashes" => text("- ".repeat(10_000) + "x", "too-deep"),
        "10,000 question marks" => text("? ".repeat(10_000) + "x", "too-deep"),
        "staircase" => text(staircase(3_000), "too-deep"),
        "alias bomb" => text(alias_bomb("x"), "alias-bomb"),
        "alias bomb of texts" => text(format!("big: &big {:?}\n{}", "x".repeat(100_000), alias_bomb("*big")), "alias-bomb"),
        "alias to itself" => text("deployments: &a [*a]\n".to_owned(), "too-deep"),
        "merge bomb" => {
            let mut bomb = "l0: &l0 {a: 1, b: 2}\n".to_owned();
            for level in 1..30 {
                bomb.push_str(&format!("l{level}: &l{level} {{<<: [*l{0}, *l{0}, *l{0}], k{level}: [*l{0}, *l{0}]}}\n", level - 1));
            }
            text(bomb + "deployments: *l29\n", "alias-bomb")
        }
        "two documents" => text("deployments: []\n".to_owned() + &"---\ndeployments: []\n".repeat(100_000), "several-documents"),
        "merge conflict" => text("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n".to_owned(), "merge-conflict"),
        "kubernetes" => text("apiVersion: v1\nkind: Pod\n".to_owned() + &"# x\n".repeat(1 << 20), "kubernetes"),
        "one long line" => text("x".repeat(10 << 20), "one-value"),
        "open quote" => text("deployments: \"".to_owned() + &"x\n ".repeat(1 << 20), "not-yaml"),
        "long parameter" => {
            text(format!("deployments:\n- name: a\n  command: x\n  parameters: {{p: {}}}\n", "x".repeat(1 << 20)), "too-large")
        }
        other => panic!("{other}"),
    }
}

const HOSTILE: [&str; 19] = [
    "33 MiB", "binary", "not UTF-8", "10,000 brackets", "30 MiB of brackets", "100,000 braces", "10,000 dashes", "10,000 question marks",
    "staircase", "alias bomb", "alias bomb of texts", "alias to itself", "merge bomb", "two documents", "merge conflict", "kubernetes",
    "one long line", "open quote", "long parameter",
];

/// Peak resident memory of this process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Each input in a process of its own (this test again, told by the environment), since a peak never goes down.
#[test]
fn hostile_files_give_one_error_within_100_mib() {
    const CASE: &str = "REEVE_HOSTILE_CASE";
    if let Ok(name) = std::env::var(CASE) {
        let (content, code) = hostile(&name);
        let before = content.len() as u64;
        let loaded = load(content);
        assert!(loaded.desired.is_none());
        let codes: Vec<&str> = loaded.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, [code], "{name}: {}", manifest::render_problems(&loaded.problems, false));
        // The input itself is there twice: in the test's hands and as the file that was read.
        assert!(peak() < (100 << 20) + before, "{name}: {} MiB", peak() >> 20);
        return;
    }
    for name in HOSTILE {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hostile_files_give_one_error_within_100_mib", "--nocapture"])
            .env(CASE, name)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn deep_python_and_odd_entrypoints_do_no_harm() {
    for entrypoint in ["flow.py:run", "../flow.py:run", "/etc/passwd:run", "a/../../b.py:run", "....py:run", "flow.py:", ":", "::", "\u{0}:x"] {
        let text = format!("deployments:\n- name: a\n  entrypoint: {}\n", serde_json::to_string(entrypoint).unwrap());
        let loaded = load(text.into_bytes());
        assert_eq!(loaded.desired.is_none(), loaded.problems.iter().any(|problem| problem.severity == Severity::Error), "{entrypoint}");
    }
}

/// What must hold of any reading of anything.
fn check(content: &[u8]) -> Result<(), TestCaseError> {
    let loaded = load(content.to_vec());
    let failed = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
    prop_assert_eq!(failed, loaded.desired.is_none());
    prop_assert!(loaded.problems.len() <= 201);
    let lines = content.split(|&byte| byte == b'\n').count() as u32;
    for problem in &loaded.problems {
        if let Some(position) = problem.position.as_ref().filter(|position| position.file == "deployment.yaml") {
            prop_assert!(position.line >= 1 && position.line <= lines && position.column >= 1, "{} of {} lines", problem, lines);
        }
        let text = problem.to_string();
        prop_assert!(!text.contains(|c: char| c.is_control()), "{:?} could move a terminal's cursor", text);
    }
    manifest::render_problems(&loaded.problems, true);
    prop_assert_eq!(load(content.to_vec()), loaded, "the same text gives the same reading");
    Ok(())
}

/// Good and bad manifests to start from.
fn seeds() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifest/messages");
    let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Pieces of YAML that mean something.
const PIECES: [&str; 32] = [
    "\n", "  ", "\t", "- ", ": ", "? ", "[", "]", "{", "}", "\"", "'", "#", "&a ", "*a", "<<: ", "|\n", ">-\n", "!!str ", "!x ", "---\n", "...\n",
    "{{ $HOME }}", "{{ x.y }}", "null", "yes", "1e9", ".inf", "\u{feff}", "é🦀", "%YAML 1.2\n", "\r\n",
];

#[derive(Debug, Clone)]
enum Edit {
    Insert(usize, usize),
    Delete(usize, usize),
    Copy(usize, usize, usize),
    Byte(usize, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0usize..4_000;
    prop_oneof![
        4 => (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        2 => (at.clone(), 1usize..30).prop_map(|(at, length)| Edit::Delete(at, length)),
        2 => (at.clone(), at.clone(), 1usize..80).prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
        1 => (at, any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
    ]
}

fn edited(mut content: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = content.len();
        let place = |at: usize| if length == 0 { 0 } else { at % length };
        match *edit {
            Edit::Insert(at, piece) => {
                let at = place(at);
                content.splice(at..at, PIECES[piece].bytes());
            }
            Edit::Delete(at, count) => {
                let at = place(at);
                content.drain(at..(at + count).min(length));
            }
            Edit::Copy(from, to, count) => {
                let from = place(from);
                let piece = content[from..(from + count).min(length)].to_vec();
                let to = place(to);
                content.splice(to..to, piece);
            }
            Edit::Byte(at, byte) if length > 0 => content[at % length] = byte,
            Edit::Byte(..) => {}
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&content)?;
    }

    #[test]
    fn any_text_of_yaml_pieces_is_read_or_refused(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        check(text.as_bytes())?;
        check(format!("deployments:\n- name: a\n  command: {text}").as_bytes())?;
    }

    #[test]
    fn edited_manifests_are_read_or_refused(seed in 0usize..1_000, edits in proptest::collection::vec(edit(), 0..6)) {
        let seeds = seeds();
        check(&edited(seeds[seed % seeds.len()].clone(), &edits))?;
    }
}
