use std::fs;

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::world::{Done, World, directory, jpeg, png, read};

const ROLES: &str =
    "SELECT name, role FROM derived d JOIN asset a ON a.id = d.asset_id AND a.blob = d.source_blob ORDER BY 1, 2";

async fn uploaded() -> World {
    let world = World::new().await;
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        world.put(&format!("in/{name}.jpg"), &jpeg(24, seed));
    }
    world.put("in/d.png", &png(300, 4));
    world.put("in/note.txt", b"text");
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    world
}

async fn optimize(world: &World) -> Done {
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_stale_is_made_again() {
    let world = uploaded().await;
    let all = world.query(ROLES).await;
    let done = optimize(&world).await;
    assert_eq!(done.text(), "JobInfo: 4 assets were up to date already.");
    world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'a')").await;
    world
        .execute("DELETE FROM derived WHERE role = 'Thumbnail' AND asset_id = (SELECT id FROM asset WHERE name = 'b')")
        .await;
    world
        .execute("UPDATE derived SET source_blob = 'old' WHERE asset_id = (SELECT id FROM asset WHERE name = 'c')")
        .await;
    world.execute("UPDATE derived SET recipe = 'old' WHERE asset_id = (SELECT id FROM asset WHERE name = 'd')").await;
    let done = optimize(&world).await;
    let text = done.text();
    assert_eq!(done.counters.success, 4, "{text}");
    assert!(text.contains("JobInfo: 0 assets were up to date already."), "{text}");
    assert!(text.contains("ReoptimizeSuccess: d was optimized: 300 × 300 pixels, "), "{text}");
    assert_eq!(world.query(ROLES).await, all);
    assert_eq!(optimize(&world).await.text(), "JobInfo: 4 assets were up to date already.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_make_everything_stale() {
    let mut world = uploaded().await;
    world.settings.media.jpeg_quality = 70;
    assert_eq!(optimize(&world).await.counters.success, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_cannot_be_made_is_one_line() {
    let world = uploaded().await;
    world.execute("DELETE FROM derived").await;
    let master = world.query("SELECT blob FROM asset WHERE name = 'a'").await;
    let path = world.blobs.path(master[0][0].as_str().unwrap()).unwrap();
    let bytes = read(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes[..200]).unwrap();
    let done = optimize(&world).await;
    assert_eq!((done.counters.success, done.counters.error), (3, 1), "{}", done.text());
    let failures = done.of_type("ReoptimizeFailure");
    assert_eq!(failures[0].asset.as_deref(), Some("a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_master_is_a_line_and_not_the_end() {
    let world = uploaded().await;
    world.execute("DELETE FROM derived").await;
    let master = world.query("SELECT blob FROM asset WHERE name = 'a'").await;
    fs::remove_file(world.blobs.path(master[0][0].as_str().unwrap()).unwrap()).unwrap();
    let done = optimize(&world).await;
    assert_eq!((done.counters.success, done.counters.error), (3, 1), "{}", done.text());
    assert!(done.text().contains("its file is missing from the store of files"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optimization_that_crashes_everywhere_makes_each_once() {
    let world = uploaded().await;
    world.execute("DELETE FROM derived").await;
    let done = world.run_with_crashes(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(done.of_type("ReoptimizeSuccess").len(), 4, "{}", done.text());
    assert_eq!(done.counters.success, 4);
    assert_eq!(done.of_type("JobInfo").len(), 1, "{}", done.text());
}
