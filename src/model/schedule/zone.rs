//! Where wall-clock times lie in a zone: once, twice, or not at all.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// What a zone makes of a wall-clock time.
pub(super) enum Place {
    Once(DateTime<Utc>),
    /// In an overlap; the first of the two instants.
    Twice(DateTime<Utc>),
    Skipped(Gap),
}

/// Wall-clock times that a zone leaves out: `begins..ends`.
pub(super) struct Gap {
    pub(super) begins: NaiveDateTime,
    pub(super) ends: NaiveDateTime,
    /// The first instant after it, when the clock shows `ends`.
    pub(super) resumes: DateTime<Utc>,
}

/// Wall-clock times that a zone has twice: `begins..ends`.
pub(super) struct Overlap {
    pub(super) begins: NaiveDateTime,
    pub(super) ends: NaiveDateTime,
    /// When the clock is set back from `ends` to `begins`.
    pub(super) set_back: DateTime<Utc>,
}

pub(super) fn wall(instant: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

pub(super) fn place(wall: NaiveDateTime, zone: Tz) -> Place {
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(instant) => Place::Once(instant.to_utc()),
        MappedLocalTime::Ambiguous(first, _) => Place::Twice(first.to_utc()),
        MappedLocalTime::None => Place::Skipped(gap(wall, zone)),
    }
}

fn gap(skipped: NaiveDateTime, zone: Tz) -> Gap {
    // Offsets are less than a day, so the clock is moved within a day of the skipped time read as UTC.
    let day = TimeDelta::days(1);
    let (before, resumes) = change(skipped.and_utc() - day, skipped.and_utc() + day, zone);
    Gap { begins: wall(before, zone) + TimeDelta::seconds(1), ends: wall(resumes, zone), resumes }
}

/// The overlap that `instant` lies in, in its first or second pass.
pub(super) fn overlap_at(instant: DateTime<Utc>, zone: Tz) -> Option<Overlap> {
    let MappedLocalTime::Ambiguous(first, second) = zone.from_local_datetime(&wall(instant, zone)) else {
        return None;
    };
    let (before, set_back) = change(first.to_utc(), second.to_utc(), zone);
    Some(Overlap { begins: wall(set_back, zone), ends: wall(before, zone) + TimeDelta::seconds(1), set_back })
}

/// How far local time is from UTC, and from which instant on, in the years for which anyone asks.
pub fn offsets(zone: Tz) -> Vec<(DateTime<Utc>, TimeDelta)> {
    const YEARS: i64 = 130;
    // No zone has gone to another offset and back within a week.
    let weeks = (0..YEARS * 53).map(|week| DateTime::UNIX_EPOCH + TimeDelta::weeks(week));
    let offset = |instant: DateTime<Utc>| wall(instant, zone) - instant.naive_utc();
    let mut known = vec![(DateTime::UNIX_EPOCH, offset(DateTime::UNIX_EPOCH))];
    let mut before = DateTime::UNIX_EPOCH;
    for week in weeks {
        if offset(week) != offset(before) {
            let (_, from) = change(before, week, zone);
            known.push((from, offset(from)));
        }
        before = week;
    }
    known
}

/// The last second under the offset of `before` and the first one under another, by bisection. The zone's offset
/// changes between the two.
fn change(before: DateTime<Utc>, after: DateTime<Utc>, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let offset = |instant: DateTime<Utc>| wall(instant, zone) - instant.naive_utc();
    let (mut before, mut after) = (whole_second(before), whole_second(after));
    let old = offset(before);
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if offset(middle) == old {
            before = middle;
        } else {
            after = middle;
        }
    }
    (before, after)
}

fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant - TimeDelta::nanoseconds(i64::from(instant.timestamp_subsec_nanos()))
}
