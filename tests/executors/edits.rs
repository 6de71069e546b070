//! Picture options of upload and reprocessing jobs: what they change, that it is kept, and that it is reproducible.

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::likeness::{self, text, tool};
use crate::world::{Done, World, directory, jpeg, png, read, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn upload(world: &World, options: Value) -> Done {
    world.run(UPLOAD, with(with(directory("in"), json!({ "overwrite": true })), options)).await.succeeded()
}

async fn reprocess(world: &World, assets: &[&str], options: Value) -> Done {
    let mut handles = Vec::new();
    for name in assets {
        let known = world.store.asset_named(world.company, name).await.unwrap();
        handles.push(known.map_or((*name).to_owned(), |known| format!("a|{}", known.id)));
    }
    let order = json!({ "assetHandleArray": handles, "createMask": false, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, with(order, options)).await.succeeded()
}

/// Role, size and content of what was made of an asset.
async fn derived(world: &World, name: &'static str) -> Vec<Value> {
    let known = world.store.asset_named(world.company, name).await.unwrap().unwrap();
    let files = known.derived.iter();
    files.map(|file| json!([file.role, file.pixels.0, file.pixels.1, file.blob])).collect()
}

async fn size(world: &World, name: &str) -> (u32, u32) {
    world.store.asset_named(world.company, name).await.unwrap().unwrap().master.pixels.unwrap()
}

async fn roles(world: &World, name: &'static str) -> Vec<String> {
    derived(world, name).await.iter().map(|file| file[0].as_str().unwrap().to_owned()).collect()
}

fn sides(left: u32) -> Value {
    json!({ "manualCropOptions": { "left": left, "right": 0, "top": 0, "bottom": 0 } })
}

/// A white picture with a gray square in it.
fn framed(side: u32) -> Vec<u8> {
    let inside = side / 4..side / 2;
    let picture = image::RgbImage::from_fn(side, side, |x, y| {
        image::Rgb(if inside.contains(&x) && inside.contains(&y) { [90; 3] } else { [255; 3] })
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crop_is_kept_replaced_and_removed_by_its_rules() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(100, 1));
    upload(&world, sides(10)).await;
    assert_eq!(size(&world, "shoe").await, (90, 100));
    // Another master, and nothing said: the crop stays.
    world.put("in/shoe.jpg", &jpeg(80, 2));
    upload(&world, json!({})).await;
    assert_eq!(size(&world, "shoe").await, (70, 80));
    reprocess(&world, &["shoe"], json!({ "preserveCrop": true })).await;
    assert_eq!(size(&world, "shoe").await, (70, 80));
    // A manual crop always wins; all zeros are none.
    reprocess(&world, &["shoe"], with(sides(30), json!({ "preserveCrop": true }))).await;
    assert_eq!(size(&world, "shoe").await, (50, 80));
    reprocess(&world, &["shoe"], sides(0)).await;
    assert_eq!(size(&world, "shoe").await, (50, 80));
    let automatic = json!({ "autoColorCropOptions": { "corner": "UpperLeft", "tolerance": 0.1 } });
    let done = reprocess(&world, &["shoe"], automatic).await;
    let kept =
        "UploadWarning: shoe: the option autoColorCropOptions had no effect, because the crop that it has is kept";
    assert!(done.text().contains(kept), "{}", done.text());
    assert_eq!((size(&world, "shoe").await, done.counters.warning), ((50, 80), 1));
    reprocess(&world, &["shoe"], json!({ "preserveCrop": false })).await;
    assert_eq!(size(&world, "shoe").await, (80, 80));
    // One that leaves nothing is a warning and no crop.
    let done = reprocess(&world, &["shoe"], sides(80)).await;
    assert!(
        done.text().contains("UploadWarning: shoe: its crop leaves nothing of it, and it was not cropped"),
        "{}",
        done.text()
    );
    assert_eq!(size(&world, "shoe").await, (80, 80));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_under_a_number_does_not_get_the_crop_of_its_namesake() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(100, 1));
    upload(&world, sides(10)).await;
    world.put("in/shoe.png", &png(50, 1));
    std::fs::remove_file(world.ingest("in/shoe.jpg")).unwrap();
    upload(&world, json!({})).await;
    assert_eq!(world.asset_names().await, ["shoe", "shoe-1"]);
    assert_eq!(size(&world, "shoe-1").await, (50, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn automatic_crops_knockouts_and_masks_change_what_is_made() {
    let world = World::new().await;
    world.put("in/card.png", &framed(80));
    let color = json!({ "autoColorCropOptions": { "corner": "BottomRight", "tolerance": 0.02 } });
    upload(&world, color).await;
    assert_eq!(size(&world, "card").await, (20, 20));
    assert_eq!(roles(&world, "card").await, ["Pyramid", "Thumbnail"]);
    let knockout = json!({ "corner": "UpperLeft", "tolerance": 0.02, "fillMethod": "FloodFill" });
    let cut_out = json!({
        "preserveCrop": false, "createMask": true, "knockoutBackgroundOptions": knockout,
        "autoTransparentCropOptions": { "tolerance": 0.0 },
    });
    let done = reprocess(&world, &["card"], cut_out).await;
    assert_eq!((done.counters.success, done.counters.warning), (1, 0), "{}", done.text());
    assert_eq!(size(&world, "card").await, (20, 20));
    assert_eq!(roles(&world, "card").await, ["Mask", "Pyramid", "Thumbnail"]);
    // What is not asked for any more goes, and a mask of nothing is told.
    let done = reprocess(&world, &["card"], json!({ "preserveCrop": false, "createMask": true })).await;
    let told = "UploadWarning: card: no mask was made: it has neither a clipping path nor transparency.";
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!(roles(&world, "card").await, ["Pyramid", "Thumbnail"]);
    assert_eq!(size(&world, "card").await, (80, 80));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_makes_the_files_again_makes_the_same() {
    let world = World::new().await;
    let master = png(120, 7);
    world.put("in/shoe.png", &master);
    let options = json!({
        "createMask": true,
        "manualCropOptions": { "left": 3, "right": 5, "top": 7, "bottom": 11 },
        "knockoutBackgroundOptions": { "corner": "UpperRight", "tolerance": 0.2, "fillMethod": "MatchPixel" },
        "unsharpMaskOptions": { "amount": 1.75, "radius": 4.2, "threshold": 2, "monochrome": 1 },
    });
    upload(&world, options.clone()).await;
    let made = derived(&world, "shoe").await;
    assert_eq!(made.len(), 3);
    let known = world.store.asset_named(world.company, "shoe").await.unwrap().unwrap();
    assert!(read(world.blobs.path(&known.master.blob).unwrap()) == master, "the original is as it came");
    // Nothing is stale.
    let done = world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(done.text(), "JobInfo: 1 asset was up to date already.");
    // Lost files are made again as they were: by optimization, by a publish, and by reprocessing.
    world.execute("DELETE FROM derived").await;
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(derived(&world, "shoe").await, made);
    world.execute("DELETE FROM derived").await;
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    assert_eq!(derived(&world, "shoe").await, made);
    reprocess(&world, &["shoe"], options).await;
    assert_eq!(derived(&world, "shoe").await, made);
    // Other options make other files.
    reprocess(&world, &["shoe"], json!({})).await;
    assert_ne!(derived(&world, "shoe").await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_option_of_the_unsharp_mask_counts() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(64, 3));
    upload(&world, json!({})).await;
    let plain = derived(&world, "shoe").await;
    let mut seen = vec![plain.clone()];
    let usual = json!({ "amount": 1.5, "radius": 1.0, "threshold": 1, "monochrome": 0 });
    for (field, value) in [
        ("amount", json!(1.5)),
        ("amount", json!(3.0)),
        ("radius", json!(2.0)),
        ("threshold", json!(2)),
        ("monochrome", json!(1)),
    ] {
        let unsharp = with(usual.clone(), json!({ field: value }));
        reprocess(&world, &["shoe"], json!({ "unsharpMaskOptions": unsharp })).await;
        let made = derived(&world, "shoe").await;
        assert!(!seen.contains(&made), "{field}");
        seen.push(made);
    }
    // Without an amount or a radius nothing is sharpened.
    for nothing in [json!({ "radius": 5.0 }), json!({ "amount": 5.0 })] {
        reprocess(&world, &["shoe"], json!({ "unsharpMaskOptions": nothing })).await;
        assert_eq!(derived(&world, "shoe").await, plain);
    }
}

fn profile(name: &str) -> Vec<u8> {
    let file = format!("/usr/share/color/icc/ghostscript/{name}.icc");
    std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}: install the Debian package libgs-common"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_are_converted_by_profiles_that_are_assets() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(64, 3));
    world.put("in/a98.icc", &profile("a98"));
    world.put("in/press.icc", &profile("default_cmyk"));
    world.put("in/lab.icc", &profile("lab"));
    upload(&world, json!({})).await;
    let handle = async |name| format!("a|{}", world.store.asset_named(world.company, name).await.unwrap().unwrap().id);
    let managed = |source: Option<&str>, output: &str| {
        json!({ "colorManagementOptions": {
            "colorManagement": "Convert", "sourceProfileHandle": source, "outputProfileHandle": output } })
    };
    let plain = derived(&world, "shoe").await;
    let (a98, press, lab) = (handle("a98").await, handle("press").await, handle("lab").await);
    let mut seen = vec![plain];
    for (source, output) in [(None, &a98), (None, &press), (Some(a98.as_str()), &press)] {
        let done = reprocess(&world, &["shoe"], managed(source, output)).await;
        assert_eq!(done.counters.warning, 0, "{}", done.text());
        let made = derived(&world, "shoe").await;
        assert!(!seen.contains(&made), "{source:?} {output}");
        seen.push(made);
    }
    // A source profile for other colours is told, and the job goes on.
    let done = reprocess(&world, &["shoe"], managed(Some(&press), &a98)).await;
    let told = "UploadWarning: shoe: the source profile is not one for its colours and was not used.";
    assert!(done.text().contains(told), "{}", done.text());
    // One that pictures cannot be in, and one that is gone, cost the asset its line.
    let before = derived(&world, "shoe").await;
    let done = reprocess(&world, &["shoe"], managed(None, &lab)).await;
    let told =
        "ReoptimizeFailure: shoe could not be processed again: lab, which it is made with, is not a colour profile for";
    assert!(done.text().contains(told), "{}", done.text());
    let done = reprocess(&world, &["shoe"], managed(None, "a|9999")).await;
    assert!(
        done.text().contains("the colour profile a|9999 that it is made with is no longer there"),
        "{}",
        done.text()
    );
    assert_eq!(derived(&world, "shoe").await, before);
    // Another profile under the same number makes what was made with it stale.
    world.put("in/a98.icc", &profile("rommrgb"));
    upload(&world, json!({})).await;
    reprocess(&world, &["shoe"], managed(None, &a98)).await;
    let with_other = derived(&world, "shoe").await;
    assert_ne!(with_other, before);
    world.put("in/a98.icc", &profile("a98"));
    std::fs::remove_file(world.ingest("in/shoe.jpg")).unwrap();
    upload(&world, json!({})).await;
    let done = world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(done.counters.success, 1, "{}", done.text());
    assert_ne!(derived(&world, "shoe").await, with_other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_asset_has_its_line() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(40, 1));
    world.put("in/gone.jpg", &jpeg(40, 2));
    world.put("in/broken.jpg", &jpeg(40, 3));
    world.put("in/guide.txt", b"How to wear shoes.");
    upload(&world, json!({})).await;
    world.execute("UPDATE asset SET trash_state = 'InTrash' WHERE name = 'gone'").await;
    world.execute("UPDATE asset SET blob = 'ab' WHERE name = 'broken'").await;
    let assets = ["shoe", "gone", "a|4711|1|4711", "broken", "guide", "shoe"];
    let done = reprocess(&world, &assets, json!({})).await;
    let text = done.text();
    let expected = [
        "ReoptimizeSuccess: shoe was processed again as Image (",
        "ReoptimizeFailure: gone could not be processed again: it is in the trash.",
        "ReoptimizeFailure: a|4711 could not be processed again: the company has no such asset.",
        "ReoptimizeFailure: broken could not be processed again: its file is missing from the store of files",
        "ReoptimizeSuccess: guide was processed again as Asset (18 bytes).",
    ];
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("BeginReoptimize")).collect();
    assert_eq!(lines.len(), expected.len(), "each once: {text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{text}");
    }
    assert_eq!((done.counters.success, done.counters.error), (2, 3), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_of_another_company_are_unknown() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(40, 1));
    upload(&world, json!({})).await;
    let made = derived(&world, "shoe").await;
    world.execute("UPDATE asset SET company_id = 0 WHERE name = 'shoe'").await;
    let id = world.query("SELECT id FROM asset WHERE name = 'shoe'").await[0][0].as_i64().unwrap();
    let handle = format!("a|{id}");
    let done = reprocess(&world, &[&handle], sides(4)).await;
    assert!(done.text().contains("the company has no such asset"), "{}", done.text());
    world.execute("UPDATE asset SET company_id = 47 WHERE name = 'shoe'").await;
    assert_eq!(derived(&world, "shoe").await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_follow_the_options() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(40, 1));
    upload(&world, json!({ "readyForPublish": false })).await;
    let marks =
        async || world.query("SELECT count(*) FROM publish_mark WHERE marked = 1").await[0][0].as_i64().unwrap();
    assert_eq!(marks().await, 0);
    reprocess(&world, &["shoe"], json!({ "readyForPublish": true, "preservePublishState": true })).await;
    assert_eq!(marks().await, 0);
    reprocess(&world, &["shoe"], json!({ "readyForPublish": true, "preservePublishState": false })).await;
    assert_eq!(marks().await, 4);
    reprocess(&world, &["shoe"], json!({ "preservePublishState": false })).await;
    assert_eq!(marks().await, 4);
    reprocess(&world, &["shoe"], json!({ "readyForPublish": false, "preservePublishState": false })).await;
    assert_eq!(marks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reprocessing_that_crashes_everywhere_does_each_once() {
    let world = World::new().await;
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        world.put(&format!("in/{name}.jpg"), &jpeg(32, seed));
    }
    upload(&world, json!({})).await;
    let ids = world.query("SELECT 'a|' || id FROM asset ORDER BY id").await;
    let handles: Vec<&Value> = ids.iter().map(|row| &row[0]).collect();
    let order = with(json!({ "assetHandleArray": handles, "createMask": false, "emailSetting": "None" }), sides(2));
    let done = world.run_with_crashes(JobKind::ReprocessAssets, order).await.succeeded();
    assert_eq!(done.of_type("ReoptimizeSuccess").len(), 3, "{}", done.text());
    assert_eq!(done.counters.success, 3);
    assert_eq!(size(&world, "b").await, (30, 32));
}

/// Image resources of Photoshop: a path of curves with a hole in it, and that it is the one that clips.
fn clipping_path() -> Vec<u8> {
    type Point = (f64, f64);
    let fixed = |value: f64| ((value * f64::from(1 << 24)) as i32).to_be_bytes();
    let point = |(x, y): Point| [fixed(y), fixed(x)].concat();
    let record = |kind: u16, rest: &[u8]| {
        let mut record = [&kind.to_be_bytes(), rest].concat();
        record.resize(26, 0);
        record
    };
    let subpath = |knots: &[[Point; 3]]| {
        let points = |knot: &[Point; 3]| record(1, &knot.map(point).concat());
        [record(0, &(knots.len() as u16).to_be_bytes()), knots.iter().flat_map(points).collect()].concat()
    };
    let corner = |x, y| [(x, y); 3];
    let outline =
        subpath(&[[(0.1, 0.3), (0.2, 0.1), (0.5, 0.0)], corner(0.9, 0.3), [(0.9, 0.8), (0.5, 0.9), (0.3, 0.95)]]);
    let hole = subpath(&[corner(0.4, 0.3), corner(0.6, 0.3), corner(0.6, 0.6), corner(0.4, 0.6)]);
    let resource = |id: u16, name: &[u8], data: &[u8]| {
        let padded = |length: &[u8], bytes: &[u8]| {
            let mut all = [length, bytes].concat();
            all.resize(all.len().next_multiple_of(2), 0);
            all
        };
        let (name, data) = (padded(&[name.len() as u8], name), padded(&(data.len() as u32).to_be_bytes(), data));
        [&b"8BIM"[..], &id.to_be_bytes(), &name, &data].concat()
    };
    let path = [record(6, &[]), outline, hole].concat();
    [resource(2000, b"Outline", &path), resource(2999, b"", b"\x07Outline")].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clipping_path_of_each_format_is_the_one_that_imagemagick_clips_by() {
    let world = World::new().await;
    let at = |name: &str| text(&world.folder.path().join(name)).to_owned();
    std::fs::write(at("clip.8bim"), clipping_path()).unwrap();
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    // In the tag 34377 of TIFF, in APP13 of JPEG, among the resources of a Photoshop file.
    let files = ["tiff.tif", "jpeg.jpg", "photoshop.psd"];
    for name in files {
        let target = world.ingest(&format!("in/{name}"));
        let picture = ["-size", "301x203", "gradient:#1a5a2a-#f4d9a0", "-alpha", "off", "-depth", "8"];
        tool("convert", &[&picture[..], &["-profile", &at("clip.8bim"), text(&target)]].concat());
        assert!(tool("exiftool", &["-ClippingPathName", text(&target)]).ends_with(": Outline") || name == "tiff.tif");
    }
    let done = upload(&world, json!({ "createMask": true })).await;
    assert_eq!((done.counters.success, done.counters.warning), (3, 0), "{}", done.text());
    for name in files {
        let (stem, _) = name.split_once('.').unwrap();
        let mask = likeness::derived(&world, stem, "Mask").await.unwrap_or_else(|| panic!("{stem} has no mask"));
        let source = format!("{}[0]", text(&world.ingest(&format!("in/{name}"))));
        let (ours, theirs) = (at("ours.png"), at("theirs.png"));
        tool("convert", &[&format!("{}[0]", text(&mask)), "-depth", "8", &ours]);
        let clip = ["-alpha", "transparent", "-clip", "-alpha", "opaque", "+clip", "-alpha", "extract", "-depth", "8"];
        tool("convert", &[&[source.as_str()], &clip[..], &[&theirs]].concat());
        let (ours, theirs) = (image::open(ours).unwrap().to_luma8(), image::open(theirs).unwrap().to_luma8());
        assert_eq!(ours.dimensions(), theirs.dimensions(), "{name}");
        let sum: u64 = ours.iter().zip(theirs.iter()).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
        let mean = sum as f64 / ours.len() as f64;
        // ImageMagick clips whole pixels; here those on the outline are inside in part.
        assert!(mean < 2.5, "{name}: mean distance {mean}");
        let inside = theirs.iter().filter(|alpha| **alpha > 127).count() as f64 / theirs.len() as f64;
        assert!((0.3..0.5).contains(&inside), "{name}: {inside}");
    }
}
