use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use prepress::executors::{Failure, Registry};
use prepress::model::asset::PublishState;
use prepress::model::id::AssetId;
use prepress::model::kind::JobKind;
use prepress::store::assets::Contexts;
use prepress::store::assets::change::Change;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::world::{Done, World, directory, jpeg, read, words};

const PUBLISH: JobKind = JobKind::ImageServingPublish;

fn order(publish_type: &str) -> Value {
    json!({ "publishType": publish_type, "emailSetting": "None" })
}

async fn publish(world: &World, publish_type: &str) -> Done {
    world.run(PUBLISH, order(publish_type)).await.succeeded()
}

pub async fn upload(world: &World, files: &[(&str, u8)]) {
    let _ = fs::remove_dir_all(world.ingest("in"));
    for (name, seed) in files {
        world.put(&format!("in/{name}"), &jpeg(24, *seed));
    }
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    world.run(JobKind::UploadDirectory, order).await.succeeded();
}

pub async fn asset(world: &World, name: &str) -> AssetId {
    world.store.asset_named(world.company, name).await.unwrap().unwrap().id
}

pub fn change(world: &World) -> Change {
    use prepress::clock::Clock;
    Change { company: world.company, by: world.account, at: world.clock.now() }
}

pub async fn mark(world: &World, name: &str, state: PublishState) {
    let states = vec![(asset(world, name).await, state)];
    world.store.set_publish_states(change(world), states, Contexts::All).await.unwrap();
}

/// What a manifest says: the last line about a name counts.
pub fn manifest(path: PathBuf) -> BTreeMap<String, Value> {
    let text = String::from_utf8(read(path)).unwrap();
    let mut files = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["name"].as_str() {
            Some(name) if line["removed"] == json!(true) => drop(files.remove(name)),
            Some(name) => drop(files.insert(name.to_owned(), line)),
            None => {}
        }
    }
    files
}

/// Every file is named with its size and hash, and the other way round.
fn check_manifest(world: &World) {
    let files = manifest(world.published().join("manifest.jsonl"));
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), world.published_names());
    for (name, line) in &files {
        let bytes = read(world.published().join(name));
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((line["bytes"].as_u64(), line["sha256"].as_str()), (Some(bytes.len() as u64), Some(hash.as_str())));
        assert!(line["asset"].is_string() && line["id"].is_i64(), "{line}");
    }
    let text = String::from_utf8(read(world.published().join("manifest.jsonl"))).unwrap();
    let totals: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(totals["files"], json!(files.len()), "{totals}");
}

/// Masters that were damaged in the store after they came in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_master_is_one_error_with_its_reason() {
    let world = World::new().await;
    upload(&world, &[("wiped.jpg", 1), ("cut.jpg", 2), ("sound.jpg", 3)]).await;
    let masters = world.query("SELECT name, blob FROM asset ORDER BY id").await;
    let damage = |name: &str, left: usize| {
        let master = masters.iter().find(|row| row[0] == name).unwrap();
        let path = world.blobs.path(master[1].as_str().unwrap()).unwrap();
        let mut bytes = read(&path);
        bytes[left..].fill(0);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    damage("wiped", 0);
    damage("cut", 100);
    world.execute("DELETE FROM derived").await;
    for publish_type in ["Full", "FullWithSearch"] {
        let done = publish(&world, publish_type).await;
        let text = done.text();
        let counters = done.counters;
        assert_eq!((counters.success, counters.error, counters.warning), (1, 2, 0), "{text}");
        assert_eq!((counters.transfer_success, counters.transfer_error), (1, 2), "{text}");
        let errors = done.of_type("ImageServingPublishError");
        let reasons: Vec<&str> = errors.iter().filter_map(|line| line.params["reason"]["code"].as_str()).collect();
        assert_eq!(reasons, ["reason-file-damaged", "reason-file-damaged"], "{text}");
        assert_eq!(world.published_names(), ["sound.tif"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_marked_is_published_and_what_is_not_leaves() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("sub/c.jpg", 3)]).await;
    world.put("in/guide.txt", b"text");
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let done = publish(&world, "Full").await;
    assert_eq!(world.published_names(), ["a.tif", "b.tif", "c.tif", "content/guide.txt"]);
    assert_eq!((done.counters.success, done.counters.transfer_success), (4, 4), "{}", done.text());
    assert!(
        done.text().contains("ImageServingPublishSuccess: a.tif was published to ImageServing."),
        "{}",
        done.text()
    );
    check_manifest(&world);
    let pyramid = world
        .query("SELECT blob FROM derived WHERE role = 'Pyramid' AND asset_id = (SELECT id FROM asset WHERE name = 'a')")
        .await;
    let blob = world.blobs.path(pyramid[0][0].as_str().unwrap()).unwrap();
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let sides = [".Acme.a/a.tif", ".Acme.b/a.tif"].map(|path| inode(&world.published().with_file_name("").join(path)));
    assert_eq!(sides[0], sides[1], "both trees have the same file");
    assert_ne!(inode(&blob), sides[0], "a published file is no stored one");

    mark(&world, "a", PublishState::NotMarkedForPublish).await;
    let trashed = vec![asset(&world, "b").await];
    world.store.trash_assets(change(&world), trashed).await.unwrap();
    upload(&world, &[("c.jpg", 33), ("d.jpg", 4)]).await;
    let done = publish(&world, "Incremental").await;
    let text = done.text();
    // The upload's c.jpg lies in another folder than the first one, so it is another asset.
    assert_eq!(world.published_names(), ["c-1.tif", "c.tif", "content/guide.txt", "d.tif"], "{text}");
    assert_eq!(done.counters.success, 2, "{text}");
    for name in ["a.tif", "b.tif"] {
        let line = format!("ImageServingPublishCleanupSuccess: {name} was removed from ImageServing.");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("EndImageServingPublishCleanup: 2 files were removed."), "{text}");
    check_manifest(&world);

    let done = publish(&world, "Incremental").await;
    assert_eq!(done.codes(), ["publish-nothing"], "{}", done.text());
    mark(&world, "a", PublishState::MarkedForPublish).await;
    let done = publish(&world, "Incremental").await;
    assert_eq!(done.counters.success, 1, "{}", done.text());
    assert_eq!(world.published_names(), ["a.tif", "c-1.tif", "c.tif", "content/guide.txt", "d.tif"]);
    check_manifest(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renamed_assets_change_places() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, "Full").await;
    let (a, b) = (read(world.published().join("a.tif")), read(world.published().join("b.tif")));
    let rename = async |from: &str, to: &str| {
        let id = asset(&world, from).await;
        world.store.rename_asset(change(&world), id, to.into()).await.unwrap();
    };
    rename("a", "x").await;
    rename("b", "a").await;
    rename("x", "b").await;
    publish(&world, "Incremental").await;
    assert_eq!((read(world.published().join("b.tif")), read(world.published().join("a.tif"))), (a, b));
    rename("a", "z").await;
    publish(&world, "Incremental").await;
    assert_eq!(world.published_names(), ["b.tif", "z.tif"]);
    check_manifest(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_picture_is_published_anew() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, "Incremental").await;
    let before = read(world.published().join("a.tif"));
    for seed in [11, 12, 13] {
        upload(&world, &[("a.jpg", seed)]).await;
        let done = publish(&world, "Incremental").await;
        assert_eq!(done.counters.success, 1, "{}", done.text());
        assert_ne!(read(world.published().join("a.tif")), before);
        check_manifest(&world);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forced_assets_are_sent_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, "Full").await;
    let assets = vec![asset(&world, "b").await];
    world.store.force_republish(change(&world), assets, true).await.unwrap();
    let done = publish(&world, "Incremental").await;
    assert_eq!(done.of_type("ImageServingPublishSuccess").len(), 1, "{}", done.text());
    assert_eq!(done.lines[0].params["file"], "b.tif");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_context_must_be_the_companys_own() {
    let world = World::new().await;
    world.execute("INSERT INTO company (id, name, root_path, created_at) VALUES (48, 'Rival', 'Rival', 0)").await;
    world
        .execute("INSERT INTO publish_context (id, company_id, kind, name) VALUES (900, 48, 'ImageServing', 'x')")
        .await;
    let contexts = world.store.publish_contexts(world.company).await.unwrap();
    let video = contexts.iter().find(|context| context.name == "Video").unwrap().id;
    for handle in ["pc|900".to_owned(), "pc|12345".to_owned(), format!("pc|{video}")] {
        let mut order = order("Full");
        order["contextHandle"] = json!(handle);
        let done = world.run(PUBLISH, order).await;
        let Err(Failure::Fatal(message)) = &done.result else { panic!("{:?}", done.result) };
        let expected = format!("The job failed: contextHandle {handle} is not an ImageServing context of the company.");
        assert_eq!(words(message), expected);
    }
    upload(&world, &[("a.jpg", 1)]).await;
    let mut order = order("Full");
    order["contextHandle"] =
        json!(format!("pc|{}", contexts.iter().find(|context| context.name == "ImageServing").unwrap().id));
    world.run(PUBLISH, order).await.succeeded();
    assert_eq!(world.published_names(), ["a.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_pyramid_is_made_and_a_broken_master_is_one_line() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)]).await;
    world.execute("DELETE FROM derived").await;
    let master = world.query("SELECT blob FROM asset WHERE name = 'b'").await;
    let path = world.blobs.path(master[0][0].as_str().unwrap()).unwrap();
    let bytes = read(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let gone = world.query("SELECT blob FROM asset WHERE name = 'c'").await;
    fs::remove_file(world.blobs.path(gone[0][0].as_str().unwrap()).unwrap()).unwrap();
    let done = publish(&world, "Full").await;
    assert_eq!(world.published_names(), ["a.tif"]);
    assert_eq!((done.counters.success, done.counters.error), (1, 2), "{}", done.text());
    let errors: Vec<_> =
        done.of_type("ImageServingPublishError").iter().map(|line| line.asset.clone().unwrap()).collect();
    assert_eq!(errors.len(), 2, "{}", done.text());
    assert!(errors.contains(&"b".into()) && errors.contains(&"c".into()), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_picture_stays_when_its_pyramid_cannot_be_made_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    publish(&world, "Full").await;
    world.execute("UPDATE derived SET recipe = 'old'").await;
    world.execute("UPDATE asset SET blob = 'no such file'").await;
    let done = publish(&world, "Full").await;
    assert_eq!(done.counters.error, 1, "{}", done.text());
    assert_eq!(world.published_names(), ["a.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_data_stays_until_it_is_written_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("sub/b.jpg", 2)]).await;
    publish(&world, "FullWithSearch").await;
    let search = || String::from_utf8(read(world.published().join("search.jsonl"))).unwrap();
    let first = search();
    let line: Value = serde_json::from_str(first.lines().find(|line| line.contains("\"b\"")).unwrap()).unwrap();
    assert_eq!((&line["folder"], &line["type"], &line["width"]), (&json!("Acme/sub/"), &json!("Image"), &json!(24)));
    for seed in [11, 12, 13] {
        upload(&world, &[("a.jpg", seed)]).await;
        publish(&world, "Incremental").await;
        assert_eq!(search(), first);
    }
    publish(&world, "Full").await;
    assert_eq!(search(), first);
    upload(&world, &[("c.jpg", 3)]).await;
    publish(&world, "FullWithSearch").await;
    assert_eq!(search().lines().count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_publish_mends_what_was_meddled_with() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, "Full").await;
    for _ in 0..2 {
        fs::remove_file(world.published().join("a.tif")).unwrap();
        fs::write(world.published().join("stranger.tif"), "x").unwrap();
        publish(&world, "Full").await;
        assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
        check_manifest(&world);
    }
    // A tree that is gone altogether is made anew by any publish.
    let trees = world.settings.publish_root.join("image-serving");
    for tree in [".Acme.a", ".Acme.b"] {
        fs::remove_dir_all(trees.join(tree)).unwrap();
    }
    publish(&world, "Incremental").await;
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_way_is_not_removed() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    fs::create_dir_all(world.published().join("precious")).unwrap();
    let done = world.run(PUBLISH, order("Full")).await;
    let Err(Failure::Fatal(message)) = &done.result else { panic!("{:?}", done.result) };
    assert!(words(message).contains("is not the link that publishing makes there"), "{}", words(message));
    assert!(world.published().join("precious").is_dir());
}

/// Every published file of both trees, with what shows that it was linked or written.
fn touched(world: &World) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut files = BTreeMap::new();
    for tree in [".Acme.a", ".Acme.b"] {
        for folder in ["", "content"] {
            let folder = world.settings.publish_root.join("image-serving").join(tree).join(folder);
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let (path, found) = (entry.as_ref().unwrap().path(), entry.unwrap().metadata().unwrap());
                if found.is_file() && path.extension().is_some_and(|ending| ending == "tif") {
                    files.insert(path, (found.ino(), found.ctime(), found.ctime_nsec()));
                }
            }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_publish_costs_what_changed() {
    let world = World::new().await;
    let names: Vec<String> = (0..200).map(|number| format!("{number}.jpg")).collect();
    let files: Vec<(&str, u8)> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at as u8)).collect();
    upload(&world, &files).await;
    publish(&world, "Full").await;
    for round in 1..=3i64 {
        let before = touched(&world);
        let length = |tree: &str| {
            read(world.settings.publish_root.join("image-serving").join(tree).join("manifest.jsonl")).len()
        };
        let lengths = length(".Acme.a") + length(".Acme.b");
        upload(&world, &[("7.jpg", 200 + round as u8), ("8.jpg", 210 + round as u8)]).await;
        let done = publish(&world, "Incremental").await;
        assert_eq!(done.counters.success, 2, "{}", done.text());
        let after = touched(&world);
        let differing = after.iter().filter(|(path, found)| before.get(*path) != Some(*found)).count();
        // Two files in one tree; what a change of the inode shows in the other tree is the same two, and those of the
        // publish before, which this tree had yet to hear of.
        assert!(differing <= 4, "{differing} of {} files were touched", after.len());
        let written = length(".Acme.a") + length(".Acme.b") - lengths;
        assert!(written < 1000, "{written} bytes of manifest were written for two files");
        let rows = world.query("SELECT count(*) FROM publication WHERE seq = (SELECT publish_seq FROM publish_context WHERE kind = 'ImageServing')").await;
        assert_eq!(rows, [[json!(2)]]);
    }
    check_manifest(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_crashes_everywhere_ends_right() {
    for publish_type in ["Incremental", "Full", "FullWithSearch"] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)]).await;
        let done = world.run_with_crashes(PUBLISH, order(publish_type)).await.succeeded();
        assert!(done.attempts > 5, "{}", done.attempts);
        assert_eq!(world.published_names(), ["a.tif", "b.tif", "c.tif"]);
        assert_eq!(done.counters.success, 3, "{publish_type}: {}", done.text());
        check_manifest(&world);
        upload(&world, &[("a.jpg", 11), ("d.jpg", 4)]).await;
        mark(&world, "b", PublishState::NotMarkedForPublish).await;
        world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'd')").await;
        let done = world.run_with_crashes(PUBLISH, order(publish_type)).await.succeeded();
        assert_eq!(world.published_names(), ["a.tif", "c.tif", "d.tif"], "{publish_type}");
        assert_eq!(done.of_type("ImageServingPublishCleanupSuccess").len(), 1, "{publish_type}: {}", done.text());
        assert_eq!(done.counters.success, if publish_type == "Incremental" { 2 } else { 3 }, "{}", done.text());
        check_manifest(&world);
        let done = publish(&world, "Incremental").await;
        assert_eq!(done.codes(), ["publish-nothing"], "{}", done.text());
        let counted = world.query("SELECT file_count, (SELECT count(*) FROM publication WHERE present = 1) FROM publish_context WHERE kind = 'ImageServing'").await;
        assert_eq!(counted, [[json!(3), json!(3)]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_publish_wanted_is_not_forgotten_or_kept_by_mistake() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    publish(&world, "Full").await;
    upload(&world, &[("b.jpg", 2), ("c.jpg", 3)]).await;
    // A publish gets as far as writing down b and c, and is stopped before readers see them.
    world.submit(PUBLISH, order("Incremental")).await;
    let claimed = world.claim().await;
    let stop = CancellationToken::new();
    let context = world.context(&claimed, stop.clone());
    let executor = world.registry().executor(&claimed.spec);
    let recorded = async {
        while world.query("SELECT 1 FROM publication WHERE file_name = 'b.tif'").await.is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(executor.run(&context), recorded);
    let done = world.finish(claimed.fence, result, 1).await;
    let was_stopped = done.result == Err(Failure::Interrupted);
    mark(&world, "c", PublishState::NotMarkedForPublish).await;
    let done = publish(&world, "Incremental").await;
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
    if was_stopped {
        assert!(
            done.of_type("ImageServingPublishSuccess").iter().any(|line| line.params["file"] == "b.tif"),
            "{}",
            done.text()
        );
    }
    check_manifest(&world);
}

/// All pictures of a publish have the same seed: a reader that finds two has seen half of one publish and half of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_sees_the_old_publish_or_the_new_one() {
    let world = World::new().await;
    let names: Vec<String> = (0..12).map(|number| format!("{number}.jpg")).collect();
    let all = |seed: u8| names.iter().map(move |name| (name.as_str(), seed)).collect::<Vec<_>>();
    upload(&world, &all(0)).await;
    publish(&world, "Full").await;
    let published = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (link, published, stop) = (world.published(), published.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut visits = 0;
            while !stop.load(Ordering::SeqCst) {
                let before = published.load(Ordering::SeqCst);
                let tree = link.parent().unwrap().join(fs::read_link(&link).expect("the link is always there"));
                let visit = look(&tree);
                // The tree is written to again by the publish after the next one, as the module says.
                if published.load(Ordering::SeqCst) < before + 1 {
                    visit.unwrap();
                    visits += 1;
                }
            }
            visits
        })
    };
    for round in 1..=8 {
        upload(&world, &all(round)).await;
        let kind = if round % 4 == 0 { "Full" } else { "Incremental" };
        publish(&world, kind).await;
        published.fetch_add(1, Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    let visits = reader.join().unwrap();
    assert!(visits > 8, "only {visits} visits");
}

/// Reads a whole tree: its files must be the ones that its manifest names.
fn look(tree: &Path) -> Result<(), String> {
    let read = |path: PathBuf| fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    let text = String::from_utf8(read(tree.join("manifest.jsonl"))?).map_err(|error| error.to_string())?;
    let mut named = BTreeMap::new();
    let mut totals = Value::Null;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        match line["name"].as_str() {
            Some(name) => drop(named.insert(name.to_owned(), line["sha256"].clone())),
            None => totals = line,
        }
    }
    if totals["files"] != json!(named.len()) {
        return Err(format!("{} files are named, but {totals}", named.len()));
    }
    for (name, hash) in named {
        let found: String = Sha256::digest(read(tree.join(&name))?).iter().map(|byte| format!("{byte:02x}")).collect();
        if json!(found) != hash {
            return Err(format!("{name} is of another publish than the manifest"));
        }
    }
    Ok(())
}
