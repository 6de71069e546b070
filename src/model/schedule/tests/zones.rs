//! Days on which the clock is moved.

use chrono::{Offset, TimeDelta};
use chrono_tz::{America::New_York, Australia::Lord_Howe, Europe::Berlin, Pacific::Apia, Tz};

use super::super::offsets;
use super::{instant, schedule};

/// The firings in `from..to` as local times with their offset in hours.
fn firings(expression: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (instant(from), instant(to));
    schedule(expression)
        .upcoming(from - chrono::TimeDelta::seconds(1), zone)
        .take_while(|firing| *firing < to)
        .map(|firing| {
            let local = firing.with_timezone(&zone);
            let hours = f64::from(local.offset().fix().local_minus_utc()) / 3600.0;
            format!("{}{hours:+}", local.format("%d %H:%M"))
        })
        .collect()
}

/// New York, 2026-03-08: 02:00 to 03:00 does not exist.
#[test]
fn forwards() {
    let night = |expression| firings(expression, New_York, "2026-03-08T05:30:00Z", "2026-03-08T08:15:00Z");
    let table: &[(&str, &[&str])] = &[
        // Fixed times: once, at the end of the gap.
        ("0 30 2 * * ?", &["08 03:00-4"]),
        ("0 0 2 * * ?", &["08 03:00-4"]),
        ("0 59 2 8 3 ?", &["08 03:00-4"]),
        ("0 0,30 2 * * ?", &["08 03:00-4"]),
        ("0 15 2,3 * * ?", &["08 03:00-4", "08 03:15-4"]),
        // What is wanted at the end of the gap anyway is one firing.
        ("0 0 2,3 * * ?", &["08 03:00-4"]),
        ("0 0 0/2 * * ?", &["08 03:00-4", "08 04:00-4"]),
        // A rhythm just goes on.
        ("0 0 * * * ?", &["08 01:00-5", "08 03:00-4", "08 04:00-4"]),
        ("0 30 * * * ?", &["08 00:30-5", "08 01:30-5", "08 03:30-4"]),
        (
            "0 10/20 1-5 * * ?",
            &["08 01:10-5", "08 01:30-5", "08 01:50-5", "08 03:10-4", "08 03:30-4", "08 03:50-4", "08 04:10-4"],
        ),
        // One that lives only in the lost hour is not lost.
        ("0 0/5 2 * * ?", &["08 03:00-4"]),
        ("0 0/30 2,4 * * ?", &["08 03:00-4", "08 04:00-4"]),
        ("0 0/30 1-2 * * ?", &["08 01:00-5", "08 01:30-5", "08 03:00-4"]),
    ];
    for (expression, expected) in table {
        assert_eq!(night(expression), *expected, "{expression}");
    }
}

/// New York, 2026-11-01: 01:00 to 02:00 happens twice.
#[test]
fn backwards() {
    let night = |expression| firings(expression, New_York, "2026-11-01T04:30:00Z", "2026-11-01T07:45:00Z");
    let table: &[(&str, &[&str])] = &[
        ("0 30 1 * * ?", &["01 01:30-4"]),
        ("0 0,30 1 * * ?", &["01 01:00-4", "01 01:30-4"]),
        ("0 30 1,2 * * ?", &["01 01:30-4", "01 02:30-5"]),
        ("0 30 1/6 * * ?", &["01 01:30-4"]),
        ("0 30-30 1-1 * * ?", &["01 01:30-4"]),
        ("0 30 1-7/6 * * ?", &["01 01:30-4"]),
        ("0 0 2 * * ?", &["01 02:00-5"]),
        ("0 0 * * * ?", &["01 01:00-4", "01 01:00-5", "01 02:00-5"]),
        ("0 30 0-5 * * ?", &["01 00:30-4", "01 01:30-4", "01 01:30-5", "01 02:30-5"]),
        ("0 0/30 1 * * ?", &["01 01:00-4", "01 01:30-4", "01 01:00-5", "01 01:30-5"]),
        (
            "0 0/20 * * * ? 2026",
            &[
                "01 00:40-4",
                "01 01:00-4",
                "01 01:20-4",
                "01 01:40-4",
                "01 01:00-5",
                "01 01:20-5",
                "01 01:40-5",
                "01 02:00-5",
                "01 02:20-5",
                "01 02:40-5",
            ],
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(night(expression), *expected, "{expression}");
    }
}

/// Asked during the second pass, fixed times of the overlap are over.
#[test]
fn fixed_times_are_not_repeated() {
    let next = |expression: &str| schedule(expression).next_after(instant("2026-11-01T06:10:00Z"), New_York);
    assert_eq!(next("0 30 1 * * ?"), Some(instant("2026-11-02T06:30:00Z")));
    assert_eq!(next("0 30/5 1 * * ?"), Some(instant("2026-11-01T06:30:00Z")));
}

#[test]
fn every_five_minutes_is_five_minutes_all_year() {
    let every_five = schedule("0 0/5 * * * ?");
    for zone in [New_York, Berlin, Lord_Howe] {
        let mut last = instant("2025-12-31T23:55:00Z");
        for firing in every_five.upcoming(last, zone).take_while(|firing| *firing < instant("2027-01-01T00:00:00Z")) {
            assert_eq!((firing - last).num_minutes(), 5, "{zone} at {firing}");
            last = firing;
        }
    }
}

#[test]
fn daily_times_fire_once_a_day() {
    for zone in [New_York, Berlin, Lord_Howe] {
        for expression in ["0 30 1 * * ?", "0 0 2 * * ?", "0 15 2 * * ?", "0 30 2 * * ?", "0 0 3 * * ?"] {
            let daily = schedule(expression);
            let dates: Vec<_> = daily
                .upcoming(instant("2026-01-02T12:00:00Z"), zone)
                .take(400)
                .map(|firing| firing.with_timezone(&zone).date_naive())
                .collect();
            assert!(dates.windows(2).all(|pair| pair[1] == pair[0].succ_opt().unwrap()), "{zone} {expression}");
        }
    }
}

/// Half an hour is moved; and a whole day is left out (Samoa went to the other side of the date line in 2011).
#[test]
fn odd_changes() {
    let lord_howe = |expression| firings(expression, Lord_Howe, "2026-10-03T14:00:00Z", "2026-10-03T17:00:00Z");
    assert_eq!(lord_howe("0 15 2 * * ?"), ["04 02:30+11"]);
    assert_eq!(lord_howe("0 15 * * * ?"), ["04 01:15+10.5", "04 02:30+11", "04 03:15+11"]);
    let autumn = |expression| firings(expression, Lord_Howe, "2026-04-04T13:30:00Z", "2026-04-04T16:30:00Z");
    assert_eq!(autumn("0 45 1 * * ?"), ["05 01:45+11"]);
    assert_eq!(
        autumn("0 0/15 1 * * ?"),
        ["05 01:00+11", "05 01:15+11", "05 01:30+11", "05 01:45+11", "05 01:30+10.5", "05 01:45+10.5"]
    );

    let apia = |expression| firings(expression, Apia, "2011-12-29T20:00:00Z", "2011-12-31T20:00:00Z");
    assert_eq!(apia("0 0 12 * * ?"), ["29 12:00-10", "31 00:00+14", "31 12:00+14"]);
    assert_eq!(apia("0 0 12 30 12 ?"), ["31 00:00+14"]);
    assert_eq!(apia("0 0 * 30 12 ?"), ["31 00:00+14"]);
    assert_eq!(apia("0 0 22-23 * * ?").first().map(String::as_str), Some("29 22:00-10"));
}

#[test]
fn rules_hold_to_the_last_year() {
    let firings = |from, to| firings("0 30 2 * * ?", New_York, from, to);
    assert_eq!(firings("2098-03-09T00:00:00Z", "2098-03-10T00:00:00Z"), ["09 03:00-4"]);
}

/// Counted by days and hours, and one by one.
#[test]
fn a_span_counts_every_firing() {
    let expressions = [
        "* * * * * ?",
        "0 * * * * ?",
        "*/7 3,59 * * * ?",
        "0 30 2 * * ?",
        "0 0/20 1-3 * * ?",
        "5 0 0 ? * MON-FRI",
        "0 0 12 L * ?",
        "59 59 23 * * ?",
    ];
    let spans = [
        ("2026-03-29T00:30:00Z", "2026-03-29T02:10:07Z"),
        ("2026-10-24T23:30:00Z", "2026-10-25T02:20:00Z"),
        ("2026-07-01T22:59:30Z", "2026-07-02T00:10:00Z"),
        ("2026-04-04T14:30:00Z", "2026-04-04T15:45:00Z"),
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"),
        ("2026-03-27T10:00:00Z", "2026-04-06T13:30:00Z"),
        ("2026-10-23T10:00:00Z", "2026-11-02T13:30:00Z"),
    ];
    for zone in [Berlin, Lord_Howe, New_York, Tz::Asia__Kolkata, Tz::UTC] {
        for expression in expressions {
            let schedule = schedule(expression);
            for (from, until) in spans {
                let until = instant(until);
                if expression.starts_with("* *") && until - instant(from) > TimeDelta::days(1) {
                    // Too many to be counted one by one.
                    continue;
                }
                let Some(first) = schedule.next_after(instant(from), zone).filter(|at| *at <= until) else { continue };
                let all: Vec<_> = std::iter::once(first)
                    .chain(schedule.upcoming(first, zone))
                    .take_while(|at| *at <= until)
                    .collect();
                let span = schedule.span(first, until, zone);
                assert_eq!(span.count, all.len() as u64, "{expression} in {zone} from {from}");
                assert_eq!(Some(&span.last), all.last(), "{expression} in {zone} from {from}");
                assert_eq!(span.next, schedule.next_after(span.last, zone), "{expression} in {zone} from {from}");
            }
        }
    }
    let seconds = schedule("* * * * * ?");
    let (first, until) = (instant("2026-01-01T00:00:00Z"), instant("2036-01-01T00:00:00Z"));
    assert_eq!(seconds.span(first, until, Berlin).count, 3652 * 86_400 + 1, "ten years, in a moment");
}

/// A clock that is known by its offsets alone says the same, but for a rhythm that lives only in a lost hour.
#[test]
fn by_offsets() {
    for zone in [New_York, Berlin, Lord_Howe, Apia, Tz::UTC] {
        let offsets = offsets(zone);
        for expression in [
            "0 30 2 * * ?",
            "0 0,30 2 * * ?",
            "0 15 2,3 * * ?",
            "0 0 2,3 * * ?",
            "0 30 1 * * ?",
            "0 0,30 1 * * ?",
            "0 0 * * * ?",
            "0 30 * * * ?",
            "0 10/20 1-5 * * ?",
            "0 0/30 1 * * ?",
            "0 0 12 * * ?",
            "0 0 0 L * ?",
        ] {
            let (schedule, from) = (schedule(expression), instant("2011-01-01T00:00:00Z"));
            let until = instant("2012-12-31T00:00:00Z");
            let by_zone: Vec<_> = schedule.upcoming(from, zone).take_while(|at| *at < until).collect();
            let by_offsets: Vec<_> = schedule.upcoming_by(from, &offsets).take_while(|at| *at < until).collect();
            assert!(by_zone == by_offsets, "{zone} {expression}");
        }
    }
}
