//! Fires as a calendar: iCalendar text (RFC 5545). Pure, and deterministic: the same fires give the same bytes.
//!
//! An event's UID is its run's id, and its stamp the last change of its schedule, so that a calendar that is written again
//! changes only where the schedules did.
use super::wire::Fire;
use jiff::Timestamp;

/// Lines are no longer than this many octets, the end aside (section 3.1).
const LONGEST_LINE: usize = 75;

/// The whole calendar. Lines end with CR LF.
pub fn of(fires: &[Fire]) -> String {
    let mut text = String::new();
    let mut line = |content: String| fold(&content, &mut text);
    line("BEGIN:VCALENDAR".to_owned());
    line("VERSION:2.0".to_owned());
    line("PRODID:-//reeve//reeve//EN".to_owned());
    line("CALSCALE:GREGORIAN".to_owned());
    for fire in fires {
        line("BEGIN:VEVENT".to_owned());
        line(format!("UID:{}", fire.id));
        line(format!("DTSTAMP:{}", utc(fire.updated)));
        line(format!("DTSTART:{}", utc(fire.start)));
        line(format!("SUMMARY:{}", escaped(&fire.deployment)));
        line(format!("DESCRIPTION:{}", escaped(&fire.words)));
        // It takes nobody's time (section 3.8.2.7).
        line("TRANSP:TRANSPARENT".to_owned());
        line("END:VEVENT".to_owned());
    }
    line("END:VCALENDAR".to_owned());
    text
}

/// `20261121T090000Z`: whole seconds, the form has no others.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// TEXT as section 3.3.11 has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\n' => escaped += "\\n",
            '\r' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Adds a content line, cut where it is too long: what follows goes on after CR LF and a space. No character is cut apart.
fn fold(content: &str, text: &mut String) {
    let mut length = 0;
    for character in content.chars() {
        if length + character.len_utf8() > LONGEST_LINE {
            *text += "\r\n ";
            length = 1;
        }
        text.push(character);
        length += character.len_utf8();
    }
    *text += "\r\n";
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_calendar_is_escaped_folded_and_the_same_each_time() {
        let at: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let fire = Fire {
            id: Uuid::from_u128(7),
            at,
            start: "2026-11-21T09:00:12.345Z".parse().unwrap(),
            deployment: "etl/daily; the \\big, one".to_owned(),
            words: format!("{}, Europe/Berlin\nand more", "ä".repeat(80)),
            updated: "2026-11-01T00:00:00Z".parse().unwrap(),
        };
        let text = of(std::slice::from_ref(&fire));
        assert_eq!(text, of(&[fire]));
        assert!(text.ends_with("END:VCALENDAR\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        assert!(text.lines().all(|line| line.len() <= LONGEST_LINE), "{text}");
        let unfolded = text.replace("\r\n ", "");
        for line in [
            "UID:00000000-0000-0000-0000-000000000007",
            "DTSTAMP:20261101T000000Z",
            "DTSTART:20261121T090012Z",
            "SUMMARY:etl/daily\\; the \\\\big\\, one",
        ] {
            assert!(unfolded.lines().any(|found| found == line), "{line} is not in\n{unfolded}");
        }
        assert!(unfolded.contains(&format!("DESCRIPTION:{}\\, Europe/Berlin\\nand more", "ä".repeat(80))));
    }
}
