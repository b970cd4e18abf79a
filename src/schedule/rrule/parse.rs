//! Rrule text -> rules and dates. Lines end at any white space, case does not matter, nothing is unfolded (Prefect's
//! reading). Accepts what Prefect's validator accepts, and says of the rest what is wrong with which part.

use super::date::{self, Written};
use super::{DEFAULT_START, Frequency, Recurrence, RecurrenceSet};
use crate::schedule::error::Error;
use crate::schedule::zone;
use jiff::civil::DateTime;
use std::sync::OnceLock;

/// Prefect's limit, in characters.
const LONGEST: usize = 6_500;
/// Beyond this a filtered COUNT would take seconds to find its end.
const MOST_COUNT: u64 = 1_000_000;
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQUENCIES: [(&str, Frequency); 7] = [
    ("YEARLY", Frequency::Yearly),
    ("MONTHLY", Frequency::Monthly),
    ("WEEKLY", Frequency::Weekly),
    ("DAILY", Frequency::Daily),
    ("HOURLY", Frequency::Hourly),
    ("MINUTELY", Frequency::Minutely),
    ("SECONDLY", Frequency::Secondly),
];
const PARTS: [&str; 16] = [
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYWEEKDAY",
    "BYHOUR", "BYMINUTE", "BYSECOND", "BYEASTER",
];

/// A piece of the text and where it begins.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    fn error(&self, problem: impl Into<String>) -> Error {
        Error::new(problem).found(self.text).at(self.at)
    }

    fn split(self, separator: char) -> impl Iterator<Item = Piece<'a>> {
        self.text.split(separator).map(move |text| Piece { text, at: self.at + (text.as_ptr() as usize - self.text.as_ptr() as usize) })
    }

    fn split_once(self, separator: char) -> Option<(Piece<'a>, Piece<'a>)> {
        let (left, right) = self.text.split_once(separator)?;
        Some((Piece { text: left, at: self.at }, Piece { text: right, at: self.at + left.len() + separator.len_utf8() }))
    }
}

/// The lines, sorted by property.
#[derive(Default)]
struct Lines<'a> {
    rules: Vec<Piece<'a>>,
    exceptions: Vec<Piece<'a>>,
    dates: Vec<DateTime>,
    except_dates: Vec<DateTime>,
    start: Option<Written>,
}

impl RecurrenceSet {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let length = text.chars().count();
        if length > LONGEST {
            return Err(Error::new("the rrule is too long").found(format!("{length} characters")).expected(format!("at most {LONGEST}")));
        }
        // ASCII upper-casing keeps byte offsets; other letters are in no part of the grammar.
        let upper = text.to_ascii_uppercase();
        let mut lines = Lines::default();
        let words: Vec<Piece<'_>> = upper
            .split_whitespace()
            .map(|word| Piece { text: word, at: word.as_ptr() as usize - upper.as_ptr() as usize })
            .collect();
        if let [only] = words[..]
            && (!upper.contains(':') || upper.starts_with("RRULE:"))
        {
            lines.rules.push(only);
            return lines.finish();
        }
        for word in words {
            lines.add(word, text)?;
        }
        lines.finish()
    }
}

impl<'a> Lines<'a> {
    /// `original` keeps the letter case, which zone names need.
    fn add(&mut self, line: Piece<'a>, original: &str) -> Result<(), Error> {
        let Some((head, value)) = line.split_once(':') else {
            self.rules.push(line);
            return Ok(());
        };
        let mut parameters = head.split(';');
        let name = parameters.next().unwrap_or(head);
        let refuse = |parameter: Piece<'_>| Err(parameter.error(format!("{} takes no such parameter", name.text)));
        match name.text {
            "RRULE" => match parameters.find(|parameter| !parameter.text.starts_with("X-")) {
                Some(parameter) => return refuse(parameter),
                None => self.rules.push(value),
            },
            "EXRULE" => match parameters.next() {
                Some(parameter) => return refuse(parameter),
                None => self.exceptions.push(value),
            },
            "RDATE" => match parameters.find(|parameter| parameter.text != "VALUE=DATE-TIME") {
                Some(parameter) => return refuse(parameter),
                None => self.dates.extend(read_dates(value)?.iter().map(|date| date.wall)),
            },
            "EXDATE" => self.except_dates.extend(zoned_dates(head, value, original)?.iter().map(|date| date.wall)),
            "DTSTART" => match zoned_dates(head, value, original)?[..] {
                [start] => self.start = Some(start),
                _ => return Err(value.error("DTSTART takes one date")),
            },
            _ => {
                let error = name.error("unknown rrule property").expected("DTSTART, RRULE, RDATE, EXRULE or EXDATE");
                return Err(match zone::nearest(name.text, ["DTSTART", "RRULE", "RDATE", "EXRULE", "EXDATE"].into_iter()) {
                    Some(near) => error.suggestion(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RecurrenceSet, Error> {
        let dates_alone = self.dates.len() + self.except_dates.len() + self.exceptions.len() > 0;
        if self.rules.is_empty() && !dates_alone {
            return Err(Error::new("the rrule has no rule and no date").expected("a line like `RRULE:FREQ=DAILY;BYHOUR=9`"));
        }
        let start = self.start;
        let read = |pieces: &[Piece<'_>]| pieces.iter().map(|piece| read_rule(*piece, start)).collect::<Result<Vec<_>, _>>();
        let (rules, exceptions) = (read(&self.rules)?, read(&self.exceptions)?);
        for dates in [&mut self.dates, &mut self.except_dates] {
            dates.sort_unstable();
            dates.dedup();
        }
        let start = start.map_or(DEFAULT_START, |start| start.wall);
        Ok(RecurrenceSet { start, rules, exceptions, dates: self.dates, except_dates: self.except_dates })
    }
}

fn read_dates(value: Piece<'_>) -> Result<Vec<Written>, Error> {
    value
        .split(',')
        .map(|piece| date::read(piece.text).ok_or_else(|| piece.error("not a date").expected("`20270131T090000`, an existing date and time")))
        .collect()
}

/// The dates of a DTSTART or EXDATE line, whose zone parameter is checked and then ignored, as Prefect does: the
/// schedule's own zone decides.
fn zoned_dates(head: Piece<'_>, value: Piece<'_>, original: &str) -> Result<Vec<Written>, Error> {
    let (mut zoned, mut typed) = (false, false);
    for parameter in head.split(';').skip(1) {
        if parameter.text.starts_with("TZID=") {
            let written = &original[parameter.at..parameter.at + parameter.text.len()];
            let alone = head.at + head.text.len() == parameter.at + parameter.text.len();
            zoned = alone && written.starts_with("TZID=") && names_a_zone(&written[5..]);
        } else if !matches!(parameter.text, "VALUE=DATE-TIME" | "VALUE=DATE") || std::mem::replace(&mut typed, true) {
            return Err(parameter.error("not a parameter of a date").expected("TZID=…, or VALUE=DATE or VALUE=DATE-TIME once"));
        }
    }
    let mut dates = read_dates(value)?;
    for date in &mut dates {
        if zoned && date.zoned {
            return Err(value.error("the date names two zones, `Z` and TZID").suggestion("leave one out"));
        }
        date.zoned |= zoned;
    }
    Ok(dates)
}

/// An IANA name, or a POSIX form like `EST5EDT` or `UTC7`.
fn names_a_zone(name: &str) -> bool {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
    let posix = letters >= 3 && name[letters..].trim_start_matches(['+', '-']).starts_with(|digit: char| digit.is_ascii_digit());
    posix || zone::lookup(Some(name)).is_ok()
}

/// `[RRULE:]FREQ=…;…`
fn read_rule(line: Piece<'_>, start: Option<Written>) -> Result<Recurrence, Error> {
    let body = match line.split_once(':') {
        None => line,
        Some((name, body)) if name.text == "RRULE" && !body.text.contains(':') => body,
        Some((name, _)) => return Err(name.error("not the start of a rule").expected("`RRULE:` once")),
    };
    let mut rule = Recurrence::new(start.map_or(DEFAULT_START, |start| start.wall));
    let mut frequency = None;
    let mut until: Option<(Written, Piece<'_>)> = None;
    for part in body.split(';') {
        let Some((name, value)) = part.split_once('=').filter(|(_, value)| !value.text.contains('=')) else {
            return Err(part.error("not a rule part").expected("NAME=VALUE, joined by `;`"));
        };
        match name.text {
            "FREQ" => frequency = Some(read_frequency(value)?),
            "UNTIL" => until = Some((date::read(value.text).ok_or_else(|| value.error("UNTIL is not a date").expected("`20271231T235959`"))?, value)),
            _ => rule.set(name, value)?,
        }
    }
    rule.frequency = frequency.ok_or_else(|| body.error("the rule has no FREQ").expected("FREQ=DAILY, HOURLY, WEEKLY, …"))?;
    if let Some((until, piece)) = until {
        if start.is_some_and(|start| start.zoned != until.zoned) {
            return Err(piece.error("DTSTART and UNTIL must both be in UTC or a zone (UNTIL with `Z`), or both without"));
        }
        rule.until = Some(until.wall);
    }
    rule.complete().map_err(|error| if error.offset.is_none() { error.at(body.at) } else { error })
}

fn read_frequency(value: Piece<'_>) -> Result<Frequency, Error> {
    let names = || FREQUENCIES.iter().map(|(name, _)| *name);
    FREQUENCIES.iter().find(|(name, _)| *name == value.text).map(|(_, frequency)| *frequency).ok_or_else(|| {
        let error = value.error("unknown FREQ").expected(names().collect::<Vec<_>>().join(", "));
        match zone::nearest(value.text, names()) {
            Some(near) => error.suggestion(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

fn integer(piece: Piece<'_>) -> Result<i64, Error> {
    piece.text.parse::<i64>().map_err(|_| piece.error("not a whole number"))
}

/// Sorted, no doubles. Numbers beyond any calendar are kept in range, where they match nothing.
fn integers(value: Piece<'_>) -> Result<Vec<i32>, Error> {
    let mut numbers = value
        .split(',')
        .map(|piece| Ok(integer(piece)?.clamp(i32::MIN.into(), i32::MAX.into()) as i32))
        .collect::<Result<Vec<i32>, Error>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

impl Recurrence {
    fn new(start: DateTime) -> Self {
        Self {
            frequency: Frequency::Yearly,
            interval: 1,
            start,
            count: None,
            until: None,
            week_start: 0,
            months: Vec::new(),
            week_numbers: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            easter: Vec::new(),
            hours: None,
            minutes: None,
            seconds: None,
            positions: Vec::new(),
            impossible: Vec::new(),
            end_of_count: OnceLock::new(),
        }
    }

    fn set(&mut self, name: Piece<'_>, value: Piece<'_>) -> Result<(), Error> {
        match name.text {
            "INTERVAL" => {
                self.interval = integer(value)?;
                // No two slots further apart than this lie within the calendar.
                if !(1..=400_000_000_000).contains(&self.interval) {
                    return Err(value.error("INTERVAL is out of range").expected("1 or more"));
                }
            }
            "COUNT" => self.count = Some(integer(value)?.max(0) as u64),
            "WKST" => self.week_start = weekday(value.text).ok_or_else(|| value.error("unknown weekday").expected(WEEKDAYS.join(", ")))?,
            "BYSETPOS" => {
                self.positions = integers(value)?;
                if self.positions.iter().any(|position| *position == 0 || position.unsigned_abs() > 366) {
                    return Err(value.error("BYSETPOS is out of range").expected("1 to 366, or -366 to -1"));
                }
            }
            "BYMONTH" => self.months = self.possible(name, value, 1, 12)?,
            "BYMONTHDAY" => self.month_days = self.possible(name, value, -31, 31)?,
            "BYYEARDAY" => self.year_days = self.possible(name, value, -366, 366)?,
            "BYWEEKNO" => self.week_numbers = self.possible(name, value, -53, 53)?,
            "BYEASTER" => self.easter = self.possible(name, value, -400, 400)?,
            "BYDAY" | "BYWEEKDAY" => {
                self.weekdays = value.split(',').map(read_weekday).collect::<Result<_, _>>()?;
                self.weekdays.sort_unstable();
                self.weekdays.dedup();
            }
            "BYHOUR" => self.hours = Some(self.clock(name, value, 24)? as u32),
            "BYMINUTE" => self.minutes = Some(self.clock(name, value, 60)?),
            "BYSECOND" => self.seconds = Some(self.clock(name, value, 60)?),
            _ => {
                let error = name.error("unknown rule part").expected(PARTS.join(", "));
                return Err(match zone::nearest(name.text, PARTS.into_iter()) {
                    Some(near) => error.suggestion(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
        }
        Ok(())
    }

    /// Calendar numbers, noting those that no calendar has. They stay in the list, where they match nothing.
    fn possible(&mut self, name: Piece<'_>, value: Piece<'_>, low: i32, high: i32) -> Result<Vec<i32>, Error> {
        let numbers = integers(value)?;
        let zero_day = name.text != "BYEASTER" && numbers.contains(&0);
        if zero_day && name.text == "BYMONTHDAY" && numbers.len() == 1 {
            return Err(value.error("there is no day 0 of a month").expected("1 to 31, or -31 to -1 from its end"));
        }
        for number in &numbers {
            if !(low..=high).contains(number) || zero_day && *number == 0 {
                self.impossible.push(format!("{}={number}", name.text));
            }
        }
        Ok(numbers)
    }

    /// Clock numbers as bits; those no clock has are noted and dropped. Whether that is an error depends on FREQ (`complete`).
    fn clock(&mut self, name: Piece<'_>, value: Piece<'_>, base: i32) -> Result<u64, Error> {
        let mut bits = 0;
        for number in integers(value)? {
            if (0..base).contains(&number) {
                bits |= 1u64 << number;
            } else {
                self.impossible.push(format!("{}={number}", name.text));
            }
        }
        Ok(bits)
    }

    /// Checks what only the whole rule shows, and fills in what DTSTART implies.
    fn complete(mut self) -> Result<Self, Error> {
        self.check_clock()?;
        let frequency = self.frequency;
        let free = self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty()
            && self.easter.is_empty();
        if free && frequency == Frequency::Yearly && self.months.is_empty() {
            self.months = vec![self.start.month().into()];
        }
        if free && frequency <= Frequency::Monthly {
            self.month_days = vec![self.start.day().into()];
        }
        if free && frequency == Frequency::Weekly {
            self.weekdays = vec![(self.start.weekday().to_monday_zero_offset(), 0)];
        }
        if frequency > Frequency::Monthly {
            // "The second Tuesday" has no meaning within a week or a day; dateutil reads it as "Tuesday".
            self.weekdays.iter_mut().for_each(|(_, nth)| *nth = 0);
            self.weekdays.dedup();
        }
        if frequency < Frequency::Hourly {
            self.hours = self.hours.or(Some(1 << self.start.hour()));
        }
        if frequency < Frequency::Minutely {
            self.minutes = self.minutes.or(Some(1 << self.start.minute()));
        }
        if frequency < Frequency::Secondly {
            self.seconds = self.seconds.or(Some(1 << self.start.second()));
        }
        if self.count.is_some_and(|count| count > MOST_COUNT) && !self.is_plain_step() {
            return Err(Error::new("COUNT is too large for a rule with BY… parts").expected(format!("at most {MOST_COUNT}")));
        }
        Ok(self)
    }

    /// Refuses, as Prefect does, clock numbers out of range for FREQ=DAILY and longer, and sets that INTERVAL can never meet.
    fn check_clock(&self) -> Result<(), Error> {
        let clock = self.impossible.iter().find(|text| ["BYHOUR", "BYMINUTE", "BYSECOND"].iter().any(|name| text.starts_with(name)));
        if let Some(text) = clock.filter(|_| self.frequency < Frequency::Hourly) {
            return Err(Error::new("no clock shows this time")
                .found(text.as_str())
                .expected("hours 0 to 23, minutes and seconds 0 to 59 (a leap second :60 cannot be scheduled)"));
        }
        let (name, bits, start, base) = match self.frequency {
            Frequency::Hourly => ("BYHOUR", self.hours.map(u64::from), self.start.hour(), 24),
            Frequency::Minutely => ("BYMINUTE", self.minutes, self.start.minute(), 60),
            Frequency::Secondly => ("BYSECOND", self.seconds, self.start.second(), 60),
            _ => return Ok(()),
        };
        let Some(bits) = bits else { return Ok(()) };
        let stride = greatest_common_divisor(self.interval, base);
        let meets = (0..base).any(|value| bits >> value & 1 == 1 && (value - i64::from(start)).rem_euclid(stride) == 0);
        if meets || clock.is_some_and(|text| text.starts_with(name)) {
            return Ok(());
        }
        Err(Error::new(format!("INTERVAL={} never meets {name} from a start at {start}, so the rule would never fire", self.interval)))
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn weekday(text: &str) -> Option<i8> {
    WEEKDAYS.iter().position(|name| *name == text).map(|at| at as i8)
}

/// `MO`, `+1MO`, `-2FR`, `TH(+1)`.
fn read_weekday(piece: Piece<'_>) -> Result<(i8, i32), Error> {
    let bad = || piece.error("not a weekday").expected("MO to SU, with a number in front like `2TU` or `-1FR` if counted");
    let (name, number) = match piece.text.split_once('(') {
        Some((name, number)) => (name, Some(number.strip_suffix(')').ok_or_else(bad)?)),
        None => {
            let at = piece.text.find(|letter: char| !matches!(letter, '+' | '-' | '0'..='9')).ok_or_else(bad)?;
            (&piece.text[at..], (at > 0).then_some(&piece.text[..at]))
        }
    };
    let day = weekday(name).ok_or_else(bad)?;
    match number.map(str::parse::<i32>) {
        None => Ok((day, 0)),
        Some(Ok(nth)) if nth != 0 => Ok((day, nth)),
        Some(_) => Err(bad()),
    }
}
