//! Recurring start times: the Quartz cron dialect of `execSchedule`.
//!
//! `seconds minutes hours day-of-month month day-of-week [year]`, seconds first, days of the week numbered from
//! Sunday = 1, read on the wall clock of a zone. Lists, ranges (also wrapping around: `FRI-MON`, `22-2`), steps, `?`,
//! `L`, `L-3`, `LW`, `15W`, `6L` and `6#3` have their Quartz meaning; names are read in any case. Two slips that are
//! common in print are read as they were meant: `*` in one day field beside a rule in the other counts as `?`, and a
//! missing last field counts as `?`. Five fields with a pattern in the third are refused all the same: that is Unix
//! cron, in which every field means something else.
//!
//! # When the clock is moved
//!
//! A person who schedules "02:30 every day" wants one run a day, and one who schedules "every 5 minutes" wants a run
//! every 5 minutes. So there are two sorts of schedule:
//!
//! * A **rhythm** has a pattern (`*`, a range or a step) in its minutes, or hours that follow on each other (`*` or a
//!   range; a step of two hours or more is a list of hours).
//! * Everything else is a list of **fixed times**.
//!
//! *Forwards (spring).* The wall times in the gap do not exist. Fixed times in it fire once, together, at the first
//! instant after the gap: as near to the wanted time as the day allows, and never lost. A rhythm that goes on within a
//! gap's length after the gap has lost nothing in real time, and just continues; one that would be silent then (every
//! 5 minutes, but only in the lost hour) fires once at the end of the gap, like fixed times. A time that is wanted at the
//! end of the gap anyway does not fire a second time for what the gap swallowed.
//!
//! *Backwards (autumn).* The wall times of the overlap happen twice. Fixed times fire in the first pass only; a rhythm
//! fires in both, so that no hour passes without it.
//!
//! Firings are thus strictly increasing instants, and the day of a change has every fixed time once.
//!
//! Others differ. Quartz walks the wall clock through a lenient calendar and promises nothing: its documentation warns
//! of skipped and repeated firings. Vixie cron (as in Debian) comes nearest: jobs without `*` in hours and minutes run
//! right after the gap and are not repeated in the overlap, jobs with it follow the clock. Its test is the sign, so
//! that a job every 6 hours may run twice in the overlap and be lost in the gap; the rule above mends that.

mod days;
mod describe;
mod error;
mod numbers;
#[cfg(test)]
mod tests;
mod unix_cron;
mod zone;

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::error::{Field, Rule, ScheduleError};
pub use self::zone::offsets;
use self::{
    days::Days,
    numbers::{Numbers, Term, items},
    zone::{Gap, Place, overlap_at, place, wall},
};

/// Longest expression that is read; the longest sensible one is far below.
pub const MAX_LENGTH: usize = 255;

/// No firing is later; years end here in Quartz, too.
const LAST_YEAR: i32 = 2099;

/// A parsed schedule. Two are equal when they are written the same way after normalisation.
#[derive(Clone)]
pub struct Schedule {
    /// As it was given.
    source: String,
    fields: Fields,
    /// The same on a clock that is never moved. Its days are a bound; [`Days::admits`] decides.
    wall: cron::Schedule,
}

/// Firings in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub last: DateTime<Utc>,
    pub count: u64,
    /// The first firing after them.
    pub next: Option<DateTime<Utc>>,
}

/// The times of a day that a schedule wants.
struct Times {
    hours: BTreeSet<u32>,
    minutes: BTreeSet<u32>,
    seconds: BTreeSet<u32>,
}

impl Times {
    /// How many there are from `at` on within a piece of a day in which the clock is not moved, but not after `until`, and the last
    /// of them; nothing if the clock is moved in it.
    fn within(
        &self,
        at: DateTime<Utc>,
        begin: NaiveDateTime,
        length: TimeDelta,
        until: DateTime<Utc>,
        zone: Tz,
    ) -> Option<(u64, DateTime<Utc>)> {
        let (Place::Once(from), Place::Once(to)) = (place(begin, zone), place(begin + length, zone)) else {
            return None;
        };
        if to - from != length {
            return None;
        }
        let midnight = from - TimeDelta::seconds(i64::from(begin.num_seconds_from_midnight()));
        let second = |instant: DateTime<Utc>| u32::try_from((instant - midnight).num_seconds()).unwrap_or(0);
        // What was put off because the clock was set forward may come at another time than one of these.
        if !self.contains(second(at)) {
            return None;
        }
        let (count, last) = self.between(second(at), second(to.min(until)))?;
        Some((count, midnight + TimeDelta::seconds(i64::from(last))))
    }

    fn contains(&self, second: u32) -> bool {
        let (minute, second) = (second / 60, second % 60);
        self.hours.contains(&(minute / 60)) && self.minutes.contains(&(minute % 60)) && self.seconds.contains(&second)
    }

    /// The same in seconds of a day.
    fn between(&self, from: u32, to: u32) -> Option<(u64, u32)> {
        let (mut count, mut last) = (0, None);
        for hour in self.hours.range(from / 3600..=to / 3600) {
            for minute in &self.minutes {
                let begin = hour * 3600 + minute * 60;
                if begin >= from && begin + 59 <= to {
                    count += self.seconds.len() as u64;
                    last = self.seconds.last().map(|second| begin + second);
                    continue;
                }
                for second in self.seconds.iter().map(|second| begin + second).filter(|at| (from..=to).contains(at)) {
                    count += 1;
                    last = Some(second);
                }
            }
        }
        Some((count, last?))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fields {
    seconds: Numbers,
    minutes: Numbers,
    hours: Numbers,
    days: Days,
    months: Numbers,
    years: Numbers,
}

impl Schedule {
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let fields = Fields::parse(expression)?;
        let wall = fields.on_the_wall();
        Ok(Self { source: expression.to_owned(), fields, wall })
    }

    /// The expression as it was given; [`Display`](fmt::Display) shows it in normal form.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first firing strictly after `after`, on the wall clock of `zone`; `None` when there is none up to 2099.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        // Keeps arithmetic away from the ends of chrono's range.
        if after.year() > LAST_YEAR + 1 {
            return None;
        }
        let after = after.max(DateTime::UNIX_EPOCH - TimeDelta::days(2));
        let shown = wall(after, zone);
        let Some(overlap) = overlap_at(after, zone) else {
            return self.place(self.next_on_the_wall(shown)?, zone);
        };
        let first_pass = after < overlap.set_back;
        let pass_ends = |from: NaiveDateTime| self.next_on_the_wall(from).filter(|next| *next < overlap.ends);
        if first_pass && let Some(next) = pass_ends(shown) {
            return Some(after + (next - shown));
        }
        if self.fields.is_rhythm() {
            let from = if first_pass { just_before(overlap.begins) } else { shown };
            if let Some(next) = pass_ends(from) {
                return Some(overlap.set_back + (next - overlap.begins));
            }
        }
        self.place(self.next_on_the_wall(just_before(overlap.ends))?, zone)
    }

    /// The firings from `first`, which is one of them, up to `until`: counted by days and hours, so that a year of seconds costs no
    /// more than a moment.
    pub fn span(&self, first: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Span {
        let times = self.fields.times();
        let mut span = Span { last: first, count: 0, next: Some(first) };
        while let Some(at) = span.next.filter(|at| *at <= until) {
            let shown = wall(at, zone);
            let day = (shown.date().and_time(NaiveTime::MIN), TimeDelta::seconds(86_399));
            let hour = (
                shown - TimeDelta::seconds(i64::from(shown.num_seconds_from_midnight() % 3600)),
                TimeDelta::seconds(3599),
            );
            let many =
                || [day, hour].into_iter().find_map(|(begin, length)| times.within(at, begin, length, until, zone));
            let (count, last) = many().unwrap_or((1, at));
            span.count += count;
            span.last = last;
            span.next = self.next_after(last, zone);
        }
        span
    }

    /// All firings strictly after `from`, in order.
    pub fn upcoming(&self, from: DateTime<Utc>, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(from, zone), move |last| self.next_after(*last, zone))
    }

    /// The same, on a clock that is told by its `offsets` from UTC and the instants from which on they hold, such as [`offsets`] gives.
    pub fn upcoming_by(
        &self,
        from: DateTime<Utc>,
        offsets: &[(DateTime<Utc>, TimeDelta)],
    ) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_by(from, offsets), move |last| self.next_by(*last, offsets))
    }

    fn next_by(&self, after: DateTime<Utc>, offsets: &[(DateTime<Utc>, TimeDelta)]) -> Option<DateTime<Utc>> {
        let is_rhythm = self.fields.is_rhythm();
        let piece = offsets.iter().rposition(|(from, _)| *from <= after)?;
        let mut offset = offsets[piece].1;
        let mut next = self.next_on(after + offset)? - offset;
        for (change, then) in &offsets[piece + 1..] {
            if next < *change {
                break;
            }
            let is_in_gap = next + offset < *change + *then;
            // What the clock shows twice comes twice for a rhythm alone.
            let shown = *change + if is_rhythm { *then } else { offset.max(*then) };
            let goes_on = self.next_on(shown - TimeDelta::milliseconds(1));
            let is_soon = |wall: DateTime<Utc>| is_rhythm && wall - shown < *then - offset;
            next = match goes_on {
                Some(wall) if !is_in_gap || is_soon(wall) => wall - *then,
                None if !is_in_gap => return None,
                _ => return Some(*change),
            };
            offset = *then;
        }
        Some(next)
    }

    /// The first firing strictly after what a clock shows that is never moved.
    fn next_on(&self, shown: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.next_after(shown, Tz::UTC)
    }

    /// What it means, in English: "every day at 12:00:00".
    pub fn describe(&self) -> String {
        describe::describe(&self.fields)
    }

    /// When a wall-clock time that the schedule wants fires, seen from before it.
    fn place(&self, wanted: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
        match place(wanted, zone) {
            Place::Once(instant) | Place::Twice(instant) => Some(instant),
            Place::Skipped(gap) => match self.continues_after(&gap) {
                Some(next) => Some(gap.resumes + (next - gap.ends)),
                None => Some(gap.resumes),
            },
        }
    }

    /// A rhythm's first time after a gap, if it is within a gap's length.
    fn continues_after(&self, gap: &Gap) -> Option<NaiveDateTime> {
        let next = self.fields.is_rhythm().then(|| self.next_on_the_wall(just_before(gap.ends)))??;
        (next - gap.ends < gap.ends - gap.begins).then_some(next)
    }

    /// The first wanted wall-clock time strictly after another.
    fn next_on_the_wall(&self, mut after: NaiveDateTime) -> Option<NaiveDateTime> {
        loop {
            let next = self.wall.after(&after.and_utc()).next()?.naive_utc();
            if self.fields.days.admits(next.date()) {
                return Some(next);
            }
            after = last_second(next.date());
        }
    }
}

fn just_before(wall: NaiveDateTime) -> NaiveDateTime {
    wall - TimeDelta::seconds(1)
}

fn last_second(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN) + TimeDelta::seconds(86_399)
}

impl Fields {
    fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let length = expression.chars().count();
        if length > MAX_LENGTH {
            return Err(ScheduleError::TooLong { length });
        }
        let written: Vec<&str> = expression.split_ascii_whitespace().collect();
        let (&[seconds, minutes, hours, day_of_month, month], rest) =
            written.split_first_chunk().ok_or_else(|| field_count(&written))?;
        let (day_of_week, year) = match *rest {
            [] if !names_hours(hours) => return Err(ScheduleError::UnixCron { expression: written.join(" ") }),
            [] => (None, None),
            [day_of_week] => (Some(day_of_week), None),
            [day_of_week, year] => (Some(day_of_week), Some(year)),
            _ => return Err(field_count(&written)),
        };
        Ok(Self {
            seconds: Numbers::parse(Field::Seconds, seconds)?,
            minutes: Numbers::parse(Field::Minutes, minutes)?,
            hours: Numbers::parse(Field::Hours, hours)?,
            days: Days::parse(day_of_month, day_of_week)?,
            months: Numbers::parse(Field::Month, month)?,
            years: year.map_or(Ok(Numbers::every(Field::Year)), |year| Numbers::parse(Field::Year, year))?,
        })
    }

    fn times(&self) -> Times {
        Times { hours: self.hours.values(), minutes: self.minutes.values(), seconds: self.seconds.values() }
    }

    /// See the module's documentation.
    fn is_rhythm(&self) -> bool {
        let pattern = |term: &Term| !matches!(term, Term::At(_));
        let hourly = |term: &Term| match *term {
            Term::Every => true,
            Term::At(_) => false,
            Term::Range { step, .. } | Term::From { step, .. } => step == 1,
        };
        self.minutes.terms.iter().any(pattern) || self.hours.terms.iter().any(hourly)
    }

    fn on_the_wall(&self) -> cron::Schedule {
        let list = |values: BTreeSet<u32>| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let (days_of_month, days_of_week) = self.days.bounds();
        let fields = [
            self.seconds.values(),
            self.minutes.values(),
            self.hours.values(),
            days_of_month,
            self.months.values(),
            days_of_week,
            self.years.values(),
        ];
        let expression = fields.map(list).join(" ");
        expression.parse().expect("lists of numbers within the ranges of their fields are valid in every cron dialect")
    }
}

/// Whether the hours hold numbers only, as in a daily schedule.
fn names_hours(hours: &str) -> bool {
    items(Field::Hours, hours).is_ok_and(|items| !items.iter().any(|item| item.contains('*')))
}

fn field_count(written: &[&str]) -> ScheduleError {
    ScheduleError::FieldCount { expression: written.join(" "), count: written.len() }
}

/// The normalised expression: single blanks, numbers for names, `?` in the day field that does not count, no year if
/// every year is meant. Parsing it gives the same schedule.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { seconds, minutes, hours, days, months, years } = &self.fields;
        write!(f, "{seconds} {minutes} {hours} {} {months} {}", days.of_month(), days.of_week())?;
        if years.is_every() { Ok(()) } else { write!(f, " {years}") }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Eq for Schedule {}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        Self::parse(expression)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
