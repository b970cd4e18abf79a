//! Calendar files as tables: the lines of events, and what they come to.
use super::*;
use proptest::prelude::*;

/// The periods and remarks of a calendar with these lines in it.
fn read(lines: &str) -> Vec<String> {
    let Calendar { periods, remarks } = read_calendar(&format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", lines.replace('\n', "\r\n")));
    let mut shown: Vec<String> = periods
        .iter()
        .map(|period| match &period.name {
            Some(name) => format!("{} {name}", period.span),
            None => period.span.to_string(),
        })
        .collect();
    if shown.len() > 6 {
        let cut = shown.len();
        shown.drain(3..cut - 1);
        shown.insert(3, format!("({cut} in all)"));
    }
    shown.extend(remarks.iter().map(|remark| format!("{}: {}{}", remark.line, if remark.is_error { "" } else { "warning: " }, remark.message)));
    shown
}

fn event(lines: &str) -> Vec<String> {
    read(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT"))
}

#[test]
fn one_event_is_one_period() {
    for (lines, expected) in [
        ("DTSTART;VALUE=DATE:20261224\nSUMMARY:Christmas Eve", "2026-12-24 Christmas Eve"),
        ("DTSTART:20261224", "2026-12-24"),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Christmas", "2026-12-24/2026-12-26 Christmas"),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261224", "2026-12-24"),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P1W", "2026-12-24/2026-12-30"),
        ("DTSTART:20261224T120000\nDTEND:20261225T080000", "2026-12-24T12:00/2026-12-25T08:00"),
        ("DTSTART:20261224T120000Z\nDTEND:20261224T130000Z", "2026-12-24T12:00:00Z/2026-12-24T13:00:00Z"),
        ("DTSTART;TZID=Europe/Berlin:20261224T120000\nDURATION:PT1H30M", "2026-12-24T11:00:00Z/2026-12-24T12:30:00Z"),
        ("DTSTART;TZID=\"/example.org/1/Europe/Berlin\":20261224T120000\nDURATION:PT1H", "2026-12-24T11:00:00Z/2026-12-24T12:00:00Z"),
        ("DTSTART;TZID=Europe/Berlin:20261224T120000\nDTEND;TZID=America/New_York:20261224T120000", "2026-12-24T11:00:00Z/2026-12-24T17:00:00Z"),
        // A day is a day of the clock, 24 hours are 24 hours.
        ("DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:P1D", "2027-03-27T11:00:00Z/2027-03-28T10:00:00Z"),
        ("DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:PT25H", "2027-03-27T11:00:00Z/2027-03-28T12:00:00Z"),
        ("dtstart;value=date:20261224\nsummary:Nikolaus\\, Krampus\\n\n  und alle", "2026-12-24 Nikolaus, Krampus  und alle"),
        ("DTSTART;VALUE=DATE:20261224\nBEGIN:VALARM\nSUMMARY:no\nDTSTART:x\nEND:VALARM\nSUMMARY:yes", "2026-12-24 yes"),
    ] {
        assert_eq!(event(lines), [expected], "{lines}");
    }
}

#[test]
fn recurring_events_are_expanded() {
    for (lines, expected) in [
        ("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;COUNT=3", &["2026-12-24", "2027-12-24", "2028-12-24"][..]),
        ("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;UNTIL=20271224", &["2026-12-24", "2027-12-24"]),
        ("DTSTART;VALUE=DATE:19701224\nRRULE:FREQ=YEARLY", &["2025-12-24", "2026-12-24", "2027-12-24", "(22 in all)", "2046-12-24"]),
        // UNTIL in UTC, EXDATE on the event's clock; the clocks change in between.
        (
            "DTSTART;TZID=Europe/Berlin:20270326T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20270329T070000Z\nEXDATE;TZID=Europe/Berlin:20270327T090000",
            &["2027-03-26T08:00:00Z/2027-03-26T09:00:00Z", "2027-03-28T07:00:00Z/2027-03-28T08:00:00Z", "2027-03-29T07:00:00Z/2027-03-29T08:00:00Z"],
        ),
        ("DTSTART;VALUE=DATE:20261224\nRDATE;VALUE=DATE:20261231,20270106\nEXDATE;VALUE=DATE:20261224", &["2026-12-31", "2027-01-06"]),
        (
            "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY",
            &["2026-01-01", "2026-01-02", "2026-01-03", "(1000 in all)", "2028-09-26", "5: warning: the event recurs more than 1000 times; it is read up to 2028-09-26, and not from 2028-09-27 on"],
        ),
    ] {
        assert_eq!(event(lines), expected, "{lines}");
    }
}

#[test]
fn cancelled_and_moved_occurrences_are_left_out() {
    assert!(event("DTSTART:20261224\nSTATUS:CANCELLED").is_empty());
    let series = "BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;COUNT=3\nEND:VEVENT\n";
    let moved = "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20261208\nDTSTART;VALUE=DATE:20261209\nSUMMARY:moved\nEND:VEVENT\n";
    let cancelled = "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20261215\nDTSTART;VALUE=DATE:20261215\nSTATUS:CANCELLED\nEND:VEVENT";
    assert_eq!(read(&format!("{series}{moved}{cancelled}")), ["2026-12-01", "2026-12-09 moved"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    for (lines, expected) in [
        ("SUMMARY:x", "3: the event has no DTSTART"),
        ("DTSTART:2026-12-24", "4: `2026-12-24` is no date; expected `20261224`, `20261224T090000` or `20261224T090000Z`"),
        ("DTSTART:20260230", "4: `20260230` is no date; expected `20261224`, `20261224T090000` or `20261224T090000Z`"),
        ("DTSTART:20261224\nSUMMARY:a\n b\n c\nDTEND:20261223", "8: the event ends before it begins"),
        ("DTSTART;TZID=W. Europe Standard Time:20261224T090000", "4: unknown time zone: found `W. Europe Standard Time`, expected an IANA name like `Europe/Berlin`, or `UTC`"),
        ("DTSTART:20261224\nDURATION:long", "5: not an interval: found `long`, expected seconds (`900`), an ISO 8601 duration (`PT15M`) or `HH:MM:SS`"),
        ("DTSTART:20261224T090000Z", "4: warning: the event has no length and stands for no time; expected a DTEND or a DURATION"),
    ] {
        assert_eq!(event(lines), [expected], "{lines}");
    }
    let rule = event("DTSTART:20261224\nRRULE:FREQ=SOMETIMES");
    assert!(rule.len() == 1 && rule[0].starts_with("5: "), "{rule:?}");
    assert_eq!(read("BEGIN:VEVENT\nDTSTART:20261224"), ["3: the event has no end; expected a line `END:VEVENT`"]);
    assert_eq!(read_calendar("{}").remarks[0].message, "this is no calendar; expected `BEGIN:VCALENDAR` in its first line");
    assert_eq!(read_calendar("").remarks.len(), 1);
    assert!(read("BEGIN:VTODO\nDTSTART:never\nEND:VTODO").is_empty());
}

#[test]
fn events_and_remarks_are_bounded() {
    let bad = "BEGIN:VEVENT\nEND:VEVENT\n".repeat(1_000);
    assert_eq!(read_calendar(&format!("BEGIN:VCALENDAR\n{bad}")).remarks.len(), MOST_REMARKS);
    let daily = "BEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=DAILY;COUNT=1000\nEND:VEVENT\n".repeat(11);
    let calendar = read_calendar(&format!("BEGIN:VCALENDAR\n{daily}"));
    assert!(calendar.periods.is_empty());
    assert_eq!(calendar.remarks[0].message, "the calendar has more than 10000 spans of time up to here");
    assert!(read_calendar(&"x".repeat(MAXIMUM_BYTES + 1)).remarks[0].message.starts_with("the calendar has 4194305 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(lines in "((BEGIN|END):VEVENT\n|(DTSTART|DTEND|RRULE|EXDATE|DURATION|TZID=|;VALUE=DATE|FREQ=DAILY|COUNT=3|20261224|T090000|Z|[:;,=\n \"é0-9A-Z])){0,40}") {
        let calendar = read_calendar(&format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT"));
        prop_assert!(calendar.remarks.iter().all(|remark| remark.line > 0));
    }
}
