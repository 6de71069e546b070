//! Why a job waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Disks;
use crate::assets::room;
use crate::model::id::InstanceId;
use crate::model::kind::JobKind;
use crate::model::log::Message;
use crate::model::state::State;
use crate::model::trigger::TriggerState;
use crate::service::{Error, Services};
use crate::store::jobs::query::{Run, RunFilter, ScheduledJob};

/// What bounds the running jobs.
#[derive(Debug, Clone)]
pub struct Limits {
    pub slots: usize,
    pub slots_by_kind: BTreeMap<JobKind, usize>,
    pub max_attempts: i64,
    pub daemon_runs: bool,
    /// Of what the daemon writes: without room there, no job gets on.
    pub disks: Arc<Disks>,
}

impl Limits {
    /// Says which disk is full, if one is, whether or not a job has met that yet.
    pub async fn shortage(&self) -> Option<Message> {
        let disks = match self.disks.look().await {
            Ok(disks) => disks,
            Err(error) => {
                // Who may not look says nothing of it; a job that cannot write says so itself.
                tracing::debug!(%error, "whether there is room cannot be seen");
                return None;
            }
        };
        let disk = disks.into_iter().find(room::Disk::is_full)?;
        let uses: Vec<&str> = disk.uses.iter().map(|what| what.as_str()).collect();
        let code = if disk.free < room::NEEDED { "wait-no-room" } else { "wait-no-room-for-files" };
        let message = Message::new(code).with("what", uses.join(", ")).with("needed", room::NEEDED);
        Some(message.with("bytes", disk.free))
    }
}

impl Services {
    /// Says why a run waits: to begin, or for room to go on. `None` when it does not wait.
    pub async fn why_waiting(&self, run: &Run, limits: &Limits) -> Result<Option<Message>, Error> {
        match run.state {
            State::Done => return Ok(None),
            State::Running | State::Stopping => return Ok(limits.shortage().await),
            State::New | State::WaitingClient => {
                return Ok(Some(Message::new("wait-client").with("at", run.not_before_at.timestamp_millis())));
            }
            State::WaitingCoordinator => {}
        }
        if !limits.daemon_runs {
            return Ok(Some(Message::new("wait-daemon")));
        }
        if let Some(shortage) = limits.shortage().await {
            return Ok(Some(shortage));
        }
        if run.attempt > 0 && run.not_before_at > self.clock.now() {
            return Ok(Some(self.why_retry(run, limits).await?));
        }
        let running = self.running().await?;
        Ok(Some(match held_by(run, &running).or_else(|| full(run, &running, limits)) {
            Some(message) => message,
            None => self.turn(run).await?,
        }))
    }

    async fn running(&self) -> Result<Vec<Run>, Error> {
        let filter = RunFilter { states: Some(vec![State::Running, State::Stopping]), ..RunFilter::default() };
        Ok(self.store.runs(&filter).await?)
    }

    /// Name of the run that goes before this one, for they may not meet.
    pub(super) async fn held_by(&self, run: InstanceId) -> Result<Option<String>, Error> {
        let Some(run) = self.store.run(run).await? else { return Ok(None) };
        Ok(holder(&run, &self.running().await?).map(|holder| holder.run_name.clone()))
    }

    async fn why_retry(&self, run: &Run, limits: &Limits) -> Result<Message, Error> {
        let setback = self.store.last_setback(run.id).await?;
        let at = run.not_before_at.timestamp_millis();
        if setback.as_ref().is_some_and(|line| line.code == "disk-full") {
            return Ok(Message::new("wait-disk-full").with("at", at));
        }
        let reason = setback
            .and_then(|mut line| line.params.remove("reason"))
            .unwrap_or_else(|| Message::new("reason-internal").into());
        Ok(Message::new("wait-retry")
            .with("failures", run.failures)
            .with("attempts", limits.max_attempts)
            .with("at", at)
            .with("reason", reason))
    }

    async fn turn(&self, run: &Run) -> Result<Message, Error> {
        let ahead = self.store.count_waiting_before(run.company, run.id).await?;
        Ok(Message::new("wait-turn").with("ahead", ahead))
    }

    /// Says what a scheduled job waits for.
    pub fn why_scheduled(&self, job: &ScheduledJob) -> Option<Message> {
        match (job.trigger_state, job.next_fire_at) {
            (TriggerState::Paused, _) => Some(Message::new("wait-paused")),
            (TriggerState::Blocked, Some(at)) => Some(Message::new("wait-company").with("at", at.timestamp_millis())),
            (_, Some(_))
                if job.exec_schedule.is_some() && job.company_expires_at.is_some_and(|at| at <= self.clock.now()) =>
            {
                Some(Message::new("wait-expired"))
            }
            (_, Some(at)) => Some(Message::new("wait-schedule").with("at", at.timestamp_millis())),
            (_, None) => None,
        }
    }
}

fn holder<'r>(run: &Run, running: &'r [Run]) -> Option<&'r Run> {
    let key = run.exclusive_key.as_ref()?;
    running.iter().find(|other| other.exclusive_key.as_ref() == Some(key) && other.id != run.id)
}

fn held_by(run: &Run, running: &[Run]) -> Option<Message> {
    let holder = holder(run, running)?;
    Some(if holder.job == run.job {
        Message::new("wait-previous-run").with("run", holder.run_name.clone())
    } else if holder.kind != run.kind {
        Message::new("wait-published-videos").with("run", holder.run_name.clone())
    } else {
        Message::new("wait-publish-context").with("context", run.kind.type_name()).with("run", holder.run_name.clone())
    })
}

fn full(run: &Run, running: &[Run], limits: &Limits) -> Option<Message> {
    let of_kind = running.iter().filter(|other| other.kind == run.kind).count();
    if let Some(most) = limits.slots_by_kind.get(&run.kind).filter(|most| of_kind >= **most) {
        let message = Message::new("wait-kind-limit").with("kind", run.kind.type_name());
        return Some(message.with("running", of_kind).with("slots", *most));
    }
    (running.len() >= limits.slots)
        .then(|| Message::new("wait-slot").with("running", running.len()).with("slots", limits.slots))
}
