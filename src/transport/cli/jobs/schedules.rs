//! `prepress jobs schedule` and `prepress jobs slots`.

use clap::Args;

use super::{Named, look};
use crate::model::firing::Disposition;
use crate::model::trigger::TriggerState;
use crate::service::jobs::board::{Found, ScheduleView, SlotView};
use crate::transport::cli::failure::{Exit, Failure};
use crate::transport::cli::place::Place;
use crate::transport::cli::screen::{Paint, Screen};
use crate::transport::cli::table::{Column, Table, Value};
use crate::transport::cli::times::Times;
use crate::words::harmless;

#[derive(Debug, Args)]
pub struct SchedulesArgs {
    /// Only this company: its name, number or handle
    #[arg(long)]
    company: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct SlotsArgs {
    #[command(flatten)]
    job: Named,
    /// How many, the newest first
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn list(args: SchedulesArgs, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let schedules = place.services.list_schedules(&caller, args.company.as_deref()).await?;
    let times = place.times();
    if args.json {
        screen.json(&schedules)?;
        return Ok(Exit::Done);
    }
    if schedules.is_empty() {
        screen.line("No job waits for its time. Submit one with --at or --schedule: prepress submit --help")?;
        return Ok(Exit::Done);
    }
    let columns = [
        Column::new("JOB"),
        Column::new("COMPANY"),
        Column::new("KIND").shown_from(120),
        Column::new("STATE").whole(),
        Column::new("NEXT").whole(),
        Column::new("SCHEDULE").shown_from(100),
        Column::new("MEANS").shown_from(140),
    ];
    let mut table = Table::new(columns);
    for schedule in &schedules {
        let next = schedule.next_fire_at.filter(|_| schedule.trigger_state != TriggerState::Paused);
        table.row([
            harmless(&schedule.name).into(),
            harmless(&schedule.company.name).into(),
            Value::painted(Paint::Dim, look::short(schedule.kind)),
            trigger(schedule),
            next.map(|at| format!("{} ({})", times.local(at), times.relative(at))).unwrap_or_default().into(),
            schedule.schedule.clone().unwrap_or_else(|| "once".to_owned()).into(),
            schedule.means.clone().unwrap_or_default().into(),
        ]);
    }
    screen.line(table.render(screen))?;
    Ok(Exit::Done)
}

fn trigger(schedule: &ScheduleView) -> Value {
    let is_closed = schedule.waits.as_ref().is_some_and(|waits| waits.code == "wait-expired");
    match schedule.trigger_state {
        TriggerState::Normal if is_closed => Value::painted(Paint::Yellow, "company expired"),
        TriggerState::Normal if schedule.busy => Value::painted(Paint::Cyan, "running"),
        TriggerState::Normal => "waiting".into(),
        TriggerState::Paused => Value::painted(Paint::Yellow, "paused"),
        TriggerState::Blocked => Value::painted(Paint::Yellow, "company expired"),
        TriggerState::Complete | TriggerState::None => "complete".into(),
        TriggerState::Error => Value::painted(Paint::Red, "error"),
    }
}

/// A scheduled job as a whole.
pub fn show(schedule: &ScheduleView, times: Times, screen: &Screen) -> Result<(), Failure> {
    screen.line(screen.paint(Paint::Bold, harmless(&schedule.name)))?;
    screen.facts([
        ("kind", schedule.kind.to_string()),
        ("company", format!("{} (c|{})", harmless(&schedule.company.name), schedule.company.id)),
        ("responsible", schedule.responsible.clone()),
        ("handle", harmless(&schedule.handle)),
    ])?;
    screen.heading("Schedule")?;
    facts(schedule, times, screen)
}

/// When it fires, and what became of the last times.
pub fn facts(schedule: &ScheduleView, times: Times, screen: &Screen) -> Result<(), Failure> {
    screen.facts([
        ("state", trigger(schedule).on(screen)),
        ("fires", schedule.schedule.clone().unwrap_or_else(|| "once".to_owned())),
        ("that is", schedule.means.as_ref().map(|means| format!("{means} ({})", schedule.zone)).unwrap_or_default()),
        ("next", schedule.waits.as_ref().map(|waits| waits.text.clone()).unwrap_or_default()),
        ("last", schedule.last_fire_at.map(|at| times.both(at)).unwrap_or_default()),
    ])?;
    if schedule.slots.is_empty() {
        return Ok(());
    }
    screen.heading("Slots")?;
    screen.line(slot_table(&schedule.slots, times).render(screen))
}

pub async fn slots(args: SlotsArgs, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let job = match place.services.find_job(&caller, args.job.company.as_deref(), &args.job.id).await? {
        Found::Run(run) => run.job,
        Found::Scheduled(job, _) => job.id,
    };
    let slots = place.services.job_slots(&caller, job, args.limit).await?;
    if args.json {
        screen.json(&slots)?;
    } else if slots.is_empty() {
        screen.line("It has not been due yet, or has no schedule.")?;
    } else {
        screen.line(slot_table(&slots, place.times()).render(screen))?;
    }
    Ok(Exit::Done)
}

fn slot_table(slots: &[SlotView], times: Times) -> Table {
    let columns =
        [Column::new("DUE").whole(), Column::new("BECAME").whole(), Column::new("RUN").right(), Column::new("WHY")];
    let mut table = Table::new(columns).wrapping();
    for slot in slots {
        let paint = match slot.disposition {
            Disposition::fired => Paint::Green,
            Disposition::late | Disposition::coalesced => Paint::Yellow,
            Disposition::skipped => Paint::Red,
        };
        let due = match slot.until {
            Some(last) => format!("{} to {}", times.local(slot.due_at), times.local(last)),
            None => times.local(slot.due_at),
        };
        let became = match slot.count {
            1 => slot.disposition.as_str().to_owned(),
            count => format!("{count} times {}", slot.disposition.as_str()),
        };
        table.row([
            due.into(),
            Value::painted(paint, became),
            slot.run.map(|run| run.to_string()).unwrap_or_default().into(),
            slot.reason.as_ref().map(|reason| reason.text.clone()).unwrap_or_default().into(),
        ]);
    }
    table
}
