//! When jobs fire, and what becomes of the instants at which they should have.

use chrono::TimeDelta;
use prepress::engine::EnginePolicy;
use prepress::model::firing::{Disposition, Missed};
use prepress::model::outcome::Outcome;
use prepress::model::trigger::{Misfire, Overlap, TriggerState};
use prepress::store::jobs::control::Control;
use prepress::store::jobs::submit::SubmitError;
use serde_json::json;

use super::control::{administrator, named, services};
use crate::support::{Daemon, Plan, Scripted, World, at, company, policy, publish, stage, upload};

fn firing(misfire: Misfire, overlap: Overlap) -> EnginePolicy {
    let mut policy = policy();
    policy.firing.misfire = misfire;
    policy.firing.overlap = overlap;
    policy
}

const HOURLY: Plan<'static> = Plan::Cron("0 0 * * * ?");

#[tokio::test]
async fn a_job_runs_at_once() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let submitted = world.submit(1, "My Test Job", Plan::AtOnce).await;
    let run = world.until_done(submitted.run.unwrap().id).await;
    assert_eq!(run.outcome, Some(Outcome::Succeeded));
    assert_eq!(run.run_name, "My Test Job_2026-01-05-09:00:00.000", "the server's local time");
    assert_eq!(run.attempt, 1);
    assert_eq!(world.slots(submitted.job).await.len(), 0, "a slot is an expected firing");
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_job_waits_for_its_time() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let job = world.submit(1, "later", Plan::At(at("2026-01-05T09:30:00Z"))).await.job;
    assert_eq!(world.store().scheduled_jobs(None, None).await.unwrap()[0].trigger_state, TriggerState::Normal);
    world.clock.set(at("2026-01-05T09:29:59.999Z"));
    assert!(calls.begun().is_none());
    world.clock.set(at("2026-01-05T09:30:00Z"));
    calls.next().await.succeed();
    let runs = world.runs_of(job).await;
    assert_eq!(runs.len(), 1);
    world.until_done(runs[0].id).await;
    assert_eq!(world.slot_list(job).await, ["2026-01-05T09:30:00Z fired"]);
    assert!(world.store().scheduled_jobs(None, None).await.unwrap().is_empty(), "it fires no more");
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_job_whose_time_passed_while_the_daemon_was_down_runs_late_whatever_the_policy() {
    for misfire in [Misfire::FireOnce, Misfire::Skip, Misfire::FireAll] {
        let world = World::new().await;
        let job = world.submit(1, "late", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
        world.clock.set(at("2026-01-07T09:00:00Z"));
        let daemon = Daemon::start(&world, firing(misfire, Overlap::Skip), Scripted::idle()).await;
        world.until_count(1, "instance WHERE state = 'Done'").await;
        let slots = world.slots(job).await;
        assert_eq!(slots[0].disposition, Disposition::late);
        let reason = slots[0].reason.as_ref().unwrap();
        assert_eq!(reason.params["milliseconds"], json!(2 * 86_400_000));
        assert_eq!(reason.params["run"], json!(world.runs_of(job).await[0].run_name));
        daemon.shut_down().await;
    }
}

#[tokio::test]
async fn a_schedule_fires_again_and_again() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    for hour in 9..12 {
        world.clock.set(at(&format!("2026-01-05T{hour:02}:00:00Z")));
        let call = calls.next().await;
        let id = call.context.run.fence.instance;
        assert_eq!(world.run(id).await.due_at, world.now());
        call.succeed();
        world.until_done(id).await;
    }
    assert_eq!(
        world.slot_list(job).await,
        ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired", "2026-01-05T11:00:00Z fired"]
    );
    daemon.shut_down().await;
    world.check().await;
}

/// Hourly, down from 08:00 to 12:30: four slots were missed.
async fn after_downtime(misfire: Misfire) -> (Vec<String>, Vec<String>) {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    world.clock.set(at("2026-01-05T12:30:00Z"));
    let daemon = Daemon::start(&world, firing(misfire, Overlap::Skip), Scripted::idle()).await;
    world.until_count(4, "slot").await;
    world.until_count(0, "instance WHERE state <> 'Done'").await;
    world.clock.set(at("2026-01-05T13:00:00Z"));
    world.until_count(5, "slot").await;
    world.until_count(0, "instance WHERE state <> 'Done'").await;
    let due = world.runs_of(job).await.iter().map(|run| run.due_at.format("%H:%M").to_string()).collect();
    let slots = world.slot_list(job).await;
    daemon.shut_down().await;
    world.check().await;
    (slots, due)
}

#[tokio::test]
async fn after_downtime_fire_once_merges() {
    let (slots, due) = after_downtime(Misfire::FireOnce).await;
    assert_eq!(
        slots,
        [
            "2026-01-05T09:00:00Z coalesced slot-coalesced",
            "2026-01-05T10:00:00Z coalesced slot-coalesced",
            "2026-01-05T11:00:00Z coalesced slot-coalesced",
            "2026-01-05T12:00:00Z late slot-late",
            "2026-01-05T13:00:00Z fired",
        ]
    );
    assert_eq!(due, ["12:00", "13:00"]);
}

#[tokio::test]
async fn after_downtime_skip_runs_none() {
    let (slots, due) = after_downtime(Misfire::Skip).await;
    assert_eq!(slots[0], "2026-01-05T09:00:00Z skipped slot-skipped-misfire");
    assert_eq!(slots[3], "2026-01-05T12:00:00Z skipped slot-skipped-misfire");
    assert_eq!(due, ["13:00"]);
}

#[tokio::test]
async fn after_downtime_fire_all_runs_each_in_turn() {
    let (slots, due) = after_downtime(Misfire::FireAll).await;
    assert!(slots[..4].iter().all(|slot| slot.ends_with("late slot-late")), "{slots:?}");
    assert_eq!(due, ["09:00", "10:00", "11:00", "12:00", "13:00"]);
}

#[tokio::test]
async fn missed_runs_do_not_run_side_by_side() {
    let world = World::new().await;
    world.submit(1, "hourly", HOURLY).await;
    world.clock.set(at("2026-01-05T12:30:00Z"));
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, firing(Misfire::FireAll, Overlap::Skip), registry).await;
    world.until_count(4, "slot").await;
    for left in (0..4).rev() {
        let call = calls.next().await;
        world.until_count(left, "instance WHERE state = 'WaitingCoordinator'").await;
        assert!(calls.begun().is_none(), "one after the other");
        call.succeed();
    }
    world.until_count(4, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn many_missed_slots_are_caught_up_in_parts_and_each_names_its_run() {
    let world = World::new().await;
    let job = world.submit(1, "every minute", Plan::Cron("0 * * * * ?")).await.job;
    world.clock.set(at("2026-01-05T12:00:30Z"));
    let daemon = Daemon::start(
        &world,
        EnginePolicy { instants_at_once: 50, ..firing(Misfire::FireOnce, Overlap::Skip) },
        Scripted::idle(),
    )
    .await;
    world.until_count(240, "slot").await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    let run = world.runs_of(job).await.remove(0);
    let slots = world.slots(job).await;
    assert_eq!(slots.last().unwrap().disposition, Disposition::fired);
    assert!(slots[..239].iter().all(|slot| slot.disposition == Disposition::coalesced));
    assert!(slots.iter().all(|slot| slot.instance == Some(run.id)), "merged into the one run");
    assert!(slots[..239].iter().all(|slot| slot.reason.as_ref().unwrap().params["run"] == json!(run.run_name)));
    daemon.shut_down().await;
}

/// Hourly; the run of 09:00 is still going at 10:00.
async fn overlapping(overlap: Overlap) -> (Vec<String>, usize) {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, firing(Misfire::FireOnce, overlap), registry).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let first = calls.next().await;
    world.clock.set(at("2026-01-05T10:00:00Z"));
    world.until_count(2, "slot").await;
    // Something that must run beside it: when it does, whatever could begin has begun.
    world.run_at_once(2, "beside").await;
    // Companies come in turn, so the job beside may come before the second run: what is allowed is waited for.
    let allowed = if overlap == Overlap::Allow { 2 } else { 1 };
    let (mut side_by_side, mut beside) = (1, None);
    while beside.is_none() || side_by_side < allowed {
        let call = calls.next().await;
        if call.name() == "beside" { beside = Some(call) } else { side_by_side += 1 }
    }
    if overlap == Overlap::Skip {
        let reason = world.slots(job).await[1].reason.clone().unwrap();
        assert_eq!(reason.params["run"], json!(first.context.run.run_name), "the run that was in the way");
    }
    first.succeed();
    let slots = world.slot_list(job).await;
    if overlap == Overlap::Queue {
        calls.next().await.succeed();
        world.until_count(2, "instance WHERE state = 'Done' AND company_id = 1").await;
    }
    daemon.kill().await;
    (slots, side_by_side)
}

#[tokio::test]
async fn overlap_skip_allow_queue() {
    let (slots, side_by_side) = overlapping(Overlap::Skip).await;
    assert_eq!(slots, ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z skipped slot-skipped-overlap"]);
    assert_eq!(side_by_side, 1);
    let (slots, side_by_side) = overlapping(Overlap::Queue).await;
    assert_eq!(slots, ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired"]);
    assert_eq!(side_by_side, 1);
    let (slots, side_by_side) = overlapping(Overlap::Allow).await;
    assert_eq!(slots, ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired"]);
    assert_eq!(side_by_side, 2);
}

#[tokio::test]
async fn a_waiting_name_is_taken_until_its_job_is_over() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let soon = Plan::At(at("2026-01-05T09:00:00Z"));
    world.submit(1, "nightly", soon).await;
    for plan in [soon, HOURLY] {
        let refused = world.try_submit(1, "nightly", publish(), plan).await.unwrap_err();
        assert!(matches!(refused, SubmitError::NameTaken(name) if name == "nightly"));
    }
    world.submit(2, "nightly", soon).await;
    for _ in 0..3 {
        let run = world.run_at_once(1, "nightly").await;
        world.until_done(run).await;
    }
    world.clock.set(at("2026-01-05T09:00:00Z"));
    world.until_count(2, "slot").await;
    world.submit(1, "nightly", HOURLY).await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn names_taken_at_the_same_moment_are_taken_once() {
    let world = World::new().await;
    let attempts = (0..50).map(|_| world.try_submit(1, "nightly", upload(&json!({})), HOURLY));
    let results = futures_util::future::join_all(attempts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn ten_thousand_runs_of_a_name_in_one_millisecond_have_names_of_their_own() {
    let world = World::new().await;
    let all = (0..10_000).map(|_| world.try_submit(1, "same", upload(&json!({})), Plan::AtOnce));
    let results = futures_util::future::join_all(all).await;
    let names: std::collections::BTreeSet<String> =
        results.into_iter().map(|submitted| submitted.unwrap().run.unwrap().name).collect();
    assert_eq!(names.len(), 10_000);
    assert_eq!(names.first().unwrap(), "same_2026-01-05-09:00:00.000");
    assert_eq!(names.last().unwrap(), "same_2026-01-05-09:00:09.999", "without gaps");
    // One by one, as a client does it, it is no dearer.
    for _ in 0..200 {
        world.run_at_once(1, "same").await;
    }
    assert_eq!(world.count("instance").await, 10_200);
    assert_eq!(world.count("(SELECT DISTINCT run_name FROM instance)").await, 10_200);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_stops_no_other() {
    let world = World::new().await;
    let broken = world.submit(1, "broken schedule", HOURLY).await.job;
    let unreadable = world.submit(1, "unreadable job", HOURLY).await.job;
    world.submit(1, "sound", HOURLY).await;
    world.sql(&format!("UPDATE job SET exec_schedule = 'whenever' WHERE id = {broken}")).await;
    world.sql(&format!("UPDATE job SET spec = '{{\"fromTheFutureJob\": {{}}}}' WHERE id = {unreadable}")).await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.advance(TimeDelta::hours(1));
    world.until_count(1, "instance WHERE state = 'Done'").await;
    world.until_count(2, "job WHERE trigger_state = 'Error' AND next_fire_at IS NULL").await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn the_schedules_of_a_company_that_has_expired_fire_no_more_and_say_so() {
    // What waits for its company runs when that is open, whatever becomes of other firings that were missed.
    for misfire in [Misfire::FireOnce, Misfire::FireAll, Misfire::Skip] {
        an_expired_company(misfire).await;
    }
}

async fn an_expired_company(misfire: Misfire) {
    let world = World::new().await;
    let daemon = Daemon::start(&world, firing(misfire, Overlap::Skip), Scripted::idle()).await;
    let job = world.submit(1, "hourly", Plan::Cron("0 0 * * * ?")).await.job;
    let once = world.submit(1, "once", Plan::At(at("2026-01-05T09:30:00Z"))).await.job;
    // In Berlin: 10:00 has another time behind it, 10:30 has none.
    let last = world.submit(1, "last", Plan::Cron("0 0,30 10 5 1 ? 2026")).await.job;
    world.store().set_expiry(company(1), Some(at("2026-01-05T08:59:00Z"))).await.unwrap();
    for now in ["2026-01-05T09:00:00Z", "2026-01-05T09:30:00Z", "2026-01-05T10:00:00Z"] {
        world.clock.set(at(now));
        let due = format!("job WHERE trigger_state = 'Normal' AND next_fire_at <= {}", at(now).timestamp_millis());
        world.until_count(0, &due).await;
    }
    assert_eq!(
        world.slot_list(job).await,
        ["2026-01-05T09:00:00Z skipped slot-skipped-expired", "2026-01-05T10:00:00Z skipped slot-skipped-expired"]
    );
    // A one-shot has no other time: it waits, and can be seen to.
    assert_eq!(world.count("instance").await, 0);
    let held = world.store().scheduled_jobs(None, Some("once")).await.unwrap().remove(0);
    assert_eq!((held.id, held.trigger_state), (once, TriggerState::Blocked));
    let held = world.store().scheduled_jobs(None, Some("last")).await.unwrap().remove(0);
    assert_eq!((held.id, held.trigger_state), (last, TriggerState::Blocked));
    let skipped = "2026-01-05T09:00:00Z skipped slot-skipped-expired";
    assert_eq!(world.slot_list(last).await, [skipped]);
    assert_eq!(world.slot_list(once).await, Vec::<String>::new());
    // A company that is given until later, but not long enough, is looked at again and found expired.
    world.store().set_expiry(company(1), Some(at("2026-01-05T10:00:00Z"))).await.unwrap();
    world.until_count(2, "job WHERE trigger_state = 'Blocked'").await;
    world.clock.set(at("2026-01-05T10:30:00Z"));
    world.store().set_expiry(company(1), None).await.unwrap();
    let late = "2026-01-05T09:30:00Z late slot-late";
    for (held, slots) in [(once, &[late][..]), (last, &[skipped, late])] {
        world.until_count(1, &format!("instance WHERE state = 'Done' AND job_id = {held}")).await;
        assert_eq!(world.slot_list(held).await, slots);
    }
    world.clock.set(at("2026-01-05T11:00:00Z"));
    world.until_count(3, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
    world.check().await;
}

/// The company expires, the daemon ends, the company is opened behind its back: the job still runs.
#[tokio::test]
async fn a_one_shot_that_waits_for_its_company_waits_through_restarts_and_pauses() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let once = world.submit(1, "once", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
    let paused = world.submit(1, "paused", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
    world.store().set_expiry(company(1), Some(at("2026-01-05T08:30:00Z"))).await.unwrap();
    world.clock.set(at("2026-01-05T09:00:00Z"));
    world.until_count(2, "job WHERE trigger_state = 'Blocked'").await;
    assert_eq!(world.store().pause_job(paused).await.unwrap(), Control::Done(()));
    daemon.shut_down().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    // Another job that runs shows that the scheduler has looked.
    world.submit(2, "witness", Plan::At(world.now())).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    assert_eq!(world.runs_of(once).await.len(), 0);
    daemon.shut_down().await;
    world.sql("UPDATE company SET expires_at = NULL WHERE id = 1").await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, &format!("instance WHERE state = 'Done' AND job_id = {once}")).await;
    assert_eq!(world.count(&format!("job WHERE id = {paused} AND trigger_state = 'Paused'")).await, 1, "pauses stay");
    let due = Some(at("2026-01-05T09:00:00Z"));
    let none = Missed::Slots(Vec::new());
    assert_eq!(world.store().resume_job(paused, due, none, due, world.now()).await.unwrap(), Control::Done(()));
    world.until_count(1, &format!("instance WHERE state = 'Done' AND job_id = {paused}")).await;
    daemon.shut_down().await;
    world.check().await;
}

/// What waited for its company before it was paused is none of what passes while it is.
#[tokio::test]
async fn what_waited_for_its_company_waits_through_a_pause() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, firing(Misfire::Skip, Overlap::Skip), Scripted::idle()).await;
    let job = world.submit(1, "last", Plan::Cron("0 0 10 5 1 ? 2026")).await.job;
    world.store().set_expiry(company(1), Some(at("2026-01-05T08:30:00Z"))).await.unwrap();
    world.clock.set(at("2026-01-05T09:00:00Z"));
    world.until_count(1, "job WHERE trigger_state = 'Blocked'").await;
    daemon.shut_down().await;
    world.sql("UPDATE company SET expires_at = NULL WHERE id = 1").await;
    services(&world).pause_job(&administrator(), named("last")).await.unwrap();
    world.clock.set(at("2026-01-05T11:00:00Z"));
    let daemon = Daemon::start(&world, firing(Misfire::Skip, Overlap::Skip), Scripted::idle()).await;
    services(&world).resume_job(&administrator(), named("last")).await.unwrap();
    world.until_count(1, "instance WHERE state = 'Done'").await;
    assert_eq!(world.slot_list(job).await, ["2026-01-05T09:00:00Z late slot-late"]);
    assert_eq!(world.count("job WHERE held_fire_at IS NOT NULL").await, 0);
    daemon.shut_down().await;
    world.check().await;
}

/// What started each run: the submission, somebody by hand, or its time.
#[tokio::test]
async fn runs_of_one_job_do_not_meet_whatever_started_them() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Allow] {
        let alone = overlap != Overlap::Allow;
        let world = World::new().await;
        let (registry, mut calls) = stage();
        let policy = EnginePolicy { slots: 10, ..firing(Misfire::FireOnce, overlap) };
        let daemon = Daemon::start(&world, policy, registry).await;
        let store = world.store();
        let at_once = world.submit(1, "at once", Plan::AtOnce).await.job;
        let timed = world.submit(1, "timed", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
        let early = world.submit(1, "early", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
        let mut begun = vec![calls.next().await];
        // By hand before its time, and still going when that comes.
        store.run_job_now(early, alone, world.now()).await.unwrap();
        begun.push(calls.next().await);
        world.clock.set(at("2026-01-05T09:00:00Z"));
        world.until_count(2, "slot").await;
        for job in [at_once, timed] {
            store.run_job_now(job, alone, world.now()).await.unwrap();
            store.run_job_now(job, alone, world.now()).await.unwrap();
        }
        // Within a company the first comes first: when this one runs, so does all that may.
        world.run_at_once(1, "witness").await;
        while begun.last().unwrap().name() != "witness" {
            begun.push(calls.next().await);
        }
        let running =
            "SELECT job_name, count(*) FROM instance WHERE state = 'Running' GROUP BY job_name ORDER BY job_name";
        let expected = match alone {
            true => ["at once 1", "early 1", "timed 1", "witness 1"],
            false => ["at once 3", "early 2", "timed 3", "witness 1"],
        };
        assert_eq!(world.table(running).await, expected, "{overlap:?}");
        while begun.len() < if alone { 4 } else { 9 } {
            begun.push(calls.next().await);
        }
        for call in begun {
            call.succeed();
        }
        let left = if alone { 5 } else { 0 };
        for _ in 0..left {
            calls.next().await.succeed();
        }
        world.until_count(9, "instance WHERE state = 'Done'").await;
        daemon.shut_down().await;
        world.check().await;
    }
}

/// Runs that were queued while they could meet do not, once they may not; and what the daemon began with counts, whatever the
/// configuration of a command says.
#[tokio::test]
async fn runs_of_a_time_when_they_could_meet_do_not_meet_any_more() {
    const RUNNING: &str =
        "SELECT job_name, count(*) FROM instance WHERE state = 'Running' GROUP BY job_name ORDER BY job_name";
    for overlap in [Overlap::Skip, Overlap::Queue] {
        let world = World::new().await;
        let (registry, mut calls) = stage();
        let daemon = Daemon::start(&world, firing(Misfire::FireOnce, Overlap::Allow), registry).await;
        let twice = world.submit(1, "twice", Plan::AtOnce).await.job;
        let hourly = world.submit(1, "hourly", HOURLY).await.job;
        world.store().run_job_now(twice, true, world.now()).await.unwrap();
        world.store().run_job_now(hourly, true, world.now()).await.unwrap();
        for _ in 0..3 {
            calls.next().await;
        }
        assert_eq!(world.table(RUNNING).await, ["hourly 1", "twice 2"], "they may meet: {overlap:?}");
        daemon.kill().await;

        let (registry, mut calls) = stage();
        let daemon = Daemon::start(&world, firing(Misfire::FireOnce, overlap), registry).await;
        world.clock.advance(TimeDelta::hours(1));
        world.until_count(1, "slot").await;
        world.store().run_job_now(twice, false, world.now()).await.unwrap();
        world.run_at_once(1, "witness").await;
        let mut begun = vec![calls.next().await];
        while begun.last().unwrap().name() != "witness" {
            begun.push(calls.next().await);
        }
        assert_eq!(world.table(RUNNING).await, ["hourly 1", "twice 1", "witness 1"], "{overlap:?}");
        let all = world.count("instance").await;
        for call in begun {
            call.succeed();
        }
        for _ in 3..all {
            calls.next().await.succeed();
        }
        world.until_count(all, "instance WHERE state = 'Done'").await;
        daemon.shut_down().await;
        world.check().await;
    }
}

/// The key is given to the first run while it runs, waits, or waits for its next attempt.
#[tokio::test]
async fn a_run_that_waits_for_its_retry_is_not_met_by_one_by_hand() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let job = world.submit(1, "at once", Plan::AtOnce).await.job;
    let reason = prepress::model::log::Message::new("reason-internal");
    calls.next().await.end(Err(prepress::executors::Failure::Transient(reason)));
    world.until_count(1, "instance WHERE failures = 1 AND state = 'WaitingCoordinator'").await;
    world.store().run_job_now(job, true, world.now()).await.unwrap();
    let by_hand = calls.next().await;
    world.advance(TimeDelta::minutes(1));
    world.run_at_once(1, "witness").await;
    assert_eq!(calls.next().await.name(), "witness", "its turn has come, but the other one runs");
    by_hand.succeed();
    calls.next().await.succeed();
    world.until_count(2, &format!("instance WHERE state = 'Done' AND job_id = {job}")).await;
    daemon.kill().await;
}

#[tokio::test]
async fn an_instant_that_has_a_slot_does_not_fire_again() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", Plan::Cron("0 0 * * * ?")).await.job;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    // A trigger that was set back, by whatever fault.
    let again = at("2026-01-05T09:00:00Z").timestamp_millis();
    world.sql(&format!("UPDATE job SET next_fire_at = {again} WHERE id = {job}")).await;
    daemon.look();
    world.until_count(0, &format!("job WHERE next_fire_at <= {again}")).await;
    assert_eq!(world.count("instance").await, 1);
    assert_eq!(world.slot_list(job).await, ["2026-01-05T09:00:00Z fired"]);
    daemon.shut_down().await;
}

/// The clock was days ahead for a while: every schedule went on to then, and would be silent until then.
#[tokio::test]
async fn a_schedule_that_fired_while_the_clock_was_ahead_fires_again_when_it_is_right() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    world.clock.set(at("2026-01-08T09:00:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
    let ahead = at("2026-01-08T10:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("job WHERE next_fire_at = {ahead}")).await, 1);

    world.clock.set(at("2026-01-05T08:30:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    // An instant that was decided then: merged into the run of another day.
    world.clock.set(at("2026-01-05T10:00:00Z"));
    world.until_count(2, "instance WHERE state = 'Done'").await;
    assert!(
        world.slot_list(job).await.contains(&"2026-01-05T10:00:00Z fired".to_owned()),
        "{:?}",
        world.slot_list(job).await
    );
    daemon.shut_down().await;

    // A clock that is set right by a little has nothing happen twice.
    world.clock.set(at("2026-01-05T09:59:58Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.clock.set(at("2026-01-05T10:00:01Z"));
    let next = at("2026-01-05T11:00:00Z").timestamp_millis();
    world.until_count(1, &format!("job WHERE next_fire_at = {next}")).await;
    assert_eq!(world.count("instance").await, 2);
    daemon.shut_down().await;
}
