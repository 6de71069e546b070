//! Pages, layers and renditions are pieces of another asset's file. What becomes of them when a file comes under their names, and when
//! the file that they were made of changes, cannot be read or is gone for good.

use prepress::model::asset::{AssetType, PublishState};
use prepress::model::kind::JobKind;
use prepress::model::making::Making;
use prepress::store::pictures::KnownAsset;
use serde_json::{Value, json};

use crate::layers::poster;
use crate::pages::{booklet, encrypted};
use crate::publish::{asset, change, mark};
use crate::withdrawn::{Way, withdraw};
use crate::world::{Done, Moment, World, directory, jpeg, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn upload(world: &World, name: &str, bytes: &[u8], more: Value) -> Done {
    let _ = std::fs::remove_dir_all(world.ingest("in"));
    world.put(&format!("in/{name}"), bytes);
    world.run(UPLOAD, with(with(directory("in"), json!({ "overwrite": true })), more)).await.succeeded()
}

fn pdf_options() -> Value {
    json!({ "pdfOptions": { "process": "Rasterize", "resolution": 36 } })
}

fn layer_options() -> Value {
    json!({ "photoshopOptions": { "process": "MaintainLayers" } })
}

async fn known(world: &World, name: &str) -> KnownAsset {
    world.store.asset_named(world.company, name).await.unwrap().unwrap_or_else(|| panic!("no {name}"))
}

/// A file that brings forth pieces: its name, its bytes, what asks for them, and the name of one.
fn brought_forth() -> [(&'static str, &'static str, Vec<u8>, Value, &'static str); 2] {
    [
        ("book", "pdf", booklet(&["one", "two"], &[]), pdf_options(), "book-2"),
        ("ad", "psd", poster().bytes(), layer_options(), "ad_Seal"),
    ]
}

async fn parts_of(world: &World, parent: &str) -> Vec<String> {
    let parent = asset(world, parent).await;
    let rows = world
        .query("SELECT name, parent_id FROM asset WHERE part IS NOT NULL AND trash_state = 'NotInTrash' ORDER BY 1")
        .await;
    rows.into_iter().filter(|row| row[1] == parent.0).map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_under_the_name_of_its_own_piece_is_all_of_itself() {
    for (name, extension, bytes, options, piece) in brought_forth() {
        for is_alone in [false, true] {
            let world = World::new().await;
            upload(&world, &format!("{name}.{extension}"), &bytes, options.clone()).await;
            let whole = known(&world, name).await;
            let before = known(&world, piece).await;
            let pieces = parts_of(&world, name).await.len();
            if is_alone {
                withdraw(&world, name, Way::Removed).await;
            }
            let file = format!("{piece}.{extension}");
            let what = format!("{file}, alone: {is_alone}");
            let done = upload(&world, &file, &bytes, json!({})).await;
            assert_eq!(done.counters.update, 1, "{what}: {}", done.text());
            let told = format!("{piece} was made of {name} and is now an asset of its own.");
            assert_eq!(done.text().contains(&told), !is_alone, "{what}: {}", done.text());
            let now = known(&world, piece).await;
            assert_eq!((now.id, &now.master.blob), (before.id, &whole.master.blob), "{what}");
            assert_eq!(now.master.making, Making::default(), "{what}");
            assert_eq!(
                (now.master.asset_type, now.master.pixels),
                (whole.master.asset_type, whole.master.pixels),
                "{what}"
            );
            assert_eq!(now.master.facts, whole.master.facts, "{what}");
            let files = |known: &KnownAsset| -> Vec<String> {
                let role = |file: &prepress::store::assets::derived::Derived| file.role.as_str().to_owned();
                known.derived.iter().map(role).filter(|role| role != "Thumbnail" || extension == "psd").collect()
            };
            assert_eq!(files(&now), files(&whole), "{what}");
            // Now it has pieces of its own.
            let done = upload(&world, &file, &bytes, options.clone()).await;
            let own = parts_of(&world, piece).await;
            assert_eq!(own.len(), pieces, "{what}: {}", done.text());
            if !is_alone {
                let done = upload(&world, &format!("{name}.{extension}"), &bytes, options.clone()).await;
                assert_eq!(parts_of(&world, name).await.len(), pieces, "{what}: {}", done.text());
                assert_eq!(parts_of(&world, piece).await, own, "{what}: {}", done.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_does_not_stand_for_the_whole_file() {
    for (name, extension, bytes, options, piece) in brought_forth() {
        let world = World::new().await;
        upload(&world, &format!("{name}.{extension}"), &bytes, options.clone()).await;
        let before = known(&world, piece).await;
        let done = upload(&world, &format!("{piece}.{extension}"), &bytes, json!({ "overwrite": false })).await;
        assert_eq!((done.counters.duplicate, done.counters.left_out), (1, 1), "{}", done.text());
        assert_eq!(known(&world, piece).await, before);
        let number = json!({ "overwrite": false, "sameName": "number" });
        let done = upload(&world, &format!("{piece}.{extension}"), &bytes, number).await;
        assert_eq!(done.counters.success, 1, "{}", done.text());
        assert_eq!(known(&world, &format!("{piece}-1")).await.master.making, Making::default());
        assert_eq!(known(&world, piece).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_is_processed_again_stays_one() {
    let world = World::new().await;
    upload(&world, "ad.psd", &poster().bytes(), layer_options()).await;
    let before = known(&world, "ad_Seal").await;
    let order = json!({ "assetHandleArray": [format!("a|{}", before.id)], "emailSetting": "None" });
    let done = world.run(JobKind::ReprocessAssets, order).await.succeeded();
    assert_eq!(done.counters.success, 1, "{}", done.text());
    let now = known(&world, "ad_Seal").await;
    assert_eq!((now.master.making, now.master.pixels), (before.master.making, before.master.pixels));
}

/// As each night: the same file again, with what was set on one of its layers since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crop_set_on_a_layer_is_kept_as_that_of_any_asset() {
    let world = World::new().await;
    upload(&world, "ad.psd", &poster().bytes(), layer_options()).await;
    let whole = known(&world, "ad_Seal").await;
    let crop = json!({ "left": 1, "right": 1, "top": 1, "bottom": 1 });
    let handle = format!("a|{}", whole.id);
    let order = json!({ "assetHandleArray": [handle], "emailSetting": "None", "manualCropOptions": crop });
    world.run(JobKind::ReprocessAssets, order).await.succeeded();
    let cropped = known(&world, "ad_Seal").await;
    assert_ne!(cropped.master.pixels, whole.master.pixels);
    for keeps in [json!({}), json!({ "preserveCrop": true })] {
        let done = upload(&world, "ad.psd", &poster().bytes(), with(layer_options(), keeps.clone())).await;
        let now = known(&world, "ad_Seal").await;
        assert_eq!(
            (now.master.pixels, now.master.making.crop),
            (cropped.master.pixels, cropped.master.making.crop),
            "{keeps}: {}",
            done.text()
        );
    }
    upload(&world, "ad.psd", &poster().bytes(), with(layer_options(), json!({ "preserveCrop": false }))).await;
    let now = known(&world, "ad_Seal").await;
    assert_eq!((now.master.pixels, now.master.making.crop), (whole.master.pixels, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_taken_out_of_the_trash_is_marked_by_the_order() {
    for (ready, preserve, expected) in
        [(false, false, false), (true, false, true), (false, true, true), (true, true, true)]
    {
        let world = World::new().await;
        upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
        upload(&world, "book.pdf", &booklet(&["only"], &[]), pdf_options()).await;
        let marks = json!({ "readyForPublish": ready, "preservePublishState": preserve });
        upload(&world, "book.pdf", &booklet(&["only"], &[]), marks.clone()).await;
        let page = asset(&world, "book-2").await;
        world.store.restore_assets(change(&world), vec![page]).await.unwrap().remove(0).unwrap();
        let rows = world.query("SELECT asset_id, max(marked) FROM publish_mark GROUP BY 1").await;
        let is_marked = rows.iter().any(|row| row[0] == page.0 && row[1] == 1);
        assert_eq!(is_marked, expected, "{marks}");
    }
}

/// What an incremental publish hands out anew.
async fn handed_out(world: &World) -> Vec<String> {
    let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
    let done = world.run(JobKind::ImageServingPublish, order).await.succeeded();
    let lines = done.of_type("ImageServingPublishSuccess");
    let mut files: Vec<String> = lines.iter().map(|line| line.params["file"].as_str().unwrap().to_owned()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forced_is_handed_out_with_all_that_belongs_to_it() {
    let world = World::new().await;
    for (seed, name) in ["a", "b"].into_iter().enumerate() {
        upload(&world, &format!("{name}.jpg"), &jpeg(20, seed as u8), json!({ "readyForPublish": false })).await;
    }
    let both = [asset(&world, "a").await, asset(&world, "b").await].map(prepress::store::assets::sets::Member::of);
    let inner = world.set("in", "inner", AssetType::ImageSet, both.to_vec(), false).await;
    let inner = prepress::store::assets::sets::Member::of(inner);
    let set = world.set("in", "outer", AssetType::AssetSet, vec![inner], true).await;
    upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    mark(&world, "book-2", PublishState::NotMarkedForPublish).await;
    let all = handed_out(&world).await;
    assert_eq!(handed_out(&world).await, Vec::<String>::new());
    let force = async |name: &str, files: bool| {
        let assets = vec![asset(&world, name).await];
        world.store.force_republish(change(&world), assets, files).await.unwrap().remove(0).unwrap();
        handed_out(&world).await
    };
    let of_set: Vec<&String> = all.iter().filter(|name| !name.contains("book")).collect();
    let of_book: Vec<&String> = all.iter().filter(|name| name.contains("book")).collect();
    assert!(of_set.len() >= 4 && of_book.len() >= 4, "{all:?}");
    // A member that was never marked itself, the set, and a document.
    assert_eq!(force("a", true).await, ["a.tif"]);
    assert_eq!(force("outer", true).await.iter().collect::<Vec<_>>(), of_set);
    assert_eq!(force("book", true).await.iter().collect::<Vec<_>>(), of_book);
    assert_eq!(force("outer", false).await, Vec::<String>::new());
    let rows = world.query("SELECT count(*) FROM publish_mark m JOIN asset a ON a.id = m.asset_id AND a.name IN ('a', 'b', 'inner') WHERE m.marked = 1").await;
    assert_eq!(rows, [[json!(0)]], "nobody has marked them");
    assert_eq!(world.store.set_members(world.company, set).await.unwrap().len(), 1);
}

/// A document that is in the trash when its parts are to be made, comes out of it just then, and goes there again before the next attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_a_document_says_so_however_often_it_was_taken_back() {
    use prepress::executors::Item;
    use prepress::store::effect::{Applied, Effect};
    use prepress::store::jobs::attempt::ItemReport;
    let world = World::new().await;
    upload(&world, "book.pdf", &booklet(&["one"], &[]), json!({})).await;
    let book = known(&world, "book").await;
    world.submit(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await;
    let claimed = world.claim().await;
    let context = world.context(&claimed, tokio_util::sync::CancellationToken::new());
    let leave = async || {
        let effect =
            Effect::LeaveParts { company: world.company, parent: book.id, parent_blob: book.master.blob.clone() };
        context.commit(Item("book\nwithdrawn".into()), effect, |_| ItemReport::default()).await.unwrap()
    };
    assert_eq!(leave().await, Some(Applied::Overtaken(book.id)), "nothing is left, and nothing is done");
    world.store.trash_assets(change(&world), vec![book.id]).await.unwrap();
    assert!(matches!(leave().await, Some(Applied::Withdrawn { .. })));
    assert_eq!(leave().await, None);
    world.finish(claimed.fence, Ok(()), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_tells_of_the_scripts_that_it_cannot_run() {
    let world = World::new().await;
    let colours = world.script("Colours", crate::sets::COLOURS).await;
    let sizes =
        world.script("Sizes", &[("setType", "ImageSet"), ("match", r"(\w+-\w+)-\w+"), ("suffix", "-SIZES")]).await;
    upload(&world, "cc-1-1.jpg", &jpeg(16, 0), json!({})).await;
    let order = json!({
        "assetHandleArray": [format!("a|{}", asset(&world, "cc-1-1").await), "a|99999"],
        "autoSetCreationOptions": { "autoSetsArray": [colours, sizes] }, "emailSetting": "None",
    });
    let (mut second, mut ended_at) = (0, None);
    // How often it waits differs from run to run.
    for (round, waits) in (0..40).flat_map(|round| (1..100).map(move |waits| (round, waits))) {
        if second > 0 && waits == 1 {
            break;
        }
        if ended_at.is_some_and(|ended_at| waits > ended_at) {
            continue;
        }
        world.execute("DELETE FROM asset WHERE asset_type = 'ImageSet'").await;
        let name = format!("Gone {round} {waits}");
        let at_stake = world.script(&name, crate::sets::COLOURS).await;
        let mut order = order.clone();
        order["autoSetCreationOptions"]["autoSetsArray"].as_array_mut().unwrap().push(json!(at_stake));
        let gone = async || {
            let id = at_stake.trim_start_matches("ps|");
            world.execute(format!("DELETE FROM property_set WHERE id = {id}")).await;
        };
        let (done, was_broken_off) =
            world.run_in_two(JobKind::AutomatedSetGeneration, order, Moment::Waits(waits), gone).await;
        let log = done.text();
        let told =
            |code: &str| done.lines.iter().filter(|line| line.params["reason"]["code"].as_str() == Some(code)).count();
        assert_eq!(told("reason-asset-unknown"), 1, "{waits}: {log}");
        let was_run = done.items.iter().any(|item| item.starts_with(&format!("/set {name}\n")));
        if !was_broken_off {
            ended_at = Some(waits);
            continue;
        }
        assert!(was_run || told("reason-script-gone") == 1, "{waits}: {log}");
        second += usize::from(done.items.iter().any(|item| item == "/sets 1"));
    }
    assert!(second > 0, "the script was never deleted behind the first lines");
}

fn line<'a>(done: &'a Done, code: &str) -> Vec<&'a Value> {
    done.lines.iter().filter(|line| line.code == code).map(|line| &line.params).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_not_made_again_have_a_line() {
    let mut world = World::new().await;
    let optimize =
        async |world: &World| world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    for name in ["book", "kept", "away", "gone"] {
        upload(&world, &format!("{name}.pdf"), &booklet(&["one", name], &[]), pdf_options()).await;
    }
    withdraw(&world, "away", Way::Trashed).await;
    withdraw(&world, "gone", Way::Removed).await;
    let done = optimize(&world).await;
    assert_eq!(done.counters.warning, 0, "all are as they should be: {}", done.text());
    // One of them belongs to the document before.
    let done = upload(&world, "kept.pdf", &booklet(&["uno", "kept"], &[2]), pdf_options()).await;
    assert!(done.codes().contains(&"page-failed-kept"), "{}", done.text());
    let done = optimize(&world).await;
    assert_eq!(line(&done, "pages-stale"), [&json!({ "file": "kept.pdf", "count": 1, "document": "there" })]);
    world.settings.media.jpeg_quality = 70;
    let done = world.run_with_crashes(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    let log = done.text();
    for expected in [
        "UploadWarning: 2 pages of book.pdf were left as they are: they were drawn with other settings, or of an earlier file. \
         Draw the pages of the document again with ripPdfsJob.",
        "UploadWarning: 2 pages of kept.pdf were",
        "Their document is in the trash: restore it, and draw its pages again with ripPdfsJob.",
        "UploadWarning: gone-1 was left as it is: it is a page that was drawn with other settings, and its document is gone for good.",
        "UploadWarning: gone-2 was left as it is",
    ] {
        assert!(log.contains(expected), "{expected}\n in \n{log}");
    }
    assert_eq!((done.counters.warning, done.counters.error), (5, 0), "{log}");
    let order = json!({ "pdfHandleArray": [format!("a|{}", asset(&world, "book").await)], "emailSetting": "None" });
    world.run(JobKind::RipPdfs, with(order, pdf_options())).await.succeeded();
    assert!(!optimize(&world).await.text().contains("book.pdf"));
}

/// Neither of them is an error of the whole job, and each is said as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_document_is_gone_is_told_of() {
    for (way, reason) in [
        (None, "it is a page and is drawn again with its document"),
        (Some(Way::Trashed), "it is a page and is drawn again with its document"),
        (Some(Way::Emptied), "it is a page whose document is gone for good"),
        (Some(Way::Removed), "it is a page whose document is gone for good"),
    ] {
        let world = World::new().await;
        upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
        upload(&world, "shoe.jpg", &jpeg(16, 1), json!({})).await;
        let book = asset(&world, "book").await;
        if let Some(way) = way {
            withdraw(&world, "book", way).await;
        }
        let (page, shoe) = (asset(&world, "book-1").await, asset(&world, "shoe").await);
        let handles = json!([format!("a|{page}"), format!("a|{book}"), format!("a|{shoe}")]);
        let order = json!({ "assetHandleArray": handles, "emailSetting": "None" });
        let done = world.run(JobKind::ReprocessAssets, order).await.succeeded();
        let log = done.text();
        assert!(log.contains(&format!("book-1 could not be processed again: {reason}")), "{way:?}: {log}");
        assert_eq!(done.counters.error, if way.is_none() { 1 } else { 2 }, "{way:?}: {log}");
        let of_book = match way {
            None => "book was processed again",
            Some(Way::Trashed) => "book could not be processed again: it is in the trash",
            Some(_) => "could not be processed again: the company has no such asset",
        };
        assert!(log.contains(of_book) && log.contains("shoe was processed again"), "{way:?}: {log}");
        let order = json!({ "pdfHandleArray": [format!("a|{page}"), format!("a|{book}")], "emailSetting": "None" });
        let done = world.run(JobKind::RipPdfs, order).await.succeeded();
        let log = done.text();
        assert!(log.contains(&format!("its pages could not be drawn: {reason}")), "{way:?}: {log}");
        let of_book = match way {
            None => "book-2.pdf was processed as page 2",
            Some(Way::Trashed) => "its pages could not be drawn: it is in the trash",
            Some(_) => "its pages could not be drawn: there is no such asset",
        };
        assert!(log.contains(of_book), "{way:?}: {log}");
        // It stays what it is, and can be taken out of the trash again.
        withdraw(&world, "book-1", Way::Trashed).await;
        world.store.restore_assets(change(&world), vec![page]).await.unwrap().remove(0).unwrap();
        assert_eq!(known(&world, "book-1").await.derived.len(), 2, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_published_says_whether_it_can_be_drawn_again() {
    for (way, reason) in [(Way::Trashed, "reason-page-lost"), (Way::Emptied, "reason-page-lost-alone")] {
        let world = World::new().await;
        upload(&world, "book.pdf", &booklet(&["one"], &[]), pdf_options()).await;
        withdraw(&world, "book", way).await;
        world.execute("UPDATE derived SET recipe = 'another'").await;
        let order = json!({ "publishType": "Full", "emailSetting": "None" });
        let done = world.run(JobKind::ImageServingPublish, order).await.succeeded();
        let told: Vec<&str> = done.lines.iter().filter_map(|line| line.params["reason"]["code"].as_str()).collect();
        assert_eq!(told, [reason], "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_lacks_pages_is_told_of_whatever_is_made_of_it() {
    let whole = booklet(&["one", "two", "three"], &[]);
    let text = String::from_utf8(whole.clone()).unwrap();
    let promising = text.replace("/Count 3", "/Count 9").into_bytes();
    let thumbnail = json!({ "pdfOptions": { "process": "Thumbnail" } });
    let line = "book.pdf says that it has 9 pages, but only 3 can be found in it: it is damaged.";
    for (options, log_type) in [
        (json!({}), "UploadWarning"),
        (json!({ "pdfOptions": { "process": "None" } }), "UploadWarning"),
        (thumbnail, "UploadWarning"),
        (pdf_options(), "PdfRipError"),
    ] {
        let world = World::new().await;
        let done = upload(&world, "book.pdf", &promising, options.clone()).await;
        assert!(done.text().contains(&format!("{log_type}: {line}")), "{options}: {}", done.text());
        assert_eq!(done.text().matches(line).count(), 1, "{options}: {}", done.text());
        let as_counted = (done.counters.warning, done.counters.error);
        assert_eq!(as_counted, if log_type == "PdfRipError" { (0, 1) } else { (1, 0) }, "{options}: {}", done.text());
        let done = upload(&world, "book.pdf", &whole, options.clone()).await;
        assert_eq!((done.counters.warning, done.counters.error), (0, 0), "{options}: {}", done.text());
    }
    for (bytes, line) in [
        (booklet(&[], &[]), "book.pdf: it has no pages."),
        (encrypted(), "book.pdf: it is encrypted with a password: save it without one, and upload it again."),
    ] {
        for options in [json!({}), json!({ "pdfOptions": { "process": "Thumbnail" } }), pdf_options()] {
            let world = World::new().await;
            let done = upload(&world, "book.pdf", &bytes, options.clone()).await;
            let log = done.text();
            let is_asked = options != json!({});
            assert_eq!(log.contains(&format!("UploadWarning: {line}")), !is_asked, "{options}: {log}");
            let counted = (done.counters.warning, done.counters.error);
            assert_eq!(counted, if is_asked { (0, 1) } else { (1, 0) }, "{options}: {log}");
        }
    }
}

/// One damaged night takes nothing away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_cannot_be_found_in_a_damaged_document_stay() {
    let world = World::new().await;
    let names = ["one", "two", "three", "four"];
    upload(&world, "book.pdf", &booklet(&names, &[]), pdf_options()).await;
    let members = async || {
        let rows = "SELECT a.name FROM set_member m JOIN asset a ON a.id = m.asset_id ORDER BY m.position";
        world.query(rows).await.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let whole = members().await;
    assert_eq!(whole, ["book-1", "book-2", "book-3", "book-4"]);
    let cut = String::from_utf8(booklet(&names[..2], &[])).unwrap().replace("/Count 2", "/Count 4");
    let done = upload(&world, "book.pdf", cut.as_bytes(), pdf_options()).await;
    assert!(done.text().contains("only 2 can be found in it"), "{}", done.text());
    assert_eq!(parts_of(&world, "book").await.len(), 5, "four pages and their catalog");
    assert_eq!(members().await, whole);
    // Pages were added behind its end, of which only the beginning is there.
    let added = [&booklet(&names[..2], &[])[..], b"99 0 obj\n<< /Type /Page >>\nendobj\nxref\n0 1\n"].concat();
    let done = upload(&world, "book.pdf", &added, pdf_options()).await;
    assert!(done.text().contains("book.pdf is damaged behind its 2 pages"), "{}", done.text());
    assert_eq!((members().await, done.counters.error), (whole.clone(), 1), "{}", done.text());
    // A document may claim what it likes.
    let vast = String::from_utf8(booklet(&names[..2], &[])).unwrap().replace("/Count 2", "/Count 2000000000");
    upload(&world, "book.pdf", vast.as_bytes(), pdf_options()).await;
    assert_eq!(members().await, whole);
    upload(&world, "book.pdf", &booklet(&names[..3], &[]), pdf_options()).await;
    assert_eq!(members().await, whole[..3], "a page that is gone from it goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_layers_are_counted_as_what_they_are() {
    for (name, extension, bytes, options, _) in brought_forth() {
        let world = World::new().await;
        let done = upload(&world, &format!("{name}.{extension}"), &bytes, options.clone()).await;
        let pictures = world.query("SELECT count(*) FROM asset WHERE part LIKE 'page:%' OR part LIKE 'layer:%'").await;
        let pictures = pictures[0][0].as_i64().unwrap();
        assert_eq!((done.counters.success, done.counters.part), (1 + pictures, pictures), "{}", done.text());
        let told = world.query("SELECT params FROM log_detail WHERE code = 'total-file-count-parts'").await;
        assert_eq!(told, [[json!(format!("{{\"count\":1,\"parts\":{pictures}}}"))]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_of_pages_whose_name_is_taken_says_so() {
    let world = World::new().await;
    upload(&world, "book-catalog.jpg", &jpeg(16, 1), json!({})).await;
    let done = upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    let line = "UploadWarning: book-catalog was stored as book-catalog-1, because book-catalog is taken.";
    assert!(done.text().contains(line), "{}", done.text());
    assert_eq!(done.counters.warning, 1, "{}", done.text());
}
