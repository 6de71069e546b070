//! What is wrong with an expression: which field, which part of it, and the rule it breaks.

use std::fmt;

use thiserror::Error;

use super::MAX_LENGTH;

/// The seven fields, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Seconds,
    Minutes,
    Hours,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

const MONTH_NAMES: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAY_NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    pub(super) const fn min(self) -> u32 {
        match self {
            Self::Seconds | Self::Minutes | Self::Hours => 0,
            Self::DayOfMonth | Self::Month | Self::DayOfWeek => 1,
            Self::Year => 1970,
        }
    }

    pub(super) const fn max(self) -> u32 {
        match self {
            Self::Seconds | Self::Minutes => 59,
            Self::Hours => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
            Self::Year => 2099,
        }
    }

    /// How many values the field has.
    pub(super) const fn span(self) -> u32 {
        self.max() - self.min() + 1
    }

    /// The number that an upper-case name stands for.
    pub(super) fn named(self, name: &str) -> Option<u32> {
        let names: &[&str] = match self {
            Self::Month => &MONTH_NAMES,
            Self::DayOfWeek => &DAY_NAMES,
            Self::Seconds | Self::Minutes | Self::Hours | Self::DayOfMonth | Self::Year => &[],
        };
        (self.min()..).zip(names).find_map(|(number, known)| (*known == name).then_some(number))
    }

    /// Values and signs of the field, for messages.
    const fn rule(self) -> &'static str {
        match self {
            Self::Seconds | Self::Minutes => "0 to 59 and the signs , - * /",
            Self::Hours => "0 to 23 and the signs , - * /",
            Self::DayOfMonth => "1 to 31 and the signs , - * / ? L W",
            Self::Month => "1 to 12 or JAN to DEC, and the signs , - * /",
            Self::DayOfWeek => "1 (Sunday) to 7 (Saturday) or SUN to SAT, and the signs , - * / ? L #",
            Self::Year => "1970 to 2099 and the signs , - * /",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
            Self::Year => "year",
        })
    }
}

/// Why an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    #[error(
        "schedule {expression:?} has {count} field{}; it takes 6 or 7: \
         seconds, minutes, hours, day of month, month, day of week, and a year if wanted",
        if *count == 1 { "" } else { "s" }
    )]
    FieldCount { expression: String, count: usize },
    #[error(
        "schedule {expression:?} has 5 fields and reads like Unix cron; \
         here the seconds come first, 1 is Sunday, and `?` stands in the field of days that does not count: {}",
        super::unix_cron::advice(expression)
    )]
    UnixCron { expression: String },
    #[error("a schedule has at most {MAX_LENGTH} characters; this one has {length}")]
    TooLong { length: usize },
    #[error("{field} {text:?}: {rule}")]
    Field { field: Field, text: String, rule: Rule },
}

impl ScheduleError {
    pub(super) fn new(field: Field, text: &str, rule: Rule) -> Self {
        Self::Field { field, text: text.to_owned(), rule }
    }
}

/// The rule that a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rule {
    #[error("is not understood; allowed are {}", .0.rule())]
    Unreadable(Field),
    #[error("is out of range; allowed are {}", .0.rule())]
    OutOfRange(Field),
    #[error("has an empty item in its list; write values between the commas")]
    EmptyItem,
    #[error("the step after `/` must be a number from 1 to {0}")]
    Step(u32),
    #[error("years do not wrap around; write the earlier year first")]
    YearsBackwards,
    #[error("after `#` comes the week of the month, a number from 1 to 5")]
    Week,
    #[error("after `L-` come the days before the last one, a number from 0 to 30")]
    DaysBeforeLast,
    #[error(
        "`C` (relative to a calendar) was dropped from Quartz and no calendar is kept here; write the days themselves"
    )]
    Calendar,
    #[error("`?` means no value and stands alone")]
    LoneQuestionMark,
    #[error("is missing, and the day of month is `?`; one of them must say on which days (`*` for every day)")]
    MissingDayOfWeek,
    #[error("both day fields are `?`; one of them must say on which days (`*` for every day)")]
    NoDays,
    #[error("both day fields name days; one of them must be `?`")]
    BothDays,
}
