//! Due triggers to runs.
//!
//! The scheduler sleeps until the earliest fire time of all triggers, or until a trigger is added or changed. Then it
//! looks at every job that is due, takes all instants from its fire time up to now, lets [`firing::plan`] decide about
//! each, and writes slots, runs and the next fire time in one transaction that holds only if the trigger has not moved
//! meanwhile.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{AFTER_ERROR, NET, Shared};
use crate::clock::Wait;
use crate::model::firing::{self, Fate, MOST_SINGLE, SkipReason, SlotRange};
use crate::model::schedule::Schedule;
use crate::model::trigger::{Misfire, Overlap};
use crate::store::StoreError;
use crate::store::clock::A_LITTLE;
use crate::store::jobs::triggers::{DueJob, Firing};

/// Jobs looked at in one go.
const GROUP: u32 = 200;

/// Of more missed instants than are written down one by one, so many of the newest are.
const NEWEST_SINGLE: u64 = 100;

pub(super) async fn run(shared: Arc<Shared>) {
    while !shared.closing.is_cancelled() {
        let wait = match fire_due(&shared).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the scheduler could not read or write; it tries again");
                Wait::of(shared.clock.now(), AFTER_ERROR)
            }
        };
        tokio::select! {
            () = shared.clock.wait(wait) => {}
            () = shared.store.signals().triggers.notified() => {}
            () = shared.closing.cancelled() => {}
        }
    }
}

/// Fires what is due, and says when to look again.
async fn fire_due(shared: &Shared) -> Result<Wait, StoreError> {
    loop {
        let now = shared.clock.now();
        let due = shared.store.due_jobs(now, GROUP).await?;
        if due.is_empty() {
            let next = shared.store.next_fire_time().await?;
            return Ok(Wait::of(now, NET).or(next));
        }
        // An instant that is not much later is no news, and costs no write.
        if shared.store.decided_by().await?.is_none_or(|noted| now >= noted + A_LITTLE) {
            shared.store.decide_by(now).await?;
        }
        // Side by side, so that they share a commit; and each is tried, so that one that fails holds up no other.
        let fired = futures_util::future::join_all(due.iter().map(|job| fire(shared, job, now))).await;
        fired.into_iter().collect::<Result<(), _>>()?;
        if shared.closing.is_cancelled() {
            return Ok(Wait { since: now, until: now });
        }
    }
}

async fn fire(shared: &Shared, job: &DueJob, now: DateTime<Utc>) -> Result<(), StoreError> {
    if job.spec.is_none() {
        tracing::error!(job = %job.name, "a stored job cannot be read; its trigger is put in state Error");
        return shared.store.break_trigger(job.id).await;
    }
    let mut firing = match &job.exec_schedule {
        None => one_shot(shared, job, now),
        Some(text) => match Schedule::parse(text) {
            Ok(schedule) => recurring(shared, job, &schedule, now),
            Err(error) => {
                tracing::error!(job = %job.name, schedule = %text, %error, "a stored schedule cannot be read; its trigger is put in state Error");
                return shared.store.break_trigger(job.id).await;
            }
        },
    };
    if job.expired {
        // What never comes again waits until the company is open.
        if firing.next_fire_at.is_none() && (firing.range.is_some() || !firing.slots.is_empty()) {
            return shared.store.hold_trigger(job, now).await;
        }
        let expired = Fate::Skip(SkipReason::Expired);
        firing.slots.iter_mut().for_each(|slot| slot.fate = expired);
        firing.range = firing.range.map(|range| SlotRange { fate: expired, ..range });
    }
    if firing.next_fire_at.is_none() && skips_all(&firing) {
        tracing::warn!(
            job = %job.name, due = %job.due_at,
            "the last firing of a schedule was skipped: it fires no more; prepress jobs slots says why, and prepress jobs run runs it"
        );
    }
    if !shared.store.fire(job, firing, now).await? {
        tracing::debug!(job = %job.name, "the trigger changed while it was being fired");
    }
    Ok(())
}

/// Something is decided, and nothing of it runs.
fn skips_all(firing: &Firing) -> bool {
    let is_skipped = |fate: &Fate| matches!(fate, Fate::Skip(_));
    let slots = || firing.slots.iter().map(|slot| &slot.fate);
    let mut fates = slots().chain(firing.range.as_ref().map(|range| &range.fate)).peekable();
    fates.peek().is_some() && fates.all(is_skipped)
}

/// A job with an execTime runs, however late, and after whatever runs of it by hand.
fn one_shot(shared: &Shared, job: &DueJob, now: DateTime<Utc>) -> Firing {
    let policy = firing::Policy { misfire: Misfire::FireOnce, overlap: Overlap::Allow, ..shared.policy.firing };
    Firing {
        range: None,
        slots: firing::plan(&[job.due_at], false, now, policy, false),
        one_at_a_time: one_at_a_time(shared),
        next_fire_at: None,
    }
}

/// What waited for its company runs when that is open, as a one-shot does.
fn policy(shared: &Shared, job: &DueJob) -> firing::Policy {
    let policy = shared.policy.firing;
    if job.held { firing::Policy { misfire: Misfire::FireOnce, overlap: Overlap::Allow, ..policy } } else { policy }
}

/// Runs of one job do not meet, whatever started them, unless the configuration lets them.
pub(super) fn one_at_a_time(shared: &Shared) -> bool {
    shared.policy.firing.overlap != Overlap::Allow
}

/// The first instant to be decided. A clock that was behind for a while has moved the trigger back: none lies before the order, and what
/// was decided by a clock that showed no more than this one stands.
fn first_due(job: &DueJob, schedule: &Schedule, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let ordered = Some(job.created_at - TimeDelta::milliseconds(1)).filter(|_| job.created_at <= now);
    match ordered.max(job.decided_to) {
        Some(over) if job.due_at <= over => {
            let next = schedule.next_after(over, zone);
            tracing::warn!(
                job = %job.name, due = %job.due_at, %over, ?next,
                "a clock that was behind had a job due for times that are over, or before it was ordered: they do not come again"
            );
            next
        }
        _ => Some(job.due_at),
    }
}

fn recurring(shared: &Shared, job: &DueJob, schedule: &Schedule, now: DateTime<Utc>) -> Firing {
    let zone = shared.store.zone();
    let first = first_due(job, schedule, now, zone);
    let Some(first) = first.filter(|first| *first <= now) else {
        return Firing { range: None, slots: Vec::new(), one_at_a_time: one_at_a_time(shared), next_fire_at: first };
    };
    if let Some(firing) = catch_up(shared, job, schedule, first, now) {
        return firing;
    }
    let mut due = vec![first];
    let mut next = schedule.next_after(first, zone);
    while let Some(at) = next.filter(|at| *at <= now) {
        if due.len() >= shared.policy.instants_at_once {
            break;
        }
        due.push(at);
        next = schedule.next_after(at, zone);
    }
    let more = next.is_some_and(|at| at <= now);
    let policy = policy(shared, job);
    Firing {
        range: None,
        slots: firing::plan(&due, more, now, policy, job.busy_with.is_some()),
        // Also when it skips overlaps: a run by hand or one of several missed ones may be going.
        one_at_a_time: one_at_a_time(shared),
        next_fire_at: next,
    }
}

/// Of very many instants that were missed, as after years or a jump of the clock, all but the newest are written down as one
/// range: they would have no run of their own, and a row for each would fill the disk.
fn catch_up(
    shared: &Shared,
    job: &DueJob,
    schedule: &Schedule,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<Firing> {
    let (zone, policy) = (shared.store.zone(), policy(shared, job));
    let before = now - policy.threshold - TimeDelta::seconds(1);
    if due_at > before {
        return None;
    }
    let keep = (policy.max_catch_up as u64).max(NEWEST_SINGLE);
    if schedule.span(due_at, before, zone).count <= MOST_SINGLE + keep {
        return None;
    }
    let mut back = TimeDelta::minutes(1);
    let first_single = loop {
        let from = (before - back).max(due_at);
        // A schedule may have ended long before.
        let first = schedule.next_after(from, zone).filter(|first| *first <= before);
        match first {
            Some(first) if schedule.span(first, before, zone).count >= keep => break first,
            _ if from == due_at => return None,
            _ => {}
        }
        back = back * 2;
    };
    let span = schedule.span(due_at, first_single - TimeDelta::milliseconds(1), zone);
    let fate = firing::plan(&[due_at], true, now, policy, job.busy_with.is_some()).pop()?.fate;
    let range = SlotRange { first: due_at, last: span.last, count: span.count, fate };
    tracing::warn!(
        job = %job.name, first = %range.first, last = %range.last, count = range.count, ?fate,
        "very many firings were missed; they are written down as one range"
    );
    Some(Firing {
        range: Some(range),
        slots: Vec::new(),
        one_at_a_time: one_at_a_time(shared),
        next_fire_at: span.next,
    })
}
