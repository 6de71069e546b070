//! Layers of Photoshop files become assets: their pixels, compared with ImageMagick; their names, places and template.

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::likeness::{derived, mean_delta_e, pyramid, size, text, tool};
use crate::pages::{paths_of_assets, paths_of_success};
use crate::photoshop_file::{Channel, Frame, LayerOf, Mask, Packing, Psd};
use crate::world::{Done, Moment, World, directory, read, with};

const UPLOAD: JobKind = JobKind::UploadDirectory;
const RGB: [i16; 3] = [0, 1, 2];
const RGBA: [i16; 4] = [0, 1, 2, -1];

async fn world() -> World {
    World::with(|settings| settings.media.jpeg_quality = 95).await
}

fn order(layer_options: Value) -> Value {
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    order["photoshopOptions"] = json!({ "process": "MaintainLayers", "layerOptions": layer_options });
    order
}

async fn upload(world: &World, layer_options: Value) -> Done {
    world.run(UPLOAD, order(layer_options)).await.succeeded()
}

/// Slopes of colour, and a transparency that leaves the left free.
fn slopes(id: i16, x: u32, y: u32) -> u8 {
    match id {
        0 => (x * 3) as u8,
        1 => (y * 4) as u8,
        2 => 200 - x as u8,
        _ if x < 10 => 0,
        _ => 255,
    }
}

pub fn full(name: &str, frame: Frame, color: [u8; 3]) -> LayerOf {
    LayerOf::painted(name, frame, &RGB, |id, _, _| color[id as usize])
}

fn glass(name: &str, frame: Frame, color: [u8; 3], alpha: u8) -> LayerOf {
    LayerOf::painted(name, frame, &RGBA, |id, _, _| if id < 0 { alpha } else { color[id as usize] })
}

/// A pixel of an asset: red, green, blue and alpha.
async fn pixel(world: &World, asset: &str, x: u32, y: u32) -> [u8; 4] {
    let out = world.folder.path().join("pixel.png");
    tool("vips", &["copy", text(&pyramid(world, asset).await), text(&out)]);
    image::open(out).unwrap().to_rgba8().get_pixel(x, y).0
}

fn near(one: [u8; 4], other: [u8; 4]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= 3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_look_as_imagemagick_reads_them() {
    let world = world().await;
    let layers = |packing| {
        let painted = |name, frame, ids: &[i16]| LayerOf { packing, ..LayerOf::painted(name, frame, ids, slopes) };
        vec![painted("Background", (0, 0, 80, 60), &RGB), painted("Slopes", (7, 9, 50, 40), &RGBA)]
    };
    let plain = |packing| Psd::rgb((80, 60), layers(packing));
    let cases = [
        ("raw.psd", plain(Packing::Raw)),
        ("packed.psd", plain(Packing::PackBits)),
        ("zip.psd", plain(Packing::Zip)),
        ("predicted.psd", plain(Packing::Predicted)),
        ("deep.psd", Psd { depth: 16, ..plain(Packing::Raw) }),
        ("deep-packed.psd", Psd { depth: 16, ..plain(Packing::PackBits) }),
        ("deep-zip.psd", Psd { depth: 16, ..plain(Packing::Zip) }),
        ("deep-predicted.psd", Psd { depth: 16, ..plain(Packing::Predicted) }),
        ("large.psb", Psd { is_large: true, ..plain(Packing::PackBits) }),
        ("large-zip.psb", Psd { is_large: true, ..plain(Packing::Zip) }),
    ];
    for (name, psd) in &cases {
        world.put(&format!("in/{name}"), &psd.bytes());
    }
    let done = upload(&world, json!({ "layerNaming": "AppendNumber" })).await;
    assert_eq!(done.counters.success, 3 * cases.len() as i64, "{}", done.text());
    for (name, _) in &cases {
        let (stem, _) = name.split_once('.').unwrap();
        for layer in [1, 2] {
            let theirs = world.folder.path().join("theirs.png");
            let source = format!("{}[{layer}]", text(&world.ingest(&format!("in/{name}"))));
            tool("convert", &[&source, "+repage", "-depth", "8", text(&theirs)]);
            let difference = mean_delta_e(&pyramid(&world, &format!("{stem}_{layer}")).await, &theirs);
            assert!(difference < 1.5, "{name}, layer {layer}: {difference}");
        }
    }
    let facts = world
        .query(
            "SELECT p.name, a.width, a.height, json_int(a.info, 'bitsPerComponent'), strpos(a.info, '\"hasAlpha\":true') > 0, a.part
             FROM asset a JOIN asset p ON p.id = a.parent_id WHERE a.name IN ('deep_1', 'raw_2') ORDER BY a.name",
        )
        .await;
    let expected = [json!(["deep", 80, 60, 16, 0, "layer:#1"]), json!(["raw", 50, 40, 8, 1, "layer:#2"])];
    assert_eq!(facts.into_iter().map(Value::Array).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gray_and_cmyk_layers_keep_their_transparency() {
    let world = world().await;
    let gray = LayerOf::painted("Gray", (0, 0, 32, 32), &[0, -1], |id, _, _| if id < 0 { 128 } else { 90 });
    // Stored is what is left of white: all magenta.
    let ink = |id, _, _| [255, 0, 255, 255].get(id as usize).copied().unwrap_or(100);
    let inks = LayerOf::painted("Inks", (0, 0, 32, 32), &[0, 1, 2, 3, -1], ink);
    let solid = LayerOf { channels: inks.channels[..4].to_vec(), ..LayerOf { name: "Solid".into(), ..inks.clone() } };
    world.put("in/g.psd", &Psd { mode: 1, ..Psd::rgb((32, 32), vec![gray]) }.bytes());
    world.put("in/c.psd", &Psd { mode: 4, ..Psd::rgb((32, 32), vec![inks, solid]) }.bytes());
    let done = upload(&world, json!({})).await;
    assert_eq!(done.counters.success, 5, "{}", done.text());
    assert!(near(pixel(&world, "g_Gray", 5, 5).await, [90, 90, 90, 128]), "{:?}", pixel(&world, "g_Gray", 5, 5).await);
    let (inks, solid) = (pixel(&world, "c_Inks", 5, 5).await, pixel(&world, "c_Solid", 5, 5).await);
    assert_eq!((inks[3], solid[3]), (100, 255));
    assert!(near([inks[0], inks[1], inks[2], 255], solid), "{inks:?} {solid:?}");
    assert!(solid[0] > 150 && solid[1] < 100 && solid[2] > 80, "{solid:?}");
    // Colour management that converts nothing leaves inks alone where there is nothing transparent.
    let mut order = order(json!({}));
    order["colorManagementOptions"] = json!({ "colorManagement": "MaintainOriginal" });
    world.run(UPLOAD, order).await.succeeded();
    for (asset, expected) in [("c_Solid", "CMYK"), ("c_Inks", "sRGB")] {
        let said = tool("vipsheader", &["-f", "interpretation", text(&pyramid(&world, asset).await)]);
        assert!(said.contains(expected), "{asset}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masks_become_alpha_where_they_are_switched_on() {
    let world = world().await;
    let masked = |name: &str, outside, is_off| {
        // It covers the right half of the layer, and more beside it.
        let mask = Mask { frame: (20, 0, 30, 40), outside, is_off };
        let samples = Channel { id: -2, size: (30, 40), samples: vec![51; 1200] };
        let mut layer = glass(name, (0, 0, 40, 40), [10, 160, 60], 200);
        layer.channels.push(samples);
        LayerOf { mask: Some(mask), ..layer }
    };
    let layers = vec![masked("Hides", 0, false), masked("Shows", 255, false), masked("Off", 0, true)];
    world.put("in/m.psd", &Psd::rgb((40, 40), layers).bytes());
    upload(&world, json!({})).await;
    for (asset, left, right) in [("m_Hides", 0, 40), ("m_Shows", 200, 40), ("m_Off", 200, 200)] {
        let alpha = [pixel(&world, asset, 5, 20).await[3], pixel(&world, asset, 30, 20).await[3]];
        assert_eq!(alpha, [left, right], "{asset}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mask_larger_than_a_picture_costs_its_layer_and_no_more() {
    let world = world().await;
    let layers = || {
        let mut vast = full("Vast", (0, 0, 16, 16), [10, 160, 60]);
        vast.channels.push(Channel { id: -2, size: (1, 1), samples: vec![51] });
        let frame = (-1_500_000_000, 0, 3_000_000_000, 16);
        let mask = Mask { frame, outside: 0, is_off: false };
        vec![LayerOf { mask: Some(mask), ..vast }, full("Next", (0, 0, 16, 16), [10, 160, 60])]
    };
    world.put("in/m.psd", &Psd::rgb((16, 16), layers()).bytes());
    world.put("in/d.psd", &Psd { depth: 16, ..Psd::rgb((16, 16), layers()) }.bytes());
    let done = upload(&world, json!({})).await;
    assert_eq!((done.counters.success, done.counters.error), (4, 2), "{}", done.text());
    assert_eq!(done.text().matches("3000000000 × 16 pixels").count(), 2, "{}", done.text());
    assert_eq!(world.asset_names().await, ["d", "d_Next", "m", "m_Next"]);
}

fn names() -> Vec<LayerOf> {
    vec![
        full("Background", (0, 0, 64, 48), [250; 3]),
        full("Layer 2", (4, 4, 20, 20), [200, 0, 0]),
        full("Price Tag", (10, 10, 30, 20), [0, 0, 200]),
        full("v1.5/é", (10, 10, 30, 20), [0, 200, 0]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_follow_the_mode() {
    for (mode, expected) in [
        (json!({}), ["Ad", "Ad_1", "Ad_2", "Ad_Price Tag", "Ad_v1.5é"]),
        (json!({ "layerNaming": "AppendName" }), ["Ad", "Ad_1", "Ad_2", "Ad_Price Tag", "Ad_v1.5é"]),
        (json!({ "layerNaming": "AppendNumber" }), ["Ad", "Ad_1", "Ad_2", "Ad_3", "Ad_4"]),
        (json!({ "layerNaming": "LayerName" }), ["1", "2", "Ad", "Price Tag", "v1.5é"]),
        (json!({ "layerNaming": "Folders" }), ["1", "2", "Ad", "Price Tag", "v1.5é"]),
    ] {
        let world = World::new().await;
        let layers = [names(), LayerOf::group("Offer", vec![])].concat();
        world.put("in/Ad.psd", &Psd::rgb((64, 48), layers).bytes());
        let done = upload(&world, mode.clone()).await;
        assert_eq!(world.asset_names().await, expected, "{mode}: {}", done.text());
        let files = world.query("SELECT DISTINCT substr(file_name, -4) FROM asset").await;
        assert_eq!(files, [[json!(".psd")]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_are_those_of_the_groups() {
    let world = World::new().await;
    let inner = LayerOf::group("Inner/1", vec![full("Deep", (0, 0, 8, 8), [9; 3])]);
    let outer = LayerOf::group("Outer", [inner, vec![full("Shallow", (0, 0, 8, 8), [8; 3])]].concat());
    let layers = [vec![full("Plain", (0, 0, 8, 8), [7; 3])], outer].concat();
    world.put("in/sub/Ad.psd", &Psd::rgb((8, 8), layers).bytes());
    upload(&world, json!({ "layerNaming": "Folders" })).await;
    let rows =
        world.query("SELECT a.name, f.path FROM asset a JOIN folder f ON f.id = a.folder_id ORDER BY a.name").await;
    let expected = [
        json!(["Ad", "sub"]),
        json!(["Deep", "sub/Ad/Outer/Inner1"]),
        json!(["Plain", "sub/Ad"]),
        json!(["Shallow", "sub/Ad/Outer"]),
    ];
    assert_eq!(rows.into_iter().map(Value::Array).collect::<Vec<_>>(), expected);
}

/// Whatever a layer is called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_layers_say_where_they_are() {
    let world = world().await;
    let layers = ["shoe", "it was processed as"].map(|name| full(name, (0, 0, 40, 30), [200, 30, 40]));
    world.put("in/ad.psd", &Psd::rgb((80, 60), layers.to_vec()).bytes());
    let done = upload(&world, json!({ "layerNaming": "Folders", "createTemplate": true })).await;
    assert_eq!(paths_of_success(&done.text()), paths_of_assets(&world).await, "{}", done.text());
    assert_eq!(world.asset_names().await.len(), 4, "the file, two layers, the template");
    assert!(done.text().contains("was processed as layer shoe of its file."), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_extended_to_the_canvas() {
    let world = world().await;
    let layers = || {
        vec![
            full("Background", (0, 0, 64, 48), [250; 3]),
            full("Inside", (10, 6, 20, 12), [200, 30, 0]),
            LayerOf { packing: Packing::Zip, ..full("Beyond", (-10, -8, 30, 90), [0, 30, 200]) },
            full("Away", (100, 100, 10, 10), [0, 30, 200]),
            glass("Left", (-40, 5, 10, 10), [0, 30, 200], 90),
        ]
    };
    world.put("in/a.psd", &Psd::rgb((64, 48), layers()).bytes());
    upload(&world, json!({ "extendLayers": false })).await;
    assert_eq!(size(&pyramid(&world, "a_Inside").await), (20, 12));
    assert_eq!(size(&pyramid(&world, "a_Beyond").await), (30, 90));
    upload(&world, json!({ "extendLayers": true })).await;
    for asset in ["a_1", "a_Inside", "a_Beyond", "a_Away", "a_Left"] {
        assert_eq!(size(&pyramid(&world, asset).await), (64, 48), "{asset}");
    }
    for (asset, (x, y), expected) in [
        ("a_Inside", (9, 10), None),
        ("a_Inside", (20, 10), Some([200, 30, 0, 255])),
        ("a_Inside", (31, 10), None),
        ("a_Inside", (20, 20), None),
        ("a_Beyond", (4, 4), Some([0, 30, 200, 255])),
        ("a_Beyond", (25, 40), None),
        ("a_Away", (32, 24), None),
        ("a_Left", (2, 8), None),
        ("a_1", (32, 24), Some([250, 250, 250, 255])),
    ] {
        let found = pixel(&world, asset, x, y).await;
        match expected {
            Some(expected) => assert!(near(found, expected), "{asset} at {x}, {y}: {found:?}"),
            None => assert_eq!(found[3], 0, "{asset} at {x}, {y}"),
        }
    }
    let boxes = world
        .query("SELECT DISTINCT json_int(info, '$.layer.left'), json_int(info, '$.layer.width') FROM asset WHERE part IS NOT NULL")
        .await;
    assert_eq!(boxes, [[json!(0), json!(64)]]);
}

/// A poster: a background, and an offer of a picture and a text in a group, one of them hidden.
pub fn poster() -> Psd {
    let text = LayerOf {
        text: Some("Only 9.90\rtoday".into()),
        blend: *b"mul ",
        opacity: 128,
        ..glass("Words", (40, 30, 20, 10), [0, 0, 0], 255)
    };
    let seal = LayerOf { is_hidden: true, opacity: 127, ..full("Seal", (-5, 2, 10, 10), [200, 0, 0]) };
    let group = LayerOf::group("Offer", vec![text, seal]);
    let bare = LayerOf { channels: Vec::new(), ..LayerOf::bare("Curves") };
    Psd::rgb((64, 48), [vec![full("Background", (0, 0, 64, 48), [250; 3])], group, vec![bare]].concat())
}

async fn publish(world: &World) {
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
}

fn template(world: &World) -> Value {
    serde_json::from_slice(&read(world.published().join("ad-template.json"))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_says_how_the_layers_lie() {
    let world = World::new().await;
    world.put("in/ad.psd", &poster().bytes());
    let done = upload(&world, json!({ "createTemplate": true, "extractText": true })).await;
    let log = done.text();
    assert!(log.contains("UploadSuccess: Acme/ad-template was processed as a template of 3 layers."), "{log}");
    assert!(log.contains("ad.psd: 1 layer without pixels was left out."), "{log}");
    publish(&world).await;
    assert_eq!(world.published_names(), ["ad-template.json", "ad.tif", "ad_1.tif", "ad_Seal.tif", "ad_Words.tif"]);
    let found = template(&world);
    assert_eq!((&found["type"], &found["width"], &found["height"]), (&json!("Template"), &json!(64), &json!(48)));
    let members = found["members"].as_array().unwrap();
    let files: Vec<&Value> = members.iter().map(|member| &member["file"]).collect();
    assert_eq!(files, [&json!("ad_1.tif"), &json!("ad_Words.tif"), &json!("ad_Seal.tif")]);
    let expected = json!({
        "left": 40, "top": 30, "width": 20, "height": 10, "anchor": "Center", "opacity": 50, "blendMode": "multiply",
        "isHidden": false, "isClipped": false, "groups": ["Offer"], "text": "Only 9.90\ntoday", "x": 50.0, "y": 35.0,
    });
    assert_eq!(members[1]["layer"], expected);
    let seal = &members[2]["layer"];
    assert_eq!((&seal["left"], &seal["isHidden"], &seal["opacity"]), (&json!(-5), &json!(true), &json!(50)));
    let words = world
        .query(
            "SELECT word, w.width, w.height FROM page_word w JOIN asset a ON a.id = asset_id WHERE a.name = 'ad_Words'",
        )
        .await;
    assert_eq!(words.iter().map(|row| row[0].as_str().unwrap()).collect::<Vec<_>>(), ["Only", "9.90", "today"]);
    assert_eq!(words[0][1..], [json!(20), json!(10)]);

    // Without text, at another anchor, and then without a template.
    upload(&world, json!({ "createTemplate": true, "anchor": "Southeast" })).await;
    publish(&world).await;
    let layer = template(&world)["members"][1]["layer"].clone();
    assert_eq!((&layer["anchor"], &layer["x"], &layer["y"]), (&json!("Southeast"), &json!(60.0), &json!(40.0)));
    assert_eq!(layer.get("text"), None);
    assert_eq!(world.query("SELECT count(*) FROM page_word").await, [[json!(0)]]);
    upload(&world, json!({})).await;
    publish(&world).await;
    assert_eq!(world.published_names(), ["ad.tif", "ad_1.tif", "ad_Seal.tif", "ad_Words.tif"]);
    // And with one again, which is the same asset.
    upload(&world, json!({ "createTemplate": true })).await;
    let templates =
        world.query("SELECT name, trash_state, width, height FROM asset WHERE asset_type = 'Template'").await;
    let expected = json!(["ad-template", "NotInTrash", 64, 48]);
    assert_eq!(templates.into_iter().map(Value::Array).collect::<Vec<_>>(), [expected]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_unless_layers_are_to_be_maintained() {
    let world = World::new().await;
    world.put("in/ad.psd", &poster().bytes());
    let options = json!({ "createTemplate": true, "extractText": true, "extendLayers": true });
    for photoshop in
        [Value::Null, json!({ "process": "None", "layerOptions": options }), json!({ "layerOptions": options })]
    {
        let mut order = directory("in");
        order["overwrite"] = json!(true);
        order["photoshopOptions"] = photoshop;
        let done = world.run(UPLOAD, order).await.succeeded();
        assert_eq!(world.asset_names().await, ["ad"], "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_known_again_by_what_photoshop_calls_them() {
    let world = world().await;
    let layer = |name: &str, id, color| LayerOf { id: Some(id), ..full(name, (0, 0, 16, 16), color) };
    let (red, blue, green) = ([200, 0, 0], [0, 0, 200], [0, 200, 0]);
    let put = |layers| world.put("in/ad.psd", &Psd::rgb((16, 16), layers).bytes());
    let state =
        async || world.query("SELECT id, name, trash_state FROM asset WHERE part IS NOT NULL ORDER BY id").await;
    put(vec![layer("Red", 7, red), layer("Blue", 9, blue)]);
    upload(&world, json!({})).await;
    let before = state().await;
    assert_eq!(before.len(), 2);
    // One is put between them, one is gone, and one has another place.
    put(vec![layer("Blue", 9, blue), layer("Green", 12, green)]);
    upload(&world, json!({})).await;
    let after = state().await;
    assert_eq!((&after[0][1], &after[0][2]), (&json!("ad_Red"), &json!("InTrash")));
    assert_eq!((&after[1], &after[2][1]), (&before[1], &json!("ad_Green")));
    assert!(near(pixel(&world, "ad_Blue", 3, 3).await, [0, 0, 200, 255]));
    // It comes back under the name it had, with other pixels.
    put(vec![layer("Red", 7, green), layer("Blue", 9, blue)]);
    upload(&world, json!({})).await;
    let back = state().await;
    assert_eq!(back[..2], before[..]);
    assert_eq!(back[2][2], json!("InTrash"));
    assert!(near(pixel(&world, "ad_Red", 3, 3).await, [0, 200, 0, 255]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_made_again_as_they_were() {
    let world = world().await;
    world
        .put("in/ad.psd", &Psd::rgb((80, 60), vec![LayerOf::painted("Slopes", (7, 9, 50, 40), &RGBA, slopes)]).bytes());
    upload(&world, json!({ "extendLayers": true })).await;
    let before = read(pyramid(&world, "ad_Slopes").await);
    world.execute("DELETE FROM derived").await;
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!(read(pyramid(&world, "ad_Slopes").await), before);
    // By itself it can be edited like any picture, and brings forth no layers of its own.
    let id = world.query("SELECT id FROM asset WHERE name = 'ad_Slopes'").await[0][0].clone();
    let mut again = json!({
        "assetHandleArray": [format!("a|{id}")], "createMask": true, "emailSetting": "None",
        "photoshopOptions": { "process": "MaintainLayers" },
        "manualCropOptions": { "left": 7, "right": 23, "top": 9, "bottom": 11 },
    });
    let done = world.run(JobKind::ReprocessAssets, again.clone()).await.succeeded();
    assert_eq!(size(&pyramid(&world, "ad_Slopes").await), (50, 40), "{}", done.text());
    assert!(derived(&world, "ad_Slopes", "Mask").await.is_some());
    assert_eq!(world.asset_names().await, ["ad", "ad_Slopes"]);
    let place = world.query("SELECT json_int(info, '$.layer.width') FROM asset WHERE name = 'ad_Slopes'").await;
    assert_eq!(place, [[json!(80)]], "where it lay in the file is known as before");
    // With its file it is as it was, if the crop that was set on it is not to be kept.
    let parent = world.query("SELECT id FROM asset WHERE name = 'ad'").await[0][0].clone();
    again = json!({
        "assetHandleArray": [format!("a|{parent}")], "createMask": false, "emailSetting": "None", "preserveCrop": false,
        "photoshopOptions": { "process": "MaintainLayers", "layerOptions": { "extendLayers": true } },
    });
    let done = world.run(JobKind::ReprocessAssets, again).await.succeeded();
    assert!(done.text().contains("ad_Slopes.psd was processed as layer Slopes of its file."), "{}", done.text());
    assert_eq!(read(pyramid(&world, "ad_Slopes").await), before);
}

/// Crops the layer `name` by as much at each side.
async fn crop(world: &World, name: &str, crop: Value) {
    let rows = world.query("SELECT id, name FROM asset WHERE part LIKE 'layer:%'").await;
    let id = &rows.iter().find(|row| row[1] == name).unwrap()[0];
    let order = with(json!({ "assetHandleArray": [format!("a|{id}")], "emailSetting": "None" }), crop);
    world.run(JobKind::ReprocessAssets, order).await.succeeded();
}

/// A template is put together by where each layer lies: a crop has moved its corner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_says_where_a_cropped_layer_lies() {
    let world = World::new().await;
    world.put("in/ad.psd", &poster().bytes());
    upload(&world, json!({ "createTemplate": true })).await;
    crop(&world, "ad_Words", json!({ "manualCropOptions": { "left": 5, "right": 1, "top": 4, "bottom": 2 } })).await;
    let lies = async |extend: bool| {
        let done = upload(&world, json!({ "createTemplate": true, "extendLayers": extend })).await;
        publish(&world).await;
        let found = template(&world);
        let member =
            found["members"].as_array().unwrap().iter().find(|one| one["asset"] == "ad_Words").unwrap().clone();
        assert_eq!((&member["width"], &member["height"]), (&member["layer"]["width"], &member["layer"]["height"]));
        assert!(member["layer"].get("cut").is_none() && member["layer"].get("name").is_none(), "{member}");
        let at = |key: &str| member["layer"][key].as_f64().unwrap();
        (["left", "top", "width", "height", "x", "y"].map(at), done)
    };
    assert_eq!(lies(false).await.0, [45.0, 34.0, 14.0, 4.0, 52.0, 36.0]);
    // Extended to the canvas it lies elsewhere than where the crop was set on it; a file without numbers may as well have another.
    let (place, done) = lies(true).await;
    assert_eq!(place, [0.0, 0.0, 64.0, 48.0, 32.0, 24.0], "{}", done.text());
    assert!(done.text().contains("Layer Words of ad.psd is drawn whole"), "{}", done.text());
    crop(&world, "ad_Words", json!({ "autoTransparentCropOptions": { "tolerance": 0.0 } })).await;
    assert_eq!(lies(true).await.0, [40.0, 30.0, 20.0, 10.0, 50.0, 35.0]);
}

/// One that comes between moves all that are above it, which are known by their names and where they lie where a file has no numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crop_of_a_layer_is_not_that_of_another_in_its_place() {
    for with_numbers in [false, true] {
        let world = World::new().await;
        let file = |names: &[&str]| {
            let layer = |name: &&str| {
                let (id, frame) = match *name {
                    "Back" => (1, (0, 0, 60, 40)),
                    "Photo" => (7, (5, 5, 30, 30)),
                    _ => (2, (10, 10, 20, 16)),
                };
                LayerOf { id: with_numbers.then_some(id), ..full(name, frame, [id as u8 * 30; 3]) }
            };
            Psd::rgb((60, 40), names.iter().map(layer).collect()).bytes()
        };
        world.put("in/ad.psd", &file(&["Back", "Seal"]));
        upload(&world, json!({})).await;
        crop(&world, "ad_Seal", json!({ "manualCropOptions": { "left": 5, "right": 0, "top": 4, "bottom": 0 } })).await;
        world.put("in/ad.psd", &file(&["Back", "Photo", "Seal"]));
        let done = upload(&world, json!({})).await;
        let mut sizes = Vec::new();
        for row in world.query("SELECT name FROM asset WHERE part LIKE 'layer:%' ORDER BY name").await {
            let name = row[0].as_str().unwrap();
            sizes.push((name.to_owned(), size(&pyramid(&world, name).await)));
        }
        let expected = [("ad_Back", (60, 40)), ("ad_Photo", (30, 30)), ("ad_Seal", (15, 12))];
        assert_eq!(sizes, expected.map(|(name, size)| (name.to_owned(), size)), "{}", done.text());
        assert!(!done.text().contains("is drawn whole"), "{}", done.text());
    }
}

/// Of those that are alike each stays the picture that it was, and what was set on one is not handed on to another in silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_is_moved_onto_another_takes_nothing_from_it() {
    let world = world().await;
    let (red, green) = ([200, 0, 0], [0, 200, 0]);
    let by_number = || json!({ "layerNaming": "AppendNumber" });
    let put = |left| {
        let layer = |left, color| full("b", (left, 0, 20, 20), color);
        world.put("in/ad.psd", &Psd::rgb((60, 20), vec![layer(left, red), layer(30, green)]).bytes());
    };
    let state =
        async || world.query("SELECT id, name, trash_state FROM asset WHERE part IS NOT NULL ORDER BY id").await;
    let sizes = async || (size(&pyramid(&world, "ad_1").await), size(&pyramid(&world, "ad_2").await));
    put(0);
    upload(&world, by_number()).await;
    let before = state().await;
    let edges = json!({ "manualCropOptions": { "left": 5, "right": 0, "top": 4, "bottom": 0 } });
    crop(&world, "ad_2", edges.clone()).await;
    put(30);
    let done = upload(&world, by_number()).await;
    assert_eq!(state().await, before, "{}", done.text());
    let [one, other] = [pixel(&world, "ad_1", 3, 3).await, pixel(&world, "ad_2", 3, 3).await];
    assert!(near(one, [200, 0, 0, 255]) && near(other, [0, 200, 0, 255]), "{one:?} {other:?}");
    // Now that it is like another it may be that one.
    assert_eq!(sizes().await, ((20, 20), (20, 20)));
    assert!(done.text().contains("Layer b of ad.psd is drawn whole"), "{}", done.text());
    // In the very file that it was set on it is known which it is.
    crop(&world, "ad_2", edges).await;
    let done = upload(&world, by_number()).await;
    assert_eq!((state().await, sizes().await), (before, ((20, 20), (15, 16))), "{}", done.text());
    assert!(!done.text().contains("is drawn whole"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crop_of_a_numbered_layer_is_not_that_of_its_namesake_in_a_file_without_numbers() {
    let world = world().await;
    let put = |frame, id| {
        world.put("in/ad.psd", &Psd::rgb((60, 40), vec![LayerOf { id, ..full("a", frame, [90; 3]) }]).bytes());
    };
    put((0, 0, 20, 20), Some(7));
    upload(&world, json!({})).await;
    crop(&world, "ad_a", json!({ "manualCropOptions": { "left": 5, "right": 1, "top": 4, "bottom": 2 } })).await;
    put((10, 0, 50, 40), None);
    let done = upload(&world, json!({})).await;
    assert_eq!(size(&pyramid(&world, "ad_a").await), (50, 40), "{}", done.text());
    assert!(done.text().contains("Layer a of ad.psd is drawn whole"), "{}", done.text());
}

/// However large they are drawn, layers without numbers are known by where their own pixels lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_that_are_drawn_larger_are_the_same() {
    let world = world().await;
    let layer = |left| full("Same", (left, 0, 9, 9), [left as u8; 3]);
    world.put("in/ad.psd", &Psd::rgb((60, 20), vec![layer(0), layer(40)]).bytes());
    let state =
        async || world.query("SELECT id, name, trash_state FROM asset WHERE part IS NOT NULL ORDER BY id").await;
    upload(&world, json!({})).await;
    let before = state().await;
    for extend in [true, false] {
        let done = upload(&world, json!({ "extendLayers": extend })).await;
        assert_eq!(state().await, before, "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_come_out_right_wherever_it_crashes() {
    let world = World::new().await;
    world.put("in/ad.psd", &poster().bytes());
    let order = order(json!({ "createTemplate": true, "extractText": true }));
    let done = world.run_with_crashes(UPLOAD, order).await.succeeded();
    assert!(done.attempts > 5, "{}", done.attempts);
    assert_eq!((done.counters.success, done.counters.error, done.counters.update), (4, 0, 0), "{}", done.text());
    assert_eq!(world.asset_names().await, ["ad", "ad-template", "ad_1", "ad_Seal", "ad_Words"]);
    assert_eq!(world.query("SELECT count(*) FROM set_member").await, [[json!(3)]]);
}

/// What the layers are known by does not depend on which of them were made before an attempt ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_known_again_as_if_nothing_had_crashed() {
    let red = |id| LayerOf { id: Some(id), ..full("a", (0, 0, 20, 20), [200, 0, 0]) };
    // It has another place than the one from before, and a number that is as new as that of another.
    let between =
        |at: u8| LayerOf { id: Some(100 + u32::from(at)), ..full(&format!("m{at}"), (0, 0, 600, 600), [at; 3]) };
    let before = Psd::rgb((600, 600), vec![red(7)]).bytes();
    let layers = [vec![red(8)], (0..20).map(between).collect(), vec![red(9)]].concat();
    let after = Psd::rgb((600, 600), layers).bytes();
    let order = || order(json!({}));
    let known = async |world: &World| {
        world.query("SELECT part, name, trash_state FROM asset WHERE part IS NOT NULL ORDER BY part").await
    };
    let first = async || {
        let world = world().await;
        world.put("in/ad.psd", &before);
        world.run(UPLOAD, order()).await.succeeded();
        world.put("in/ad.psd", &after);
        world
    };
    let world = first().await;
    world.run(UPLOAD, order()).await.succeeded();
    let expected = known(&world).await;
    assert!(expected.contains(&vec![json!("layer:7"), json!("ad_a"), json!("InTrash")]), "{expected:?}");
    let world = first().await;
    let sign = "SELECT 1 FROM asset WHERE part = 'layer:8'";
    let halfway =
        async || assert!(known(&world).await.len() < expected.len(), "all were made before it was broken off");
    world.run_in_two(UPLOAD, order(), Moment::Finds(sign), halfway).await.0.succeeded();
    assert_eq!(known(&world).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_items_before_they_are_made() {
    let world = world().await;
    let layers = ["One", "Two", "Three"].map(|name| full(name, (0, 0, 40, 30), [90, 20, 10]));
    world.put("in/ad.psd", &Psd::rgb((40, 30), layers.to_vec()).bytes());
    world
        .counts_its_items(UPLOAD, order(json!({ "createTemplate": true })), "SELECT 1 FROM item WHERE key LIKE '%keys'")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_layers_cost_their_own_lines() {
    let world = World::with(|settings| settings.media.max_pages = 50).await;
    let good = || vec![full("Good", (0, 0, 8, 8), [1; 3])];
    let put = |name: &str, psd: Psd| world.put(&format!("in/{name}"), &psd.bytes());
    let small = |layers| Psd::rgb((8, 8), layers);
    // Of a size that the file does not have pixels for, of one that nothing has, and with its sides turned round.
    let claims = |frame| LayerOf { frame, ..full("Claims", (0, 0, 8, 8), [1; 3]) };
    put("short.psd", small([good(), vec![claims((0, 0, 100, 100))]].concat()));
    put("huge.psd", small([good(), vec![claims((-1_000_000_000, 0, 2_000_000_000, 9))]].concat()));
    put("turned.psd", small([good(), vec![claims((5, 5, u32::MAX - 9, 8))]].concat()));
    put("many.psd", small((0..51).map(|_| full("x", (0, 0, 1, 1), [1; 3])).collect()));
    put("none.psd", small(Vec::new()));
    let unclosed = LayerOf { section: Some(1), ..LayerOf::bare("Opens nothing") };
    put(
        "groups.psd",
        small([vec![unclosed.clone(); 20], good(), vec![LayerOf { section: Some(3), ..unclosed }; 20]].concat()),
    );
    let mut lacks = full("Lacks", (0, 0, 8, 8), [1; 3]);
    lacks.channels.pop();
    put("lacks.psd", small([good(), vec![lacks]].concat()));
    let mut wrong = full("Wrong", (0, 0, 8, 8), [1; 3]);
    wrong.packing = Packing::PackBits;
    let mut bytes = small(vec![wrong]).bytes();
    let at = bytes.windows(2).rposition(|pair| pair == [0, 1]).unwrap();
    bytes[at + 1] = 9;
    world.put("in/wrong.psd", &bytes);
    let whole = poster().bytes();
    for seed in 0..40_usize {
        let mut bad = whole.clone();
        for step in 0..8 {
            let at = 34 + (seed * 7919 + step * 104_729) % 900;
            bad[at] = bad[at].wrapping_add((seed * 31 + step * 17 + 1) as u8);
        }
        world.put(&format!("in/bad{seed}.psd"), &bad);
    }
    let done = upload(&world, json!({ "createTemplate": true, "extractText": true, "extendLayers": true })).await;
    let log = done.text();
    for line in [
        "short.psd could not be made a picture: the file ends in the middle",
        "huge.psd could not be made a picture: 2000000000 × 9 pixels are more than",
        "many.psd: its layers could not be made pictures: it has 51 layers; files of at most 50",
        "none.psd has no layers.",
        "lacks.psd: 1 layer without pixels was left out.",
        "wrong.psd could not be made a picture: the Photoshop is damaged: a layer is compressed in a way (9)",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    let names = world.asset_names().await;
    for name in ["short", "short_Good", "huge_Good", "groups_Good", "lacks_Good"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
