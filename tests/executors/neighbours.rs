//! What a change of an asset, a set, a part or a folder means for everything that refers to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use futures_util::{StreamExt, stream};
use prepress::model::asset::{AssetType, PublishState};
use prepress::model::id::AssetId;
use prepress::model::kind::JobKind;
use prepress::store::assets::set_change::{Seat, SetContent};
use prepress::store::assets::sets::Member;
use serde_json::{Value, json};

use crate::layers::poster;
use crate::pages::{booklet, brochure};
use crate::publish::{asset, change, mark};
use crate::videos::{film, preset};
use crate::world::{Done, Moment, World, directory, jpeg, moments, read};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn publish(world: &World, publish_type: &str) {
    let order = json!({ "publishType": publish_type, "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, order).await.succeeded();
}

/// What readers see: each file by its name, and those of the video servers below `video`.
fn shown(world: &World) -> BTreeMap<String, Vec<u8>> {
    let files = |folder: &'static str, prefix: &'static str| {
        let names = world.paths_in(folder).into_iter();
        names.map(move |name| (format!("{prefix}{name}"), read(world.tree(folder).join(PathBuf::from(name)))))
    };
    files("image-serving", "").chain(files("video", "video/")).collect()
}

async fn has_films(world: &World) -> bool {
    !world.query("SELECT 1 FROM asset WHERE asset_type IN ('MasterVideo', 'Video') LIMIT 1").await.is_empty()
}

async fn publish_films(world: &World) {
    if has_films(world).await {
        world.run(JobKind::VideoPublish, json!({ "emailSetting": "None" })).await.succeeded();
    }
}

/// Whatever a player is pointed to is there, and a rendition is there as a file and as a stream.
fn can_be_played(shown: &BTreeMap<String, Vec<u8>>) {
    for (name, text) in shown.iter().filter(|(name, _)| name.ends_with(".m3u8")) {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = std::str::from_utf8(text).unwrap();
        let uris = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for uri in uris {
            assert!(shown.contains_key(&format!("{folder}/{uri}")), "{name} names {uri}: {:?}", shown.keys());
        }
        if let Some(rendition) = name.strip_prefix("video/hls/") {
            let file = format!("video/{}.mp4", rendition.trim_end_matches("/video.m3u8"));
            assert!(shown.contains_key(&file), "{name} without {file}");
        }
    }
}

/// Names of what is published after an incremental publish; a Full one changes nothing of it.
async fn settled(world: &World) -> Vec<String> {
    publish(world, "Incremental").await;
    publish_films(world).await;
    let incremental = shown(world);
    can_be_played(&incremental);
    publish(world, "Full").await;
    // No order asks for all films: the next one looks at them as if it were the first.
    world.execute("UPDATE publish_context SET scanned_seq = 0 WHERE kind = 'Video'").await;
    publish_films(world).await;
    let full = shown(world);
    let differing: Vec<&String> = incremental
        .keys()
        .chain(full.keys())
        .filter(|name| *name != "search.jsonl" && incremental.get(*name) != full.get(*name))
        .collect();
    assert_eq!(differing, Vec::<&String>::new(), "a Full publish changes what an incremental one left");
    let names = full.into_keys().filter(|name| name != "search.jsonl" && !name.starts_with("video/hls/"));
    let stem = |name: String| name.rsplit_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned());
    let mut names: Vec<String> = names.map(stem).collect();
    names.sort();
    names.dedup();
    names
}

/// Uploads a file over what has its name, with what the order says beside.
async fn upload(world: &World, name: &str, bytes: &[u8], more: Value) -> Done {
    let _ = std::fs::remove_dir_all(world.ingest("in"));
    world.put(&format!("in/{name}"), bytes);
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.run(UPLOAD, order).await.succeeded()
}

fn pdf_options() -> Value {
    json!({ "pdfOptions": { "process": "Rasterize", "resolution": 36 } })
}

fn layer_options() -> Value {
    json!({ "photoshopOptions": { "process": "MaintainLayers", "layerOptions": { "createTemplate": true } } })
}

/// Two films of a second, made once.
fn tiny_film(number: usize) -> &'static [u8] {
    static FILMS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [film("32x32", 1), film("48x32", 1)]);
    &FILMS[number]
}

/// Renditions by the presets of the world, and a picture.
async fn film_options(world: &World) -> Value {
    let presets = world.query("SELECT id FROM property_set WHERE company_id = 47 ORDER BY id").await;
    let presets: Vec<String> = presets.iter().map(|row| format!("ps|{}", row[0])).collect();
    json!({ "mediaOptions": { "videoEncodingPresetsArray": presets, "generateThumbnail": true } })
}

async fn trash_state(world: &World, name: &str) -> String {
    let rows = world.query("SELECT name, trash_state FROM asset").await;
    let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"));
    row[1].as_str().unwrap().to_owned()
}

async fn members(world: &World, set: &str) -> Vec<String> {
    let set = asset(world, set).await;
    let members = world.store.set_members(world.company, set).await.unwrap();
    members.into_iter().map(|member| member.asset.name).collect()
}

async fn is_marked(world: &World, name: &str) -> bool {
    let id = asset(world, name).await;
    let rows = world.query("SELECT asset_id, max(marked) FROM publish_mark GROUP BY 1").await;
    rows.iter().any(|row| row[0] == id.0 && row[1] == 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_never_takes_the_place_of_a_set() {
    for mode in ["OverwriteFullName", "OverwriteAnyExt", "OverwriteFullNameAnyFolder", "OverwriteAnyExtAnyFolder"] {
        let world = World::new().await;
        world.execute(format!("UPDATE company SET overwrite_mode = '{mode}'")).await;
        crate::publish::upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
        let both = vec![Member::of(asset(&world, "a").await), Member::of(asset(&world, "b").await)];
        world.set("in", "pair", AssetType::ImageSet, both, true).await;
        for name in ["pair.jpg", "pair"] {
            let done = upload(&world, name, &jpeg(20, 9), json!({})).await;
            assert_eq!(done.counters.success + done.counters.update, 1, "{mode} {name}: {}", done.text());
            assert!(done.text().contains("Acme/pair-"), "{mode} {name}: {}", done.text());
        }
        assert_eq!(members(&world, "pair").await, ["a", "b"], "{mode}");
        let done = upload(&world, "pair.jpg", &jpeg(20, 10), json!({ "overwrite": false })).await;
        assert_eq!((done.counters.success, done.counters.left_out), (0, 1), "{mode}: {}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_drawn_again_stays_as_it_was() {
    let world = World::new().await;
    upload(&world, "book.pdf", &booklet(&["one", "two", "three"], &[]), pdf_options()).await;
    let (before, catalog) = (asset(&world, "book-2").await, members(&world, "book-catalog").await);
    let drawn = settled(&world).await;
    let done = upload(&world, "book.pdf", &booklet(&["uno", "due", "tre"], &[2]), pdf_options()).await;
    let log = done.text();
    assert!(log.contains("PdfRipError: Page 2 of book.pdf could not be drawn"), "{log}");
    assert!(log.contains("It stays as it was drawn before."), "{log}");
    assert_eq!(done.counters.error, 1, "{log}");
    assert_eq!((asset(&world, "book-2").await, members(&world, "book-catalog").await), (before, catalog));
    assert_eq!(settled(&world).await, drawn);
    // What is gone from the document is another matter.
    let done = upload(&world, "book.pdf", &booklet(&["only"], &[]), pdf_options()).await;
    assert!(done.text().contains("2 assets that were made of book.pdf before went to the trash"), "{}", done.text());
    assert_eq!(trash_state(&world, "book-2").await, "InTrash");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_marked_by_the_rule_of_their_master() {
    let parts = ["book", "book-1", "book-2", "book-catalog"];
    for (preserve, ready, marked) in
        [(true, true, "before"), (true, false, "before"), (false, true, "all"), (false, false, "none")]
    {
        let world = World::new().await;
        upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
        mark(&world, "book-2", PublishState::NotMarkedForPublish).await;
        let mut more = pdf_options();
        more["preservePublishState"] = json!(preserve);
        more["readyForPublish"] = json!(ready);
        upload(&world, "book.pdf", &booklet(&["uno", "due", "tre"], &[]), more).await;
        for part in parts {
            let expected = match marked {
                "before" => part != "book-2",
                "all" => true,
                _ => false,
            };
            assert_eq!(is_marked(&world, part).await, expected, "preserve {preserve}, ready {ready}: {part}");
        }
        assert_eq!(is_marked(&world, "book-3").await, marked != "none", "a new page is as its document");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_made_again_brings_its_folder_back() {
    let world = World::new().await;
    upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    world
        .store
        .create_folder(world.company, "pages".to_owned(), prepress::clock::Clock::now(&*world.clock))
        .await
        .unwrap();
    let page = asset(&world, "book-2").await;
    world.store.move_assets(change(&world), vec![(page, "pages".to_owned())]).await.unwrap().remove(0).unwrap();
    let gone = world.store.delete_folder(world.company, "pages".to_owned(), world.account, change(&world).at).await;
    gone.unwrap();
    assert_eq!(trash_state(&world, "book-2").await, "InTrash");
    upload(&world, "book.pdf", &booklet(&["uno", "due"], &[]), pdf_options()).await;
    assert_eq!(trash_state(&world, "book-2").await, "NotInTrash");
    assert!(world.store.folder_exists(world.company, "pages").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_the_place_of_a_page_belongs_to_the_customer() {
    let world = World::new().await;
    upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    let page = asset(&world, "book-2").await;
    world.execute("UPDATE company SET overwrite_mode = 'OverwriteAnyExt'").await;
    let done = upload(&world, "book-2.jpg", &jpeg(40, 3), json!({})).await;
    assert!(done.text().contains("book-2 was made of book and is now an asset of its own"), "{}", done.text());
    assert_eq!(asset(&world, "book-2").await, page);
    let done = upload(&world, "book.pdf", &booklet(&["uno", "due"], &[]), pdf_options()).await;
    let log = done.text();
    assert!(log.contains("was stored as book-2-1, because book-2 is taken"), "{log}");
    let theirs = world.store.assets_numbered(world.company, &[page]).await.unwrap().remove(0);
    assert_eq!((theirs.name.as_str(), theirs.master.pixels), ("book-2", Some((40, 40))));
    assert_eq!(members(&world, "book-catalog").await, ["book-1", "book-2-1"]);
    let words =
        world.query("SELECT count(*) FROM page_word w JOIN asset a ON a.id = w.asset_id AND a.name = 'book-2'").await;
    assert_eq!(words, [[json!(0)]]);
    settled(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_an_earlier_master_do_not_live_on() {
    let world = World::new().await;
    world.execute("UPDATE company SET overwrite_mode = 'OverwriteAnyExt'").await;
    upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    assert_eq!(settled(&world).await, ["book-1", "book-2", "book-catalog", "content/book"]);
    // The same once more, with nothing asked of it: nothing has changed.
    let done = upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), json!({})).await;
    assert_eq!(done.counters.warning, 0, "{}", done.text());
    let done = upload(&world, "book.pdf", &booklet(&["uno", "due"], &[]), json!({})).await;
    let told = "UploadWarning: 3 assets that were made of the earlier file of book went to the trash.";
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!(settled(&world).await, ["content/book"]);
    upload(&world, "book.pdf", &booklet(&["uno", "due"], &[]), pdf_options()).await;
    let all = ["book-1", "book-2", "book-catalog", "content/book"];
    assert_eq!(settled(&world).await, all, "they come back when they are made again");
    let done = upload(&world, "book.jpg", &jpeg(30, 1), pdf_options()).await;
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!(settled(&world).await, ["book"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_set_is_not_published_with_it_any_more() {
    let world = World::new().await;
    crate::publish::upload(&world, &[("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)]).await;
    for name in ["a", "b", "c"] {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
    }
    let of = async |names: &[&str]| {
        let mut members = Vec::new();
        for name in names {
            members.push(asset(&world, name).await);
        }
        members
    };
    let all = of(&["a", "b", "c"]).await;
    let set = world.set("in", "trio", AssetType::ImageSet, all.iter().copied().map(Member::of).collect(), true).await;
    for name in ["a", "b", "c"] {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
    }
    assert_eq!(settled(&world).await, ["a", "b", "c", "trio"]);
    let seats = |members: Vec<AssetId>| {
        let seats = members.into_iter().map(|asset| Seat { asset, page_reset: true }).collect();
        SetContent { seats: Some(seats), ..SetContent::default() }
    };
    // Who is in the trash is not shown to the client, and not taken out by it.
    let away = of(&["b"]).await;
    world.store.trash_assets(change(&world), away.clone()).await.unwrap();
    world.store.change_set(change(&world), set, &[AssetType::ImageSet], seats(of(&["a"]).await)).await.unwrap();
    assert_eq!(settled(&world).await, ["a", "trio"]);
    world.store.restore_assets(change(&world), away).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (members(&world, "trio").await, settled(&world).await),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into(), "trio".into()])
    );
    world.store.change_set(change(&world), set, &[AssetType::ImageSet], seats(of(&["a", "b"]).await)).await.unwrap();
    assert_eq!(settled(&world).await, ["a", "b", "trio"]);
    // As a job has it.
    world.set("in", "trio", AssetType::ImageSet, vec![Member::of(all[0])], true).await;
    assert_eq!(settled(&world).await, ["a", "trio"]);
}

/// As each night: what somebody took out of a catalog, to have it public no more, is not in it again with the same document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_keeps_what_was_changed_in_it() {
    let world = World::new().await;
    crate::publish::upload(&world, &[("cover.jpg", 1)]).await;
    let order = of_book("ours", pdf_options());
    let bring = async |pages: &[&str]| {
        world.put("ours/book.pdf", &booklet(pages, &[]));
        world.run(UPLOAD, order.clone()).await.succeeded().text()
    };
    bring(&["one", "two", "three"]).await;
    assert_eq!(members(&world, "book-catalog").await, ["book-1", "book-2", "book-3"]);
    mark(&world, "book-2", PublishState::NotMarkedForPublish).await;
    let mut seats = Vec::new();
    for name in ["cover", "book-3", "book-1"] {
        seats.push(Seat { asset: asset(&world, name).await, page_reset: true });
    }
    let content = SetContent { seats: Some(seats), ..SetContent::default() };
    let set = asset(&world, "book-catalog").await;
    world.store.change_set(change(&world), set, &[AssetType::Catalog], content).await.unwrap();
    let keeps = json!({ "preservePublishState": true });
    for more in [json!({}), keeps.clone()] {
        let done = world.run(UPLOAD, crate::world::with(order.clone(), more)).await.succeeded().text();
        assert_eq!(members(&world, "book-catalog").await, ["cover", "book-3", "book-1"], "{done}");
        let kept = "Set book-catalog was changed since it was made, and stays so: 1 page, layer or rendition of its file is not in it.";
        assert!(done.contains(kept), "{done}");
    }
    mark(&world, "book-2", PublishState::NotMarkedForPublish).await;
    world.run(UPLOAD, crate::world::with(order.clone(), keeps)).await.succeeded();
    assert!(!settled(&world).await.iter().any(|name| name == "book-2"), "it is public again");
    // What is new joins, what is gone leaves, and what comes back is new again.
    bring(&["one", "two", "three", "four"]).await;
    assert_eq!(members(&world, "book-catalog").await, ["cover", "book-3", "book-4", "book-1"]);
    bring(&["one", "two"]).await;
    assert_eq!(members(&world, "book-catalog").await, ["cover", "book-1"]);
    bring(&["one", "two", "three"]).await;
    assert_eq!(members(&world, "book-catalog").await, ["cover", "book-1", "book-3"]);
    // An earlier version has not noted what it gave.
    world.execute("UPDATE set_detail SET given = NULL").await;
    bring(&["one", "two", "three", "four"]).await;
    assert_eq!(members(&world, "book-catalog").await, ["cover", "book-1", "book-3"], "four lay in the trash");
}

/// A crop that was asked of all files of a job is none of what is no picture, nor of the picture that takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_picture_leaves_no_crop_to_one() {
    let world = World::new().await;
    world.put("first/book.pdf", &booklet(&["one"], &[]));
    world.put("first/notes.txt", b"words");
    world.put("first/mug.jpg", &jpeg(40, 1));
    let crop = json!({ "manualCropOptions": { "left": 3, "right": 1, "top": 1, "bottom": 1 } });
    world.run(UPLOAD, of_book("first", crop)).await.succeeded();
    for name in ["book", "notes", "mug"] {
        world.put(&format!("second/{name}.jpg"), &jpeg(40, 2));
    }
    world
        .store
        .change_settings(world.company, |settings| settings.overwrite_mode = "OverwriteAnyExt".parse().unwrap())
        .await
        .unwrap();
    world.run(UPLOAD, of_book("second", json!({}))).await.succeeded();
    let sizes =
        world.query("SELECT name, width, height FROM asset WHERE trash_state = 'NotInTrash' ORDER BY name").await;
    let sizes: Vec<Value> = sizes.into_iter().map(Value::from).collect();
    assert_eq!(sizes, [json!(["book", 40, 40]), json!(["mug", 36, 38]), json!(["notes", 40, 40])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_given_up_leaves_the_sets() {
    let world = World::new().await;
    crate::publish::upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let both = vec![Member::of(asset(&world, "a").await), Member::of(asset(&world, "b").await)];
    world.set("in", "pair", AssetType::ImageSet, both, true).await;
    assert_eq!(settled(&world).await, ["a", "b", "pair"]);
    let gone = vec![asset(&world, "b").await];
    world.store.trash_assets(change(&world), gone.clone()).await.unwrap();
    world.store.empty_trash(change(&world), gone).await.unwrap();
    let left = world.query("SELECT a.name FROM set_member m JOIN asset a ON a.id = m.asset_id").await;
    assert_eq!(left, [[json!("a")]]);
    assert_eq!(settled(&world).await, ["a", "pair"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crop_belongs_to_the_asset_that_a_file_replaces() {
    let world = World::new().await;
    world.put("A/shoe.jpg", &jpeg(60, 1));
    world.put("B/shoe.jpg", &jpeg(60, 2));
    for folder in ["A", "B"] {
        let mut order = directory(folder);
        order["overwrite"] = json!(true);
        order["destFolder"] = json!(folder);
        world.run(UPLOAD, order).await.succeeded();
    }
    let numbered = asset(&world, "shoe-1").await;
    let cut = json!({ "left": 10, "right": 10, "top": 10, "bottom": 10 });
    let order =
        json!({ "assetHandleArray": [format!("a|{numbered}")], "manualCropOptions": cut, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, order).await.succeeded();
    world.put("B/shoe.jpg", &jpeg(60, 5));
    let mut order = directory("B");
    order["overwrite"] = json!(true);
    order["destFolder"] = json!("B");
    order["preserveCrop"] = json!(true);
    world.run(UPLOAD, order).await.succeeded();
    let known = world.store.assets_numbered(world.company, &[numbered]).await.unwrap().remove(0);
    let pixels: Vec<(u32, u32)> =
        known.derived.iter().filter(|file| file.role.as_str() == "Pyramid").map(|file| file.pixels).collect();
    assert_eq!(pixels, [(40, 40)]);
}

/// That a job has filed the document.
const BOOK: &str = "SELECT 1 FROM asset WHERE name = 'book'";

/// An upload of a document, of which another job makes another one while it is under way.
fn of_book(folder: &str, more: Value) -> Value {
    let mut order = directory(folder);
    order["overwrite"] = json!(true);
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    order
}

/// The pages and the catalog are those of the document that the asset has now.
async fn agrees(world: &World, pages_of_theirs: usize, their_blob: &str, what: &str) -> bool {
    let book = asset(world, "book").await;
    let blob = world.store.assets_numbered(world.company, &[book]).await.unwrap().remove(0).master.blob;
    let is_theirs = blob == their_blob;
    let there: Vec<String> = world
        .query("SELECT name FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash' ORDER BY name")
        .await
        .into_iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect();
    let pages = if is_theirs { pages_of_theirs } else { 2 };
    let expected: Vec<String> = (1..=pages).map(|page| format!("book-{page}")).collect();
    assert_eq!(there, expected, "{what}");
    if pages > 0 {
        assert_eq!(members(world, "book-catalog").await, expected, "{what}");
        assert_eq!(trash_state(world, "book-catalog").await, "NotInTrash", "{what}");
    }
    let stale = world
        .query("SELECT a.name FROM asset a JOIN asset p ON p.id = a.parent_id AND p.blob <> a.blob WHERE a.trash_state = 'NotInTrash' AND a.part LIKE 'page:%'")
        .await;
    assert_eq!(stale, Vec::<Vec<Value>>::new(), "{what}");
    is_theirs
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two jobs bring the same document, the second at each of many moments of the first, as `run` has it.
async fn at_many_moments(
    pages_of_theirs: usize,
    run: impl AsyncFn(&World, Moment) -> (Done, bool),
    look: impl Fn(&Done, &str),
) {
    let (ours, theirs) = (booklet(&["one", "two"], &[]), booklet(&["uno", "due", "tre"], &[]));
    let mut overtaken = 0;
    for moment in moments(7, BOOK) {
        let world = World::new().await;
        world.put("ours/book.pdf", &ours);
        world.put("theirs/book.pdf", &theirs);
        let (done, was_broken_off) = run(&world, moment).await;
        let what = format!("{moment:?}: {}", done.text());
        assert_eq!(done.result, Ok(()), "{what}");
        if !was_broken_off {
            break;
        }
        if agrees(&world, pages_of_theirs, &digest(&theirs), &what).await {
            overtaken += 1;
            look(&done, &what);
        }
    }
    assert!(overtaken > 0, "no document was replaced while its pages were made");
}

fn times_told(done: &Done) -> usize {
    done.codes().iter().filter(|code| **code == "parts-outdated").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_second_leaves_the_parts_of_another_document_alone() {
    let run = async |world: &World, moment: Moment| {
        let meanwhile = async || drop(world.run(UPLOAD, of_book("theirs", pdf_options())).await.succeeded());
        world.run_broken_off(UPLOAD, of_book("ours", pdf_options()), moment, meanwhile).await
    };
    let look = |done: &Done, what: &str| {
        let was_whole = done.codes().contains(&"catalog-processed") || done.counters.success == 0;
        assert_eq!(times_told(done), usize::from(!was_whole), "{what}");
    };
    at_many_moments(3, run, look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_makes_nothing_of_another_document() {
    let run = async |world: &World, moment: Moment| {
        let meanwhile = async || drop(world.run(UPLOAD, of_book("theirs", json!({}))).await.succeeded());
        let (done, was_broken_off) = world.run_in_two(UPLOAD, of_book("ours", pdf_options()), moment, meanwhile).await;
        let all = "SELECT 1 FROM asset WHERE part = 'catalog' AND trash_state = 'NotInTrash'
                   AND NOT EXISTS (SELECT 1 FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash')";
        assert_eq!(world.query(all).await, Vec::<Vec<Value>>::new(), "{moment:?}: a catalog without pages");
        (done, was_broken_off)
    };
    let look = |done: &Done, what: &str| {
        // What is done with before the crash is nobody's matter after it.
        let was_whole = done.items.iter().any(|item| item.ends_with("\nend"));
        assert_eq!(times_told(done), usize::from(!was_whole), "{what}");
    };
    at_many_moments(0, run, look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_before_a_document_that_cannot_be_drawn_is_told_of() {
    let world = World::new().await;
    upload(&world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
    let done = upload(&world, "book.pdf", &booklet(&[], &[]), pdf_options()).await;
    assert!(done.text().contains("What was made of it before stays as it was."), "{}", done.text());
    assert_eq!(members(&world, "book-catalog").await, ["book-1", "book-2"]);
}

/// An object of each kind that has neighbours: how it is made, and its master's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Image,
    Document,
    Layered,
    Film,
    /// Of a film.
    Rendition,
    /// The adaptive set of a film.
    Adaptive,
    Set,
    Catalog,
    Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    ReplaceBySame,
    ReplaceByOther,
    Rename,
    Move,
    Trash,
    Restore,
    Empty,
    Unmark,
    Reprocess,
    Edit,
}

use Deed::{Edit, Empty, Move, Rename, ReplaceByOther, ReplaceBySame, Reprocess, Restore, Trash, Unmark};
use Kind::{Adaptive, Catalog, Document, Film, Folder, Image, Layered, Rendition, Set};

/// All that is published of a film with two renditions and a picture.
const FILM: &[&str] =
    &["film-AVS", "video/film", "video/film-AVS", "video/film-a", "video/film-b", "video/thumbnails/film"];

/// What is published after it. A member that is marked itself stays published without its set.
const CONSEQUENCES: &[(Kind, Deed, &[&str])] = &[
    (Image, ReplaceBySame, &["other", "pair", "shoe"]),
    (Image, ReplaceByOther, &["content/shoe", "other", "pair"]),
    (Image, Rename, &["boot", "other", "pair"]),
    (Image, Move, &["other", "pair", "shoe"]),
    (Image, Trash, &["other", "pair"]),
    (Image, Restore, &["other", "pair", "shoe"]),
    (Image, Empty, &["other", "pair"]),
    (Image, Unmark, &["other", "pair", "shoe"]),
    (Image, Reprocess, &["other", "pair", "shoe"]),
    (Document, ReplaceBySame, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Document, ReplaceByOther, &["book"]),
    (Document, Rename, &["book-1", "book-2", "book-catalog", "content/boot"]),
    (Document, Move, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Document, Trash, &["book-1", "book-2", "book-catalog"]),
    (Document, Restore, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Document, Empty, &["book-1", "book-2", "book-catalog"]),
    (Document, Unmark, &["book-1", "book-2", "book-catalog"]),
    (Document, Reprocess, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Layered, ReplaceBySame, &["ad", "ad-template", "ad_1", "ad_Seal", "ad_Words"]),
    (Layered, ReplaceByOther, &["ad"]),
    (Layered, Rename, &["ad-template", "ad_1", "ad_Seal", "ad_Words", "boot"]),
    (Layered, Trash, &["ad-template", "ad_1", "ad_Seal", "ad_Words"]),
    (Layered, Restore, &["ad", "ad-template", "ad_1", "ad_Seal", "ad_Words"]),
    (Layered, Unmark, &["ad-template", "ad_1", "ad_Seal", "ad_Words"]),
    (Layered, Reprocess, &["ad", "ad-template", "ad_1", "ad_Seal", "ad_Words"]),
    (Film, ReplaceBySame, FILM),
    (Film, ReplaceByOther, &["film"]),
    (
        Film,
        Rename,
        &["film-AVS", "video/boot", "video/film-AVS", "video/film-a", "video/film-b", "video/thumbnails/boot"],
    ),
    (Film, Move, FILM),
    (Film, Trash, &["film-AVS", "video/film-AVS", "video/film-a", "video/film-b"]),
    (Film, Restore, FILM),
    (Film, Empty, &["film-AVS", "video/film-AVS", "video/film-a", "video/film-b"]),
    (Film, Unmark, &["film-AVS", "video/film-AVS", "video/film-a", "video/film-b"]),
    (Film, Reprocess, FILM),
    (Rendition, ReplaceBySame, FILM),
    (
        Rendition,
        ReplaceByOther,
        &["film-AVS", "film-a", "video/film", "video/film-AVS", "video/film-b", "video/thumbnails/film"],
    ),
    (
        Rendition,
        Rename,
        &["film-AVS", "video/boot", "video/film", "video/film-AVS", "video/film-b", "video/thumbnails/film"],
    ),
    (Rendition, Move, FILM),
    (Rendition, Trash, &["film-AVS", "video/film", "video/film-AVS", "video/film-b", "video/thumbnails/film"]),
    (Rendition, Restore, FILM),
    (Rendition, Empty, &["film-AVS", "video/film", "video/film-AVS", "video/film-b", "video/thumbnails/film"]),
    (Rendition, Unmark, FILM),
    (
        Adaptive,
        ReplaceByOther,
        &[
            "film-AVS",
            "film-AVS-1",
            "video/film",
            "video/film-AVS",
            "video/film-a",
            "video/film-b",
            "video/thumbnails/film",
        ],
    ),
    (Adaptive, Rename, &["boot", "video/boot", "video/film", "video/film-a", "video/film-b", "video/thumbnails/film"]),
    (Adaptive, Move, FILM),
    (Adaptive, Trash, &["video/film", "video/film-a", "video/film-b", "video/thumbnails/film"]),
    (Adaptive, Restore, FILM),
    (Adaptive, Empty, &["video/film", "video/film-a", "video/film-b", "video/thumbnails/film"]),
    (Adaptive, Unmark, &["video/film", "video/film-a", "video/film-b", "video/thumbnails/film"]),
    (Adaptive, Edit, FILM),
    (Set, ReplaceByOther, &["other", "pair", "pair-1", "shoe"]),
    (Set, Rename, &["boot", "other", "shoe"]),
    (Set, Move, &["other", "pair", "shoe"]),
    (Set, Trash, &["other", "shoe"]),
    (Set, Restore, &["other", "pair", "shoe"]),
    (Set, Empty, &["other", "shoe"]),
    (Set, Unmark, &["other", "shoe"]),
    (Set, Edit, &["other", "pair", "shoe"]),
    (Catalog, ReplaceByOther, &["book-1", "book-2", "book-catalog", "book-catalog-1", "content/book"]),
    (Catalog, Rename, &["book-1", "book-2", "boot", "content/book"]),
    (Catalog, Trash, &["book-1", "book-2", "content/book"]),
    (Catalog, Restore, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Catalog, Empty, &["book-1", "book-2", "content/book"]),
    (Catalog, Unmark, &["book-1", "book-2", "content/book"]),
    (Catalog, Edit, &["book-1", "book-2", "book-catalog", "content/book"]),
    (Folder, Trash, &["pair"]),
    (Folder, Restore, &["other", "pair", "shoe"]),
];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Image | Folder => "shoe",
            Document => "book",
            Layered => "ad",
            Film => "film",
            Rendition => "film-a",
            Adaptive => "film-AVS",
            Set => "pair",
            Catalog => "book-catalog",
        }
    }

    async fn make(self, world: &World) {
        match self {
            Image | Set | Folder => {
                crate::publish::upload(world, &[("shoe.jpg", 1), ("other.jpg", 2)]).await;
                let both = vec![Member::of(asset(world, "shoe").await), Member::of(asset(world, "other").await)];
                world.set("sets", "pair", AssetType::ImageSet, both.clone(), true).await;
                if self == Folder {
                    world.store.create_folder(world.company, "in".to_owned(), change(world).at).await.unwrap();
                    let moves = both.iter().map(|member| (member.asset, "in".to_owned())).collect();
                    world.store.move_assets(change(world), moves).await.unwrap();
                }
            }
            Document | Catalog => {
                upload(world, "book.pdf", &booklet(&["one", "two"], &[]), pdf_options()).await;
            }
            Layered => {
                upload(world, "ad.psd", &poster().bytes(), layer_options()).await;
            }
            Film | Rendition | Adaptive => {
                preset(world, "a", &[("width", "16")]).await;
                preset(world, "b", &[]).await;
                upload(world, "film.mp4", tiny_film(0), film_options(world).await).await;
            }
        }
    }

    /// Its file with other content, or a file of another kind under its name.
    async fn replace(self, world: &World, by_same: bool) {
        world.execute("UPDATE company SET overwrite_mode = 'OverwriteAnyExt'").await;
        let name = self.name();
        match (self, by_same) {
            (Image, true) => upload(world, "shoe.jpg", &jpeg(30, 7), json!({})).await,
            (Document, true) => upload(world, "book.pdf", &brochure(), pdf_options()).await,
            (Layered, true) => {
                let mut bytes = poster().bytes();
                // Behind all that is read.
                bytes.push(0);
                upload(world, "ad.psd", &bytes, layer_options()).await
            }
            (Film, true) => upload(world, "film.mp4", tiny_film(1), film_options(world).await).await,
            // A customer's file in the place of one that was made.
            (Rendition, true) => upload(world, "film-a.mp4", tiny_film(1), json!({})).await,
            (Image, _) => upload(world, "shoe.txt", b"It was a picture.", json!({})).await,
            _ => {
                let _ = std::fs::remove_dir_all(world.ingest("in"));
                upload(world, &format!("{name}.jpg"), &jpeg(30, 7), json!({})).await
            }
        };
    }
}

async fn carry_out(world: &World, kind: Kind, deed: Deed) {
    let (change, name) = (change(world), kind.name());
    let id = asset(world, name).await;
    let store = &world.store;
    match (kind, deed) {
        (_, ReplaceBySame | ReplaceByOther) => kind.replace(world, deed == ReplaceBySame).await,
        (_, Rename) => store.rename_asset(change, id, "boot".to_owned()).await.unwrap(),
        (_, Move) => {
            store.create_folder(world.company, "elsewhere".to_owned(), change.at).await.unwrap();
            store.move_assets(change, vec![(id, "elsewhere".to_owned())]).await.unwrap().remove(0).unwrap();
        }
        (Folder, Trash | Restore) => {
            store.delete_folder(world.company, "in".to_owned(), world.account, change.at).await.unwrap();
            if deed == Restore {
                settled(world).await;
                let all = vec![id, asset(world, "other").await];
                store.restore_assets(change, all).await.unwrap().into_iter().for_each(|one| one.unwrap());
            }
        }
        (_, Trash | Restore | Empty) => {
            store.trash_assets(change, vec![id]).await.unwrap().remove(0).unwrap();
            if deed != Trash {
                settled(world).await;
            }
            let outcome = match deed {
                Restore => store.restore_assets(change, vec![id]).await.unwrap(),
                Empty => store.empty_trash(change, vec![id]).await.unwrap(),
                _ => return,
            };
            outcome.into_iter().for_each(|one| one.unwrap());
        }
        (_, Unmark) => mark(world, name, PublishState::NotMarkedForPublish).await,
        (_, Reprocess) => {
            let mut order = json!({ "assetHandleArray": [format!("a|{id}")], "emailSetting": "None" });
            let options = match kind {
                Document => pdf_options(),
                Layered => layer_options(),
                Film => film_options(world).await,
                _ => json!({}),
            };
            order.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            let done = world.run(JobKind::ReprocessAssets, order).await.succeeded();
            assert_eq!(done.counters.error, 0, "{}", done.text());
        }
        (_, Edit) => {
            let first = store.set_members(world.company, id).await.unwrap().remove(0).asset.id;
            let seats = vec![Seat { asset: first, page_reset: true }];
            let content = SetContent { seats: Some(seats), ..SetContent::default() };
            store
                .change_set(change, id, &[AssetType::ImageSet, AssetType::Catalog, AssetType::AssetSet], content)
                .await
                .unwrap();
        }
    }
}

/// What is wrong after a change.
async fn consequence((kind, deed, expected): &(Kind, Deed, &[&str])) -> Option<String> {
    let world = World::new().await;
    kind.make(&world).await;
    settled(&world).await;
    carry_out(&world, *kind, *deed).await;
    let found = settled(&world).await;
    let dangling = world
        .query(
            "SELECT 'member' FROM set_member m JOIN asset a ON a.id = m.asset_id WHERE a.trash_state = 'InEmptiedTrash'
             UNION ALL SELECT 'shown' FROM publication p LEFT JOIN asset a ON a.id = p.asset_id
             WHERE p.present = 1 AND (a.id IS NULL OR a.trash_state <> 'NotInTrash')",
        )
        .await;
    assert_eq!(dangling, Vec::<Vec<Value>>::new(), "{kind:?} {deed:?}");
    (found != *expected).then(|| format!("{kind:?} {deed:?}: {found:?} instead of {expected:?}"))
}

/// Several at a time: most of it is waiting for the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_has_its_consequences() {
    let wrong: Vec<Option<String>> = stream::iter(CONSEQUENCES).map(consequence).buffer_unordered(6).collect().await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// In which modes a file replaces the film that has its name, of another kind, and of the same in another folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_is_replaced_with_its_renditions_by_the_rule_of_each_mode() {
    let elsewhere = async |world: &World| {
        let mut options = film_options(world).await;
        options["destFolder"] = json!("elsewhere");
        upload(world, "film.mp4", tiny_film(1), options).await
    };
    for (mode, any_kind, any_folder) in [
        ("OverwriteFullName", false, false),
        ("OverwriteAnyExt", true, false),
        ("OverwriteFullNameAnyFolder", false, true),
        ("OverwriteAnyExtAnyFolder", true, true),
    ] {
        let world = World::new().await;
        world.execute(format!("UPDATE company SET overwrite_mode = '{mode}'")).await;
        Film.make(&world).await;
        let film = asset(&world, "film").await;
        let done = elsewhere(&world).await;
        let mut all: Vec<String> = FILM.iter().map(|name| (*name).to_owned()).collect();
        if !any_folder {
            all.extend(FILM.iter().map(|name| name.replace("film", "film-1")));
            all.sort();
        }
        assert_eq!(settled(&world).await, all, "{mode}: {}", done.text());
        assert_eq!(members(&world, "film-AVS").await, ["film-a", "film-b"], "{mode}");
        let done = upload(
            &world,
            "film.jpg",
            &jpeg(30, 7),
            json!({ "destFolder": if any_folder { "elsewhere" } else { "" } }),
        )
        .await;
        let now = settled(&world).await;
        let is_gone = |name: &str| !now.iter().any(|shown| shown == &format!("video/{name}"));
        assert_eq!(["film", "film-a", "film-AVS"].map(is_gone), [any_kind; 3], "{mode}: {now:?}\n{}", done.text());
        assert_eq!(now.iter().any(|name| name == "film"), any_kind, "{mode}: {now:?}\n{}", done.text());
        let kept = world.store.assets_numbered(world.company, &[film]).await.unwrap().remove(0);
        let kind = if any_kind { AssetType::Image } else { AssetType::MasterVideo };
        assert_eq!((kept.name.as_str(), kept.master.asset_type), ("film", kind), "{mode}");
    }
}

/// Whoever deletes a document while its pages are made finds none of them made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_what_was_deleted_meanwhile_stays_deleted() {
    let bytes = booklet(&["one", "two"], &[]);
    let mut deleted = 0;
    for (at, moment) in moments(3, BOOK).enumerate() {
        let world = World::new().await;
        world.put("ours/book.pdf", &bytes);
        let meanwhile = async || {
            let there = world.query("SELECT id FROM asset ORDER BY id").await;
            let all: Vec<AssetId> = there.iter().map(|row| AssetId(row[0].as_i64().unwrap())).collect();
            world.store.trash_assets(change(&world), all.clone()).await.unwrap();
            if at % 2 == 0 {
                world.store.empty_trash(change(&world), all).await.unwrap();
            }
        };
        let (done, was_broken_off) =
            world.run_broken_off(UPLOAD, of_book("ours", pdf_options()), moment, meanwhile).await;
        assert_eq!(done.result, Ok(()), "{moment:?}: {}", done.text());
        if !was_broken_off {
            break;
        }
        let lives = world.query("SELECT name, part FROM asset WHERE trash_state = 'NotInTrash' ORDER BY name").await;
        let names: Vec<&str> = lives.iter().map(|row| row[0].as_str().unwrap()).collect();
        // It came only after that.
        if names.contains(&"book") {
            continue;
        }
        deleted += 1;
        assert_eq!(names, [""; 0], "{moment:?}: {}", done.text());
    }
    assert!(deleted > 0, "it was never deleted meanwhile");
}

/// What an earlier attempt made is no member of a set when it was given up since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_between_two_attempts_is_no_member() {
    const FIRST: &str = "SELECT id FROM asset WHERE part = 'page:1'";
    let bytes = booklet(&["one", "two"], &[]);
    let give_up = async |world: &World| {
        let pages = world.query(FIRST).await;
        let pages: Vec<AssetId> = pages.iter().map(|row| AssetId(row[0].as_i64().unwrap())).collect();
        world.store.trash_assets(change(world), pages.clone()).await.unwrap();
        world.store.empty_trash(change(world), pages).await.unwrap();
    };
    for moment in moments(7, FIRST) {
        let world = World::new().await;
        world.put("ours/book.pdf", &bytes);
        let meanwhile = async || give_up(&world).await;
        let (done, was_broken_off) = world.run_in_two(UPLOAD, of_book("ours", pdf_options()), moment, meanwhile).await;
        assert_eq!(done.result, Ok(()), "{moment:?}: {}", done.text());
        let dangling = world
            .query("SELECT m.asset_id FROM set_member m JOIN asset a ON a.id = m.asset_id WHERE a.trash_state = 'InEmptiedTrash'")
            .await;
        assert_eq!(dangling, Vec::<Vec<Value>>::new(), "{moment:?}: {}", done.text());
        if !was_broken_off {
            break;
        }
        if matches!(moment, Moment::Finds(_)) {
            assert_eq!(members(&world, "book-catalog").await, ["book-2"]);
        }
    }
}
