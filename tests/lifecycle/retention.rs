//! What is old is forgotten, but not how far the numbers had come.

use chrono::TimeDelta;
use prepress::store::jobs::retention::Horizon;
use serde_json::json;

use crate::support::{Daemon, Plan, Scripted, World, policy, upload};

#[tokio::test]
async fn numbers_are_not_given_twice_though_their_first_owners_are_forgotten() {
    let world = World::new().await;
    let mail = json!({"emailSetting": "JobCompletion"});
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let mut last = None;
    for _ in 0..5 {
        let submitted = world.try_submit(1, "old", upload(&mail), Plan::AtOnce).await.unwrap();
        world.until_done(submitted.run.as_ref().unwrap().id).await;
        last = Some(submitted);
    }
    world.until_count(5, "outbox WHERE state = 'Delivered'").await;
    daemon.shut_down().await;
    world.advance(TimeDelta::days(1000));
    let horizon = Horizon { logs: world.now(), instances: world.now(), outbox: world.now() };
    while !world.store().forget(horizon).await.unwrap().is_nothing() {}
    assert_eq!(world.count("instance").await, 1);
    assert_eq!(world.count("job").await, 1);
    assert_eq!(world.count("outbox").await, 1);

    let last = last.unwrap();
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let new = world.try_submit(1, "new", upload(&mail), Plan::AtOnce).await.unwrap();
    assert!(new.job > last.job && new.run.as_ref().unwrap().id > last.run.unwrap().id);
    world.until_done(new.run.unwrap().id).await;
    world.until_count(1, "outbox WHERE id = 6").await;
    daemon.shut_down().await;
    world.check().await;
}
