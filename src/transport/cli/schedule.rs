//! `prepress schedule`.

use std::process::ExitCode;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use clap::Subcommand;

use super::{Common, Failure, setup, text};
use crate::clock::{Clock, SystemClock};
use crate::model::schedule::Schedule;

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Show when a schedule fires next
    Next {
        /// A Quartz cron string: seconds minutes hours day-of-month month day-of-week [year]
        expression: String,
        /// How many times
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// IANA time zone, such as Europe/Berlin [default: the server's]
        #[arg(long)]
        zone: Option<Tz>,
        /// Count from this local or zoned time instead of now, such as 2027-03-27T12:00:00
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(common: &Common, command: &ScheduleCommand) -> Result<ExitCode, Failure> {
    let ScheduleCommand::Next { expression, count, zone, from, json } = command;
    let zone = match zone {
        Some(zone) => *zone,
        None => setup::config(common, None)?.zone(),
    };
    let schedule = Schedule::parse(expression).map_err(|e| {
        Failure::new(format!("\"{expression}\" is no schedule: {e}"))
            .hint("for example: '0 0 12 * * ?' fires at noon every day")
    })?;
    let from = match from {
        Some(text) => instant(text, zone)?,
        None => SystemClock.now(),
    };
    let fires: Vec<DateTime<Utc>> = schedule.upcoming(from, zone).take(usize::from(*count)).collect();
    if *json {
        let list: Vec<_> = fires
            .iter()
            .map(|at| serde_json::json!({"local": at.with_timezone(&zone).to_rfc3339(), "utc": at.to_rfc3339()}))
            .collect();
        println!("{}", serde_json::json!({"schedule": schedule.to_string(), "zone": zone.name(), "next": list}));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} ({schedule})", text::bold(&schedule.describe()));
    if fires.is_empty() {
        println!("It never fires again.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = text::table(&[zone.name(), "utc", ""]);
    let mut before = from.with_timezone(&zone).offset().fix();
    for at in fires {
        let local = at.with_timezone(&zone);
        let offset = local.offset().fix();
        let remark =
            if offset == before { String::new() } else { format!("the clocks have changed from {before} to {offset}") };
        before = offset;
        table.add_row([
            local.format("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
            at.format("%H:%M:%SZ").to_string(),
            remark,
        ]);
    }
    text::print(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, Failure> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.with_timezone(&Utc));
    }
    let wall = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
        .ok()
        .and_then(|wall| zone.from_local_datetime(&wall).earliest());
    wall.map(|at| at.with_timezone(&Utc)).ok_or_else(|| {
        Failure::new(format!("\"{text}\" is no time in {zone}"))
            .hint("write it as 2027-03-27T12:00:00, or with a zone as 2027-03-27T12:00:00Z")
    })
}
