//! Schedules are in the server's local time: what becomes of them when its zone, or the rules of that zone, are others than those
//! that the fire times were computed in.
//!
//! What is to come is computed anew; the fire time that passed while the daemon was down stays, for it was missed. Instants of the zone before
//! that no longer come are written down as left out, at once, so that each can be told and found. Should the zone be set right
//! again before their time, they come after all.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Shared;
use crate::model::firing::{Fate, MOST_SINGLE, Missed, SkipReason, Slot, SlotRange};
use crate::model::id::JobId;
use crate::model::schedule::{self, Schedule};
use crate::store::StoreError;
use crate::store::jobs::zone::{CutRange, LocalTrigger, Rezoned};

/// Computes the fire times anew where that is due.
pub(super) async fn follow(shared: &Shared) -> Result<(), StoreError> {
    let (store, zone, now) = (&shared.store, shared.store.zone(), shared.clock.now());
    let offsets = schedule::offsets(zone);
    let Some(before) = store.known_zone().await? else {
        return store.remember_zone(zone, offsets, Vec::new(), now).await.map(|_| ());
    };
    if before == zone.name() && store.known_offsets().await? == offsets {
        return Ok(());
    }
    // By the name of the same zone its rules of now would be meant, not those that it had.
    let old = match before.parse() {
        Ok(old) if old != zone => Before::Zone(old),
        _ => Before::Rules(store.known_offsets().await?),
    };
    let triggers = store.local_triggers(now).await?;
    let rezoned: Vec<Rezoned> = triggers.iter().filter_map(|trigger| rezoned(trigger, &old, zone, now)).collect();
    let left_out: u64 = rezoned.iter().map(|trigger| trigger.left_out.count()).sum();
    let again: Vec<(JobId, DateTime<Utc>)> =
        rezoned.iter().filter(|trigger| trigger.from.is_none()).map(|trigger| (trigger.job, trigger.to)).collect();
    let left = store.remember_zone(zone, offsets, rezoned, now).await?;
    for (job, next) in again.into_iter().filter(|(job, _)| !left.contains(job)) {
        let name = triggers.iter().find(|trigger| trigger.id == job).map_or("", |trigger| &trigger.name);
        tracing::warn!(job = name, %next, "a schedule goes on that had come to its end in another zone");
    }
    for trigger in triggers.iter().filter(|trigger| left.contains(&trigger.id)) {
        tracing::warn!(
            job = %trigger.name,
            "what another zone has left out of this schedule does not come, though it would in this one: it changed meanwhile, or had \
             come to its end and another job has its name now"
        );
    }
    tracing::info!(
        %before, now = %zone, left_out,
        "the server's zone, or its rules, have changed: the fire times of all schedules were computed anew; prepress jobs slots \
         names those that were left out"
    );
    Ok(())
}

/// What the fire times were computed with.
enum Before {
    Zone(Tz),
    /// How far local time was from UTC, and from which instant on.
    Rules(Vec<(DateTime<Utc>, TimeDelta)>),
}

impl Before {
    /// All firings strictly after `from`, in order.
    fn upcoming<'a>(
        &'a self,
        schedule: &'a Schedule,
        from: DateTime<Utc>,
    ) -> Box<dyn Iterator<Item = DateTime<Utc>> + 'a> {
        match self {
            Self::Zone(zone) => Box::new(schedule.upcoming(from, *zone)),
            Self::Rules(offsets) => Box::new(schedule.upcoming_by(from, offsets)),
        }
    }
}

/// What the new zone makes of a trigger. One that cannot be read is found when it fires. What has passed is not looked at: what becomes
/// of it is decided when the trigger fires, or is resumed.
fn rezoned(trigger: &LocalTrigger, old: &Before, zone: Tz, now: DateTime<Utc>) -> Option<Rezoned> {
    let schedule = Schedule::parse(&trigger.exec_schedule).ok()?;
    let comes = |at: &DateTime<Utc>| schedule.next_after(*at - TimeDelta::milliseconds(1), zone) == Some(*at);
    let back: Vec<DateTime<Utc>> = trigger.left_out.iter().copied().filter(comes).collect();
    let cut = |first: DateTime<Utc>| {
        let passed = (first <= now).then(|| schedule.span(first, now, zone));
        CutRange { first, passed: passed.map(|passed| (passed.last, passed.count)) }
    };
    // Ranges of another zone than this: what comes of them has slots of its own.
    let is_all_back = |range: &&SlotRange| {
        comes(&range.first) && comes(&range.last) && schedule.span(range.first, range.last, zone).count == range.count
    };
    let cut: Vec<CutRange> = trigger.ranges.iter().filter(is_all_back).map(|range| cut(range.first)).collect();
    let next = schedule.next_after(now, zone);
    let Some(from) = trigger.next_fire_at else {
        // Its end was one of another zone, if that left out what comes here.
        let is_back = !back.is_empty() || !cut.is_empty();
        let to = next.filter(|_| is_back)?;
        return Some(Rezoned { job: trigger.id, from: None, to, left_out: Missed::Slots(Vec::new()), back, cut });
    };
    let is_to_come = from > now;
    let planned = is_to_come.then_some(from).into_iter().chain(old.upcoming(&schedule, from.max(now)));
    let (to, left_out) = match next {
        // It was missed in the old zone.
        Some(next) if !is_to_come => (from, skipped(planned.take_while(|at| *at < next).filter(|at| !comes(at)))),
        Some(to) => (to, skipped(planned.take_while(|at| *at < to))),
        None => {
            let rest = skipped(planned.skip(usize::from(is_to_come)).filter(|at| !comes(at)));
            tracing::warn!(
                job = %trigger.name, due = %from, left_out = rest.count(),
                "a schedule has no firing in the new zone: it keeps the next one that it had in the old zone, and what was to \
                 follow is left out"
            );
            (from, rest)
        }
    };
    Some(Rezoned { job: trigger.id, from: Some(from), to, left_out, back, cut })
}

/// Instants that do not come: very many as one range. Zones differ by a day at most, so that these are no more than its seconds.
fn skipped(mut instants: impl Iterator<Item = DateTime<Utc>>) -> Missed {
    let fate = Fate::Skip(SkipReason::Zone);
    let single: Vec<DateTime<Utc>> = instants.by_ref().take(MOST_SINGLE as usize).collect();
    match (single.first(), instants.next()) {
        (Some(first), Some(next)) => {
            let (count, last) = instants.fold((single.len() as u64 + 1, next), |(count, _), at| (count + 1, at));
            Missed::Range(SlotRange { first: *first, last, count, fate })
        }
        _ => Missed::Slots(single.into_iter().map(|due_at| Slot { due_at, fate }).collect()),
    }
}
