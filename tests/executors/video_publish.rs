//! Videos as video servers and crawlers see them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use chrono::TimeDelta;
use prepress::clock::Clock;
use prepress::executors::Failure;
use prepress::model::asset::PublishState;
use prepress::model::id::CompanyId;
use prepress::model::kind::JobKind;
use prepress::store::jobs::claim::{FreeSlots, Lease};
use serde_json::{Value, json};

use crate::publish::{asset, change, manifest, mark};
use crate::videos::{by, film, order, play, preset};
use crate::world::{Done, World, read, words};

const PUBLISH: JobKind = JobKind::VideoPublish;
const SITEMAP: JobKind = JobKind::CreateVideoSitemap;

async fn publish(world: &World) -> Done {
    world.run(PUBLISH, json!({ "emailSetting": "None" })).await.succeeded()
}

/// A film of two renditions, with a caption and a picture beside it.
async fn world_with_film(name: &str) -> World {
    let world = World::with(|settings| settings.video_root_url = Some("https://v.example/films/".into())).await;
    world.put(&format!("in/{name}.mp4"), &film("160x90", 8));
    world.put(&format!("in/{name}_de.vtt"), b"WEBVTT\n\n00:00.000 --> 00:02.000\nHallo\n");
    world.put("in/poster.jpg", &crate::world::jpeg(24, 1));
    let large = preset(&world, "large", &[("videoBitrate", "200")]).await;
    let small = preset(&world, "small", &[("width", "96"), ("videoBitrate", "50")]).await;
    let mut options = by(&[&large, &small]);
    options["generateThumbnail"] = json!(true);
    world.run(JobKind::UploadDirectory, order(options)).await.succeeded();
    world
}

const ALL: [&str; 10] = [
    "film-AVS.m3u8",
    "film-large.mp4",
    "film-small.mp4",
    "film.mp4",
    "film_de.vtt",
    "hls/film-large/video.m3u8",
    "hls/film-large/video.mp4",
    "hls/film-small/video.m3u8",
    "hls/film-small/video.mp4",
    "thumbnails/film.jpg",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn films_renditions_and_streams_are_published() {
    let world = world_with_film("film").await;
    let done = publish(&world).await;
    assert_eq!(world.paths_in("video"), ALL, "{}", done.text());
    assert_eq!(done.of_type("VideoPublishSuccess").len(), ALL.len(), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.transfer_success), (10, 10));
    assert!(world.paths_in("image-serving").is_empty());
    let tree = world.tree("video");
    assert_eq!(read(tree.join("film.mp4")), read(world.ingest("in/film.mp4")));
    let files = manifest(tree.join(".manifest.jsonl"));
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), ALL);
    assert_eq!(files["hls/film-small/video.m3u8"]["asset"], "film-small");
    let inode = |path: &str| fs::metadata(tree.join(path)).unwrap().ino();
    assert_eq!(inode("hls/film-small/video.mp4"), inode("film-small.mp4"), "what is streamed takes no further space");

    // It plays, and says what players choose by.
    let list = String::from_utf8(read(tree.join("film-AVS.m3u8"))).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "#EXTM3U");
    assert!(lines[3].contains("RESOLUTION=160x90,FRAME-RATE=10.000,CODECS=\"avc1.6400"), "{list}");
    assert_eq!(lines[4], "hls/film-large/video.m3u8");
    assert!(lines[5].contains("RESOLUTION=96x54,"), "{list}");
    let rate = |line: &str| -> u64 { line.split(['=', ',']).nth(1).unwrap().parse().unwrap() };
    let mean = |line: &str| -> u64 { line.split(['=', ',']).nth(3).unwrap().parse().unwrap() };
    assert!(lines[3].contains(",AVERAGE-BANDWIDTH="), "{list}");
    assert!(rate(lines[3]) >= mean(lines[3]) && rate(lines[5]) >= mean(lines[5]), "no peak is below the mean: {list}");
    assert!(rate(lines[3]) > rate(lines[5]), "{list}");
    assert_eq!(play(&tree.join("film-AVS.m3u8")), 80);

    // What did not change costs nothing.
    let before = inode("film.mp4");
    assert_eq!(publish(&world).await.codes(), ["publish-nothing"]);
    assert_eq!(inode("film.mp4"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_marked_leaves_and_new_names_are_heard_of() {
    let world = world_with_film("film").await;
    publish(&world).await;
    let small = asset(&world, "film-small").await;
    world.store.rename_asset(change(&world), small, "été 1".into()).await.unwrap();
    mark(&world, "film", PublishState::NotMarkedForPublish).await;
    let done = publish(&world).await;
    let paths = world.paths_in("video");
    assert!(!paths.contains(&"film.mp4".to_owned()) && !paths.contains(&"thumbnails/film.jpg".to_owned()), "{paths:?}");
    assert!(paths.contains(&"hls/été 1/video.m3u8".to_owned()), "{paths:?}");
    assert!(done.of_type("VideoPublishCleanupSuccess").len() >= 5, "{}", done.text());
    let list = String::from_utf8(read(world.tree("video").join("film-AVS.m3u8"))).unwrap();
    assert!(list.contains("\nhls/%C3%A9t%C3%A9%201/video.m3u8\n"), "{list}");
    assert_eq!(play(&world.tree("video").join("film-AVS.m3u8")), 80);

    // Renditions that belong to a marked set are published with it.
    for name in ["film-large", "été 1", "film_de"] {
        mark(&world, name, PublishState::NotMarkedForPublish).await;
    }
    publish(&world).await;
    assert_eq!(world.paths_in("video").len(), 7);
    mark(&world, "film-AVS", PublishState::NotMarkedForPublish).await;
    publish(&world).await;
    assert!(world.paths_in("video").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_context_may_be_named_and_must_be_of_videos() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("64x48", 1));
    world.run(JobKind::UploadDirectory, order(json!({}))).await.succeeded();
    let contexts = world.store.publish_contexts(world.company).await.unwrap();
    let handle = |kind: &str| {
        let context = contexts.iter().find(|context| context.kind.as_str() == kind).unwrap();
        json!({ "emailSetting": "None", "contextHandle": format!("pc|{}", context.id) })
    };
    world.run(PUBLISH, handle("Video")).await.succeeded();
    assert_eq!(world.paths_in("video"), ["film.mp4"]);
    let done = world.run(PUBLISH, handle("ServerDirectory")).await;
    let Err(Failure::Fatal(message)) = &done.result else { panic!("{:?}", done.result) };
    assert!(words(message).contains("is not a Video context of the company"), "{}", words(message));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_video_publish_ends_right_wherever_it_crashes() {
    let world = world_with_film("film").await;
    let done = world.run_with_crashes(PUBLISH, json!({ "emailSetting": "None" })).await.succeeded();
    assert!(done.attempts > 5, "{}", done.attempts);
    assert_eq!(done.counters.success, 10, "{}", done.text());
    assert_eq!(world.paths_in("video"), ALL);
}

async fn sitemap(world: &World, order: Value) -> Done {
    world.run(SITEMAP, order).await.succeeded()
}

/// The site map as another program reads it: element names without namespaces, and their texts.
fn parsed(path: &Path) -> Vec<(String, String)> {
    let script = "import sys, xml.etree.ElementTree as e\nfor x in e.parse(sys.argv[1]).iter(): print(x.tag + '\\t' + (x.text or '').strip())";
    let said = Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).unwrap();
    text.lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(tag, text)| (tag.to_owned(), text.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_map_names_every_video_once() {
    let world = world_with_film("été & film").await;
    assert_eq!(sitemap(&world, json!({})).await.codes(), ["sitemap-nothing"]);
    world.put("in/other.mp4", &film("64x48", 2));
    world.run(JobKind::UploadDirectory, order(json!({}))).await.succeeded();
    publish(&world).await;
    let done = sitemap(&world, json!({})).await;
    assert!(done.text().contains("The site map names 2 videos: "), "{}", done.text());
    let path = world.tree("video").join("sitemap.xml");
    let found = parsed(&path);
    let site = "{http://www.sitemaps.org/schemas/sitemap/0.9}";
    let video = "{http://www.google.com/schemas/sitemap-video/1.1}";
    assert_eq!(found[0].0, format!("{site}urlset"));
    let texts = |tag: &str| -> Vec<&str> {
        found.iter().filter(|(found, _)| found == tag).map(|(_, text)| text.as_str()).collect()
    };
    let base = "https://v.example/films/Acme";
    let addresses = [format!("{base}/%C3%A9t%C3%A9%20%20film-AVS.m3u8"), format!("{base}/other.mp4")];
    assert_eq!(texts(&format!("{site}loc")), addresses);
    assert_eq!(texts(&format!("{video}content_loc")), addresses);
    assert_eq!(texts(&format!("{video}title")), ["été  film", "other"]);
    assert_eq!(texts(&format!("{video}duration")), ["8", "2"]);
    assert_eq!(texts(&format!("{video}thumbnail_loc")), [format!("{base}/thumbnails/%C3%A9t%C3%A9%20%20film.jpg")]);
    assert_eq!(texts(&format!("{video}publication_date")).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_map_is_written_when_something_changed_or_when_forced() {
    let world = World::with(|settings| settings.video_root_url = Some("https://v.example".into())).await;
    world.put("in/a.mp4", &film("64x48", 1));
    world.run(JobKind::UploadDirectory, order(json!({}))).await.succeeded();
    publish(&world).await;
    let path = world.tree("video").join("sitemap.xml");
    let inode = || fs::metadata(&path).unwrap().ino();
    assert!(sitemap(&world, json!({})).await.text().contains("The site map names 1 video: "));
    let first = inode();
    assert_eq!(sitemap(&world, json!({ "forceUpdate": false })).await.codes(), ["sitemap-unchanged"]);
    assert_eq!(inode(), first);
    let done = sitemap(&world, json!({ "forceUpdate": true })).await;
    assert_eq!(done.codes(), ["sitemap-written"]);
    assert_ne!(inode(), first, "it was written again");

    // Publishes hand it on, also when they make their tree anew.
    let text = read(&path);
    world.put("in/b.mp4", &film("64x48", 2));
    world.run(JobKind::UploadDirectory, order(json!({}))).await.succeeded();
    publish(&world).await;
    assert_eq!(read(&path), text);
    let done = sitemap(&world, json!({})).await;
    assert!(done.text().contains("The site map names 2 videos: "), "{}", done.text());
    assert_eq!(parsed(&path).iter().filter(|(tag, _)| tag.ends_with("}loc")).count(), 2);
    mark(&world, "b", PublishState::NotMarkedForPublish).await;
    publish(&world).await;
    assert!(sitemap(&world, json!({})).await.text().contains("The site map names 1 video: "));
}

/// Both write to the same trees: the one that comes second is not to fail because the first takes long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_map_and_a_publish_of_videos_take_turns() {
    let world = World::new().await;
    let order = || json!({ "emailSetting": "None" });
    for (first, second) in [(PUBLISH, SITEMAP), (SITEMAP, PUBLISH)] {
        world.submit(first, order()).await;
        let running = world.claim().await;
        world.submit(second, order()).await;
        let free = FreeSlots { total: 9, by_kind: BTreeMap::new() };
        let lease = Lease { owner: "other".into(), expires_at: world.clock.now() + TimeDelta::minutes(1) };
        let now = world.clock.now();
        let claims = world.store.claim(free, CompanyId(0), move || (lease, now)).await.unwrap();
        assert!(claims.runs.is_empty(), "{second:?} beside {first:?}");
        world.finish(running.fence, Ok(()), 1).await;
        let next = world.claim().await;
        world.finish(next.fence, Ok(()), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_map_that_somebody_changed_is_not_written_over_in_silence() {
    let world = World::with(|settings| settings.video_root_url = Some("https://v.example".into())).await;
    world.put("in/a.mp4", &film("64x48", 1));
    world.run(JobKind::UploadDirectory, order(json!({}))).await.succeeded();
    publish(&world).await;
    let force = || json!({ "forceUpdate": true });
    for _ in 0..2 {
        assert_eq!(sitemap(&world, force()).await.codes(), ["sitemap-written"]);
    }
    let path = world.tree("video").join("sitemap.xml");
    for somebodys in ["<urlset/>", ""] {
        fs::write(&path, somebodys).unwrap();
        let done = sitemap(&world, json!({})).await;
        assert_eq!(done.codes(), ["sitemap-written", "sitemap-overwritten"], "{}", done.text());
        assert_eq!((done.counters.success, done.counters.warning), (1, 1), "{}", done.text());
        assert_eq!(sitemap(&world, force()).await.codes(), ["sitemap-written"], "once is enough");
    }
    // What is no file is not waited for.
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(sitemap(&world, json!({})).await.codes(), ["sitemap-written", "sitemap-overwritten"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_map_needs_an_address() {
    let world = World::new().await;
    let done = world.run(SITEMAP, json!({ "forceUpdate": true })).await;
    let Err(Failure::Fatal(message)) = &done.result else { panic!("{:?}", done.result) };
    assert!(words(message).contains("set video_root_url in [publish]"), "{}", words(message));
}
