//! What is old is forgotten, but not how far the numbers had come.

use chrono::TimeDelta;
use prepress::model::id::{AccountId, CompanyId};
use prepress::model::property_set::{Properties, PropertyType};
use prepress::store::Store;
use prepress::store::accounts::NewAccount;
use prepress::store::companies::NewCompany;
use prepress::store::jobs::retention::{Forgotten, Horizon};
use prepress::store::property_sets::{NewPropertySetType, Owner};
use serde_json::json;

use crate::support::{Attempt, Daemon, Plan, Scripted, World, picture, policy, upload};

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

/// Tables whose numbers stand in no handle.
const WITHOUT_HANDLES: [&str; 3] = ["log_detail", "metadata_field", "stop_order"];

/// A row in each table whose numbers stand in handles.
async fn one_of_each(world: &World, store: &Store, name: &str) {
    let at = world.now();
    let company = NewCompany { id: None, name: name.to_owned(), root_path: name.to_owned(), expires_at: None, at };
    let company = store.add_company(company).await.unwrap().id;
    let account = NewAccount {
        email: format!("{name}@example.com"),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
        is_ips_admin: false,
        locale: None,
        password_expires_at: None,
        membership: None,
        at,
    };
    store.add_account(account).await.unwrap();
    let mut attempt = Attempt::begin(store, CompanyId(1), AccountId(1), at).await;
    attempt.add(picture(CompanyId(1), name, name, at)).await;
    attempt.end(at).await;
    store.save_image_format(CompanyId(1), None, name.to_owned(), "wid=400".to_owned()).await.unwrap();
    let set_type = NewPropertySetType {
        company: Some(company),
        name: name.to_owned(),
        property_type: PropertyType::CompanyProperty,
        allow_multiple: true,
        at,
    };
    let set_type = store.add_property_set_type(set_type).await.unwrap();
    let owner = Owner { company: Some(company), account: None };
    store.add_property_set(set_type, owner, Properties::new(Vec::new()).unwrap(), at).await.unwrap();
    // A job, its run and the mail about it.
    let daemon = Daemon::start(world, policy(), Scripted::idle()).await;
    let spec = upload(&json!({"emailSetting": "JobCompletion"}));
    let run = world.try_submit(1, name, spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
    world.until_done(run).await;
    world.until_count(0, "outbox WHERE state = 'Pending'").await;
    daemon.shut_down().await;
}

/// A handle that somebody keeps must never come to name something else, whichever row goes, and whoever was asleep.
#[tokio::test]
async fn no_number_of_a_handle_is_given_twice() {
    let world = World::new().await;
    let store = world.store();
    one_of_each(&world, &store, "first").await;
    one_of_each(&world, &store, "second").await;
    let tables = world.raw.numbered_tables().await;
    let tables: Vec<&str> = tables.iter().map(String::as_str).filter(|it| !WITHOUT_HANDLES.contains(it)).collect();
    assert_eq!(
        tables,
        [
            "account",
            "asset",
            "company",
            "folder",
            "image_format",
            "instance",
            "job",
            "outbox",
            "property_set",
            "property_set_type",
            "publish_context"
        ],
        "a new table with numbers is made in one_of_each, or stands in no handle"
    );
    let highest = async || {
        let mut highest = Vec::new();
        for table in &tables {
            highest.push(world.table(&format!("SELECT max(id) FROM {table}")).await[0].parse::<i64>().unwrap());
        }
        highest
    };
    let given = highest().await;
    world.advance(TimeDelta::days(1000));
    let horizon = Horizon { logs: world.now(), instances: world.now(), outbox: world.now() };
    while !store.forget(horizon).await.unwrap().is_nothing() {}
    for table in [
        "property_set",
        "property_set_type",
        "image_format",
        "asset",
        "folder",
        "account",
        "publish_context",
        "company",
    ] {
        world.sql(&format!("DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})")).await;
    }
    assert!(highest().await[4] < given[4], "the newest image format is gone");
    let store = world.open_again().await;
    one_of_each(&world, &store, "third").await;
    let again: Vec<_> =
        tables.iter().zip(given.iter().zip(highest().await)).filter(|(_, (old, new))| *old >= new).collect();
    assert!(again.is_empty(), "given twice: {again:?}");
    store.close().await;
}
