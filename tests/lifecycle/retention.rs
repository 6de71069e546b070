//! What is old is forgotten, but not how far the numbers had come.

use chrono::TimeDelta;
use prepress::store::jobs::retention::{Forgotten, Horizon};
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

/// A run of many files is removed in transactions of a bounded size, and as a whole in the end.
#[tokio::test]
async fn a_large_run_is_forgotten_piece_by_piece() {
    const FILES: u64 = 1200;
    const MOST: u64 = 500;
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for name in ["large", "newer"] {
        let run = world.run_at_once(1, name).await;
        world.until_done(run).await;
    }
    daemon.shut_down().await;
    let numbers = format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {FILES})");
    for sql in [
        "INSERT INTO item(instance_id, key, done_at) {numbers} SELECT 1, 'item ' || n, 0 FROM n",
        "INSERT INTO log_detail(instance_id, logged_at, log_type, code) {numbers} SELECT 1, 0, 'JobInfo', 'x' FROM n",
        "INSERT INTO posted_file(instance_id, number, path, blob, bytes, posted_at) {numbers} SELECT 1, n, '', '', 0, 0 FROM n",
        "UPDATE instance SET items_done = {FILES}, items_total = {FILES} WHERE id = 1",
    ] {
        world.sql(&sql.replace("{numbers}", &numbers).replace("{FILES}", &FILES.to_string())).await;
    }
    world.advance(TimeDelta::days(1000));
    // Logs would be kept longer than the run; but they cannot outlive it.
    let horizon = Horizon { logs: world.now() - TimeDelta::days(2000), instances: world.now(), outbox: world.now() };
    let mut all = Forgotten::default();
    loop {
        let some = world.store().forget(horizon).await.unwrap();
        let Forgotten { lines, checkpoints, posted_files, runs, messages, slots, jobs } = some;
        assert!(
            [lines, checkpoints, posted_files, runs, messages, slots, jobs].iter().all(|rows| *rows <= MOST),
            "{some:?}"
        );
        if some.is_nothing() {
            break;
        }
        all += some;
        assert_eq!(all.runs == 0, all.checkpoints < FILES || all.posted_files < FILES, "last of all the run: {all:?}");
    }
    assert_eq!((all.checkpoints, all.posted_files, all.runs), (FILES, FILES, 1));
    assert_eq!(world.count("instance").await, 1, "the newest stays");
    world.check().await;
}

/// Numbers in handles: of assets, users, companies and publish contexts (and of folders, which clients know by their paths).
#[tokio::test]
async fn the_number_of_a_row_that_is_gone_is_not_given_again() {
    let world = World::new().await;
    world.sql("INSERT INTO folder(company_id, path, created_at, modified_at) VALUES (1, '', 0, 0)").await;
    let rows = [
        (
            "asset",
            "company_id, folder_id, name, asset_type, file_name, blob, bytes, created_at, created_by, modified_at, modified_by, change_seq",
            "1, (SELECT min(id) FROM folder), 'N', 'Image', 'N.jpg', '', 0, 0, 1, 0, 1, 0",
        ),
        ("folder", "company_id, path, created_at, modified_at", "1, 'N', 0, 0"),
        ("account", "email, password_hash, created_at, password_changed_at", "'N@example.com', '', 0, 0"),
        ("company", "name, root_path, created_at", "'N', 'N', 0"),
        ("publish_context", "company_id, kind, name", "1, 'N', 'N'"),
    ];
    for (table, columns, values) in rows {
        let first: i64 = world.table(&format!("SELECT coalesce(max(id), 0) FROM {table}")).await[0].parse().unwrap();
        let mut greatest = first;
        for round in 1..=3 {
            for name in ["first", "second"] {
                let values = values.replace('N', &format!("{name} {round}"));
                world.sql(&format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await;
                let newest: i64 = world.table(&format!("SELECT max(id) FROM {table}")).await[0].parse().unwrap();
                assert!(newest > greatest, "{table}: {newest} after {greatest}");
                greatest = newest;
            }
            world.sql(&format!("DELETE FROM {table} WHERE id > {first}")).await;
            assert_eq!(world.count(&format!("{table} WHERE id > {first}")).await, 1, "{table}: all but the newest go");
        }
    }
}
