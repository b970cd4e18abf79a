//! Text with what differs each time written the same way each time: an id is the first, second... that was seen, and so is the
//! name of a run. What is written so may be typed so.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Names that runs get here, in the order in which they are seen; those of the tutorials come first.
const NAMES: [&str; 12] = [
    "certain-cormorant", "tan-lion", "capable-cormorant", "beautiful-nyala", "fifth-run", "sixth-run", "seventh-run", "eighth-run", "ninth-run",
    "tenth-run", "eleventh-run", "twelfth-run",
];

pub struct Steady {
    home: PathBuf,
    ids: Vec<Uuid>,
    names: BTreeMap<String, &'static str>,
}

impl Steady {
    /// `home`: the directory that is shown as `~`.
    pub fn new(home: &Path) -> Steady {
        Steady { home: home.to_owned(), ids: Vec::new(), names: BTreeMap::new() }
    }

    /// What is really meant by a line with ids and names that were shown.
    pub fn unsteady(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (number, id) in self.ids.iter().enumerate() {
            line = line.replace(&shown(number).to_string(), &id.to_string());
        }
        for (name, shown) in &self.names {
            line = line.replace(shown, name);
        }
        line
    }

    pub fn text(&mut self, text: &str) -> String {
        let text = text.replace(&self.home.display().to_string(), "~");
        self.learn_names(&text);
        let in_table = text.contains('┃');
        let lines: Vec<String> = text.lines().filter_map(|line| self.line(line, in_table)).collect();
        lines.join("\n")
    }

    fn learn_names(&mut self, text: &str) {
        for (at, _) in text.match_indices("flow run '") {
            let name = text[at..].split('\'').nth(1).unwrap_or_default();
            let number = self.names.len();
            self.names.entry(name.to_owned()).or_insert_with(|| NAMES[number]);
        }
    }

    /// Tables are as wide as what stands in them: their borders are left out, and blanks are one.
    fn line(&mut self, line: &str, in_table: bool) -> Option<String> {
        if line.contains(['━', '─']) && !line.contains("── ") {
            return None;
        }
        let mut steady = String::new();
        let mut before = String::new();
        for part in line.split_inclusive(ends_a_word) {
            let word = part.trim_end_matches(ends_a_word);
            steady.push_str(&self.word(word, &before));
            steady.push_str(&part[word.len()..]);
            if !word.is_empty() {
                before = word.to_owned();
            }
        }
        let steady = without_spans(&steady);
        Some(if in_table { steady.split_whitespace().collect::<Vec<_>>().join(" ") } else { steady })
    }

    fn word(&mut self, word: &str, before: &str) -> String {
        if let Some(name) = self.names.get(word) {
            return (*name).to_owned();
        }
        if let Ok(id) = Uuid::try_parse(word) {
            return self.id(id);
        }
        if let Some((path, last)) = word.rsplit_once('/')
            && let Ok(id) = Uuid::try_parse(last)
        {
            return format!("{}/{}", self.word(path, before), self.id(id));
        }
        if let Some((host, rest)) = word.split_once("127.0.0.1:") {
            let rest = rest.trim_start_matches(|character: char| character.is_ascii_digit());
            return format!("{host}127.0.0.1:4200{rest}");
        }
        match form(word).as_str() {
            "00:00:00" | "00:00:00.000" => "hh:mm:ss".to_owned(),
            "0000-00-00" => "YYYY-MM-DD".to_owned(),
            "0.00s" | "00.0s" => "0.42s".to_owned(),
            "0000-00-00T00:00:00Z" | "0000-00-00T00:00:00Z:" => word.replace(|character: char| character.is_ascii_digit(), "0"),
            _ if before == "memory:" && word.parse::<f64>().is_ok() => "9.9".to_owned(),
            _ if before == "process" && word.parse::<u32>().is_ok() => "4242".to_owned(),
            _ if before == "source" && word.len() == 12 => "0f536aaa216f".to_owned(),
            _ => word.to_owned(),
        }
    }

    fn id(&mut self, id: Uuid) -> String {
        let number = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        });
        shown(number).to_string()
    }
}

fn ends_a_word(character: char) -> bool {
    character.is_whitespace() || "'\"(),;".contains(character)
}

fn shown(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

/// The word with each digit as 0.
fn form(word: &str) -> String {
    word.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect()
}

/// Of how long it is until something, in the narrator's and in the commands' words.
const UNITS: [&str; 8] = ["", "min", "h", "second", "minute", "hour", "day", "year"];

/// `3 seconds ago` is now, since nobody knows how long it takes to type, and `in 42 s` or `in 73 years` is soon.
fn without_spans(line: &str) -> String {
    let mut line = line.replace("less than a second ago", "now");
    for past in [" seconds ago", " second ago"] {
        while let Some(at) = line.find(past) {
            let start = line[..at].trim_end_matches(|character: char| character.is_ascii_digit()).len();
            line.replace_range(start..at + past.len(), "now");
        }
    }
    let ahead = line.match_indices("in ").find_map(|(at, _)| {
        let digits = line[at + 3..].find(|character: char| !character.is_ascii_digit())?;
        let unit = line[at + 3 + digits..].strip_prefix(' ')?.split(|character: char| !character.is_alphabetic()).next()?;
        let is_short = digits > 0 && !unit.is_empty() && UNITS.contains(&unit.trim_end_matches('s'));
        is_short.then(|| (at, at + 3 + digits + 1 + unit.len()))
    });
    if let Some((from, to)) = ahead {
        line.replace_range(from..to, "soon");
    }
    line
}
