//! What is no manifest at all, told apart before any parser sees it: one clear error, quickly, in little memory.
//!
//! Everything here looks at bytes and lines only. It must never refuse a text that a YAML parser would read as a
//! project file, but for the size.
use super::report::{Exact, Problem};

/// The most bytes that a manifest may have; larger files are not parsed.
pub const MAXIMUM_BYTES: usize = 32 * 1024 * 1024;

/// How deep values may nest. YAML written by people stays under ten; the parser itself stops at 128.
const MAXIMUM_DEPTH: usize = 128;

/// Brackets that may be open at once in the raw text, where quotes and comments are not told apart.
const MAXIMUM_OPEN_BRACKETS: usize = 1_000;

/// Gives the text of a manifest without its byte order mark, or the one reason why it is none.
pub fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let whole = |code, message: String, help: &str| Err(Problem::of_file(file, code, message, help));
    if bytes.len() > MAXIMUM_BYTES {
        let megabytes = bytes.len() / (1024 * 1024);
        return whole(
            "too-large",
            format!("the file has {megabytes} MiB; a project file may have 32 MiB"),
            "split it into several files, each given with -f",
        );
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return whole("not-utf-8", "the file is UTF-16 text; expected UTF-8".into(), "save it as UTF-8");
    }
    if bytes.iter().take(64 * 1024).any(|&byte| byte == 0) {
        return whole("binary", "the file is binary; expected YAML text".into(), "is this the right file?");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return Err(not_utf8(file, bytes, error.valid_up_to())),
    };
    if text.trim().is_empty() {
        return whole("empty", "the file is empty; expected a project".into(), "`reeve project init` writes one to start from");
    }
    match conflict(file, text).or_else(|| kubernetes(file, text)).or_else(|| documents(file, text)).or_else(|| depth(file, text))
    {
        Some(problem) => Err(problem),
        None => Ok(text),
    }
}

fn not_utf8(file: &str, bytes: &[u8], offset: usize) -> Problem {
    let before = &bytes[..offset];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() as u32 + 1;
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() as u32 + 1;
    let end = bytes[offset..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| offset + at);
    let source = String::from_utf8_lossy(&bytes[start..end.min(start + 400)]).into_owned();
    let message = format!("the byte 0x{:02x} is not UTF-8; expected UTF-8 text", bytes[offset]);
    Problem::exact(Exact::new(file, line, column, source, 1), "not-utf-8", message).help("save the file as UTF-8")
}

/// Lines of the text with their number, from 1.
fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    text.split('\n').zip(1..).map(|(line, number)| (number, line.strip_suffix('\r').unwrap_or(line)))
}

/// The markers that `git merge` leaves stand at the start of their lines, where YAML has nothing like them.
fn conflict(file: &str, text: &str) -> Option<Problem> {
    let (number, line) = numbered(text).find(|(_, line)| line.starts_with("<<<<<<< "))?;
    let closed = numbered(text).any(|(at, line)| at > number && line.starts_with(">>>>>>> "));
    let place = Exact::new(file, number, 1, line, line.chars().count() as u32);
    closed.then(|| {
        Problem::exact(place, "merge-conflict", "the file holds an unresolved merge conflict")
            .help("choose a side, remove the `<<<<<<<`, `=======` and `>>>>>>>` lines, and commit")
    })
}

/// `key: value` at the left margin, with the value.
fn margin<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(key)?.trim_start_matches(' ').strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.split(" #").next().unwrap_or("").trim())
}

/// Whether the text is one or several Kubernetes manifests: they too are often called `deployment.yaml`.
/// Looks at the left margin only, so that Helm's templates, which are no YAML, are recognised as well.
pub fn is_kubernetes(text: &str) -> bool {
    kubernetes("", text).is_some()
}

fn kubernetes(file: &str, text: &str) -> Option<Problem> {
    let (number, line) = numbered(text).find(|(_, line)| margin(line, "apiVersion").is_some())?;
    let kind = numbered(text).find_map(|(_, line)| margin(line, "kind"))?;
    if numbered(text).any(|(_, line)| margin(line, "deployments").is_some()) {
        return None;
    }
    let place = Exact::new(file, number, 1, line.trim_end(), line.trim_end().chars().count() as u32);
    let message = format!(
        "this is a Kubernetes manifest (kind {}), not a project of flows and deployments",
        super::report::shown(kind)
    );
    Some(Problem::exact(place, "kubernetes", message).help("name the project's own file with -f, or give one of the two another name"))
}

/// A second YAML document. `---` and `...` at the left margin are markers wherever they stand.
fn documents(file: &str, text: &str) -> Option<Problem> {
    let mut content = false;
    for (number, line) in numbered(text) {
        let marker = line == "---" || line.starts_with("--- ");
        if marker && content {
            return Some(
                Problem::exact(Exact::new(file, number, 1, line, 3), "several-documents", "a second YAML document begins here; a project file is one document")
                    .help("put all deployments under one `deployments:` list, or split the file and give each part with -f"),
            );
        }
        let trimmed = line.trim_start();
        content |= marker || !(trimmed.is_empty() || trimmed.starts_with('#') || line.starts_with('%'));
    }
    None
}

/// Nesting that only a hostile or broken file has, and that takes parsers quadratic time or much memory.
fn depth(file: &str, text: &str) -> Option<Problem> {
    let mut open = 0usize;
    for (number, line) in numbered(text) {
        let indicators = line.split(' ').filter(|word| !word.is_empty()).take_while(|&word| word == "-" || word == "?").count();
        if indicators > MAXIMUM_DEPTH {
            return Some(too_deep(file, number, 1, line));
        }
        for (index, byte) in line.bytes().enumerate() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > MAXIMUM_OPEN_BRACKETS {
                return Some(too_deep(file, number, line[..index].chars().count() as u32 + 1, line));
            }
        }
    }
    None
}

/// The one message for nesting beyond the limit, here and from the parser.
pub fn too_deep(file: &str, line: u32, column: u32, text: &str) -> Problem {
    Problem::exact(Exact::new(file, line, column, text, 1), "too-deep", format!("values are nested deeper than {MAXIMUM_DEPTH} levels here"))
        .help("a project file needs about ten; is this the right file?")
}
