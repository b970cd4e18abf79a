//! Cron text -> sets. Accepts what Prefect's validator accepts: 5 fields, a sixth for seconds, a seventh for years,
//! names, lists, steps, ranges that wrap (`22-4`), `x-x` for the whole cycle, `?`, `L`, `L5`, `5#2`, nicknames; any case.
//! Refuses the random and hashed forms (`R`, `H`, `R/5`), which would move with every parse.

use super::{Cron, Days, EVERY_DAY, EVERY_WEEK, LAST_WEEK};
use crate::schedule::error::Error;
use std::sync::OnceLock;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const NICKNAMES: [(&str, &str); 7] = [
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
/// Longer text is refused before any work is done on it.
const LONGEST: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
    Second,
    Year,
}

/// In the order in which they are written.
const KINDS: [Kind; 7] =
    [Kind::Minute, Kind::Hour, Kind::Day, Kind::Month, Kind::Weekday, Kind::Second, Kind::Year];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Minute => "minute",
            Kind::Hour => "hour",
            Kind::Day => "day of month",
            Kind::Month => "month",
            Kind::Weekday => "day of week",
            Kind::Second => "second",
            Kind::Year => "year",
        }
    }

    fn bounds(self) -> (u32, u32) {
        match self {
            Kind::Minute | Kind::Second => (0, 59),
            Kind::Hour => (0, 23),
            Kind::Day => (1, 31),
            Kind::Month => (1, 12),
            Kind::Weekday => (0, 6),
            Kind::Year => (1970, 2099),
        }
    }

    fn named(self, text: &str) -> Option<u32> {
        match self {
            Kind::Month => MONTHS.iter().position(|name| *name == text).map(|at| at as u32 + 1),
            Kind::Weekday => WEEKDAYS.iter().position(|name| *name == text).map(|at| at as u32),
            _ => None,
        }
    }

    fn expected(self, fields: usize) -> String {
        let (low, high) = self.bounds();
        match self {
            Kind::Day => "1 to 31, or L for the last day".to_owned(),
            Kind::Month => "1 to 12, or jan to dec".to_owned(),
            Kind::Weekday if fields == 5 => "0 to 7 (0 and 7 are Sunday), or sun to sat".to_owned(),
            Kind::Weekday => "0 to 6 (0 is Sunday), or sun to sat".to_owned(),
            Kind::Second => "0 to 59 (a leap second :60 cannot be scheduled)".to_owned(),
            _ => format!("{low} to {high}"),
        }
    }

    /// Croniter's aliases: 7 is Sunday with five fields; day of month 0 is 1 with six.
    fn alias(self, value: u32, fields: usize) -> u32 {
        match (self, value, fields) {
            (Kind::Weekday, 7, 5) => 0,
            (Kind::Day, 0, 6) => 1,
            _ => value,
        }
    }
}

/// The values of one field, as offsets from its lowest value (130 years need three words).
#[derive(Default)]
struct Field {
    bits: [u64; 3],
    star: bool,
    last: bool,
    /// Weekdays with the weeks of the month that they are wanted in.
    weeks: [u8; 7],
}

impl Field {
    fn insert(&mut self, offset: u32) {
        self.bits[offset as usize / 64] |= 1 << (offset % 64);
    }

    fn len(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum::<u32>() + u32::from(self.last)
    }
}

/// One comma-separated element with what is needed to judge and report it.
struct Element<'a> {
    kind: Kind,
    text: &'a str,
    offset: usize,
    fields: usize,
}

impl Cron {
    /// Reads a cron expression; `day_or` decides whether a day of month beside a day of week is OR (cron) or AND.
    pub fn parse(expression: &str, day_or: bool) -> Result<Self, Error> {
        if expression.len() > LONGEST {
            return Err(Error::new("the cron expression is too long")
                .found(format!("{} bytes", expression.len()))
                .expected(format!("at most {LONGEST}")));
        }
        let lowered = expression.to_ascii_lowercase();
        if let Some((_, meaning)) = NICKNAMES.iter().find(|(name, _)| *name == lowered) {
            return Self::from_columns(&columns(meaning), day_or);
        }
        let columns = columns(&lowered);
        if !(5..=7).contains(&columns.len()) {
            return Err(wrong_count(expression, &columns));
        }
        Self::from_columns(&columns, day_or)
    }

    fn from_columns(columns: &[(usize, &str)], day_or: bool) -> Result<Self, Error> {
        let count = columns.len();
        let mut fields: Vec<Field> = Vec::with_capacity(7);
        for (kind, (offset, text)) in KINDS.into_iter().zip(columns) {
            fields.push(parse_field(kind, text, *offset, count)?);
        }
        let weekday_at = columns[4];
        check_weeks(&fields[4], weekday_at)?;
        let days = days(&fields[2], &fields[4], columns[2].1, weekday_at.1, day_or);
        let whole = |field: &Field, width: u32| if field.star { (1 << width) - 1 } else { field.bits[0] };
        let years = fields.get(6).filter(|field| !field.star && field.len() < 130).map(|field| {
            (0..130u32).filter(|at| field.bits[*at as usize / 64] >> (at % 64) & 1 == 1).map(|at| 1970 + at as i16).collect()
        });
        Ok(Self {
            seconds: fields.get(5).map_or(1, |field| whole(field, 60)),
            minutes: whole(&fields[0], 60),
            hours: whole(&fields[1], 24) as u32,
            months: (whole(&fields[3], 12) << 1) as u16,
            days,
            years,
            compiled: OnceLock::new(),
        })
    }
}

fn columns(text: &str) -> Vec<(usize, &str)> {
    text.split_ascii_whitespace().map(|column| (column.as_ptr() as usize - text.as_ptr() as usize, column)).collect()
}

fn wrong_count(expression: &str, columns: &[(usize, &str)]) -> Error {
    let error = Error::new("a cron expression has 5 fields, 6 with seconds or 7 with years, or is a nickname");
    match columns {
        [(at, "@reboot")] => Error::new("`@reboot` names no instant").found("@reboot").at(*at).suggestion("use an interval or a cron expression"),
        [(at, one)] if NICKNAMES.iter().any(|(name, _)| name == one) => {
            Error::new("a nickname stands alone").found(expression).at(*at).suggestion("remove the blanks around it")
        }
        [(at, one)] if one.starts_with('@') => {
            let known: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
            let error = Error::new("unknown nickname").found(*one).at(*at).expected(known.join(", "));
            match super::super::zone::nearest(one, known.iter().copied()) {
                Some(near) => error.suggestion(format!("did you mean `{near}`?")),
                None => error,
            }
        }
        [] => error.found(expression).suggestion("for example `0 9 * * 1-5`: minute, hour, day of month, month, day of week"),
        _ => error.found(format!("{} fields", columns.len())),
    }
}

fn parse_field(kind: Kind, text: &str, offset: usize, fields: usize) -> Result<Field, Error> {
    let mut field = Field::default();
    if text.contains('?') {
        let allowed = matches!(kind, Kind::Day | Kind::Weekday);
        if text != "?" || !allowed {
            return Err(Error::new("`?` stands alone, and only for day of month or day of week").found(text).at(offset));
        }
        field.star = true;
        return Ok(field);
    }
    if random_or_hashed(text) {
        return Err(Error::new("random (`R`) and hashed (`H`) fields are not supported: they would name other instants at every reading")
            .found(text)
            .at(offset)
            .expected(kind.expected(fields))
            .suggestion("write a fixed number, and spread load with `spread` or `jitter`"));
    }
    let mut at = offset;
    for piece in text.split(',') {
        Element { kind, text: piece, offset: at, fields }.add_to(&mut field)?;
        at += piece.len() + 1;
    }
    Ok(field)
}

/// `h`, `r`, with an optional `(1-5)` and `/5`.
fn random_or_hashed(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['h', 'r']) else { return false };
    rest.is_empty() || rest.starts_with(['(', '/'])
}

impl Element<'_> {
    fn error(&self, problem: &str) -> Error {
        Error::new(format!("the {} field cannot be read: {problem}", self.kind.name()))
            .found(self.text)
            .at(self.offset)
            .expected(self.kind.expected(self.fields))
    }

    fn add_to(&self, field: &mut Field) -> Result<(), Error> {
        if self.kind == Kind::Weekday {
            if let Some((days, week)) = self.text.split_once('#') {
                return self.add_week_of_month(field, days, week);
            }
            if let Some(digits) = self.text.strip_prefix('l').filter(|digits| is_number(digits)) {
                let day = self.single(digits)?;
                field.insert(day);
                field.weeks[day as usize] |= LAST_WEEK;
                return Ok(());
            }
        }
        if self.text == "*" {
            field.star = true;
        } else if self.kind == Kind::Day && self.text == "l" {
            field.last = true;
        } else if self.text.contains(['-', '/']) {
            for value in self.range(self.text)? {
                field.insert(value);
            }
        } else {
            let value = self.single(self.text)?;
            field.insert(value);
        }
        Ok(())
    }

    /// `5#2`, `fri#2`, `mon-fri#1`: only in that week of the month. Ranges of numbers are refused, as Prefect does.
    fn add_week_of_month(&self, field: &mut Field, days: &str, week: &str) -> Result<(), Error> {
        let nth = match week.trim_start_matches('0') {
            "1" | "2" | "3" | "4" | "5" if is_number(week) => week.trim_start_matches('0').as_bytes()[0] - b'1',
            _ => return Err(self.error("the week of the month after `#` is not 1 to 5")),
        };
        let chosen = match days.split_once('-') {
            Some((from, to)) if self.kind.named(from).is_some() && self.kind.named(to).is_some() => self.range(days)?,
            Some(_) => return Err(self.error("a range before `#` is written with names, like `mon-fri#1`")),
            None => vec![self.single(days)?],
        };
        for day in chosen {
            field.insert(day);
            field.weeks[day as usize] |= 1 << nth;
        }
        Ok(())
    }

    /// A number or name, alias applied, not yet checked against the field's bounds.
    fn band(&self, text: &str) -> Result<u32, Error> {
        if is_number(text) {
            let value = text.trim_start_matches('0');
            if value.len() > 4 {
                return Err(self.error("the number is out of range"));
            }
            return Ok(self.kind.alias(value.parse().unwrap_or(0), self.fields));
        }
        self.kind.named(text).ok_or_else(|| self.error(if text.is_empty() { "a value is missing" } else { "not a value of this field" }))
    }

    /// One value as an offset from the field's lowest.
    fn single(&self, text: &str) -> Result<u32, Error> {
        let (low, high) = self.kind.bounds();
        let value = self.band(text)?;
        if !(low..=high).contains(&value) {
            return Err(self.error("the value is out of range"));
        }
        Ok(value - low)
    }

    /// `a-b`, `a-b/s`, `a/s`, `*/s` as offsets. A range may wrap; `x-x` is the whole cycle.
    fn range(&self, text: &str) -> Result<Vec<u32>, Error> {
        let (low, high) = self.kind.bounds();
        let (bands, step) = match text.rsplit_once('/') {
            Some((bands, step)) => (bands, Some(self.step(step)?)),
            None => (text, None),
        };
        let (from, to) = match bands.split_once('-') {
            Some((from, "l")) if self.kind == Kind::Day => (self.band(from)?, high),
            Some((from, to)) => (self.band(from)?, self.band(to)?),
            None if bands == "*" => (low, high),
            None => (self.band(bands)?, high),
        };
        if from.max(to) > high {
            return Err(self.error("the range ends out of range"));
        }
        let step = step.unwrap_or(1);
        let values: Vec<u32> = if from == to {
            (low..=high).step_by(step).collect()
        } else if from < to {
            (from..=to).step_by(step).collect()
        } else {
            wrapped(from, to, low, high, step)
        };
        if values.iter().any(|value| *value < low) {
            return Err(self.error("the range starts out of range"));
        }
        Ok(values.into_iter().map(|value| value - low).collect())
    }

    fn step(&self, text: &str) -> Result<usize, Error> {
        if !is_number(text) {
            return Err(self.error("the step after `/` is not a whole number"));
        }
        match text.trim_start_matches('0') {
            "" => Err(self.error("a step of 0 never advances")),
            digits => Ok(digits.parse().unwrap_or(usize::MAX / 2)),
        }
    }
}

/// `from` up to the top, then on from the bottom to `to`; where the step would land past the top, the overshoot is carried over.
fn wrapped(from: u32, to: u32, low: u32, high: u32, step: usize) -> Vec<u32> {
    let mut values: Vec<u32> = (from..=high).step_by(step).collect();
    let mut skip = 0;
    if let Some(&end) = values.last().filter(|end| **end >= low) {
        let (short, position, width) = ((high - end) as usize, (end - low) as usize, (high - low + 1) as usize);
        if position.saturating_add(step) > width && short < step {
            skip = step - short;
        }
    }
    let start = (low as usize).saturating_add(skip);
    if start <= to as usize {
        values.extend((start as u32..=to).step_by(step));
    }
    values
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Plain weekdays beside counted ones (`1#2,3`) are refused: which of the two the 3 belongs to is anyone's guess.
fn check_weeks(field: &Field, (offset, text): (usize, &str)) -> Result<(), Error> {
    let counted = field.weeks.iter().any(|mask| *mask != 0);
    let plain = (0..7).any(|day| field.bits[0] >> day & 1 == 1 && field.weeks[day as usize] == 0);
    if counted && plain && field.len() + u32::from(field.star) != 7 {
        return Err(Error::new("day of week mixes plain days with `#` or `L` days")
            .found(text)
            .at(offset)
            .suggestion("write every week of the plain day, like `3#1,3#2,3#3,3#4,3#5`, or use two schedules"));
    }
    Ok(())
}

/// Joins the two day fields. A field that covers everything is a star only where the other's text has a star (croniter).
fn days(month_day: &Field, weekday: &Field, month_day_text: &str, weekday_text: &str, day_or: bool) -> Days {
    let counted = weekday.weeks.iter().any(|mask| *mask != 0);
    let month_day_star = month_day.star || month_day.len() == 31 && weekday_text.contains('*');
    let weekday_star = weekday.star || weekday.len() == 7 && month_day_text.contains('*');
    let weekdays = if counted {
        weekday.weeks
    } else if weekday_star {
        [EVERY_WEEK; 7]
    } else {
        std::array::from_fn(|day| if weekday.bits[0] >> day & 1 == 1 { EVERY_WEEK } else { 0 })
    };
    Days {
        month_days: if month_day_star { EVERY_DAY } else { (month_day.bits[0] << 1) as u32 },
        last_day: !month_day_star && month_day.last,
        weekdays,
        either: day_or && !month_day_star && !weekday_star,
    }
    .canonical()
}
