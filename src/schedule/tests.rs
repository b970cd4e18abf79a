//! Golden tables (frozen texts) and properties that hold for every rule.

use super::zone::{self, Settled};
use super::{Every, Gap, Limits, Overlap, Period, Resolution, RuleSpec, Span, Spec, parse_interval};
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn cron(expression: &str) -> Spec {
    Spec::new(RuleSpec::Cron { expression: expression.into(), day_or: true }, None)
}

fn interval(text: &str) -> Spec {
    Spec::new(RuleSpec::Interval { every: parse_interval(text).expect(text), anchor: None }, None)
}

fn rrule(text: &str) -> Spec {
    Spec::new(RuleSpec::Rrule { text: text.into() }, None)
}

fn within(mut spec: Spec, timezone: &str) -> Spec {
    spec.timezone = Some(timezone.into());
    spec
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// Frozen: a changed line here renames the schedules of every store.
#[test]
fn normal_forms() {
    let table = [
        (cron("@daily"), "cron 0 0 * * * in UTC"),
        (cron("0 0 * * *"), "cron 0 0 * * * in UTC"),
        (cron("  00   0  ? * * "), "cron 0 0 * * * in UTC"),
        (cron("0 0 * * * 0"), "cron 0 0 * * * in UTC"),
        (cron("0 9 * * MON-fri"), "cron 0 9 * * 1-5 in UTC"),
        (within(cron("0 9 * * 5,4,3,2,1"), "Europe/Berlin"), "cron 0 9 * * 1-5 in Europe/Berlin"),
        (cron("0 0 * * 7"), "cron 0 0 * * 0 in UTC"),
        (cron("*/15 22-1 1,L * FRI#2,L1"), "cron 0,15,30,45 0,1,22,23 1,L * L1,5#2 in UTC"),
        (cron("0 0 1 1 * 30 2030-2028"), "cron 0 0 1 1 * 30 1970-2028,2030-2099 in UTC"),
        (cron("0 0 29-31,L * *"), "cron 0 0 29,30,L * * in UTC"),
        (Spec::new(RuleSpec::Cron { expression: "0 0 13 * fri".into(), day_or: false }, None), "cron 0 0 13 * 5 day_or=false in UTC"),
        (Spec::new(RuleSpec::Cron { expression: "0 0 * * fri".into(), day_or: false }, None), "cron 0 0 * * 5 in UTC"),
        (interval("PT15M"), "interval 900000000us from 2020-01-01T00:00:00Z in UTC"),
        (interval("900"), "interval 900000000us from 2020-01-01T00:00:00Z in UTC"),
        (interval("0:15:00"), "interval 900000000us from 2020-01-01T00:00:00Z in UTC"),
        (within(interval("86400"), "America/New_York"), "interval 86400000000us from 2020-01-01T05:00:00Z in America/New_York"),
        (rrule("freq=daily;interval=1;byhour=17,9,9"), "rrule DTSTART:20200101T000000 RRULE:FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0;BYSECOND=0 in UTC"),
        (
            rrule("RRULE:FREQ=WEEKLY;WKST=SU;BYDAY=we,MO\nDTSTART;TZID=Europe/Paris:20270104T083000"),
            "rrule DTSTART:20270104T083000 RRULE:FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=8;BYMINUTE=30;BYSECOND=0 in UTC",
        ),
        (cron("61 * * * *"), "unread cron 61 * * * * day_or=true in UTC"),
    ];
    for (spec, expected) in table {
        assert_eq!(spec.normal_form(), expected, "{spec:?}");
    }
}

#[test]
fn plain_words() {
    let table = [
        (within(cron("0 9 * * 1-5"), "Europe/Berlin"), "weekdays at 09:00, Europe/Berlin"),
        (cron("*/15 * * * *"), "every 15 minutes, UTC"),
        (cron("* * * * *"), "every minute, UTC"),
        (cron("* * * * * */10"), "every 10 seconds, UTC"),
        (cron("0 * * * *"), "every hour, UTC"),
        (cron("5 */6 * * *"), "every day at 00:05, 06:05, 12:05 and 18:05, UTC"),
        (cron("30 2 * * *"), "every day at 02:30, UTC"),
        (cron("*/10 9-17 * * 1-5"), "every 10 minutes from 09:00 to 17:50 on weekdays, UTC"),
        (cron("* 22-23 * * *"), "every minute from 22:00 to 23:59, UTC"),
        (cron("0,30 8,9,12 * * *"), "every day at 08:00, 08:30, 09:00, 09:30, 12:00 and 12:30, UTC"),
        (cron("0,20,30 8,9,12 * * *"), "at minutes 0, 20 and 30 of the hours 8, 9 and 12, UTC"),
        (cron("0 0 1 * *"), "day 1 of the month at 00:00, UTC"),
        (cron("0 0 L * *"), "the last day of the month at 00:00, UTC"),
        (cron("0 12 * * 1#2"), "the 2nd Monday of the month at 12:00, UTC"),
        (cron("0 12 1 * 1"), "day 1 of the month or Mondays at 12:00, UTC"),
        (cron("0 0 1 1,7 *"), "day 1 of the month at 00:00 in January and July, UTC"),
        (cron("0 8 * * 0,3"), "Wednesdays and Sundays at 08:00, UTC"),
        (interval("900"), "every 15 minutes"),
        (interval("P1DT12H"), "every 1 day 12 hours"),
        (interval("0.5"), "every 0.5 seconds"),
        (interval("3600"), "every hour"),
        (within(interval("P1D"), "Europe/Berlin"), "every day at 00:00, Europe/Berlin"),
        (interval("P1W"), "every 7 days at 00:00, counted from Wednesday 2020-01-01, UTC"),
        (rrule("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9"), "weekdays at 09:00, UTC"),
        (rrule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"), "every 2 weeks on Mondays at 00:00, counted from 2020-01-01, UTC"),
        (rrule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=30"), "the last Friday of the month at 17:30, UTC"),
        (rrule("FREQ=HOURLY;INTERVAL=4"), "every 4 hours, counted from 2020-01-01, UTC"),
        (
            rrule("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1"),
            "DTSTART:20200101T000000 RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYHOUR=0;BYMINUTE=0;BYSECOND=0;BYSETPOS=-1, UTC",
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(spec.describe(), expected, "{spec:?}");
    }
}

#[test]
fn remarks() {
    let table: [(Spec, &[&str]); 13] = [
        (
            within(cron("30 2 * * *"), "Europe/Berlin"),
            &["02:30 does not exist on 2027-03-28; fires at 03:30", "02:30 happens twice on 2027-10-31; fires at the first"],
        ),
        (within(cron("0 9 * * *"), "Europe/Berlin"), &[]),
        (within(cron("0 * * * *"), "Europe/Berlin"), &["02:00 happens twice on 2027-10-31; fires at the first"]),
        (
            within(cron("*/5 2 * * *"), "Europe/Berlin"),
            &[
                "02:00 to 03:00 does not exist on 2027-03-28; what is due then fires an hour later",
                "02:00 to 03:00 happens twice on 2027-10-31; fires the first time only, then pauses an hour",
            ],
        ),
        (within(rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30"), "America/New_York"), &["02:30 does not exist on 2027-03-14; fires at 01:30"]),
        (within(interval("PT1H"), "Europe/Berlin"), &["02:00 happens twice on 2027-10-31; fires twice an hour apart"]),
        (cron("0 0 30 2 *"), &["never fires"]),
        (cron("0 0 1 1 * 0 2020"), &["does not fire again after 2027-01-01"]),
        (cron("0 0 31 * *"), &["day of month 31 skips 5 months (February, April, June, September, November)"]),
        (cron("0 0 29 2 *"), &["29 February exists in leap years only"]),
        (cron("0 0 30 * *"), &["day of month 30 skips February"]),
        (cron("0 0 L * *"), &[]),
        (rrule("FREQ=HOURLY;BYMINUTE=15,99"), &["BYMINUTE=99 matches nothing"]),
    ];
    for (spec, expected) in table {
        let rule = spec.parse().expect("a rule");
        let notes: Vec<String> = rule.notes(at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")).into_iter().map(|note| note.text).collect();
        assert_eq!(notes, expected, "{spec:?}");
    }
}

/// In full: what was found, what was expected, what to do, and where.
#[test]
fn refusals() {
    let table = [
        (cron("60 * * * *"), "the minute field cannot be read: the value is out of range: found `60`, expected 0 to 59", Some(0)),
        (
            cron("0 9 * * 1-8"),
            "the day of week field cannot be read: the range ends out of range: found `1-8`, expected 0 to 7 (0 and 7 are Sunday), or sun to sat",
            Some(8),
        ),
        (
            cron("0  5,x * * *"),
            "the hour field cannot be read: not a value of this field: found `x`, expected 0 to 23",
            Some(5),
        ),
        (cron("* * * *"), "a cron expression has 5 fields, 6 with seconds or 7 with years, or is a nickname: found `4 fields`", None),
        (
            cron("@dayly"),
            "unknown nickname: found `@dayly`, expected @midnight, @hourly, @daily, @weekly, @monthly, @yearly, @annually; did you mean `@daily`?",
            Some(0),
        ),
        (
            within(cron("@daily"), "europe/berlin"),
            "unknown time zone: found `europe/berlin`, expected an IANA name like `Europe/Berlin`, or `UTC`; zone names are case-sensitive: write `Europe/Berlin`",
            None,
        ),
        (
            within(cron("@daily"), "Europe/Berln"),
            "unknown time zone: found `Europe/Berln`, expected an IANA name like `Europe/Berlin`, or `UTC`; did you mean `Europe/Berlin`?",
            None,
        ),
        (
            rrule("FREQ=DALY"),
            "unknown FREQ: found `DALY`, expected YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY; did you mean `DAILY`?",
            Some(5),
        ),
        (
            rrule("DTSTART:20270101T000000\nRRULE:FREQ=DAILY;BYHOR=9"),
            "unknown rule part: found `BYHOR`, expected FREQ, INTERVAL, COUNT, UNTIL, WKST, BYSETPOS, BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYDAY, BYWEEKDAY, BYHOUR, BYMINUTE, BYSECOND, BYEASTER; did you mean `BYHOUR`?",
            Some(41),
        ),
        (
            rrule("DTSTART:20270101T000000Z RRULE:FREQ=DAILY;UNTIL=20270301"),
            "DTSTART and UNTIL must both be in UTC or a zone (UNTIL with `Z`), or both without: found `20270301`",
            Some(48),
        ),
    ];
    for (spec, expected, offset) in table {
        let error = spec.parse().expect_err(expected);
        assert_eq!((error.to_string().as_str(), error.offset), (expected, offset), "{spec:?}");
    }
}

#[test]
fn intervals_as_people_write_them() {
    let table = [
        ("900", 900_000_000),
        (" 0.5 ", 500_000),
        ("1e3", 1_000_000_000),
        ("0.0000015", 2),
        ("PT15M", 900_000_000),
        ("p1dt2h3m4.5s", 93_784_500_000),
        ("P2W", 1_209_600_000_000),
        ("01:30:00", 5_400_000_000),
        ("1:30", 5_400_000_000),
        ("00:00:00.25", 250_000),
        ("1 day, 0:00:00", 86_400_000_000),
        ("2 12:00:00", 216_000_000_000),
        ("36:00:00", 129_600_000_000),
    ];
    for (text, microseconds) in table {
        assert_eq!(parse_interval(text).map(Every::microseconds), Ok(microseconds), "{text}");
    }
    for text in ["", "P", "PT", "P1DT", "1h", "P1Y", "-PT5M", "0", "0.0000001", "1:2:3:4", "1.5:00", "::", "inf", "1e300", "99999999999999999999", "é"] {
        assert!(parse_interval(text).is_err(), "{text}");
    }
}

#[test]
fn serialised_by_kind() {
    let spec = within(cron("@daily"), "Europe/Berlin");
    let text = serde_json::to_string(&spec).expect("JSON");
    assert_eq!(text, r#"{"kind":"cron","expression":"@daily","day_or":true,"timezone":"Europe/Berlin"}"#);
    for spec in [spec, interval("0.5"), rrule("FREQ=DAILY")] {
        let text = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(serde_json::from_str::<Spec>(&text).expect(&text), spec);
    }
}

const ZONES: [&str; 8] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "America/Santiago", "Pacific/Apia"];

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let value = low..=high;
    prop_oneof![
        4 => Just("*".to_owned()),
        3 => value.clone().prop_map(|at| at.to_string()),
        2 => (value.clone(), value.clone()).prop_map(|(from, to)| format!("{from}-{to}")),
        2 => (value.clone(), 1..20u32).prop_map(|(from, step)| format!("{from}/{step}")),
        1 => (1..20u32).prop_map(|step| format!("*/{step}")),
        1 => proptest::collection::vec(value, 1..4).prop_map(|list| list.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
    ]
}

fn any_cron() -> impl Strategy<Value = RuleSpec> {
    let day = prop_oneof![5 => field(1, 31), 1 => Just("L".to_owned()), 1 => Just("?".to_owned())];
    let weekday = prop_oneof![5 => field(0, 6), 1 => (0..7u32, 1..6u32).prop_map(|(day, nth)| format!("{day}#{nth}")), 1 => (0..7u32).prop_map(|day| format!("L{day}"))];
    let tail = prop_oneof![4 => Just(String::new()), 1 => field(0, 59).prop_map(|seconds| format!(" {seconds}"))];
    (field(0, 59), field(0, 23), day, field(1, 12), weekday, tail, any::<bool>()).prop_map(|(minute, hour, day, month, weekday, tail, day_or)| {
        RuleSpec::Cron { expression: format!("{minute} {hour} {day} {month} {weekday}{tail}"), day_or }
    })
}

fn any_interval() -> impl Strategy<Value = RuleSpec> {
    let every = prop_oneof![1..5_000_000_000u64, (1..40u64).prop_map(|days| days * 86_400_000_000), (1..100u64).prop_map(|quarters| quarters * 900_000_000)];
    (every, proptest::option::of(1_500_000_000..1_900_000_000i64)).prop_map(|(every, anchor)| RuleSpec::Interval {
        every: Every::from_microseconds(every).expect("not zero"),
        anchor: anchor.map(|second| Timestamp::from_second(second).expect("in range")),
    })
}

fn any_rrule() -> impl Strategy<Value = RuleSpec> {
    let frequency = prop_oneof![Just("YEARLY"), Just("MONTHLY"), Just("WEEKLY"), Just("DAILY"), Just("HOURLY"), Just("MINUTELY"), Just("SECONDLY")];
    let part = |name: &'static str, low: i32, high: i32| {
        proptest::option::weighted(0.2, proptest::collection::vec(low..=high, 1..4))
            .prop_map(move |values| values.map(|list| format!(";{name}={}", list.iter().map(i32::to_string).collect::<Vec<_>>().join(","))).unwrap_or_default())
    };
    let days = proptest::option::weighted(0.3, proptest::sample::subsequence(vec!["MO", "WE", "2FR", "-1SU"], 1..3))
        .prop_map(|days| days.map(|days| format!(";BYDAY={}", days.join(","))).unwrap_or_default());
    let more = prop_oneof![4 => Just(""), 1 => Just(";COUNT=40"), 1 => Just(";UNTIL=20300101T000000"), 1 => Just(";BYSETPOS=1,-1"), 1 => Just(";WKST=SU")];
    (
        frequency,
        1..10i64,
        (part("BYMONTH", 1, 12), part("BYMONTHDAY", 1, 31), part("BYHOUR", 0, 23), part("BYMINUTE", 0, 59)),
        days,
        more,
        prop_oneof![Just(""), Just(" EXDATE:20270314T023000 RDATE:20270314T024500")],
    )
        .prop_map(|(frequency, interval, (months, month_days, hours, minutes), days, more, dates)| RuleSpec::Rrule {
            text: format!("DTSTART:20260228T013000 RRULE:FREQ={frequency};INTERVAL={interval}{months}{month_days}{days}{hours}{minutes}{more}{dates}"),
        })
}

/// A reading of a clock between 2026 and 2029: some with seconds, half of them within days of a clock change.
fn any_wall() -> impl Strategy<Value = DateTime> {
    let change = proptest::sample::select(vec![(2027, 3, 28), (2027, 10, 31), (2027, 3, 14), (2027, 11, 7), (2027, 10, 3), (2027, 4, 4)]);
    let date = prop_oneof![
        change.prop_map(|(year, month, day)| Date::constant(year, month, day)),
        (2026..2030i16, 1..13i8, 1..29i8).prop_map(|(year, month, day)| Date::constant(year, month, day)),
    ];
    (date, any_time()).prop_map(|(date, time)| date.to_datetime(time))
}

fn any_time() -> impl Strategy<Value = Time> {
    (0..24i8, proptest::sample::select(vec![0i8, 15, 30, 59]), proptest::sample::select(vec![0i8, 0, 1])).prop_map(|(hour, minute, second)| Time::constant(hour, minute, second, 0))
}

fn any_span() -> impl Strategy<Value = Span> {
    let hours = 1..400i64;
    prop_oneof![
        (any_wall(), 0..60i64).prop_map(|(from, days)| {
            let to = from.date().checked_add(SignedDuration::from_hours(24 * days)).expect("in range");
            Span::Days { from: from.date(), to }
        }),
        (any_wall(), hours.clone()).prop_map(|(from, hours)| Span::Walls { from, to: from.checked_add(SignedDuration::from_hours(hours)).expect("in range") }),
        (any_start(), hours).prop_map(|(from, hours)| Span::Instants { from, to: from + SignedDuration::from_hours(hours) }),
        (1..128u8, any_time(), any_time()).prop_map(|(days, from, to)| Span::Weekly { days, from, to }),
    ]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let periods = |most: usize| proptest::collection::vec(any_span().prop_map(|span| Period { span, name: None }), 0..=most);
    let ends = (proptest::option::weighted(0.4, any_wall()), proptest::option::weighted(0.3, any_wall()));
    (ends, periods(3), prop_oneof![2 => Just(Vec::new()), 1 => periods(2)])
        .prop_map(|((starts, ends), exclude, include)| Limits { starts, ends, exclude, include })
}

fn any_resolution() -> impl Strategy<Value = Resolution> {
    let gap = proptest::sample::select(vec![Gap::Later, Gap::Earlier, Gap::Skip]);
    let overlap = proptest::sample::select(vec![Overlap::First, Overlap::Last, Overlap::Both]);
    (gap, overlap).prop_map(|(gap, overlap)| Resolution { gap, overlap })
}

fn any_rule() -> impl Strategy<Value = RuleSpec> {
    prop_oneof![any_cron(), any_interval(), any_rrule()]
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let limits = prop_oneof![Just(Limits::default()), any_limits()];
    (any_rule(), proptest::sample::select(&ZONES[..]), proptest::option::of(any_resolution()), limits)
        .prop_map(|(rule, zone, dst, limits)| Spec { dst, limits, ..Spec::new(rule, Some(zone.to_owned())) })
}

/// What a schedule's wall-clock times mean, without regard to order or cost: each settled by itself, in a set.
fn settled_one_by_one(spec: &Spec, walls: impl Iterator<Item = DateTime>) -> BTreeSet<Timestamp> {
    let rule = spec.parse().expect("a rule");
    let Resolution { gap, overlap } = rule.resolution();
    let mut instants = BTreeSet::new();
    for wall in walls {
        match (zone::settle(rule.time_zone(), wall).expect("in range"), gap, overlap) {
            (Settled::Plain(at), ..) => drop(instants.insert(at)),
            (Settled::Gap { later, .. }, Gap::Later, _) => drop(instants.insert(later)),
            (Settled::Gap { earlier, .. }, Gap::Earlier, _) => drop(instants.insert(earlier)),
            (Settled::Gap { .. }, Gap::Skip, _) => {}
            (Settled::Overlap { first, .. }, _, Overlap::First) => drop(instants.insert(first)),
            (Settled::Overlap { last, .. }, _, Overlap::Last) => drop(instants.insert(last)),
            (Settled::Overlap { first, last }, _, Overlap::Both) => instants.extend([first, last]),
        }
    }
    instants
}

/// Half of them within days of a clock change.
fn any_start() -> impl Strategy<Value = Timestamp> {
    let near = proptest::sample::select(&["2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z", "2027-03-14T07:00:00Z", "2027-10-02T15:30:00Z", "2027-04-03T15:00:00Z"][..])
        .prop_flat_map(|change| (-200_000..100_000i64).prop_map(move |off| at(change).as_second() + off));
    prop_oneof![near, 1_700_000_000..2_200_000_000i64].prop_map(|second| Timestamp::from_second(second).expect("in range"))
}

/// A zone and an instant at which its clocks change: by an hour, by half of one, by two, and by a day.
fn any_change() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let table = [
        ("Europe/Berlin", "2027-03-28T01:00:00Z"),
        ("Europe/Berlin", "2027-10-31T01:00:00Z"),
        ("America/New_York", "2027-03-14T07:00:00Z"),
        ("America/New_York", "2027-11-07T06:00:00Z"),
        ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
        ("Antarctica/Troll", "2027-03-28T01:00:00Z"),
        ("Antarctica/Troll", "2027-10-31T01:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ];
    proptest::sample::select(table.to_vec()).prop_map(|(zone, change)| (zone, at(change)))
}

/// What a rule's normal form says, as a declaration again.
fn reread(spec: &Spec) -> Spec {
    let text = spec.normal_form();
    let (text, limits) = text.split_once(" limits=").unwrap_or((&text, "{}"));
    let (rule, place) = text.rsplit_once(" in ").expect("a zone");
    let (zone, dst) = place.split_once(" gap=").unwrap_or((place, ""));
    let dst = dst.split_once(" overlap=").map(|(gap, overlap)| {
        let word = |text: &str| serde_json::json!(text.to_lowercase());
        serde_json::from_value(serde_json::json!({"gap": word(gap), "overlap": word(overlap)})).expect("a resolution")
    });
    let (kind, body) = rule.split_once(' ').expect("a kind");
    let rule = match kind {
        "cron" => RuleSpec::Cron { expression: body.trim_end_matches(" day_or=false").to_owned(), day_or: !body.ends_with("day_or=false") },
        "rrule" => RuleSpec::Rrule { text: body.to_owned() },
        "interval" => {
            let (every, anchor) = body.split_once("us from ").expect("an anchor");
            RuleSpec::Interval { every: Every::from_microseconds(every.parse().expect("a number")).expect("not zero"), anchor: Some(at(anchor)) }
        }
        other => panic!("{other}: {text}"),
    };
    Spec { dst, limits: serde_json::from_str(limits).expect("limits"), ..Spec::new(rule, Some(zone.to_owned())) }
}

/// Spans of wall-clock time on either side of which nothing can settle into another.
const MARGIN: SignedDuration = SignedDuration::from_hours(3);

/// 400 cases of each property, times `REEVE_TEST_ROUNDS`.
fn config() -> ProptestConfig {
    let rounds: u32 = std::env::var("REEVE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    ProptestConfig { cases: 400 * rounds, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn instants_strictly_increase_and_every_tail_is_the_same(spec in any_spec(), start in any_start(), skip in 0usize..60) {
        let Ok(rule) = spec.parse() else { return Ok(()) };
        let series: Vec<Timestamp> = rule.instants(start).take(80).collect();
        prop_assert!(series.first().is_none_or(|first| *first >= start));
        prop_assert!(series.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", series);
        if let Some(from) = series.get(skip) {
            prop_assert_eq!(rule.next(*from), Some(*from));
            let tail: Vec<Timestamp> = rule.instants(*from).take(80 - skip).collect();
            prop_assert_eq!(&tail[..series.len() - skip], &series[skip..]);
            if skip + 1 < series.len() {
                prop_assert_eq!(rule.after(*from), Some(series[skip + 1]));
            }
        }
    }

    /// From each instant to the next, through nights on which the clocks of the rule's own zone change.
    #[test]
    fn no_step_through_a_clock_change_loses_an_instant(rule in any_rule(), (zone, change) in any_change(), dst in any_resolution(), before in 0..7_200i64) {
        let spec = Spec { dst: Some(dst), ..Spec::new(rule, Some(zone.to_owned())) };
        let Ok(rule) = spec.parse() else { return Ok(()) };
        let start = change - SignedDuration::from_secs(before);
        let series: Vec<Timestamp> = rule.instants(start).take(24).collect();
        let mut stepped: Vec<Timestamp> = rule.next(start).into_iter().collect();
        while stepped.len() < series.len() {
            let Some(next) = stepped.last().and_then(|last| rule.after(*last)) else { break };
            stepped.push(next);
        }
        prop_assert_eq!(stepped, series);
    }

    /// Whichever limits there are: what fires is what fires without them, less what they bar.
    #[test]
    fn limits_bar_and_move_nothing(rule in any_rule(), zone in proptest::sample::select(&ZONES[..]), limits in any_limits(), start in any_start()) {
        let spec = Spec { limits, ..Spec::new(rule, Some(zone.to_owned())) };
        let Ok(rule) = spec.parse() else { return Ok(()) };
        let all: Vec<Timestamp> = rule.unlimited(start).take(400).collect();
        let Some(last) = all.last() else { return Ok(()) };
        let allowed: Vec<Timestamp> = all.iter().copied().filter(|at| rule.bar(*at).is_none()).collect();
        let given: Vec<Timestamp> = rule.instants(start).take_while(|at| at <= last).collect();
        prop_assert_eq!(given, allowed);
    }

    /// Under every setting of `dst`: the series is the set of its wall-clock times, each settled by itself.
    #[test]
    fn clock_changes_are_settled_one_by_one(rule in prop_oneof![3 => any_cron(), 2 => any_rrule()], zone in proptest::sample::select(&ZONES[..]), dst in any_resolution(), start in any_start()) {
        let spec = Spec { dst: Some(dst), ..Spec::new(rule, Some(zone.to_owned())) };
        let Ok(rule) = spec.parse() else { return Ok(()) };
        let series: Vec<Timestamp> = rule.instants(start).take(60).collect();
        let Some(last) = series.last() else { return Ok(()) };
        let clock = |at: Timestamp| rule.time_zone().to_datetime(at);
        let (from, until) = (clock(start) - MARGIN, clock(*last) + MARGIN);
        let walls = rule.walls(from).expect("wall-clock times").take_while(|wall| *wall <= until);
        let expected: Vec<Timestamp> = settled_one_by_one(&spec, walls).range(start..=*last).copied().collect();
        prop_assert_eq!(series, expected);
    }

    #[test]
    fn what_was_stored_is_the_same_schedule(spec in any_spec()) {
        let text = serde_json::to_string(&spec).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Spec>(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?, &spec);
    }

    #[test]
    fn the_normal_form_means_the_same(spec in any_spec(), start in any_start()) {
        let Ok(rule) = spec.parse() else { return Ok(()) };
        let again = reread(&spec);
        prop_assert_eq!(again.normal_form(), spec.normal_form());
        let reparsed = again.parse().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(rule.instants(start).take(40).eq(reparsed.instants(start).take(40)), "{}", spec.normal_form());
    }

    #[test]
    fn no_text_panics(text in "[0-9*/,\\-?LlRrh#@a-z ]{0,30}|(DTSTART|RRULE|EXDATE|FREQ|BYDAY|[A-Z:;=,0-9\n+é-]){0,12}", start in any_start()) {
        for rule in [RuleSpec::Cron { expression: text.clone(), day_or: true }, RuleSpec::Rrule { text: text.clone() }] {
            let spec = Spec::new(rule, None);
            let _ = (spec.describe(), spec.normal_form());
            if let Ok(rule) = spec.parse() {
                let _ = (rule.next(start), rule.notes(start, start));
            }
        }
        let _ = parse_interval(&text);
    }
}
