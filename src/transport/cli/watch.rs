//! Waiting for runs, with a progress bar on standard error when that is a terminal.

use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Exit, Failure, quoted, tell, warn};
use super::place::Place;
use crate::config::Period;
use crate::model::id::{InstanceId, JobId};
use crate::model::log::Message;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::store::Store;
use crate::store::jobs::query::{Run, RunFilter, RunOrder};
use crate::words;

/// How often a run that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(150);

/// Looks after which a run that still waits is asked why: what begins soon is not worth a word.
const LOOKS_AT_REASON: u32 = 20;

/// A bar for one run.
pub struct Bar(ProgressBar);

impl Bar {
    pub fn new(label: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_prefix(words::harmless(label));
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_style(Self::style("{prefix:.bold}  {spinner:.cyan} {elapsed}  {wide_msg:.dim}"));
        Self(bar)
    }

    pub fn show(&self, done: i64, total: i64, message: &str) {
        if total > 0 && self.0.length().is_none() {
            self.0.set_style(Self::style("{prefix:.bold}  {bar:28.cyan/dim} {pos}/{len}  {elapsed}  {wide_msg:.dim}"));
        }
        if total > 0 {
            self.0.set_length(u64::try_from(total).unwrap_or(0));
            self.0.set_position(u64::try_from(done).unwrap_or(0));
        }
        self.0.set_message(words::harmless(message));
    }

    /// The same with bytes.
    pub fn show_bytes(&self, done: u64, total: u64) {
        if self.0.length().is_none() {
            self.0.set_style(Self::style("{prefix:.bold}  {bar:28.cyan/dim} {bytes}/{total_bytes}  {elapsed}"));
        }
        self.0.set_length(total.max(done));
        self.0.set_position(done);
    }

    fn style(template: &'static str) -> ProgressStyle {
        ProgressStyle::with_template(template)
            .expect("the templates above are well formed")
            .progress_chars("━━╌")
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
    }
}

/// A bar that is not looked at any more leaves nothing behind, however that came.
impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Waits for runs of a daemon, and for the daemon itself if it is away for no longer than it may be.
pub struct Wait<'p> {
    place: &'p Place,
    /// How long the daemon may be away.
    patience: Period,
    away_since: Option<DateTime<Utc>>,
    /// Where to look when nobody waits any more.
    look: String,
    /// What was said last that the job waits for.
    told: Option<String>,
}

impl<'p> Wait<'p> {
    pub fn new(place: &'p Place, patience: Period, job_handle: &str) -> Self {
        let look = format!("prepress jobs show {}", quoted(job_handle));
        Self { place, patience, away_since: None, look, told: None }
    }

    /// Waits for a run and all runs that follow from it, and gives them in their order.
    pub async fn until_all_done(&mut self, first: InstanceId) -> Result<Vec<Run>, Failure> {
        let mut waiting = vec![first];
        let mut done = Vec::new();
        while let Some(id) = waiting.pop() {
            let run = self.until_done(id).await?;
            let follow_ups = RunFilter { parent: Some(id), order: RunOrder::Number, ..RunFilter::default() };
            waiting.extend(self.store().runs(&follow_ups).await?.iter().map(|run| run.id));
            done.push(run);
        }
        Ok(done)
    }

    /// Waits for the first run of a job that is not due yet.
    pub async fn first_run(&mut self, job: JobId) -> Result<InstanceId, Failure> {
        let bar = Bar::new("waiting for its time");
        let filter = RunFilter { job: Some(job), limit: Some(1), ..RunFilter::default() };
        loop {
            // Looked at first: a trigger fires for the last time and queues its run in one transaction.
            let scheduled = self.store().numbered_scheduled_jobs(&[job]).await?.pop();
            if let Some(why) = scheduled.as_ref().and_then(|job| self.place.services.why_scheduled(job)) {
                self.tell(&why, &bar);
            }
            let waits = scheduled.is_some();
            if let Some(run) = self.store().runs(&filter).await?.pop() {
                return Ok(run.id);
            }
            if !waits {
                return Err(Failure::new("the job was deleted before it ran, so there is nothing to wait for"));
            }
            self.pause().await?;
        }
    }

    async fn until_done(&mut self, id: InstanceId) -> Result<Run, Failure> {
        let mut bar = None;
        let mut looks = 0_u32;
        loop {
            let run = self.store().run(id).await?.ok_or_else(|| Failure::new(format!("run {id} is gone")))?;
            if run.state == State::Done {
                self.greet();
                return Ok(run);
            }
            let shown = bar.get_or_insert_with(|| Bar::new(&run.job_name));
            looks = looks.saturating_add(1);
            if run.state != State::WaitingCoordinator {
                looks = 0;
            } else if looks.is_multiple_of(LOOKS_AT_REASON)
                && let Some(why) = self.place.services.why_waiting(&run, &self.place.limits()).await?
            {
                self.tell(&why, shown);
                self.pause().await?;
                continue;
            }
            let message = match (&run.progress, run.state) {
                (_, State::WaitingCoordinator) => self.told.clone().unwrap_or_else(|| "waits".to_owned()),
                (Some(message), _) => words::say(message, "en", self.place.services.zone()),
                (None, state) => state.to_string(),
            };
            shown.show(run.items_done, run.items_total, &message);
            self.pause().await?;
        }
    }

    /// Says what is waited for, once, and again when it is something else.
    fn tell(&mut self, why: &Message, bar: &Bar) {
        let why = words::say(why, "en", self.place.services.zone());
        if self.told.as_ref() != Some(&why) {
            bar.0.suspend(|| tell(&format!("{}\n", words::harmless(&why))));
            self.told = Some(why);
        }
    }

    fn store(&self) -> &Store {
        self.place.services.store()
    }

    /// Says that the daemon is back, if it was away.
    fn greet(&mut self) {
        if self.away_since.is_some() && self.place.daemon_runs() {
            self.away_since = None;
            tell("the daemon is back\n");
        }
    }

    /// Until it is looked again. Without a daemon nothing moves: it is waited for as long as it may be away, and no longer.
    async fn pause(&mut self) -> Result<(), Failure> {
        let now = self.place.services.clock().now();
        self.greet();
        match (self.place.daemon_runs(), self.away_since) {
            (true, _) => {}
            (false, None) => {
                self.away_since = Some(now);
                warn(&format!("the daemon has ended; it is waited for, but no longer than {}", self.patience));
            }
            (false, Some(since)) if now - since >= self.patience.delta() => {
                let what = format!("the daemon has ended, and did not come back within {}", self.patience);
                return Err(Failure::new(what).hint(format!("the job goes on when it does; see: {}", self.look)));
            }
            (false, Some(_)) => {}
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }
}

/// The worst of the outcomes.
pub fn exit_of(runs: &[Run]) -> Exit {
    if runs.iter().any(|run| run.outcome != Some(Outcome::Succeeded)) {
        Exit::JobFailed
    } else if runs.iter().any(|run| run.counters.has_errors()) {
        Exit::JobHadErrors
    } else {
        Exit::Done
    }
}
