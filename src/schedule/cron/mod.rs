//! Cron rules: which wall-clock times match. The meaning is Prefect's (croniter's), minus two of its faults: a day of
//! month beyond the end of a short month never swallows days of the next month, and a day of month beside an `L` or `#`
//! day of week is a true OR. Knows wall clocks only; what they mean in a zone is `zone.rs`.
//!
//! `parse` turns text into numeric sets, `walls` lets the `cron` crate iterate those sets, `print` writes them back.

mod parse;
mod print;
mod walls;

use jiff::civil::Date;
use std::sync::OnceLock;

/// Bits of a weekday that count every occurrence of it in a month: first to fifth.
const EVERY_WEEK: u8 = 0b0001_1111;
/// The bit of a weekday's last occurrence in its month.
const LAST_WEEK: u8 = 0b0010_0000;
/// Bits 1 to 31.
const EVERY_DAY: u32 = 0xffff_fffe;
const EVERY_MONTH: u16 = 0b1_1111_1111_1110;
const EVERY_SIXTIETH: u64 = (1 << 60) - 1;
const EVERY_HOUR: u32 = (1 << 24) - 1;

/// Which dates match. Kept in one canonical shape, so that equal meaning is equal value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Days {
    /// Bit d: day d of the month.
    pub month_days: u32,
    /// The last day of the month, whatever its number.
    pub last_day: bool,
    /// By weekday (0 = Sunday): bits 0 to 4 its first to fifth occurrence in the month, bit 5 its last.
    pub weekdays: [u8; 7],
    /// Either of the two suffices (classic cron); otherwise both must hold.
    pub either: bool,
}

impl Days {
    /// Drops what says nothing: day 31 is always a last day, a fifth Monday always a last Monday, and an OR with "every
    /// day" is every day.
    fn canonical(mut self) -> Self {
        if self.last_day {
            self.month_days |= 1 << 31;
            if self.month_days >> 28 == 0b1111 {
                self.last_day = false;
            }
        }
        for mask in &mut self.weekdays {
            if *mask & LAST_WEEK != 0 {
                *mask |= 1 << 4;
                if *mask & EVERY_WEEK == EVERY_WEEK {
                    *mask = EVERY_WEEK;
                }
            }
        }
        if self.either && (self.every_month_day() || self.every_weekday()) {
            self.month_days = EVERY_DAY;
            self.last_day = false;
            self.weekdays = [EVERY_WEEK; 7];
        }
        if self.every_month_day() || self.every_weekday() {
            self.either = false;
        }
        self
    }

    pub fn every_month_day(&self) -> bool {
        self.month_days == EVERY_DAY
    }

    pub fn every_weekday(&self) -> bool {
        self.weekdays == [EVERY_WEEK; 7]
    }

    /// Whether some weekday is meant only in some weeks of its month (`5#2`, `L5`).
    pub fn counts_weeks(&self) -> bool {
        self.weekdays.iter().any(|&mask| mask != 0 && mask != EVERY_WEEK)
    }

    fn accepts(&self, date: Date) -> bool {
        let (day, length) = (date.day() as u32, date.days_in_month() as u32);
        let by_month_day = self.month_days >> day & 1 == 1 || self.last_day && day == length;
        let mask = self.weekdays[date.weekday().to_sunday_zero_offset() as usize];
        let by_weekday = mask >> ((day - 1) / 7) & 1 == 1 || mask & LAST_WEEK != 0 && day + 7 > length;
        if self.either { by_month_day || by_weekday } else { by_month_day && by_weekday }
    }
}

/// A parsed cron rule: explicit sets, and the `cron` crate's form of them, made when first asked for an instant.
#[derive(Debug)]
pub(crate) struct Cron {
    pub seconds: u64,
    pub minutes: u64,
    pub hours: u32,
    pub months: u16,
    pub days: Days,
    /// Ascending, 1970 to 2099; `None` = every year, without end.
    pub years: Option<Vec<i16>>,
    compiled: OnceLock<Vec<::cron::Schedule>>,
}
