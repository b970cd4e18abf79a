//! Where a command writes: standard output with what is known about its reader (width, colour, clock, zone).
//!
//! A reader that goes away (`reeve ... | head`) is not an error: what follows is not written, and the command ends
//! with the exit code of what it did. Tests write into memory with a fixed clock and zone.
use crate::model::JsonMap;
use crate::model::name::{is_invisible, visible};
use crate::model::secret::masked_map;
use clap::ValueEnum;
use comfy_table::{Color, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// `--output`: for people, or the API's own JSON objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// `--output`, for the commands that print data.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputOption {
    /// `text` for people, `json` for programs: the API's own objects (a list prints an array, an inspect one object).
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub output: Format,
}

impl OutputOption {
    pub fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Whether to colour what goes to something that is (not) a terminal. NO_COLOR: <https://no-color.org>, any value
    /// but the empty one.
    pub fn wanted(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// Standard output and its reader.
pub struct Screen {
    out: Box<dyn Write>,
    gone: bool,
    written: bool,
    pub colour: bool,
    /// `None`: not a terminal, so lines may be as long as they like.
    pub width: Option<u16>,
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl Screen {
    /// Standard output as it is now.
    pub fn of_process(colour: Colour) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let width = terminal.then(|| rustix::termios::tcgetwinsize(std::io::stdout()).ok()).flatten();
        Screen {
            out: Box::new(std::io::stdout()),
            gone: false,
            written: false,
            colour: colour.wanted(terminal),
            width: width.map(|size| size.ws_col).filter(|columns| *columns > 0),
            now: crate::clock::now(),
            zone: TimeZone::system(),
        }
    }

    /// A screen that writes into `out`, for tests and tools: no terminal, `now` and `zone` as given.
    pub fn into_writer(out: Box<dyn Write>, now: Timestamp, zone: TimeZone) -> Self {
        Screen { out, gone: false, written: false, colour: false, width: None, now, zone }
    }

    /// Whether nobody reads any more; what loops should stop then.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether anything was written yet.
    pub fn is_written(&self) -> bool {
        self.written
    }

    pub fn line(&mut self, text: impl Display) {
        self.write(&format!("{text}\n"));
    }

    pub fn blank(&mut self) {
        self.write("\n");
    }

    /// Letters that would be obeyed and not seen stand in JSON as `\\uXXXX`, which means the same.
    pub fn json(&mut self, value: &Value) {
        // A `Value` always serialises: its keys are strings.
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        let mut plain = String::with_capacity(text.len() + 1);
        for letter in text.chars() {
            match letter {
                '\n' => plain.push(letter),
                letter if is_invisible(letter) => plain.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
                letter => plain.push(letter),
            }
        }
        plain.push('\n');
        self.raw(&plain);
    }

    /// Writes text. What files and other people wrote may stand in it: their control characters are shown and not obeyed, and only
    /// the colours of this program are.
    pub fn write(&mut self, text: &str) {
        let shown = shown(text, self.colour);
        self.raw(&shown);
    }

    /// Writes text as it is: what programs are to read, and what runs print.
    pub fn raw(&mut self, text: &str) {
        if self.gone {
            return;
        }
        self.written |= !text.is_empty();
        if self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err() {
            self.gone = true;
        }
    }

    /// `text` in `style` where colours are wanted.
    pub fn paint(&self, style: Style, text: &str) -> String {
        match self.colour {
            true => format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()),
            false => text.to_owned(),
        }
    }

    /// A table with its title centred above and a caption centred below, no wider than the terminal: columns that may go
    /// are left out, last ones first, and the rest is wrapped. The column `ID` is never broken, so that it can be copied.
    pub fn table(&mut self, title: &str, columns: &[Column], rows: Vec<Vec<Cell>>, caption: Option<&str>) {
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let mut left_out: Vec<&str> = Vec::new();
        let text = loop {
            let table = self.lay_out(columns, &shown, &rows);
            let fits = self.width.is_none_or(|width| width_of(&table) <= usize::from(width));
            match shown.iter().rposition(|index| columns[*index].may_go).filter(|_| !fits) {
                Some(at) => left_out.insert(0, columns[shown.remove(at)].name),
                None if fits => break table.to_string(),
                None => break self.wrapped(table),
            }
        };
        let width = text.lines().next().map_or(0, |border| border.chars().count());
        self.line(self.paint(Style::Bold, &centred(title, width)));
        for line in text.lines() {
            self.line(line.trim_end());
        }
        if let Some(caption) = caption {
            self.line(self.paint(Style::Dim, &centred(caption, width)));
        }
        if !left_out.is_empty() {
            let note = format!("a wider terminal also shows {}", left_out.join(", "));
            self.line(self.paint(Style::Dim, &centred(&note, width)));
        }
    }

    fn lay_out(&self, columns: &[Column], shown: &[usize], rows: &[Vec<Cell>]) -> Table {
        let mut table = Table::new();
        table.load_style(HEAVY_HEAD).set_header(shown.iter().map(|index| columns[*index].name));
        table.set_content_arrangement(ContentArrangement::Disabled);
        match self.colour {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        for row in rows {
            table.add_row(shown.iter().filter_map(|index| row.get(*index)).map(comfy_table::Cell::from));
        }
        for (at, index) in shown.iter().enumerate() {
            if let (true, Some(column)) = (columns[*index].name == "ID", table.column_mut(at)) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table
    }

    fn wrapped(&self, mut table: Table) -> String {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width.unwrap_or(u16::MAX)).to_string()
    }

    /// `label:  value` lines with the values below each other.
    pub fn fields(&mut self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 1;
        for (label, value) in fields {
            let mut lines = value.lines();
            let label = format!("{:<width$}", format!("{label}:"));
            self.line(format!("{}  {}", self.paint(Style::Dim, &label), lines.next().unwrap_or("-")).trim_end());
            for more in lines {
                self.line(format!("{:width$}  {more}", ""));
            }
        }
    }
}

/// Prefect's tables: a heavy head over light rows.
const HEAVY_HEAD: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┏', '━', '┳', '┓'))
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .header_separator(LineStyle::new('┡', '━', '╇', '┩'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// A table's width: that of its top border, which carries no colour.
fn width_of(table: &Table) -> usize {
    table.lines().next().map_or(0, |border| border.chars().count())
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    may_go: bool,
}

impl Column {
    /// Always shown.
    pub const fn always(name: &'static str) -> Self {
        Column { name, may_go: false }
    }

    /// Left out where the terminal is too narrow.
    pub const fn may_go(name: &'static str) -> Self {
        Column { name, may_go: true }
    }
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Cell { text: text.into(), style: Some(style) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell { text, style: None }
    }
}

impl From<&Cell> for comfy_table::Cell {
    fn from(cell: &Cell) -> Self {
        let plain = comfy_table::Cell::new(&cell.text);
        match cell.style {
            Some(Style::Good) => plain.fg(Color::Green),
            Some(Style::Bad) => plain.fg(Color::Red),
            Some(Style::Warning) => plain.fg(Color::Yellow),
            Some(Style::Bold | Style::Dim) | None => plain,
        }
    }
}

/// The few styles there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Warning,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Warning => "33",
        }
    }
}

/// JSON of a map on one line, as `{"name": "Leo"}`; `{}` for an empty one. What may be secret is masked.
pub fn one_line(map: &JsonMap) -> String {
    let map = masked_map(map);
    let parts: Vec<String> =
        map.iter().map(|(key, value)| format!("{}: {value}", Value::String(key.clone()))).collect();
    format!("{{{}}}", parts.join(", "))
}

/// The colours that are written here, by the tables and by the problems of files.
const OWN_COLOURS: [&str; 18] = [
    "0", "1", "2", "31", "32", "33", "36", "39", "1;31", "1;36", "38;5;9", "38;5;10", "38;5;11", "91", "94", "1;91", "1;94", "1;93",
];

fn shown(text: &str, colour: bool) -> Cow<'_, str> {
    let harmless = |letter: char| matches!(letter, '\n' | '\t') || !is_invisible(letter);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(letter) = rest.chars().next() {
        let own = rest.strip_prefix("\u{1b}[").filter(|_| colour).and_then(|code| code.split_once('m'));
        if let Some((code, after)) = own.filter(|(code, _)| OWN_COLOURS.contains(code)) {
            plain.extend(["\u{1b}[", code, "m"]);
            rest = after;
            continue;
        }
        plain.push(if harmless(letter) { letter } else { visible(letter) });
        rest = &rest[letter.len_utf8()..];
    }
    Cow::Owned(plain)
}

fn centred(text: &str, width: usize) -> String {
    let free = width.saturating_sub(text.chars().count());
    format!("{:pad$}{text}", "", pad = free / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_bring_in_is_shown_and_not_obeyed() {
        for (text, colour, expected) in [
            ("plain äöü\t\n", false, "plain äöü\t\n"),
            ("a\u{1b}[2Jb\rc\u{202e}d\u{9b}31m", true, "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}31m"),
            ("\u{1b}[32mgood\u{1b}[0m", true, "\u{1b}[32mgood\u{1b}[0m"),
            ("\u{1b}[32mgood\u{1b}[0m", false, "\u{fffd}[32mgood\u{fffd}[0m"),
            ("\u{1b}[8mhidden", true, "\u{fffd}[8mhidden"),
        ] {
            assert_eq!(shown(text, colour), expected, "{text:?}");
        }
    }

    /// Every colour that is written somewhere must be one of those that are let through.
    #[test]
    fn own_colours_are_obeyed() {
        let problem = |severity| crate::model::problem::Problem {
            severity,
            code: "code".to_owned(),
            message: "message".to_owned(),
            position: Some(crate::model::position::Position { file: "f.yaml".to_owned(), line: 1, column: 2 }),
            help: Some("help".to_owned()),
            source: Some(crate::model::problem::SourceLine { text: "a: b".to_owned(), length: 1 }),
        };
        use crate::model::problem::Severity;
        let text = crate::manifest::render_problems(&[problem(Severity::Error), problem(Severity::Warning)], true);
        assert!(text.contains('\u{1b}') && shown(&text, true) == text, "{text:?}");
        let mut table = Table::new();
        table.enforce_styling();
        for style in [Style::Good, Style::Bad, Style::Warning] {
            table.add_row([comfy_table::Cell::from(&Cell::styled("x", style))]);
        }
        let text = table.to_string();
        assert!(text.contains('\u{1b}') && shown(&text, true) == text, "{text:?}");
    }
}
