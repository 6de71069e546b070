//! Numbers, sizes, durations and times as people write them.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::{OffsetName, Tz};
use serde_json::{Map, Value, json};

use super::{code, text};

/// `1234567` -> `1,234,567`.
pub fn number(number: u64, locale: &str) -> String {
    let digits = number.to_string();
    if digits.len() <= 3 {
        return digits;
    }
    let separator = word(code::FORMAT_DIGIT_SEPARATOR, locale);
    let head = digits.len() % 3;
    let (first, rest) = digits.split_at(head);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let parts: Vec<String> = (head > 0).then(|| first.to_owned()).into_iter().chain(groups).collect();
    parts.join(&separator)
}

/// `1234567` -> `1.2 MB`, in powers of a thousand.
pub fn size(bytes: u64, locale: &str) -> String {
    const UNITS: [&str; 4] = [code::FORMAT_SIZE_KB, code::FORMAT_SIZE_MB, code::FORMAT_SIZE_GB, code::FORMAT_SIZE_TB];
    if bytes < 1000 {
        return sentence(code::FORMAT_SIZE_BYTES, json!({ "count": bytes }), locale);
    }
    let mut unit = UNITS[0];
    let mut amount = bytes as f64 / 1000.0;
    for larger in &UNITS[1..] {
        // What rounds to a thousand belongs to the next unit.
        if amount < 999.5 {
            break;
        }
        amount /= 1000.0;
        unit = larger;
    }
    sentence(unit, json!({ "amount": decimal(amount, locale) }), locale)
}

/// `192_000` -> `3 min 12 s`: the two largest units, and tenths of a second below ten seconds.
pub fn duration(milliseconds: u64, locale: &str) -> String {
    let seconds = milliseconds.div_ceil(1000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match milliseconds {
        ..1000 => sentence(code::FORMAT_DURATION_MILLISECONDS, json!({ "milliseconds-left": milliseconds }), locale),
        1000..=59_000 => {
            let seconds = decimal(milliseconds as f64 / 1000.0, locale);
            sentence(code::FORMAT_DURATION_SECONDS, json!({ "seconds": seconds }), locale)
        }
        59_001..=3_599_000 => {
            sentence(code::FORMAT_DURATION_MINUTES, json!({ "minutes": minutes, "seconds": seconds % 60 }), locale)
        }
        3_599_001..=86_399_000 => {
            sentence(code::FORMAT_DURATION_HOURS, json!({ "hours": hours, "minutes": minutes % 60 }), locale)
        }
        _ => {
            let days = number(days, locale);
            sentence(code::FORMAT_DURATION_DAYS, json!({ "days": days, "hours": hours % 24 }), locale)
        }
    }
}

/// `Mon 23 Nov 2026, 10:15:04 CET`.
pub fn time(instant: DateTime<Utc>, zone: Tz, locale: &str) -> String {
    let local = instant.with_timezone(&zone);
    let zone_name = match local.offset().abbreviation() {
        Some(name) if !name.starts_with(['+', '-']) => name.to_owned(),
        // Zones without a name of their own are called by their distance.
        _ => format!("UTC{}", local.format("%:z")),
    };
    let params = json!({
        "weekday": local.weekday().number_from_monday(),
        "day": local.day(),
        "month": local.month(),
        "year": local.year().to_string(),
        "clock": local.format("%H:%M:%S").to_string(),
        "zone-name": zone_name,
    });
    sentence(code::FORMAT_TIME, params, locale)
}

/// One decimal below ten, none from there: three digits at most, and no false precision.
fn decimal(amount: f64, locale: &str) -> String {
    if amount >= 9.95 {
        return format!("{amount:.0}");
    }
    format!("{amount:.1}").replace('.', &word(code::FORMAT_DECIMAL_MARK, locale))
}

fn word(code: &str, locale: &str) -> String {
    text(code, &Map::new(), locale)
}

fn sentence(code: &str, params: Value, locale: &str) -> String {
    match params {
        Value::Object(params) => text(code, &params, locale),
        _ => word(code, locale),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        for (value, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(value, "en"), shown);
        }
        assert_eq!(number(u64::MAX, "en"), "18,446,744,073,709,551,615");
    }

    #[test]
    fn sizes_have_at_most_three_digits() {
        let shown = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_234_567, "1.2 MB"),
            (5_000_000_000, "5.0 GB"),
            (7_260_000_000_000, "7.3 TB"),
        ];
        for (bytes, text) in shown {
            assert_eq!(size(bytes, "en"), text, "{bytes} bytes");
        }
    }

    #[test]
    fn durations_have_two_units() {
        let shown = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (9_949, "9.9 s"),
            (42_000, "42 s"),
            (59_000, "59 s"),
            (59_001, "1 min 0 s"),
            (192_000, "3 min 12 s"),
            (3_599_000, "59 min 59 s"),
            (3_599_500, "1 h 0 min"),
            (7_500_000, "2 h 5 min"),
            (86_399_001, "1 d 0 h"),
            (100_800_000, "1 d 4 h"),
        ];
        for (milliseconds, text) in shown {
            assert_eq!(duration(milliseconds, "en"), text, "{milliseconds} ms");
        }
    }

    #[test]
    fn times_are_local_and_name_their_zone() {
        let instant = Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 4).unwrap();
        assert_eq!(time(instant, chrono_tz::Europe::Berlin, "en"), "Mon 23 Nov 2026, 10:15:04 CET");
        assert_eq!(time(instant, Tz::UTC, "en"), "Mon 23 Nov 2026, 09:15:04 UTC");
        assert_eq!(time(instant, chrono_tz::Asia::Dubai, "en"), "Mon 23 Nov 2026, 13:15:04 UTC+04:00");
        let summer = Utc.with_ymd_and_hms(2026, 7, 5, 22, 30, 0).unwrap();
        assert_eq!(time(summer, chrono_tz::Europe::Berlin, "en"), "Mon 6 Jul 2026, 00:30:00 CEST");
    }
}
