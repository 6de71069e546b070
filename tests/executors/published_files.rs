//! Published files are never the master: who edits one in place changes no stored file, and a publish puts it back. Stored
//! files that were changed or damaged are not handed on, and said.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use prepress::assets::blobs::Blobs;
use prepress::model::asset::PublishState;
use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::publish::{asset, manifest, mark, upload};
use crate::world::{Done, Moment, World, directory, jpeg, read};

const SERVER_DIRECTORY: JobKind = JobKind::ServerDirectoryPublish;
const IMAGE_SERVING: JobKind = JobKind::ImageServingPublish;

async fn publish(world: &World, kind: JobKind, publish_type: &str) -> Done {
    let order = match kind {
        JobKind::ImageServingPublish => json!({ "publishType": publish_type, "emailSetting": "None" }),
        _ => json!({ "emailSetting": "None" }),
    };
    world.run(kind, order).await.succeeded()
}

/// Writes to a file as one who may do anything would, and puts its time back.
fn overwrite(path: &Path, bytes: &[u8]) {
    let found = fs::metadata(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::File::open(path).unwrap().set_modified(found.modified().unwrap()).unwrap();
}

/// The same size with other bytes, or half of it.
fn spoilt(bytes: &[u8], is_cut: bool) -> Vec<u8> {
    if is_cut {
        return bytes[..bytes.len() / 2].to_vec();
    }
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x5a;
    bytes
}

impl World {
    async fn master(&self, name: &str) -> PathBuf {
        let rows = self.query("SELECT name, blob FROM asset").await;
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        self.blobs.path(row[1].as_str().unwrap()).unwrap()
    }

    async fn pyramid(&self, name: &str) -> PathBuf {
        let rows = self
            .query("SELECT a.name, d.blob FROM derived d JOIN asset a ON a.id = d.asset_id WHERE role = 'Pyramid'")
            .await;
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        self.blobs.path(row[1].as_str().unwrap()).unwrap()
    }

    fn side(&self, folder: &str, letter: char) -> PathBuf {
        self.settings.publish_root.join(folder).join(format!(".Acme.{letter}"))
    }

    /// Every file of both trees of a context.
    fn files_of_both(&self, folder: &str) -> Vec<PathBuf> {
        let (mut folders, mut files) = (vec![self.side(folder, 'a'), self.side(folder, 'b')], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// No published file is a stored file, and every stored file is what its name says.
    fn check_apart(&self) {
        let mut stored = BTreeSet::new();
        for first in 0..=255 {
            for id in self.blobs.list(&format!("{first:02x}")).unwrap() {
                let found = fs::metadata(self.blobs.path(&id).unwrap()).unwrap();
                assert_eq!(found.nlink(), 1, "{id}");
                assert_eq!(found.permissions().mode() & 0o222, 0, "{id} may be written to");
                stored.insert((found.dev(), found.ino()));
                assert_eq!(Blobs::id_of(&read(self.blobs.path(&id).unwrap())), id);
            }
        }
        for folder in ["image-serving", "server-directory"] {
            for path in self.files_of_both(folder) {
                let found = fs::metadata(&path).unwrap();
                assert!(!stored.contains(&(found.dev(), found.ino())), "{} is a stored file", path.display());
            }
            assert!(!self.side(folder, 'i').with_file_name(".Acme.in").exists(), "nothing stays on its way");
        }
    }

    /// Both trees as an earlier version made them: every file a link to its blob.
    async fn link_to_blobs(&self, folder: &str) {
        let rows = self.query("SELECT file_name, blob FROM publication WHERE blob <> '' AND present = 1").await;
        for path in self.files_of_both(folder) {
            let name = path.strip_prefix(self.settings.publish_root.join(folder)).unwrap();
            let name = name.components().skip(1).collect::<PathBuf>();
            if let Some(row) = rows.iter().find(|row| row[0].as_str() == name.to_str()) {
                fs::remove_file(&path).unwrap();
                fs::hard_link(self.blobs.path(row[1].as_str().unwrap()).unwrap(), &path).unwrap();
            }
        }
        self.execute("UPDATE publish_context SET owns_files = 0").await;
        self.execute("UPDATE publication SET stamp = NULL").await;
    }

    async fn exported(&self, name: &str, order: Value) -> Vec<u8> {
        let mut whole =
            json!({ "assetHandleArray": [format!("a|{}", asset(self, name).await)], "emailSetting": "None" });
        whole.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        self.run(JobKind::Export, whole).await.succeeded();
        let rows = self.query("SELECT max(instance_id), token FROM export").await;
        let archive = format!("{}/{}.zip", rows[0][0], rows[0][1].as_str().unwrap());
        let output = Command::new("unzip").arg("-p").arg(self.settings.export_root.join(archive)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }
}

/// What exiftool makes of it.
fn edit_in_place(path: &Path) {
    let edited = Command::new("exiftool")
        .args(["-overwrite_original_in_place", "-P", "-q", "-Comment=edited by somebody"])
        .arg(path)
        .output()
        .unwrap();
    assert!(edited.status.success(), "{edited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_in_place_of_a_published_file_reaches_no_master_and_is_undone() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, SERVER_DIRECTORY, "").await;
    publish(&world, IMAGE_SERVING, "Full").await;
    world.check_apart();
    let (picture, pyramid) = (world.tree("server-directory").join("a.jpg"), world.published().join("a.tif"));
    let (good, good_pyramid) = (read(&picture), read(&pyramid));
    let converted = json!({ "fmt": "convert", "is_modifier": "wid=10" });
    let small = world.exported("a", converted.clone()).await;

    edit_in_place(&picture);
    assert_ne!(read(&picture), good, "exiftool did its work");
    overwrite(&pyramid, &spoilt(&good_pyramid, false));
    world.check_apart();
    assert_eq!(world.exported("a", json!({ "fmt": "orig" })).await, good, "the original is what came in");
    assert_eq!(world.exported("a", converted).await, small);

    let full = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!(read(world.published().join("a.tif")), good_pyramid);
    assert!(
        full.text().contains("ImageServingPublishWarning: a.tif in ImageServing had been changed"),
        "{}",
        full.text()
    );
    assert_eq!((full.counters.warning, full.counters.transfer_warning, full.counters.success), (1, 1, 2));
    // A server directory knows no full publish: every one looks, though nothing else has changed.
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(read(world.tree("server-directory").join("a.jpg")), good);
    assert_eq!(done.of_type("ServerDirectoryPublishWarning").len(), 1, "{}", done.text());
    assert_eq!(publish(&world, SERVER_DIRECTORY, "").await.codes(), ["publish-nothing"]);

    // What was wrong in the tree that readers see next does not come back with it.
    for seed in [20, 21] {
        upload(&world, &[("b.jpg", seed)]).await;
        for (kind, publish_type) in [(IMAGE_SERVING, "Incremental"), (SERVER_DIRECTORY, "")] {
            let done = publish(&world, kind, publish_type).await;
            assert_eq!(done.counters.warning, 0, "{}", done.text());
        }
        assert_eq!(read(world.published().join("a.tif")), good_pyramid);
        assert_eq!(read(world.tree("server-directory").join("a.jpg")), good);
        world.check_apart();
    }
}

/// Neither size nor time tell what was changed, and the tool may put another file in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_publish_puts_back_whatever_was_changed() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)]).await;
    publish(&world, IMAGE_SERVING, "Full").await;
    let path = |name: &str| world.published().join(name);
    let good = ["a.tif", "b.tif", "c.tif"].map(|name| read(path(name)));
    // No file was written again without need.
    let inodes = || ["a.tif", "b.tif", "c.tif"].map(|name| fs::metadata(path(name)).unwrap().ino());
    let before = inodes();
    let done = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!((inodes(), done.counters.warning), (before, 0), "{}", done.text());

    overwrite(&path("a.tif"), &spoilt(&good[0], false));
    let replaced = path("b.tif").with_extension("other");
    fs::write(&replaced, b"other").unwrap();
    fs::rename(&replaced, path("b.tif")).unwrap();
    fs::remove_file(path("c.tif")).unwrap();
    fs::create_dir(path("stray")).unwrap();
    fs::write(path("stray/x.tif"), b"x").unwrap();
    let done = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!(["a.tif", "b.tif", "c.tif"].map(|name| read(path(name))), good);
    assert_eq!(done.codes().iter().filter(|code| **code == "publish-mended").count(), 3, "{}", done.text());
    let strange = "stray/x.tif in ImageServing was put there by somebody, and by no publish: it is removed.";
    assert!(done.text().contains(&format!("ImageServingPublishWarning: {strange}")), "{}", done.text());
    assert_eq!((done.counters.warning, done.counters.transfer_warning), (4, 4), "{}", done.text());
    upload(&world, &[("d.jpg", 4)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(["a.tif", "b.tif", "c.tif"].map(|name| read(path(name))), good);
    assert!(!path("stray").exists());
    world.check_apart();
}

/// It looks at files that did not change as well, but does not read them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_publish_notices_an_edit_and_puts_everything_right() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    let path = world.published().join("a.tif");
    let good = read(&path);
    assert_eq!(publish(&world, IMAGE_SERVING, "Incremental").await.codes(), ["publish-nothing"]);
    for round in 0..4 {
        match round {
            0 => fs::write(&path, spoilt(&good, false)).unwrap(),
            1 => overwrite(&path, &spoilt(&good, true)),
            _ => fs::remove_file(&path).unwrap(),
        }
        if round % 2 == 1 {
            // With something to do, and with nothing.
            upload(&world, &[("c.jpg", 30 + round)]).await;
        }
        let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
        let done = world.run_with_crashes(IMAGE_SERVING, order).await.succeeded();
        assert_eq!(read(world.published().join("a.tif")), good, "{round}: {}", done.text());
        assert_eq!(done.codes().iter().filter(|code| **code == "publish-mended").count(), 1, "{}", done.text());
        assert_eq!((done.counters.warning, done.counters.error), (1, 0), "{}", done.text());
        assert_eq!(publish(&world, IMAGE_SERVING, "Incremental").await.codes(), ["publish-nothing"]);
        world.check_apart();
        // Neither does the other tree bring it back.
        upload(&world, &[("d.jpg", 50 + round)]).await;
        let done = publish(&world, IMAGE_SERVING, "Incremental").await;
        assert_eq!(
            (done.counters.warning, read(world.published().join("a.tif")) == good),
            (0, true),
            "{}",
            done.text()
        );
    }
}

/// What somebody did to the tree that readers do not see comes to them with the next switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_to_the_tree_that_readers_see_next_is_undone_before_they_do() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3), ("d.jpg", 4)]).await;
    let mut seed = 70;
    for (kind, folder, ending) in
        [(IMAGE_SERVING, "image-serving", "tif"), (SERVER_DIRECTORY, "server-directory", "jpg")]
    {
        publish(&world, kind, "Incremental").await;
        let names = ["a", "b", "c"].map(|name| format!("{name}.{ending}"));
        let good = names.clone().map(|name| read(world.tree(folder).join(name)));
        for round in 0..3 {
            let live = fs::canonicalize(world.tree(folder)).unwrap();
            let standby = world.side(folder, if live.ends_with(".Acme.a") { 'b' } else { 'a' });
            let path = |at: usize| standby.join(&names[at]);
            fs::remove_file(path(0)).unwrap();
            let other = standby.join("other");
            fs::write(&other, spoilt(&good[1], round == 0)).unwrap();
            fs::rename(&other, path(1)).unwrap();
            fs::remove_file(path(2)).unwrap();
            fs::create_dir(path(2)).unwrap();
            seed += 1;
            upload(&world, &[(format!("e{seed}.jpg").as_str(), seed)]).await;
            let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
            let order = if kind == IMAGE_SERVING { order } else { json!({ "emailSetting": "None" }) };
            let done = match round {
                2 => world.run_with_crashes(kind, order).await.succeeded(),
                _ => world.run(kind, order).await.succeeded(),
            };
            assert_eq!(fs::canonicalize(world.tree(folder)).unwrap(), standby, "readers see it: {}", done.text());
            assert_eq!(names.clone().map(|name| read(world.tree(folder).join(name))), good, "{}", done.text());
            let mended = done.lines.iter().filter(|line| line.code == "publish-mended");
            let mended: BTreeSet<String> =
                mended.map(|line| line.params["file"].as_str().unwrap().to_owned()).collect();
            assert_eq!(mended, names.clone().into_iter().collect(), "{round}: {}", done.text());
            assert_eq!((done.counters.warning, done.counters.error), (3, 0), "once each: {}", done.text());
            seed += 1;
            upload(&world, &[(format!("e{seed}.jpg").as_str(), seed)]).await;
            let done = publish(&world, kind, "Incremental").await;
            assert_eq!(done.counters.warning, 0, "once is enough: {}", done.text());
            assert_eq!(names.clone().map(|name| read(world.tree(folder).join(name))), good, "{}", done.text());
            world.check_apart();
        }
    }
}

/// Numbers that were believed are never given again: what is in a manifest may be anybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_number_in_a_manifest_is_not_believed_and_the_manifest_is_written_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    let mut seed = 80;
    for is_seen in [true, false, true, false] {
        for forged in [(1_i64 << 53) - 2, i64::MAX, 2_000_000] {
            let live = fs::canonicalize(world.published()).unwrap();
            let standby = world.side("image-serving", if live.ends_with(".Acme.a") { 'b' } else { 'a' });
            let path = if is_seen { live } else { standby }.join("manifest.jsonl");
            let text = String::from_utf8(read(&path)).unwrap();
            let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
            let mut totals: Value = serde_json::from_str(last).unwrap();
            totals["publish"] = json!(forged);
            // What begins otherwise is no line of totals.
            let last = format!("{{\"publish\":{forged},{}", totals.to_string().trim_start_matches('{'));
            let last = last.replacen(&format!(",\"publish\":{forged}"), "", 1);
            overwrite(&path, format!("{before}\n{last}\n").as_bytes());
            seed += 1;
            upload(&world, &[(format!("e{seed}.jpg").as_str(), seed)]).await;
            let done = publish(&world, IMAGE_SERVING, "Incremental").await;
            assert_eq!(
                done.codes().iter().filter(|code| **code == "publish-manifest-mended").count(),
                1,
                "{}",
                done.text()
            );
            assert_eq!(done.counters.warning, 1, "{}", done.text());
            let given = world.query("SELECT max(publish_seq) FROM publish_context").await[0][0].as_i64().unwrap();
            assert!(given < 200, "{given}");
            assert!(world.store.restored().await.unwrap().is_none());
            for _ in 0..2 {
                seed += 1;
                upload(&world, &[(format!("e{seed}.jpg").as_str(), seed)]).await;
                assert_eq!(publish(&world, IMAGE_SERVING, "Incremental").await.counters.warning, 0);
            }
        }
    }
}

/// They are no assets', and so nothing makes them again as they were: who changed one is told that it is written over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_data_that_somebody_changed_is_not_written_over_in_silence() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    let overwritten = |done: &Done| done.codes().iter().filter(|code| **code == "publish-overwritten").count();
    for _ in 0..2 {
        let done = publish(&world, IMAGE_SERVING, "FullWithSearch").await;
        assert_eq!((overwritten(&done), done.counters.warning), (0, 0), "{}", done.text());
    }
    fs::write(world.published().join("search.jsonl"), "somebody's").unwrap();
    let order = json!({ "publishType": "FullWithSearch", "emailSetting": "None" });
    let done = world.run(IMAGE_SERVING, order).await.succeeded();
    assert_eq!((overwritten(&done), done.counters.warning), (1, 1), "{}", done.text());
    for (at, publish_type) in ["FullWithSearch", "Incremental", "Full", "FullWithSearch"].into_iter().enumerate() {
        upload(&world, &[(format!("e{at}.jpg").as_str(), 90 + at as u8)]).await;
        let done = publish(&world, IMAGE_SERVING, publish_type).await;
        assert_eq!((overwritten(&done), done.counters.warning), (0, 0), "once is enough: {}", done.text());
        assert!(String::from_utf8(read(world.published().join("search.jsonl"))).unwrap().contains("\"asset\":\"a\""));
    }
    // In the tree that readers see next, as well.
    let live = fs::canonicalize(world.published()).unwrap();
    let standby = world.side("image-serving", if live.ends_with(".Acme.a") { 'b' } else { 'a' });
    fs::remove_file(standby.join("search.jsonl")).unwrap();
    fs::write(standby.join("search.jsonl"), "somebody's").unwrap();
    upload(&world, &[("f.jpg", 99)]).await;
    let done = publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!((overwritten(&done), done.counters.warning), (1, 1), "{}", done.text());
}

/// A tree that was put back from a backup looks as nobody had touched it, with all that was withdrawn since: what readers see
/// is of an earlier publish than the database knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_from_a_backup_is_not_taken_for_what_was_published_last() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    let kept = world.published().with_file_name("kept");
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&fs::canonicalize(world.published()).unwrap(), &kept);
    for name in ["a", "b"] {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
        publish(&world, IMAGE_SERVING, "Incremental").await;
    }
    assert_eq!(world.published_names(), ["c.tif"]);
    let live = fs::canonicalize(world.published()).unwrap();
    fs::remove_dir_all(&live).unwrap();
    copy(&kept, &live);
    assert_eq!(world.published_names(), ["a.tif", "b.tif", "c.tif"]);
    let done = publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(world.published_names(), ["c.tif"], "{}", done.text());
    assert!(done.codes().contains(&"publish-manifest-mended"), "{}", done.text());
    assert_eq!(done.codes().iter().filter(|code| **code == "publish-stranger").count(), 2, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_was_altered_is_written_again_and_said() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, IMAGE_SERVING, "Full").await;
    publish(&world, SERVER_DIRECTORY, "").await;
    for (kind, folder, name, publish_types) in [
        (IMAGE_SERVING, "image-serving", "manifest.jsonl", ["Full", "Incremental"]),
        (SERVER_DIRECTORY, "server-directory", ".manifest.jsonl", ["", ""]),
    ] {
        let path = || world.tree(folder).join(name);
        let line = || manifest(path()).into_iter().find(|(name, _)| name.starts_with("a."));
        let good = line();
        for (number, publish_type) in publish_types.into_iter().enumerate() {
            let text = String::from_utf8(read(path())).unwrap();
            if number == 0 {
                fs::write(path(), text.replace("\"asset\":\"a\"", "\"asset\":\"z\"")).unwrap();
            } else {
                fs::remove_file(path()).unwrap();
            }
            let done = publish(&world, kind, publish_type).await;
            assert_eq!(
                done.codes().iter().filter(|code| **code == "publish-manifest-mended").count(),
                1,
                "{}",
                done.text()
            );
            assert!(done.text().contains(" had been changed or removed by somebody"), "{}", done.text());
            assert_eq!((done.counters.warning, done.counters.error), (1, 0), "{}", done.text());
            assert_eq!(line(), good);
        }
        // Neither does the other tree bring it back, nor is it said twice.
        for seed in [40, 41, 42] {
            upload(&world, &[("c.jpg", seed)]).await;
            let done = publish(&world, kind, publish_types[1]).await;
            assert_eq!(done.counters.warning, 0, "{}", done.text());
            assert_eq!(line(), good);
        }
    }
    let done = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!(done.counters.warning, 0, "{}", done.text());
}

/// Appends to a file as if that had been done in the moment in which it was written.
fn append(path: &Path, text: &str) {
    let found = fs::metadata(path).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file.set_modified(found.modified().unwrap()).unwrap();
}

/// Neither its time nor what it says of any file tells that there is more in it; and it may be the tree that readers see next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_wrote_behind_the_end_of_a_manifest_is_never_cut_off_in_silence() {
    const STRANGE: &str = "{\"name\":\"other.tif\",\"bytes\":3,\"sha256\":\"ab\",\"asset\":\"other\",\"id\":9}\n";
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let metadata = JobKind::MetadataPublish;
    let mut seed = 60;
    for (kind, folder, name, publish_types) in [
        (IMAGE_SERVING, "image-serving", "manifest.jsonl", ["Full", "Incremental"]),
        (SERVER_DIRECTORY, "server-directory", ".manifest.jsonl", ["", ""]),
        (metadata, "metadata", "metadata.jsonl", ["", ""]),
    ] {
        publish(&world, kind, publish_types[0]).await;
        for publish_type in publish_types {
            for (is_seen, text) in [(true, STRANGE), (false, STRANGE), (true, "{\"name\":\"b"), (false, "# a remark\n")]
            {
                let live = fs::canonicalize(world.tree(folder)).unwrap();
                let letter = if live.ends_with(".Acme.a") { 'b' } else { 'a' };
                let tree = if is_seen { live } else { world.side(folder, letter) };
                append(&tree.join(name), text);
                // An incremental publish with nothing to do writes to no tree, and so looks at the one that readers see.
                seed += 1;
                upload(&world, &[(format!("c{seed}.jpg").as_str(), seed)]).await;
                let done = publish(&world, kind, publish_type).await;
                let log = done.text();
                assert_eq!(done.codes().iter().filter(|code| **code == "publish-manifest-mended").count(), 1, "{log}");
                // The API has no type for a warning about metadata.
                let expected = if kind == metadata { (0, 1) } else { (1, 0) };
                assert_eq!((done.counters.warning, done.counters.error), expected, "{folder} {is_seen} {text}: {log}");
                assert!(!manifest(world.tree(folder).join(name)).contains_key("other.tif"), "{log}");
                for _ in 0..2 {
                    seed += 1;
                    upload(&world, &[(format!("c{seed}.jpg").as_str(), seed)]).await;
                    let done = publish(&world, kind, publish_type).await;
                    assert_eq!(done.counters.warning + done.counters.error, 0, "once is enough: {}", done.text());
                }
            }
        }
        append(&world.tree(folder).join(name), STRANGE);
        let done = publish(&world, kind, publish_types[1]).await;
        assert!(done.codes().contains(&"publish-manifest-mended"), "though nothing else has changed: {}", done.text());
    }
}

/// Each that can be named is a warning, in whichever tree it lies, and however often the publish is begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_no_publish_put_there_do_not_go_in_silence() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    publish(&world, IMAGE_SERVING, "Full").await;
    let live = fs::canonicalize(world.published()).unwrap();
    let standby = world.side("image-serving", if live.ends_with(".Acme.a") { 'b' } else { 'a' });
    fs::write(live.join("seen.tif"), "x").unwrap();
    fs::create_dir_all(standby.join("deep")).unwrap();
    fs::write(standby.join("deep/hidden.tif"), "x").unwrap();
    let order = json!({ "publishType": "Full", "emailSetting": "None" });
    let done = world.run_with_crashes(IMAGE_SERVING, order).await.succeeded();
    let told: Vec<_> = done.lines.iter().filter(|line| line.code == "publish-stranger").collect();
    let names: Vec<&Value> = told.iter().map(|line| &line.params["file"]).collect();
    assert_eq!(names, [&json!("deep/hidden.tif"), &json!("seen.tif")], "{}", done.text());
    assert!(told.iter().all(|line| line.log_type == "ImageServingPublishWarning"));
    assert_eq!((done.counters.warning, done.counters.transfer_warning), (2, 2), "{}", done.text());
    assert!(!standby.join("deep").exists());
    let again = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!(again.counters.warning, 0, "they are told once: {}", again.text());
    assert!(!live.join("seen.tif").exists());

    for number in 0..25 {
        fs::write(world.published().join(format!("{number:02}.tif")), "x").unwrap();
    }
    let done = publish(&world, IMAGE_SERVING, "Full").await;
    let others = "5 files in ImageServing that no publish put there are removed, 20.tif among them.";
    assert!(done.text().contains(others), "{}", done.text());
    assert_eq!(done.counters.warning, 21, "as many as there are lines: {}", done.text());
}

/// Neither what is published nor what it was made from is right, but the master is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_whose_stored_one_is_damaged_is_made_of_its_master_again() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, IMAGE_SERVING, "Full").await;
    for is_cut in [false, true] {
        let (stored, published) = (world.pyramid("a").await, world.published().join("a.tif"));
        let good = read(&stored);
        overwrite(&stored, &spoilt(&good, is_cut));
        overwrite(&published, &spoilt(&good, is_cut));
        let order = json!({ "publishType": "Full", "emailSetting": "None" });
        let done = world.run_with_crashes(IMAGE_SERVING, order).await.succeeded();
        assert_eq!((done.counters.warning, done.counters.error), (1, 0), "{}", done.text());
        assert!(done.text().contains("a.tif in ImageServing had been changed"), "{}", done.text());
        assert_eq!(world.published_names(), ["a.tif", "b.tif"], "{}", done.text());
        assert_eq!(read(world.published().join("a.tif")), good);
        assert_eq!(read(&stored), good);
        world.check_apart();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_an_earlier_version_are_parted_by_the_first_publish() {
    for publish_type in ["Incremental", "Full"] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1), ("sub/b.jpg", 2), ("twin.jpg", 1)]).await;
        publish(&world, IMAGE_SERVING, "Full").await;
        publish(&world, SERVER_DIRECTORY, "").await;
        world.link_to_blobs("image-serving").await;
        world.link_to_blobs("server-directory").await;
        let good = read(world.published().join("a.tif"));
        // With nothing to publish too.
        let done = publish(&world, SERVER_DIRECTORY, "").await;
        assert!(done.text().contains("2 files in ServerDirectory ("), "{}", done.text());
        let done = publish(&world, IMAGE_SERVING, publish_type).await;
        assert!(done.text().contains("were links to stored files and got room of their own."), "{}", done.text());
        world.check_apart();
        overwrite(&world.published().join("a.tif"), &spoilt(&good, false));
        world.check_apart();
        let (a, b) = (world.side("image-serving", 'a'), world.side("image-serving", 'b'));
        let inode = |tree: &Path, name: &str| fs::metadata(tree.join(name)).unwrap().ino();
        for tree in [&a, &b] {
            assert_eq!(inode(tree, "b.tif"), inode(&a, "b.tif"), "one copy is for both trees");
            assert_eq!(inode(tree, "twin.tif"), inode(&a, "a.tif"), "and for all that has the same content");
        }
        let done = publish(&world, IMAGE_SERVING, "Full").await;
        assert!(!done.codes().contains(&"publish-parted"), "{}", done.text());
        assert_eq!(read(world.published().join("a.tif")), good);
        assert_eq!(read(world.published().join("twin.tif")), good);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parting_and_mending_that_crash_anywhere_end_right() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, IMAGE_SERVING, "Full").await;
    let good = read(world.published().join("a.tif"));
    world.link_to_blobs("image-serving").await;
    upload(&world, &[("c.jpg", 3)]).await;
    let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
    world.run_with_crashes(IMAGE_SERVING, order).await.succeeded();
    world.check_apart();
    overwrite(&world.published().join("a.tif"), &spoilt(&good, true));
    let order = json!({ "publishType": "Full", "emailSetting": "None" });
    let done = world.run_with_crashes(IMAGE_SERVING, order).await.succeeded();
    assert_eq!(done.of_type("ImageServingPublishWarning").len(), 1, "{}", done.text());
    assert_eq!(read(world.published().join("a.tif")), good);
    upload(&world, &[("c.jpg", 33)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(read(world.published().join("a.tif")), good, "the other tree is made again too");
    world.check_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_master_is_handed_on_by_nobody_and_said_by_everybody() {
    for is_cut in [false, true] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
        let (path, good) = (world.master("a").await, jpeg(24, 1));
        overwrite(&path, &spoilt(&good, is_cut));
        let says_so = |done: &Done, log_type: &str| {
            let lines = done.of_type(log_type);
            assert_eq!(lines.len(), 1, "{}", done.text());
            assert_eq!(lines[0].asset.as_deref(), Some("a"), "{}", done.text());
            assert_eq!(lines[0].params["reason"]["code"], "reason-file-damaged", "{}", done.text());
            assert_eq!(done.counters.error, 1, "{}", done.text());
        };

        let done = publish(&world, SERVER_DIRECTORY, "").await;
        says_so(&done, "ServerDirectoryPublishError");
        assert_eq!(world.paths_in("server-directory"), ["b.jpg"]);
        let handles: Vec<String> =
            [asset(&world, "a").await, asset(&world, "b").await].map(|id| format!("a|{id}")).into();
        let order = json!({ "assetHandleArray": handles, "fmt": "orig", "emailSetting": "None" });
        says_so(&world.run(JobKind::Export, order).await.succeeded(), "ExportJobRenderFileError");
        let order = json!({ "assetHandleArray": handles, "emailSetting": "None" });
        says_so(&world.run(JobKind::ReprocessAssets, order).await.succeeded(), "ReoptimizeFailure");
        world.execute("DELETE FROM derived WHERE asset_id = (SELECT id FROM asset WHERE name = 'a')").await;
        let done = world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
        says_so(&done, "ReoptimizeFailure");
        says_so(&publish(&world, IMAGE_SERVING, "Full").await, "ImageServingPublishError");
        assert_eq!(world.published_names(), ["b.tif"]);

        // Nothing of the asset changed: it is tried again all the same, until its file is back.
        says_so(&publish(&world, IMAGE_SERVING, "Incremental").await, "ImageServingPublishError");
        says_so(&publish(&world, SERVER_DIRECTORY, "").await, "ServerDirectoryPublishError");
        overwrite(&path, &good);
        for (kind, publish_type) in [(IMAGE_SERVING, "Incremental"), (SERVER_DIRECTORY, "")] {
            let done = publish(&world, kind, publish_type).await;
            assert_eq!((done.counters.success, done.counters.error), (1, 0), "{}", done.text());
        }
        assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
        assert_eq!(read(world.tree("server-directory").join("a.jpg")), good);
        assert_eq!(publish(&world, IMAGE_SERVING, "Incremental").await.codes(), ["publish-nothing"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_pyramid_is_made_again_to_be_published_and_is_not_exported() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let path = world.pyramid("a").await;
    let good = read(&path);
    overwrite(&path, &spoilt(&good, false));
    let handles: Vec<String> = [asset(&world, "a").await, asset(&world, "b").await].map(|id| format!("a|{id}")).into();
    let order =
        json!({ "assetHandleArray": handles, "fmt": "convert", "is_modifier": "wid=10", "emailSetting": "None" });
    let done = world.run(JobKind::Export, order).await.succeeded();
    assert_eq!((done.counters.success, done.counters.error), (2, 1), "b, and the archive: {}", done.text());
    assert!(done.text().contains("the stored file was changed or damaged since it came in"), "{}", done.text());
    let done = publish(&world, IMAGE_SERVING, "Full").await;
    assert_eq!((done.counters.success, done.counters.error), (2, 0), "{}", done.text());
    assert_eq!(read(world.published().join("a.tif")), good);
    assert_eq!(read(&path), good, "the stored one is sound again");
    world.check_apart();
}

/// Readers go on to see what they saw, as long as it is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_stays_while_its_stored_file_is_damaged() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    publish(&world, SERVER_DIRECTORY, "").await;
    let path = world.master("a").await;
    let good = read(&path);
    overwrite(&path, &spoilt(&good, true));
    upload(&world, &[("b.jpg", 22)]).await;
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    assert_eq!(read(world.tree("server-directory").join("a.jpg")), good);
    // Changed where it is published as well, there is nothing right left of it.
    overwrite(&world.tree("server-directory").join("a.jpg"), &spoilt(&good, false));
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!((done.counters.error, done.counters.transfer_error), (1, 1), "{}", done.text());
    assert_eq!(world.paths_in("server-directory"), ["b.jpg"]);
    let counted = world.query("SELECT file_count FROM publish_context WHERE kind = 'ServerDirectory'").await;
    assert_eq!(counted, [[json!(1)]]);
    // It is uploaded again.
    world.put("in/a.jpg", &good);
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    world.run(JobKind::UploadDirectory, order).await.succeeded();
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    assert_eq!(read(world.tree("server-directory").join("a.jpg")), good);
    world.check_apart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_becomes_free_is_given_by_the_next_publish() {
    let world = World::new().await;
    world.put("in/shoe", b"a file without an ending");
    world.put("in/sub/a.jpg", &jpeg(24, 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    // A folder is to be where the file is.
    let id = asset(&world, "a").await;
    world.store.create_folder(world.company, "shoe".into(), crate::publish::change(&world).at).await.unwrap();
    for moved in world.store.move_assets(crate::publish::change(&world), vec![(id, "shoe".into())]).await.unwrap() {
        moved.unwrap();
    }
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(done.counters.error, 1, "{}", done.text());
    let trashed = vec![asset(&world, "shoe").await];
    world.store.trash_assets(crate::publish::change(&world), trashed).await.unwrap();
    publish(&world, SERVER_DIRECTORY, "").await;
    let done = publish(&world, SERVER_DIRECTORY, "").await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    assert_eq!(world.paths_in("server-directory"), ["shoe/a.jpg"]);
}

/// Database, stored files and mark came from one backup, and the trees stayed as they were: only they know that there were
/// later publishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_of_a_later_time_than_the_database_are_made_anew() {
    let world = World::new().await;
    for (name, seed) in [("a.jpg", 1), ("b.jpg", 2)] {
        upload(&world, &[(name, seed)]).await;
        publish(&world, IMAGE_SERVING, "Incremental").await;
    }
    world
        .execute("CREATE TABLE kept_context AS SELECT * FROM publish_context; CREATE TABLE kept_rows AS SELECT * FROM publication")
        .await;
    upload(&world, &[("secret.jpg", 3)]).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    mark(&world, "secret", PublishState::NotMarkedForPublish).await;
    publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(world.published_names(), ["a.tif", "b.tif"]);
    world
        .execute(
            "DELETE FROM publication; INSERT INTO publication SELECT * FROM kept_rows; DELETE FROM asset WHERE name = 'secret';
             UPDATE publish_context SET (publish_seq, side_a_seq, side_b_seq, shown_seq, told_seq, scanned_seq, file_count, live_side) =
                 (SELECT publish_seq, side_a_seq, side_b_seq, shown_seq, told_seq, scanned_seq, file_count, live_side
                  FROM kept_context k WHERE k.id = publish_context.id)",
        )
        .await;
    let mut names = vec!["a.tif".to_owned(), "b.tif".to_owned()];
    for (at, name) in ["c", "d", "e"].into_iter().enumerate() {
        upload(&world, &[(&format!("{name}.jpg"), 10 + at as u8)]).await;
        let done = publish(&world, IMAGE_SERVING, "Incremental").await;
        names.push(format!("{name}.tif"));
        assert_eq!(world.published_names(), names, "{}", done.text());
        assert_eq!(done.codes().contains(&"publish-trees-newer"), at == 0, "{}", done.text());
        assert_eq!(done.counters.warning, i64::from(at == 0), "{}", done.text());
    }
    assert!(world.store.restored().await.unwrap().is_some(), "nothing is removed until that is settled");
    for file in world.files_of_both("image-serving") {
        assert!(!file.ends_with("secret.tif"), "{}", file.display());
    }
}

/// Somebody moved a folder of the tree that is written to next, and left a link in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_through_a_link_in_the_place_of_a_folder() {
    let world = World::new().await;
    for name in ["one", "two"] {
        world.put(&format!("texts/{name}.txt"), name.as_bytes());
        world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
        publish(&world, IMAGE_SERVING, "Incremental").await;
    }
    let live = fs::canonicalize(world.published()).unwrap();
    let letter = if live.ends_with(".Acme.a") { 'b' } else { 'a' };
    let (folder, moved) = (world.side("image-serving", letter).join("content"), world.folder.path().join("moved"));
    fs::rename(&folder, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &folder).unwrap();
    let before = fs::read_dir(&moved).unwrap().count();
    world.put("texts/three.txt", b"three");
    world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
    let done = publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(fs::read_dir(&moved).unwrap().count(), before, "{}", done.text());
    assert!(!folder.is_symlink());
    assert_eq!(world.published_names(), ["content/one.txt", "content/three.txt", "content/two.txt"]);
    let told = "content in ImageServing was put there by somebody, and by no publish: it is removed.";
    assert_eq!(done.text().matches(told).count(), 1, "{}", done.text());
}

/// A Full that is killed may have given readers what it made and not noted that the other tree is as somebody left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_full_publish_mended_stays_so_when_it_is_killed_and_passed() {
    let (mut given, mut ended_at) = (0, None);
    // How often it waits differs from run to run.
    for waits in (0..8).flat_map(|_| 1..400) {
        if given > 0 && waits == 1 {
            break;
        }
        if ended_at.is_some_and(|ended_at| waits > ended_at) {
            continue;
        }
        let world = World::new().await;
        for name in ["one", "two"] {
            world.put(&format!("texts/{name}.txt"), name.as_bytes());
            world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
            publish(&world, IMAGE_SERVING, "Incremental").await;
        }
        let live = fs::canonicalize(world.published()).unwrap();
        fs::write(live.join("stranger.txt"), "somebody's").unwrap();
        fs::write(live.join("content/one.txt"), "bad").unwrap();
        let is_right = || {
            let one = fs::read(world.published().join("content/one.txt"));
            one.is_ok_and(|one| one == b"one") && !world.published().join("stranger.txt").exists()
        };
        let was_given = Cell::new(false);
        let meanwhile = async || {
            was_given.set(is_right());
            world.put("texts/three.txt", b"three");
            world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
            publish(&world, IMAGE_SERVING, "Incremental").await;
            assert!(is_right() || !was_given.get(), "{waits}: it came back");
        };
        let order = json!({ "publishType": "Full", "emailSetting": "None" });
        let (done, was_broken_off) = world.run_in_two(IMAGE_SERVING, order, Moment::Waits(waits), meanwhile).await;
        done.succeeded();
        if !was_broken_off {
            ended_at = Some(waits);
            continue;
        }
        assert!(is_right(), "{waits}: the second attempt mends it");
        given += usize::from(was_given.get());
    }
    assert!(given > 0, "it was never killed after it had given readers what it made");
}

/// An operator moves a tree to another disk, and links it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_the_place_of_a_tree_is_told_and_costs_readers_nothing() {
    let world = World::new().await;
    for name in ["one", "two"] {
        world.put(&format!("texts/{name}.txt"), name.as_bytes());
        world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
        publish(&world, IMAGE_SERVING, "Incremental").await;
    }
    let live = fs::canonicalize(world.published()).unwrap();
    let tree = world.side("image-serving", if live.ends_with(".Acme.a") { 'b' } else { 'a' });
    let moved = world.folder.path().join("moved");
    fs::rename(&tree, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &tree).unwrap();
    world.put("texts/three.txt", b"three");
    world.run(JobKind::UploadDirectory, directory("texts")).await.succeeded();
    let done = publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(world.published_names(), ["content/one.txt", "content/three.txt", "content/two.txt"]);
    assert!(done.text().contains("was put there by somebody, and by no publish"), "{}", done.text());
}

/// A disk of its own for published files.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, bytes: u64) -> Self {
        fs::create_dir_all(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(at).status();
        assert!(
            mounted.unwrap().success(),
            "this test mounts a tmpfs: run it as root, in a container with CAP_SYS_ADMIN"
        );
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Half of what is marked fits. What was brought for it is in the way once other assets are marked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_brought_to_a_full_disk_and_is_not_wanted_any_more_makes_room() {
    use prepress::clock::Clock;
    use prepress::executors::{Failure, Registry};
    use prepress::store::jobs::attempt::Release;
    let world = World::new().await;
    for seed in 0..12 {
        world.put(&format!("in/p{seed}.jpg"), &jpeg(300, seed));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let bytes = world.query("SELECT sum((bytes + 4095) / 4096 * 4096) FROM derived WHERE role = 'Pyramid'").await[0][0]
        .as_i64();
    let _disk = Disk::mount(&world.settings.publish_root, bytes.unwrap().unsigned_abs() * 6 / 10);
    let tray = world.settings.publish_root.join("image-serving/.Acme.in");

    world.submit(IMAGE_SERVING, json!({ "publishType": "Incremental", "emailSetting": "None" })).await;
    let attempt = async || {
        let claimed = world.claim().await;
        let context = world.context(&claimed, tokio_util::sync::CancellationToken::new());
        (claimed.fence, world.registry().executor(&claimed.spec).run(&context).await)
    };
    let (fence, full) = attempt().await;
    assert_eq!(full, Err(Failure::DiskFull));
    let now = world.clock.now();
    world.store.release_attempt(fence, Release::DiskFull { not_before: now }, now).await.unwrap();
    let brought: Vec<String> =
        fs::read_dir(&tray).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let made = world
        .query("SELECT a.name, d.blob FROM derived d JOIN asset a ON a.id = d.asset_id WHERE role = 'Pyramid'")
        .await;
    let named = |row: &Vec<serde_json::Value>| row[0].as_str().unwrap().to_owned();
    let is_brought = |row: &&Vec<serde_json::Value>| brought.iter().any(|blob| row[1] == blob.as_str());
    let there: Vec<String> = made.iter().filter(is_brought).map(named).collect();
    assert!(there.len() > 4 && there.len() < 10, "{there:?}");
    for name in &there {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
    }
    let (fence, done) = attempt().await;
    world.finish(fence, done, 2).await.succeeded();
    assert_eq!(world.published_names().len(), made.len() - there.len());
}

/// A company leaves out most of what it had: no transaction takes long, and nothing of it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_much_that_left_is_forgotten_in_parts() {
    let world = World::new().await;
    for (name, seed) in [("a.jpg", 1), ("b.jpg", 2)] {
        upload(&world, &[(name, seed)]).await;
        publish(&world, IMAGE_SERVING, "Incremental").await;
    }
    world
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO publication (context_id, file_name, asset_id, blob, bytes, present, seq, published_at)
             SELECT (SELECT id FROM publish_context WHERE kind = 'ImageServing'), 'gone-' || i, 1, 'x', 1, 0, 1, 0 FROM n",
        )
        .await;
    upload(&world, &[("c.jpg", 3)]).await;
    let done = publish(&world, IMAGE_SERVING, "Incremental").await;
    assert_eq!(world.query("SELECT count(*) FROM publication WHERE present = 0").await, [[json!(0)]]);
    assert_eq!(world.published_names(), ["a.tif", "b.tif", "c.tif"]);
    assert!(done.items.iter().any(|item| item.starts_with("/forgotten:")), "{:?}", done.items);
}
