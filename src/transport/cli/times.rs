//! Times as a person at a terminal reads them: how long ago, and when on the local clock.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::words::format;

/// Now, and the zone of the server.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

impl Times {
    /// "3 min ago", "in 2 h"; one unit, for the rest is noise.
    pub fn relative(&self, at: DateTime<Utc>) -> String {
        let distance = self.now - at;
        let amount = rough(distance.abs());
        match amount {
            None => "now".to_owned(),
            Some(amount) if distance < TimeDelta::zero() => format!("in {amount}"),
            Some(amount) => format!("{amount} ago"),
        }
    }

    /// "2026-11-23 10:15:04"
    pub fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// "10:15:04"
    pub fn clock(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%H:%M:%S").to_string()
    }

    /// "2026-11-23 10:15:04 CET (3 min ago)"
    pub fn both(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone);
        format!("{} ({})", local.format("%a %Y-%m-%d %H:%M:%S %Z"), self.relative(at))
    }

    /// How long something took, or takes so far.
    pub fn took(&self, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> String {
        duration(until.unwrap_or(self.now) - from)
    }
}

/// An instant as people write it: RFC 3339, also without seconds or with a blank in the middle.
pub fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let text = match text.strip_suffix(['Z', 'z']) {
        Some(utc) => format!("{}+00:00", utc.trim_end()),
        None => text.to_owned(),
    };
    forms().find_map(|form| DateTime::parse_from_str(&text, &format!("{form}%#z")).ok()).map(|instant| instant.to_utc())
}

/// A time, or the beginning of a date, on a wall clock.
pub fn wall(text: &str) -> Option<NaiveDateTime> {
    let time = forms().find_map(|form| NaiveDateTime::parse_from_str(text, &form).ok());
    time.or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
}

fn forms() -> impl Iterator<Item = String> {
    let between = ["T", "t", " "].into_iter();
    between.flat_map(|between| ["%H:%M:%S%.f", "%H:%M"].map(|time| format!("%Y-%m-%d{between}{time}")))
}

pub fn duration(length: TimeDelta) -> String {
    format::duration(u64::try_from(length.num_milliseconds()).unwrap_or(0), "en")
}

fn rough(distance: TimeDelta) -> Option<String> {
    let (seconds, minutes, hours, days) =
        (distance.num_seconds(), distance.num_minutes(), distance.num_hours(), distance.num_days());
    Some(match () {
        () if seconds < 1 => return None,
        () if minutes < 1 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} min"),
        () if days < 2 => format!("{hours} h"),
        () if days < 60 => format!("{days} days"),
        () if days < 730 => format!("{} months", days / 30),
        () => format!("{} years", days / 365),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn instants_are_read_as_people_write_them() {
        let instant = Utc.with_ymd_and_hms(2026, 11, 24, 2, 30, 0).unwrap();
        for text in [
            "2026-11-24T02:30:00Z",
            "2026-11-24T02:30Z",
            "2026-11-24t02:30z",
            "2026-11-24 02:30 Z",
            "2026-11-24T02:30:00.000Z",
            "2026-11-24T11:30+09:00",
            "2026-11-24 11:30:00+0900",
            "2026-11-24T11:30+09",
            "2026-11-24T11:30:00 +09:00",
            "2026-11-23T21:30-05:00",
        ] {
            assert_eq!(zoned(text), Some(instant), "{text}");
        }
        let local = instant.naive_utc();
        for text in ["2026-11-24T02:30", "2026-11-24 02:30:00", "2026-11-24T02:30:00.0"] {
            assert_eq!((zoned(text), wall(text)), (None, Some(local)), "{text}");
        }
        assert_eq!(wall("2026-11-24"), local.date().and_hms_opt(0, 0, 0));
        for text in ["", "Z", "soon", "2026-11-24Z", "2026-13-24T02:30Z", "2026-11-24T25:00Z", "2026-11-24T02:30+25:00"]
        {
            assert_eq!(zoned(text), None, "{text}");
        }
    }

    #[test]
    fn distances_have_one_unit() {
        let now = Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 4).unwrap();
        let times = Times { now, zone: Tz::UTC };
        for (seconds, shown) in [
            (0, "now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (-3600, "in 1 h"),
            (47 * 3600, "47 h ago"),
            (48 * 3600, "2 days ago"),
            (-90 * 86_400, "in 3 months"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(times.relative(now - TimeDelta::seconds(seconds)), shown);
        }
    }
}
