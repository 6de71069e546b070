//! HEIC and AVIF, made by libheif's encoders and read through its tools, compared with what they were made of.

use std::path::{Path, PathBuf};
use std::process::Command;

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::child::nothing_is_left_in;
use crate::likeness::{mean_delta_e, pyramid, size, text, tool};
use crate::world::{Done, World, directory, read};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn world() -> World {
    World::with(|settings| settings.media.jpeg_quality = 95).await
}

async fn upload(world: &World) -> Done {
    world.run(UPLOAD, directory("in")).await.succeeded()
}

/// A picture with colours, edges and gradients, as a PNG with these options of `convert`.
fn source(folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let path = folder.join(format!("{name}.png"));
    let scene = [
        "-size",
        "301x203",
        "gradient:#1a5a2a-#f4d9a0",
        "-fill",
        "#c02040",
        "-draw",
        "circle 90,90 90,40",
        "-fill",
        "#2050c0",
        "-draw",
        "rectangle 170,60 260,150",
        "-alpha",
        "off",
    ];
    tool("convert", &[&scene[..], options, &[text(&path)]].concat());
    path
}

fn encode(source: &Path, target: &Path, options: &[&str]) {
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    tool("heif-enc", &[options, &["-q", "95", text(source), "-o", text(target)]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_look_like_what_they_were_made_of() {
    let world = world().await;
    let folder = world.folder.path();
    let plain = source(folder, "plain", &["-depth", "8"]);
    let deep = source(folder, "deep", &["-depth", "16", "-define", "png:bit-depth=16"]);
    let glass =
        source(folder, "glass", &["-depth", "8", "-alpha", "set", "-channel", "A", "-evaluate", "multiply", "0.5"]);
    for (name, source) in [("plain", &plain), ("deep", &deep), ("glass", &glass)] {
        // The AV1 encoder of Debian 12 fails at 10 bits.
        encode(source, &world.ingest(&format!("in/{name}-h.heic")), &[]);
        encode(source, &world.ingest(&format!("in/{name}-a.avif")), &["-b", "12"]);
    }
    // Whatever it is called.
    std::fs::copy(world.ingest("in/plain-h.heic"), world.ingest("in/called.jpg")).unwrap();
    let done = upload(&world).await;
    assert_eq!((done.counters.success, done.counters.error), (7, 0), "{}", done.text());
    for (name, source) in [("plain", &plain), ("deep", &deep), ("glass", &glass)] {
        for kind in ["h", "a"] {
            let asset = format!("{name}-{kind}");
            let difference = mean_delta_e(&pyramid(&world, &asset).await, source);
            assert!(difference < 2.0, "{asset}: {difference}");
        }
    }
    let facts = world
        .query(
            "SELECT name, json_text(info, 'format'), json_int(info, 'bitsPerComponent'), strpos(info, '\"hasAlpha\":true') > 0, asset_type FROM asset
             WHERE name IN ('plain-h', 'deep-a', 'glass-h', 'called') ORDER BY name",
        )
        .await;
    assert_eq!(
        facts,
        [
            [json!("called"), json!("HEIC"), json!(8), json!(0), json!("Image")],
            [json!("deep-a"), json!("AVIF"), json!(16), json!(0), json!("Image")],
            [json!("glass-h"), json!("HEIC"), json!(8), json!(1), json!("Image")],
            [json!("plain-h"), json!("HEIC"), json!(8), json!(0), json!("Image")],
        ]
    );
    assert!(done.text().contains("called.jpg is named .jpg but holds HEIC"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_profile_is_kept() {
    const PROFILE: &str = "/usr/share/color/icc/ghostscript/a98.icc";
    let world = world().await;
    let tagged = source(world.folder.path(), "tagged", &["-depth", "8", "-profile", PROFILE]);
    encode(&tagged, &world.ingest("in/tagged.heic"), &[]);
    upload(&world).await;
    let ours = pyramid(&world, "tagged").await;
    let profile = world.folder.path().join("profile.icc");
    let out = world.folder.path().join("ours.tif");
    tool("convert", &[&format!("{}[0]", text(&ours)), text(&out)]);
    tool("convert", &[text(&out), text(&profile)]);
    assert_eq!(read(&profile), read(PROFILE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_turned_once() {
    let world = world().await;
    let upright = source(world.folder.path(), "upright", &["-depth", "8"]);
    let photo = world.folder.path().join("photo.jpg");
    tool("convert", &[text(&upright), "-quality", "95", text(&photo)]);
    // A camera's note, which files of this kind repeat beside what really turns them.
    tool("exiftool", &["-q", "-overwrite_original", "-Orientation#=6", text(&photo)]);
    encode(&photo, &world.ingest("in/noted.heic"), &[]);
    let mut turned = read(world.ingest("in/noted.heic"));
    turn(&mut turned);
    world.put("in/turned.heic", &turned);
    upload(&world).await;
    // By HEIF (ISO/IEC 23008-12) the note in EXIF says nothing of how a picture is shown.
    let difference = mean_delta_e(&pyramid(&world, "noted").await, &upright);
    assert!(difference < 2.0, "{difference}");
    assert_eq!(size(&pyramid(&world, "turned").await), (203, 301));
    let expected = world.folder.path().join("expected.png");
    tool("convert", &[text(&upright), "-rotate", "-90", text(&expected)]);
    let difference = mean_delta_e(&pyramid(&world, "turned").await, &expected);
    assert!(difference < 2.0, "{difference}");
}

/// Has a file turned to the left by a quarter when it is shown: its property `irot` takes the place of `pixi`, which says only
/// how many bits the channels have.
fn turn(file: &mut [u8]) {
    let at = file.windows(4).position(|window| window == b"pixi").unwrap();
    let end = at - 4 + u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
    file[at..at + 4].copy_from_slice(b"irot");
    file[at + 4..end].fill(0);
    file[at + 4] = 1;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_pictures_the_primary_is_taken() {
    let world = world().await;
    let folder = world.folder.path();
    let first = source(folder, "first", &["-depth", "8"]);
    let second = source(folder, "second", &["-negate", "-crop", "200x150+0+0", "+repage", "-depth", "8"]);
    let (target, other) = (world.ingest("in/several.heic"), world.ingest("in/swapped.heic"));
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    tool("heif-enc", &["-q", "95", text(&first), text(&second), "-o", text(&target)]);
    // The box `pitm` names the primary: it is made to name the other.
    let info = tool("heif-info", &[text(&target)]);
    let ids = info.lines().filter_map(|line| line.strip_prefix("image: ")?.split_once("(id=")?.1.split(')').next());
    let ids: Vec<u8> = ids.map(|id| id.parse().unwrap()).collect();
    let mut swapped = read(&target);
    let at = swapped.windows(4).position(|window| window == b"pitm").unwrap();
    assert_eq!(swapped[at + 4..at + 10], [0, 0, 0, 0, 0, ids[0]]);
    swapped[at + 9] = ids[1];
    std::fs::write(&other, swapped).unwrap();
    let done = upload(&world).await;
    let log = done.text();
    for (name, source) in [("several", &first), ("swapped", &second)] {
        let difference = mean_delta_e(&pyramid(&world, name).await, source);
        assert!(difference < 2.0, "{name}: {difference}");
        let line = format!("{name}.heic: only the primary picture of the file was taken");
        assert!(log.contains(&line), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_sequence_the_first_picture_is_taken() {
    let world = world().await;
    let folder = world.folder.path();
    let first = source(folder, "0", &["-depth", "8"]);
    source(folder, "1", &["-negate", "-depth", "8"]);
    let target = world.ingest("in/moving.avif");
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let frames = folder.join("%d.png");
    let quiet = ["-hide_banner", "-loglevel", "error", "-framerate", "2", "-i", text(&frames)];
    tool("ffmpeg", &[&quiet[..], &["-c:v", "libaom-av1", "-crf", "8", "-pix_fmt", "yuv444p", text(&target)]].concat());
    assert_eq!(&read(&target)[8..12], b"avis", "a sequence first of all");
    let done = upload(&world).await;
    let log = done.text();
    assert!(log.contains("UploadWarning: moving.avif: only the first frame was taken."), "{log}");
    let difference = mean_delta_e(&pyramid(&world, "moving").await, &first);
    assert!(difference < 3.0, "{difference}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_processed_again_and_published() {
    let world = world().await;
    let plain = source(world.folder.path(), "plain", &["-depth", "8"]);
    encode(&plain, &world.ingest("in/photo.heic"), &[]);
    upload(&world).await;
    let before = read(pyramid(&world, "photo").await);
    let handle = format!("a|{}", world.query("SELECT id FROM asset").await[0][0]);
    let again = json!({ "assetHandleArray": [handle], "createMask": false, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, again).await.succeeded();
    assert_eq!(read(pyramid(&world, "photo").await), before);
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    assert_eq!(world.published_names(), ["photo.tif"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_and_large_ones_cost_their_own_lines() {
    let world = World::with(|settings| settings.media.max_pixels = 100_000).await;
    let plain = source(world.folder.path(), "plain", &["-depth", "8"]);
    let large = source(world.folder.path(), "large", &["-resize", "200%", "-depth", "8"]);
    encode(&plain, &world.ingest("in/good.heic"), &[]);
    encode(&plain, &world.ingest("in/good-a.avif"), &[]);
    encode(&large, &world.ingest("in/large.heic"), &[]);
    let (good, good_a) = (read(world.ingest("in/good.heic")), read(world.ingest("in/good-a.avif")));
    world.put("in/cut.heic", &good[..good.len() / 2]);
    world.put("in/cut-a.avif", &good_a[..good_a.len() / 2]);
    world.put("in/bare.heic", &good[..64]);
    for (name, whole) in [("hole.heic", &good), ("hole-a.avif", &good_a)] {
        let (from, mut bytes) = (whole.len() - whole.len() / 3, whole.clone());
        bytes[from..from + 600].fill(0);
        world.put(&format!("in/{name}"), &bytes);
    }
    let several = world.ingest("in/several.heic");
    tool("heif-enc", &[text(&plain), text(&plain), "-o", text(&several)]);
    for seed in 0..10_usize {
        let mut bad = if seed % 2 == 0 { good.clone() } else { good_a.clone() };
        for step in 0..6 {
            let at = 32 + (seed * 7919 + step * 104_729) % (bad.len() - 32);
            bad[at] = bad[at].wrapping_add((seed * 31 + step * 17 + 1) as u8);
        }
        world.put(&format!("in/bad{seed}.heic"), &bad);
    }
    let done = upload(&world).await;
    let log = done.text();
    for (name, why) in [
        ("large.heic", "602 × 406 pixels are more than the 100,000 allowed"),
        ("cut.heic", "damaged"),
        ("cut-a.avif", "damaged"),
        ("bare.heic", "damaged"),
        ("hole.heic", "it holds nothing but zeros from byte"),
        ("hole-a.avif", "it holds nothing but zeros from byte"),
        ("several.heic", "of 2 pictures with 122206 pixels"),
    ] {
        let line = log.lines().find(|line| line.contains(&format!("{name} could not be processed: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why}\n{log}");
    }
    assert_eq!(done.counters.success + done.counters.error, 19, "{log}");
    assert!(done.counters.success >= 2, "{log}");
    nothing_is_left_in(&world.settings.scratch);
}

/// Run by the test below, in a process that finds no tools.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tools() {
    let Ok(photo) = std::env::var("PREPRESS_TEST_PHOTO") else { return };
    let world = World::new().await;
    world.put("in/photo.heic", &read(photo));
    let done = upload(&world).await;
    let log = done.text();
    assert_eq!((done.counters.success, done.counters.error, done.counters.warning), (1, 0, 1), "{log}");
    assert!(log.contains("UploadWarning: photo.heic was kept as it is and has no picture: heif-info is not installed (package libheif-examples)."), "{log}");
    assert_eq!(world.query("SELECT count(*) FROM derived").await, [[json!(0)]]);
    assert_eq!(
        world.query("SELECT asset_type, json_text(info, 'format') FROM asset").await,
        [[json!("Image"), json!("HEIC")]]
    );
    let publish = json!({ "publishType": "Full", "emailSetting": "None" });
    let done = world.run(JobKind::ImageServingPublish, publish).await.succeeded();
    assert!(done.text().contains("heif-info is not installed (package libheif-examples)"), "{}", done.text());
}

#[test]
fn without_the_tools_a_picture_is_kept_with_a_warning_that_names_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.heic");
    encode(&source(folder.path(), "plain", &["-depth", "8"]), &path, &[]);
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "heif::a_server_without_tools"])
        .env("PREPRESS_TEST_PHOTO", &path)
        .env("PATH", folder.path())
        .output()
        .unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stdout));
}
