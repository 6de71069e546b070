//! What a wrong clock has done, and would do.
//!
//! **A clock that was ahead** has had everything happen before its time, and has everything that waits do so for as long as it was
//! ahead. When it is set right, which is found at the start and within a minute:
//!
//! * triggers that had gone on, or had come to their ends, go back to what is to come, and what ran before its time is told;
//! * what waits for a retry, a delivery or a client waits no longer than it could if it began to now.
//!
//! **A clock that jumps ahead** may be wrong, or there was no daemon meanwhile: that cannot be told. So for a day nothing goes for
//! being old; whoever sees the warning has that long to set the clock right.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{LOOK_FOR_ROOM, NET, Shared};
use crate::clock::Wait;
use crate::model::schedule::Schedule;
use crate::store::StoreError;
use crate::store::clock::{A_LITTLE, Shortened, Waits};
use crate::store::jobs::triggers::Reschedule;

const EVERY: TimeDelta = TimeDelta::hours(1);

/// Failures after which each further one waits as long as the last, at most.
const FAILURES: i64 = 31;

/// Goes on from what the clock showed when it was looked at at the start: it may have jumped since.
pub(super) async fn run(shared: Arc<Shared>, start: DateTime<Utc>) {
    let (mut looked_at, mut seen) = (start, start);
    loop {
        let now = shared.clock.now();
        // A jump ahead is noted at once, also where something was decided meanwhile, so that it is known from where the clock is set back.
        let before = std::mem::replace(&mut seen, now);
        let shown = before.max(decided_by(&shared).await.unwrap_or(before));
        let has_jumped = now >= before + NET + A_LITTLE || now < shown - A_LITTLE;
        if !has_jumped && (looked_at..looked_at + EVERY).contains(&now) {
            tokio::select! {
                // Ends also when the clock is set back.
                () = shared.clock.wait(Wait::of(now, NET)) => {}
                () = shared.closing.cancelled() => return,
            }
            continue;
        }
        looked_at = now;
        if let Err(error) = look(&shared, Some(shown)).await {
            tracing::warn!(%error, "what a wrong clock may have done was not set right; it is tried again in a minute");
            (looked_at, seen) = (now - EVERY, shown.max(now));
            tokio::select! {
                () = shared.clock.wait(Wait::of(now, NET)) => {}
                () = shared.closing.cancelled() => return,
            }
        }
    }
}

/// Who decides by the clock may have seen what was not seen here, in a moment when it was ahead.
async fn decided_by(shared: &Shared) -> Option<DateTime<Utc>> {
    shared.store.decided_by().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what the clock showed when something was decided was not read");
        None
    })
}

/// Notes what the clock shows, and sets right what it has done if it was ahead. At the start nobody has seen it `before`.
pub(super) async fn look(shared: &Shared, before: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let seen = shared.store.see_clock(now, before).await?;
    if let Some(before) = seen.set_back {
        tracing::warn!(%before, %now, "the clock shows less than it did: what it had done before its time is set right");
    }
    if let Some(doubt) = &seen.doubt {
        tracing::warn!(
            seen = %doubt.seen, %now, until = %doubt.until,
            "the clock has jumped ahead, or no daemon ran for long: in case the clock is wrong, nothing is removed for being old until then"
        );
    }
    shared.store.release_held(now).await?.into_iter().for_each(|job| {
        tracing::warn!(%job, "a job waited for its company though that is open, as after a time when the clock was ahead");
    });
    let is_set_back = seen.set_back.is_some();
    // It may have been set back for as long as nobody looked.
    let since = now - NET;
    if is_set_back {
        tell_early(shared, now).await?;
        tell_left_out(shared, since, now).await?;
    }
    turn_back(shared, is_set_back.then_some(since)).await?;
    // Each time: it may have been ahead for a moment that nobody noticed, in which something began to wait.
    shorten_waits(shared, now).await?;
    if is_set_back {
        // Not before all of it is done: what fails, or is killed, is done again.
        shared.store.clock_is_right().await?;
    }
    Ok(())
}

/// What was decided without a run by a clock that was ahead is decided anew when it comes, and stands where it does not come because it is
/// this clock that is wrong.
async fn tell_left_out(shared: &Shared, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let left_out = shared.store.left_out_ahead(since, now).await?;
    if left_out > 0 {
        tracing::warn!(
            left_out,
            "if this clock is right, firings that were left out while it was ahead come at their times after all"
        );
    }
    Ok(())
}

/// What ran before its time is not repeated when that comes: a clock that shows less may as well be behind now, and then all that was
/// done would be done again. So it is told.
async fn tell_early(shared: &Shared, now: DateTime<Utc>) -> Result<(), StoreError> {
    for early in shared.store.ran_early(now + A_LITTLE).await? {
        tracing::warn!(
            job = %early.name, due_at = %early.due_at,
            "a job ran for a time that is to come, as the clock was ahead, and does not run again then: if it should, run it by hand"
        );
    }
    Ok(())
}

/// A trigger that stands later than its schedule has it next was moved there while the clock was ahead, and would not fire
/// until then: it goes back. So does one that came to its end at a time that is to come.
async fn turn_back(shared: &Shared, set_back_to: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    let store = &shared.store;
    let (mut moved, mut said) = (Vec::new(), BTreeMap::new());
    let triggers = store.scheduled_triggers().await?;
    let now = shared.clock.now();
    for trigger in triggers {
        // From when it was set back, what has come since is to fire, if there was such a job. Else from after they were read: what fired
        // meanwhile has gone on from where it stood.
        let from =
            set_back_to.map_or(now, |since| if trigger.created_at > now { now } else { since.max(trigger.created_at) });
        // One that cannot be read is found when it fires.
        let Ok(schedule) = Schedule::parse(&trigger.exec_schedule) else { continue };
        let ended_ahead = || trigger.last_fire_at.is_some_and(|last| last > now + A_LITTLE);
        let is_later = |next: &DateTime<Utc>| match trigger.next_fire_at {
            Some(stood_at) => *next < stood_at,
            None => ended_ahead(),
        };
        let Some(next) = schedule.next_after(from, store.zone()).filter(is_later) else { continue };
        moved.push(Reschedule { job: trigger.id, from: trigger.next_fire_at, to: next });
        said.insert(trigger.id, (trigger, next));
    }
    // Should an instant have come meanwhile and have been decided, that stands.
    let left = if moved.is_empty() { Vec::new() } else { store.reschedule(moved).await? };
    for (job, (trigger, next)) in said {
        if left.contains(&job) {
            // Of one that still fires, the scheduler has been faster.
            if set_back_to.is_some() && trigger.next_fire_at.is_none() {
                tracing::warn!(
                    job = %trigger.name, %next,
                    "a schedule came to its end while the clock was ahead, and does not go on: a newer one has its name, or had"
                );
            }
            continue;
        }
        let stood_at = trigger.next_fire_at.map_or_else(|| "its end".to_owned(), |at| at.to_string());
        tracing::warn!(
            job = %trigger.name, stood_at, %next,
            "a schedule stood later than it says, as after a time when the clock was ahead: it was turned back"
        );
    }
    Ok(())
}

/// Nothing waits longer than what would begin to wait now.
async fn shorten_waits(shared: &Shared, now: DateTime<Utc>) -> Result<(), StoreError> {
    let policy = &shared.policy;
    let room = LOOK_FOR_ROOM.min(policy.retry.max);
    let waits = Waits {
        retry: (0..=FAILURES).map(|failures| policy.retry.after(failures).max(room)).collect(),
        delivery: (0..=FAILURES).map(|failures| policy.delivery_retry.after(failures)).collect(),
        client: policy.client_timeout,
    };
    let Shortened { retries, deliveries, clients } = shared.store.shorten_waits(waits, now).await?;
    if retries + deliveries + clients > 0 {
        tracing::warn!(
            retries,
            deliveries,
            clients,
            "what waited longer than the rules have it, as after a time when the clock was ahead, waits no longer than that"
        );
    }
    Ok(())
}
