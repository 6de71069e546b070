//! `prepress jobs stop`, `pause`, `resume`, `run`, `retry` and `delete`.

use super::Named;
use crate::service::jobs::{Controlled, Effect, Taken, Verb};
use crate::transport::cli::failure::quoted;
use crate::transport::cli::failure::{Exit, Failure};
use crate::transport::cli::place::Place;
use crate::transport::cli::screen::{Paint, Screen};
use crate::words::harmless;

pub async fn run(verb: Verb, job: Named, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let done = place.services.control_named(&caller, verb, job.company.as_deref(), &job.id).await?;
    let done = done.ok_or_else(|| super::no_such_job(&job.id))?;
    place.ring();
    if let Some(number) = done.no_run {
        screen.line(format!("There is no run {number}, but a job of that name."))?;
    }
    screen.line(said(&done, screen))?;
    // The one that is named already needs no list.
    if done.stops.len() > 1 || done.stops.iter().any(|run| run.handle != done.handle) {
        for run in &done.stops {
            screen.line(format!("  stops: run {} {}", run.run, harmless(&run.handle)))?;
        }
    }
    if done.stops_more {
        let name = quoted(&done.name);
        screen
            .line(format!("  and others, one after the other; see: prepress jobs list --state open --name {name}"))?;
    }
    if let Some(behind) = &done.behind {
        screen.line(format!("  It waits until {} has ended, which runs just now.", harmless(behind)))?;
    }
    if matches!(verb, Verb::Execute | Verb::Retry) && !place.daemon_runs() {
        screen.line(screen.paint(Paint::Yellow, "The daemon is not running; start it with: prepress serve"))?;
    }
    Ok(Exit::Done)
}

/// What was taken, and what it does.
fn said(done: &Controlled, screen: &Screen) -> String {
    let Controlled { took, handle, name, company, effect, .. } = done;
    let (name, company) = (harmless(name), harmless(company));
    let what = match took {
        Taken::Run if *effect != Effect::Queued => format!("The run of \"{name}\" in {company},"),
        Taken::Run | Taken::Job => format!("The job \"{name}\" in {company},"),
        Taken::Jobs => format!("Every job \"{name}\" in {company},"),
    };
    let does = match effect {
        Effect::Stops => "stops at its next safe point",
        Effect::RunStops => "stops at its next safe point; its job fires on",
        Effect::Paused => "is paused, and fires no more until it is resumed",
        Effect::Resumed => "fires again",
        Effect::Over => "fires no more: its last time passed while it was paused; prepress jobs run runs it",
        Effect::Queued => "is queued for a run",
        Effect::Deleted => "is deleted; its logs stay",
        Effect::Retried => "is tried again as soon as there is a free slot",
    };
    format!("{what} {}, {does}.", screen.paint(Paint::Bold, harmless(handle)))
}
