//! Publish jobs of every kind of context, and sets in them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use prepress::executors::Failure;
use prepress::model::asset::{AssetType, PublishState};
use prepress::model::handle;
use prepress::model::kind::JobKind;
use prepress::model::metadata::{Update, Values};
use prepress::store::assets::Contexts;
use prepress::store::assets::set_change::{Seat, SetContent, UserSet};
use prepress::store::assets::sets::Member;
use serde_json::{Value, json};

use crate::layers::poster;
use crate::likeness::derived;
use crate::pages::{self, brochure};
use crate::publish::{asset, change, manifest, mark, upload};
use crate::videos::film;
use crate::world::{Done, World, directory, read, with, words};

const RENDERING: JobKind = JobKind::ImageRenderingPublish;
const SERVER_DIRECTORY: JobKind = JobKind::ServerDirectoryPublish;

async fn publish(world: &World, kind: JobKind) -> Done {
    let mut order = json!({ "emailSetting": "None" });
    if kind == JobKind::ImageServingPublish {
        order["publishType"] = json!("Incremental");
    }
    world.run(kind, order).await.succeeded()
}

async fn mark_in(world: &World, kind: &str, name: &str, state: PublishState) {
    let contexts = world.store.publish_contexts(world.company).await.unwrap();
    let context = contexts.iter().find(|context| context.kind.as_str() == kind).unwrap().id;
    let states = vec![(asset(world, name).await, state)];
    world.store.set_publish_states(change(world), states, Contexts::These(vec![context])).await.unwrap();
}

async fn member(world: &World, name: &str) -> Member {
    Member::of(asset(world, name).await)
}

fn document(world: &World, path: &str) -> Value {
    serde_json::from_slice(&read(world.settings.publish_root.join(path))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_context_has_marks_and_trees_of_its_own() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    world.put("in/mark.icc", &sample_profile());
    world.put("in/guide.txt", b"text");
    world.put("in/film.mp4", &film("64x48", 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    mark_in(&world, "ImageRendering", "b", PublishState::NotMarkedForPublish).await;

    let done = publish(&world, RENDERING).await;
    assert_eq!(world.paths_in("image-rendering"), ["a.tif", "content/mark.icc"], "{}", done.text());
    assert_eq!((done.counters.success, done.counters.transfer_success), (2, 2));
    assert_eq!(done.of_type("ImageRenderingPublishSuccess").len(), 2, "{}", done.text());
    assert!(world.paths_in("image-serving").is_empty(), "the other contexts are not touched");

    publish(&world, JobKind::ImageServingPublish).await;
    let serving = ["a.tif", "b.tif", "content/guide.txt", "content/mark.icc"];
    assert_eq!(world.paths_in("image-serving"), serving);
    let done = publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["a.jpg", "b.jpg", "film.mp4", "guide.txt", "mark.icc"]);
    assert_eq!(done.of_type("ServerDirectoryPublishSuccess").len(), 5, "{}", done.text());

    // What leaves one context stays in the others.
    mark_in(&world, "ImageRendering", "a", PublishState::NotMarkedForPublish).await;
    let done = publish(&world, RENDERING).await;
    assert_eq!(world.paths_in("image-rendering"), ["content/mark.icc"]);
    let types: Vec<&str> = done.lines.iter().map(|line| line.log_type.as_str()).collect();
    let expected = [
        "BeginImageRenderingPublishCleanup",
        "ImageRenderingPublishCleanupSuccess",
        "EndImageRenderingPublishCleanup",
        "JobInfo",
    ];
    assert_eq!(types, expected, "{}", done.text());
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rendering_context_may_be_named_and_must_be_the_companys() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    let contexts = world.store.publish_contexts(world.company).await.unwrap();
    let handle = |kind: &str| {
        let context = contexts.iter().find(|context| context.kind.as_str() == kind).unwrap();
        json!({ "emailSetting": "None", "contextHandle": format!("pc|{}", context.id) })
    };
    world.run(RENDERING, handle("ImageRendering")).await.succeeded();
    assert_eq!(world.paths_in("image-rendering"), ["a.tif"]);
    let done = world.run(RENDERING, handle("ImageServing")).await;
    let Err(Failure::Fatal(message)) = &done.result else { panic!("{:?}", done.result) };
    assert!(words(message).contains("is not an ImageRendering context of the company"), "{}", words(message));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_directory_keeps_the_companys_folders() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("Spring/Shoes/b.jpg", 2), ("Spring/c.jpg", 3)]).await;
    publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["Spring/Shoes/b.jpg", "Spring/c.jpg", "a.jpg"]);
    let published = read(world.tree("server-directory").join("Spring/Shoes/b.jpg"));
    assert_eq!(published, read(world.ingest("in/Spring/Shoes/b.jpg")), "the master as it was uploaded");
    let files = manifest(world.tree("server-directory").join(".manifest.jsonl"));
    assert_eq!(files["Spring/Shoes/b.jpg"]["asset"], "b");

    // Two publishes, so that both trees have gone through it.
    for folder in ["Autumn", "Autumn/Shoes"] {
        let moves = vec![(asset(&world, "b").await, folder.to_owned())];
        world.store.create_folder(world.company, folder.to_owned(), change(&world).at).await.unwrap();
        for outcome in world.store.move_assets(change(&world), moves).await.unwrap() {
            outcome.unwrap();
        }
        let done = publish(&world, SERVER_DIRECTORY).await;
        assert_eq!(world.paths_in("server-directory"), [&format!("{folder}/b.jpg"), "Spring/c.jpg", "a.jpg"]);
        assert!(done.text().contains("was removed from ServerDirectory"), "{}", done.text());
    }
    assert!(!world.tree("server-directory").join("Spring/Shoes").exists(), "an emptied folder goes with its last file");
    let trashed = vec![asset(&world, "c").await];
    world.store.trash_assets(change(&world), trashed).await.unwrap();
    publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["Autumn/Shoes/b.jpg", "a.jpg"]);
    assert!(!world.tree("server-directory").join("Spring").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_directory_has_each_master_once_and_pictures_of_its_parts() {
    let world = World::new().await;
    world.put("in/a/brochure.pdf", &brochure());
    world.put("in/ad.psd", &poster().bytes());
    let photoshop = json!({ "process": "MaintainLayers", "layerOptions": { "createTemplate": true } });
    let order =
        with(pages::order("pdfOptions", json!({ "process": "Rasterize" })), json!({ "photoshopOptions": photoshop }));
    world.run(JobKind::UploadDirectory, order).await.succeeded();
    let done = publish(&world, SERVER_DIRECTORY).await;
    let files = [
        "a/brochure-1.tif",
        "a/brochure-2.tif",
        "a/brochure-catalog.json",
        "a/brochure.pdf",
        "ad-template.json",
        "ad.psd",
        "ad_1.tif",
        "ad_Seal.tif",
        "ad_Words.tif",
    ];
    assert_eq!(world.paths_in("server-directory"), files, "{}", done.text());
    let tree = world.tree("server-directory");
    assert_eq!(read(tree.join("a/brochure.pdf")), brochure());
    assert_eq!(read(tree.join("a/brochure-2.tif")), read(derived(&world, "brochure-2", "Pyramid").await.unwrap()));
    assert_eq!(read(tree.join("ad_Seal.tif")), read(derived(&world, "ad_Seal", "Pyramid").await.unwrap()));
    let catalog = document(&world, "server-directory/Acme/a/brochure-catalog.json");
    assert_eq!(catalog["members"][0]["file"], "a/brochure-1.tif");
    // A page is a picture also where its document is not published.
    mark_in(&world, "ServerDirectory", "brochure", PublishState::NotMarkedForPublish).await;
    publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(
        world.paths_in("server-directory"),
        files.into_iter().filter(|path| !path.ends_with(".pdf")).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_belongs_to_the_asset_that_had_it_first() {
    let world = World::new().await;
    // A file that is called as a folder is, and one that is called as another file.
    world.put("in/x", b"a file called x");
    world.put("in/shoe.jpg", &crate::world::jpeg(24, 1));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["shoe.jpg", "x"]);
    fs::remove_dir_all(world.ingest("in")).unwrap();
    world.put("in/x/y.jpg", &crate::world::jpeg(24, 2));
    world.put("in/shoe.jpg.", b"another file called shoe.jpg");
    world.put("in/z.jpg", &crate::world::jpeg(24, 3));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let done = publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["shoe.jpg", "x", "z.jpg"]);
    let errors: Vec<_> = done.of_type("ServerDirectoryPublishError").iter().map(|line| line.asset.clone()).collect();
    assert_eq!(errors, [Some("shoe.jpg".to_owned()), Some("y".to_owned())], "{}", done.text());
    assert!(done.text().contains("another asset's file or folder is published at x/y.jpg"), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.error), (1, 2));
    // The path is free once its owner has left it.
    let trashed = vec![asset(&world, "x").await];
    world.store.trash_assets(change(&world), trashed).await.unwrap();
    mark(&world, "y", PublishState::MarkedForPublish).await;
    publish(&world, SERVER_DIRECTORY).await;
    assert_eq!(world.paths_in("server-directory"), ["shoe.jpg", "x/y.jpg", "z.jpg"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_of_every_kind_end_right_wherever_they_crash() {
    for (kind, folder) in [(RENDERING, "image-rendering"), (SERVER_DIRECTORY, "server-directory")] {
        let world = World::new().await;
        upload(&world, &[("a.jpg", 1), ("S/b.jpg", 2)]).await;
        let members = vec![member(&world, "a").await, member(&world, "b").await];
        world.set("S", "pair", AssetType::RenderSet, members, true).await;
        let order = json!({ "emailSetting": "None" });
        let done = world.run_with_crashes(kind, order.clone()).await.succeeded();
        assert!(done.attempts > 5, "{}", done.attempts);
        assert_eq!(done.counters.success, 3, "{}", done.text());
        let first = world.paths_in(folder);
        assert_eq!(first.len(), 3, "{first:?}");
        mark(&world, "pair", PublishState::NotMarkedForPublish).await;
        mark(&world, "b", PublishState::NotMarkedForPublish).await;
        let done = world.run_with_crashes(kind, order).await.succeeded();
        assert_eq!(world.paths_in(folder).len(), 1, "{}", done.text());
        assert_eq!(publish(&world, kind).await.codes(), ["publish-nothing"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marked_set_is_published_with_its_members() {
    let world = World::new().await;
    upload(&world, &[("s-1.jpg", 1), ("s-2.jpg", 2), ("other.jpg", 3)]).await;
    for name in ["s-1", "s-2", "other"] {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
    }
    let first = Member { row: Some(0), col: Some(1), ..member(&world, "s-1").await };
    let second = member(&world, "s-2").await;
    let set = world.set("Sets", "spin", AssetType::SpinSet, vec![second, first], true).await;
    let done = publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["s-1.tif", "s-2.tif", "spin.json"], "{}", done.text());
    let expected = json!({
        "set": "spin", "id": set.0, "type": "SpinSet",
        "members": [
            { "asset": "s-2", "id": second.asset.0, "type": "Image", "file": "s-2.tif", "width": 24, "height": 24 },
            { "asset": "s-1", "id": first.asset.0, "type": "Image", "file": "s-1.tif", "width": 24, "height": 24, "row": 0, "column": 1 },
        ],
    });
    assert_eq!(document(&world, "image-serving/Acme/spin.json"), expected);

    // A set of sets publishes what they show.
    let inner = member(&world, "spin").await;
    mark(&world, "spin", PublishState::NotMarkedForPublish).await;
    world.set("Sets", "media", AssetType::AssetSet, vec![inner], true).await;
    let done = publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["media.json", "s-1.tif", "s-2.tif", "spin.json"], "{}", done.text());
    assert_eq!(done.counters.success, 1, "{}", done.text());
    assert_eq!(document(&world, "image-serving/Acme/media.json")["members"][0]["file"], "spin.json");

    // A member that is renamed is known by its new name at once.
    world.store.rename_asset(change(&world), second.asset, "s-9".into()).await.unwrap();
    let done = publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["media.json", "s-1.tif", "s-9.tif", "spin.json"], "{}", done.text());
    assert_eq!(document(&world, "image-serving/Acme/spin.json")["members"][0]["file"], "s-9.tif");
    assert_eq!(done.counters.success, 2, "the member and its set: {}", done.text());

    // A member that leaves the set leaves the tree, unless it is marked itself.
    mark(&world, "s-1", PublishState::MarkedForPublish).await;
    world.set("Sets", "spin", AssetType::SpinSet, vec![], false).await;
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["media.json", "s-1.tif", "spin.json"]);
    assert_eq!(document(&world, "image-serving/Acme/spin.json")["members"], json!([]));

    // In the trash it publishes nothing.
    world.store.trash_assets(change(&world), vec![set]).await.unwrap();
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["media.json", "s-1.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_definition_of_an_asset_set_is_published_with_its_answers() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let (a, b) = (member(&world, "a").await, member(&world, "b").await);
    let spin = world.set("Sets", "spin", AssetType::SpinSet, vec![b], false).await;
    world
        .execute(
            "INSERT INTO metadata_field (company_id, scope, name, field_type, default_value, is_publish_data)
             VALUES (47, 'ALL', 'Secret', 'String', 'no', 0)",
        )
        .await;
    let title = |text: &str| Update { name: "dc.title".into(), values: Values::Set(vec![text.into()]) };
    world.store.set_metadata(change(&world), vec![(a.asset, vec![title("Mug")])]).await.unwrap();
    let (a, spin) = (a.asset, format!("a|{spin}|22|{spin}"));
    let definition = format!(
        "{{1,${{getCatalogId([{spin}])}};${{getThumbCatalogId([{spin}])}}}},${{getFilePath([a|{a}])}},\
         ${{getMetaData([a|{a}], [m|{company}|ALL|dc.title])}},${{getMetadata([a|{a}],[m|{company}|ALL|none])}}\
         ${{getMetadata([a|{a}],[m|{company}|ALL|Secret])}}.",
        company = world.company
    );
    let seats = [handle::parse_asset("", &spin).unwrap(), a].map(|asset| Seat { asset, page_reset: true });
    let set = UserSet {
        folder: "Sets".into(),
        name: "media".into(),
        set_type: AssetType::AssetSet,
        sub_type: Some("MediaSet".into()),
        content: SetContent { seats: Some(seats.to_vec()), definition: Some(definition), thumb: None },
    };
    let set = world.store.create_set(change(&world), set).await.unwrap();
    world
        .store
        .set_publish_states(change(&world), vec![(set, PublishState::MarkedForPublish)], Contexts::All)
        .await
        .unwrap();
    let published = async || {
        publish(&world, JobKind::ImageServingPublish).await;
        document(&world, "image-serving/Acme/media.json")["definition"].as_str().unwrap().to_owned()
    };
    assert_eq!(published().await, "{1,Acme/spin;Acme/b},Acme/a.jpg,Mug,.");
    // An answer that changes is published, also when it is two sets below.
    world.store.set_metadata(change(&world), vec![(a, vec![title("Cup")])]).await.unwrap();
    assert_eq!(published().await, "{1,Acme/spin;Acme/b},Acme/a.jpg,Cup,.");
    world.store.rename_asset(change(&world), b.asset, "blue".into()).await.unwrap();
    assert_eq!(published().await, "{1,Acme/spin;Acme/blue},Acme/a.jpg,Cup,.");
    world.store.trash_assets(change(&world), vec![a]).await.unwrap();
    assert_eq!(published().await, "{1,Acme/spin;Acme/blue},,,.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_that_hold_each_other_are_published_all_the_same() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1)]).await;
    let one = world.set("", "one", AssetType::AssetSet, vec![member(&world, "a").await], true).await;
    let two = world.set("", "two", AssetType::AssetSet, vec![Member::of(one)], false).await;
    world.set("", "one", AssetType::AssetSet, vec![Member::of(two)], true).await;
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["a.tif", "one.json", "two.json"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mask_is_published_beside_its_pyramid() {
    let world = World::new().await;
    upload(&world, &[("mug.jpg", 1), ("mug-mask.jpg", 2)]).await;
    world
        .execute(
            "INSERT INTO derived SELECT asset_id, 'Mask', blob, bytes, width, height, source_blob, recipe, made_at
             FROM derived WHERE role = 'Pyramid' AND asset_id = (SELECT id FROM asset WHERE name = 'mug')",
        )
        .await;
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["mask/mug.tif", "mug-mask.tif", "mug.tif"]);
    let files = manifest(world.published().join("manifest.jsonl"));
    assert_eq!(files["mask/mug.tif"]["asset"], "mug");
    // Two files of one asset are one line for search.
    let order = json!({ "publishType": "FullWithSearch", "emailSetting": "None" });
    world.run(JobKind::ImageServingPublish, order).await.succeeded();
    let lines = String::from_utf8(read(world.published().join("search.jsonl"))).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    // It leaves with what it masks.
    mark(&world, "mug", PublishState::NotMarkedForPublish).await;
    let done = publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(world.paths_in("image-serving"), ["mug-mask.tif", "search.jsonl"], "{}", done.text());
    assert_eq!(done.of_type("ImageServingPublishCleanupSuccess").len(), 2, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_directory_costs_what_changed() {
    let world = World::new().await;
    let names: Vec<String> = (0..60).map(|number| format!("{}/{number}.jpg", number % 7)).collect();
    let files: Vec<(&str, u8)> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at as u8)).collect();
    upload(&world, &files).await;
    publish(&world, SERVER_DIRECTORY).await;
    for round in 0..3 {
        let before = stamps(&world);
        upload(&world, &[("3/3.jpg", 200 + round)]).await;
        let done = publish(&world, SERVER_DIRECTORY).await;
        assert_eq!(done.counters.success, 1, "{}", done.text());
        let differing = stamps(&world).iter().filter(|stamp| !before.contains(stamp)).count();
        assert!(differing <= 2, "{differing} files were touched for one");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_an_asset_says_when_readers_got_it() {
    let world = World::new().await;
    upload(&world, &[("a.jpg", 1), ("b.jpg", 2)]).await;
    let history = async |name: &str| {
        let entries = world.store.publish_history(asset(&world, name).await).await.unwrap();
        entries
            .into_iter()
            .map(|(context, at)| (context, (at - crate::world::start()).num_seconds()))
            .collect::<Vec<_>>()
    };
    assert!(history("a").await.is_empty());
    publish(&world, JobKind::ImageServingPublish).await;
    publish(&world, SERVER_DIRECTORY).await;
    let first = history("a").await;
    assert_eq!(
        first.iter().map(|(context, _)| context.as_str()).collect::<Vec<_>>(),
        ["ImageServing", "ServerDirectory"]
    );
    assert_eq!(history("b").await, first);
    assert!(first[0].1 < first[1].1, "{first:?}");
    // Only what changed is given again, unless everything is.
    upload(&world, &[("a.jpg", 11)]).await;
    publish(&world, JobKind::ImageServingPublish).await;
    assert!(history("a").await[0].1 > first[0].1);
    assert_eq!(history("b").await, first);
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    assert_eq!(history("b").await[0].1, history("a").await[0].1);
    // It is kept when the asset leaves.
    mark(&world, "b", PublishState::NotMarkedForPublish).await;
    publish(&world, JobKind::ImageServingPublish).await;
    assert_eq!(history("b").await.len(), 2);
}

/// Every file of both trees, with what shows that it was written.
fn stamps(world: &World) -> Vec<(String, u64, i64, i64)> {
    let mut found = Vec::new();
    for tree in [".Acme.a", ".Acme.b"] {
        let root = world.settings.publish_root.join("server-directory").join(tree);
        for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            for entry in fs::read_dir(folder).unwrap() {
                let (path, data) = (entry.as_ref().unwrap().path(), entry.unwrap().metadata().unwrap());
                found.push((path.display().to_string(), data.ino(), data.ctime(), data.ctime_nsec()));
            }
        }
    }
    found
}

/// The head of an ICC profile, by which one is known.
fn sample_profile() -> Vec<u8> {
    let mut bytes = vec![0; 132];
    bytes[3] = 132;
    bytes[12..16].copy_from_slice(b"mntr");
    bytes[16..20].copy_from_slice(b"RGB ");
    bytes[20..24].copy_from_slice(b"XYZ ");
    bytes[36..40].copy_from_slice(b"acsp");
    bytes
}
