//! The two day fields together: which dates of a month a schedule means.

use std::{collections::BTreeSet, fmt};

use chrono::{Datelike, NaiveDate, Weekday};

use super::{
    error::{Field, Rule, ScheduleError},
    numbers::{Term, items, parse_digits, parse_value, write_list},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    Every,
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayOfMonth {
    Plain(Term),
    /// `L`, `L-3`; with `weekday` the working day nearest to it: `LW`, `L-3W`.
    Last {
        before: u32,
        weekday: bool,
    },
    /// `15W`: the working day nearest to the 15th, never in another month.
    NearestWeekday(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayOfWeek {
    Plain(Term),
    /// `6L`: the last Friday of the month.
    Last(u32),
    /// `6#3`: the third Friday of the month.
    Nth {
        day: u32,
        week: u32,
    },
}

/// One day field as written.
enum Written<T> {
    /// `?`
    Unset,
    /// `*`
    Every,
    Days(Vec<T>),
}

impl Days {
    /// `day_of_week` is `None` when the expression ends before it.
    pub(super) fn parse(day_of_month: &str, day_of_week: Option<&str>) -> Result<Self, ScheduleError> {
        let of_month = written(Field::DayOfMonth, day_of_month, DayOfMonth::parse)?;
        let of_week = written(Field::DayOfWeek, day_of_week.unwrap_or("?"), DayOfWeek::parse)?;
        let refuse = |rule| Err(ScheduleError::new(Field::DayOfWeek, day_of_week.unwrap_or_default(), rule));
        match (of_month, of_week) {
            (Written::Unset, Written::Unset) if day_of_week.is_none() => refuse(Rule::MissingDayOfWeek),
            (Written::Unset, Written::Unset) => refuse(Rule::NoDays),
            (Written::Days(_), Written::Days(_)) => refuse(Rule::BothDays),
            (Written::Days(days), Written::Unset | Written::Every) => Ok(Self::OfMonth(days)),
            (Written::Unset | Written::Every, Written::Days(days)) => Ok(Self::OfWeek(days)),
            (Written::Every, Written::Unset | Written::Every) | (Written::Unset, Written::Every) => Ok(Self::Every),
        }
    }

    pub(super) fn admits(&self, date: NaiveDate) -> bool {
        match self {
            Self::Every => true,
            Self::OfMonth(days) => days.iter().any(|day| day.admits(date)),
            Self::OfWeek(days) => days.iter().any(|day| day.admits(date)),
        }
    }

    /// Days of the month and days of the week outside which no date is admitted. For plain days that is the whole
    /// rule; for the others it leaves a handful of dates a month for [`Days::admits`] to judge.
    pub(super) fn bounds(&self) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let all = |field: Field| (field.min()..=field.max()).collect();
        match self {
            Self::Every => (all(Field::DayOfMonth), all(Field::DayOfWeek)),
            Self::OfMonth(days) => (days.iter().flat_map(|day| day.bounds()).collect(), all(Field::DayOfWeek)),
            Self::OfWeek(days) => (
                days.iter().flat_map(|day| day.month_bounds()).collect(),
                days.iter().flat_map(|day| day.week_bounds()).collect(),
            ),
        }
    }

    /// The day of month field that says this.
    pub(super) fn of_month(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self {
            Self::Every => f.write_str("*"),
            Self::OfMonth(days) => write_list(f, days),
            Self::OfWeek(_) => f.write_str("?"),
        })
    }

    /// The day of week field that says this.
    pub(super) fn of_week(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self {
            Self::Every | Self::OfMonth(_) => f.write_str("?"),
            Self::OfWeek(days) => write_list(f, days),
        })
    }
}

fn written<T>(
    field: Field,
    text: &str,
    parse: impl Fn(&str) -> Result<T, ScheduleError>,
) -> Result<Written<T>, ScheduleError> {
    if text == "?" {
        return Ok(Written::Unset);
    }
    if text.contains('?') {
        return Err(ScheduleError::new(field, text, Rule::LoneQuestionMark));
    }
    let items = items(field, text)?;
    if items.iter().any(|item| Term::parse(field, item) == Ok(Term::Every)) {
        return Ok(Written::Every);
    }
    let is_calendar = |item: &&String| item.trim_start_matches(|c: char| c.is_ascii_digit()) == "C";
    if let Some(item) = items.iter().find(is_calendar) {
        return Err(ScheduleError::new(field, item, Rule::Calendar));
    }
    items.iter().map(|item| parse(item)).collect::<Result<_, _>>().map(Written::Days)
}

impl DayOfMonth {
    fn parse(item: &str) -> Result<Self, ScheduleError> {
        let field = Field::DayOfMonth;
        let (base, weekday) = item.strip_suffix('W').map_or((item, false), |base| (base, true));
        if base == "L" {
            return Ok(Self::Last { before: 0, weekday });
        }
        if let Some(before) = base.strip_prefix("L-") {
            return parse_digits(before)
                .filter(|before| *before <= 30)
                .map(|before| Self::Last { before, weekday })
                .ok_or_else(|| ScheduleError::new(field, item, Rule::DaysBeforeLast));
        }
        if weekday {
            return parse_value(field, item, base).map(Self::NearestWeekday);
        }
        Term::parse(field, item).map(Self::Plain)
    }

    fn admits(self, date: NaiveDate) -> bool {
        let last = u32::from(date.num_days_in_month());
        match self {
            Self::Plain(term) => term.values(Field::DayOfMonth).any(|day| day == date.day()),
            Self::Last { before, weekday: false } => date.day() + before == last,
            Self::Last { before, weekday: true } => last > before && nearest_weekday(date, last - before) == date.day(),
            Self::NearestWeekday(day) => day <= last && nearest_weekday(date, day) == date.day(),
        }
    }

    fn bounds(self) -> BTreeSet<u32> {
        let around = |first: u32, last: u32| (first.max(1)..=last.clamp(1, 31)).collect();
        match self {
            Self::Plain(term) => term.values(Field::DayOfMonth).collect(),
            Self::Last { before, weekday: false } => around(28u32.saturating_sub(before), 31 - before),
            Self::Last { before, weekday: true } => around(28u32.saturating_sub(before + 2), 33 - before),
            Self::NearestWeekday(day) => around(day.saturating_sub(2), day + 2),
        }
    }
}

/// The working day nearest to `day` (which the month of `date` has), within that month.
fn nearest_weekday(date: NaiveDate, day: u32) -> u32 {
    let last = u32::from(date.num_days_in_month());
    match date.with_day(day).map(|target| target.weekday()) {
        Some(Weekday::Sat) if day == 1 => day + 2,
        Some(Weekday::Sat) => day - 1,
        Some(Weekday::Sun) if day == last => day - 2,
        Some(Weekday::Sun) => day + 1,
        _ => day,
    }
}

impl DayOfWeek {
    fn parse(item: &str) -> Result<Self, ScheduleError> {
        let field = Field::DayOfWeek;
        if item == "L" {
            return Ok(Self::Plain(Term::At(field.max())));
        }
        if let Some(day) = item.strip_suffix('L') {
            return parse_value(field, item, day).map(Self::Last);
        }
        if let Some((day, week)) = item.split_once('#') {
            let day = parse_value(field, item, day)?;
            return parse_digits(week)
                .filter(|week| (1..=5).contains(week))
                .map(|week| Self::Nth { day, week })
                .ok_or_else(|| ScheduleError::new(field, item, Rule::Week));
        }
        Term::parse(field, item).map(Self::Plain)
    }

    fn admits(self, date: NaiveDate) -> bool {
        let weekday = date.weekday().number_from_sunday();
        match self {
            Self::Plain(term) => term.values(Field::DayOfWeek).any(|day| day == weekday),
            Self::Last(day) => day == weekday && date.day() + 7 > u32::from(date.num_days_in_month()),
            Self::Nth { day, week } => day == weekday && date.day().div_ceil(7) == week,
        }
    }

    fn month_bounds(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::Plain(_) => 1..=31,
            Self::Last(_) => 22..=31,
            Self::Nth { week, .. } => week * 7 - 6..=(week * 7).min(31),
        }
    }

    fn week_bounds(self) -> BTreeSet<u32> {
        match self {
            Self::Plain(term) => term.values(Field::DayOfWeek).collect(),
            Self::Last(day) | Self::Nth { day, .. } => BTreeSet::from([day]),
        }
    }
}

impl fmt::Display for DayOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Plain(term) => term.fmt(f),
            Self::Last { before, weekday } => {
                f.write_str("L")?;
                if before > 0 {
                    write!(f, "-{before}")?;
                }
                f.write_str(if weekday { "W" } else { "" })
            }
            Self::NearestWeekday(day) => write!(f, "{day}W"),
        }
    }
}

impl fmt::Display for DayOfWeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Plain(term) => term.fmt(f),
            Self::Last(day) => write!(f, "{day}L"),
            Self::Nth { day, week } => write!(f, "{day}#{week}"),
        }
    }
}
