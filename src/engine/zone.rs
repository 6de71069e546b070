//! Schedules are in the server's local time: what becomes of them when its zone, or the rules of that zone, are others than those
//! that the fire times were computed in.
//!
//! What is to come is computed anew; the fire time that passed while the daemon was down stays, for it was missed. Instants of the zone before
//! that no longer come are written down as left out, at once, so that each can be told and found. Should the zone be set right
//! again before their time, they come after all.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Shared;
use crate::model::schedule::{self, Schedule};
use crate::store::StoreError;
use crate::store::jobs::zone::{LocalTrigger, Rezoned};

/// Computes the fire times anew where that is due.
pub(super) async fn follow(shared: &Shared) -> Result<(), StoreError> {
    let (store, zone, now) = (&shared.store, shared.store.zone(), shared.clock.now());
    let offsets = schedule::offsets(zone);
    let Some(before) = store.known_zone().await? else {
        return store.remember_zone(zone, offsets, Vec::new(), now).await;
    };
    if before == zone.name() && store.known_offsets().await? == offsets {
        return Ok(());
    }
    // The rules that a zone had before are not known: only the next fire time of each trigger is.
    let old = before.parse().ok().filter(|old| *old != zone);
    let triggers = store.local_triggers(now).await?;
    let rezoned: Vec<Rezoned> = triggers.iter().filter_map(|trigger| rezoned(trigger, old, zone, now)).collect();
    let left_out: usize = rezoned.iter().map(|trigger| trigger.left_out.len()).sum();
    store.remember_zone(zone, offsets, rezoned, now).await?;
    tracing::info!(
        %before, now = %zone, left_out,
        "the server's zone, or its rules, have changed: the fire times of all schedules were computed anew; prepress jobs slots \
         names those that were left out"
    );
    Ok(())
}

/// What the new zone makes of a trigger. One that cannot be read is found when it fires.
fn rezoned(trigger: &LocalTrigger, old: Option<Tz>, zone: Tz, now: DateTime<Utc>) -> Option<Rezoned> {
    let schedule = Schedule::parse(&trigger.exec_schedule).ok()?;
    let comes = |at: &DateTime<Utc>| schedule.next_after(*at - TimeDelta::milliseconds(1), zone) == Some(*at);
    let back: Vec<DateTime<Utc>> = trigger.left_out.iter().copied().filter(comes).collect();
    let Some(from) = trigger.next_fire_at else {
        // Its end was one of another zone, if that left out what comes here.
        let to = *back.first()?;
        tracing::warn!(job = %trigger.name, next = %to, "a schedule goes on that had come to its end in another zone");
        return Some(Rezoned { job: trigger.id, from: None, to, left_out: Vec::new(), back });
    };
    let planned = std::iter::once(from).chain(old.into_iter().flat_map(|old| schedule.upcoming(from, old)));
    let (to, left_out): (_, Vec<_>) = match schedule.next_after(now, zone) {
        // It was missed in the old zone; the others of that zone are not to come, nor were those missed that passed meanwhile.
        Some(next) if from <= now => {
            (from, planned.skip(1).take_while(|at| *at < next).filter(|at| !comes(at)).collect())
        }
        Some(to) => (to, planned.take_while(|at| *at < to).collect()),
        None => {
            let rest: Vec<_> = planned.skip(1).filter(|at| !comes(at)).collect();
            tracing::warn!(
                job = %trigger.name, due = %from, left_out = rest.len(),
                "a schedule has no firing in the new zone: it keeps the next one that it had in the old zone, and what was to \
                 follow is left out"
            );
            (from, rest)
        }
    };
    Some(Rezoned { job: trigger.id, from: Some(from), to, left_out, back })
}
