//! Schedules in plain English, for people who do not read cron.

use super::{
    Fields,
    days::{DayOfMonth, DayOfWeek, Days},
    error::Field,
    numbers::{Numbers, Term},
};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// More times of day than this are told as fields.
const MOST_TIMES: usize = 6;

pub(super) fn describe(fields: &Fields) -> String {
    let mut words = if matches!(fields.days, Days::Every) && runs_all_day(fields) {
        times(fields)
    } else {
        format!("{} {}", days(&fields.days), times(fields))
    };
    if !fields.months.is_every() {
        words.push_str(" in ");
        words.push_str(&numbers(&fields.months, month));
    }
    if !fields.years.is_every() {
        words.push_str(" in ");
        words.push_str(&numbers(&fields.years, |year| year.to_string()));
    }
    words
}

fn runs_all_day(fields: &Fields) -> bool {
    fields.hours.is_every()
}

fn times(fields: &Fields) -> String {
    let Fields { seconds, minutes, hours, .. } = fields;
    let times = clock_times(fields);
    if !times.is_empty() {
        return format!("at {}", list(times));
    }
    let (unit, parts) = match (&*seconds.terms, &*minutes.terms, &*hours.terms) {
        ([Term::At(second)], [Term::At(minute)], _) => {
            let past = match (minute, second) {
                (0, 0) => "on the hour".to_owned(),
                (minute, 0) => format!("at minute {minute}"),
                (minute, second) => format!("at minute {minute}, second {second}"),
            };
            (stepped(hours, "hour"), vec![past])
        }
        ([Term::At(0)], _, _) => (stepped(minutes, "minute"), vec![within_hours(hours)]),
        ([Term::At(second)], _, _) => {
            (stepped(minutes, "minute"), vec![format!("at second {second}"), within_hours(hours)])
        }
        _ if minutes.is_every() => (stepped(seconds, "second"), vec![within_hours(hours)]),
        _ => (stepped(seconds, "second"), vec![format!("of {}", counted("minute", minutes)), within_hours(hours)]),
    };
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    std::iter::once(unit).chain(parts).collect::<Vec<_>>().join(" ")
}

/// The times of day if they are few and listed one by one.
fn clock_times(fields: &Fields) -> Vec<String> {
    let listed = |numbers: &Numbers| -> Option<Vec<u32>> {
        let single = |term: &Term| if let Term::At(value) = term { Some(*value) } else { None };
        numbers.terms.iter().map(single).collect()
    };
    let (Some(hours), Some(minutes), Some(seconds)) =
        (listed(&fields.hours), listed(&fields.minutes), listed(&fields.seconds))
    else {
        return Vec::new();
    };
    if hours.len() * minutes.len() * seconds.len() > MOST_TIMES {
        return Vec::new();
    }
    let mut times = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            for second in &seconds {
                times.push(format!("{hour:02}:{minute:02}:{second:02}"));
            }
        }
    }
    times.sort();
    times.dedup();
    times
}

fn within_hours(hours: &Numbers) -> String {
    let until = |hour: u32| format!("{hour:02}:59");
    match *hours.terms {
        [Term::Every] => String::new(),
        [Term::At(hour)] => format!("from {hour:02}:00 to {}", until(hour)),
        [Term::Range { first, last, step: 1 }] => format!("from {first:02}:00 to {}", until(last)),
        _ => format!("in {}", counted("hour", hours)),
    }
}

/// "every 5 minutes", "every minute from 10 to 20", "minutes 10 and 44"
fn stepped(numbers: &Numbers, unit: &str) -> String {
    match *numbers.terms {
        [Term::Every] => format!("every {unit}"),
        [Term::From { first, step }] => {
            let from = if first == numbers.field.min() { String::new() } else { format!(" from {unit} {first}") };
            format!("every {step} {unit}s{from}")
        }
        [Term::Range { first, last, step: 1 }] => format!("every {unit} from {first} to {last}"),
        [Term::Range { first, last, step }] => format!("every {step} {unit}s from {first} to {last}"),
        _ => format!("in {}", counted(unit, numbers)),
    }
}

/// "minute 5", "minutes 10 and 44"
fn counted(unit: &str, values: &Numbers) -> String {
    let plural = if matches!(*values.terms, [Term::At(_)]) { "" } else { "s" };
    format!("{unit}{plural} {}", numbers(values, |value| value.to_string()))
}

fn days(days: &Days) -> String {
    match days {
        Days::Every => "every day".to_owned(),
        Days::OfMonth(days) => match &**days {
            [DayOfMonth::Plain(Term::From { first: 1, step })] => {
                format!("every {step} days from the 1st of the month")
            }
            days => format!("on {} of the month", list(days.iter().map(day_of_month).collect())),
        },
        Days::OfWeek(days) => format!("on {}", list(days.iter().map(day_of_week).collect())),
    }
}

fn day_of_month(day: &DayOfMonth) -> String {
    let last = |before: u32| match before {
        0 => "the last day".to_owned(),
        1 => "the day before the last".to_owned(),
        before => format!("{before} days before the last day"),
    };
    match *day {
        DayOfMonth::Plain(term) => format!("the {}", one(term, Field::DayOfMonth, ordinal)),
        DayOfMonth::Last { before: 0, weekday: true } => "the last working day".to_owned(),
        DayOfMonth::Last { before, weekday: true } => format!("the working day nearest to {}", last(before)),
        DayOfMonth::Last { before, weekday: false } => last(before),
        DayOfMonth::NearestWeekday(day) => format!("the working day nearest to the {}", ordinal(day)),
    }
}

fn day_of_week(day: &DayOfWeek) -> String {
    match *day {
        DayOfWeek::Plain(term) => one(term, Field::DayOfWeek, weekday),
        DayOfWeek::Last(day) => format!("the last {} of the month", weekday(day)),
        DayOfWeek::Nth { day, week } => format!("the {} {} of the month", ordinal(week), weekday(day)),
    }
}

fn numbers(numbers: &Numbers, name: impl Fn(u32) -> String) -> String {
    list(numbers.terms.iter().map(|term| one(*term, numbers.field, &name)).collect())
}

fn one(term: Term, field: Field, name: impl Fn(u32) -> String) -> String {
    match term {
        Term::Every => format!("{} to {}", name(field.min()), name(field.max())),
        Term::At(value) => name(value),
        Term::Range { first, last, step: 1 } => format!("{} to {}", name(first), name(last)),
        Term::From { .. } | Term::Range { .. } => list(term.values(field).map(name).collect()),
    }
}

fn weekday(day: u32) -> String {
    named(&DAYS, day)
}

fn month(month: u32) -> String {
    named(&MONTHS, month)
}

fn named(names: &[&str], number: u32) -> String {
    names.get(number as usize - 1).map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// "a", "a and b", "a, b and c"
fn list(mut items: Vec<String>) -> String {
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}
