//! Files that ended the daemon, or may have: the marks of files in work, who is tried alone, and who not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::TimeDelta;
use prepress::assets::blobs::Blobs;
use prepress::assets::marks::{LeftBehind, MarkState, Marks, list};
use prepress::clock::Clock;
use prepress::executors::{Failure, Registry};
use prepress::model::id::InstanceId;
use prepress::model::kind::JobKind;
use prepress::store::condemned::CondemnedFile;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::pages::brochure;
use crate::photoshop_file::{LayerOf, Psd};
use crate::urls::serve_bytes;
use crate::videos::{self, film, preset};
use crate::world::{Done, World, directory, jpeg, png, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn condemn(world: &World, content: &str) {
    let file = CondemnedFile {
        content: content.to_owned(),
        file: "it.bin".to_owned(),
        company: world.company,
        run: InstanceId(1),
        at: world.clock.now(),
    };
    world.store.condemn_file(file).await.unwrap();
}

async fn one(world: &World, sql: &'static str) -> String {
    world.query(sql).await[0][0].as_str().unwrap().to_owned()
}

/// The handle of an asset.
async fn handle(world: &World, name: &str) -> String {
    let rows = world.query("SELECT id, name FROM asset").await;
    let row = rows.iter().find(|row| row[1] == name).unwrap();
    format!("a|{}", row[0])
}

/// Carries out a job whose files in work are marked.
async fn run_marked(world: &World, marks: &Marks, kind: JobKind, order: Value) -> Done {
    world.submit(kind, order).await;
    let claimed = world.claim().await;
    let context = world.context(&claimed, CancellationToken::new());
    let registry = world.registry().with_marks(marks.clone());
    let result = registry.executor(&claimed.spec).run(&context).await;
    world.finish(claimed.fence, result, 1).await
}

/// Each condemned file is an error of its own, which says what to do; whoever names its line.
#[track_caller]
fn refused(done: &Done, log_type: &str, content: &str) {
    let text = done.text();
    assert_eq!((&done.result, done.counters.error), (&Ok(()), 1), "{text}");
    let lines = done.of_type(log_type);
    let [line] = lines.as_slice() else { panic!("one {log_type}: {text}") };
    assert_eq!(line.params["reason"]["code"], "reason-condemned", "{text}");
    let clear = format!("prepress doctor --clear {}\"", &content[..16]);
    assert!(text.contains(&clear), "{clear} is not in\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_content_is_refused_under_every_name_and_the_same_name_with_other_content_is_not() {
    let world = World::new().await;
    let poison = jpeg(24, 1);
    let content = Blobs::id_of(&poison);
    condemn(&world, &content).await;
    world.put("in/other name.jpg", &poison);
    world.put("in/sub/it.jpg", &jpeg(24, 2));
    let done = world.run(UPLOAD, directory("in")).await;
    refused(&done, "UploadError", &content);
    assert_eq!((done.counters.success, world.asset_names().await), (1, vec!["it".to_owned()]), "{}", done.text());
    assert!(world.store.pardon_file(content.clone()).await.unwrap());
    let done = world.run(UPLOAD, directory("in")).await.succeeded();
    assert_eq!((done.counters.success, done.counters.error), (1, 0), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_and_their_members_and_sheets_are_files_like_others() {
    let world = World::new().await;
    let member = jpeg(24, 1);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.jpg"), &member).unwrap();
    std::fs::write(folder.path().join("good.jpg"), jpeg(24, 2)).unwrap();
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    let zip = world.ingest("in/all.zip");
    let members = ["bad.jpg", "good.jpg"].map(|name| folder.path().join(name));
    let packed = std::process::Command::new("zip").arg("-qj").arg(&zip).args(members).status().unwrap();
    assert!(packed.success());
    let order = with(directory("in"), json!({ "unCompressOptions": { "process": "UnCompress" } }));
    condemn(&world, &Blobs::id_of(&member)).await;
    let done = world.run(UPLOAD, order.clone()).await;
    refused(&done, "UploadError", &Blobs::id_of(&member));
    assert_eq!(world.asset_names().await, ["good"]);

    let archive = Blobs::id_of(&std::fs::read(&zip).unwrap());
    condemn(&world, &archive).await;
    let done = world.run(UPLOAD, order).await;
    refused(&done, "UploadError", &archive);
    std::fs::remove_file(&zip).unwrap();

    let sheet = b"id\tdc:subject\ngood\tblue\n";
    world.put("in/words.txt", sheet);
    world.put("in/more.txt", b"id\tdc:title\ngood\tGood\n");
    condemn(&world, &Blobs::id_of(sheet)).await;
    let done = world.run(UPLOAD, with(directory("in"), json!({ "processMetadataFiles": true }))).await;
    refused(&done, "UploadError", &Blobs::id_of(sheet));
    assert_eq!(done.of_type("MetadataSuccess").len(), 1, "the other one is heeded: {}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_already_is_not_touched_either() {
    let world = World::new().await;
    let shoe = jpeg(24, 1);
    world.put("in/shoe.jpg", &shoe);
    world.put("in/hat.png", &png(24, 2));
    world.put("in/book.pdf", &brochure());
    world.run(UPLOAD, directory("in")).await.succeeded();
    let (content, book) = (Blobs::id_of(&shoe), Blobs::id_of(&brochure()));
    let pyramid = one(
        &world,
        "SELECT d.blob FROM derived d JOIN asset a ON a.id = d.asset_id WHERE a.name = 'shoe' AND role = 'Pyramid'",
    )
    .await;
    for content in [&content, &book] {
        condemn(&world, content).await;
    }
    let handles = json!([handle(&world, "shoe").await, handle(&world, "hat").await]);
    let quiet = |order: Value| with(order, json!({ "emailSetting": "None" }));

    let order = quiet(json!({ "assetHandleArray": handles, "unsharpMaskOptions": { "amount": 1, "radius": 2 } }));
    let done = world.run(JobKind::ReprocessAssets, order).await;
    refused(&done, "ReoptimizeFailure", &content);
    assert_eq!(done.counters.success, 1, "{}", done.text());

    let order = quiet(json!({ "pdfHandleArray": [handle(&world, "book").await] }));
    refused(&world.run(JobKind::RipPdfs, order).await, "PdfRipError", &book);

    // An original is handed out as it lies there; a conversion is made of the pyramid, which is a file of its own.
    let originals = quiet(json!({ "assetHandleArray": handles, "fmt": "orig" }));
    assert_eq!(world.run(JobKind::Export, originals).await.succeeded().counters.error, 0);
    let converted = quiet(json!({ "assetHandleArray": handles, "fmt": "convert", "is_modifier": "wid=20&fmt=png" }));
    assert_eq!(world.run(JobKind::Export, converted.clone()).await.succeeded().counters.error, 0);
    condemn(&world, &pyramid).await;
    let done = world.run(JobKind::Export, converted).await;
    refused(&done, "ExportJobRenderFileError", &pyramid);

    world.execute("UPDATE derived SET recipe = 'old'").await;
    let done = world.run(JobKind::OptimizeImages, quiet(json!({}))).await;
    refused(&done, "ReoptimizeFailure", &content);
    assert_eq!(done.counters.success, 1, "{}", done.text());
    world.execute("UPDATE derived SET recipe = 'old'").await;
    let done = world.run(JobKind::ImageServingPublish, quiet(json!({ "publishType": "Full" }))).await;
    let text = done.text();
    assert!(done.result.is_ok() && text.contains(&format!("doctor --clear {}", &content[..16])), "{text}");
    assert!(world.published_names().contains(&"hat.tif".to_owned()), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_an_address_is_refused_like_what_lies_in_a_folder() {
    let world = World::with(|settings| settings.reachable = |_| true).await;
    let poison = jpeg(24, 1);
    condemn(&world, &Blobs::id_of(&poison)).await;
    let order = json!({
        "urlArray": [{ "sourceUrl": serve_bytes(poison.clone()).await, "destPath": "shoe.jpg" }], "overwrite": false,
        "readyForPublish": true, "emailSetting": "None"
    });
    refused(&world.run(JobKind::UploadUrls, order).await, "UploadError", &Blobs::id_of(&poison));
    assert_eq!(world.asset_names().await, Vec::<String>::new());
}

/// The file had become an asset when one of its parts ended the daemon, for the second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_file_that_ended_the_daemon_are_refused_and_those_of_others_made() {
    let world = World::new().await;
    let psd = |shade: u8| {
        let layer = |name: &str| LayerOf::painted(name, (0, 0, 16, 16), &[0, 1, 2], |_, _, _| shade);
        Psd::rgb((16, 16), vec![layer("One"), layer("Two")]).bytes()
    };
    let (poison, good, movie) = (psd(10), psd(20), film("160x90", 1));
    world.put("in/ad.psd", &poison);
    world.put("in/film.mp4", &movie);
    world.run(UPLOAD, directory("in")).await.succeeded();
    for content in [&poison, &movie] {
        condemn(&world, &Blobs::id_of(content)).await;
    }
    world.put("in/good.psd", &good);
    let presets = preset(&world, "Small", &[]).await;
    let mut order = videos::order(videos::by(&[&presets]));
    order["photoshopOptions"] =
        json!({ "process": "MaintainLayers", "layerOptions": { "layerNaming": "AppendNumber" } });
    world.submit(UPLOAD, order).await;
    let claimed = world.claim().await;
    world
        .execute(
            "INSERT INTO item (instance_id, key, result, done_at)
             SELECT (SELECT max(id) FROM instance), file_name, json_object('parent', id), 1 FROM asset
             WHERE file_name IN ('ad.psd', 'film.mp4')",
        )
        .await;
    let context = world.context(&claimed, CancellationToken::new());
    let result = world.registry().executor(&claimed.spec).run(&context).await;
    let done = world.finish(claimed.fence, result, 1).await;
    let text = done.text();
    assert_eq!((&done.result, done.counters.error), (&Ok(()), 2), "{text}");
    for content in [&poison, &movie] {
        let clear = format!("prepress doctor --clear {}\"", &Blobs::id_of(content)[..16]);
        assert_eq!(text.matches(&clear).count(), 1, "{clear}: {text}");
    }
    assert_eq!(world.asset_names().await, ["ad", "film", "good", "good_1", "good_2"], "{text}");
}

/// Marks of a daemon that was killed while it worked on these contents.
fn left_behind(world: &World, contents: &[&str]) -> (PathBuf, Marks, LeftBehind) {
    let folder = world.folder.path().join("work");
    std::fs::create_dir_all(&folder).unwrap();
    for content in contents {
        std::fs::write(folder.join(content), r#"{"file":"it.png","company":47,"run":1}"#).unwrap();
    }
    let (marks, left) = Marks::open(&folder).unwrap();
    (folder, marks, left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_suspect_is_tried_with_no_other_marked_file_in_work() {
    let mut world = World::new().await;
    world.settings.parallel = 4;
    let mut contents = Vec::new();
    for number in 0..12 {
        let picture = png(400, number);
        world.put(&format!("in/{number:02}.png"), &picture);
        contents.push(Blobs::id_of(&picture));
    }
    let (folder, marks, left) = left_behind(&world, &[&contents[3], &contents[6]]);
    assert_eq!(left.suspects, 2);
    let (is_over, alone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let watch = std::thread::spawn({
        let (is_over, alone, folder) = (is_over.clone(), alone.clone(), folder.clone());
        move || {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                let is_alone = |path: PathBuf| path.extension().is_some_and(|end| end == "alone");
                let now = || std::fs::read_dir(&folder).unwrap().find(|entry| is_alone(entry.as_ref().unwrap().path()));
                let Some(Ok(first)) = now() else {
                    most = most.max(list(&folder).unwrap().len());
                    continue;
                };
                let others = list(&folder).unwrap().into_iter().filter(|marked| marked.state == MarkState::InWork);
                let others = others.count();
                // It was alone before and after the look, and so in between.
                if first.path().exists() {
                    alone.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(others, 0, "{} is not alone", first.path().display());
                }
            }
            most
        }
    });
    let done = run_marked(&world, &marks, UPLOAD, directory("in")).await.succeeded();
    is_over.store(true, Ordering::Relaxed);
    let most = watch.join().unwrap();
    assert_eq!((done.counters.success, done.counters.error), (12, 0), "{}", done.text());
    assert!(alone.load(Ordering::Relaxed) > 0, "somebody was seen alone");
    assert!((1..=6).contains(&most), "{most} marks at a time, of 4 files in work and 2 suspects");
    assert_eq!(list(&folder).unwrap(), Vec::new(), "all are worked through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspect_that_is_not_worked_through_stays_one() {
    let world = World::new().await;
    let picture = png(24, 1);
    world.put("in/it.png", &picture);
    let (folder, marks, _) = left_behind(&world, &[&Blobs::id_of(&picture)]);
    // There is no place for what is made of it.
    std::fs::remove_dir_all(world.folder.path().join("blobs/tmp")).unwrap();
    let done = run_marked(&world, &marks, UPLOAD, directory("in")).await;
    assert!(matches!(done.result, Err(Failure::Transient(_))), "{:?}", done.result);
    std::fs::create_dir(world.folder.path().join("blobs/tmp")).unwrap();
    assert_eq!(list(&folder).unwrap()[0].state, MarkState::Suspect);
    run_marked(&world, &marks, UPLOAD, directory("in")).await.succeeded();
    assert_eq!(list(&folder).unwrap(), Vec::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_suspect_that_takes_long_lets_others_in_and_is_not_alone_any_more() {
    let mut world = World::new().await;
    world.settings.parallel = 3;
    let suspect = png(2500, 1);
    world.put("in/0.png", &suspect);
    (1..4).for_each(|number| world.put(&format!("in/{number}.png"), &png(1000, number)));
    let content = Blobs::id_of(&suspect);
    let (folder, marks, _) = left_behind(&world, &[&content]);
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let (is_over, clock) = (is_over.clone(), world.clock.clone());
        move || {
            let mut beside = 0;
            while !is_over.load(Ordering::Relaxed) {
                if folder.join(format!("{content}.alone")).exists() {
                    clock.advance(TimeDelta::minutes(1));
                }
                let all = list(&folder).unwrap();
                let let_in = all.iter().any(|marked| marked.state == MarkState::Suspect);
                beside += usize::from(let_in && all.iter().any(|marked| marked.state == MarkState::InWork));
                std::thread::yield_now();
            }
            (beside, list(&folder).unwrap())
        }
    });
    let done = run_marked(&world, &marks, UPLOAD, directory("in")).await.succeeded();
    is_over.store(true, Ordering::Relaxed);
    let (beside, left) = watch.join().unwrap();
    assert_eq!(done.counters.success, 4, "{}", done.text());
    assert!(beside > 0, "others were in work beside it");
    assert_eq!(left, Vec::new(), "it is worked through all the same");
}
