//! Random schedules in all zones against a walk over real time, minute by minute, that applies the rules of the
//! module's documentation literally and shares no code with it.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::{instant, schedule};

/// A small generator (xorshift), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as u32) % bound
    }
}

/// A field as text, the values it means, and whether it has a pattern.
struct Field {
    text: String,
    values: BTreeSet<u32>,
    pattern: bool,
}

fn field(dice: &mut Dice, min: u32, max: u32) -> Field {
    let span = max - min + 1;
    // Often small, so that hours of the night, in which clocks are moved, are common.
    let mut value = || min + if dice.below(2) == 0 { dice.below(4) } else { dice.below(span) };
    let (first, last) = (value(), value());
    match dice.below(5) {
        0 => Field { text: "*".into(), values: (min..=max).collect(), pattern: true },
        1 => Field { text: first.to_string(), values: [first].into(), pattern: false },
        2 => Field { text: format!("{first},{last}"), values: [first, last].into(), pattern: false },
        3 => {
            let length = (last + span - first) % span;
            let values = (0..=length).map(|i| (first - min + i) % span + min).collect();
            Field { text: format!("{first}-{last}"), values, pattern: length > 0 }
        }
        _ => {
            let step = 2 + dice.below(max - 2);
            let values = (first..=max).step_by(step as usize).collect();
            Field { text: format!("{first}/{step}"), values, pattern: true }
        }
    }
}

/// The two day fields and whether they mean a date.
type DayRule = Box<dyn Fn(NaiveDate) -> bool>;

fn weekday(date: NaiveDate) -> u32 {
    date.weekday().num_days_from_sunday() + 1
}

/// All dates of the month of `date`.
fn month_of(date: NaiveDate) -> Vec<NaiveDate> {
    date.with_day(1).unwrap().iter_days().take_while(|day| day.month() == date.month()).collect()
}

/// The date of the month that is no weekend and nearest to `day`; the earlier one is never as near as the later.
fn working_day(date: NaiveDate, day: u32) -> Option<NaiveDate> {
    let month = month_of(date);
    let target = *month.get(day as usize - 1)?;
    let working = month.into_iter().filter(|day| !matches!(weekday(*day), 1 | 7));
    working.min_by_key(|day| (*day - target).abs())
}

fn days(dice: &mut Dice) -> (String, String, DayRule) {
    let day = 1 + dice.below(31);
    let week_day = 1 + dice.below(7);
    let nth = 1 + dice.below(5);
    match dice.below(8) {
        0 | 1 => ("*".into(), "?".into(), Box::new(|_| true)),
        2 => {
            let field = field(dice, 1, 31);
            (field.text, "?".into(), Box::new(move |date| field.values.contains(&date.day())))
        }
        3 => {
            let field = field(dice, 1, 7);
            ("*".into(), field.text, Box::new(move |date| field.values.contains(&weekday(date))))
        }
        4 => {
            let is_last = move |date: NaiveDate| month_of(date).iter().rev().nth(nth as usize) == Some(&date);
            (format!("L-{nth}"), "?".into(), Box::new(is_last))
        }
        5 => (format!("{day}W"), "*".into(), Box::new(move |date| working_day(date, day) == Some(date))),
        6 => {
            let same = move |date: &NaiveDate| weekday(*date) == week_day;
            let rule = move |date| month_of(date).into_iter().filter(same).nth(nth as usize - 1) == Some(date);
            ("?".into(), format!("{week_day}#{nth}"), Box::new(rule))
        }
        _ => {
            let same = move |date: &NaiveDate| weekday(*date) == week_day;
            let rule = move |date| month_of(date).into_iter().rfind(same) == Some(date);
            ("?".into(), format!("{week_day}L"), Box::new(rule))
        }
    }
}

struct Sample {
    expression: String,
    rhythm: bool,
    wants: Box<dyn Fn(NaiveDateTime) -> bool>,
}

fn sample(dice: &mut Dice) -> Sample {
    let (minutes, hours, months) = (field(dice, 0, 59), field(dice, 0, 23), field(dice, 1, 12));
    let (day_of_month, day_of_week, day) = days(dice);
    let expression = format!("0 {} {} {day_of_month} {} {day_of_week}", minutes.text, hours.text, months.text);
    let rhythm = minutes.pattern || (hours.pattern && !hours.text.contains('/'));
    let wants = move |wall: NaiveDateTime| {
        minutes.values.contains(&wall.minute())
            && hours.values.contains(&wall.hour())
            && months.values.contains(&wall.month())
            && day(wall.date())
    };
    Sample { expression, rhythm, wants: Box::new(wants) }
}

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn minutes(from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
    std::iter::successors(Some(from), |wall| Some(*wall + MINUTE)).take_while(move |wall| *wall < to)
}

/// The firings strictly between two instants; `from` is far from a change of the clock.
fn walk(sample: &Sample, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let shown = |instant: DateTime<Utc>| instant.with_timezone(&zone).naive_local();
    let mut firings = Vec::new();
    let mut seen = HashSet::new();
    let mut last = shown(from);
    let mut now = from + MINUTE;
    while now < to {
        let wall = shown(now);
        let gap = wall - (last + MINUTE);
        let skipped = gap > TimeDelta::zero() && minutes(last + MINUTE, wall).any(&sample.wants);
        let continues = sample.rhythm && minutes(wall, wall + gap.max(TimeDelta::zero())).any(&sample.wants);
        let repeated = !seen.insert(wall);
        let wanted = (sample.wants)(wall) && (sample.rhythm || !repeated);
        if wanted || (skipped && !continues) {
            firings.push(now);
        }
        last = wall;
        now += MINUTE;
    }
    firings
}

/// Noons (UTC) in the year after which the clock is moved within a day.
fn changes(zone: Tz, year: i32) -> Vec<DateTime<Utc>> {
    let offset = |instant: DateTime<Utc>| zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let start = instant(&format!("{year}-01-01T12:00:00Z"));
    (0..365)
        .map(|day| start + TimeDelta::days(day))
        .filter(|noon| offset(*noon) != offset(*noon + TimeDelta::days(1)))
        .collect()
}

fn agree(sample: &Sample, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) {
    let expected = walk(sample, zone, from, to);
    let firings: Vec<_> = schedule(&sample.expression).upcoming(from, zone).take_while(|firing| *firing < to).collect();
    assert_eq!(firings, expected, "{} in {zone} from {from}", sample.expression);
}

#[test]
fn all_zones_around_their_changes() {
    let mut dice = Dice(0x5CE7_E7E5);
    let mut windows = 0;
    for zone in TZ_VARIANTS {
        for year in [1987, 2011, 2026] {
            for noon in changes(zone, year) {
                // Only whole minutes are walked; a few zones were once off by seconds.
                if noon.with_timezone(&zone).second() != 0 {
                    continue;
                }
                windows += 1;
                agree(&sample(&mut dice), zone, noon - TimeDelta::days(1), noon + TimeDelta::days(2));
            }
        }
    }
    assert!(windows > 1000, "only {windows} changes were found");
}

#[test]
fn a_quarter_of_a_year() {
    let mut dice = Dice(0xD1CE);
    for round in 0..60 {
        let zone = TZ_VARIANTS[dice.below(TZ_VARIANTS.len() as u32) as usize];
        let from = instant("2024-01-01T12:00:00Z") + TimeDelta::days(7 * round);
        agree(&sample(&mut dice), zone, from, from + TimeDelta::days(90));
    }
}

/// Asking from any instant gives the first of the later firings, wherever in a gap or an overlap it lies.
#[test]
fn every_starting_point() {
    let mut dice = Dice(0xFEED);
    for zone in [chrono_tz::America::New_York, chrono_tz::Australia::Lord_Howe, chrono_tz::Africa::Casablanca] {
        for noon in changes(zone, 2026) {
            for _ in 0..12 {
                let sample = sample(&mut dice);
                let firings = walk(&sample, zone, noon - TimeDelta::days(1), noon + TimeDelta::days(2));
                let parsed = schedule(&sample.expression);
                for seconds in (0..86_400).step_by(149) {
                    let from = noon + TimeDelta::seconds(seconds);
                    let Some(expected) = firings.iter().find(|firing| **firing > from) else { continue };
                    assert_eq!(
                        parsed.next_after(from, zone),
                        Some(*expected),
                        "{} in {zone} from {from}",
                        sample.expression
                    );
                }
            }
        }
    }
}
