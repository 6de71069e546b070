//! `prepress jobs stop`, `pause`, `resume`, `run` and `delete`.

use super::Named;
use crate::model::handle;
use crate::service::jobs::JobParam;
use crate::transport::cli::failure::{Exit, Failure};
use crate::transport::cli::place::Place;
use crate::transport::cli::screen::{Paint, Screen};
use crate::words::harmless;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Stop,
    Pause,
    Resume,
    Run,
    Delete,
}

pub async fn run(action: Action, job: Named, place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    let caller = place.operator().await?;
    let services = &place.services;
    let found = services.find_job(&caller, job.company.as_deref(), &job.id).await?;
    let job_handle = found.handle();
    let param = JobParam { company_handle: handle::company(found.company()), job_handle: job_handle.clone() };
    match action {
        Action::Stop => services.stop_job(&caller, param).await?,
        Action::Pause => services.pause_job(&caller, param).await?,
        Action::Resume => services.resume_job(&caller, param).await?,
        Action::Run => services.execute_job(&caller, param).await?,
        Action::Delete => services.delete_job(&caller, param).await?,
    };
    place.ring();
    let said = match action {
        Action::Stop => "stops at its next safe point",
        Action::Pause => "is paused, and fires no more until it is resumed",
        Action::Resume => "fires again",
        Action::Run => "is queued for a run",
        Action::Delete => "is deleted; its logs stay",
    };
    screen.line(format!("{} {said}.", screen.paint(Paint::Bold, harmless(&job_handle))))?;
    if action == Action::Run && !place.daemon_runs() {
        screen.line(screen.paint(Paint::Yellow, "The daemon is not running; start it with: prepress serve"))?;
    }
    Ok(Exit::Done)
}
