//! Cleanup: what nobody needs goes, what anybody needs stays.

use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use chrono::TimeDelta;
use prepress::clock::Clock;
use prepress::model::id::AssetId;
use prepress::model::kind::JobKind;
use prepress::store::assets::change::Change;
use serde_json::{Value, json};

use crate::world::{Done, World, directory, jpeg};

impl World {
    fn change(&self) -> Change {
        Change { company: self.company, by: self.account, at: self.clock.now() }
    }

    async fn number_of(&self, name: &'static str) -> AssetId {
        self.store.asset_named(self.company, name).await.unwrap().unwrap().id
    }

    fn blob_files(&self) -> Vec<PathBuf> {
        let folders = (0..=255).map(|first| self.folder.path().join(format!("blobs/{first:02x}")));
        let mut files: Vec<PathBuf> =
            folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The files that rows name.
    async fn named_files(&self) -> Vec<PathBuf> {
        let rows = self
            .query("SELECT blob FROM asset WHERE blob <> '' UNION SELECT blob FROM derived UNION SELECT blob FROM publication")
            .await;
        let mut files: Vec<PathBuf> =
            rows.iter().map(|row| self.blobs.path(row[0].as_str().unwrap()).unwrap()).collect();
        files.sort();
        files
    }

    /// All files were last written long before the clock of the test began.
    fn age_files(&self) {
        let tmp = std::fs::read_dir(self.folder.path().join("blobs/tmp")).unwrap();
        for file in self.blob_files().into_iter().chain(tmp.map(|entry| entry.unwrap().path())) {
            File::open(file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }

    async fn clean(&self) -> Done {
        self.run(JobKind::Cleanup, json!({})).await.succeeded()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_refers_to_goes_a_day_after_it_was_seen_so() {
    let world = World::new().await;
    for (index, name) in ["kept", "trashed", "emptied", "published"].into_iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(40, index as u8));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    let newest = world.number_of("trashed").await;
    let (emptied, published) = (world.number_of("emptied").await, world.number_of("published").await);
    world.store.trash_assets(world.change(), vec![newest, emptied, published]).await.unwrap();
    // One is taken off the image server before it goes, one after.
    world.store.empty_trash(world.change(), vec![emptied]).await.unwrap();
    world
        .run(JobKind::ImageServingPublish, json!({ "publishType": "Incremental", "emailSetting": "None" }))
        .await
        .succeeded();
    world
        .run(JobKind::ImageServingPublish, json!({ "publishType": "Incremental", "emailSetting": "None" }))
        .await
        .succeeded();
    std::fs::write(world.folder.path().join("blobs/tmp/1-0"), b"half").unwrap();
    let stray = world.blobs.store(&mut &b"of a post that broke off"[..], 100, &|| false).unwrap();
    world.age_files();
    let before = world.blob_files();

    let first = world.clean().await;
    assert!(first.text().contains("1 asset that had been given up was removed."), "{}", first.text());
    assert!(first.text().contains("1 unfinished file was removed (4 bytes)."), "{}", first.text());
    assert_eq!(world.asset_names().await, ["kept", "published", "trashed"], "the rest is in the trash");
    assert_eq!(world.blob_files(), before, "nothing is removed that was not seen before");

    // The day passes; somebody stores the stray content again in the meantime.
    world.clock.advance(TimeDelta::days(1) + TimeDelta::minutes(1));
    let second = world.clean().await;
    assert!(second.text().contains("that nothing refers to w"), "{}", second.text());
    assert_eq!(world.blob_files(), world.named_files().await);
    assert!(!world.blobs.contains(&stray.id));

    // The trash is emptied after its time, and what was in it goes with the next cleanups.
    world.clock.advance(TimeDelta::days(31));
    let third = world.clean().await;
    assert!(third.text().contains("2 assets had been in the trash for long enough"), "{}", third.text());
    world.put("in/new.jpg", &jpeg(40, 9));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    world.clock.advance(TimeDelta::days(2));
    world.clean().await;
    world.age_files();
    world.clock.advance(TimeDelta::days(2));
    world.clean().await;
    assert_eq!(world.asset_names().await, ["emptied", "kept", "new", "published", "trashed"], "uploaded anew");
    assert_eq!(world.blob_files(), world.named_files().await);
    let idle = world.clean().await;
    assert_eq!(idle.lines.len(), 1, "{}", idle.text());
    assert_eq!(world.query("SELECT count(*) FROM orphaned_blob").await, [[json!(0)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_stored_again_is_kept_however_long_it_was_an_orphan() {
    let world = World::new().await;
    let stray = world.blobs.store(&mut &b"stray"[..], 100, &|| false).unwrap();
    world.age_files();
    world.clean().await;
    world.clock.advance(TimeDelta::days(3));
    // Its row is not written yet when the sweep comes. (The file's time is that of the machine, which is after the test's.)
    world.blobs.store(&mut &b"stray"[..], 100, &|| false).unwrap();
    let path = world.blobs.path(&stray.id).unwrap();
    let fresh: SystemTime = world.clock.now().into();
    File::open(&path).unwrap().set_modified(fresh).unwrap();
    world.clean().await;
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_off_at_any_moment_it_removes_no_more_and_no_less() {
    let world = World::new().await;
    for (index, name) in ["kept", "emptied", "last"].into_iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(40, index as u8));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let emptied = world.number_of("emptied").await;
    world.store.trash_assets(world.change(), vec![emptied]).await.unwrap();
    world.store.empty_trash(world.change(), vec![emptied]).await.unwrap();
    world.blobs.store(&mut &b"of a post that broke off"[..], 100, &|| false).unwrap();
    world.age_files();
    world.clean().await;
    assert_eq!(world.asset_names().await, ["kept", "last"]);
    world.clock.advance(TimeDelta::days(2));
    let done = world.run_with_crashes_after(37, JobKind::Cleanup, json!({})).await.succeeded();
    assert!(done.attempts > 5, "{}", done.attempts);
    world.clock.advance(TimeDelta::days(2));
    world.clean().await;
    assert_eq!(world.blob_files(), world.named_files().await);
    assert_eq!(world.named_files().await.len(), 6, "master, pyramid and thumbnail of two: {}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_of_exports_go_when_they_have_expired() {
    let world = World::new().await;
    world.put("in/a.jpg", &jpeg(40, 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let asset = world.number_of("a").await.0;
    let order = json!({ "assetHandleArray": [format!("a|{asset}")], "fmt": "orig", "emailSetting": "None" });
    world.run(JobKind::Export, order).await.succeeded();
    let archives = || std::fs::read_dir(&world.settings.export_root).unwrap().count();
    assert_eq!(archives(), 1);
    world.clean().await;
    assert_eq!(archives(), 1, "it can still be downloaded");
    world.clock.advance(TimeDelta::days(60));
    let done = world.clean().await;
    assert!(done.text().contains("1 archive of an export had expired and was removed."), "{}", done.text());
    assert_eq!(archives(), 0);
}

/// A thousand jobs of several kinds, with failures among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_thousand_jobs_nothing_is_left_over() {
    let world = World::new().await;
    world.put("in/a.jpg", &jpeg(16, 1));
    world.put("in/broken.jpg", &jpeg(64, 2)[..300]);
    let handles = open_files();
    for number in 0..1000_u32 {
        match number % 5 {
            0 => {
                world.put("in/a.jpg", &jpeg(16, (number % 251) as u8));
                let mut order = directory("in");
                order["overwrite"] = Value::from(true);
                world.run(JobKind::UploadDirectory, order).await.succeeded();
            }
            1 => drop(world.run(JobKind::UploadDirectory, directory("nowhere")).await.result.unwrap_err()),
            2 => drop(world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded()),
            3 => drop(
                world
                    .run(JobKind::ImageServingPublish, json!({ "publishType": "Incremental", "emailSetting": "None" }))
                    .await
                    .succeeded(),
            ),
            _ => {
                let urls = json!({ "urlArray": [{ "sourceUrl": "http://127.0.0.1:9/x.jpg" }], "emailSetting": "None" });
                world.run(JobKind::UploadUrls, urls).await.succeeded();
            }
        }
    }
    // Everything is on the shelf for a day more.
    world.age_files();
    world.clean().await;
    world.clock.advance(TimeDelta::days(2));
    world.clean().await;
    assert_eq!(world.blob_files(), world.named_files().await);
    assert_eq!(std::fs::read_dir(world.folder.path().join("blobs/tmp")).unwrap().count(), 0);
    // A few connections of the pools may have been opened on the way.
    assert!(open_files() <= handles + 40, "{handles} files were open, and then {}", open_files());
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
