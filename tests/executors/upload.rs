use std::os::unix::fs::symlink;

use prepress::executors::Failure;
use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::world::{World, directory, jpeg, png, with, words};

const UPLOAD: JobKind = JobKind::UploadDirectory;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_pictures_becomes_assets_with_pyramids() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(300, 1));
    world.put("in/Sommer/été.png", &png(40, 2));
    world.put("in/guide.txt", b"How to wear shoes.");
    let done = world.run(UPLOAD, with(directory("in"), json!({ "destFolder": "Acme/Catalog" }))).await.succeeded();
    assert_eq!(done.counters.success, 3, "{}", done.text());
    assert_eq!(done.counters.error + done.counters.warning, 0, "{}", done.text());
    let text = done.text();
    assert!(text.contains("UploadSuccess: Acme/Catalog/shoe.jpg was processed as Image ("), "{text}");
    assert!(text.contains("UploadSuccess: Acme/Catalog/Sommer/été.png was processed as Image ("), "{text}");
    assert!(text.contains("UploadSuccess: Acme/Catalog/guide.txt was processed as Asset (18 bytes)."), "{text}");
    assert_eq!(world.asset_names().await, ["guide", "shoe", "été"]);
    let derived = world
        .query("SELECT role, d.width FROM derived d JOIN asset a ON a.id = asset_id WHERE name = 'shoe' ORDER BY role")
        .await;
    assert_eq!(derived, [[json!("Pyramid"), json!(300)], [json!("Thumbnail"), json!(256)]]);
    let marks = world.query("SELECT count(*) FROM publish_mark WHERE marked = 1").await;
    assert_eq!(marks, [[json!(3 * 4)]]);
    let folders = world.query("SELECT path FROM folder WHERE company_id = 47 ORDER BY path").await;
    assert_eq!(folders, [[json!("")], [json!("Catalog")], [json!("Catalog/Sommer")]]);
    for row in world.query("SELECT blob FROM asset UNION ALL SELECT blob FROM derived").await {
        assert!(world.blobs.contains(row[0].as_str().unwrap()));
    }
    assert_eq!(done.items, ["Sommer/été.png", "guide.txt", "shoe.jpg"]);
    let source = world.query("SELECT json_int(result, 'bytes') FROM item WHERE key = 'guide.txt'").await;
    assert_eq!(source, [[json!(18)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_without_files_is_told() {
    let world = World::new().await;
    world.put("in/deeper/.keep", b"");
    let order = |only_if_files: bool| {
        let publish = json!({ "publishType": "Full", "emailSetting": "None" });
        json!({
            "serverDir": "in", "includeSubfolders": false, "emailSetting": "None",
            "postJobOnlyIfFiles": only_if_files, "postImageServingPublishJob": publish,
        })
    };
    let expected = world.run(UPLOAD, order(true)).await.succeeded();
    assert!(expected.text().contains("JobInfo: ") && expected.text().contains("holds no files"), "{}", expected.text());
    assert_eq!(expected.counters.warning, 0, "{}", expected.text());
    let told = world.run(UPLOAD, order(false)).await.succeeded();
    assert!(told.text().contains("/in holds no files to upload."), "{}", told.text());
    assert_eq!((told.counters.warning, told.counters.success), (1, 0), "{}", told.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_costs_its_own_line() {
    let world = World::with(|settings| settings.ingest.max_file_bytes = "20 kB".parse().unwrap()).await;
    let good = jpeg(64, 1);
    world.put("in/good.jpg", &good);
    world.put("in/truncated.jpg", &good[..good.len() / 2]);
    world.put("in/holed.jpg", &[&good[..good.len() * 2 / 3], &good[good.len() * 3 / 4..]].concat());
    world.put("in/empty.jpg", b"");
    world.put("in/large.bin", &vec![7; 20_001]);
    world.put("in/liar.png", &good);
    world.put("in/page.jpg", b"<html>not found</html>");
    world.put("in/%%%.jpg", &good);
    world.put("in/.DS_Store", b"x");
    world.put("in/Thumbs.db", b"x");
    world.put("in/.in.half.jpg.", b"x");
    world.put("in/a+b.jpg", &jpeg(64, 2));
    let name = "n".repeat(240) + ".jpg";
    world.put(&format!("in/{name}"), &good);
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (3, 7), "{text}");
    assert_eq!(world.asset_names().await, ["ab", "good", "liar"]);
    let lines = [
        "UploadError: truncated.jpg could not be processed: the file ends in the middle of its content.",
        "UploadError: holed.jpg could not be processed: the JPEG is damaged: ",
        ", noticed at row ",
        "UploadError: empty.jpg could not be processed: the file is empty.",
        "UploadError: large.bin could not be processed: 20 kB are more than the 20 kB allowed.",
        "UploadError: %%%.jpg could not be processed: nothing is left of its name",
        "could not be processed: its name is longer than 220 bytes of UTF-8.",
        "UploadWarning: liar.png is named .png but holds JPEG; it was taken as what it holds.",
        "UploadError: page.jpg could not be processed: it is not a picture, though it is named .jpg: it holds a web page.",
        "UploadWarning: .DS_Store was skipped: it is a file that",
        "UploadWarning: Thumbs.db was skipped",
        "UploadWarning: .in.half.jpg. was skipped",
        "UploadWarning: a+b.jpg is stored as ab.jpg",
    ];
    for line in lines {
        assert!(text.contains(line), "no line \"{line}\" in\n{text}");
    }
    assert_eq!(done.counters.warning, 5, "{text}");
}

/// What the database refuses it refuses in every attempt: it must not cost the files behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_costs_its_own_line() {
    let world = World::new().await;
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        world.put(&format!("in/{name}.jpg"), &jpeg(32, seed));
    }
    world
        .execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON derived
             WHEN (SELECT name FROM asset WHERE id = NEW.asset_id) = 'b' BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .await;
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (2, 1), "{text}");
    assert_eq!(world.asset_names().await, ["a", "c"], "nothing of it is left");
    assert!(text.contains("UploadError: b.jpg was left out: the database refused to write a derived file: "), "{text}");
    assert!(text.contains("not this one"), "{text}");
    assert!(done.items.contains(&"b.jpg".to_owned()), "it is not tried again: {:?}", done.items);
    let refused = world.query("SELECT strpos(result, '\"refused\":true') > 0 FROM item WHERE key = 'b.jpg'").await;
    assert_eq!(refused, [[json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_the_company_is_read() {
    let world = World::new().await;
    world.put("in/mine.jpg", &jpeg(32, 1));
    let rival = world.settings.ingest_root.join("Rival");
    std::fs::create_dir_all(&rival).unwrap();
    std::fs::write(rival.join("secret.jpg"), jpeg(32, 9)).unwrap();
    symlink("../../Rival", world.ingest("in/rival")).unwrap();
    symlink(rival.join("secret.jpg"), world.ingest("in/secret.jpg")).unwrap();
    symlink("..", world.ingest("in/loop")).unwrap();
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!(world.asset_names().await, ["mine"]);
    let text = done.text();
    assert!(text.contains("rival was skipped: it is a link that leads out of the company's folder."), "{text}");
    assert!(text.contains("secret.jpg was skipped: it is a link that leads out"), "{text}");
    assert!(text.contains("loop/in: the folder is part of the upload already"), "{text}");
    for server_dir in ["/etc", "in/rival", "Rival", "nowhere"] {
        let done = world.run(UPLOAD, directory(server_dir)).await;
        assert!(matches!(done.result, Err(Failure::Fatal(_))), "{server_dir}: {:?}", done.result);
    }
    let done = world.run(UPLOAD, directory("nowhere")).await;
    let Err(Failure::Fatal(message)) = done.result else { panic!("{:?}", done.result) };
    let text = words(&message);
    assert!(text.contains("nowhere does not exist"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwriting_follows_the_mode_of_the_company() {
    // Mode, and what becomes of: the same file, another extension, another folder.
    let table = [
        ("OverwriteFullName", ["FileUpdated", "UploadSuccess", "UploadSuccess"]),
        ("OverwriteAnyExt", ["FileUpdated", "FileUpdated", "UploadSuccess"]),
        ("OverwriteFullNameAnyFolder", ["FileUpdated", "UploadSuccess", "FileUpdated"]),
        ("OverwriteAnyExtAnyFolder", ["FileUpdated", "FileUpdated", "FileUpdated"]),
    ];
    for (mode, expected) in table {
        let world = World::new().await;
        world
            .store
            .change_settings(world.company, move |settings| settings.overwrite_mode = mode.parse().unwrap())
            .await
            .unwrap();
        world.put("first/shoe.jpg", &jpeg(32, 1));
        world.put("same/shoe.jpg", &jpeg(32, 2));
        world.put("other/shoe.png", &png(32, 3));
        world.run(UPLOAD, directory("first")).await.succeeded();
        let not_again = world.run(UPLOAD, directory("same")).await.succeeded();
        assert_eq!(not_again.of_type("DuplicateSkipped").len(), 1, "{}", not_again.text());
        assert_eq!((not_again.counters.duplicate, not_again.counters.left_out), (1, 1), "its content is another");
        let orders = [
            ("same", json!({ "overwrite": true })),
            ("other", json!({ "overwrite": true })),
            ("same", json!({ "overwrite": true, "destFolder": "Elsewhere" })),
        ];
        for ((folder, more), expected) in orders.into_iter().zip(expected) {
            // Each case begins with the same asset.
            world.execute("UPDATE asset SET file_name = 'shoe.jpg', folder_id = (SELECT id FROM folder WHERE company_id = 47 AND path = '') WHERE name = 'shoe'").await;
            let done = world.run(UPLOAD, with(directory(folder), more)).await.succeeded();
            assert_eq!(done.of_type(expected).len(), 1, "{mode} {folder}: {}", done.text());
            let updated = i64::from(expected == "FileUpdated");
            assert_eq!((done.counters.update, done.counters.success), (updated, 1 - updated));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overwritten_asset_keeps_its_mark_when_told_so() {
    for (preserve, ready, expected) in [(true, false, 1), (false, false, 0), (false, true, 1)] {
        let world = World::new().await;
        world.put("in/shoe.jpg", &jpeg(32, 1));
        world.run(UPLOAD, directory("in")).await.succeeded();
        world.put("in/shoe.jpg", &jpeg(32, 2));
        let more = json!({ "overwrite": true, "readyForPublish": ready, "preservePublishState": preserve });
        let done = world.run(UPLOAD, with(directory("in"), more)).await.succeeded();
        assert_eq!(done.of_type("FileUpdated").len(), 1, "{}", done.text());
        let marked = world.query("SELECT max(marked) FROM publish_mark").await;
        assert_eq!(marked, [[json!(expected)]], "{preserve} {ready}");
        let stale = world
            .query("SELECT count(*) FROM derived d JOIN asset a ON a.id = asset_id WHERE source_blob <> a.blob")
            .await;
        assert_eq!(stale, [[json!(0)]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_again_is_not_made_again() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(32, 1));
    world.run(UPLOAD, directory("in")).await.succeeded();
    let before = world.query("SELECT role, blob FROM derived ORDER BY role").await;
    let done = world.run(UPLOAD, with(directory("in"), json!({ "overwrite": true }))).await.succeeded();
    assert_eq!(done.counters.update, 1);
    assert_eq!(world.query("SELECT role, blob FROM derived ORDER BY role").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_without_effect_are_named_once() {
    let world = World::new().await;
    world.put("in/a.jpg", &jpeg(32, 1));
    world.put("in/b.jpg", &jpeg(32, 2));
    let more = json!({ "projectHandleArray": ["p|47|A"], "inDesignOptions": { "process": "Rasterize" } });
    let done = world.run(UPLOAD, with(directory("in"), more)).await.succeeded();
    let named: Vec<&Value> = done.of_type("UploadWarning").iter().map(|line| &line.params["option"]).collect();
    assert_eq!(named, ["inDesignOptions", "projectHandleArray"], "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_crashes_everywhere_does_each_file_once() {
    let world = World::new().await;
    for number in 0..6 {
        world.put(&format!("in/{number}.jpg"), &jpeg(24, number));
    }
    world.put("in/5/0.jpg", &jpeg(24, 77));
    world.put("in/broken.jpg", b"\xff\xd8\xff\xe0 no more");
    world.put("in/.DS_Store", b"x");
    let done = world.run_with_crashes(UPLOAD, directory("in")).await.succeeded();
    assert!(done.attempts > 8, "{}", done.attempts);
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.duplicate, done.counters.error), (6, 1, 1), "{text}");
    assert_eq!(done.of_type("UploadSuccess").len(), 6, "{text}");
    assert_eq!(done.of_type("UploadWarning").len(), 1, "{text}");
    assert_eq!(world.asset_names().await, ["0", "1", "2", "3", "4", "5"]);
    // Which of the two files called 0 came first is not up to chance.
    let duplicate = done.of_type("DuplicateSkipped");
    assert_eq!(duplicate[0].params["file"], "5/0.jpg", "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_files_finish() {
    let world = World::new().await;
    for number in 0..40 {
        world.put(&format!("in/{number}.jpg"), &jpeg(24, number));
    }
    world.submit(UPLOAD, directory("in")).await;
    let claimed = world.claim().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let context = world.context(&claimed, stop.clone());
    use prepress::executors::Registry;
    let executor = world.registry().executor(&claimed.spec);
    let first_commit = async {
        while world.query("SELECT 1 FROM item").await.is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(executor.run(&context), first_commit);
    assert_eq!(result, Err(Failure::Interrupted));
    let done = world.finish(claimed.fence, result, 1).await;
    assert!((1..40).contains(&done.items.len()), "{:?}", done.items);
    assert_eq!(done.counters.error, 0, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_files_are_a_thousand_assets() {
    let world = World::new().await;
    for number in 0..1000u32 {
        let seed = (number % 250) as u8;
        world.put(&format!("in/{}/{number}.jpg", number % 10), &jpeg(16 + number / 250, seed));
    }
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!(done.counters.success, 1000, "{}", done.text());
    assert_eq!(world.asset_names().await.len(), 1000);
}

/// A folder that is uploaded every night holds two files of one name, and one more in a subfolder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recurring_upload_finds_its_numbered_assets_again() {
    let modes = [
        ("OverwriteFullName", &["shoe", "shoe-1", "shoe-2"][..]),
        ("OverwriteAnyExt", &["shoe", "shoe-1"]),
        ("OverwriteFullNameAnyFolder", &["shoe", "shoe-1"]),
        ("OverwriteAnyExtAnyFolder", &["shoe"]),
    ];
    for (mode, expected) in modes {
        let world = World::new().await;
        world
            .store
            .change_settings(world.company, move |settings| settings.overwrite_mode = mode.parse().unwrap())
            .await
            .unwrap();
        let order = with(directory("in"), json!({ "overwrite": true, "includeSubfolders": true }));
        let mut handles = None;
        for night in 1..=3 {
            world.put("in/shoe.jpg", &jpeg(32, night));
            world.put("in/shoe.png", &png(32, night));
            world.put("in/sub/shoe.jpg", &jpeg(40, night));
            let done = world.run(UPLOAD, order.clone()).await.succeeded();
            assert_eq!(world.asset_names().await, expected, "{mode}, night {night}: {}", done.text());
            let assets = world.query("SELECT id, name, file_name, folder_id FROM asset ORDER BY id").await;
            assert_eq!(*handles.get_or_insert(assets.clone()), assets, "{mode}, night {night}");
            if night > 1 {
                assert_eq!((done.counters.update, done.counters.success), (3, 0), "{mode}: {}", done.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_name_lies_in_the_trash_gets_one_number_and_keeps_it() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(32, 1));
    world.run(UPLOAD, directory("in")).await.succeeded();
    world.execute("UPDATE asset SET trash_state = 'InTrash'").await;
    for overwrite in [true, false, true] {
        let done = world.run(UPLOAD, with(directory("in"), json!({ "overwrite": overwrite }))).await.succeeded();
        assert_eq!(world.asset_names().await, ["shoe", "shoe-1"], "{}", done.text());
        let file = world.query("SELECT file_name FROM asset WHERE name = 'shoe-1'").await;
        assert_eq!(file, [[json!("shoe-1.jpg")]]);
    }
    // The trash is emptied: the file stays what it has become.
    world.execute("DELETE FROM asset WHERE name = 'shoe'").await;
    let done = world.run(UPLOAD, with(directory("in"), json!({ "overwrite": true }))).await.succeeded();
    assert_eq!(world.asset_names().await, ["shoe-1"], "{}", done.text());
    // Renamed by hand it is no longer the file's, which begins anew.
    world.execute("UPDATE asset SET name = 'boot', file_name = 'boot.jpg', arrived_as = NULL").await;
    world.run(UPLOAD, with(directory("in"), json!({ "overwrite": true }))).await.succeeded();
    assert_eq!(world.asset_names().await, ["boot", "shoe"]);
}
