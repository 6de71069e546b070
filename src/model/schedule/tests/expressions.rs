//! What is read, what is refused, and what it means on a clock that is never moved.

use chrono::{TimeDelta, Utc};
use chrono_tz::UTC;

use super::{super::*, instant, schedule};

/// The next firings in UTC, as `MM-DD HH:MM:SS`, after the start of Thursday 2026-01-01.
fn firings(expression: &str, count: usize) -> Vec<String> {
    schedule(expression)
        .upcoming(instant("2026-01-01T00:00:00Z"), UTC)
        .take(count)
        .map(|firing| firing.format("%m-%d %H:%M:%S").to_string())
        .collect()
}

#[test]
fn manual_examples() {
    let table: &[(&str, &[&str])] = &[
        ("0 0 12 * * ?", &["01-01 12:00:00", "01-02 12:00:00"]),
        ("0 15 10 ? * *", &["01-01 10:15:00", "01-02 10:15:00"]),
        ("0 15 10 * * ?", &["01-01 10:15:00"]),
        ("0 * 14 * * ?", &["01-01 14:00:00", "01-01 14:01:00"]),
        ("0 0/5 14,18 * * ?", &["01-01 14:00:00", "01-01 14:05:00"]),
        ("0 0-5 14 * * ?", &["01-01 14:00:00", "01-01 14:01:00"]),
        ("0 10,44 14 ? 3 WED", &["03-04 14:10:00", "03-04 14:44:00", "03-11 14:10:00"]),
        ("0 15 10 ? * MON-FRI", &["01-01 10:15:00", "01-02 10:15:00", "01-05 10:15:00"]),
        ("0 15 10 15 * ?", &["01-15 10:15:00", "02-15 10:15:00"]),
        ("0 15 10 L * ?", &["01-31 10:15:00", "02-28 10:15:00", "03-31 10:15:00", "04-30 10:15:00"]),
        ("0 15 10 ? * 6L", &["01-30 10:15:00", "02-27 10:15:00"]),
        ("0 15 10 ? * 6#3", &["01-16 10:15:00", "02-20 10:15:00"]),
        // Both day fields given, and a last field lost, as printed.
        ("0 15 10 * * 6#3", &["01-16 10:15:00", "02-20 10:15:00"]),
        ("00 00 00 * * ", &["01-02 00:00:00", "01-03 00:00:00"]),
    ];
    for (expression, expected) in table {
        assert_eq!(firings(expression, expected.len()), *expected, "{expression}");
    }
}

#[test]
fn days() {
    let table: &[(&str, &[&str])] = &[
        ("0 0 0 L-3 * ?", &["01-28", "02-25", "03-28"]),
        ("0 0 0 LW * ?", &["01-30", "02-27", "03-31", "04-30", "05-29"]),
        ("0 0 0 L-3W * ?", &["01-28", "02-25", "03-27"]),
        ("0 0 0 15W * ?", &["01-15", "02-16", "03-16", "04-15", "05-15", "06-15", "07-15", "08-14"]),
        // Never in another month: Sunday 1 February, Saturday 1 August, Sunday 31 May.
        ("0 0 0 1W 2,8 ?", &["02-02", "08-03"]),
        ("0 0 0 31W 5 ?", &["05-29"]),
        // A month without the day has none.
        ("0 0 0 31W * ?", &["01-30", "03-31", "05-29"]),
        ("0 0 0 1,LW * ?", &["01-30", "02-01", "02-27"]),
        ("0 0 0 ? * L", &["01-03", "01-10"]),
        ("0 0 0 ? * 2#1,FRI#5", &["01-05", "01-30", "02-02", "03-02"]),
        ("0 0 0 ? * FRI-MON", &["01-02", "01-03", "01-04", "01-05", "01-09"]),
        ("0 0 0 ? * 1", &["01-04"]),
        ("0 0 0 ? * 2/2", &["01-02", "01-05", "01-07"]),
        ("0 0 0 30-2 * ?", &["01-02", "01-30", "01-31", "02-01"]),
        ("0 0 0 10/10 * ?", &["01-10", "01-20", "01-30"]),
        ("0 0 0 31 * *", &["01-31", "03-31", "05-31"]),
        ("0 0 0 29 2 ?", &["02-29"]),
    ];
    for (expression, expected) in table {
        let days: Vec<String> =
            firings(expression, expected.len()).iter().map(|firing| firing[..5].to_owned()).collect();
        assert_eq!(days, *expected, "{expression}");
    }
}

#[test]
fn ranges_steps_and_years() {
    let table: &[(&str, &[&str])] = &[
        ("0 0 22-2 * * ?", &["01-01 01:00:00", "01-01 02:00:00", "01-01 22:00:00", "01-01 23:00:00", "01-02 00:00:00"]),
        ("0 0 22-2/2 * * ?", &["01-01 02:00:00", "01-01 22:00:00", "01-02 00:00:00"]),
        ("*/20 0 0 1 jan ?", &["01-01 00:00:20", "01-01 00:00:40"]),
        ("/30 0 0 ? Jan thu", &["01-01 00:00:30", "01-08 00:00:00"]),
        ("5/25 0 0 1 NOV-FEB ?", &["01-01 00:00:05", "01-01 00:00:30", "01-01 00:00:55", "02-01 00:00:05"]),
        ("50-10/10 0 0 1 1 ?", &["01-01 00:00:10", "01-01 00:00:50"]),
        ("0 0 0 1 1 ? 2025-2028/3", &["01-01 00:00:00"]),
        ("0 0 0 1 1 ? 1970-2025", &[]),
    ];
    for (expression, expected) in table {
        let count = expected.len().max(1);
        assert_eq!(firings(expression, count), *expected, "{expression}");
    }
}

#[test]
fn impossible_dates_never_fire_and_say_so_at_once() {
    for expression in [
        "0 0 0 30 2 ?",
        "* * * 31 2,4,6,9,11 ? *",
        "* * * L-30 2 ?",
        "0 0 0 31W 4 ?",
        "0 0 0 L-29W 2 ? 2025",
        "0 0 0 ? 2 1#5 2026",
        "0 0 0 1 1 ? 1970",
    ] {
        assert_eq!(schedule(expression).next_after(instant("2026-01-01T00:00:00Z"), UTC), None, "{expression}");
    }
    let rare = schedule("0 0 0 ? 2 1#5");
    assert_eq!(rare.next_after(instant("2026-01-01T00:00:00Z"), UTC), Some(instant("2032-02-29T00:00:00Z")));
    assert_eq!(rare.upcoming(instant("1960-01-01T00:00:00Z"), UTC).count(), 5);
}

#[test]
fn any_instant_may_be_asked_about() {
    let every_second = schedule("* * * * * ?");
    let zone = chrono_tz::Pacific::Kiritimati;
    assert_eq!(every_second.next_after(chrono::DateTime::<Utc>::MAX_UTC, zone), None);
    assert_eq!(every_second.next_after(chrono::DateTime::<Utc>::MIN_UTC, UTC), Some(chrono::DateTime::UNIX_EPOCH));
    assert_eq!(every_second.next_after(instant("2099-12-31T23:59:59Z"), UTC), None);
    assert_eq!(every_second.next_after(instant("2099-12-31T23:59:59Z"), chrono_tz::Pacific::Niue), {
        Some(instant("2100-01-01T00:00:00Z"))
    });
    let noon = schedule("0 0 12 * * ?");
    let at_noon = instant("2026-01-01T12:00:00Z");
    assert_eq!(noon.next_after(at_noon - TimeDelta::milliseconds(1), UTC), Some(at_noon), "strictly after");
    assert_eq!(noon.next_after(at_noon, UTC), Some(at_noon + TimeDelta::days(1)));
    assert_eq!(noon.next_after(at_noon + TimeDelta::milliseconds(1), UTC), Some(at_noon + TimeDelta::days(1)));
}

#[test]
fn refusals_name_field_text_and_rule() {
    let table = [
        ("61 0 0 * * ?", r#"seconds "61": is out of range; allowed are 0 to 59 and the signs , - * /"#),
        ("0 0-75 0 * * ?", r#"minutes "0-75": is out of range; allowed are 0 to 59 and the signs , - * /"#),
        ("0 0 24 * * ?", r#"hours "24": is out of range; allowed are 0 to 23 and the signs , - * /"#),
        ("0 0 0 0 * ?", r#"day of month "0": is out of range; allowed are 1 to 31 and the signs , - * / ? L W"#),
        ("0 0 0 1 13 ?", r#"month "13": is out of range; allowed are 1 to 12 or JAN to DEC, and the signs , - * /"#),
        (
            "0 0 0 1 JANUARY ?",
            r#"month "JANUARY": is not understood; allowed are 1 to 12 or JAN to DEC, and the signs , - * /"#,
        ),
        (
            "0 0 0 ? * 0",
            r#"day of week "0": is out of range; allowed are 1 (Sunday) to 7 (Saturday) or SUN to SAT, and the signs , - * / ? L #"#,
        ),
        (
            "0 0 0 ? * 2W",
            r#"day of week "2W": is not understood; allowed are 1 (Sunday) to 7 (Saturday) or SUN to SAT, and the signs , - * / ? L #"#,
        ),
        ("0 0 0 * * ? 1969", r#"year "1969": is out of range; allowed are 1970 to 2099 and the signs , - * /"#),
        ("0 0 0 * * ? 2030-2020", r#"year "2030-2020": years do not wrap around; write the earlier year first"#),
        ("0 0 0 ? * 6#6", r##"day of week "6#6": after `#` comes the week of the month, a number from 1 to 5"##),
        (
            "0 0 0 L-31 * ?",
            r#"day of month "L-31": after `L-` come the days before the last one, a number from 0 to 30"#,
        ),
        ("0 0/0 0 * * ?", r#"minutes "0/0": the step after `/` must be a number from 1 to 59"#),
        ("0 0/60 0 * * ?", r#"minutes "0/60": the step after `/` must be a number from 1 to 59"#),
        ("0 0/ 0 * * ?", r#"minutes "0/": the step after `/` must be a number from 1 to 59"#),
        ("0 1,,2 0 * * ?", r#"minutes "1,,2": has an empty item in its list; write values between the commas"#),
        (
            "0 0 0 5C * ?",
            r#"day of month "5C": `C` (relative to a calendar) was dropped from Quartz and no calendar is kept here; write the days themselves"#,
        ),
        (
            "0 0 0 ? * 1C",
            r#"day of week "1C": `C` (relative to a calendar) was dropped from Quartz and no calendar is kept here; write the days themselves"#,
        ),
        ("0 0 0 1,? * ?", r#"day of month "1,?": `?` means no value and stands alone"#),
        (
            "0 0 0 ? * ?",
            r#"day of week "?": both day fields are `?`; one of them must say on which days (`*` for every day)"#,
        ),
        ("0 0 0 1 * 2", r#"day of week "2": both day fields name days; one of them must be `?`"#),
        (
            "0 10,44 14 ? 3",
            r#"day of week "": is missing, and the day of month is `?`; one of them must say on which days (`*` for every day)"#,
        ),
        ("? 0 0 * * ?", r#"seconds "?": is not understood; allowed are 0 to 59 and the signs , - * /"#),
        ("-1 0 0 * * ?", r#"seconds "-1": is not understood; allowed are 0 to 59 and the signs , - * /"#),
        (
            "99999999999999999999 0 0 * * ?",
            r#"seconds "99999999999999999999": is out of range; allowed are 0 to 59 and the signs , - * /"#,
        ),
        ("+1 0 0 * * ?", r#"seconds "+1": is not understood; allowed are 0 to 59 and the signs , - * /"#),
        ("0 0\u{7}é 0 * * ?", r#"minutes "0\u{7}É": is not understood; allowed are 0 to 59 and the signs , - * /"#),
        (
            "",
            r#"schedule "" has 0 fields; it takes 6 or 7: seconds, minutes, hours, day of month, month, day of week, and a year if wanted"#,
        ),
        (
            "@daily",
            r#"schedule "@daily" has 1 field; it takes 6 or 7: seconds, minutes, hours, day of month, month, day of week, and a year if wanted"#,
        ),
        (
            "0 0 0 * * ? * *",
            r#"schedule "0 0 0 * * ? * *" has 8 fields; it takes 6 or 7: seconds, minutes, hours, day of month, month, day of week, and a year if wanted"#,
        ),
        (
            "*/5 * * * *",
            r#"schedule "*/5 * * * *" has 5 fields and reads like Unix cron; here the seconds come first, 1 is Sunday, and `?` stands in the field of days that does not count: did you mean "0 */5 * * * ?"?"#,
        ),
    ];
    for (expression, message) in table {
        let error = Schedule::parse(expression).expect_err(expression);
        assert_eq!(error.to_string().to_lowercase(), message.to_lowercase(), "{expression}");
    }
    let long = "0 ".repeat(1_000_000);
    assert_eq!(Schedule::parse(&long), Err(ScheduleError::TooLong { length: 2_000_000 }));
}

#[test]
fn normal_form_is_read_back_as_the_same_schedule() {
    let table = [
        ("00 00 00 * * ", "0 0 0 * * ?"),
        ("  0\t15 10 ?  *   mon-Fri ", "0 15 10 ? * 2-6"),
        ("0 15 10 * * 6#3", "0 15 10 ? * 6#3"),
        ("0 15 10 L-3w JAN,mar *", "0 15 10 L-3W 1,3 ?"),
        ("*/5 0/1 * ? * * *", "0/5 * * * * ?"),
        ("0 0 22-2/2 15W,LW * ? 2025/2", "0 0 22-2/2 15W,LW * ? 2025/2"),
        ("0 0 0 ? * L", "0 0 0 ? * 7"),
        ("0 0 0 ? * SATL", "0 0 0 ? * 7L"),
        ("0 0 0 1,* * ?", "0 0 0 * * ?"),
    ];
    for (expression, normal) in table {
        let parsed = schedule(expression);
        assert_eq!(parsed.to_string(), normal, "{expression}");
        assert_eq!(schedule(normal), parsed, "{expression}");
        let json = serde_json::to_string(&parsed).unwrap();
        assert_eq!(json, format!("\"{normal}\""));
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), parsed);
    }
    let error = serde_json::from_str::<Schedule>("\"0 0 25 * * ?\"").unwrap_err();
    assert!(error.to_string().contains("hours \"25\""), "{error}");
}

#[test]
fn descriptions() {
    let table = [
        ("0 0 12 * * ?", "every day at 12:00:00"),
        ("0 0 18,9 * * ?", "every day at 09:00:00 and 18:00:00"),
        ("0 15 10 ? * MON-FRI", "on Monday to Friday at 10:15:00"),
        ("0 15 10 ? * 6L", "on the last Friday of the month at 10:15:00"),
        ("0 15 10 ? * 6#3 2005", "on the 3rd Friday of the month at 10:15:00 in 2005"),
        ("0 15 10 L * ?", "on the last day of the month at 10:15:00"),
        ("0 0 0 1,15W * ?", "on the 1st and the working day nearest to the 15th of the month at 00:00:00"),
        ("0 0 0 LW 12 ?", "on the last working day of the month at 00:00:00 in December"),
        ("0 0 0 L-3 * ?", "on 3 days before the last day of the month at 00:00:00"),
        ("0 0 0 */2 * ?", "every 2 days from the 1st of the month at 00:00:00"),
        ("0 10,44 14 ? 3 WED", "on Wednesday at 14:10:00 and 14:44:00 in March"),
        ("0 0/5 14,18 * * ?", "every day every 5 minutes in hours 14 and 18"),
        ("0 0/5 * * * ?", "every 5 minutes"),
        ("0 2/5 * * * ?", "every 5 minutes from minute 2"),
        ("0 * 9-17 ? * 2-6", "on Monday to Friday every minute from 09:00 to 17:59"),
        ("0 0-5 14 * * ?", "every day every minute from 0 to 5 from 14:00 to 14:59"),
        ("0 0 * * * ?", "every hour on the hour"),
        ("0 30 0/2 * * ?", "every day every 2 hours at minute 30"),
        ("* * * * * ?", "every second"),
        ("0/10 30 * * * ? 2026-2027", "every 10 seconds of minute 30 in 2026 to 2027"),
    ];
    for (expression, words) in table {
        assert_eq!(schedule(expression).describe(), words, "{expression}");
    }
}
