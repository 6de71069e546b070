//! What people do to jobs.

use chrono::TimeDelta;
use prepress::model::firing::{Fate, Missed, SkipReason, Slot};
use prepress::model::id::{AccountId, CompanyId, JobId};
use prepress::model::locale::Locale;
use prepress::model::outcome::Outcome;
use prepress::model::state::State;
use prepress::service::jobs::JobParam;
use prepress::service::{Caller, Services, Settings};
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::control::{Control, RunNow};

use crate::support::{Daemon, Plan, Scripted, World, at, policy, stage};

const HOURLY: Plan<'static> = Plan::Cron("0 0 * * * ?");

#[tokio::test]
async fn a_paused_job_does_not_fire_and_says_so_for_each_instant() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    let store = world.store();
    assert_eq!(store.pause_job(job).await.unwrap(), Control::Done(()));
    assert_eq!(store.pause_job(job).await.unwrap(), Control::Done(()), "twice is no error");
    world.clock.set(at("2026-01-05T10:30:00Z"));
    // Another job that fires shows that the scheduler has looked.
    world.submit(2, "witness", Plan::At(world.now())).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    assert_eq!(world.runs_of(job).await.len(), 0);
    let missed = ["2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z"]
        .map(|due| Slot { due_at: at(due), fate: Fate::Skip(SkipReason::Paused) });
    let next = Some(at("2026-01-05T11:00:00Z"));
    // Who read the job before somebody else resumed and paused it must not bring back an instant that has passed.
    let stale = store
        .resume_job(job, Some(at("2026-01-05T08:00:00Z")), Missed::Slots(Vec::new()), next, world.now())
        .await
        .unwrap();
    assert!(matches!(stale, Control::NotNow(_)), "{stale:?}");
    let due = Some(at("2026-01-05T09:00:00Z"));
    assert_eq!(
        store.resume_job(job, due, Missed::Slots(missed.to_vec()), next, world.now()).await.unwrap(),
        Control::Done(())
    );
    assert!(matches!(
        store.resume_job(job, next, Missed::Slots(Vec::new()), next, world.now()).await.unwrap(),
        Control::NotNow(state) if state == "Normal"
    ));
    world.clock.set(at("2026-01-05T11:00:00Z"));
    world.until_count(3, &format!("slot WHERE job_id = {job}")).await;
    assert_eq!(
        world.slot_list(job).await,
        [
            "2026-01-05T09:00:00Z skipped slot-skipped-paused",
            "2026-01-05T10:00:00Z skipped slot-skipped-paused",
            "2026-01-05T11:00:00Z fired",
        ]
    );
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_job_run_by_hand_keeps_its_schedule_and_does_not_meet_itself() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    let store = world.store();
    let RunNow::Queued(by_hand) = store.run_job_now(job, true, world.now()).await.unwrap() else {
        panic!("it may run")
    };
    let first = calls.next().await;
    assert_eq!(first.context.run.fence.instance, by_hand.id);
    assert_eq!(first.context.run.run_name, by_hand.name);
    // Twice more by hand: one after the other.
    store.run_job_now(job, true, world.now()).await.unwrap();
    store.run_job_now(job, true, world.now()).await.unwrap();
    world.run_at_once(2, "beside").await;
    let beside = calls.next().await;
    assert_eq!(beside.name(), "beside");
    beside.succeed();
    first.succeed();
    calls.next().await.succeed();
    calls.next().await.succeed();
    world.until_count(4, "instance WHERE state = 'Done'").await;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let scheduled = calls.next().await;
    // And a run by hand waits for the scheduled one.
    store.run_job_now(job, true, world.now()).await.unwrap();
    world.run_at_once(2, "beside").await;
    assert_eq!(calls.next().await.name(), "beside");
    assert!(calls.begun().is_none());
    scheduled.succeed();
    assert_eq!(calls.next().await.name(), "hourly");
    daemon.kill().await;
}

#[tokio::test]
async fn a_deleted_job_fires_no_more_and_its_runs_stop() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    let store = world.store();
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let running = calls.next().await;
    let RunNow::Queued(waiting) = store.run_job_now(job, true, world.now()).await.unwrap() else {
        panic!("it may run")
    };
    assert!(matches!(store.delete_job(job, AccountId(1), world.now()).await.unwrap(), Control::Done(_)));
    assert_eq!(store.delete_job(job, AccountId(1), world.now()).await.unwrap(), Control::NoSuchJob);
    assert_eq!(world.run(waiting.id).await.outcome, Some(Outcome::Stopped));
    running.told_to_leave().await;
    let id = running.context.run.fence.instance;
    assert_eq!(world.run(id).await.state, State::Stopping);
    running.end(Err(prepress::executors::Failure::Interrupted));
    assert_eq!(world.until_done(id).await.outcome, Some(Outcome::Stopped));
    world.clock.set(at("2026-01-05T12:00:00Z"));
    world.submit(1, "hourly", HOURLY).await;
    for refused in [
        store.pause_job(job).await.unwrap(),
        store.resume_job(job, None, Missed::Slots(Vec::new()), None, world.now()).await.unwrap(),
    ] {
        assert_eq!(refused, Control::NoSuchJob);
    }
    assert!(matches!(store.run_job_now(job, true, world.now()).await.unwrap(), RunNow::NoSuchJob));
    assert_eq!(world.runs_of(job).await.len(), 2, "its log stays");
    daemon.shut_down().await;
    world.check().await;
}

/// Runs of a job that wait, as many firings would leave them.
async fn pile_up(world: &World, job: JobId, runs: u32) {
    world
        .sql(&format!(
            "INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at,
                                   account_id)
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {runs})
             SELECT (SELECT coalesce(max(id), 0) FROM instance) + n, id, company_id, kind, name, name || '_' || n || '_' || (SELECT count(*) FROM instance),
                    'WaitingCoordinator', 0, 0, 0, account_id
             FROM n, job WHERE id = {job}"
        ))
        .await;
}

const STOPPED: &str = "instance WHERE job_name = 'hourly' AND outcome = 'Stopped'";

#[tokio::test]
async fn a_job_with_very_many_runs_is_deleted_some_at_a_time() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    pile_up(&world, job, 1000).await;
    let namesake = world.run_at_once(1, "hourly").await;
    let beside = world.run_at_once(1, "beside").await;
    let store = world.store();
    assert!(matches!(store.delete_namesakes(job, AccountId(1), world.now()).await.unwrap(), Control::Done(_)));
    assert_eq!(store.delete_job(job, AccountId(1), world.now()).await.unwrap(), Control::NoSuchJob, "it is deleted");
    let stopped = world.count(STOPPED).await;
    assert!((1..1000).contains(&stopped), "one transaction, which others wait for, is of some runs: {stopped}");

    // What is left to stop begins no more; what else there is does, and what comes later under the name.
    let later = world.run_at_once(1, "hourly").await;
    let lease = Lease { owner: "a test".to_owned(), expires_at: world.now() };
    let free = FreeSlots { total: 10, ..FreeSlots::default() };
    let now = world.now();
    let claims = store.claim(free, CompanyId(0), move || (lease, now)).await.unwrap();
    let claimed: Vec<_> = claims.runs.iter().map(|run| run.fence.instance).collect();
    assert_eq!(claimed, [beside, later]);

    // Whatever ended the process that was asked, the next one goes on.
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1001, STOPPED).await;
    world.until_count(0, "stop_order").await;
    assert_eq!(world.run(namesake).await.outcome, Some(Outcome::Stopped));
    assert_eq!(world.count("job WHERE name = 'hourly' AND deleted_at IS NULL").await, 1, "that of the later run");
    world.advance(chrono::TimeDelta::minutes(10));
    assert_eq!(world.until_done(later).await.outcome, Some(Outcome::Succeeded));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_keeps_no_other_from_being_stopped() {
    let world = World::new().await;
    let job = world.submit(1, "hourly", HOURLY).await.job;
    pile_up(&world, job, 300).await;
    let unreadable = world.submit(1, "hourly", Plan::AtOnce).await;
    pile_up(&world, job, 300).await;
    world.sql(&format!("UPDATE job SET spec = '{{}}' WHERE id = {}", unreadable.job)).await;
    let store = world.store();
    let stopped = store.stop_namesakes(job, AccountId(1), world.now()).await.unwrap();
    assert!(!stopped.runs.is_empty() && stopped.more);
    let mut steps = 0;
    while store.carry_out_stop_orders(world.now()).await.unwrap() {
        steps += 1;
        assert!(steps < 1000, "it comes to its end");
    }
    assert_eq!(world.count(STOPPED).await, 600);
    assert_eq!(world.count("job WHERE deleted_at IS NULL").await, 2, "a stop deletes nothing");
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, "instance WHERE outcome = 'Failed'").await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_controlled() {
    let world = World::new().await;
    let store = world.store();
    let nothing = JobId(4711);
    assert_eq!(store.pause_job(nothing).await.unwrap(), Control::NoSuchJob);
    assert!(matches!(store.run_job_now(nothing, true, world.now()).await.unwrap(), RunNow::NoSuchJob));
    assert_eq!(store.delete_job(nothing, AccountId(1), world.now()).await.unwrap(), Control::NoSuchJob);
    let gone = prepress::model::id::InstanceId(4711);
    let stop = store.stop_run(gone, AccountId(1), world.now()).await.unwrap();
    assert_eq!(stop, prepress::store::jobs::control::Stop::AlreadyDone, "a run whose retention is over");
}

pub fn services(world: &World) -> Services {
    Services::new(world.store(), world.clock.clone(), Settings::default()).unwrap()
}

pub fn administrator() -> Caller {
    Caller {
        account: AccountId(1),
        email: "u1@example.com".to_owned(),
        is_ips_admin: true,
        roles: Default::default(),
        locale: Locale::english(),
        client: None,
        peer: None,
        address: None,
    }
}

/// A job of the first company, by its handle.
pub fn named(name: &str) -> JobParam {
    JobParam { company_handle: "c|1".to_owned(), job_handle: format!("j|1|{name}||") }
}

/// What is over is refused, and stays; what may come back when the zone or the clock is another one goes, and says so.
#[tokio::test]
async fn what_has_ended_is_deleted_or_refused_and_nothing_between() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let (services, caller) = (services(&world), administrator());
    let schedule = world.submit(1, "once", Plan::Cron("0 0 10 5 1 ? 2026")).await.job;
    let at_once = world.submit(1, "at once", Plan::AtOnce).await.job;
    let timed = world.submit(1, "timed", Plan::At(at("2026-01-05T09:00:00Z"))).await.job;
    // Or its lease would be over when the clock goes on.
    world.until_count(1, "instance WHERE state = 'Done'").await;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    world.until_count(3, "instance WHERE state = 'Done'").await;
    world.until_count(2, "job WHERE trigger_kind <> 'at_once' AND trigger_state = 'Complete'").await;
    for (name, job) in [("at once", at_once), ("timed", timed)] {
        let refused = services.delete_job(&caller, named(name)).await.unwrap_err().to_string();
        assert!(refused.contains("there is nothing to delete"), "{refused}");
        assert_eq!(world.count(&format!("job WHERE id = {job} AND deleted_at IS NULL")).await, 1);
    }
    services.delete_job(&caller, named("once")).await.unwrap();
    assert_eq!(world.count(&format!("job WHERE id = {schedule} AND deleted_at IS NOT NULL")).await, 1);
    services.delete_job(&caller, named("once")).await.unwrap_err();
    daemon.shut_down().await;
}

/// What has ended under a name goes with another job of it, but not while a run of it goes on.
#[tokio::test]
async fn an_ended_schedule_whose_run_goes_on_stays() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let first = world.submit(1, "night", Plan::Cron("0 0 10 5 1 ? 2026")).await.job;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let running = calls.next().await;
    world.until_count(1, &format!("job WHERE id = {first} AND trigger_state = 'Complete'")).await;
    let second = world.submit(1, "night", HOURLY).await.job;
    let store = world.store();
    assert!(matches!(store.delete_job(second, AccountId(1), world.now()).await.unwrap(), Control::Done(_)));
    assert_eq!(world.count(&format!("job WHERE id = {first} AND deleted_at IS NULL")).await, 1);
    assert!(matches!(store.delete_job(first, AccountId(1), world.now()).await.unwrap(), Control::Done(_)));
    running.told_to_leave().await;
    daemon.kill().await;
}

/// Two days of seconds: none is without an account, and nobody waits while it is written.
#[tokio::test]
async fn very_many_instants_of_a_pause_are_accounted_for_as_a_range() {
    let world = World::in_zone("UTC", "2026-01-05T08:00:00Z").await;
    // The views are in the zone of the server, once a daemon has said which one that is.
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    let job = world.submit(1, "each second", Plan::Cron("* * * * * ?")).await.job;
    let few = world.submit(1, "hourly", HOURLY).await.job;
    let (services, caller) = (services(&world), administrator());
    for name in ["each second", "hourly"] {
        services.pause_job(&caller, named(name)).await.unwrap();
    }
    world.advance(TimeDelta::days(2));
    for name in ["each second", "hourly"] {
        services.resume_job(&caller, named(name)).await.unwrap();
    }
    let shown = services.job_slots(&caller, job, 100).await.unwrap();
    let range = &shown[0];
    assert_eq!((shown.len(), range.count, range.disposition.as_str()), (1, 172_800, "skipped"));
    assert_eq!((range.due_at, range.until), (at("2026-01-05T08:00:01Z"), Some(at("2026-01-07T08:00:00Z"))));
    assert_eq!(
        world.table("SELECT due, until, instants, reason FROM slot_overview WHERE job = 'each second'").await,
        ["2026-01-05 08:00:01 2026-01-07 08:00:00 172800 slot-skipped-paused"]
    );
    let next = at("2026-01-07T08:00:01Z").timestamp_millis();
    assert_eq!(world.count(&format!("job WHERE id = {job} AND next_fire_at = {next}")).await, 1);
    assert_eq!(world.count(&format!("slot WHERE job_id = {few} AND reason = 'slot-skipped-paused'")).await, 48);
    assert_eq!(world.count(&format!("slot_range WHERE job_id = {few}")).await, 0, "single ones stay slots");

    // A trigger that is set back into the range, by whatever fault: what was decided stands.
    world.sql(&format!("UPDATE job SET next_fire_at = {next} - 5000 WHERE id = {job}")).await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_count(1, &format!("job WHERE id = {job} AND next_fire_at = {next}")).await;
    daemon.shut_down().await;
    assert_eq!(world.count(&format!("instance WHERE job_id = {job}")).await, 0);
    assert_eq!(world.count(&format!("slot WHERE job_id = {job}")).await, 0);
    // And to its beginning: all that is missed from there has an account, and no instant has two.
    services.pause_job(&caller, named("each second")).await.unwrap();
    let first = at("2026-01-05T08:00:01Z").timestamp_millis();
    world.sql(&format!("UPDATE job SET next_fire_at = {first} WHERE id = {job}")).await;
    world.advance(TimeDelta::hours(1));
    services.resume_job(&caller, named("each second")).await.unwrap();
    let shown = services.job_slots(&caller, job, 100).await.unwrap();
    assert_eq!(shown.iter().map(|range| range.count).collect::<Vec<_>>(), [3_600, 172_800]);
    assert_eq!(shown[1].until, Some(at("2026-01-07T08:00:00Z")));
    assert_eq!(shown[0].until, Some(at("2026-01-07T09:00:00Z")));
    // Retention takes it with the rest.
    world.advance(TimeDelta::days(1000));
    let now = world.now();
    let horizon = prepress::store::jobs::retention::Horizon { logs: now, instances: now, outbox: now };
    while !world.store().forget(horizon).await.unwrap().is_nothing() {}
    assert_eq!(world.count("slot_range").await, 0);
}
