//! Cleanup: what nobody needs goes, what anybody needs stays.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::TimeDelta;
use prepress::assets::blobs::Blobs;
use prepress::clock::Clock;
use prepress::model::email_setting::EmailSetting;
use prepress::model::id::AssetId;
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::outcome::Outcome;
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
    // A disk of its own has one, and it is nobody's to remove.
    let lost_and_found = world.folder.path().join("blobs/tmp/lost+found");
    std::fs::create_dir(&lost_and_found).unwrap();
    let stray = world.blobs.store(&mut &b"of a post that broke off"[..], 100, &|| false).unwrap();
    world.age_files();
    let before = world.blob_files();

    let first = world.clean().await;
    assert!(first.text().contains("1 asset that had been given up was removed."), "{}", first.text());
    assert!(first.text().contains("1 unfinished file was removed (4 bytes)."), "{}", first.text());
    assert_eq!(world.asset_names().await, ["kept", "published", "trashed"], "the rest is in the trash");
    assert_eq!(world.blob_files(), before, "nothing is removed that was not seen before");
    assert!(lost_and_found.is_dir());

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

/// A publish may find at any time that its trees are newer than the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_out_of_the_database_while_it_removes_is_heard_by_the_next_step() {
    const STEPS: [&str; 6] = ["trash 1", "assets 1", "exports", "unfinished", "orphans ff", "blobs 00"];
    for at in STEPS {
        let world = World::new().await;
        for (seed, name) in ["kept", "trashed", "emptied", "last"].into_iter().enumerate() {
            world.put(&format!("in/{name}.jpg"), &jpeg(40, seed as u8));
        }
        world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
        let (trashed, emptied) = (world.number_of("trashed").await, world.number_of("emptied").await);
        world.store.trash_assets(world.change(), vec![trashed, emptied]).await.unwrap();
        world.store.empty_trash(world.change(), vec![emptied]).await.unwrap();
        // In the last of the folders, so that it is swept after all others.
        let stray = (0..).map(|number| format!("stray {number}").into_bytes());
        let stray = stray.map(|bytes| (Blobs::id_of(&bytes), bytes)).find(|(id, _)| id.starts_with("ff")).unwrap();
        world.blobs.store(&mut &stray.1[..], 100, &|| false).unwrap();
        std::fs::write(world.folder.path().join("blobs/tmp/1-0"), b"half").unwrap();
        let export = world.settings.export_root.join("900000/parts");
        std::fs::create_dir_all(&export).unwrap();
        world.age_files();
        world.execute(format!("INSERT INTO orphaned_blob (blob, since_at) VALUES ('{}', 0)", stray.0)).await;
        world.clock.advance(TimeDelta::days(40));
        world
            .execute(format!(
                "CREATE TRIGGER found_out AFTER INSERT ON item WHEN NEW.key = '{at}' BEGIN
                     INSERT INTO system (key, value)
                     VALUES ('restored', '{{\"found_at\":\"2026-11-23T09:00:00Z\",\"run\":1,\"seen_run\":9}}');
                 END"
            ))
            .await;
        let done = world.clean().await;
        let has_passed =
            |step: &str| STEPS.iter().position(|each| *each == at) >= STEPS.iter().position(|each| *each == step);
        assert!(done.codes().contains(&"cleanup-held"), "{at}: {}", done.text());
        assert!(world.blobs.contains(&stray.0), "{at}: {}", done.text());
        let in_trash = world.query("SELECT count(*) FROM asset WHERE trash_state = 'InTrash'").await;
        assert_eq!(in_trash == [[json!(0)]], has_passed("trash 1"), "{at}");
        let names = world.asset_names().await;
        // What was given up has its number for a name.
        assert_eq!(!names.contains(&format!("/{emptied}")), has_passed("assets 1"), "{at}: {names:?}");
        assert_eq!(!export.exists(), has_passed("exports"), "{at}");
        assert_eq!(!world.folder.path().join("blobs/tmp/1-0").exists(), has_passed("unfinished"), "{at}");
    }
}

/// They may be what tells that the database was restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed_while_published_files_cannot_be_looked_at_or_are_newer() {
    let world = World::new().await;
    world.put("in/a.jpg", &jpeg(40, 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, order).await.succeeded();
    let stray = world.blobs.store(&mut &b"stray"[..], 100, &|| false).unwrap();
    world.age_files();
    world.execute(format!("INSERT INTO orphaned_blob (blob, since_at) VALUES ('{}', 0)", stray.id)).await;
    world.clock.advance(TimeDelta::days(3));
    let manifest = world.published().join("manifest.jsonl");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&manifest).status().unwrap().success());
    let done = world.clean().await;
    let said = "image-serving/Acme could not be looked at (it is no file)";
    assert!(done.text().contains(said) && done.counters.warning == 1, "{}", done.text());
    assert!(world.blobs.contains(&stray.id));

    std::fs::remove_file(&manifest).unwrap();
    assert!(text.contains("{\"publish\":1,"), "{text}");
    std::fs::write(&manifest, text.replace("{\"publish\":1,", "{\"publish\":9,")).unwrap();
    let done = world.clean().await;
    assert!(done.codes().contains(&"cleanup-held"), "{}", done.text());
    assert!(world.store.restored().await.unwrap().unwrap().has_newer_trees);
    assert!(world.blobs.contains(&stray.id));
    world.store.settle_restoration().await.unwrap();
    world.clean().await;
    assert!(!world.blobs.contains(&stray.id));
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
    let handles = open_files(world.folder.path());
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
    let left = open_files(world.folder.path());
    assert!(left <= handles + 40, "{handles} files were open, and then {left}");
}

/// Of those below a folder: tests beside this one open their own.
fn open_files(folder: &std::path::Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| std::fs::read_link(entry.unwrap().path()));
    // One that was closed in between is not open.
    open.flatten().filter(|path| path.starts_with(folder)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusually_many_files_that_nothing_refers_to_are_kept() {
    let world = World::new().await;
    for index in 0..10 {
        world.put(&format!("in/{index}.jpg"), &jpeg(24, index));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    // The rows are gone by somebody else's hand; the newest one stays.
    world.execute("DELETE FROM asset").await;
    world.age_files();
    let before = world.blob_files();
    assert_eq!(before.len(), 30);
    world.clean().await;
    world.clock.advance(TimeDelta::days(2));
    let done = world.clean().await;
    assert_eq!(world.blob_files(), before);
    assert!(done.text().contains("No stored file was removed: 27 of 30 files (90%)"), "{}", done.text());
    assert_eq!((done.counters.warning, done.counters.success), (1, 0));

    // Whoever knows that they are not needed says so.
    let mut world = world;
    world.settings.max_orphans = 100;
    world.clean().await;
    assert_eq!(world.blob_files(), world.named_files().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_replaced_by_others_are_not_unusual() {
    let world = World::new().await;
    for night in 0..3 {
        for index in 0..10 {
            world.put(&format!("in/{index}.jpg"), &jpeg(24, night * 10 + index));
        }
        let mut order = directory("in");
        order["overwrite"] = Value::from(true);
        world.run(JobKind::UploadDirectory, order).await.succeeded();
    }
    world.age_files();
    assert_eq!(world.blob_files().len(), 90);
    world.clean().await;
    world.clock.advance(TimeDelta::days(2));
    let done = world.clean().await;
    assert!(done.text().contains("60 files that nothing refers to were removed"), "{}", done.text());
    assert_eq!(world.blob_files(), world.named_files().await);
    world.clean().await;
    assert_eq!(world.query("SELECT count(*) FROM replaced_file").await, [[json!(0)]]);
}

/// A big sale is over: most of what there is goes at once, by everybody's will.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_an_emptied_trash_are_not_unusual() {
    let world = World::new().await;
    for index in 0..11 {
        world.put(&format!("in/{index}.jpg"), &jpeg(24, index));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let mut numbers: Vec<AssetId> = world
        .query("SELECT id FROM asset ORDER BY id")
        .await
        .iter()
        .map(|row| AssetId(row[0].as_i64().unwrap()))
        .collect();
    numbers.pop();
    world.store.trash_assets(world.change(), numbers.clone()).await.unwrap();
    world.store.empty_trash(world.change(), numbers).await.unwrap();
    world.age_files();
    world.clean().await;
    world.clock.advance(TimeDelta::days(2));
    let done = world.clean().await;
    assert!(done.text().contains("30 files that nothing refers to were removed"), "{}", done.text());
    assert_eq!(done.counters.warning, 0);
}

impl World {
    /// What Cleanup found wrong.
    async fn problems(&self) -> Done {
        let mut done = self.clean().await;
        done.lines.retain(|line| ["damage-", "scrub-"].iter().any(|kind| line.code.starts_with(kind)));
        done
    }

    async fn blob_of(&self, question: &'static str) -> PathBuf {
        self.blobs.path(self.query(question).await[0][0].as_str().unwrap()).unwrap()
    }
}

/// Changes a file as a bad disk does: it stays as long as it was.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_cut_changed_or_lost_are_named() {
    let world = World::new().await;
    for (index, name) in ["cut", "changed", "lost", "sound"].into_iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(24, index as u8));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let asset = world.number_of("sound").await.0;
    let order = json!({ "assetHandleArray": [format!("a|{asset}")], "fmt": "orig", "emailSetting": "None" });
    world.run(JobKind::Export, order).await.succeeded();
    let sound = world.problems().await;
    assert_eq!(sound.codes(), Vec::<&str>::new(), "{}", sound.text());

    let cut = world.blob_of("SELECT blob FROM asset WHERE name = 'cut'").await;
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::remove_file(&cut).unwrap();
    std::fs::write(&cut, &bytes[..100]).unwrap();
    let pyramid =
        "SELECT d.blob FROM derived d JOIN asset a ON a.id = asset_id WHERE name = 'changed' AND role = 'Pyramid'";
    flip(&world.blob_of(pyramid).await);
    std::fs::remove_file(world.blob_of("SELECT blob FROM asset WHERE name = 'lost'").await).unwrap();
    let run = std::fs::read_dir(&world.settings.export_root).unwrap().next().unwrap().unwrap();
    let zip = |entry: std::io::Result<std::fs::DirEntry>| {
        Some(entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ending| ending == "zip"))
    };
    flip(&std::fs::read_dir(run.path()).unwrap().find_map(zip).unwrap());

    let done = world.problems().await;
    let text = done.text();
    for said in [
        format!(
            "CleanupFailure: The master of cut (company Acme, folder Acme/) has 100 bytes instead of {}",
            bytes.len()
        ),
        "CleanupFailure: The master of lost (company Acme, folder Acme/) is gone".to_owned(),
        "CleanupWarning: The Pyramid of changed (company Acme, folder Acme/) was changed".to_owned(),
        format!("CleanupWarning: The archive of the export of run {} was changed", run.file_name().to_str().unwrap()),
    ] {
        assert!(text.contains(&said), "{said}: {text}");
    }
    assert_eq!(done.lines.len(), 4, "{text}");
    assert_eq!((done.counters.error, done.counters.warning), (2, 2));
    assert!(done.lines.iter().any(|line| line.asset.as_deref() == Some("cut")), "{text}");
    assert!(EmailSetting::ErrorAndWarning.wants_end(Outcome::Succeeded, &done.counters));
    assert_eq!(JobSpec::parse(JobKind::Cleanup, &json!({})).unwrap().email_setting(), EmailSetting::ErrorAndWarning);
    assert!(world.store.stats().damaged_files.get() >= 4);
    // They are told again until somebody has mended them.
    assert_eq!(world.problems().await.lines.len(), 4);
    let mut order = directory("in");
    order["overwrite"] = Value::from(true);
    world.run(JobKind::UploadDirectory, order).await.succeeded();
    let mended = world.problems().await;
    assert_eq!(mended.codes(), ["damage-export-changed", "scrub-changed"], "the masters are back: {}", mended.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_night_reads_on_from_where_the_one_before_stopped() {
    let mut world = World::new().await;
    for index in 0..6 {
        world.put(&format!("in/{index}.jpg"), &jpeg(64, index));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let files = world.named_files().await;
    let mut all = 0;
    for file in &files {
        all += std::fs::metadata(file).unwrap().len();
        flip(file);
    }
    world.settings.scrub = all / 3;
    let mut told: Vec<String> = Vec::new();
    let mut nights = 0;
    while told.len() < files.len() {
        let done = world.run_with_crashes_after(97, JobKind::Cleanup, json!({})).await.succeeded();
        let blobs: Vec<String> =
            done.lines.iter().filter_map(|line| line.params["blob"].as_str()).map(str::to_owned).collect();
        assert!(!blobs.is_empty() && blobs.len() < files.len(), "night {nights}: {}", done.text());
        told.extend(blobs);
        nights += 1;
    }
    assert!((2..=6).contains(&nights), "{nights}");
    let mut names: Vec<String> = told.clone();
    names.sort();
    assert_eq!(names, told, "in the order of their names, and none twice");
    // Then it begins again, at the latest in the night after.
    let mut again = Vec::new();
    while again.is_empty() {
        again = world.problems().await.lines;
        nights += 1;
        assert!(nights < 9, "it does not begin again");
    }
    assert_eq!(again[0].params["blob"].as_str(), Some(told[0].as_str()));
}

/// By a clock that has jumped, everything is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_by_a_clock_that_has_jumped_until_it_is_believed() {
    let world = World::new().await;
    world.put("in/trashed.jpg", &jpeg(40, 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let trashed = world.number_of("trashed").await;
    world.store.trash_assets(world.change(), vec![trashed]).await.unwrap();
    let files = world.blob_files();
    world.store.see_clock(world.clock.now(), None).await.unwrap();
    world.clock.advance(TimeDelta::days(400));
    for is_noted in [false, true] {
        if is_noted {
            world.store.see_clock(world.clock.now(), None).await.unwrap();
        }
        let done = world.clean().await;
        let lines = done.codes();
        assert!(lines.contains(&"cleanup-held-by-clock") && !lines.contains(&"cleanup-trash"), "{lines:?}");
        assert_eq!(world.blob_files(), files);
    }
    for _ in 0..25 {
        world.clock.advance(TimeDelta::hours(1));
        world.store.see_clock(world.clock.now(), None).await.unwrap();
    }
    let done = world.clean().await;
    assert!(done.codes().contains(&"cleanup-trash"), "{}", done.text());
}
