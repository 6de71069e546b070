//! What a wrong clock has done, and would do.
//!
//! **A clock that was ahead** has had everything happen before its time, and has everything that waits do so for as long as it was
//! ahead. When it is set right, which is found at the start, within half a minute, and once an hour:
//!
//! * firings that are still to come are taken back, and the triggers that had gone on go back to them;
//! * what waits for a retry, a delivery or a client waits no longer than it could if it began to now.
//!
//! What is only kept for too long (logs, messages and archives that ended, by that clock, in years to come) stays.
//!
//! **A clock that jumps ahead** may be wrong, or there was no daemon meanwhile: that cannot be told. So for a day nothing goes for
//! being old; whoever sees the warning has that long to set the clock right.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{LOOK_FOR_ROOM, NET, Shared};
use crate::model::schedule::Schedule;
use crate::store::StoreError;
use crate::store::clock::{Early, Rearmed, Shortened, TakenBack, Waits};
use crate::store::jobs::triggers::Reschedule;

const EVERY: TimeDelta = TimeDelta::hours(1);

/// A clock that is set right by less, as they are all day, has nothing happen twice.
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
    take_back(shared, now).await?;
    turn_back(shared, now).await?;
    if is_start || is_set_back {
        shorten_waits(shared, now).await?;
    }
    Ok(())
}

/// Firings of times to come did not happen then.
async fn take_back(shared: &Shared, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (store, from) = (&shared.store, now + A_LITTLE);
    // On a machine that sleeps in the middle of this, what was to come has come.
    let clock = shared.clock.clone();
    let is_to_come = move |instant: DateTime<Utc>| clock.now() + A_LITTLE < instant;
    store.release_held(now).await?.into_iter().for_each(|job| {
        tracing::warn!(%job, "a job waited for its company though that is open, as after a time when the clock was ahead");
    });
    for range in store.early_ranges(from).await? {
        // One that cannot be read fires no more.
        let Ok(schedule) = Schedule::parse(&range.exec_schedule) else { continue };
        let kept = (range.first <= now).then(|| schedule.span(range.first, now, store.zone()));
        let next = schedule.next_after(now, store.zone());
        tracing::warn!(job = %range.name, last = %range.last, "missed firings were counted before their time, as the clock was ahead");
        let (is_to_come, last) = (is_to_come.clone(), range.last);
        let kept = kept.map(|kept| (kept.last, kept.count));
        store.cut_range(range.job, range.first, kept, next, move || is_to_come(last)).await?;
    }
    loop {
        let early = store.early_slots(from).await?;
        if early.is_empty() {
            return Ok(());
        }
        let taken: Vec<TakenBack> = early.into_iter().map(|early| taken_back(shared, early, now)).collect();
        if !taken.iter().all(|taken| is_to_come(taken.due_at)) {
            return Ok(());
        }
        let names: BTreeMap<_, _> = taken.iter().map(|taken| (taken.job, taken.name.clone())).collect();
        for (job, what) in store.take_back(taken, now, is_to_come.clone()).await? {
            let name = names.get(&job).map(String::as_str).unwrap_or_default();
            match what {
                Rearmed::Yes(at) => {
                    tracing::warn!(job = %name, next = %at, "a job had fired for the last time before its time, as the clock was ahead: it fires again")
                }
                Rearmed::NameTaken => {
                    tracing::error!(job = %name, "a job had fired for the last time before its time, as the clock was ahead, and another has its name now: submit it again under another name")
                }
                Rearmed::Stands => {
                    tracing::warn!(job = %name, "firings before their time, as the clock was ahead, were taken back: they are still to come")
                }
            }
        }
    }
}

fn taken_back(shared: &Shared, early: Early, now: DateTime<Utc>) -> TakenBack {
    let Early { job, name, due_at, run, exec_schedule } = early;
    let next = match exec_schedule {
        None => Some(due_at),
        Some(text) => Schedule::parse(&text).ok().and_then(|schedule| schedule.next_after(now, shared.store.zone())),
    };
    TakenBack { job, name, due_at, run, next }
}

/// A trigger that stands later than its schedule has it next was moved there while the clock was ahead, and would not fire
/// until then: it goes back.
async fn turn_back(shared: &Shared, now: DateTime<Utc>) -> Result<(), StoreError> {
    let store = &shared.store;
    let mut moved = Vec::new();
    for trigger in store.scheduled_triggers().await? {
        // One that cannot be read is found when it fires.
        let Ok(schedule) = Schedule::parse(&trigger.exec_schedule) else { continue };
        let Some(next) = schedule.next_after(now, store.zone()).filter(|next| *next < trigger.next_fire_at) else {
            continue;
        };
        tracing::warn!(
            job = %trigger.name, stood_at = %trigger.next_fire_at, %next,
            "a schedule stood later than it says, as after a time when the clock was ahead: it was turned back"
        );
        moved.push(Reschedule { job: trigger.id, from: trigger.next_fire_at, to: Some(next) });
    }
    let clock = shared.clock.clone();
    if moved.is_empty() { Ok(()) } else { store.turn_back(moved, move |instant| clock.now() < instant).await }
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
