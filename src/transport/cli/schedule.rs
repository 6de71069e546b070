//! `prepress schedule next`: when a schedule fires.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, Tz};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::place::PlaceArgs;
use super::screen::{Paint, Screen};
use super::table::{Column, Table, Value};
use super::times::{self, Times};
use crate::clock::{Clock, SystemClock};
use crate::model::schedule::Schedule;

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Say what a schedule means, and when it fires next
    Next(NextArgs),
}

#[derive(Debug, Args)]
pub struct NextArgs {
    /// Quartz cron: seconds minutes hours day-of-month month day-of-week [year], such as '0 30 2 ? * MON-FRI'
    #[arg(value_name = "EXPR")]
    expression: String,
    /// How many firings
    #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Zone of the wall clock, such as Europe/Berlin (default: the server's)
    #[arg(long, value_parser = zone)]
    zone: Option<Tz>,
    /// Only firings after this: 2026-10-24, 2026-10-24T01:30 (both in the zone) or 2026-10-24T01:30:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let likeness = |zone: &&Tz| strsim::normalized_damerau_levenshtein(zone.name(), text);
        let nearest = chrono_tz::TZ_VARIANTS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = nearest.filter(|zone| likeness(zone) > 0.5).map(|zone| format!("; did you mean {zone}?"));
        format!("not the IANA name of a zone, such as Europe/Berlin{}", hint.unwrap_or_default())
    })
}

/// A firing, as JSON shows it.
#[derive(Debug, Serialize)]
struct Firing {
    local: String,
    utc: DateTime<Utc>,
    remark: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    schedule: String,
    means: String,
    zone: String,
    firings: Vec<Firing>,
}

pub async fn run(command: ScheduleCommand, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let ScheduleCommand::Next(args) = command;
    let zone = match args.zone {
        Some(zone) => zone,
        None => place.zone().await?,
    };
    let schedule = Schedule::parse(&args.expression).map_err(|error| {
        Failure::new(error.to_string())
            .hint("fields: seconds minutes hours day-of-month month day-of-week [year]; example: '0 30 2 ? * MON-FRI'")
    })?;
    let now = SystemClock.now();
    let from = args.from.as_deref().map(|text| instant(text, zone)).transpose()?.unwrap_or(now);
    let instants: Vec<DateTime<Utc>> = schedule.upcoming(from, zone).take(args.count as usize).collect();
    let firings = firings(from, &instants, zone);
    if args.json {
        let answer =
            Answer { schedule: schedule.to_string(), means: schedule.describe(), zone: zone.to_string(), firings };
        screen.json(&answer)?;
        return Ok(Exit::Done);
    }
    let mut means = schedule.describe();
    means.replace_range(..1, &means[..1].to_uppercase());
    screen.line(format!("{} ({zone})", screen.paint(Paint::Bold, means)))?;
    if firings.is_empty() {
        screen.line("It never fires.")?;
        return Ok(Exit::Done);
    }
    screen.line("")?;
    screen.line(table(&firings, &instants, Times { now, zone }).render(screen))?;
    if firings.len() < args.count as usize {
        screen.line("\nThen never again.")?;
    }
    Ok(Exit::Done)
}

fn table(firings: &[Firing], instants: &[DateTime<Utc>], times: Times) -> Table {
    let columns = [
        Column::new("LOCAL").whole(),
        Column::new("UTC").whole(),
        Column::new("FROM NOW").whole().shown_from(100),
        Column::new("REMARK"),
    ];
    let mut table = Table::new(columns).wrapping();
    for (firing, at) in firings.iter().zip(instants) {
        let remark = firing.remark.clone().unwrap_or_default();
        table.row([
            firing.local.clone().into(),
            Value::painted(Paint::Dim, at.format("%Y-%m-%d %H:%M:%S").to_string()),
            Value::painted(Paint::Dim, times.relative(*at)),
            Value::painted(Paint::Yellow, remark),
        ]);
    }
    table
}

/// Each with a remark when the clock was moved since the one before.
fn firings(from: DateTime<Utc>, instants: &[DateTime<Utc>], zone: Tz) -> Vec<Firing> {
    let offset = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix().local_minus_utc();
    let before = std::iter::once(&from).chain(instants);
    instants
        .iter()
        .zip(before)
        .map(|(at, before)| {
            let moved = (offset(*at) - offset(*before)) / 60;
            let local = at.with_timezone(&zone);
            let summer = if local.offset().dst_offset().is_zero() { "standard" } else { "summer" };
            let remark = match moved {
                0 => None,
                1.. => Some(format!("clock set forward {} to {summer} time", minutes(moved))),
                _ => Some(format!("clock set back {} to {summer} time", minutes(-moved))),
            };
            Firing { local: local.format("%a %Y-%m-%d %H:%M:%S %Z").to_string(), utc: *at, remark }
        })
        .collect()
}

fn minutes(minutes: i32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A date, a time on the wall clock of `zone`, or an instant.
pub fn instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, Failure> {
    let text = text.trim();
    if let Some(instant) = times::zoned(text) {
        return Ok(instant);
    }
    let wall = times::wall(text).ok_or_else(|| {
        Failure::new(format!("\"{text}\" is not a time"))
            .hint("write 2026-10-24, 2026-10-24T01:30 or 2026-10-24T01:30:00+02:00")
    })?;
    let local = zone.from_local_datetime(&wall).earliest().ok_or_else(|| {
        Failure::new(format!("there is no {text} in {zone}: the clock is set forward over it"))
            .hint("write the time before or after it, or one with an offset")
    })?;
    Ok(local.to_utc())
}
