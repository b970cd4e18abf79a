//! Rules -> the one canonical text. Frozen: schedule keys are made of it. Reading it back gives the same set.

use super::{Frequency, Recurrence, RecurrenceSet};
use jiff::civil::DateTime;
use std::fmt::Display;

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl RecurrenceSet {
    /// DTSTART always, then rules, dates and exceptions, each kind sorted, joined by blanks. What DTSTART implies is written out.
    pub fn canonical(&self) -> String {
        let mut parts = vec![format!("DTSTART:{}", digits(self.start))];
        for (name, rules) in [("RRULE", &self.rules), ("EXRULE", &self.exceptions)] {
            let mut lines: Vec<String> = rules.iter().map(|rule| format!("{name}:{}", rule.canonical())).collect();
            lines.sort_unstable();
            lines.dedup();
            parts.extend(lines);
        }
        for (name, dates) in [("RDATE", &self.dates), ("EXDATE", &self.except_dates)] {
            if !dates.is_empty() {
                parts.push(format!("{name}:{}", join(dates.iter().map(|date| digits(*date)))));
            }
        }
        parts.join(" ")
    }
}

impl Recurrence {
    fn canonical(&self) -> String {
        let mut parts = vec![format!("FREQ={}", self.frequency.name())];
        let mut add = |name: &str, value: Option<String>| parts.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{name}={value}")));
        let counted = |numbers: &[i32]| Some(join(numbers.iter()));
        add("INTERVAL", (self.interval != 1).then(|| self.interval.to_string()));
        add("COUNT", self.count.map(|count| count.to_string()));
        add("UNTIL", self.until.map(digits));
        add("WKST", (self.week_start != 0 && self.week_start_matters()).then(|| WEEKDAYS[self.week_start as usize].to_owned()));
        add("BYMONTH", counted(&self.months));
        add("BYWEEKNO", counted(&self.week_numbers));
        add("BYYEARDAY", counted(&self.year_days));
        add("BYMONTHDAY", counted(&self.month_days));
        add("BYEASTER", counted(&self.easter));
        add("BYDAY", Some(join(self.weekdays.iter().map(|(day, nth)| match nth {
            0 => WEEKDAYS[*day as usize].to_owned(),
            nth => format!("{nth}{}", WEEKDAYS[*day as usize]),
        }))));
        // A set of impossible numbers is empty, and empty is not "unrestricted": 99 stands for it.
        let bits = |set: Option<u64>| set.map(|set| if set == 0 { "99".to_owned() } else { join((0..64).filter(|at| set >> at & 1 == 1)) });
        add("BYHOUR", bits(self.hours.map(u64::from)));
        add("BYMINUTE", bits(self.minutes));
        add("BYSECOND", bits(self.seconds));
        add("BYSETPOS", counted(&self.positions));
        parts.join(";")
    }

    /// The start of the week is seen only by weekly steps and week numbers.
    fn week_start_matters(&self) -> bool {
        self.frequency == Frequency::Weekly && (self.interval > 1 || !self.positions.is_empty()) || !self.week_numbers.is_empty()
    }
}

impl Frequency {
    pub fn name(self) -> &'static str {
        match self {
            Frequency::Yearly => "YEARLY",
            Frequency::Monthly => "MONTHLY",
            Frequency::Weekly => "WEEKLY",
            Frequency::Daily => "DAILY",
            Frequency::Hourly => "HOURLY",
            Frequency::Minutely => "MINUTELY",
            Frequency::Secondly => "SECONDLY",
        }
    }
}

fn join(items: impl Iterator<Item = impl Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

fn digits(wall: DateTime) -> String {
    wall.strftime("%Y%m%dT%H%M%S").to_string()
}
