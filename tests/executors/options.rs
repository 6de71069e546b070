//! Options whose every field counts: each changes what comes of a job.

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::metadata::fields;
use crate::pages::{EPS, brochure, order};
use crate::world::{Done, World, directory, jpeg, png, read, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;

async fn upload(world: &World, options: Value) -> Done {
    world.run(UPLOAD, with(with(directory("in"), json!({ "overwrite": true })), options)).await.succeeded()
}

/// What the derived files of an asset are, by their content.
async fn made(world: &World, name: &str) -> Vec<Value> {
    let known = world.store.asset_named(world.company, name).await.unwrap();
    let known = known.unwrap_or_else(|| panic!("there is no {name}"));
    known.derived.iter().map(|file| json!([file.role, file.pixels.0, file.pixels.1, file.blob])).collect()
}

fn encoded(picture: image::RgbaImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

const SIDE: u32 = 64;

/// How far a place is from the nearest edge.
fn depth(x: u32, y: u32) -> u32 {
    x.min(y).min(SIDE - 1 - x).min(SIDE - 1 - y)
}

/// A picture between two stripes: the upper one has a border of nearly its colour.
fn stripes() -> Vec<u8> {
    encoded(image::RgbaImage::from_fn(SIDE, SIDE, |x, y| match y {
        0..8 => image::Rgba([240, 240, 240, 255]),
        8..12 => image::Rgba([237, 237, 237, 255]),
        60.. => image::Rgba([10, 20, 60, 255]),
        _ => image::Rgba([120, 20 + x as u8, 10, 255]),
    }))
}

/// A picture that fades out to its edges.
fn fading() -> Vec<u8> {
    encoded(image::RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        image::Rgba([120, 20 + x as u8, 10, (depth(x, y) * 24).min(255) as u8])
    }))
}

/// A picture in a frame whose four corners are not quite the same, with a hole in the middle that looks like one of them.
fn frames() -> Vec<u8> {
    encoded(image::RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        let shade = 4 * u8::from(x >= SIDE / 2) + 8 * u8::from(y >= SIDE / 2);
        let is_hole = (28..34).contains(&x) && (28..34).contains(&y);
        match depth(x, y) {
            _ if is_hole => image::Rgba([240, 240, 240, 255]),
            0..4 => image::Rgba([240 - shade, 240, 240, 255]),
            4..8 => image::Rgba([240 - shade, 236, 236, 255]),
            8..14 => image::Rgba([200, 200, 200, 255]),
            _ => image::Rgba([120, 20 + x as u8, 10, 255]),
        }
    }))
}

/// Each variant of a block is another picture than all others.
async fn each_counts(world: &World, name: &str, block: &str, variants: &[Value]) {
    let mut seen = Vec::new();
    for variant in variants {
        let done = upload(world, json!({ "preserveCrop": false, block: variant })).await;
        assert_eq!(done.counters.error, 0, "{variant}: {}", done.text());
        let made = made(world, name).await;
        assert!(!seen.contains(&made), "{block} {variant} changes nothing");
        seen.push(made);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_of_crops_and_knockouts_counts() {
    let world = World::new().await;
    world.put("in/card.png", &frames());
    let none = json!({ "left": 0, "right": 0, "top": 0, "bottom": 0 });
    let sides = ["left", "right", "top", "bottom"].map(|side| with(none.clone(), json!({ side: 24 })));
    each_counts(&world, "card", "manualCropOptions", &[&[none][..], &sides].concat()).await;
    let crop = |corner: &str, tolerance: f64| json!({ "corner": corner, "tolerance": tolerance });
    let crops = [crop("UpperLeft", 0.0), crop("UpperLeft", 0.03), crop("BottomRight", 0.0)];
    world.put("in/card.png", &stripes());
    each_counts(&world, "card", "autoColorCropOptions", &crops).await;
    let tolerances = [0.0, 0.3, 0.6].map(|tolerance| json!({ "tolerance": tolerance }));
    world.put("in/card.png", &fading());
    each_counts(&world, "card", "autoTransparentCropOptions", &tolerances).await;
    let knockout = |corner: &str, tolerance: f64, method: &str| json!({ "corner": corner, "tolerance": tolerance, "fillMethod": method });
    let knockouts = [
        knockout("UpperLeft", 0.0, "FloodFill"),
        knockout("BottomRight", 0.0, "FloodFill"),
        knockout("UpperRight", 0.0, "FloodFill"),
        knockout("BottomLeft", 0.0, "FloodFill"),
        knockout("UpperLeft", 0.2, "FloodFill"),
        knockout("UpperLeft", 0.2, "MatchPixel"),
    ];
    world.put("in/card.png", &frames());
    each_counts(&world, "card", "knockoutBackgroundOptions", &knockouts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_option_of_post_script_and_illustrator_files_has_its_effect() {
    let world = World::new().await;
    world.put("in/leaf.eps", EPS);
    world.put("in/ink.ai", EPS);
    for (block, name) in [("postScriptOptions", "leaf"), ("illustratorOptions", "ink")] {
        let page = format!("{name}-1");
        // The other of the two files is not to be drawn, and says nothing of that.
        let other = if name == "leaf" { "illustratorOptions" } else { "postScriptOptions" };
        let draw = async |options: Value| {
            let mut order = order(block, options);
            order[other] = json!({ "process": "None" });
            world.run(UPLOAD, order).await.succeeded()
        };
        draw(json!({ "process": "None" })).await;
        assert_eq!(made(&world, name).await, Vec::<Value>::new(), "{block}");
        draw(json!({ "process": "Thumbnail" })).await;
        assert_eq!(made(&world, name).await[0][0], "Thumbnail", "{block}");
        assert!(world.store.asset_named(world.company, &page).await.unwrap().is_none(), "{block}");
        let mut seen = Vec::new();
        for options in [
            json!({ "process": "Rasterize" }),
            json!({ "resolution": 72 }),
            json!({ "resolution": 72, "colorspace": "Gray" }),
            json!({ "resolution": 72, "alpha": true }),
        ] {
            let done = draw(options.clone()).await;
            assert_eq!(done.counters.warning + done.counters.error, 0, "{}", done.text());
            let page = made(&world, &page).await;
            assert!(!seen.contains(&page), "{block} {options}");
            seen.push(page);
        }
        let done = draw(json!({ "resolution": 72, "colorspace": "Cmyk" })).await;
        let line = format!("{block}/colorspace had no effect, because pages are drawn in RGB, not in CMYK");
        assert!(done.text().contains(&line), "{}", done.text());
        assert_eq!(world.query("SELECT count(*) FROM page_word").await, [[json!(0)]]);
    }
    world.run(UPLOAD, order("postScriptOptions", json!({ "extractSearchWords": true }))).await.succeeded();
    assert_ne!(world.query("SELECT count(*) FROM page_word").await, [[json!(0)]]);
    // Ripping draws; a block that asks for less gets less, and the other none the worse.
    let handle =
        async |name: &str| format!("a|{}", world.store.asset_named(world.company, name).await.unwrap().unwrap().id);
    let rip = json!({
        "pdfHandleArray": [handle("leaf").await, handle("ink").await], "emailSetting": "None",
        "postScriptOptions": { "process": "Thumbnail" }, "illustratorOptions": { "process": "None", "resolution": 50 },
    });
    let (leaf, ink) = (made(&world, "leaf-1").await, made(&world, "ink-1").await);
    world.run(JobKind::RipPdfs, rip).await.succeeded();
    assert_eq!(made(&world, "leaf-1").await, leaf);
    assert_ne!(made(&world, "ink-1").await, ink);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_and_links_of_pages_are_published_for_search() {
    let world = World::new().await;
    world.put("in/brochure.pdf", &brochure());
    let search = async |options: Value| -> Vec<Value> {
        world.run(UPLOAD, order("pdfOptions", options)).await.succeeded();
        let publish = json!({ "publishType": "FullWithSearch", "emailSetting": "None" });
        world.run(JobKind::ImageServingPublish, publish).await.succeeded();
        let lines = String::from_utf8(read(world.published().join("search.jsonl"))).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &Value| line["asset"].as_str().unwrap().starts_with("brochure-")).collect()
    };
    let plain = search(json!({ "extractLinks": false })).await;
    assert!(plain.iter().all(|line| line.get("words").is_none() && line.get("imageMaps").is_none()), "{plain:?}");
    let full = search(json!({ "extractSearchWords": true, "extractLinks": true, "resolution": 72 })).await;
    let page = full.iter().find(|line| line["asset"] == "brochure-1").unwrap();
    let words: Vec<&str> =
        page["words"].as_array().unwrap().iter().map(|word| word["word"].as_str().unwrap()).collect();
    assert_eq!(words, ["Red", "shoes", "for", "summer"]);
    let (first, width) = (&page["words"][0], page["width"].as_u64().unwrap());
    assert!(first["x"].as_u64().unwrap() + first["width"].as_u64().unwrap() <= width, "{first}");
    let maps = page["imageMaps"].as_array().unwrap();
    assert_eq!((maps.len(), &maps[0]["action"]), (2, &json!("https://shoes.example/red")));
    assert_eq!(maps[0]["region"], json!("20,120,120,180"));
    let other = full.iter().find(|line| line["asset"] == "brochure-2").unwrap();
    assert_eq!(other["words"][0]["word"], json!("Gray"));
    assert!(other.get("imageMaps").is_none(), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subfolders_are_read_if_that_is_asked_for() {
    let world = World::new().await;
    world.put("in/top.jpg", &jpeg(24, 1));
    world.put("in/below/deep.jpg", &jpeg(24, 2));
    upload(&world, json!({ "includeSubfolders": false })).await;
    assert_eq!(world.asset_names().await, ["top"]);
    upload(&world, json!({ "includeSubfolders": true })).await;
    assert_eq!(world.asset_names().await, ["deep", "top"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_an_order_is_set_on_its_assets() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO metadata_field (company_id, scope, name, field_type, default_value, is_publish_data)
             VALUES (47, 'ALL', 'New', 'Boolean', '', 1), (47, 'ALL', 'Stock', 'Int', '', 1), (47, 'ALL', 'Weight', 'Float', '', 1),
                    (47, 'ALL', 'Launch', 'Date', '', 1), (47, 'IMAGE', 'Studio', 'String', '', 1), (47, 'RTF', 'Studio', 'String', '', 1)",
        )
        .await;
    world.put("in/mug.png", &png(24, 1));
    world.put("in/guide.txt", b"How to drink.");
    world.put("in/note.rtf", br"{\rtf1 How to wash.}");
    let field =
        |scope: &str, name: &str, more: Value| with(json!({ "fieldHandle": format!("m|47|{scope}|{name}") }), more);
    let all = json!([
        field("ALL", "dc.title", json!({ "value": "A mug" })),
        field(
            "ALL",
            "dc.subject",
            json!({ "setTagValueArray": ["cup", "old"], "addTagValueArray": ["blue"], "deleteTagValueArray": ["old"] })
        ),
        field("ALL", "New", json!({ "boolVal": true })),
        field("ALL", "Stock", json!({ "longVal": 7 })),
        field("ALL", "Weight", json!({ "doubleVal": 0.25 })),
        field("ALL", "Launch", json!({ "dateVal": "2026-12-01T00:00:00Z" })),
        field("IMAGE", "Studio", json!({ "value": "Berlin" })),
    ]);
    let done = upload(&world, json!({ "metadataOptions": { "updateArray": all } })).await;
    let mug = fields(&world, "mug").await;
    for (name, values) in [
        ("dc.title", vec!["A mug"]),
        ("dc.subject", vec!["cup", "blue"]),
        ("New", vec!["true"]),
        ("Stock", vec!["7"]),
        ("Weight", vec!["0.25"]),
        ("Launch", vec!["2026-12-01T00:00:00.000Z"]),
        ("Studio", vec!["Berlin"]),
    ] {
        assert_eq!(mug.get(name).map(|found| found.iter().map(String::as_str).collect()), Some(values), "{name}");
    }
    // A field for pictures is none of a text's, and the log says so.
    let guide = fields(&world, "guide").await;
    assert_eq!((guide["dc.title"].clone(), guide.get("Studio")), (vec!["A mug".to_owned()], None));
    // A field of that name for its type is another field.
    assert_eq!(fields(&world, "note").await.get("Studio"), None);
    assert!(done.text().contains("note.rtf: the option metadataOptions had no effect"), "{}", done.text());
    assert_eq!(done.counters.warning, 2, "{}", done.text());
    let told =
        "guide.txt: the option metadataOptions had no effect, because the field Studio is for assets of type IMAGE";
    assert!(done.text().contains(told), "{}", done.text());

    // What is set so stays as what somebody set: another file does not take it away, another order does.
    world.put("in/mug.png", &png(24, 2));
    upload(&world, json!({})).await;
    assert_eq!(fields(&world, "mug").await["dc.title"], ["A mug"]);
    let id = world.store.asset_named(world.company, "mug").await.unwrap().unwrap().id;
    let again = json!({
        "assetHandleArray": [format!("a|{id}")], "createMask": false, "emailSetting": "None",
        "metadataOptions": { "updateArray": [
            field("ALL", "dc.title", json!({ "value": "The mug" })),
            field("ALL", "Gone", json!({ "value": "x" })),
        ] },
    });
    let done = world.run_with_crashes(JobKind::ReprocessAssets, again).await.succeeded();
    assert_eq!(fields(&world, "mug").await["dc.title"], ["The mug"]);
    assert!(done.text().contains("mug: the option metadataOptions had no effect, because"), "{}", done.text());
}
