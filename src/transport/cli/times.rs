//! Times as a person at a terminal reads them: how long ago, and when on the local clock.

use chrono::{DateTime, TimeDelta, Utc};
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
