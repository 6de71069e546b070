//! Videos: real ones, made by ffmpeg, and what is made of them, looked at by ffprobe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use prepress::config::{Period, Size};
use prepress::executors::{Failure, Registry};
use prepress::media::child::Launcher;
use prepress::media::video::{self, Encoding, Profile, VideoLimits};
use prepress::model::kind::JobKind;
use prepress::model::property_set::{BuiltIn, Properties, Property};
use prepress::store::jobs::attempt::Release;
use prepress::store::property_sets::Owner;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::child::nothing_is_left_in;
use crate::world::{Done, Moment, World, directory, read, start};

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// Runs ffmpeg, and hands out the file it made.
pub fn ffmpeg(arguments: &[&str], name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(arguments)
        .arg(name)
        .current_dir(folder.path())
        .output()
        .expect("ffmpeg runs (Debian package ffmpeg)");
    assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    read(folder.path().join(name))
}

/// A moving picture with a tone.
pub fn film(size: &str, seconds: u32) -> Vec<u8> {
    let picture = format!("testsrc=size={size}:rate=10:duration={seconds}");
    let tone = format!("sine=frequency=440:duration={seconds}");
    ffmpeg(
        &[
            "-f",
            "lavfi",
            "-i",
            &picture,
            "-f",
            "lavfi",
            "-i",
            &tone,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
        ],
        "film.mp4",
    )
}

/// One second of red, one of blue.
fn red_then_blue() -> Vec<u8> {
    let half = |color: &str| format!("color={color}:size=160x90:rate=10:duration=1");
    ffmpeg(
        &[
            "-f",
            "lavfi",
            "-i",
            &half("red"),
            "-f",
            "lavfi",
            "-i",
            &half("blue"),
            "-filter_complex",
            "concat=n=2:v=1",
            "-c:v",
            "libx264",
        ],
        "film.mp4",
    )
}

/// What ffprobe says of a file.
fn look(path: &Path) -> Value {
    let said = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-show_format", "-show_streams"])
        .arg(path)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn stream(found: &Value, kind: &str) -> Value {
    let all = found["streams"].as_array().unwrap();
    all.iter().find(|stream| stream["codec_type"] == kind).cloned().unwrap_or(Value::Null)
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// Plays a file to its end: the frames that were shown.
pub fn play(path: &Path) -> u64 {
    let played = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success() && said.is_empty(), "{said}");
    let text = String::from_utf8(played.stdout).unwrap();
    // A playlist of several renditions tells of each.
    text.lines().filter_map(|line| line.trim_matches(',').parse::<u64>().ok()).max().unwrap()
}

pub async fn preset(world: &World, name: &str, more: &[(&str, &str)]) -> String {
    let type_id = world.store.built_in_type(BuiltIn::VideoEncodingPreset).await.unwrap().id;
    let suffix = format!("-{name}");
    let property = |(name, value): &(&str, &str)| Property { name: (*name).to_owned(), value: (*value).to_owned() };
    let properties = [("name", name), ("suffix", suffix.as_str())].iter().chain(more).map(property).collect();
    let owner = Owner { company: Some(world.company), account: None };
    let id = world.store.add_property_set(type_id, owner, Properties::new(properties).unwrap(), start()).await.unwrap();
    format!("ps|{id}")
}

pub fn order(media_options: Value) -> Value {
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    order["mediaOptions"] = media_options;
    order
}

pub fn by(presets: &[&str]) -> Value {
    json!({ "videoEncodingPresetsArray": presets })
}

async fn upload(world: &World, media_options: Value) -> Done {
    world.run(UPLOAD, order(media_options)).await.succeeded()
}

async fn info(world: &World, name: &str) -> Value {
    let all = world.query("SELECT name, info FROM asset").await;
    let row = all.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name} is not in {all:?}"));
    serde_json::from_str(row[1].as_str().unwrap()).unwrap()
}

/// The master file of an asset.
async fn master(world: &World, name: &str) -> PathBuf {
    let known = world.store.asset_named(world.company, name).await.unwrap();
    world.blobs.path(&known.unwrap_or_else(|| panic!("there is no asset {name}")).master.blob).unwrap()
}

/// The average colour of a picture.
fn color(path: &Path) -> [u8; 3] {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    out.stdout.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_video_is_comes_into_its_facts() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("160x90", 3));
    let wide =
        ffmpeg(&["-f", "lavfi", "-i", "testsrc=size=96x64:duration=1", "-vf", "setsar=2", "-c:v", "mpeg4"], "a.avi");
    world.put("in/wide.avi", &wide);
    let path = world.folder.path().join("film.mp4");
    fs::write(&path, film("160x90", 1)).unwrap();
    let turned = ffmpeg(&["-i", path.to_str().unwrap(), "-c", "copy", "-metadata:s:v", "rotate=90"], "a.mp4");
    world.put("in/turned.mp4", &turned);
    let sound = ffmpeg(&["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"], "a.mp4");
    world.put("in/sound.mp4", &sound);
    let done = upload(&world, json!({})).await;
    assert_eq!((done.counters.success, done.counters.warning), (4, 0), "{}", done.text());
    let video = info(&world, "film").await["video"].clone();
    assert_eq!((&video["videoCodec"], &video["audioCodec"]), (&json!("h264"), &json!("aac")));
    assert_eq!(video["frameRate"], json!(10.0));
    assert!(video["duration"].as_u64().unwrap().abs_diff(3000) < 100, "{video}");
    assert!(video["bitRate"].as_u64().unwrap() > 10_000, "{video}");
    let sizes = world.query("SELECT name, asset_type, width, height FROM asset ORDER BY name").await;
    let expected = [
        json!(["film", "MasterVideo", 160, 90]),
        json!(["sound", "Audio", null, null]),
        json!(["turned", "MasterVideo", 90, 160]),
        json!(["wide", "MasterVideo", 192, 64]),
    ];
    assert_eq!(json!(sizes), json!(expected));
    assert!(world.query("SELECT * FROM derived").await.is_empty(), "no thumbnail was asked for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renditions_are_items_before_they_are_made() {
    for sizes in [&[48][..], &[48, 32]] {
        let world = World::new().await;
        let mut presets = Vec::new();
        for size in sizes {
            presets.push(preset(&world, &size.to_string(), &[("width", &size.to_string())]).await);
        }
        let presets: Vec<&str> = presets.iter().map(String::as_str).collect();
        world.put("in/film.mp4", &film("64x48", 1));
        world.counts_its_items(UPLOAD, order(by(&presets)), "SELECT 1 FROM item WHERE key LIKE '%parts'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_frame_that_is_asked_for_shows_a_video() {
    let world = World::with(|settings| settings.media.thumbnail_side = 64).await;
    world.put("in/film.mp4", &red_then_blue());
    let at = |time: i64| json!({ "thumbnailTime": time });
    let (red, blue) = (0, 2);
    for (options, expected) in [
        (json!({ "generateThumbnail": true }), red),
        (json!({ "generateThumbnail": true, "thumbnailOptions": at(1500) }), blue),
        (json!({ "thumbnailOptions": at(100) }), red),
        (json!({ "thumbnailOptions": at(1999) }), blue),
        // Out of range: the first frame.
        (json!({ "thumbnailOptions": at(2000) }), red),
        (json!({ "thumbnailOptions": at(i64::MAX) }), red),
    ] {
        let done = upload(&world, options.clone()).await;
        assert_eq!(done.counters.warning, 0, "{}", done.text());
        let thumbnail = world.query("SELECT role, blob, width, height FROM derived").await;
        assert_eq!(thumbnail[0][0], "Thumbnail", "{options}");
        assert_eq!((&thumbnail[0][2], &thumbnail[0][3]), (&json!(64), &json!(36)));
        let path = world.blobs.path(thumbnail[0][1].as_str().unwrap()).unwrap();
        let color = color(&path);
        assert!(
            color[expected] > 200 && color.iter().filter(|value| **value < 40).count() == 2,
            "{options}: {color:?}"
        );
    }
    let world = World::new().await;
    world.put("in/film.mp4", &red_then_blue());
    upload(&world, json!({ "generateThumbnail": false, "thumbnailOptions": at(100) })).await;
    assert!(world.query("SELECT * FROM derived").await.is_empty());
    // Its only keyframe is the first: by seeking none is found.
    let sources =
        ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=6", "-f", "lavfi", "-i", "sine=duration=6"];
    let world = World::new().await;
    world.put("in/film.flv", &ffmpeg(&[&sources[..], &["-c:v", "libx264", "-c:a", "aac"]].concat(), "film.flv"));
    let done = upload(&world, json!({ "generateThumbnail": true })).await;
    assert_eq!((done.counters.success, done.counters.warning, done.counters.error), (1, 0, 0), "{}", done.text());
    assert_eq!(world.query("SELECT role FROM derived").await, [[json!("Thumbnail")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_property_of_a_preset_shapes_the_rendition() {
    let world = World::new().await;
    world.put("in/A/film.mp4", &film("320x180", 8));
    let presets = [
        preset(&world, "plain", &[]).await,
        preset(&world, "small", &[("width", "160"), ("keyframeInterval", "1"), ("profile", "Baseline")]).await,
        preset(&world, "low", &[("height", "90"), ("videoBitrate", "24"), ("audioBitrate", "32")]).await,
        preset(&world, "huge", &[("width", "1920"), ("height", "1080"), ("audioBitrate", "192"), ("profile", "Main")])
            .await,
    ];
    let handles: Vec<&str> = presets.iter().map(String::as_str).collect();
    let done = upload(&world, by(&handles)).await;
    assert_eq!((done.counters.success, done.counters.error, done.counters.warning), (5, 0, 0), "{}", done.text());
    assert!(done.text().contains("UploadSuccess: Acme/A/film-low.mp4 was processed as Video ("), "{}", done.text());
    let rate = |found: &Value, kind: &str| {
        let packets = stream(found, kind);
        packets["bit_rate"].as_str().map_or(0.0, |text| text.parse().unwrap())
    };
    let mut found = std::collections::HashMap::new();
    for (name, size, profile) in [
        ("plain", (320, 180), "High"),
        ("small", (160, 90), "Constrained Baseline"),
        ("low", (160, 90), "High"),
        ("huge", (320, 180), "Main"),
    ] {
        let asset = format!("film-{name}");
        let path = master(&world, &asset).await;
        let seen = look(&path);
        let (picture, sound) = (stream(&seen, "video"), stream(&seen, "audio"));
        assert_eq!((&picture["codec_name"], &sound["codec_name"]), (&json!("h264"), &json!("aac")), "{name}");
        assert_eq!((picture["width"].as_u64(), picture["height"].as_u64()), (Some(size.0), Some(size.1)), "{name}");
        assert_eq!((&picture["profile"], &picture["pix_fmt"]), (&json!(profile), &json!("yuv420p")), "{name}");
        assert!((number(&seen["format"]["duration"]) - 8.0).abs() < 0.2, "{seen}");
        assert_eq!(play(&path), 80, "{name}");
        let facts = info(&world, &asset).await["video"].clone();
        assert!(facts["duration"].as_u64().unwrap().abs_diff(8000) < 100, "{facts}");
        let codecs = facts["stream"]["codecs"].as_str().unwrap();
        let start = match profile {
            "High" => "avc1.6400",
            "Main" => "avc1.4d40",
            _ => "avc1.42c0",
        };
        assert!(codecs.starts_with(start) && codecs.ends_with(",mp4a.40.2"), "{codecs}");
        found.insert(name, (fs::metadata(&path).unwrap().len(), rate(&seen, "audio"), key_frames(&path)));
    }
    assert!(found["low"].0 < found["small"].0, "24 kbit/s are less than the usual quality: {found:?}");
    assert!(found["huge"].1 > 3.0 * found["low"].1, "{found:?}");
    assert_eq!(found["plain"].2, [0, 2, 4, 6]);
    assert_eq!(found["small"].2, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// When key frames are shown, in seconds after the first.
fn key_frames(path: &Path) -> Vec<u64> {
    let said = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-skip_frame",
            "nokey",
            "-show_entries",
            "frame=pts_time",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    times.iter().map(|time| (time - times[0]).round() as u64).collect()
}

async fn members(world: &World) -> Vec<Value> {
    let rows = world
        .query("SELECT s.name, a.name FROM set_member m JOIN asset s ON s.id = set_id JOIN asset a ON a.id = asset_id ORDER BY position")
        .await;
    rows.into_iter().map(Value::from).collect()
}

async fn present(world: &World) -> Vec<Value> {
    let rows = world.query("SELECT name, id FROM asset WHERE trash_state = 'NotInTrash' ORDER BY name").await;
    rows.into_iter().map(Value::from).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_one_preset_makes_an_adaptive_set() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("160x90", 7));
    let (small, low) =
        (preset(&world, "small", &[("width", "96")]).await, preset(&world, "low", &[("width", "64")]).await);
    let done = upload(&world, by(&[&small, &low, &small])).await;
    assert!(done.text().contains("Set film-AVS was made with 2 members"), "{}", done.text());
    assert_eq!(members(&world).await, [json!(["film-AVS", "film-small"]), json!(["film-AVS", "film-low"])]);
    let marks = world.query("SELECT count(*) FROM publish_mark WHERE marked = 1").await;
    assert_eq!(marks, [[json!(4 * 4)]], "renditions and their set are marked as the master is");
    let first = present(&world).await;

    // Another job replaces what it made, in another order; the master may be a member.
    let mut with_master = order(by(&[&low, &small]));
    with_master["excludeMasterVideoFromAVS"] = json!(false);
    let done = world.run(UPLOAD, with_master).await.succeeded();
    assert_eq!(done.counters.update, 3, "{}", done.text());
    let expected = [json!(["film-AVS", "film-low"]), json!(["film-AVS", "film-small"]), json!(["film-AVS", "film"])];
    assert_eq!(members(&world).await, expected);
    assert_eq!(present(&world).await, first);

    // What is not asked for goes away, and comes back under its number.
    upload(&world, by(&[&low])).await;
    let kept: Vec<Value> =
        first.iter().filter(|asset| ["film", "film-low"].contains(&asset[0].as_str().unwrap())).cloned().collect();
    assert_eq!(present(&world).await, kept);
    upload(&world, json!({})).await;
    assert_eq!(present(&world).await, kept, "a job without presets leaves renditions alone");
    let mut order = order(by(&[&low, &small]));
    order["excludeMasterVideoFromAVS"] = json!(true);
    world.run(UPLOAD, order).await.succeeded();
    assert_eq!(present(&world).await, first);
    assert_eq!(members(&world).await.len(), 2);
}

/// A playlist and its file, as they lie beside each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_playlist_of_a_rendition_plays() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("160x90", 14));
    let preset = preset(&world, "stream", &[]).await;
    upload(&world, by(&[&preset])).await;
    assert!(members(&world).await.is_empty(), "one preset makes no set");
    let playlist = world.query("SELECT blob FROM derived WHERE role = 'Playlist'").await;
    let playlist = read(world.blobs.path(playlist[0][0].as_str().unwrap()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video.m3u8");
    fs::write(&path, &playlist).unwrap();
    fs::copy(master(&world, "film-stream").await, folder.path().join(video::STREAM_FILE)).unwrap();
    assert_eq!(play(&path), 140);
    assert!((number(&look(&path)["format"]["duration"]) - 14.0).abs() < 0.2);
    let text = String::from_utf8(playlist).unwrap();
    let lengths: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")).collect();
    assert_eq!(lengths, ["6.000000,", "6.000000,", "2.000000,"], "{text}");
    assert!(text.contains("#EXT-X-ENDLIST") && text.contains("#EXT-X-MAP:URI=\"video.mp4\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_video_costs_its_own_line() {
    let world = World::new().await;
    let good = film("320x180", 20);
    let early = {
        let path = world.folder.path().join("film.mp4");
        fs::write(&path, &good).unwrap();
        // The index comes first, so that the beginning can be played.
        ffmpeg(&["-i", path.to_str().unwrap(), "-c", "copy", "-movflags", "+faststart"], "a.mp4")
    };
    world.put("in/good.mp4", &film("64x48", 1));
    world.put("in/headless.mp4", &good[..good.len() / 2]);
    world.put("in/early.mp4", &endless(&early)[..early.len() / 2]);
    world.put("in/noise.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom and then nothing that could be shown");
    let preset = preset(&world, "small", &[("width", "96")]).await;
    let done = upload(&world, by(&[&preset])).await;
    let text = done.text();
    assert_eq!(world.asset_names().await, ["early", "early-small", "good", "good-small"], "{text}");
    let errors: Vec<String> = text.lines().filter(|line| line.starts_with("UploadError")).map(str::to_owned).collect();
    assert_eq!(errors.len(), 2, "{text}");
    for (line, name, why) in [
        (&errors[0], "headless", "the file breaks off: it has "),
        (&errors[1], "noise", "it cannot be read as a video: "),
    ] {
        let expected = format!("UploadError: {name}.mp4 could not be processed: {why}");
        assert!(line.starts_with(&expected), "{line}");
        assert!(!line.contains("blobs") && !line.contains("0x"), "{line}");
    }
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("UploadWarning")).collect();
    assert_eq!(warnings.len(), 2, "{text}");
    assert!(warnings[0].contains("of its 20 seconds could be read"), "{text}");
    assert!(warnings[1].contains("early-small.mp4: while it was read there were "), "{text}");
    assert_eq!((done.counters.error, done.counters.warning), (2, 2));
    nothing_is_left(&world);
}

/// The same film, whose frames go on to the end of the file, wherever that is.
fn endless(film: &[u8]) -> Vec<u8> {
    let at = film.windows(4).position(|name| name == b"mdat").unwrap();
    let mut film = film.to_vec();
    film[at - 4..at].fill(0);
    film
}

/// A film in each container, two seconds of it, by the name of its file.
fn containers() -> Vec<(&'static str, Vec<u8>)> {
    let (picture, tone) = ("testsrc2=size=160x90:rate=10:duration=2", "sine=frequency=440:duration=2");
    let film = |name: &'static str, codecs: &str, more: &str| {
        let sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone];
        let arguments: Vec<&str> =
            sources.into_iter().chain(codecs.split_whitespace()).chain(more.split_whitespace()).collect();
        (name, ffmpeg(&arguments, name))
    };
    const H264: &str = "-c:v libx264 -pix_fmt yuv420p -c:a aac";
    const VORBIS: &str = "-c:a libvorbis";
    vec![
        film("early.mp4", H264, "-movflags +faststart"),
        film("late.mp4", H264, ""),
        film("parts.mp4", H264, "-g 5 -movflags frag_keyframe+empty_moov"),
        film("apple.mov", H264, "-movflags +faststart"),
        film("cluster.mkv", H264, ""),
        film("open.mkv", H264, "-live 1 -cluster_time_limit 500"),
        film("web.webm", "-c:v libvpx -deadline realtime", VORBIS),
        film("chunks.avi", "-c:v mpeg4 -c:a mp2", ""),
        film("tags.flv", "-c:v flv -ar 44100 -c:a aac", ""),
        film("objects.asf", "-c:v wmv2 -c:a wmav2", ""),
        film("windows.wmv", "-c:v wmv2 -c:a wmav2", ""),
        film("pages.ogv", "-c:v libtheora", VORBIS),
        film("programme.mpg", "-c:v mpeg2video -r 25 -c:a mp2", ""),
        film("disc.vob", "-c:v mpeg2video -r 25 -c:a ac3", ""),
        film("packets.ts", H264, ""),
        film("camera.m2ts", H264, ""),
        film("material.mxf", "-c:v mpeg2video -r 25 -ar 48000 -c:a pcm_s16le", ""),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_is_refused_and_the_good_master_stays() {
    let world = World::new().await;
    let films = containers();
    let count = films.len() as i64;
    let put = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        films.iter().for_each(|(name, film)| world.put(&format!("in/{name}"), &change(film)));
    };
    let masters = "SELECT name, blob FROM asset ORDER BY name";
    put(&<[u8]>::to_vec);
    let done = upload(&world, json!({})).await;
    assert_eq!((done.counters.success, done.counters.warning, done.counters.error), (count, 0, 0), "{}", done.text());
    let before = world.query(masters).await;
    // Parts end somewhere else.
    put(&|film| film[..(film.len() * 3 / 5) | 1].to_vec());
    let done = upload(&world, json!({})).await;
    let text = done.text();
    assert_eq!((done.counters.error, done.counters.success, done.counters.update), (count, 0, 0), "{text}");
    for (name, film) in &films {
        let size = grouped((film.len() * 3 / 5) | 1);
        let expected = format!(
            "UploadError: {name} could not be processed: the file breaks off: it has {size} bytes, and should have "
        );
        let line =
            text.lines().find(|line| line.starts_with(&expected)).unwrap_or_else(|| panic!("{expected}\n{text}"));
        let wanted: String = line[expected.len()..].chars().filter(char::is_ascii_digit).collect();
        let wanted: usize = wanted.parse().unwrap();
        assert!(wanted > film.len() * 3 / 5 && wanted <= film.len() + 204, "{wanted} of {}: {line}", film.len());
    }
    assert_eq!(world.query(masters).await, before);
    // An interrupted copy to a place where room was made for all of it.
    put(&|film| [&film[..film.len() * 3 / 5], &vec![0; film.len() - film.len() * 3 / 5]].concat());
    let done = upload(&world, json!({})).await;
    let text = done.text();
    assert_eq!((done.counters.error, done.counters.success, done.counters.update), (count, 0, 0), "{text}");
    for (name, _) in &films {
        let line = text.lines().find(|line| line.starts_with(&format!("UploadError: {name} "))).unwrap();
        let is_told = ["are zeros, as an interrupted copy", "zeros stand from byte ", "it cannot be read as a video"];
        assert!(is_told.iter().any(|why| line.contains(why)), "{line}");
    }
    assert_eq!(world.query(masters).await, before);
    nothing_is_left(&world);
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap());
    parts.collect::<Vec<_>>().join(",")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_and_padding_at_the_end_are_no_damage() {
    let world = World::new().await;
    let picture = "color=black:size=64x48:rate=5:duration=2";
    let silent = |sound: &str, name: &str| {
        let silence = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-shortest"];
        let codecs = ["-c:v", "mpeg4", "-c:a", sound, "-movflags", "+faststart"];
        ffmpeg(&[&silence[..], &codecs].concat(), name)
    };
    let pcm = silent("pcm_s16le", "a.mov");
    assert!(pcm.ends_with(&[0; 4096]), "the film should end with silence");
    world.put("in/silent.mov", &pcm);
    // Sectors of zeros fill a Video CD up to its rate.
    let disc = ["-f", "lavfi", "-i", "color=black:size=352x288:rate=25:duration=3", "-target", "pal-vcd"];
    world.put("in/disc.mpg", &ffmpeg(&disc, "disc.mpg"));
    let padding = [&8008_u32.to_be_bytes(), b"free".as_slice(), &[0; 8000]].concat();
    world.put("in/padded.mp4", &[silent("aac", "a.mp4"), padding].concat());
    // Frames of a plain picture, each filled up to the size that all have.
    let intra = ["-c:v", "libx264", "-x264-params", "avcintra-class=100", "-pix_fmt", "yuv422p10", "-g", "1"];
    let gray = ["-f", "lavfi", "-i", "color=gray:size=1280x720:rate=25:duration=0.4"];
    world.put("raw/frames.h264", &ffmpeg(&[&gray[..], &intra].concat(), "frames.h264"));
    let frames = world.ingest("raw/frames.h264");
    let index_first = ["-c", "copy", "-movflags", "+faststart"];
    let filled = ffmpeg(&[&["-r", "25", "-i", frames.to_str().unwrap()], &index_first[..]].concat(), "filled.mov");
    assert!(filled.ends_with(&[0; 4096]), "the film should end with padding");
    world.put("in/filled.mov", &filled);
    let done = upload(&world, json!({})).await;
    assert_eq!((done.counters.success, done.counters.warning), (4, 0), "{}", done.text());
    // The same bytes under the name of content.
    let content = [&8008_u32.to_be_bytes(), b"mdat".as_slice(), &[0; 8000]].concat();
    world.put("in/padded.mp4", &[silent("aac", "a.mp4"), content].concat());
    world.put("in/tagged.mp4", &[silent("aac", "b.mp4"), b"LEFTOVER of a camera".to_vec()].concat());
    // Between sound alone most sectors of such a film are zeros, and those of ffmpeg are as long as half a page of memory.
    let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=3", "-f", "vcd"];
    world.put("in/sound.mpg", &ffmpeg(&sound, "sound.mpg"));
    let done = upload(&world, json!({})).await;
    let text = done.text();
    assert!(
        text.contains("UploadError: padded.mp4 could not be processed: the file breaks off: its last 8,000 bytes or more are zeros"),
        "{text}"
    );
    assert!(text.contains("tagged.mp4: what stands from byte "), "{text}");
    assert!(text.contains("sound.mpg: zeros stand between its parts from byte 2,028 on"), "{text}");
    assert_eq!((done.counters.error, done.counters.warning), (1, 2), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_inside_is_told_by_what_is_made_of_it() {
    let world = World::new().await;
    let mut torn = film("320x180", 4);
    let content = torn.windows(4).position(|name| name == b"mdat").unwrap();
    let middle = content + (torn.len() - content) / 2;
    torn[middle..middle + 3000].fill(0x55);
    world.put("in/torn.mp4", &torn);
    world.put("in/sound.mp4", &film("320x180", 4));
    let preset = preset(&world, "small", &[("width", "96")]).await;
    let mut options = by(&[&preset]);
    options["thumbnailOptions"] = json!({ "thumbnailTime": 3500 });
    let done = upload(&world, options).await;
    let text = done.text();
    assert_eq!((done.counters.success, done.counters.error), (4, 0), "{text}");
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("UploadWarning")).collect();
    let told = |start: &str| warnings.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(told("UploadWarning: torn.mp4: while its frame was taken there w"), 1, "{text}");
    assert_eq!(told("UploadWarning: Acme/torn-small.mp4: while it was read there were "), 1, "{text}");
    assert_eq!((warnings.len(), done.counters.warning), (2, 2), "{text}");
    assert!(!text.contains("blobs") && !text.contains(" @ 0x"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_and_name_themselves() {
    let upload_within = async |change: fn(&mut prepress::executors::Settings)| {
        let world = World::with(change).await;
        world.put("in/film.mp4", &film("320x180", 3));
        let preset = preset(&world, "same", &[]).await;
        let done = upload(&world, by(&[&preset])).await;
        nothing_is_left(&world);
        done.text()
    };
    let text = upload_within(|settings| settings.media.max_pixels = 10_000).await;
    assert!(
        text.contains("film.mp4 could not be processed: 320 × 180 pixels are more than the 10,000 allowed"),
        "{text}"
    );
    let text = upload_within(|settings| settings.media.video_time = Period::seconds(0)).await;
    assert!(text.contains("UploadError: film.mp4: no rendition could be made by the preset same: ffmpeg "), "{text}");
    let text = upload_within(|settings| settings.media.video_memory = Size::mib(64)).await;
    assert!(text.contains("UploadError: film.mp4"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preset_that_is_gone_costs_its_own_line() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("64x48", 1));
    let (kept, gone) = (preset(&world, "kept", &[]).await, preset(&world, "gone", &[]).await);
    let id = prepress::model::handle::parse_property_set("", &gone).unwrap();
    world.store.remove_property_set(id).await.unwrap();
    let done = upload(&world, by(&[&gone, &kept])).await;
    let line = format!(
        "film.mp4: no rendition could be made by the preset {gone}: there is no such video encoding preset any more."
    );
    assert!(done.text().contains(&line), "{}", done.text());
    assert_eq!(world.asset_names().await, ["film", "film-kept"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rendition_that_cannot_be_made_again_stays_as_it_was_and_in_its_set() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("64x48", 1));
    let presets = [preset(&world, "a", &[]).await, preset(&world, "b", &[]).await, preset(&world, "c", &[]).await];
    let all = by(&presets.each_ref().map(String::as_str));
    upload(&world, all.clone()).await;
    let (before, there) = (members(&world).await, present(&world).await);
    assert_eq!(before.len(), 3);
    let id = prepress::model::handle::parse_property_set("", &presets[1]).unwrap();
    world.store.remove_property_set(id).await.unwrap();
    world.put("in/film.mp4", &film("80x48", 1));
    let done = upload(&world, all).await;
    assert!(done.text().contains("The one that was made before stays as it was."), "{}", done.text());
    assert_eq!((done.counters.error, members(&world).await, present(&world).await), (1, before, there));
    // Another film for which nothing is asked has none of them.
    world.put("in/film.mp4", &film("96x48", 1));
    let done = upload(&world, json!({})).await;
    assert!(
        done.text().contains("4 assets that were made of the earlier file of film went to the trash"),
        "{}",
        done.text()
    );
    assert_eq!(present(&world).await.len(), 1);
}

/// Processes of ffmpeg that read files of this world, with this text in their command line.
fn encoders(world: &World, text: &str) -> Vec<u32> {
    let blobs = world.folder.path().join("blobs").display().to_string();
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains(&blobs) && line.contains(text) && *pid != std::process::id()
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_it).collect()
}

fn nothing_is_left(world: &World) {
    assert_eq!(encoders(world, ""), Vec::<u32>::new());
    for folder in ["scratch", "blobs/tmp"] {
        nothing_is_left_in(&world.folder.path().join(folder));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_kills_the_encoder_and_another_attempt_goes_on() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("640x360", 40));
    let quick = preset(&world, "quick", &[("width", "32")]).await;
    let slow = preset(&world, "slow", &[("width", "638")]).await;
    world.submit(UPLOAD, order(by(&[&quick, &slow]))).await;
    let claimed = world.claim().await;
    let stop = CancellationToken::new();
    let context = world.context(&claimed, stop.clone());
    let executor = world.registry().executor(&claimed.spec);
    let watch = async {
        while encoders(&world, "scale=638").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(executor.run(&context), watch);
    assert_eq!(result, Err(Failure::Interrupted));
    nothing_is_left(&world);
    assert_eq!(world.asset_names().await, ["film", "film-quick"]);
    let made = world.query("SELECT done_at FROM item WHERE key LIKE '%rendition:%'").await;
    assert_eq!(made.len(), 1);

    let released = world.store.release_attempt(claimed.fence, Release::Shutdown, start()).await;
    released.unwrap();
    let claimed = world.claim().await;
    let context = world.context(&claimed, CancellationToken::new());
    let result = world.registry().executor(&claimed.spec).run(&context).await;
    let done = world.finish(claimed.fence, result, 2).await.succeeded();
    assert_eq!(world.asset_names().await, ["film", "film-AVS", "film-quick", "film-slow"]);
    assert_eq!(done.of_type("UploadSuccess").len(), 3, "nothing is told twice: {}", done.text());
    nothing_is_left(&world);
}

/// Nobody knows which renditions another job was to make: they are left as they are, and a line says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_whose_renditions_were_left_out_says_so() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("64x48", 1));
    let (one, two) = (preset(&world, "one", &[("width", "32")]).await, preset(&world, "two", &[("width", "32")]).await);
    upload(&world, by(&[&one])).await;
    let mut again = order(by(&[&one, &two]));
    again["overwrite"] = json!(false);
    let done = world.run(UPLOAD, again.clone()).await.succeeded();
    assert_eq!((done.counters.duplicate, done.counters.warning), (1, 0), "{}", done.text());
    // As a run leaves it that ended before the other rendition.
    world.execute("UPDATE asset SET parts_ended = 0, parts_run = 999 WHERE name = 'film'").await;
    let done = world.run(UPLOAD, again).await.succeeded();
    assert!(done.text().contains("The renditions of film may not all be there"), "{}", done.text());
    assert_eq!((done.counters.duplicate, done.counters.warning), (1, 1), "{}", done.text());
    assert_eq!(world.asset_names().await, ["film", "film-one"]);
    // Overwritten it is made as ordered, and done with.
    upload(&world, by(&[&one, &two])).await;
    assert_eq!(world.asset_names().await, ["film", "film-AVS", "film-one", "film-two"]);
    assert_eq!(world.query("SELECT parts_ended FROM asset WHERE name = 'film'").await, [[json!(1)]]);
}

/// A film has the renditions of the job that began with them last, and the other says that it made no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_that_begins_later_makes_the_renditions() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("64x48", 1));
    let [one, two, three] = ["one", "two", "three"].map(|name| preset(&world, name, &[("width", "32")]));
    let (one, two, three) = (one.await, two.await, three.await);
    let later = async || {
        let film = crate::publish::asset(&world, "film").await;
        let again = json!({ "assetHandleArray": [format!("a|{film}")], "createMask": false, "emailSetting": "None",
                            "mediaOptions": by(&[&three]) });
        let done = world.run(JobKind::ReprocessAssets, again).await.succeeded();
        assert_eq!((done.counters.part, done.counters.warning), (1, 0), "{}", done.text());
    };
    let moment = Moment::Finds("SELECT 1 FROM item WHERE key LIKE '%rendition:%'");
    let (done, was_broken_off) = world.run_broken_off(UPLOAD, order(by(&[&one, &two])), moment, later).await;
    let done = done.succeeded();
    assert!(was_broken_off);
    assert!(
        done.text().contains("The parts of film.mp4 are made by a job that began with them later"),
        "{}",
        done.text()
    );
    assert_eq!((done.counters.part, done.counters.warning, done.counters.error), (1, 1, 0), "{}", done.text());
    let names: Vec<Value> = present(&world).await.iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, ["film", "film-three"]);
    nothing_is_left(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renditions_come_out_right_wherever_it_crashes() {
    let world = World::new().await;
    world.put("in/film.mp4", &film("32x32", 1));
    let (one, two) = (preset(&world, "one", &[]).await, preset(&world, "two", &[("width", "16")]).await);
    let done = world.run_with_crashes(UPLOAD, order(by(&[&one, &two]))).await.succeeded();
    assert!(done.attempts > 5, "{}", done.attempts);
    assert_eq!((done.counters.success, done.counters.error, done.counters.update), (3, 0, 0), "{}", done.text());
    assert_eq!(world.asset_names().await, ["film", "film-AVS", "film-one", "film-two"]);
    assert_eq!(members(&world).await.len(), 2);
}

/// Run by the test below, in a process that finds no tools.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tools() {
    let Ok(film) = std::env::var("PREPRESS_TEST_FILM") else { return };
    let world = World::new().await;
    world.put("in/film.mp4", &read(film));
    let preset = preset(&world, "small", &[]).await;
    let mut options = by(&[&preset]);
    options["generateThumbnail"] = json!(true);
    let done = upload(&world, options).await;
    let text = done.text();
    assert_eq!(world.asset_names().await, ["film"], "{text}");
    assert_eq!((done.counters.success, done.counters.error, done.counters.warning), (1, 0, 2), "{text}");
    assert!(
        text.contains(
            "UploadWarning: film.mp4 was kept as it is and has no picture: ffprobe is not installed (package ffmpeg)."
        ),
        "{text}"
    );
    let line = "no rendition could be made by the preset small: ffprobe is not installed (package ffmpeg).";
    assert!(text.contains(line), "{text}");
}

#[test]
fn without_ffmpeg_a_video_is_kept_with_a_warning_that_names_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    fs::write(&path, film("64x48", 1)).unwrap();
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "videos::a_server_without_tools"])
        .env("PREPRESS_TEST_FILM", &path)
        .env("PATH", folder.path())
        .output()
        .unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stdout));
}

#[test]
fn the_encoder_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("film.mp4");
    fs::write(&source, film("320x180", 30)).unwrap();
    let launcher = Launcher::new(Path::new(env!("CARGO_BIN_EXE_prepress")), &folder.path().join("scratch"));
    let limits =
        VideoLimits { time: Duration::from_secs(600), memory: 4 << 30, file: 1 << 30, max_pixels: 1 << 30, threads: 2 };
    let work = launcher.folder().unwrap();
    let probe = video::probe(&launcher, &source, &work, &limits, &|| false).unwrap();
    let encoding = Encoding {
        width: None,
        height: None,
        video_bitrate: None,
        audio_bitrate: 64,
        profile: Profile::High,
        keyframe_interval: 2,
    };
    let mut fractions = Vec::new();
    let mut note = |fraction| fractions.push(fraction);
    video::encode(&launcher, &source, &probe, &encoding, &work, &limits, &|| false, &mut note).unwrap();
    assert!(fractions.is_sorted() && fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)), "{fractions:?}");
    assert!(fractions.last().is_some_and(|last| *last > 0.95), "{fractions:?}");
}

async fn reprocess(world: &World, asset: &str, media_options: Value) -> Done {
    let known = world.store.asset_named(world.company, asset).await.unwrap().unwrap();
    let order = json!({
        "assetHandleArray": [format!("a|{}", known.id)], "createMask": false, "emailSetting": "None",
        "mediaOptions": media_options,
    });
    world.run(JobKind::ReprocessAssets, order).await.succeeded()
}

/// The average colour of the frame that shows a video.
async fn shown(world: &World) -> [u8; 3] {
    let thumbnail = world.query("SELECT blob FROM derived WHERE role = 'Thumbnail'").await;
    assert_eq!(thumbnail.len(), 1);
    color(&world.blobs.path(thumbnail[0][0].as_str().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processed_again_a_video_comes_to_have_what_is_asked_for_now() {
    let world = World::new().await;
    world.put("in/film.mp4", &red_then_blue());
    let (small, low) =
        (preset(&world, "small", &[("width", "96")]).await, preset(&world, "low", &[("width", "64")]).await);
    let at = |time: u64, presets: &[&str]| json!({ "thumbnailOptions": { "thumbnailTime": time }, "videoEncodingPresetsArray": presets });
    upload(&world, at(100, &[&small])).await;
    let names = async || {
        let rows = present(&world).await;
        rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["film", "film-small"]);
    assert!(shown(&world).await[0] > 200);
    let first = master(&world, "film-small").await;

    // Another preset, and another frame.
    let done = reprocess(&world, "film", at(1500, &[&low])).await;
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
    assert_eq!(names().await, ["film", "film-low"]);
    assert!(shown(&world).await[2] > 200);
    let seen = stream(&look(&master(&world, "film-low").await), "video");
    assert_eq!((&seen["width"], &seen["height"]), (&json!(64), &json!(36)));
    assert_eq!(play(&master(&world, "film-low").await), 20);

    // Both: what was made before is made again under its number, and they form a set.
    let before = present(&world).await;
    reprocess(&world, "film", by(&[&low, &small])).await;
    assert_eq!(names().await, ["film", "film-AVS", "film-low", "film-small"]);
    assert_eq!(members(&world).await, [json!(["film-AVS", "film-low"]), json!(["film-AVS", "film-small"])]);
    assert_eq!(read(master(&world, "film-small").await), read(first), "the same preset makes the same file");
    let all = present(&world).await;
    assert!(before.iter().all(|asset| all.contains(asset)), "{before:?} became {all:?}");

    // Without presets and frames all of it stays, and so it does where the options are about something else.
    for nothing in [json!({}), json!({ "generateThumbnail": false }), Value::Null] {
        let done = reprocess(&world, "film", nothing.clone()).await;
        assert_eq!((done.counters.success, done.counters.error), (1, 0), "{}", done.text());
        assert_eq!(present(&world).await, all, "{nothing}");
        assert_eq!(members(&world).await.len(), 2);
        assert!(shown(&world).await[2] > 200, "{nothing}");
    }

    // A rendition is an asset, but no master: it is not processed by itself.
    let done = reprocess(&world, "film-low", at(0, &[&small])).await;
    let line =
        "ReoptimizeFailure: film-low could not be processed again: it is a rendition and is made again with its video.";
    assert!(done.text().contains(line), "{}", done.text());
    assert_eq!(present(&world).await, all);
    nothing_is_left(&world);
}
