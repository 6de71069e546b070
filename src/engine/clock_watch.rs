//! What a wrong clock has done, and would do.
//!
//! **A clock that was ahead** has had everything happen before its time, and has everything that waits do so for as long as it was
//! ahead. When it is set right, which is found at the start, within half a minute, and once an hour:
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
use crate::model::schedule::Schedule;
use crate::store::StoreError;
use crate::store::clock::{Shortened, Waits};
use crate::store::jobs::triggers::Reschedule;

const EVERY: TimeDelta = TimeDelta::hours(1);

/// A clock that is set right by less, as they are all day, is no matter.
const A_LITTLE: TimeDelta = TimeDelta::minutes(10);

/// Failures after which each further one waits as long as the last, at most.
const FAILURES: i64 = 31;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut looked_at = shared.clock.now();
    loop {
        let now = shared.clock.now();
        if (looked_at..looked_at + EVERY).contains(&now) {
            tokio::select! {
                // Ends also when the clock is set back.
                () = shared.clock.sleep_until(now + NET) => {}
                () = shared.closing.cancelled() => return,
            }
            continue;
        }
        looked_at = now;
        if let Err(error) = look(&shared, false).await {
            tracing::warn!(%error, "what a wrong clock may have done was not looked at; it is looked at again in an hour");
        }
    }
}

/// Notes what the clock shows, and sets right what it has done if it was ahead.
pub(super) async fn look(shared: &Shared, is_start: bool) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let seen = shared.store.see_clock(now).await?;
    let is_set_back = seen.before.is_some_and(|before| now + A_LITTLE < before);
    if let Some(before) = seen.before.filter(|_| is_set_back) {
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
    if is_set_back {
        tell_early(shared, now).await?;
    }
    turn_back(shared, now).await?;
    if is_start || is_set_back {
        shorten_waits(shared, now).await?;
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
async fn turn_back(shared: &Shared, now: DateTime<Utc>) -> Result<(), StoreError> {
    let store = &shared.store;
    let (mut moved, mut said) = (Vec::new(), BTreeMap::new());
    for trigger in store.scheduled_triggers().await? {
        // One that cannot be read is found when it fires.
        let Ok(schedule) = Schedule::parse(&trigger.exec_schedule) else { continue };
        let ended_ahead = || trigger.last_fire_at.is_some_and(|last| last > now + A_LITTLE);
        let is_later = |next: &DateTime<Utc>| match trigger.next_fire_at {
            Some(stood_at) => *next < stood_at,
            None => ended_ahead(),
        };
        let Some(next) = schedule.next_after(now, store.zone()).filter(is_later) else { continue };
        moved.push(Reschedule { job: trigger.id, from: trigger.next_fire_at, to: next });
        said.insert(trigger.id, (trigger, next));
    }
    // Should an instant have come meanwhile and have been decided, that stands.
    let left = if moved.is_empty() { Vec::new() } else { store.reschedule(moved).await? };
    for (trigger, next) in said.into_iter().filter(|(job, _)| !left.contains(job)).map(|(_, said)| said) {
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
