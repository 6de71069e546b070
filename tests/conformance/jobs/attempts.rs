//! How attempts end.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use prepress::engine::EnginePolicy;
use prepress::executors::Failure;
use prepress::model::id::AccountId;
use prepress::model::log::{LogLine, LogType, Message};
use prepress::model::outcome::{Counters, Outcome};
use prepress::model::state::State;
use prepress::service::jobs::{Disks, Limits};
use prepress::service::{Services, Settings};
use prepress::store::jobs::control::Stop;
use prepress::store::jobs::query::{DetailFilter, Run};
use serde_json::json;

use crate::support::{Daemon, Plan, Scripted, Wire, World, eventually, policy, stage, upload};

const SOMEBODY: AccountId = AccountId(1);

fn passing() -> Failure {
    Failure::Transient(Message::new("reason-connection").with("detail", "reset"))
}

/// The log of a run: types and codes.
async fn log(world: &World, id: prepress::model::id::InstanceId) -> Vec<String> {
    let filter = DetailFilter { limit: 1000, ..DetailFilter::default() };
    let lines = world.store().details(id, &filter).await.unwrap();
    lines.iter().map(|line| format!("{} {}", line.log_type, line.message.code)).collect()
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_until_the_attempts_are_used_up() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), registry, wire.notify()).await;
    let spec = upload(&json!({"emailSetting": "Error"}));
    let id = world.try_submit(1, "flaky", spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
    for attempt in 1..=3 {
        let call = calls.next().await;
        assert_eq!(call.context.run.fence.attempt, attempt);
        call.end(Err(passing()));
        world.until(id, "has failed", |run| run.failures == attempt || run.outcome.is_some()).await;
        world.advance(TimeDelta::minutes(5));
    }
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt, run.failures), (Some(Outcome::Failed), 3, 3));
    let fatal = run.fatal_error.unwrap();
    assert_eq!((fatal.code.as_str(), &fatal.params["attempts"]), ("attempts-exhausted", &json!(3)));
    assert_eq!(fatal.params["reason"]["code"], json!("reason-connection"));
    assert_eq!(
        log(&world, id).await,
        [
            "BeginUpload begin-upload-directory",
            "OriginalJobName original-job-name",
            "JobClient job-client",
            "JobInfo attempt-failed",
            "JobInfo attempt-failed",
            "FatalError attempts-exhausted",
            "TotalFileCount total-file-count",
            "EndUpload end-failed",
        ]
    );
    eventually("the mail is sent", || async { (wire.tried().len() == 1).then_some(()) }).await;
    assert_eq!(wire.tried()[0].recipient, "u1@example.com");
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_uses_up_no_attempt() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "large").await;
    let services = Services::new(world.store(), world.clock.clone(), Settings::default()).unwrap();
    let limits = Limits {
        slots: 4,
        slots_by_kind: BTreeMap::new(),
        max_attempts: 3,
        daemon_runs: true,
        disks: Disks::of(Vec::new()).into(),
    };
    for attempt in 1..=10 {
        let call = calls.next().await;
        if attempt == 6 {
            assert!(call.item("a").await.unwrap(), "there was room for one");
            let line = LogLine::new(LogType::UploadSuccess, Message::new("upload-success"));
            call.context.log(vec![line], Counters::default()).await.unwrap();
        }
        call.end(Err(Failure::DiskFull));
        let waits = |run: &Run| run.attempt == attempt && run.state == State::WaitingCoordinator;
        let run = world.until(id, "waits", waits).await;
        assert_eq!((run.failures, run.not_before_at), (0, world.now() + TimeDelta::minutes(1)));
        let why = services.why_waiting(&run, &limits).await.unwrap().unwrap();
        assert_eq!(why.code, "wait-disk-full");
        world.advance(TimeDelta::minutes(1));
    }
    calls.next().await.succeed();
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt, run.failures), (Some(Outcome::Succeeded), 11, 0));
    let told = log(&world, id).await.iter().filter(|line| line.ends_with("disk-full")).count();
    assert_eq!(told, 2, "once, and once more after something else had happened");
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_failure_that_will_not_pass_ends_the_run() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "hopeless").await;
    let reason = Message::new("reason-not-found").with("path", "/x");
    calls.next().await.end(Err(Failure::Fatal(reason.clone())));
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt, run.fatal_error), (Some(Outcome::Failed), 1, Some(reason)));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_attempt_only() {
    let world = World::new().await;
    let registry = Scripted::new(|context| async move {
        assert!(context.run.fence.attempt > 1, "the first attempt panics");
        Ok(())
    });
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "clumsy").await;
    let run = world.until(id, "has failed", |run| run.failures == 1).await;
    assert_eq!(run.state, State::WaitingCoordinator);
    world.advance(TimeDelta::seconds(10));
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt), (Some(Outcome::Succeeded), 2));
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_second_attempt_does_only_what_the_first_has_not_done() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "long").await;
    let first = calls.next().await;
    first.context.plan(2).await.unwrap();
    assert!(first.item("a").await.unwrap());
    assert!(first.item_with("b", 1).await.unwrap());
    assert!(!first.item_with("b", 1).await.unwrap(), "an item is done once");
    first.end(Err(passing()));
    world.until(id, "waits", |run| run.failures == 1).await;
    world.advance(TimeDelta::seconds(10));
    let second = calls.next().await;
    let done = second.context.done_items().await.unwrap();
    assert_eq!(done.len(), 2);
    assert_eq!(done["a"], json!("a"));
    second.context.plan(2).await.unwrap();
    let run = world.run(id).await;
    assert_eq!((run.items_done, run.items_total), (2, 3), "what the first has found is there still");
    assert!(!second.item("a").await.unwrap());
    assert!(second.item("c").await.unwrap());
    second.succeed();
    let run = world.until_done(id).await;
    assert_eq!((run.items_done, run.items_total, run.counters.success), (3, 3, 3));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_told_and_then_cut_off() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let limit = EnginePolicy { job_timeout: Some(TimeDelta::minutes(10)), ..policy() };
    let daemon = Daemon::start(&world, limit, registry).await;
    let id = world.run_at_once(1, "endless").await;
    let call = calls.next().await;
    // The attempt begins to measure after it has begun; so the clock is moved until it has heard.
    world.advance(TimeDelta::minutes(10));
    eventually("it is told", || async {
        world.advance(TimeDelta::seconds(1));
        call.context.stop_token().is_cancelled().then_some(())
    })
    .await;
    assert_eq!(world.run(id).await.state, State::Running, "it has its grace period");
    eventually("it is cut off", || async {
        world.advance(TimeDelta::seconds(1));
        (world.run(id).await.failures == 1).then_some(())
    })
    .await;
    let reason = world
        .table(&format!(
            "SELECT json_text(params, '$.reason.code') FROM log_detail WHERE instance_id = {id} AND code = 'attempt-failed'"
        ))
        .await;
    assert_eq!(reason, ["reason-timeout"]);
    drop(call);
    daemon.kill().await;
}

#[tokio::test]
async fn a_run_that_is_stopped_while_it_waits_never_begins() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, EnginePolicy { slots: 1, ..policy() }, registry).await;
    world.run_at_once(1, "busy").await;
    let busy = calls.next().await;
    let id = world.run_at_once(1, "unwanted").await;
    assert_eq!(world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap(), Stop::Ended);
    let run = world.run(id).await;
    assert_eq!((run.state, run.outcome, run.started_at), (State::Done, Some(Outcome::Stopped), None));
    assert_eq!(world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap(), Stop::AlreadyDone);
    let next = world.run_at_once(1, "next").await;
    busy.succeed();
    assert_eq!(calls.next().await.context.run.fence.instance, next);
    daemon.kill().await;
    world.check().await;
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_at_its_next_checkpoint() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "stopped").await;
    let call = calls.next().await;
    call.context.plan(5).await.unwrap();
    call.item("a").await.unwrap();
    assert_eq!(world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap(), Stop::Asked);
    call.told_to_leave().await;
    assert_eq!(world.run(id).await.state, State::Stopping);
    assert!(call.item("b").await.unwrap(), "the item it is at may still be committed");
    let left = call.context.checkpoint();
    assert_eq!(left, Err(Failure::Interrupted));
    call.end(left);
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.items_done, run.fatal_error), (Some(Outcome::Stopped), 2, None));
    let line = world
        .table(&format!("SELECT code, params FROM log_detail WHERE instance_id = {id} AND log_type = 'JobInfo'"))
        .await;
    assert_eq!(line, [r#"job-stopped {"user":"u1@example.com","done":2,"total":5}"#]);
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_run_that_ignores_its_stop_is_cut_off_after_the_grace_period() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "deaf").await;
    let call = calls.next().await;
    world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap();
    call.told_to_leave().await;
    let told = world.now();
    eventually("it is cut off", || async {
        world.advance(TimeDelta::seconds(1));
        world.run(id).await.outcome
    })
    .await;
    assert!(world.now() - told >= TimeDelta::seconds(30), "not before its grace period was over");
    assert_eq!(world.run(id).await.outcome, Some(Outcome::Stopped));
    assert_eq!(call.item("late").await, Err(Failure::Interrupted), "it can write no more");
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_failure_after_a_stop_is_a_stop() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, EnginePolicy { max_attempts: 1, ..policy() }, registry).await;
    let id = world.run_at_once(1, "stopped").await;
    let call = calls.next().await;
    world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap();
    call.told_to_leave().await;
    // Its child process was killed, say.
    call.end(Err(passing()));
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.fatal_error), (Some(Outcome::Stopped), None));
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_stop_that_races_with_the_end_leaves_one_outcome() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let (mut asked, mut late) = (0, 0);
    for round in 0..60 {
        let id = world.run_at_once(1, "race").await;
        let call = calls.next().await;
        let (store, now) = (world.store(), world.now());
        let stop = tokio::spawn(async move { store.stop_run(id, SOMEBODY, now).await.unwrap() });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        call.succeed();
        match stop.await.unwrap() {
            Stop::Asked => asked += 1,
            Stop::AlreadyDone => late += 1,
            Stop::Ended => panic!("it had begun"),
        }
        let run = world.until_done(id).await;
        assert_eq!(run.outcome, Some(Outcome::Succeeded), "its work was done");
        assert_eq!(log(&world, id).await.iter().filter(|line| line.starts_with("EndUpload")).count(), 1);
    }
    assert_eq!(asked + late, 60);
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_stop_that_comes_with_the_claim_is_heard() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    for _ in 0..100 {
        let id = world.run_at_once(1, "stopped").await;
        // The claim is committed; whether its attempt has begun is not known.
        world.until(id, "is claimed", |run| run.state == State::Running).await;
        world.store().stop_run(id, SOMEBODY, world.now()).await.unwrap();
        let call = calls.next().await;
        // The clock stands still, so that no heartbeat comes by itself.
        call.told_to_leave().await;
        call.end(Err(Failure::Interrupted));
        assert_eq!(world.until_done(id).await.outcome, Some(Outcome::Stopped));
    }
    daemon.shut_down().await;
}

#[tokio::test]
async fn progress_is_shown_while_it_runs_at_a_bounded_rate() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "busy").await;
    let call = calls.next().await;
    call.context.say(Message::new("progress-scanning"));
    let picture = call.context.working_on("shoe.tif");
    picture.at(0.25);
    let run = eventually("progress is shown", || async {
        world.advance(TimeDelta::milliseconds(100));
        Some(world.run(id).await).filter(|run| run.progress.is_some())
    })
    .await;
    assert_eq!(run.progress_items, [("shoe.tif".to_owned(), 0.25)]);
    drop(picture);
    eventually("the item is gone", || async {
        world.advance(TimeDelta::milliseconds(100));
        world.run(id).await.progress_items.is_empty().then_some(())
    })
    .await;
    call.succeed();
    world.until_done(id).await;
    daemon.shut_down().await;
}
