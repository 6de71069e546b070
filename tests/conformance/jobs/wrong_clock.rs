//! A clock that was ahead and is set right: nothing runs twice, nothing waits for as long as the clock was ahead, and nothing goes
//! because it seemed old.

use chrono::{DateTime, TimeDelta, Utc};
use prepress::engine::{EnginePolicy, Undelivered};
use prepress::executors::Failure;
use prepress::model::log::Message;
use prepress::model::trigger::Misfire;
use prepress::store::jobs::posts::Upload;
use serde_json::json;

use super::control::{administrator, named, services};
use super::posts::{first, post};
use crate::support::{Daemon, Plan, Scripted, Wire, World, at, policy, stage, upload};

const HOURLY: Plan<'static> = Plan::Cron("0 0 * * * ?");

fn millis(text: &str) -> i64 {
    at(text).timestamp_millis()
}

/// What is due by then has fired, and all runs are done.
async fn live_until(world: &World, now: &str) {
    world.clock.set(at(now));
    world.until_count(0, &format!("job WHERE next_fire_at <= {}", millis(now))).await;
    world.until_count(0, "instance WHERE state <> 'Done'").await;
}

/// Sets the clock right, beside a daemon that runs or between two.
async fn set_right<'w>(world: &'w World, daemon: Daemon<'w>, restarts: bool, now: DateTime<Utc>) -> Daemon<'w> {
    if !restarts {
        world.clock.set(now);
        return daemon;
    }
    daemon.shut_down().await;
    world.clock.set(now);
    Daemon::start(world, policy(), Scripted::idle()).await
}

/// It may as well be that the clock is behind now: nothing that ran runs again.
#[tokio::test]
async fn what_ran_runs_once_whichever_of_two_times_is_right() {
    for restarts in [false, true] {
        let world = World::new().await;
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        let job = world.submit(1, "hourly", HOURLY).await.job;
        let once = world.submit(1, "once", Plan::At(at("2026-01-05T09:30:00Z"))).await.job;
        for now in ["2026-01-05T09:00:00Z", "2026-01-05T09:30:00Z", "2026-01-05T10:00:00Z"] {
            live_until(&world, now).await;
        }
        let next = |at: &str| format!("job WHERE id = {job} AND next_fire_at = {}", millis(at));
        let daemon = set_right(&world, daemon, restarts, at("2026-01-05T08:10:00Z")).await;
        world.until_count(1, &next("2026-01-05T09:00:00Z")).await;
        for now in ["2026-01-05T09:00:00Z", "2026-01-05T09:30:00Z", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"] {
            live_until(&world, now).await;
        }
        assert_eq!(
            world.slot_list(job).await,
            ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired", "2026-01-05T11:00:00Z fired"]
        );
        assert_eq!(world.runs_of(job).await.len(), 3);
        assert_eq!(world.runs_of(once).await.len(), 1);
        daemon.shut_down().await;
        world.check().await;
    }
}

/// A schedule that came to its end while the clock was ahead goes on, unless another job has its name by then.
#[tokio::test]
async fn what_came_to_its_end_ahead_of_time_goes_on() {
    for (restarts, is_taken) in [(false, false), (true, false), (true, true)] {
        let world = World::new().await;
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        let job = world.submit(1, "days", Plan::Cron("0 0 13 5-9 1 ? 2026")).await.job;
        world.clock.set(at("2026-01-09T18:00:00Z"));
        world.until_count(1, &format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await;
        world.until_count(0, "instance WHERE state <> 'Done'").await;
        if is_taken {
            world.submit(1, "days", HOURLY).await;
        }
        let daemon = set_right(&world, daemon, restarts, at("2026-01-05T08:10:00Z")).await;
        let next = format!("job WHERE id = {job} AND next_fire_at = {}", millis("2026-01-05T12:00:00Z"));
        if is_taken {
            assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
            daemon.shut_down().await;
            continue;
        }
        world.until_count(1, &next).await;
        for day in 5..=9 {
            live_until(&world, &format!("2026-01-0{day}T12:00:00Z")).await;
        }
        // That of the 9th had run ahead of its time.
        assert_eq!(world.runs_of(job).await.len(), 5, "{:?}", world.slot_list(job).await);
        assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
        daemon.shut_down().await;
        world.check().await;
    }
}

/// To the last instant before the one that the clock had shown; also when what sets it right is killed after it has looked.
#[tokio::test]
async fn what_was_left_out_ahead_of_its_time_comes_in_its_time() {
    let skipping = || {
        let mut policy = policy();
        policy.firing.misfire = Misfire::Skip;
        policy
    };
    for is_killed in [false, true] {
        let world = World::new().await;
        let days = world.submit(1, "days", Plan::Cron("0 0 13 5-6 1 ? 2026")).await.job;
        let daily = world.submit(1, "daily", Plan::Cron("0 0 13 * * ?")).await.job;
        Daemon::start(&world, skipping(), Scripted::idle()).await.shut_down().await;
        world.clock.set(at("2026-01-06T12:30:00Z"));
        let daemon = Daemon::start(&world, skipping(), Scripted::idle()).await;
        world.until_count(1, "job WHERE trigger_state = 'Complete'").await;
        world.until_count(4, "slot WHERE reason = 'slot-skipped-misfire'").await;
        daemon.shut_down().await;
        world.clock.set(at("2026-01-05T08:05:00Z"));
        if is_killed {
            world.store().see_clock(world.now(), None).await.unwrap();
        }
        let daemon = Daemon::start(&world, skipping(), Scripted::idle()).await;
        for now in ["2026-01-05T12:00:00Z", "2026-01-06T11:59:00Z", "2026-01-06T12:00:00Z"] {
            live_until(&world, now).await;
        }
        for job in [days, daily] {
            assert_eq!(world.slot_list(job).await, ["2026-01-05T12:00:00Z fired", "2026-01-06T12:00:00Z fired"]);
        }
        assert_eq!(world.count("system WHERE key = 'clock_set_back'").await, 0);
        daemon.shut_down().await;
        world.check().await;
    }
}

/// Once the clock shows as much again, it may have been right the first time: what was merged then stays so.
#[tokio::test]
async fn what_was_merged_into_a_run_stays_so_when_the_clock_shows_as_much_again() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.clock.set(at("2026-01-05T13:00:30Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
    world.clock.set(at("2026-01-05T08:10:00Z"));
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.clock.set(at("2026-01-05T13:02:30Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    live_until(&world, "2026-01-05T13:02:30Z").await;
    let merged = ["09", "10", "11", "12"].map(|hour| format!("2026-01-05T{hour}:00:00Z coalesced slot-coalesced"));
    let ran = ["2026-01-05T13:00:00Z fired".to_owned()];
    assert_eq!(world.slot_list(job).await, [merged.as_slice(), &ran].concat());
    assert_eq!(world.runs_of(job).await.len(), 1);
    daemon.shut_down().await;
    world.check().await;
}

/// Also when the clock was ahead for a few minutes only, between two of the looks at it.
#[tokio::test]
async fn a_clock_that_was_ahead_for_a_moment_is_noticed() {
    let world = World::new().await;
    let job = world.submit(1, "often", Plan::Cron("0 0/5 * * * ?")).await.job;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    // Also before the one that watches it has begun to.
    world.clock.set(at("2026-01-05T08:46:30Z"));
    world.until_count(1, "instance WHERE state = 'Done'").await;
    world
        .until_count(1, &format!("system WHERE key = 'clock_seen' AND value = '{}'", world.now().timestamp_millis()))
        .await;
    world.clock.set(at("2026-01-05T08:01:00Z"));
    world.until_count(1, &format!("job WHERE id = {job} AND next_fire_at = {}", millis("2026-01-05T08:05:00Z"))).await;
    assert_eq!(world.slot_list(job).await, ["2026-01-05T08:45:00Z late slot-late"]);
    daemon.shut_down().await;
}

/// Whoever looks at the clock may have slept meanwhile, and the daemon may be killed then: whoever decides by it has noted it.
#[tokio::test]
async fn a_clock_that_was_ahead_when_something_was_decided_is_noticed() {
    let world = World::new().await;
    let daily = world.submit(1, "daily", Plan::Cron("0 0 13 * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    let seen = world.table("SELECT value FROM system WHERE key = 'clock_seen'").await.remove(0);
    world.clock.set(at("2026-01-09T12:00:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(5, "slot").await;
    world.until_count(0, "instance WHERE state <> 'Done'").await;
    daemon.kill().await;
    world.sql(&format!("UPDATE system SET value = '{seen}' WHERE key = 'clock_seen'")).await;
    world.clock.set(at("2026-01-05T08:05:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for day in 5..=9 {
        live_until(&world, &format!("2026-01-0{day}T12:00:00Z")).await;
    }
    assert_eq!(
        world.slot_list(daily).await,
        (5..=9).map(|day| format!("2026-01-0{day}T12:00:00Z fired")).collect::<Vec<_>>()
    );
    daemon.shut_down().await;
    world.check().await;
}

/// Whoever decides by the clock: also who resumes a job, or submits one with a schedule, and no daemon runs just then.
#[tokio::test]
async fn what_was_resumed_or_submitted_by_a_clock_that_was_ahead_fires_at_its_times() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let resumed = world.submit(1, "resumed", HOURLY).await.job;
    services(&world).pause_job(&administrator(), named("resumed")).await.unwrap();
    daemon.shut_down().await;
    let now = world.now();
    world.clock.set(at("2026-01-08T08:10:00Z"));
    services(&world).resume_job(&administrator(), named("resumed")).await.unwrap();
    let submitted = world.submit(1, "submitted", HOURLY).await.job;
    world.clock.set(now + TimeDelta::seconds(1));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for time in ["2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z"] {
        live_until(&world, time).await;
    }
    for job in [resumed, submitted] {
        let slots = ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired"];
        assert_eq!(world.slot_list(job).await, slots);
    }
    daemon.shut_down().await;
    world.check().await;
}

/// What was decided by a right clock just before stands, and nobody's first firing lies before the order.
#[tokio::test]
async fn nothing_fires_when_the_clock_is_set_back_that_would_not_have_fired() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let paused = world.submit(1, "paused", Plan::Cron("30 0/5 * * * ?")).await.job;
    services(&world).pause_job(&administrator(), named("paused")).await.unwrap();
    world.clock.set(at("2026-01-05T08:05:40Z"));
    services(&world).resume_job(&administrator(), named("paused")).await.unwrap();
    let submitted = world.submit(1, "submitted", Plan::Cron("30 5 9 * * ?")).await.job;
    let before = world.slot_list(paused).await;
    assert_eq!(before.last().unwrap(), "2026-01-05T08:05:30Z skipped slot-skipped-paused");
    daemon.shut_down().await;
    world.clock.set(at("2026-01-09T08:05:50Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    live_until(&world, "2026-01-09T08:05:50Z").await;
    daemon.shut_down().await;
    world.clock.set(at("2026-01-05T08:06:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    live_until(&world, "2026-01-05T08:09:00Z").await;
    let slots = world.slot_list(paused).await;
    assert_eq!(slots[..before.len()], before);
    for job in [paused, submitted] {
        let due = format!(
            "slot WHERE job_id = {job} AND due_at <= {} AND disposition <> 'skipped'",
            millis("2026-01-05T08:09:00Z")
        );
        assert_eq!(world.count(&due).await, 0, "{:?}", world.slot_list(job).await);
    }
    daemon.shut_down().await;
    world.check().await;
}

/// A clock that leaps ahead makes no client silent, and no attempt slow.
#[tokio::test]
async fn nobody_is_given_up_because_the_clock_has_leapt() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let limit = EnginePolicy { job_timeout: Some(TimeDelta::hours(12)), ..policy() };
    let daemon = Daemon::start(&world, limit, registry).await;
    let run = world.run_at_once(1, "long").await;
    let call = calls.next().await;
    let upload = world.store().post(post(&world, first(&world), "a.jpg", false)).await.unwrap();
    let right = world.now();
    world.clock.leap(right + TimeDelta::days(1));
    // What others do shows that the daemon has looked.
    let witness = world.run_at_once(2, "witness").await;
    calls.next().await.succeed();
    world.until_done(witness).await;
    world.clock.leap(right + TimeDelta::minutes(1));
    let again = world.store().post(post(&world, Upload::Begun(upload.id), "b.jpg", false)).await;
    assert_eq!(again.unwrap(), upload);
    assert!(!call.context.stop_token().is_cancelled());
    call.succeed();
    world.until_done(run).await;
    // Then they are silent for too long after all.
    world.advance(TimeDelta::hours(1));
    calls.next().await.succeed();
    world.until_done(upload.id).await;
    daemon.shut_down().await;
}

/// A second jump does not end the doubt.
#[tokio::test]
async fn a_clock_that_jumps_while_it_is_doubted_is_doubted_for_longer() {
    let world = World::new().await;
    let store = world.store();
    let right = at("2026-01-05T08:00:00Z");
    store.see_clock(right, None).await.unwrap();
    let first = right + TimeDelta::days(100);
    store.see_clock(first, None).await.unwrap();
    let second = first + TimeDelta::days(10);
    assert_eq!(store.clock_doubt(second).await.unwrap().map(|doubt| doubt.seen), Some(right));
    assert_eq!(store.see_clock(second, None).await.unwrap().doubt.map(|doubt| doubt.seen), Some(right));
    for hour in 1..24 {
        let now = second + TimeDelta::hours(hour);
        assert!(store.see_clock(now, None).await.unwrap().doubt.is_none(), "it is told once");
        assert!(store.clock_doubt(now).await.unwrap().is_some(), "{hour} h");
    }
    assert_eq!(store.clock_doubt(second + TimeDelta::hours(24)).await.unwrap(), None);
}

/// Nor does one that is set back in part: it is ahead still. Once it is right, the doubt is forgotten.
#[tokio::test]
async fn a_clock_that_is_set_back_in_part_is_doubted_still() {
    let world = World::new().await;
    let store = world.store();
    let right = at("2026-01-05T08:00:00Z");
    store.see_clock(right, None).await.unwrap();
    let ahead = right + TimeDelta::days(100);
    store.see_clock(ahead, None).await.unwrap();
    for back in [TimeDelta::seconds(30), TimeDelta::days(5)] {
        assert!(store.clock_doubt(ahead - back).await.unwrap().is_some(), "{back}");
        store.see_clock(ahead - back, None).await.unwrap();
        assert!(store.clock_doubt(ahead - back).await.unwrap().is_some(), "{back}");
    }
    // It may have been right all the while: then it is believed after a day.
    let back = right + TimeDelta::days(40);
    store.see_clock(back, None).await.unwrap();
    for hour in 1..24 {
        store.see_clock(back + TimeDelta::hours(hour), None).await.unwrap();
        assert!(store.clock_doubt(back + TimeDelta::hours(hour)).await.unwrap().is_some(), "{hour} h");
    }
    assert_eq!(store.clock_doubt(back + TimeDelta::hours(24)).await.unwrap(), None);
    for hour in 0..24 * 40 {
        let now = right + TimeDelta::hours(hour);
        store.see_clock(now, None).await.unwrap();
        assert_eq!(store.clock_doubt(now).await.unwrap(), None, "{hour} h");
    }
}

/// On a machine that is switched off each night as well.
#[tokio::test]
async fn a_doubt_ends_after_a_day_of_daemons() {
    let world = World::new().await;
    let store = world.store();
    let right = at("2026-01-05T08:00:00Z");
    store.see_clock(right, None).await.unwrap();
    let mut doubted = 0;
    for day in 60..66 {
        for hour in 0..9 {
            let now = right + TimeDelta::days(day) + TimeDelta::hours(hour);
            store.see_clock(now, None).await.unwrap();
            doubted += i32::from(store.clock_doubt(now).await.unwrap().is_some());
        }
    }
    assert!((24..30).contains(&doubted), "{doubted} h");
}

/// However little of it was left, a jump of its own right begins it anew.
#[tokio::test]
async fn a_jump_late_in_a_doubt_is_doubted_for_a_whole_day() {
    let world = World::new().await;
    let store = world.store();
    let right = at("2026-01-05T08:00:00Z");
    store.see_clock(right, None).await.unwrap();
    let first = right + TimeDelta::days(40);
    for hour in 0..24 {
        store.see_clock(first + TimeDelta::hours(hour), None).await.unwrap();
    }
    let leap = first + TimeDelta::days(26_000);
    store.see_clock(leap, None).await.unwrap();
    for hour in 1..24 {
        let now = leap + TimeDelta::hours(hour);
        store.see_clock(now, None).await.unwrap();
        assert!(store.clock_doubt(now).await.unwrap().is_some(), "{hour} h");
    }
}

/// Also of what has been forgotten for its age.
#[tokio::test]
async fn what_ran_long_ago_does_not_run_again_after_a_clock_was_behind() {
    let world = World::new().await;
    let job = world.submit(1, "yearly", Plan::Cron("0 0 13 10 1 ?")).await.job;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let daemon = set_right(&world, daemon, true, at("2026-01-10T12:00:00Z")).await;
    live_until(&world, "2026-01-10T12:00:00Z").await;
    world.sql("DELETE FROM slot").await;
    let daemon = set_right(&world, daemon, true, at("1970-01-01T00:00:10Z")).await;
    let daemon = set_right(&world, daemon, true, at("2026-06-10T12:00:00Z")).await;
    live_until(&world, "2026-06-10T12:00:00Z").await;
    assert_eq!(world.runs_of(job).await.len(), 1);
    assert_eq!(world.slot_list(job).await, Vec::<String>::new());
    daemon.shut_down().await;
}

/// What a clock far ahead has left out in one range gives way, though one that began alike was decided before.
#[tokio::test]
async fn a_range_that_grew_while_the_clock_was_ahead_keeps_nothing_from_firing() {
    let world = World::new().await;
    let job = world.submit(1, "often", Plan::Cron("0 * * * * ?")).await.job;
    let mut daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for now in ["2026-03-01T00:00:30Z", "2026-01-01T08:00:00Z", "2029-03-01T00:00:30Z", "2026-03-01T00:10:30Z"] {
        daemon = set_right(&world, daemon, true, at(now)).await;
        live_until(&world, now).await;
    }
    for now in ["2026-03-01T00:11:00Z", "2026-03-01T00:12:00Z"] {
        live_until(&world, now).await;
        let fired = format!("slot WHERE job_id = {job} AND due_at = {} AND disposition = 'fired'", millis(now));
        assert_eq!(world.count(&fired).await, 1, "{now}");
    }
    let ranges = "SELECT count(*) FROM slot_range a JOIN slot_range b ON a.job_id = b.job_id AND (a.first_at, a.reason) < (b.first_at, b.reason)
                  AND a.first_at <= b.last_at AND b.first_at <= a.last_at";
    assert_eq!(world.table(ranges).await, ["0"], "no instant lies in two ranges");
    daemon.shut_down().await;
}

/// No instant is decided by a clock that showed less: earlier versions have let ranges grow so.
#[tokio::test]
async fn a_range_beyond_its_own_time_keeps_nothing_from_firing() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    world
        .sql(&format!(
            "INSERT INTO slot_range (job_id, first_at, last_at, count, disposition, reason, decided_at)
             VALUES ({job}, {}, {}, 30000, 'coalesced', 'slots-coalesced', {})",
            millis("2026-01-04T08:00:00Z"),
            millis("2029-01-04T08:00:00Z"),
            millis("2026-01-05T07:59:00Z"),
        ))
        .await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    live_until(&world, "2026-01-05T09:00:00Z").await;
    assert_eq!(world.slot_list(job).await.last().unwrap(), "2026-01-05T09:00:00Z fired");
    daemon.shut_down().await;
}

/// A range of them as well, though the schedule pauses behind it.
#[tokio::test]
async fn what_was_resumed_ahead_of_time_is_made_up_for_when_it_is_missed() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "season", Plan::Cron("0/5 * * 24 1 ?")).await.job;
    services(&world).pause_job(&administrator(), named("season")).await.unwrap();
    let right = world.now();
    let daemon = set_right(&world, daemon, true, right + TimeDelta::days(90)).await;
    services(&world).resume_job(&administrator(), named("season")).await.unwrap();
    let daemon = set_right(&world, daemon, true, right).await;
    world.until_count(1, &format!("system WHERE key = 'clock_seen' AND value = '{}'", right.timestamp_millis())).await;
    let daemon = set_right(&world, daemon, true, at("2026-01-25T08:00:00Z")).await;
    live_until(&world, "2026-01-25T08:00:00Z").await;
    assert_eq!(world.slot_list(job).await.last().unwrap(), "2026-01-24T22:59:55Z late slot-late");
    daemon.shut_down().await;
    world.check().await;
}

/// However often a daemon starts while the clock is behind.
#[tokio::test]
async fn nothing_comes_from_before_its_order_after_several_starts_by_a_clock_that_was_behind() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let yearly = world.submit(1, "yearly", Plan::Cron("0 0 2 1 8 ?")).await.job;
    let daily = world.submit(1, "daily", Plan::Cron("0 0 2 * * ?")).await.job;
    let right = world.now();
    let mut daemon = set_right(&world, daemon, true, at("1970-01-01T00:00:10Z")).await;
    for now in [at("1970-01-01T00:00:40Z"), right + TimeDelta::minutes(2)] {
        daemon = set_right(&world, daemon, true, now).await;
        world
            .until_count(1, &format!("system WHERE key = 'clock_seen' AND value = '{}'", now.timestamp_millis()))
            .await;
        world.until_count(0, &format!("job WHERE next_fire_at <= {}", now.timestamp_millis())).await;
    }
    for job in [yearly, daily] {
        assert_eq!((world.slot_list(job).await, world.runs_of(job).await.len()), (Vec::new(), 0));
    }
    daemon.shut_down().await;
}

/// Before the clock shows as much again, what was merged into a run ahead of its time runs when it was missed; and it has a run in
/// any case.
#[tokio::test]
async fn what_was_merged_into_a_run_ahead_of_time_runs_when_it_is_missed() {
    let world = World::new().await;
    let job = world.submit(1, "daily", Plan::Cron("0 0 13 * * ?")).await.job;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let daemon = set_right(&world, daemon, true, at("2026-01-07T18:00:00Z")).await;
    live_until(&world, "2026-01-07T18:00:00Z").await;
    let daemon = set_right(&world, daemon, true, at("2026-01-05T08:05:00Z")).await;
    live_until(&world, "2026-01-05T12:00:00Z").await;
    let daemon = set_right(&world, daemon, true, at("2026-01-07T12:30:00Z")).await;
    live_until(&world, "2026-01-07T12:30:00Z").await;
    let ran =
        ["2026-01-05T12:00:00Z fired", "2026-01-06T12:00:00Z late slot-late", "2026-01-07T12:00:00Z late slot-late"];
    assert_eq!(world.slot_list(job).await, ran);
    assert_eq!(world.count("slot WHERE instance_id IS NULL").await, 0);
    daemon.shut_down().await;
    world.check().await;
}

/// And that again and again, to the same instant.
#[tokio::test]
async fn a_clock_that_flaps_is_noticed_each_time() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "often", Plan::Cron("0 0/5 * * * ?")).await.job;
    let right = world.now();
    for _ in 0..2 {
        world.clock.set(right + TimeDelta::hours(2));
        world.until_count(0, &format!("job WHERE next_fire_at <= {}", world.now().timestamp_millis())).await;
        world.until_count(0, "instance WHERE state <> 'Done'").await;
        world.clock.set(right + TimeDelta::minutes(1));
        // Who watches the clock may have slept through the leap, and does so for a minute.
        world.advance(TimeDelta::minutes(1));
        world
            .until_count(1, &format!("job WHERE id = {job} AND next_fire_at = {}", millis("2026-01-05T08:05:00Z")))
            .await;
        assert_eq!(world.slot_list(job).await, ["2026-01-05T10:00:00Z fired"], "those that come are not shown");
    }
    daemon.shut_down().await;
}

/// As on a machine whose battery is empty: it starts long before, or a while ago, until the clock is set. What was decided stands, and
/// nothing fires for a time before its order.
#[tokio::test]
async fn nothing_comes_again_for_a_clock_that_was_behind_for_a_while() {
    for (restarts, behind) in [(false, 2), (true, 2), (false, 20_000), (true, 20_000)] {
        let world = World::new().await;
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        let mut jobs = Vec::new();
        for (name, schedule) in [("hourly", "0 0 * * * ?"), ("daily", "0 30 2 * * ?"), ("weekly", "0 0 3 ? * WED")] {
            jobs.push(world.submit(1, name, Plan::Cron(schedule)).await.job);
        }
        jobs.push(world.submit(1, "paused", Plan::Cron("0 10 * * * ?")).await.job);
        services(&world).pause_job(&administrator(), named("paused")).await.unwrap();
        daemon.shut_down().await;
        world.clock.set(at("2026-01-09T12:20:00Z"));
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        services(&world).resume_job(&administrator(), named("paused")).await.unwrap();
        live_until(&world, "2026-01-09T12:20:00Z").await;
        jobs.push(world.submit(1, "new", Plan::Cron("0 0 2 * * ?")).await.job);
        let slots = async || {
            let mut all = Vec::new();
            for job in &jobs {
                all.push(world.slot_list(*job).await);
            }
            all
        };
        let (before, ran) = (slots().await, world.count("instance").await);
        assert!(before.iter().flatten().any(|slot| slot.contains("paused")), "{before:?}");
        let mut daemon = daemon;
        for round in 1..=2 {
            let right = world.now();
            for now in [right - TimeDelta::days(behind), right + TimeDelta::seconds(round)] {
                daemon = set_right(&world, daemon, restarts, now).await;
                let seen = format!("system WHERE key = 'clock_seen' AND value = '{}'", now.timestamp_millis());
                world.until_count(1, &seen).await;
            }
            world.until_count(0, &format!("job WHERE next_fire_at <= {}", world.now().timestamp_millis())).await;
            world.until_count(0, "instance WHERE state <> 'Done'").await;
            assert_eq!(world.count("instance").await, ran, "{behind} days behind for the {round}. time");
            let after = slots().await;
            assert!(
                before.iter().zip(&after).all(|(before, after)| after.ends_with(before)),
                "{before:#?}\n{after:#?}"
            );
            assert_eq!(after.last(), Some(&Vec::new()), "nothing lies before its order");
        }
        daemon.shut_down().await;
        world.check().await;
    }
}

/// Who asks whether something may go while the jump is being noted sees what was noted before, or that it has jumped.
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_is_doubted_also_while_it_is_noted() {
    let world = World::new().await;
    let (store, right) = (world.store(), world.now());
    let later = right + TimeDelta::days(1000);
    for _ in 0..50 {
        store.see_clock(right, None).await.unwrap();
        let asked = async {
            for _ in 0..20 {
                let doubt = store.clock_doubt(later).await.unwrap();
                assert_eq!(doubt.map(|doubt| doubt.seen), Some(right));
            }
        };
        let (noted, ()) = tokio::join!(store.see_clock(later, None), asked);
        assert!(noted.unwrap().doubt.is_some());
    }
}

/// What it showed is noted once an hour, and known each minute.
#[tokio::test]
async fn a_clock_is_set_back_from_what_it_showed_last() {
    let world = World::new().await;
    let [noted, known, now] = ["08:00", "08:41", "08:20"].map(|time| at(&format!("2026-01-05T{time}:00Z")));
    assert!(world.store().see_clock(noted, None).await.unwrap().set_back.is_none());
    let look = world.store().see_clock(now, Some(known)).await.unwrap();
    assert_eq!((look.set_back, look.doubt.is_none()), (Some(known), true));
    // That a clock which jumps ahead was seen before is no reason to believe it: the look of that time may have failed.
    let later = at("2027-01-05T08:00:00Z");
    assert!(world.store().see_clock(later, Some(later)).await.unwrap().doubt.is_some());
}

#[tokio::test]
async fn ranges_that_were_left_out_ahead_of_their_time_come_in_their_time() {
    let world = World::new().await;
    let job = world.submit(1, "often", Plan::Cron("0/10 * * * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.clock.set(at("2026-01-05T20:05:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, "slot_range").await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
    world.clock.set(at("2026-01-05T08:05:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    live_until(&world, "2026-01-05T19:04:50Z").await;
    for now in ["2026-01-05T19:05:00Z", "2026-01-05T19:05:10Z", "2026-01-05T19:05:20Z"] {
        live_until(&world, now).await;
        let fired = format!("slot WHERE job_id = {job} AND due_at = {} AND disposition = 'fired'", millis(now));
        assert_eq!(world.count(&fired).await, 1, "{now}");
    }
    daemon.shut_down().await;
    world.check().await;
}

/// However a schedule came to its end ahead of time, and though an order that is over has had its name.
#[tokio::test]
async fn what_was_resumed_to_its_end_ahead_of_time_goes_on() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "days", Plan::Cron("0 0 13 5-9 1 ? 2026")).await.job;
    services(&world).pause_job(&administrator(), named("days")).await.unwrap();
    daemon.shut_down().await;
    world.clock.set(at("2026-01-12T08:00:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    services(&world).resume_job(&administrator(), named("days")).await.unwrap();
    world.until_count(1, &format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await;
    let once = world.submit(1, "days", Plan::At(world.now())).await.job;
    world.until_count(1, &format!("instance WHERE job_id = {once} AND state = 'Done'")).await;
    world.until_count(1, &format!("job WHERE id = {once} AND trigger_state = 'Complete'")).await;
    daemon.shut_down().await;
    world.clock.set(at("2026-01-05T08:05:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let next = format!("job WHERE id = {job} AND next_fire_at = {}", millis("2026-01-05T12:00:00Z"));
    world.until_count(1, &next).await;
    world.clock.set(at("2026-01-05T12:00:00Z"));
    world.until_count(1, &format!("instance WHERE job_id = {job} AND state = 'Done'")).await;
    daemon.shut_down().await;
    world.check().await;
}

/// As clocks are all day.
#[tokio::test]
async fn a_clock_that_is_set_right_by_a_little_has_nothing_happen_twice() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    let once = world.submit(1, "once", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
    world.clock.set(at("2026-01-05T09:00:01Z"));
    world.until_count(2, "instance WHERE state = 'Done'").await;
    let daemon = set_right(&world, daemon, true, at("2026-01-05T08:52:00Z")).await;
    assert_eq!(world.slot_list(job).await, ["2026-01-05T09:00:00Z fired"]);
    world.clock.set(at("2026-01-05T10:00:00Z"));
    world.until_count(3, "instance WHERE state = 'Done'").await;
    assert_eq!(world.slot_list(job).await, ["2026-01-05T09:00:00Z fired", "2026-01-05T10:00:00Z fired"]);
    assert_eq!(world.runs_of(once).await.len(), 1);
    daemon.shut_down().await;
}

#[tokio::test]
async fn nothing_waits_for_as_long_as_the_clock_was_ahead() {
    for restarts in [false, true] {
        for ahead in [TimeDelta::hours(5), TimeDelta::days(1000)] {
            let world = World::new().await;
            let wire = || Wire::that(|_| Err(Undelivered::Transient("connection refused".to_owned()))).notify();
            let failing = || {
                Scripted::new(|context| async move {
                    match context.run.job_name.as_str() {
                        "failing" => Err(Failure::Transient(Message::new("reason-internal"))),
                        "no room" => Err(Failure::DiskFull),
                        _ => Ok(()),
                    }
                })
            };
            world.advance(ahead);
            let daemon = Daemon::start_with(&world, policy(), failing(), wire()).await;
            for name in ["failing", "no room"] {
                world.run_at_once(1, name).await;
            }
            world
                .try_submit(1, "mailed", upload(&json!({"emailSetting": "JobCompletion"})), Plan::AtOnce)
                .await
                .unwrap();
            world.run_at_once(1, "posted").await;
            world.until_count(2, "instance WHERE state = 'WaitingCoordinator' AND attempt = 1").await;
            world.until_count(1, "outbox WHERE attempts = 1 AND state = 'Pending'").await;
            world.until_count(2, "instance WHERE state = 'Done'").await;
            let until = (world.now() + TimeDelta::minutes(30)).timestamp_millis();
            world
                .sql(&format!(
                    "UPDATE instance SET state = 'WaitingClient', not_before_at = {until}, outcome = NULL, finished_at = NULL
                     WHERE job_name = 'posted'"
                ))
                .await;

            let now = world.now() - ahead;
            let daemon = match restarts {
                false => {
                    world.clock.set(now);
                    daemon
                }
                true => {
                    daemon.shut_down().await;
                    world.clock.set(now);
                    Daemon::start_with(&world, policy(), failing(), wire()).await
                }
            };
            let late = |wait: TimeDelta| (now + wait).timestamp_millis();
            let waits = [
                format!("instance WHERE job_name = 'failing' AND not_before_at > {}", late(TimeDelta::minutes(1))),
                format!("instance WHERE job_name = 'no room' AND not_before_at > {}", late(TimeDelta::minutes(1))),
                format!("instance WHERE job_name = 'posted' AND not_before_at > {}", late(TimeDelta::minutes(30))),
                format!("outbox WHERE next_try_at > {}", late(TimeDelta::seconds(30))),
            ];
            for wait in &waits {
                world.until_count(0, wait).await;
            }
            // And it is heard of.
            world.advance(TimeDelta::minutes(1));
            world.until_count(2, "instance WHERE attempt >= 2").await;
            world.until_count(1, "outbox WHERE attempts = 2 AND state = 'Pending'").await;
            daemon.kill().await;
        }
    }
}

/// A message is given up by how long it was tried, and not by what the clock shows.
#[tokio::test]
async fn a_message_is_not_given_up_because_the_clock_has_jumped() {
    let world = World::new().await;
    let wire = Wire::that(|_| Err(Undelivered::Transient("connection refused".to_owned())));
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    world.try_submit(1, "mailed", upload(&json!({"emailSetting": "JobCompletion"})), Plan::AtOnce).await.unwrap();
    world.until_count(1, "outbox WHERE attempts = 1 AND state = 'Pending'").await;
    world.advance(TimeDelta::days(1000));
    world.until_count(1, "outbox WHERE attempts = 2").await;
    assert_eq!(world.count("outbox WHERE state = 'Pending'").await, 1);
    daemon.kill().await;
}

#[tokio::test]
async fn nothing_goes_for_being_old_by_a_clock_that_has_just_jumped() {
    for restarts in [false, true] {
        let world = World::new().await;
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        for name in ["old", "newest"] {
            let run = world.run_at_once(1, name).await;
            world.until_done(run).await;
        }
        let right = world.now();
        let daemon = set_right(&world, daemon, restarts, right + TimeDelta::days(1000)).await;
        // One that runs shows that time has passed for the daemon as well.
        let beside = async |name: &str| {
            let run = world.run_at_once(2, name).await;
            world.until_done(run).await;
        };
        beside("at the jump").await;
        for hour in 0..3 {
            world.advance(TimeDelta::hours(1));
            beside(&format!("hour {hour}")).await;
        }
        let doubt = world.store().clock_doubt(world.now()).await.unwrap().unwrap();
        assert_eq!(doubt.seen, right);
        assert_eq!(world.count("instance WHERE company_id = 1").await, 2);

        // Set right, nothing has gone; and at the same clock for a day, it is believed.
        let believed = world.now();
        let daemon = set_right(&world, daemon, restarts, right + TimeDelta::hours(4)).await;
        beside("right").await;
        assert_eq!(world.store().clock_doubt(world.now()).await.unwrap(), None);
        assert_eq!(world.count("instance WHERE company_id = 1").await, 2);
        let daemon = set_right(&world, daemon, restarts, believed).await;
        for _ in 0..25 {
            beside("again").await;
            world.advance(TimeDelta::hours(1));
            let seen = format!("system WHERE key = 'clock_seen' AND value = '{}'", world.now().timestamp_millis());
            world.until_count(1, &seen).await;
        }
        world.until_count(0, "instance WHERE company_id = 1").await;
        daemon.shut_down().await;
    }
}

/// A row for each of a hundred million seconds would fill the disk.
#[tokio::test]
async fn very_many_missed_firings_are_one_range() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "every second", Plan::Cron("* * * * * ?")).await.job;
    world.advance(TimeDelta::days(1000));
    world.until_count(1, "slot_range").await;
    world.until_count(0, &format!("job WHERE next_fire_at <= {}", world.now().timestamp_millis())).await;
    world.until_count(0, "instance WHERE state <> 'Done'").await;
    assert!(world.count("slot").await < 1000, "{}", world.count("slot").await);
    let counted = world.table("SELECT (SELECT count FROM slot_range) + (SELECT count(*) FROM slot)").await;
    assert_eq!(counted, [(1000 * 86_400).to_string()], "every one is accounted for");
    let shown = world.store().slots(job, 1000, world.now()).await.unwrap();
    assert_eq!(shown.last().unwrap().reason.as_ref().unwrap().code, "slots-coalesced");

    daemon.shut_down().await;
}
