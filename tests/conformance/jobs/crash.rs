//! The daemon ends, in order or not, and begins again on the same file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use prepress::engine::{Backoff, EnginePolicy};
use prepress::executors::{Context, Failure, Item};
use prepress::model::outcome::{Counters, Outcome};
use prepress::model::state::State;
use prepress::service::jobs::{Disks, Limits};
use prepress::service::{Services, Settings};
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;
use serde_json::json;

use crate::support::{Call, Daemon, Plan, Scripted, Wire, World, eventually, policy, stage, upload};

#[tokio::test]
async fn a_run_whose_daemon_was_killed_goes_on_at_its_next_item() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "long").await;
    let call = calls.next().await;
    call.context.plan(3).await.unwrap();
    call.item("a").await.unwrap();
    daemon.kill().await;
    assert_eq!(world.run(id).await.state, State::Running);

    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let run = world.run(id).await;
    assert_eq!(
        (run.state, run.failures),
        (State::WaitingCoordinator, 1),
        "though the lease of the dead one still runs"
    );
    world.advance(TimeDelta::seconds(10));
    let second = calls.next().await;
    assert_eq!(second.context.run.fence.attempt, 2);
    assert_eq!(second.context.done_items().await.unwrap().len(), 1);
    second.item("b").await.unwrap();
    second.item("c").await.unwrap();
    second.succeed();
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.failures, run.counters.success), (Some(Outcome::Succeeded), 1, 3));
    daemon.shut_down().await;
    world.check().await;
}

/// Kills the daemon while it carries out a run, which commits the given items before.
async fn killed_after(world: &World, policy: EnginePolicy, items: &[String]) {
    let (registry, mut calls) = stage();
    // What was lost before is found, and its wait is over, before anything is claimed.
    Daemon::start(world, EnginePolicy { slots: 0, ..policy.clone() }, Scripted::idle()).await.kill().await;
    world.advance(TimeDelta::minutes(5));
    let daemon = Daemon::start(world, policy, registry).await;
    let call = calls.next().await;
    for item in items {
        call.item(item).await.unwrap();
    }
    daemon.kill().await;
}

#[tokio::test]
async fn a_run_that_kills_its_daemon_again_and_again_fails() {
    let world = World::new().await;
    let id = world.run_at_once(1, "poison").await;
    for _ in 0..3 {
        killed_after(&world, policy(), &[]).await;
    }
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt, run.failures), (Some(Outcome::Failed), 3, 3));
    assert_eq!(run.fatal_error.unwrap().params["reason"]["code"], json!("reason-worker-gone"));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_run_whose_daemon_was_killed_waits_ever_longer_and_says_why() {
    let world = World::new().await;
    let id = world.run_at_once(1, "unlucky").await;
    let patient = EnginePolicy { max_attempts: 9, ..policy() };
    let services = Services::new(world.store(), world.clock.clone(), Settings::default()).unwrap();
    let limits = Limits {
        slots: 4,
        slots_by_kind: BTreeMap::new(),
        max_attempts: 9,
        daemon_runs: true,
        disks: Disks::of(Vec::new()).into(),
    };
    for (failures, seconds) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300)] {
        killed_after(&world, patient.clone(), &[]).await;
        let daemon = Daemon::start(&world, EnginePolicy { slots: 0, ..patient.clone() }, Scripted::idle()).await;
        let run = world.run(id).await;
        assert_eq!((run.state, run.failures), (State::WaitingCoordinator, failures));
        assert_eq!(run.not_before_at, world.now() + TimeDelta::seconds(seconds));
        let why = services.why_waiting(&run, &limits).await.unwrap().unwrap();
        assert_eq!((why.code.as_str(), &why.params["failures"]), ("wait-retry", &json!(failures)));
        assert_eq!(why.params["reason"]["code"], json!("reason-worker-gone"));
        daemon.kill().await;
    }
    let lines = "log_detail WHERE code = 'worker-lost' AND json_int(params, 'at') > logged_at";
    assert_eq!(world.count(lines).await, 6, "each loss has its line");
    world.check().await;
}

#[tokio::test]
async fn a_run_that_comes_further_each_time_outlives_any_number_of_kills() {
    let world = World::new().await;
    let id = world.run_at_once(1, "long").await;
    for kill in 0..10 {
        killed_after(&world, policy(), &[format!("item {kill}")]).await;
        let daemon = Daemon::start(&world, EnginePolicy { slots: 0, ..policy() }, Scripted::idle()).await;
        let run = world.run(id).await;
        assert_eq!((run.state, run.failures), (State::WaitingCoordinator, 1), "kill {kill}");
        assert_eq!(run.not_before_at, world.now() + TimeDelta::seconds(10), "the waits begin anew as well");
        daemon.kill().await;
    }
    // What was committed before its last claim is no progress.
    for _ in 0..2 {
        killed_after(&world, policy(), &["item 3".to_owned()]).await;
    }
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.items_done, run.failures), (Some(Outcome::Failed), 10, 3));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn one_attempt_is_enough_for_a_run_that_comes_further() {
    let world = World::new().await;
    let once = EnginePolicy { max_attempts: 1, ..policy() };
    let id = world.run_at_once(1, "long").await;
    killed_after(&world, once.clone(), &["a".to_owned()]).await;
    let daemon = Daemon::start(&world, once, Scripted::idle()).await;
    world.advance(TimeDelta::seconds(10));
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt), (Some(Outcome::Succeeded), 2));
    daemon.shut_down().await;
}

#[tokio::test]
async fn failures_by_error_count_however_far_the_run_has_come() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "flaky").await;
    for attempt in 1..=3 {
        let call = calls.next().await;
        call.item(&format!("item {attempt}")).await.unwrap();
        call.end(Err(Failure::Transient(prepress::model::log::Message::new("reason-internal"))));
        world.until(id, "has failed", |run| run.failures == attempt).await;
        world.advance(TimeDelta::minutes(5));
    }
    assert_eq!(world.until_done(id).await.outcome, Some(Outcome::Failed));
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_loss_that_a_known_file_explains_counts_for_no_run() {
    let world = World::new().await;
    let id = world.run_at_once(1, "innocent").await;
    for _ in 0..6 {
        let (registry, mut calls) = stage();
        let daemon = Daemon::start_after(&world, policy(), registry, Wire::open().notify(), true).await;
        world.advance(TimeDelta::seconds(10));
        let _call = calls.next().await;
        daemon.kill().await;
    }
    let daemon = Daemon::start_after(&world, policy(), Scripted::idle(), Wire::open().notify(), true).await;
    let run = world.run(id).await;
    assert_eq!((run.state, run.failures), (State::WaitingCoordinator, 0));
    assert_eq!(run.not_before_at, world.now() + TimeDelta::seconds(10), "it waits all the same");
    world.advance(TimeDelta::seconds(10));
    let run = world.until_done(id).await;
    assert_eq!((run.outcome, run.attempt), (Some(Outcome::Succeeded), 7));
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_stop_survives_a_crash() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "stopped").await;
    let _call = calls.next().await;
    world.store().stop_run(id, prepress::model::id::AccountId(1), world.now()).await.unwrap();
    daemon.kill().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    assert_eq!(world.until_done(id).await.outcome, Some(Outcome::Stopped));
    daemon.shut_down().await;
}

/// Six items, each of which is noted outside the database once it is committed.
fn six_items(seen: Arc<Mutex<HashMap<(i64, usize), u32>>>) -> Scripted {
    Scripted::new(move |context: Context| {
        let seen = seen.clone();
        async move {
            context.plan(6).await?;
            let done = context.done_items().await?;
            for item in 0..6 {
                context.checkpoint()?;
                let key = format!("item {item}");
                if done.contains_key(&key) {
                    continue;
                }
                let report =
                    ItemReport { counters: Counters { success: 1, ..Counters::default() }, ..ItemReport::default() };
                let committed = context.commit(Item(key), Effect::Nothing, move |_| report).await?;
                if committed.is_some() {
                    *seen.lock().unwrap().entry((context.run.fence.instance.0, item)).or_default() += 1;
                }
            }
            Ok::<(), Failure>(())
        }
    })
}

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost_and_nothing_done_twice() {
    const JOBS: i64 = 60;
    let world = World::new().await;
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let retry = Backoff { base: TimeDelta::seconds(1), max: TimeDelta::seconds(10) };
    let patient = EnginePolicy { max_attempts: 100, retry, ..policy() };
    world.submit(1, "scheduled", Plan::Cron("0 * * * * ?")).await;
    for _ in 0..JOBS {
        world.run_at_once(1, "work").await;
    }
    // Killed after more and more commits: each kill falls on another moment.
    let mut kills = 0;
    loop {
        let before = world.count("item").await;
        let daemon = Daemon::start(&world, patient.clone(), six_items(seen.clone())).await;
        world.advance(TimeDelta::seconds(20));
        let enough = before + 3 + kills * 5 % 17;
        eventually("work is done", || async {
            let (items, open) = (world.count("item").await, world.count("instance WHERE state <> 'Done'").await);
            (items >= enough || open == 0).then_some(())
        })
        .await;
        daemon.kill().await;
        world.check().await;
        kills += 1;
        if world.count("instance WHERE state <> 'Done'").await == 0 {
            break;
        }
    }
    assert!(kills > 10, "killed {kills} times only");
    let done = world.count("instance WHERE outcome = 'Succeeded' AND items_done = 6 AND success_count = 6").await;
    assert_eq!(done, world.count("instance").await);
    assert!(done > JOBS, "the schedule fired as well");
    assert_eq!(world.count("item").await, done * 6);
    assert!(seen.lock().unwrap().values().all(|times| *times == 1), "no item was committed twice");
    let ends = world.count("log_detail WHERE log_type = 'EndUpload'").await;
    assert_eq!(ends, done, "each has one end in its log");
    assert_eq!(world.count("log_detail WHERE log_type = 'BeginUpload'").await, done, "and one beginning");
}

#[tokio::test]
async fn a_shutdown_lets_attempts_come_to_their_checkpoint_and_puts_them_back() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let finishing = world.run_at_once(1, "finishing").await;
    let leaving = world.run_at_once(1, "leaving").await;
    let failing = world.run_at_once(1, "failing").await;
    let deaf = world.run_at_once(1, "deaf").await;
    let mut begun = Vec::new();
    for _ in 0..4 {
        begun.push(calls.next().await);
    }
    // They begin side by side, in whatever order.
    begun.sort_by_key(|call| call.context.run.fence.instance);
    let [first, second, third, fourth] = <[Call; 4]>::try_from(begun).unwrap_or_else(|_| panic!("four have begun"));
    let queued = world.run_at_once(1, "queued").await;
    let attempts = async {
        for call in [&first, &second, &third, &fourth] {
            call.told_to_leave().await;
        }
        first.item("a").await.unwrap();
        first.succeed();
        second.item("a").await.unwrap();
        let left = second.context.checkpoint();
        second.end(left);
        // What it used was taken from it.
        let broken = prepress::model::log::Message::new("reason-connection").with("detail", "reset");
        third.end(Err(Failure::Transient(broken)));
        // And this one hears nothing.
        world.until(leaving, "is back", |run| run.state == State::WaitingCoordinator).await;
        eventually("it is cut off", || async {
            world.advance(TimeDelta::seconds(1));
            (world.run(deaf).await.state == State::WaitingCoordinator).then_some(())
        })
        .await;
        drop(fourth);
    };
    let begun = world.now();
    tokio::join!(daemon.shut_down(), attempts);
    assert!(world.now() - begun >= TimeDelta::seconds(20), "it had its grace period");
    assert_eq!(world.run(finishing).await.outcome, Some(Outcome::Succeeded));
    for id in [leaving, failing, deaf, queued] {
        let run = world.run(id).await;
        assert_eq!(
            (run.state, run.failures),
            (State::WaitingCoordinator, 0),
            "{}: a shutdown is no failure",
            run.job_name
        );
    }
    world.check().await;

    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for id in [leaving, failing, deaf, queued] {
        assert_eq!(world.until_done(id).await.outcome, Some(Outcome::Succeeded));
    }
    let lines = "log_detail WHERE code = 'shutdown-requeued'";
    assert_eq!(world.count(lines).await, 3, "those that had begun say so");
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_for_what_was_told_to_stop_before() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let lenient = EnginePolicy { stop_grace: TimeDelta::hours(1), ..policy() };
    let daemon = Daemon::start(&world, lenient, registry).await;
    let id = world.run_at_once(1, "deaf").await;
    let call = calls.next().await;
    world.store().stop_run(id, prepress::model::id::AccountId(1), world.now()).await.unwrap();
    call.told_to_leave().await;
    let begun = world.now();
    let cut = eventually("it is cut off", || async {
        world.advance(TimeDelta::seconds(1));
        world.run(id).await.outcome
    });
    let ((), outcome) = tokio::join!(daemon.shut_down(), cut);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(world.now() - begun < TimeDelta::minutes(30), "took {}", world.now() - begun);
}

#[tokio::test]
async fn shutdowns_that_race_with_claims_lose_nothing() {
    let world = World::new().await;
    let all = (0..300).map(|_| world.submit(1, "work", Plan::AtOnce));
    futures_util::future::join_all(all).await;
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let mut shutdowns = 0;
    while world.count("instance WHERE state <> 'Done'").await > 0 {
        let before = world.count("item").await;
        let daemon = Daemon::start(&world, policy(), six_items(seen.clone())).await;
        world.until_count(0, &format!("(SELECT 1 WHERE (SELECT count(*) FROM item) <= {before} AND EXISTS (SELECT 1 FROM instance WHERE state <> 'Done'))")).await;
        daemon.shut_down().await;
        let held = world.count("instance WHERE state IN ('Running', 'Stopping')").await;
        assert_eq!(held, 0, "whoever leaves in order leaves no lease behind");
        shutdowns += 1;
    }
    assert!(shutdowns > 1, "it was never shut down at work");
    assert_eq!(world.count("instance WHERE outcome = 'Succeeded' AND failures = 0").await, 300);
    assert_eq!(world.count("item").await, 1800);
    world.check().await;
}

#[tokio::test]
async fn an_upload_in_the_queue_survives() {
    let world = World::new().await;
    let spec = upload(&json!({}));
    let submitted = world.try_submit(1, "patient", spec, Plan::AtOnce).await.unwrap();
    for _ in 0..3 {
        Daemon::start(&world, EnginePolicy { slots: 0, ..policy() }, Scripted::idle()).await.kill().await;
    }
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_done(submitted.run.unwrap().id).await;
    daemon.shut_down().await;
}
