//! Which run is next, and how many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use prepress::engine::EnginePolicy;
use prepress::executors::Failure;
use prepress::model::id::{AccountId, CompanyId, InstanceId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::log::Message;
use prepress::service::jobs::{Disks, Limits};
use prepress::service::{Services, Settings};
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::Release;
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::finish::Ending;
use serde_json::json;

use crate::support::{Calls, Daemon, Plan, Scripted, World, policy, publish, stage, upload};

fn urls() -> JobSpec {
    let element = json!({"urlArray": [{"sourceUrl": "http://example.com/a.jpg", "destPath": "a.jpg"}]});
    JobSpec::parse(JobKind::UploadUrls, &element).unwrap()
}

/// How many are inside at the same time.
#[derive(Default)]
struct Gate {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Gate {
    fn enter(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn slots_are_never_exceeded() {
    let world = World::new().await;
    for index in 0..150 {
        let spec = if index % 3 == 0 { urls() } else { upload(&json!({})) };
        world.try_submit(1 + index % 2, "job", spec, Plan::AtOnce).await.unwrap();
    }
    let all = Arc::new(Gate::default());
    let by_kind = Arc::new(Gate::default());
    let registry = {
        let (all, by_kind) = (all.clone(), by_kind.clone());
        Scripted::new(move |context| {
            let (all, by_kind) = (all.clone(), by_kind.clone());
            async move {
                let bounded = context.run.spec.kind() == JobKind::UploadUrls;
                all.enter();
                if bounded {
                    by_kind.enter();
                }
                for item in 0..3 {
                    context.plan(3 + item).await?;
                }
                if bounded {
                    by_kind.leave();
                }
                all.leave();
                Ok(())
            }
        })
    };
    let bounds = EnginePolicy { slots: 5, slots_by_kind: BTreeMap::from([(JobKind::UploadUrls, 2)]), ..policy() };
    let daemon = Daemon::start(&world, bounds, registry).await;
    world.until_count(150, "instance WHERE state = 'Done'").await;
    assert_eq!(all.most.load(Ordering::SeqCst), 5, "all slots are used, and no more");
    assert_eq!(by_kind.most.load(Ordering::SeqCst), 2);
    daemon.shut_down().await;
    world.check().await;
}

/// The names of the next attempts, each of which succeeds at once.
async fn next_names(calls: &mut Calls, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        let call = calls.next().await;
        names.push(call.name().to_owned());
        call.succeed();
    }
    names
}

#[tokio::test]
async fn a_full_queue_of_one_company_keeps_no_other_waiting() {
    let world = World::new().await;
    let all = (0..10_000).map(|_| world.submit(1, "many", Plan::AtOnce));
    futures_util::future::join_all(all).await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, EnginePolicy { slots: 1, ..policy() }, registry).await;
    let busy = calls.next().await;
    world.submit(2, "single", Plan::AtOnce).await;
    busy.succeed();
    assert_eq!(next_names(&mut calls, 2).await, ["single", "many"], "the single job of company 2 is next");
    daemon.kill().await;
}

#[tokio::test]
async fn companies_take_turns_and_within_one_the_first_comes_first() {
    let world = World::new().await;
    for (company, prefix) in [(1, "a"), (2, "b"), (3, "c")] {
        for number in 0..4 {
            world.submit(company, &format!("{prefix}{number}"), Plan::AtOnce).await;
        }
    }
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, EnginePolicy { slots: 1, ..policy() }, registry).await;
    let names = next_names(&mut calls, 12).await;
    assert_eq!(names.join(" "), "a0 b0 c0 a1 b1 c1 a2 b2 c2 a3 b3 c3");
    daemon.shut_down().await;
}

#[tokio::test]
async fn turns_are_kept_when_slots_are_many() {
    let world = World::new().await;
    for company in 1..=3 {
        for number in 0..9 {
            world.submit(company, &format!("{company}-{number}"), Plan::AtOnce).await;
        }
    }
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, EnginePolicy { slots: 9, ..policy() }, registry).await;
    let mut begun: Vec<_> = Vec::new();
    for _ in 0..9 {
        begun.push(calls.next().await);
    }
    for company in 1..=3 {
        assert_eq!(begun.iter().filter(|call| call.context.run.company.0 == company).count(), 3);
    }
    daemon.kill().await;
}

#[tokio::test]
async fn a_full_kind_does_not_leave_slots_empty() {
    let world = World::new().await;
    for _ in 0..20 {
        world.try_submit(1, "bounded", urls(), Plan::AtOnce).await.unwrap();
    }
    for _ in 0..3 {
        world.submit(1, "free", Plan::AtOnce).await;
    }
    let (registry, mut calls) = stage();
    let bounds = EnginePolicy { slots: 4, slots_by_kind: BTreeMap::from([(JobKind::UploadUrls, 1)]), ..policy() };
    let daemon = Daemon::start(&world, bounds, registry).await;
    let mut names = Vec::new();
    let mut begun = Vec::new();
    for _ in 0..4 {
        let call = calls.next().await;
        names.push(call.name().to_owned());
        begun.push(call);
    }
    names.sort();
    assert_eq!(names, ["bounded", "free", "free", "free"]);
    daemon.kill().await;
}

#[tokio::test]
async fn runs_with_the_same_key_take_turns_and_do_not_leave_slots_empty() {
    let world = World::new().await;
    for number in 0..10 {
        world.try_submit(1, &format!("publish{number}"), publish(), Plan::AtOnce).await.unwrap();
    }
    world.submit(1, "upload", Plan::AtOnce).await;
    world.try_submit(2, "publish of another company", publish(), Plan::AtOnce).await.unwrap();
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let mut begun = vec![calls.next().await, calls.next().await, calls.next().await];
    begun.sort_by_key(|call| call.name().to_owned());
    let names: Vec<&str> = begun.iter().map(|call| call.name()).collect();
    assert_eq!(names, ["publish of another company", "publish0", "upload"]);
    for number in 1..10 {
        begun.remove(1).succeed();
        begun.insert(1, calls.next().await);
        assert_eq!(begun[1].name(), format!("publish{number}"));
        assert!(calls.begun().is_none());
    }
    daemon.kill().await;
}

/// Why a run waits, in the order in which one thing hides another.
#[tokio::test]
async fn whoever_asks_is_told_what_a_run_waits_for() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let slots = BTreeMap::from([(JobKind::UploadDirectory, 1)]);
    let daemon =
        Daemon::start(&world, EnginePolicy { slots: 3, slots_by_kind: slots.clone(), ..policy() }, registry).await;
    let services = Services::new(world.store(), world.clock.clone(), Settings::default()).unwrap();
    let mut limits = Limits {
        slots: 3,
        slots_by_kind: slots,
        max_attempts: 3,
        daemon_runs: true,
        disks: Disks::of(Vec::new()).into(),
    };
    let optimize = || JobSpec::parse(JobKind::OptimizeImages, &json!({})).unwrap();
    let submit = async |company, name: &str, spec| {
        world.try_submit(company, name, spec, Plan::AtOnce).await.unwrap().run.unwrap().id
    };
    let why = async |id, limits: &Limits| {
        let why = services.why_waiting(&world.run(id).await, limits).await.unwrap();
        why.map(|why| (why.code, serde_json::Value::Object(why.params)))
    };
    let mut running = Vec::new();
    let begun = submit(1, "first", upload(&json!({}))).await;
    running.push(calls.next().await);
    assert_eq!(why(begun, &limits).await, None, "it runs");
    let second = submit(1, "second", upload(&json!({}))).await;
    let (code, params) = why(second, &limits).await.unwrap();
    assert_eq!((code.as_str(), &params["running"], &params["slots"]), ("wait-kind-limit", &json!(1), &json!(1)));

    submit(1, "publish", publish()).await;
    running.push(calls.next().await);
    let again = submit(1, "publish again", publish()).await;
    let (code, params) = why(again, &limits).await.unwrap();
    assert_eq!(code, "wait-publish-context");
    assert!(params["run"].as_str().unwrap().starts_with("publish_"), "{params}");

    submit(1, "optimize", optimize()).await;
    running.push(calls.next().await);
    let fourth = submit(2, "optimize", optimize()).await;
    let (code, params) = why(fourth, &limits).await.unwrap();
    assert_eq!((code.as_str(), &params["running"], &params["slots"]), ("wait-slot", &json!(3), &json!(3)));
    // As it looks in the moment before the dispatcher does.
    limits.slots = 9;
    let fifth = submit(1, "optimize too", optimize()).await;
    let turn = |ahead: i64| Some(("wait-turn".to_owned(), json!({"ahead": ahead})));
    assert_eq!(why(fourth, &limits).await, turn(0), "the first of its company");
    assert_eq!(why(fifth, &limits).await, turn(2), "behind the upload and the publish");
    limits.daemon_runs = false;
    assert_eq!(why(fifth, &limits).await.unwrap().0, "wait-daemon");
    daemon.kill().await;
}

#[tokio::test]
async fn a_retry_waits_for_its_time_and_then_wakes_the_dispatcher() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let daemon = Daemon::start(&world, policy(), registry).await;
    let id = world.run_at_once(1, "flaky").await;
    let reason = || Failure::Transient(Message::new("reason-connection").with("detail", "reset"));
    calls.next().await.end(Err(reason()));
    let run = world.until(id, "waits", |run| run.failures == 1).await;
    assert_eq!(run.not_before_at, world.now() + TimeDelta::seconds(10));
    // Others do not wait for it.
    world.run_at_once(1, "other").await;
    let other = calls.next().await;
    assert_eq!(other.name(), "other");
    other.succeed();
    world.advance(TimeDelta::milliseconds(9_999));
    world.run_at_once(1, "another").await;
    assert_eq!(calls.next().await.name(), "another");
    world.advance(TimeDelta::milliseconds(1));
    let second = calls.next().await;
    assert_eq!((second.name(), second.context.run.fence.attempt), ("flaky", 2));
    second.end(Err(reason()));
    let run = world.until(id, "waits again", |run| run.failures == 2).await;
    assert_eq!(run.not_before_at, world.now() + TimeDelta::seconds(20), "twice as long");
    daemon.kill().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_fails_alone() {
    let world = World::new().await;
    let bad = world.run_at_once(1, "from the future").await;
    let good = world.run_at_once(1, "sound").await;
    world.sql(&format!("UPDATE job SET spec = '{{}}' WHERE id = (SELECT job_id FROM instance WHERE id = {bad})")).await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_done(good).await;
    let failed = format!("instance WHERE id = {bad} AND state = 'Done' AND outcome = 'Failed' AND fatal_error <> ''");
    world.until_count(1, &failed).await;
    world.until_count(1, &format!("log_detail WHERE instance_id = {bad} AND log_type = 'FatalError'")).await;
    daemon.shut_down().await;
    world.check().await;
}

/// Claims what it can, as many as there are.
async fn claim(world: &World) -> Vec<Fence> {
    let lease = Lease { owner: "a test".to_owned(), expires_at: world.now() + TimeDelta::seconds(60) };
    let free = FreeSlots { total: 10, ..FreeSlots::default() };
    let now = world.now();
    let claims = world.store().claim(free, CompanyId::SYSTEM, move || (lease, now)).await.unwrap();
    claims.runs.into_iter().map(|run| run.fence).collect()
}

/// However many publishes wait for each other, a claim looks at one of them.
#[tokio::test]
async fn what_is_blocked_is_not_looked_at() {
    let world = World::new().await;
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(
            world.try_submit(1, &format!("publish {number}"), publish(), Plan::AtOnce).await.unwrap().run.unwrap().id,
        );
    }
    const READY: &str = "instance INDEXED BY instance_ready WHERE state = 'WaitingCoordinator' AND blocked = 0";
    assert_eq!(world.count(READY).await, 1);
    for run in runs {
        let claimed = claim(&world).await;
        assert_eq!(claimed.iter().map(|fence| fence.instance).collect::<Vec<_>>(), [run], "in their order");
        assert_eq!(world.count(READY).await, 0);
        world.store().finish_attempt(claimed[0], Ending::succeeded(), world.now()).await.unwrap();
    }
    world.check().await;
}

/// Runs of two keys are submitted, claimed, ended, given back and stopped in any order: whenever a key is free and a run of it is
/// ready, the next claim gets one.
#[tokio::test]
async fn no_run_waits_for_a_key_that_is_free() {
    let world = World::new().await;
    let mut random = 42_u64;
    let mut dice = |sides: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % sides
    };
    let mut held: Vec<Fence> = Vec::new();
    for step in 0..400 {
        match dice(8) {
            0..3 => {
                let company = 1 + i64::try_from(dice(2)).unwrap();
                world.try_submit(company, &format!("publish {step}"), publish(), Plan::AtOnce).await.unwrap();
            }
            3 if !held.is_empty() => {
                let fence = held.remove(0);
                world.store().finish_attempt(fence, Ending::succeeded(), world.now()).await.unwrap();
            }
            4 if !held.is_empty() => {
                let not_before = world.now() + TimeDelta::seconds(i64::try_from(dice(30)).unwrap());
                let release = Release::Retry { reason: Message::new("reason-internal"), not_before };
                world.store().release_attempt(held.remove(0), release, world.now()).await.unwrap();
            }
            5 => {
                let waiting =
                    world.table("SELECT id FROM instance WHERE state = 'WaitingCoordinator' ORDER BY id").await;
                if !waiting.is_empty() {
                    let which = usize::try_from(dice(waiting.len() as u64)).unwrap();
                    let run = InstanceId(waiting[which].parse().unwrap());
                    world.store().stop_run(run, AccountId(1), world.now()).await.unwrap();
                }
            }
            6 => world.advance(TimeDelta::seconds(7)),
            _ => {}
        }
        held.extend(claim(&world).await);
        let left = world
            .count(&format!(
                "instance w WHERE w.state = 'WaitingCoordinator' AND w.not_before_at <= {} AND NOT EXISTS (
                     SELECT 1 FROM instance r WHERE r.exclusive_key = w.exclusive_key AND r.state IN ('Running', 'Stopping'))",
                world.now().timestamp_millis()
            ))
            .await;
        assert_eq!(left, 0, "after step {step} a run waits for nothing");
        assert!(held.len() <= 2, "a key is had by one");
    }
    world.check().await;
}

/// What was queued, or given back, while the clock was ahead does not wait until it gets there.
#[tokio::test]
async fn a_run_that_was_queued_while_the_clock_was_ahead_is_carried_out() {
    let world = World::new().await;
    let now = world.now();
    world.clock.set(now + TimeDelta::days(3));
    for name in ["queued", "given back"] {
        world.submit(1, name, Plan::AtOnce).await;
    }
    let claimed = claim(&world).await;
    for fence in &claimed {
        let at = world.now();
        let release = Release::DiskFull { not_before: at };
        world.store().release_attempt(*fence, release, at).await.unwrap();
    }
    world.submit(1, "never begun", Plan::AtOnce).await;
    world.clock.set(now);
    assert_eq!(claim(&world).await.len(), 3);
}
