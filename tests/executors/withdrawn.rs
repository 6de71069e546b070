//! What is taken from readers stays taken, with all that depends on it: a document and its pages, a set and its members, marks and
//! the parts that follow them.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use prepress::model::asset::{AssetType, PublishState};
use prepress::model::id::AssetId;
use prepress::model::kind::JobKind;
use prepress::store::assets::sets::Member;
use serde_json::{Value, json};

use crate::layers::{full, poster};
use crate::pages::{booklet, encrypted};
use crate::photoshop_file::{LayerOf, Psd};
use crate::publish::{asset, change, mark};
use crate::sets::COLOURS;
use crate::videos::{film, preset};
use crate::world::{Done, Moment, World, directory, jpeg, moments, read, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;
const SERVER_DIRECTORY: JobKind = JobKind::ServerDirectoryPublish;
const RENDERING: JobKind = JobKind::ImageRenderingPublish;

async fn publish(world: &World, kind: JobKind) {
    world.run(kind, json!({ "emailSetting": "None" })).await.succeeded();
}

/// Names in the tree of image servers after an incremental publish.
async fn served(world: &World) -> Vec<String> {
    let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, order).await.succeeded();
    world.paths_in("image-serving")
}

async fn upload(world: &World, name: &str, bytes: &[u8], more: Value) -> Done {
    let _ = fs::remove_dir_all(world.ingest("in"));
    world.put(&format!("in/{name}"), bytes);
    world.run(UPLOAD, with(with(directory("in"), json!({ "overwrite": true })), more)).await.succeeded()
}

fn pdf_options() -> Value {
    json!({ "pdfOptions": { "process": "Rasterize", "resolution": 36 } })
}

fn layer_options() -> Value {
    json!({ "photoshopOptions": { "process": "MaintainLayers", "layerOptions": { "createTemplate": true } } })
}

fn keeps(preserve: bool, ready: bool) -> Value {
    json!({ "preservePublishState": preserve, "readyForPublish": ready })
}

/// The three pages of a book.
fn three() -> Vec<u8> {
    booklet(&["one", "two", "three"], &[])
}

/// What becomes of an asset that a user deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Trashed,
    Emptied,
    /// Cleanup has taken the row.
    Removed,
}

pub async fn withdraw(world: &World, name: &str, way: Way) {
    let gone = vec![asset(world, name).await];
    world.store.trash_assets(change(world), gone.clone()).await.unwrap().remove(0).unwrap();
    if way != Way::Trashed {
        world.store.empty_trash(change(world), gone.clone()).await.unwrap().remove(0).unwrap();
    }
    if way == Way::Removed {
        // The newest asset is never removed.
        world.put("newer/newer.jpg", &jpeg(8, 77));
        world.run(UPLOAD, with(directory("newer"), json!({ "readyForPublish": false }))).await.succeeded();
        world.run(JobKind::Cleanup, json!({})).await.succeeded();
        assert!(world.store.assets_numbered(world.company, &gone).await.unwrap().is_empty(), "{name} is still there");
    }
}

/// Names of what is marked somewhere and not in the trash.
async fn marked(world: &World) -> Vec<String> {
    let rows = world
        .query(
            "SELECT DISTINCT a.name FROM asset a JOIN publish_mark m ON m.asset_id = a.id AND m.marked = 1
             WHERE a.trash_state = 'NotInTrash' ORDER BY 1",
        )
        .await;
    rows.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

async fn unmark_all(world: &World) {
    for name in marked(world).await {
        mark(world, &name, PublishState::NotMarkedForPublish).await;
    }
}

/// Keys of parts that are not in the trash.
async fn parts(world: &World) -> Vec<String> {
    let rows =
        world.query("SELECT part FROM asset WHERE part IS NOT NULL AND trash_state = 'NotInTrash' ORDER BY 1").await;
    rows.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

fn times_told(done: &Done, code: &str) -> usize {
    done.codes().iter().filter(|told| **told == code).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_drawn_of_a_file_that_is_gone_stays_a_picture() {
    for (name, file, bytes, options) in
        [("doc", "doc.pdf", three(), pdf_options()), ("ad", "ad.psd", poster().bytes(), layer_options())]
    {
        let world = World::new().await;
        upload(&world, file, &bytes, options).await;
        publish(&world, SERVER_DIRECTORY).await;
        let mut pictures = world.paths_in("server-directory");
        assert!(pictures.contains(&file.to_owned()), "{pictures:?}");
        pictures.retain(|path| path != file);
        withdraw(&world, name, Way::Emptied).await;
        publish(&world, SERVER_DIRECTORY).await;
        assert_eq!(world.paths_in("server-directory"), pictures, "{file}");
        // Its row goes, and then somebody touches what was made of it.
        world.run(JobKind::Cleanup, json!({})).await.succeeded();
        let orphans = world.query("SELECT id FROM asset WHERE parent_id IS NULL AND file_name <> ''").await;
        let orphans: Vec<AssetId> = orphans.iter().map(|row| AssetId(row[0].as_i64().unwrap())).collect();
        assert!(orphans.len() >= 3, "{file} is still there");
        publish(&world, SERVER_DIRECTORY).await;
        assert_eq!(world.paths_in("server-directory"), pictures, "{file}");
        world.store.force_republish(change(&world), orphans, true).await.unwrap();
        publish(&world, SERVER_DIRECTORY).await;
        assert_eq!(world.paths_in("server-directory"), pictures, "{file}");
        for path in &pictures {
            let published = read(world.tree("server-directory").join(PathBuf::from(path)));
            assert!(published != bytes, "{path} is {file}");
        }
    }
}

/// An earlier version published the whole document for each of its pages. They cannot be drawn again where it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_document_stays_for_a_page_that_cannot_be_made() {
    let world = World::new().await;
    upload(&world, "doc.pdf", &three(), pdf_options()).await;
    publish(&world, SERVER_DIRECTORY).await;
    withdraw(&world, "doc", Way::Emptied).await;
    publish(&world, SERVER_DIRECTORY).await;
    for statement in [
        "UPDATE publication SET file_name = replace(file_name, '.tif', '.pdf'), blob = (SELECT a.blob FROM asset a WHERE a.id = asset_id)
         WHERE present = 1 AND file_name LIKE 'doc-1%'",
        "UPDATE derived SET recipe = 'another' WHERE asset_id IN (SELECT id FROM asset WHERE name LIKE 'doc-%')",
        "UPDATE company SET change_seq = change_seq + 1",
        "UPDATE asset SET change_seq = (SELECT max(change_seq) FROM company) WHERE name LIKE 'doc-%'",
    ] {
        world.execute(statement).await;
    }
    let done = world.run(SERVER_DIRECTORY, json!({ "emailSetting": "None" })).await.succeeded();
    let there =
        world.query("SELECT file_name FROM publication WHERE present = 1 AND file_name LIKE 'doc%' ORDER BY 1").await;
    let names = ["doc-2.tif", "doc-3.tif", "doc-catalog.json"].map(|name| [json!(name)]);
    assert_eq!(there, names, "{}", done.text());
    assert!(done.counters.error > 0, "and it is said that the pages cannot be made: {}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_published_with_a_set_alone_leaves_with_it() {
    for way in [Way::Emptied, Way::Removed] {
        for is_nested in [false, true] {
            let world = World::new().await;
            for (seed, name) in ["m1", "m2"].into_iter().enumerate() {
                upload(&world, &format!("{name}.jpg"), &jpeg(20, seed as u8), keeps(false, false)).await;
            }
            let members = vec![Member::of(asset(&world, "m1").await), Member::of(asset(&world, "m2").await)];
            let inner = world.set("in", "inner", AssetType::ImageSet, members, !is_nested).await;
            if is_nested {
                world.set("in", "outer", AssetType::ImageSet, vec![Member::of(inner)], true).await;
            }
            publish(&world, RENDERING).await;
            assert_eq!(world.paths_in("image-rendering"), ["m1.tif", "m2.tif"]);
            withdraw(&world, if is_nested { "outer" } else { "inner" }, way).await;
            publish(&world, RENDERING).await;
            assert_eq!(world.paths_in("image-rendering"), Vec::<String>::new(), "{way:?}, nested: {is_nested}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_do_not_pass_through_what_lies_in_the_trash() {
    let world = World::new().await;
    upload(&world, "m1.jpg", &jpeg(20, 1), keeps(false, false)).await;
    let inner = world.set("in", "inner", AssetType::ImageSet, vec![Member::of(asset(&world, "m1").await)], false).await;
    world.set("in", "outer", AssetType::ImageSet, vec![Member::of(inner)], false).await;
    withdraw(&world, "inner", Way::Trashed).await;
    mark(&world, "outer", PublishState::MarkedForPublish).await;
    assert_eq!(marked(&world).await, ["outer"]);
    upload(&world, "ad.psd", &poster().bytes(), layer_options()).await;
    world.set("in", "ads", AssetType::ImageSet, vec![Member::of(asset(&world, "ad").await)], false).await;
    unmark_all(&world).await;
    withdraw(&world, "ad", Way::Trashed).await;
    mark(&world, "ads", PublishState::MarkedForPublish).await;
    assert_eq!(marked(&world).await, ["ads"], "the layers of what is in the trash");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_is_shown_by_another_picture_when_its_own_is_given_up() {
    let world = World::new().await;
    for (seed, name) in ["first", "thumb"].into_iter().enumerate() {
        upload(&world, &format!("{name}.jpg"), &jpeg(20, seed as u8), json!({})).await;
    }
    let (first, thumb) = (asset(&world, "first").await, asset(&world, "thumb").await);
    let shown = world.set("in", "shown", AssetType::ImageSet, vec![Member::of(first)], true).await;
    world.execute(format!("UPDATE set_detail SET thumb_id = {thumb} WHERE set_id = {shown}")).await;
    world
        .execute(format!("INSERT INTO set_detail (set_id, thumb_id) VALUES ({shown}, {thumb}) ON CONFLICT DO NOTHING"))
        .await;
    let media = world.set("in", "media", AssetType::AssetSet, vec![Member::of(shown)], true).await;
    world.execute(format!("INSERT INTO set_detail (set_id) VALUES ({media}) ON CONFLICT DO NOTHING")).await;
    world
        .execute(format!(
            "UPDATE set_detail SET definition = '${{getThumbCatalogId([a|{shown}])}}' WHERE set_id = {media}"
        ))
        .await;
    let definition = |world: &World| -> Value {
        let text = read(world.tree("image-serving").join("media.json"));
        serde_json::from_slice::<Value>(&text).unwrap()["definition"].clone()
    };
    served(&world).await;
    let before = definition(&world);
    assert!(before.as_str().unwrap().ends_with("thumb"), "{before}");
    withdraw(&world, "thumb", Way::Emptied).await;
    served(&world).await;
    let after = definition(&world);
    assert!(after.as_str().unwrap().ends_with("first"), "{after}");
}

/// A job makes parts of a file, which is deleted at each of many moments: none is made after that, and one line says so.
async fn deleted_at_many_moments(
    way: Way,
    moments: impl Iterator<Item = Moment>,
    name: &str,
    order: impl AsyncFn(&World) -> Value,
    last: &str,
) {
    let mut told = 0;
    for moment in moments {
        let world = World::new().await;
        let order = order(&world).await;
        let there = RefCell::new(None);
        let meanwhile = async || {
            if world.store.asset_named(world.company, name).await.unwrap().is_some() {
                let made = parts(&world).await;
                withdraw(&world, name, way).await;
                // Until then more may have been made; and of what is removed nothing is a part.
                *there.borrow_mut() = Some((parts(&world).await, made));
            }
        };
        let (done, was_broken_off) = world.run_broken_off(UPLOAD, order, moment, meanwhile).await;
        let what = format!("{way:?} at {moment:?}: {}", done.text());
        assert_eq!(done.result, Ok(()), "{what}");
        if !was_broken_off {
            break;
        }
        let Some((left, made)) = there.take() else { continue };
        assert_eq!(parts(&world).await, left, "{what}: of {made:?}");
        let is_whole = done.codes().contains(&last);
        let said = times_told(&done, "parts-withdrawn");
        // There is a moment at which all is made and not all is said.
        assert!(said == usize::from(!is_whole) || (is_whole && said == 1), "{what}");
        assert_eq!(times_told(&done, "parts-outdated"), 0, "{what}");
        assert!(is_whole || done.counters.warning > 0, "{what}");
        told += usize::from(!is_whole);
    }
    assert!(told > 0, "{way:?}: {name} was never deleted while its parts were made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_made_of_a_document_that_was_deleted_meanwhile() {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let order = async |world: &World| {
        world.put("in/book.pdf", &booklet(&words, &[]));
        with(directory("in"), pdf_options())
    };
    for way in [Way::Trashed, Way::Emptied, Way::Removed] {
        deleted_at_many_moments(
            way,
            moments(9, "SELECT 1 FROM asset WHERE name = 'book'"),
            "book",
            order,
            "catalog-processed",
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_layer_is_made_of_a_file_that_was_deleted_meanwhile() {
    let order = async |world: &World| {
        world.put("in/ad.psd", &poster().bytes());
        with(directory("in"), layer_options())
    };
    deleted_at_many_moments(
        Way::Trashed,
        moments(9, "SELECT 1 FROM asset WHERE name = 'ad'"),
        "ad",
        order,
        "template-processed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rendition_is_made_of_a_film_that_was_deleted_meanwhile() {
    let bytes = film("32x32", 1);
    let order = async |world: &World| {
        world.put("in/film.mp4", &bytes);
        let presets = [preset(world, "a", &[("width", "16")]).await, preset(world, "b", &[]).await];
        with(directory("in"), json!({ "mediaOptions": { "videoEncodingPresetsArray": presets } }))
    };
    deleted_at_many_moments(
        Way::Emptied,
        moments(4, "SELECT 1 FROM asset WHERE name = 'film'"),
        "film",
        order,
        "set-created",
    )
    .await;
}

/// Pages that are there and show another document than their asset has.
const STALE: &str = "SELECT a.name FROM asset a JOIN asset p ON p.id = a.parent_id AND p.blob <> a.made_of
     WHERE a.trash_state = 'NotInTrash'";

async fn stale(world: &World) -> Vec<Vec<Value>> {
    world.query(STALE).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_document_before_go_with_the_one_that_was_deleted_before_it_was_drawn() {
    let (mut undrawn, mut told) = (0, 0);
    for moment in moments(3, STALE) {
        let world = World::new().await;
        upload(&world, "book.pdf", &three(), pdf_options()).await;
        let before = world.store.asset_named(world.company, "book").await.unwrap().unwrap().master.blob;
        world.put("in/book.pdf", &booklet(&["uno", "due"], &[]));
        let was_filed = Cell::new(false);
        let meanwhile = async || {
            let now = world.store.asset_named(world.company, "book").await.unwrap().unwrap().master.blob;
            if now != before {
                was_filed.set(true);
                undrawn += usize::from(stale(&world).await.len() == 4);
                withdraw(&world, "book", Way::Trashed).await;
            }
        };
        let order = with(with(directory("in"), json!({ "overwrite": true })), pdf_options());
        let (done, was_broken_off) = world.run_in_two(UPLOAD, order, moment, meanwhile).await;
        let what = format!("{moment:?}: {}", done.text());
        assert_eq!(done.result, Ok(()), "{what}");
        if !was_broken_off {
            break;
        }
        assert_eq!(stale(&world).await, Vec::<Vec<Value>>::new(), "{what}");
        if was_filed.get() {
            let is_whole = done.items.iter().any(|item| item.ends_with("\nend"));
            assert_eq!(times_told(&done, "parts-withdrawn"), usize::from(!is_whole), "{what}");
            told += times_told(&done, "parts-of-earlier-gone");
        }
        if undrawn > 1 && told > 2 {
            break;
        }
    }
    assert!(undrawn > 0 && told > 0, "the document was never deleted before it was drawn: {undrawn}, {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_of_scripts_are_marked_by_the_rule_of_their_job() {
    let all = ["cc-1-1", "cc-1-2", "cc-1-3", "cc-1-SET"];
    let none = Vec::<&str>::new();
    for (more, expected, code) in [
        (json!({ "readyForPublish": true }), none.clone(), Some("set-marks-kept")),
        (keeps(true, true), none.clone(), Some("set-marks-kept")),
        (keeps(true, false), none.clone(), None),
        (keeps(false, true), vec!["cc-1-1", "cc-1-SET"], Some("set-marked")),
        (keeps(false, false), none.clone(), None),
    ] {
        let world = World::new().await;
        let script = world.script("Colours", COLOURS).await;
        for (seed, name) in all[..3].iter().enumerate() {
            world.put(&format!("all/{name}.jpg"), &jpeg(16, seed as u8));
        }
        let by_script = json!({ "autoSetCreationOptions": { "autoSetsArray": [script] } });
        world.run(UPLOAD, with(directory("all"), by_script.clone())).await.succeeded();
        assert_eq!(marked(&world).await, all);
        unmark_all(&world).await;
        assert_eq!(served(&world).await, Vec::<String>::new());
        // The same file again.
        let done = upload(&world, "cc-1-1.jpg", &jpeg(16, 0), with(by_script.clone(), more.clone())).await;
        let what = format!("{more}: {}", done.text());
        assert_eq!(marked(&world).await, expected, "{what}");
        let said: Vec<&str> = done.codes().into_iter().filter(|code| code.starts_with("set-mark")).collect();
        assert_eq!(said, Vec::from_iter(code), "{what}");
        assert_eq!(served(&world).await.is_empty(), expected.is_empty(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_is_marked_is_unmarked_by_an_order_that_does_not_keep_marks() {
    let world = World::new().await;
    let script = world.script("Colours", COLOURS).await;
    let by_script = json!({ "autoSetCreationOptions": { "autoSetsArray": [script] } });
    upload(&world, "cc-1-1.jpg", &jpeg(16, 0), by_script.clone()).await;
    upload(&world, "cc-1-2.jpg", &jpeg(16, 1), by_script.clone()).await;
    assert_eq!(marked(&world).await, ["cc-1-1", "cc-1-2", "cc-1-SET"]);
    let done = upload(&world, "cc-1-2.jpg", &jpeg(16, 1), with(by_script, keeps(false, false))).await;
    assert_eq!(marked(&world).await, ["cc-1-1"], "{}", done.text());
    assert!(done.text().contains("Set cc-1-SET is not marked for publishing any more."), "{}", done.text());
    assert_eq!(served(&world).await, ["cc-1-1.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_of_parts_follow_the_order_whether_or_not_they_are_made_again() {
    let book = ["book", "book-1", "book-2", "book-3", "book-catalog"];
    // Replaced by what cannot be drawn.
    let world = World::new().await;
    upload(&world, "book.pdf", &three(), pdf_options()).await;
    assert_eq!(marked(&world).await, book);
    let done = upload(&world, "book.pdf", &encrypted(), with(pdf_options(), keeps(false, false))).await;
    assert_eq!(marked(&world).await, Vec::<String>::new(), "{}", done.text());
    assert_eq!(served(&world).await, Vec::<String>::new());
    // The same file, or the same once more, without a word about its parts.
    for (name, file, bytes, options) in
        [("book", "book.pdf", three(), pdf_options()), ("ad", "ad.psd", poster().bytes(), layer_options())]
    {
        for by_upload in [true, false] {
            let world = World::new().await;
            upload(&world, file, &bytes, options.clone()).await;
            let all = marked(&world).await;
            assert!(all.len() > 3, "{all:?}");
            let again = async |more: Value| {
                if by_upload {
                    return upload(&world, file, &bytes, more).await;
                }
                let handle = format!("a|{}", asset(&world, name).await);
                let order = json!({ "assetHandleArray": [handle], "emailSetting": "None" });
                world.run(JobKind::ReprocessAssets, with(order, more)).await.succeeded()
            };
            served(&world).await;
            for (more, expected) in [
                (keeps(true, false), all.clone()),
                (keeps(false, false), Vec::new()),
                (keeps(true, true), Vec::new()),
                (keeps(false, true), all.clone()),
            ] {
                again(more.clone()).await;
                assert_eq!(marked(&world).await, expected, "{file}, upload: {by_upload}, {more}");
                assert_eq!(served(&world).await.is_empty(), expected.is_empty(), "{file}, upload: {by_upload}, {more}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_out_of_the_trash_is_marked_as_if_it_were_new() {
    let world = World::new().await;
    upload(&world, "book.pdf", &three(), pdf_options()).await;
    upload(&world, "book.pdf", &booklet(&["uno", "due"], &[]), pdf_options()).await;
    unmark_all(&world).await;
    let done = upload(&world, "book.pdf", &three(), pdf_options()).await;
    assert_eq!(parts(&world).await, ["catalog", "page:1", "page:2", "page:3"]);
    assert_eq!(marked(&world).await, Vec::<String>::new(), "{}", done.text());
    // What lay in the trash was unmarked with the document.
    assert_eq!(times_told(&done, "part-came-back"), 1, "{}", done.text());
    assert!(done.text().contains("JobInfo: book-3 was in the trash and came out of it"), "{}", done.text());
    // The set of the pages as well.
    withdraw(&world, "book-catalog", Way::Trashed).await;
    mark(&world, "book", PublishState::MarkedForPublish).await;
    let order = json!({ "pdfHandleArray": [format!("a|{}", asset(&world, "book").await)], "emailSetting": "None" });
    withdraw(&world, "book-2", Way::Trashed).await;
    let done = world.run(JobKind::RipPdfs, with(order, pdf_options())).await.succeeded();
    let log = done.text();
    for name in ["book-2", "book-catalog"] {
        assert!(log.contains(&format!("{name} was in the trash and came out of it")), "{log}");
    }
    assert_eq!(times_told(&done, "part-came-back"), 2, "{log}");
    assert_eq!(done.counters.warning, 0, "{log}");
}

/// A document that loses a page and has it again does not publish what somebody had withdrawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_unmarked_does_not_come_back_through_the_trash() {
    for preserve in [true, false] {
        let world = World::new().await;
        upload(&world, "book.pdf", &three(), pdf_options()).await;
        mark(&world, "book-3", PublishState::NotMarkedForPublish).await;
        let again = async |bytes: &[u8]| {
            let done = upload(&world, "book.pdf", bytes, with(pdf_options(), keeps(preserve, true))).await;
            (marked(&world).await, done.text())
        };
        // Of a document with fewer pages another may have the number of one that was unmarked.
        let (_, log) = again(&booklet(&["uno", "due"], &[])).await;
        assert!(!preserve || log.contains("book.pdf does not have all pages or layers that it had before"), "{log}");
        let (marks, log) = again(&three()).await;
        let mut expected = vec!["book", "book-1", "book-2", "book-3", "book-catalog"];
        expected.retain(|name| !preserve || *name != "book-3");
        assert_eq!(marks, expected, "{log}");
        let is_said =
            log.contains("book-3 was in the trash and came out of it, because it was made again. It is not marked");
        assert_eq!(is_said, preserve, "{log}");
    }
}

/// A document is unmarked, and its pages are public by themselves: one that it loses and has again keeps its mark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_of_parts_stay_where_only_their_document_is_unmarked() {
    let shorter = booklet(&["uno", "due"], &[]);
    let longer = booklet(&["one", "two", "three", "four"], &[]);
    let pages =
        |more| with(json!({ "pdfOptions": { "process": "Rasterize", "resolution": 36, "pdfCatalog": false } }), more);
    for is_withdrawn in [false, true] {
        let world = World::new().await;
        let again = async |bytes: &[u8]| upload(&world, "book.pdf", bytes, pages(keeps(true, true))).await;
        again(&three()).await;
        mark(&world, "book", PublishState::NotMarkedForPublish).await;
        if is_withdrawn {
            again(&shorter).await;
            // Whoever withdraws all that is to be seen does not mean to publish what comes back.
            for name in ["book-1", "book-2"] {
                mark(&world, name, PublishState::NotMarkedForPublish).await;
            }
        } else {
            assert_eq!(served(&world).await, ["book-1.tif", "book-2.tif", "book-3.tif"]);
            again(&shorter).await;
        }
        let done = again(&longer).await;
        let log = done.text();
        let expected: &[&str] = if is_withdrawn { &[] } else { &["book-1.tif", "book-2.tif", "book-3.tif"] };
        assert_eq!(served(&world).await, expected, "{log}");
        assert_eq!(times_told(&done, "part-came-back-lost-marks"), usize::from(is_withdrawn), "{log}");
        assert!(log.contains("book-4 is not marked for publishing, though the order calls it ready"), "{log}");
    }
}

/// Whoever unmarks a document means what of it lies in the trash, too: nobody sees that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_in_the_trash_is_unmarked_with_its_document() {
    let world = World::new().await;
    upload(&world, "book.pdf", &three(), with(pdf_options(), keeps(true, true))).await;
    for name in ["book-1", "book-2", "book-3", "book-catalog"] {
        withdraw(&world, name, Way::Trashed).await;
    }
    mark(&world, "book", PublishState::NotMarkedForPublish).await;
    assert_eq!(served(&world).await, Vec::<String>::new());
    let done = upload(&world, "book.pdf", &three(), with(pdf_options(), keeps(true, true))).await;
    assert_eq!(served(&world).await, Vec::<String>::new(), "{}", done.text());
}

/// Layers that no program has numbered are not known by their places alone: a mark is not handed on to another picture.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_layer_stays_so_where_layers_move() {
    let colors = [("Red", [200, 0, 0]), ("Green", [0, 200, 0]), ("Secret", [0, 0, 200])];
    let file = |names: &[&str], with_numbers: bool| {
        let layers = colors.iter().zip(7..).filter(|((name, _), _)| names.contains(name));
        let layer = |((name, color), id): (&(&str, [u8; 3]), u32)| LayerOf {
            id: with_numbers.then_some(id),
            ..full(name, (id as i32, 0, 9, 9), *color)
        };
        Psd::rgb((32, 16), layers.map(layer).collect()).bytes()
    };
    let plain = || json!({ "photoshopOptions": { "process": "MaintainLayers" } });
    for (before, after, way) in [
        (false, false, None),
        (true, false, None),
        (false, true, None),
        (false, false, Some(Way::Emptied)),
        (false, false, Some(Way::Removed)),
        (false, true, Some(Way::Removed)),
    ] {
        let world = World::new().await;
        let again = async |names: &[&str], with_numbers| {
            let order = with(plain(), keeps(true, true));
            upload(&world, "ad.psd", &file(names, with_numbers), order).await.text()
        };
        again(&["Red", "Green", "Secret"], before).await;
        mark(&world, "ad_Secret", PublishState::NotMarkedForPublish).await;
        assert_eq!(served(&world).await, ["ad.tif", "ad_Green.tif", "ad_Red.tif"]);
        if let Some(way) = way {
            withdraw(&world, "ad_Secret", way).await;
        }
        let log = again(&["Red", "Secret"], after).await;
        assert_eq!(served(&world).await, ["ad.tif", "ad_Red.tif"], "{before} {after} {way:?}: {log}");
        let log = again(&["Red", "Green", "Secret"], after).await;
        assert_eq!(served(&world).await, ["ad.tif", "ad_Green.tif", "ad_Red.tif"], "{before} {after} {way:?}: {log}");
    }
}

/// A mark that is not there for another reason than somebody's word on that page is no reason to keep the page back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_unmarked_comes_back_as_its_document() {
    let all = ["book", "book-1", "book-2", "book-3", "book-catalog"];
    let shorter = booklet(&["uno", "due"], &[]);
    for reason in ["forced", "ordered", "returned", "meant with it"] {
        let world = World::new().await;
        let again = async |bytes: &[u8], more| upload(&world, "book.pdf", bytes, with(pdf_options(), more)).await;
        again(&three(), keeps(false, reason != "forced")).await;
        match reason {
            "forced" => {
                let book = vec![asset(&world, "book").await];
                world.store.force_republish(change(&world), book, true).await.unwrap().remove(0).unwrap();
            }
            "ordered" => drop(again(&three(), keeps(false, false)).await),
            "returned" => {
                mark(&world, "book", PublishState::NotMarkedForPublish).await;
                again(&shorter, keeps(true, true)).await;
                again(&three(), keeps(true, true)).await;
            }
            _ => mark(&world, "book-3", PublishState::NotMarkedForPublish).await,
        }
        again(&shorter, keeps(true, true)).await;
        mark(&world, "book", PublishState::MarkedForPublish).await;
        let done = again(&three(), keeps(true, true)).await;
        assert_eq!(marked(&world).await, all, "{reason}: {}", done.text());
        assert!(!done.text().contains("It is not marked"), "{reason}: {}", done.text());
    }
}

/// Another asset is made in the place of a page that somebody had unmarked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_in_the_place_of_what_somebody_unmarked_is_not_public() {
    for way in ["replaced", "emptied", "removed"] {
        // Without a set that shows them.
        let pages = || json!({ "pdfOptions": { "process": "Rasterize", "resolution": 36, "pdfCatalog": false } });
        let world = World::new().await;
        upload(&world, "book.pdf", &three(), pages()).await;
        mark(&world, "book-2", PublishState::NotMarkedForPublish).await;
        assert!(!served(&world).await.contains(&"book-2.tif".to_owned()));
        match way {
            "replaced" => drop(upload(&world, "book-2.pdf", &booklet(&["mine"], &[]), keeps(false, false)).await),
            "emptied" => withdraw(&world, "book-2", Way::Emptied).await,
            _ => withdraw(&world, "book-2", Way::Removed).await,
        }
        let made = if way == "replaced" { "book-2-1" } else { "book-2" };
        let again = async |more| upload(&world, "book.pdf", &three(), with(pages(), more)).await.text();
        let said =
            format!("JobInfo: {made} is not marked for publishing everywhere that the asset is that it was made from");
        let log = again(keeps(true, true)).await;
        assert!(log.contains(&said), "{way}: {log}");
        let is_public = async |name: &str| served(&world).await.contains(&format!("{name}.tif"));
        assert!(!is_public(made).await && is_public("book-3").await, "{way}");
        let log = again(keeps(true, true)).await;
        assert!(!is_public(made).await, "{way}: {log}");
        // Somebody who marks the document means its pages.
        mark(&world, "book", PublishState::MarkedForPublish).await;
        assert!(is_public(made).await, "{way}");
    }
}

fn profile(name: &str) -> Vec<u8> {
    read(PathBuf::from(format!("/usr/share/color/icc/ghostscript/{name}.icc")))
}

/// What a picture is made with is one of its neighbours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_with_a_profile_is_published_as_the_profile_is() {
    let world = World::new().await;
    upload(&world, "prof.icc", &profile("a98"), json!({})).await;
    let prof = asset(&world, "prof").await;
    let by_profile = json!({ "colorManagementOptions": {
        "colorManagement": "Convert", "sourceProfileHandle": format!("a|{prof}") } });
    upload(&world, "shoe.jpg", &jpeg(64, 3), by_profile).await;
    let publish = async |kind: &str| {
        let order = json!({ "publishType": kind, "emailSetting": "None" });
        let done = world.run(JobKind::ImageServingPublish, order).await.succeeded();
        let rows = "SELECT blob FROM publication WHERE file_name = 'shoe.tif' AND present = 1";
        (world.query(rows).await, done)
    };
    let (first, _) = publish("Incremental").await;
    upload(&world, "prof.icc", &profile("rommrgb"), json!({})).await;
    let (second, done) = publish("Incremental").await;
    assert_ne!(first, second, "{}", done.text());
    assert_eq!(publish("Full").await.0, second);
    // Without it the picture stays as it is, and each publish says so, until it is back.
    withdraw(&world, "prof", Way::Trashed).await;
    for _ in 0..3 {
        let (rows, done) = publish("Incremental").await;
        let said = format!("the colour profile a|{prof} that it is made with is no longer there");
        assert!(done.text().contains(&said) && done.counters.error == 1, "{}", done.text());
        assert_eq!(rows, second);
    }
    world.store.restore_assets(change(&world), vec![prof]).await.unwrap().remove(0).unwrap();
    for _ in 0..2 {
        let (rows, done) = publish("Incremental").await;
        assert_eq!((rows, done.counters.error), (second.clone(), 0), "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_page_is_marked_as_its_document_by_whichever_job() {
    for ready in [true, false] {
        let world = World::new().await;
        upload(&world, "book.pdf", &three(), json!({ "readyForPublish": ready })).await;
        let order = json!({ "pdfHandleArray": [format!("a|{}", asset(&world, "book").await)], "emailSetting": "None" });
        world.run(JobKind::RipPdfs, with(order, pdf_options())).await.succeeded();
        let all = ["book", "book-1", "book-2", "book-3", "book-catalog"];
        assert_eq!(marked(&world).await, if ready { all.to_vec() } else { Vec::new() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lies_in_the_trash_takes_no_cell_of_a_spin() {
    let world = World::new().await;
    let values = [
        ("setType", "MultiAxisSpinSet"),
        ("match", r"(\w+)-\w+-\w+"),
        ("row", r"\w+-(\d+)-\w+"),
        ("column", r"\w+-\w+-(\d+)"),
    ];
    let script = world.script("Globe", &values).await;
    let by_script = json!({ "autoSetCreationOptions": { "autoSetsArray": [script] } });
    for (seed, name) in ["spin-01-01", "spin-01-02", "spin-02-01"].iter().enumerate() {
        world.put(&format!("all/{name}.jpg"), &jpeg(16, seed as u8));
    }
    world.run(UPLOAD, with(directory("all"), by_script.clone())).await.succeeded();
    let dead = asset(&world, "spin-01-02").await;
    withdraw(&world, "spin-01-02", Way::Trashed).await;
    // The same cell under another name.
    let done = upload(&world, "spin-1-2.jpg", &jpeg(16, 9), by_script).await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    assert!(done.text().contains("Set spin was updated and has 3 members."), "{}", done.text());
    let cells = "SELECT a.name, s.row, s.col FROM set_member s JOIN asset a ON a.id = s.asset_id ORDER BY s.position";
    let expected = json!([["spin-01-01", 0, 0], ["spin-1-2", 0, 1], ["spin-02-01", 1, 0], ["spin-01-02", null, null]]);
    assert_eq!(json!(world.query(cells).await), expected);
    let definition = world.query("SELECT definition FROM set_detail WHERE definition IS NOT NULL").await;
    assert!(!definition[0][0].as_str().unwrap().contains(&format!("a|{dead}|")), "{definition:?}");
    // It may come back.
    world.store.restore_assets(change(&world), vec![dead]).await.unwrap().remove(0).unwrap();
    let set = asset(&world, "spin").await;
    assert_eq!(world.store.set_members(world.company, set).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_that_is_another_in_an_archive_has_its_line() {
    let world = World::new().await;
    let names = ["CON", "_CON", "STRASSE", "straße", "plain"];
    for (seed, name) in names.iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(16, seed as u8));
    }
    world.run(UPLOAD, directory("in")).await.succeeded();
    let mut handles = Vec::new();
    for name in names {
        handles.push(format!("a|{}", asset(&world, name).await));
    }
    let order = json!({ "assetHandleArray": handles, "fmt": "orig", "emailSetting": "None" });
    let done = world.run(JobKind::Export, order).await.succeeded();
    let log = done.text();
    for line in [
        "Acme/CON.jpg is called _CON.jpg in the archive, because Windows cannot unpack a file called CON.jpg.",
        "Acme/_CON.jpg is called _CON-1.jpg in the archive, because another file there is called _CON.jpg",
        "Acme/straße.jpg is called straße-1.jpg in the archive, because another file there is called straße.jpg",
    ] {
        assert!(log.contains(line), "{line}\n in \n{log}");
    }
    assert_eq!(done.counters.warning, 3, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_says_nothing_of_a_page_costs_that_page() {
    let folder = tempfile::tempdir().unwrap();
    let (script, started) = (folder.path().join("prepress"), folder.path().join("started"));
    // Says nothing of pages, and after too many times that it does not want to be asked any more.
    let text = format!(
        "#!/bin/sh\nif [ -f orders ] && grep -q '\"Draw\"' orders; then\n  echo x >> {count}\n  [ $(wc -l < {count}) -lt 20 ]\n  exit\nfi\nexec {binary} \"$@\"\n",
        count = started.display(),
        binary = env!("CARGO_BIN_EXE_prepress"),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let world = World::with(|settings| settings.binary = script.clone()).await;
    let done = upload(&world, "book.pdf", &three(), pdf_options()).await;
    let log = done.text();
    for page in 1..=3 {
        let line =
            format!("Page {page} of book.pdf could not be drawn: the program that draws it ended without a word");
        assert!(log.contains(&line), "{log}");
    }
    assert_eq!(fs::read_to_string(started).unwrap().lines().count(), 3, "{log}");
}
