//! The writer: what shares a transaction must not share a fate.

use std::sync::Arc;

use chrono::TimeDelta;
use prepress::model::id::{AccountId, CompanyId, InstanceId};
use prepress::model::outcome::Counters;
use prepress::store::effect::Effect;
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::{AttemptError, ItemReport};
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::submit::SubmitError;
use prepress::store::{Store, StoreError};
use serde_json::json;

use crate::support::{Daemon, Plan, Scripted, World, options, policy, upload};

/// Claims everything that waits.
async fn claim_all(world: &World, store: &Store) -> Vec<Fence> {
    let lease = Lease { owner: "a test".to_owned(), expires_at: world.now() + TimeDelta::seconds(60) };
    let free = FreeSlots { total: 1000, ..FreeSlots::default() };
    let now = world.now();
    let claims = store.claim(free, CompanyId::SYSTEM, move || (lease, now)).await.unwrap();
    claims.runs.into_iter().map(|run| run.fence).collect()
}

fn one_file() -> ItemReport {
    ItemReport { counters: Counters { success: 1, ..Counters::default() }, ..ItemReport::default() }
}

#[tokio::test]
async fn a_bad_submission_is_refused_alone() {
    let world = World::new().await;
    let store = world.store();
    let submissions = (0..40).map(|index| {
        let mut job = world.new_job(1, "job", upload(&json!({})), Plan::AtOnce);
        if index % 10 == 3 {
            // Deleted between the check and the write.
            job.responsible = AccountId(999);
        }
        let store = store.clone();
        async move { store.submit(job).await }
    });
    let results = futures_util::future::join_all(submissions).await;
    for (index, result) in results.iter().enumerate() {
        match result {
            Ok(_) => assert_ne!(index % 10, 3),
            Err(SubmitError::Store(StoreError::Constraint { .. })) => assert_eq!(index % 10, 3),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(world.count("instance").await, 36);
    world.check().await;
}

#[tokio::test]
async fn a_request_that_fails_or_panics_takes_no_neighbour_with_it() {
    let world = World::new().await;
    for _ in 0..30 {
        world.run_at_once(1, "job").await;
    }
    let store = world.store();
    let fences = claim_all(&world, &store).await;
    assert_eq!(fences.len(), 30);
    let now = world.now();
    let commits = fences.iter().enumerate().map(|(index, fence)| {
        let store = store.clone();
        let stale = Fence { attempt: fence.attempt + i64::from(index % 3 == 1), ..*fence };
        tokio::spawn(async move {
            let report = move |_: &_| if index % 3 == 2 { panic!("a report that panics") } else { one_file() };
            store.commit_item(stale, "a".to_owned(), Effect::Nothing, report, now).await
        })
    });
    for (index, commit) in futures_util::future::join_all(commits).await.into_iter().enumerate() {
        match index % 3 {
            0 => assert!(commit.unwrap().unwrap().is_some()),
            1 => assert!(matches!(commit.unwrap(), Err(AttemptError::LeaseLost))),
            _ => assert!(commit.unwrap_err().is_panic(), "it goes on in the caller, not in the writer"),
        }
    }
    assert_eq!(world.count("item").await, 10);
    assert_eq!(world.count("instance WHERE success_count = 1 AND items_done = 1").await, 10);
    world.run_at_once(1, "the writer lives").await;
    world.check().await;
}

#[tokio::test]
async fn bells_ring_though_the_caller_is_gone() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let store = world.store();
    let mut submit = Box::pin(store.submit(world.new_job(1, "hung up", upload(&json!({})), Plan::AtOnce)));
    // The request is on its way to the writer; then the client hangs up.
    assert!(futures_util::poll!(submit.as_mut()).is_pending());
    drop(submit);
    world.until_count(1, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn two_processes_write_side_by_side() {
    let world = World::new().await;
    let stores = [world.open_again().await, world.open_again().await, world.open_again().await];
    let world = Arc::new(world);
    let tasks = (0..300).map(|index| {
        let (world, store) = (world.clone(), stores[index % 3].clone());
        tokio::spawn(async move {
            let job = world.new_job(1, "shared name", upload(&json!({})), Plan::AtOnce);
            store.submit(job).await.unwrap().run.unwrap()
        })
    });
    let runs: Vec<_> = futures_util::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let ids: std::collections::BTreeSet<InstanceId> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids.len(), 300);
    for run in &runs {
        assert_eq!(world.run(run.id).await.run_name, run.name, "the answer is what was written");
    }
    // Each run is claimed by one of them.
    let claims = stores.iter().map(|store| claim_all(&world, store));
    let claimed: Vec<Fence> = futures_util::future::join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 300);
    assert!(claimed.iter().all(|fence| fence.attempt == 1));
    world.check().await;
}

#[tokio::test]
async fn processes_that_open_a_new_database_together_all_come_in() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let open = (0..8).map(|_| {
            let options = options(dir.path(), chrono_tz::UTC);
            tokio::spawn(async move { Store::open(options).await })
        });
        for opened in futures_util::future::join_all(open).await {
            opened.unwrap().unwrap();
        }
    }
}
