//! Files of one name: equal content, other content, and names that become one only by cleaning.

use prepress::assets::blobs::Blobs;
use prepress::executors::Registry;
use prepress::model::asset::AssetType;
use prepress::model::kind::JobKind;
use prepress::model::outcome::Counters;
use prepress::model::overwrite::SameName;
use prepress::store::assets::sets::Member;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::urls::serve_bytes;
use crate::world::{Done, World, directory, jpeg, png, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// Codes of the lines about files that were not taken in.
fn skipped(done: &Done) -> Vec<(String, Value)> {
    let lines = done.lines.iter().filter(|line| line.log_type == "DuplicateSkipped");
    lines.map(|line| (line.code.clone(), line.params["file"].clone())).collect()
}

fn counted(done: &Done) -> (i64, i64, i64) {
    (done.counters.success, done.counters.duplicate, done.counters.left_out)
}

/// Every asset, with what must not change when nothing has changed.
async fn assets(world: &World) -> Vec<Vec<Value>> {
    world.query("SELECT name, id, file_name, folder_id, blob, change_seq FROM asset ORDER BY name").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cards_of_a_camera_are_not_taken_for_one() {
    let world = World::new().await;
    let (first, second) = (jpeg(64, 1), jpeg(65, 2));
    world.put("in/A/IMG_0001.JPG", &first);
    world.put("in/B/IMG_0001.JPG", &second);
    world.put("in/C/IMG_0001.JPG", &first);
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let text = done.text();
    assert_eq!(counted(&done), (1, 2, 1), "{text}");
    assert_eq!(
        skipped(&done),
        [
            ("duplicate-left-out-apart".to_owned(), json!("B/IMG_0001.JPG")),
            ("duplicate-skipped".to_owned(), json!("C/IMG_0001.JPG"))
        ],
        "{text}"
    );
    // The line names both: what was left out, and what is there.
    let line = text.lines().find(|line| line.contains("B/IMG_0001.JPG")).unwrap();
    assert!(line.contains("was left out: Acme/A/IMG_0001.jpg has its name and other content ("), "{line}");
    assert!(line.contains(" 2026, "), "{line}");

    // Again, and the good content under yet another name of the same size.
    let again = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!((counted(&again), skipped(&again).len()), ((0, 3, 1), 3), "{}", again.text());
    let mut other = first.clone();
    *other.last_mut().unwrap() ^= 1;
    world.put("more/IMG_0001.JPG", &other);
    let done = world.run(UPLOAD, directory("more")).await.succeeded();
    assert_eq!(counted(&done), (0, 1, 1), "equal sizes are no equal content: {}", done.text());
    assert!(!world.blobs.contains(&Blobs::id_of(&other)), "what is only compared is not stored");
}

/// The line of a file that is left out says what helps, and nothing that does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_advised_helps() {
    let world = World::new().await;
    world.put("in/member.jpg", &jpeg(24, 1));
    world.run(UPLOAD, directory("in")).await.succeeded();
    let member = world.store.asset_named(world.company, "member").await.unwrap().unwrap().id;
    world.set("Sets", "shoe", AssetType::SpinSet, vec![Member::of(member)], true).await;
    for (seed, (file, code, said)) in (10..).zip([
        (
            "shoe.jpg",
            "duplicate-left-out-set",
            "Acme/Sets/shoe has its name and is a set, or another asset without a file",
        ),
        ("member.jpg", "duplicate-left-out", "Overwrite it, or number such files"),
        (
            "deep/member.jpg",
            "duplicate-left-out-apart",
            "The company's overwrite mode, OverwriteFullName, replaces no such",
        ),
        ("member.png", "duplicate-left-out-apart", "The company's overwrite mode, OverwriteFullName, replaces no such"),
    ]) {
        let folder = format!("of {code} {}", file.replace('/', " "));
        let picture = if file.ends_with("png") { png(20, seed) } else { jpeg(20, seed) };
        world.put(&format!("{folder}/{file}"), &picture);
        let done = world.run(UPLOAD, directory(&folder)).await.succeeded();
        assert_eq!(skipped(&done), [(code.to_owned(), json!(file))], "{}", done.text());
        assert_eq!(counted(&done), (0, 1, 1), "{}", done.text());
        let text = done.text();
        assert!(text.contains(said) && text.contains("number such files"), "{text}");
        assert_eq!(text.contains("Overwrite it"), code == "duplicate-left-out", "{text}");
        // Overwriting does what the line says of it, and numbers are given where they are asked for.
        let overwritten = world.run(UPLOAD, with(directory(&folder), json!({ "overwrite": true }))).await.succeeded();
        let expected = if code == "duplicate-left-out" { (0, 1) } else { (1, 0) };
        let Counters { success, update, .. } = overwritten.counters;
        assert_eq!((success, update), expected, "{}", overwritten.text());
        world.put(&format!("{folder}/{file}"), &[picture.clone(), b"more".to_vec()].concat());
        let numbered = world.run(UPLOAD, with(directory(&folder), json!({ "sameName": "number" }))).await.succeeded();
        assert_eq!((numbered.counters.success, numbered.counters.left_out), (1, 0), "{}", numbered.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_and_archives_are_compared_as_well() {
    let world = World::with(|settings| settings.reachable = |_| true).await;
    world.put("in/shoe.jpg", &jpeg(24, 1));
    world.run(UPLOAD, directory("in")).await.succeeded();
    // The address goes to another folder than the file, and the archive to the same.
    for (picture, [of_address, of_member], expected) in [
        (jpeg(24, 1), ["duplicate-skipped", "duplicate-skipped"], (0, 1, 0)),
        (jpeg(24, 2), ["duplicate-left-out-apart", "duplicate-left-out"], (0, 1, 1)),
    ] {
        let url = serve_bytes(picture.clone()).await;
        let order = json!({
            "urlArray": [{ "sourceUrl": url, "destPath": "Elsewhere/shoe.jpg" }], "overwrite": false,
            "readyForPublish": true, "emailSetting": "None"
        });
        let done = world.run(JobKind::UploadUrls, order).await.succeeded();
        assert_eq!((counted(&done), skipped(&done)[0].0.as_str()), (expected, of_address), "{}", done.text());

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shoe.jpg"), picture).unwrap();
        let zip = world.ingest("packed/all.zip");
        std::fs::create_dir_all(zip.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&zip);
        let packed =
            std::process::Command::new("zip").arg("-qr").arg(&zip).arg(".").current_dir(folder.path()).status();
        assert!(packed.unwrap().success());
        let order = with(directory("packed"), json!({ "unCompressOptions": { "process": "UnCompress" } }));
        let done = world.run(UPLOAD, order).await.succeeded();
        assert_eq!(counted(&done), expected, "{}", done.text());
        assert_eq!(skipped(&done), [(of_member.to_owned(), json!("all.zip/shoe.jpg"))], "{}", done.text());
    }
    assert_eq!(world.asset_names().await, ["shoe"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_content_gets_a_number_where_somebody_wants_it_so() {
    let world = World::new().await;
    let number = with(directory("in"), json!({ "sameName": "number" }));
    world.put("in/A/IMG.jpg", &jpeg(32, 1));
    world.put("in/B/IMG.jpg", &jpeg(32, 2));
    let done = world.run(UPLOAD, number.clone()).await.succeeded();
    assert_eq!(counted(&done), (2, 0, 0), "{}", done.text());
    let line = "UploadWarning: B/IMG.jpg was stored as IMG-1, because IMG is taken.";
    assert!(done.text().contains(line), "{}", done.text());
    let before = assets(&world).await;
    // The same folder again, however it is asked for.
    for order in [number.clone(), directory("in")] {
        let done = world.run(UPLOAD, order).await.succeeded();
        assert_eq!(counted(&done), (0, 2, 0), "{}", done.text());
        assert_eq!(assets(&world).await, before);
    }
    // The company says so, and the job otherwise.
    world.put("in/B/IMG.jpg", &jpeg(32, 3));
    world.store.set_same_name(world.company, Some(SameName::Number)).await.unwrap();
    let done = world.run(UPLOAD, with(directory("in"), json!({ "sameName": "skip" }))).await.succeeded();
    assert_eq!(counted(&done), (0, 2, 1), "{}", done.text());
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!(counted(&done), (1, 1, 0), "{}", done.text());
    assert_eq!(world.asset_names().await, ["IMG", "IMG-1", "IMG-2"]);
    // The configuration says so.
    let world = World::with(|settings| settings.ingest.same_name = SameName::Number).await;
    world.put("in/A/IMG.jpg", &jpeg(32, 1));
    world.put("in/B/IMG.jpg", &jpeg(32, 2));
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!(counted(&done), (2, 0, 0), "{}", done.text());
}

/// Pairs that cleaning makes one of, and the assets that they become: the one that needs no cleaning has the name, or else the
/// first in order.
const PAIRS: [(&str, &str, [&str; 2]); 5] = [
    ("c&d.jpg", "cd.jpg", ["cd-1", "cd"]),
    ("a+b.jpg", "a&b.jpg", ["ab-1", "ab"]),
    ("e\u{301}t\u{e9}.jpg", "\u{e9}t\u{e9}.jpg", ["été-1", "été"]),
    ("shoe.JPG", "shoe.jpg", ["shoe-1", "shoe"]),
    ("x&y/boot.jpg", "xy/boot.jpg", ["boot-1", "boot"]),
];

fn put_pairs(world: &World, night: u8) {
    for (seed, (one, other, _)) in (1..).zip(PAIRS) {
        world.put(&format!("in/{one}"), &jpeg(24 + u32::from(night), seed * 10));
        world.put(&format!("in/{other}"), &jpeg(24 + u32::from(night), seed * 10 + 1));
    }
}

/// Which content each asset of a pair has: that of the file it was made of.
async fn check_pairs(world: &World, said: &str) {
    let rows = world.query("SELECT name, blob FROM asset").await;
    assert_eq!(rows.len(), 2 * PAIRS.len(), "{said}");
    for (one, other, names) in PAIRS {
        for (name, file) in names.into_iter().zip([one, other]) {
            let blob = Blobs::id_of(&std::fs::read(world.ingest(&format!("in/{file}"))).unwrap());
            let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name}: {said}"));
            assert_eq!(row[1], blob, "{name} of {one} and {other}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_cleaning_makes_one_get_numbers_and_keep_them() {
    for overwrite in [false, true] {
        let world = World::new().await;
        let order = with(directory("in"), json!({ "overwrite": overwrite }));
        put_pairs(&world, 0);
        let done = world.run_with_crashes_after(3, UPLOAD, order.clone()).await.succeeded();
        let text = done.text();
        assert_eq!(counted(&done), (10, 0, 0), "{text}");
        check_pairs(&world, &text).await;
        assert_eq!(done.lines.iter().filter(|line| line.code == "name-shared").count(), PAIRS.len(), "{text}");
        let line = "UploadWarning: c&d.jpg was stored as cd-1: without the characters that a name may not have, cd.jpg of the \
                    same job is called cd as well.";
        assert!(text.contains(line), "{line}\n in \n{text}");

        // The same folder a second time.
        let before = assets(&world).await;
        let done = world.run(UPLOAD, order.clone()).await.succeeded();
        let expected = if overwrite { (0, 0, 0) } else { (0, 10, 0) };
        assert_eq!(counted(&done), expected, "{}", done.text());
        assert_eq!(done.counters.update, if overwrite { 10 } else { 0 }, "{}", done.text());
        if overwrite {
            // Each source changes its own asset, also in a run that is interrupted.
            put_pairs(&world, 1);
            let done = world.run_with_crashes_after(3, UPLOAD, order).await.succeeded();
            assert_eq!(done.counters.update, 10, "{}", done.text());
            check_pairs(&world, &done.text()).await;
        } else {
            assert_eq!(assets(&world).await, before, "nothing changed");
        }
    }
}

/// The number that one file gets is the name of another one of the job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_takes_the_asset_of_another_one_whose_number_it_is_called_by() {
    for (overwrite, files) in [
        (true, ["c&d.jpg", "cd-1.jpg", "cd.jpg"]),
        (false, ["c&d.jpg", "cd-1.jpg", "cd.jpg"]),
        (true, ["A/cd.jpg", "B/cd.jpg", "B/cd-1.jpg"]),
        (false, ["A/cd.jpg", "B/cd.jpg", "B/cd-1.jpg"]),
    ] {
        let world = World::new().await;
        let order = with(directory("in"), json!({ "overwrite": overwrite, "sameName": "number" }));
        let mut contents = Vec::new();
        for (seed, file) in (1..).zip(files) {
            world.put(&format!("in/{file}"), &jpeg(24, seed));
            contents.push(Blobs::id_of(&jpeg(24, seed)));
        }
        contents.sort();
        let mut names = Vec::new();
        for _ in 0..2 {
            let done = world.run_with_crashes_after(2, UPLOAD, order.clone()).await.succeeded();
            let rows = world.query("SELECT blob, name FROM asset ORDER BY blob").await;
            let kept: Vec<_> = rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
            assert_eq!(kept, contents, "{files:?} {overwrite}: {}", done.text());
            assert!(rows.iter().any(|row| row[1] == "cd"), "{}", done.text());
            // The same folder a second time changes none.
            assert!(names.is_empty() || names == rows, "{}", done.text());
            names = rows;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_file_of_the_name_joins_later_and_takes_nothing_away() {
    let world = World::new().await;
    let order = with(directory("in"), json!({ "overwrite": true }));
    // Only the one that comes later in the order, from before anybody noted sources.
    world.put("in/cd.jpg", &jpeg(24, 1));
    world.run(UPLOAD, order.clone()).await.succeeded();
    world.execute("UPDATE asset SET source_path = NULL, source_run = NULL, source_at = NULL").await;
    world.put("in/c&d.jpg", &jpeg(24, 2));
    for _ in 0..2 {
        let done = world.run(UPLOAD, order.clone()).await.succeeded();
        assert_eq!(world.asset_names().await, ["cd", "cd-1"], "{}", done.text());
        let blobs = world.query("SELECT blob FROM asset ORDER BY name").await;
        assert_eq!(
            blobs,
            [[json!(Blobs::id_of(&jpeg(24, 1)))], [json!(Blobs::id_of(&jpeg(24, 2)))]],
            "{}",
            done.text()
        );
    }
    // From one job to the next, a file may get another name: it is the same asset.
    std::fs::remove_file(world.ingest("in/c&d.jpg")).unwrap();
    std::fs::rename(world.ingest("in/cd.jpg"), world.ingest("in/c=d.jpg")).unwrap();
    let done = world.run(UPLOAD, order).await.succeeded();
    assert_eq!((done.counters.update, world.asset_names().await.len()), (1, 2), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_beside_the_file_whose_name_it_has_inside() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c&d.png"), png(24, 2)).unwrap();
    world.put("in/cd.jpg", &jpeg(24, 1));
    let zip = world.ingest("in/z.zip");
    let packed = std::process::Command::new("zip").arg("-qr").arg(&zip).arg(".").current_dir(folder.path()).status();
    assert!(packed.unwrap().success());
    let more = json!({ "unCompressOptions": { "process": "UnCompress" }, "overwrite": true });
    for _ in 0..2 {
        let done = world.run(UPLOAD, with(directory("in"), more.clone())).await.succeeded();
        let files = world.query("SELECT file_name FROM asset ORDER BY name").await;
        assert_eq!(files, [[json!("cd.jpg")], [json!("cd-1.png")]], "{}", done.text());
    }
}

/// Files are told apart by what their names are, and not by how those are shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_whose_names_look_the_same_are_two() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::new().await;
    let names: [&[u8]; 4] = [b"b\\xFE.jpg", b"b\xFE.jpg", b"line\nbreak.jpg", b"line\\x0Abreak.jpg"];
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    for (seed, name) in (1..).zip(names) {
        std::fs::write(world.ingest("in").join(OsStr::from_bytes(name)), jpeg(24, seed)).unwrap();
    }
    let order = with(directory("in"), json!({ "sameName": "number" }));
    for expected in [(4, 0, 0), (0, 4, 0)] {
        let done = world.run_with_crashes_after(2, UPLOAD, order.clone()).await.succeeded();
        assert_eq!(counted(&done), expected, "{}", done.text());
        assert_eq!(world.asset_names().await, ["bxFE", "bxFE-1", "linebreak", "linex0Abreak"], "{}", done.text());
    }
}

/// What is overwritten by a file of the same job is nowhere any more, and whoever uploaded it believes that it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_takes_the_place_of_another_one_of_its_job_has_a_warning() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shoe.jpg"), jpeg(24, 2)).unwrap();
    let zip = world.ingest("in/z.zip");
    std::fs::create_dir_all(zip.parent().unwrap()).unwrap();
    let packed = std::process::Command::new("zip").arg("-qr").arg(&zip).arg(".").current_dir(folder.path()).status();
    assert!(packed.unwrap().success());
    world.put("in/shoe.jpg", &jpeg(24, 1));
    world.put("in/A/hat.jpg", &jpeg(24, 3));
    world.put("in/B/hat.jpg", &jpeg(24, 4));
    world.put("in/C/hat.jpg", &jpeg(24, 4));
    world.execute("UPDATE company SET overwrite_mode = 'OverwriteFullNameAnyFolder'").await;
    let more = json!({ "unCompressOptions": { "process": "UnCompress" }, "overwrite": true });
    let order = with(directory("in"), more);
    for night in 0..2 {
        let done = world.run_with_crashes_after(2, UPLOAD, order.clone()).await.succeeded();
        let text = done.text();
        assert_eq!((world.asset_names().await.len(), done.counters.warning), (2, 2), "{text}");
        for (file, other) in [("z.zip/shoe.jpg", "shoe.jpg"), ("B/hat.jpg", "A/hat.jpg")] {
            let line = format!("UploadWarning: {file} took the place of {other}, which came in the same job");
            assert_eq!(text.matches(&line).count(), 1, "{night}: {line}\n in \n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_jobs_side_by_side_make_each_asset_once() {
    let world = World::new().await;
    put_pairs(&world, 0);
    let mut runs = Vec::new();
    for _ in 0..2 {
        world.submit(UPLOAD, directory("in")).await;
        let claimed = world.claim().await;
        let context = world.context(&claimed, CancellationToken::new());
        runs.push((claimed.fence, context, world.registry().executor(&claimed.spec)));
    }
    let (first, second) = tokio::join!(runs[0].2.run(&runs[0].1), runs[1].2.run(&runs[1].1));
    let mut counts = (0, 0, 0);
    for ((fence, ..), result) in runs.iter().zip([first, second]) {
        let done = world.finish(*fence, result, 1).await.succeeded();
        let (success, duplicate, left_out) = counted(&done);
        counts = (counts.0 + success, counts.1 + duplicate, counts.2 + left_out);
    }
    assert_eq!(counts, (10, 10, 0));
    check_pairs(&world, "side by side").await;
}
