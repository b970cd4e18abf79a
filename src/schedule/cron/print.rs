//! Sets -> the one canonical cron text. Frozen: schedule keys are made of it.

use super::{Cron, EVERY_DAY, EVERY_HOUR, EVERY_MONTH, EVERY_SIXTIETH, EVERY_WEEK, LAST_WEEK};

impl Cron {
    /// Five fields, six where seconds are not just 0, seven where years are named; numbers only, Sunday 0, runs of three or
    /// more as `a-b`. Reading it back gives the same rule (with `day_or` false exactly when `both_days` is true).
    pub fn canonical(&self) -> String {
        let mut fields = vec![
            set(self.minutes, EVERY_SIXTIETH),
            set(self.hours.into(), EVERY_HOUR.into()),
            self.month_days(),
            set(self.months.into(), EVERY_MONTH.into()),
            self.weekdays(),
        ];
        if self.seconds != 1 || self.years.is_some() {
            fields.push(set(self.seconds, EVERY_SIXTIETH));
        }
        if let Some(years) = &self.years {
            fields.push(list(years.iter().map(|year| *year as u32)));
        }
        fields.join(" ")
    }

    /// Whether day of month and day of week are both restricted and must both hold (`day_or: false`).
    pub fn both_days(&self) -> bool {
        !self.days.either && !self.days.every_month_day() && !self.days.every_weekday()
    }

    fn month_days(&self) -> String {
        let mut days = self.days.month_days;
        if !self.days.last_day {
            return set(days.into(), EVERY_DAY.into());
        }
        days &= !(1 << 31);
        if days == 0 { "L".to_owned() } else { format!("{},L", set(days.into(), 0)) }
    }

    fn weekdays(&self) -> String {
        if !self.days.counts_weeks() {
            let days = (0..7).filter(|day| self.days.weekdays[*day] != 0).fold(0u64, |bits, day| bits | 1 << day);
            return set(days, 0x7f);
        }
        let mut parts = Vec::new();
        for (day, mask) in self.days.weekdays.iter().enumerate() {
            let weeks = if mask & LAST_WEEK != 0 { mask & (EVERY_WEEK >> 1) } else { mask & EVERY_WEEK };
            parts.extend((0..5).filter(|week| weeks >> week & 1 == 1).map(|week| format!("{day}#{}", week + 1)));
            if mask & LAST_WEEK != 0 {
                parts.push(format!("L{day}"));
            }
        }
        parts.join(",")
    }
}

fn set(bits: u64, every: u64) -> String {
    if bits == every { "*".to_owned() } else { list((0..64).filter(|at| bits >> at & 1 == 1)) }
}

/// Ascending numbers, runs of three or more as a range.
pub(super) fn list(values: impl Iterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == value => *end = value,
            _ => runs.push((value, value)),
        }
    }
    let text: Vec<String> = runs
        .into_iter()
        .map(|(from, to)| match to - from {
            0 => from.to_string(),
            1 => format!("{from},{to}"),
            _ => format!("{from}-{to}"),
        })
        .collect();
    text.join(",")
}
