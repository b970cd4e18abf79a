//! The date of Easter Sunday (Gregorian computus). Nothing but that.

use jiff::civil::Date;

/// Western Easter of a year, by the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8).
pub(super) fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (golden, century, rest) = (y % 19, y / 100, y % 100);
    let shift = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - shift + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    let day = epact + weekday - 7 * correction + 114;
    Date::new(year, (day / 31) as i8, (day % 31 + 1) as i8).ok()
}

#[cfg(test)]
mod tests {
    use super::easter;
    use jiff::civil::date;

    #[test]
    fn known_sundays() {
        for day in [date(1818, 3, 22), date(2000, 4, 23), date(2024, 3, 31), date(2025, 4, 20), date(2038, 4, 25), date(2100, 3, 28)] {
            assert_eq!(easter(day.year()), Some(day));
        }
    }
}
