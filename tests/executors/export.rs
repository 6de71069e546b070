//! Exports: what goes into the archive, under which names, looking how; limits; attempts that break off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::TimeDelta;
use prepress::clock::Clock;
use prepress::executors::Failure;
use prepress::model::id::InstanceId;
use prepress::model::kind::JobKind;
use prepress::store::exports::Export;
use serde_json::{Value, json};

use crate::pages::mosaic;
use crate::world::{Done, World, directory, jpeg, png, read, with};

/// A tool's words; it must succeed.
fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn uploaded() -> World {
    let world = World::new().await;
    fill(&world).await;
    world
}

async fn fill(world: &World) {
    world.put("in/a.jpg", &jpeg(300, 1));
    world.put("in/b.png", &png(200, 2));
    world.put("in/note.txt", b"some text, and some text, and some text");
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
}

async fn handles(world: &World) -> Vec<String> {
    let rows = world.query("SELECT id FROM asset ORDER BY name").await;
    rows.iter().map(|row| format!("a|{}", row[0])).collect()
}

/// The pyramid of a picture whose colour profile was replaced is another picture than the asset is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_would_be_made_otherwise_today_is_made_for_its_export() {
    let world = World::new().await;
    let profile = |name: &str| read(PathBuf::from(format!("/usr/share/color/icc/ghostscript/{name}.icc")));
    let upload = async |options: Value| {
        let order = with(with(directory("in"), json!({ "overwrite": true })), options);
        world.run(JobKind::UploadDirectory, order).await.succeeded();
    };
    world.put("in/prof.icc", &profile("srgb"));
    upload(json!({})).await;
    let prof = world.query("SELECT id FROM asset").await[0][0].as_i64().unwrap();
    world.put("in/shoe.png", &png(64, 3));
    upload(json!({ "colorManagementOptions": {
        "colorManagement": "Convert", "sourceProfileHandle": format!("a|{prof}") } }))
    .await;
    let shoe = world.query("SELECT id FROM asset WHERE name = 'shoe'").await[0][0].as_i64().unwrap();
    let exported = async || {
        let order = converted(&[format!("a|{shoe}")], "fmt=jpg&qlt=90");
        let done = world.run(JobKind::Export, order).await.succeeded();
        let file = unpacked(&world).await["shoe.jpg"].clone();
        let means = tool("convert", &[text(&file), "-format", "%[fx:mean.r] %[fx:mean.g] %[fx:mean.b]", "info:"]);
        let means: Vec<f64> = means.split(' ').map(|mean| mean.parse().unwrap()).collect();
        (means, done)
    };
    let differ =
        |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum::<f64>();
    let (before, _) = exported().await;
    std::fs::remove_file(world.ingest("in/shoe.png")).unwrap();
    world.put("in/prof.icc", &profile("rommrgb"));
    upload(json!({})).await;
    let (stale, done) = exported().await;
    assert_eq!(done.counters.warning, 0, "{}", done.text());
    world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    let (fresh, _) = exported().await;
    assert!(differ(&stale, &fresh) < 0.003 && differ(&before, &fresh) > 0.01, "{before:?} {stale:?} {fresh:?}");
    // Without the profile it cannot be made, and is as it was, with a line.
    world.execute(&format!("UPDATE asset SET trash_state = 'InTrash' WHERE id = {prof}")).await;
    let (without, done) = exported().await;
    assert!(
        done.text().contains("ExportJobWarning: shoe.jpg shows the picture as it was made earlier"),
        "{}",
        done.text()
    );
    assert!(differ(&without, &fresh) < 0.003 && done.counters.warning == 1, "{without:?}: {}", done.text());
}

fn originals(assets: &[String]) -> Value {
    json!({ "assetHandleArray": assets, "fmt": "orig", "emailSetting": "None" })
}

fn converted(assets: &[String], modifier: &str) -> Value {
    json!({ "assetHandleArray": assets, "fmt": "convert", "is_modifier": modifier, "emailSetting": "None" })
}

async fn last_export(world: &World) -> Export {
    let rows = world.query("SELECT max(instance_id) FROM export").await;
    world.store.export(InstanceId(rows[0][0].as_i64().unwrap())).await.unwrap().unwrap()
}

/// The archive of the last export, unpacked by an independent tool.
async fn unpacked(world: &World) -> BTreeMap<String, PathBuf> {
    let export = last_export(world).await;
    let archive = world.settings.export_root.join(export.run.to_string()).join(format!("{}.zip", export.token));
    assert_eq!(std::fs::metadata(&archive).unwrap().len(), export.bytes);
    assert!(tool("unzip", &["-t", text(&archive)]).contains("No errors detected"));
    let folder = world.folder.path().join(format!("unpacked-{}", export.run));
    tool("unzip", &["-q", text(&archive), "-d", text(&folder)]);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

async fn names(world: &World) -> Vec<String> {
    unpacked(world).await.into_keys().collect()
}

fn success_lines(done: &Done) -> Vec<Option<&str>> {
    done.of_type("ExportJobRenderFileSuccess").iter().map(|line| line.asset.as_deref()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn originals_go_out_as_they_came_in() {
    let world = uploaded().await;
    let done = world.run(JobKind::Export, originals(&handles(&world).await)).await.succeeded();
    let files = unpacked(&world).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a.jpg", "b.png", "note.txt"]);
    for (name, path) in &files {
        assert_eq!(read(path), read(world.ingest(&format!("in/{name}"))), "{name}");
    }
    let mut lines = success_lines(&done);
    lines.sort_unstable();
    assert_eq!(lines, [Some("a"), Some("b"), Some("note")], "names without endings");
    assert!(done.text().contains("Acme/a.jpg is exported to a.jpg"), "{}", done.text());
    let export = last_export(&world).await;
    let zip = done.of_type("ZipFileExportJobSuccess");
    assert_eq!(zip[0].asset.as_deref(), Some(export.address.as_str()));
    assert_eq!(done.counters.success, 4, "the archive counts");
    let expected = format!("{}/Exports/Acme/{}/{}.zip", world.settings.own_url, export.run, export.token);
    assert_eq!(export.address, expected);
    assert!(export.token.len() == 36 && export.expires_at - export.created_at == TimeDelta::days(1));
    assert!(!world.settings.export_root.join(export.run.to_string()).join("parts").exists(), "nothing else stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversions_look_as_ordered_and_the_rest_goes_out_as_it_is() {
    let world = uploaded().await;
    let order = converted(&handles(&world).await, "wid=60&fmt=png&layer=1");
    let done = world.run(JobKind::Export, order).await.succeeded();
    let files = unpacked(&world).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a.png", "b.png", "note.txt"]);
    for name in ["a.png", "b.png"] {
        let header = tool("vipsheader", &[text(&files[name])]);
        assert!(header.contains("60x60 uchar, 3 bands"), "{header}");
    }
    assert!(done.text().contains("The command layer had no effect"), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.warning, done.counters.error), (4, 1, 0));
    assert_eq!(read(&files["note.txt"]), b"some text, and some text, and some text");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_format_and_a_profile_of_the_company_are_used() {
    let world = uploaded().await;
    let company = world.company;
    let save = async |name: &str, modifier: &str| {
        world.store.save_image_format(company, None, name.into(), modifier.into()).await.unwrap()
    };
    save("Test", "fmt=tif,,lzw&wid=40&icc=Adobe%20RGB%20(1998)&iccEmbed=1").await;
    let mut order = converted(&handles(&world).await[..1], "&fmt=png&wid=50");
    order["macro"] = json!("$test$");
    world.run(JobKind::Export, order.clone()).await.succeeded();
    let files = unpacked(&world).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a.tif"], "the format of the macro");
    assert_eq!(tool("vipsheader", &["-f", "width", text(&files["a.tif"])]), "50", "the size of the modifier");
    let profile = tool("exiftool", &["-s3", "-ICC_Profile:ProfileDescription", text(&files["a.tif"])]);
    assert!(profile.contains("Adobe RGB"), "{profile}");
    // A profile that is an asset, and then is not there any more.
    let icc = Command::new("exiftool").args(["-b", "-ICC_Profile", text(&files["a.tif"])]).output().unwrap().stdout;
    world.put("profiles/Ours.icc", &icc);
    world.run(JobKind::UploadDirectory, directory("profiles")).await.succeeded();
    let order = converted(&handles(&world).await[1..2], "icc=Ours.icc&iccEmbed=1");
    world.run(JobKind::Export, order.clone()).await.succeeded();
    let files = unpacked(&world).await;
    let profile = tool("exiftool", &["-s3", "-ICC_Profile:ProfileDescription", text(files.values().next().unwrap())]);
    assert!(profile.contains("Adobe RGB"), "{profile}");
    world.execute("UPDATE asset SET trash_state = 'InTrash' WHERE name = 'Ours'").await;
    let done = world.run(JobKind::Export, order).await;
    let Err(Failure::Fatal(why)) = done.result else { panic!("{:?}", done.result) };
    assert!(crate::world::words(&why).contains("Ours.icc"), "{}", crate::world::words(&why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inks_that_were_kept_are_exported_as_colours() {
    let world = World::new().await;
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    std::fs::write(world.folder.path().join("inks.raw"), [255, 0, 0, 0].repeat(64 * 64)).unwrap();
    let (raw, solid) = (world.folder.path().join("inks.raw"), world.ingest("in/cyan.tif"));
    tool("vips", &["rawload", text(&raw), text(&solid), "64", "64", "4", "--interpretation", "cmyk"]);
    let mut order = directory("in");
    order["colorManagementOptions"] = json!({ "colorManagement": "MaintainOriginal" });
    world.run(JobKind::UploadDirectory, order).await.succeeded();
    let done = world.run(JobKind::Export, converted(&handles(&world).await, "wid=20&fmt=png")).await.succeeded();
    let files = unpacked(&world).await;
    assert_eq!(tool("vips", &["getpoint", text(&files["cyan.png"]), "10", "10"]), "0 160 228", "{}", done.text());
    let line = "ExportJobWarning: cyan.png: CMYK without a colour profile was turned into sRGB as on coated paper";
    assert!(done.text().contains(line), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.warning), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_exported_has_its_own_line() {
    let world = uploaded().await;
    let mut assets = handles(&world).await;
    assets.push("a|999".to_owned());
    assets.push(assets[0].clone());
    world.execute("UPDATE asset SET asset_type = 'ImageSet' WHERE name = 'note'").await;
    let mut order = originals(&assets);
    order["is_modifier"] = json!("wid=5");
    let done = world.run(JobKind::Export, order).await.succeeded();
    assert_eq!(names(&world).await, ["a.jpg", "b.png"], "each once");
    let said = done.text();
    assert!(said.contains("note is left out: assets of the type ImageSet"), "{said}");
    assert!(said.contains("a|999 could not be exported: there is no such asset"), "{said}");
    assert!(said.contains("is_modifier had no effect, because originals were asked for"), "{said}");
    assert_eq!((done.counters.success, done.counters.warning, done.counters.error), (3, 2, 1));
    // Templates go out as conversions only; without a pyramid there is nothing to convert.
    world.execute("UPDATE asset SET asset_type = 'PsdTemplate' WHERE name = 'a'").await;
    world.execute("UPDATE asset SET trash_state = 'InTrash' WHERE name = 'b'").await;
    let done = world.run(JobKind::Export, originals(&assets[..2])).await;
    assert!(matches!(&done.result, Err(Failure::Fatal(why)) if why.code == "export-nothing"), "{:?}", done.result);
    assert!(done.text().contains("templates cannot be exported as originals"), "{}", done.text());
    assert!(done.text().contains("it is in the trash"), "{}", done.text());
    world.run(JobKind::Export, converted(&assets[..1], "")).await.succeeded();
    assert_eq!(names(&world).await, ["a.jpg"]);
    world.execute("DELETE FROM derived").await;
    let done = world.run(JobKind::Export, converted(&assets[..1], "")).await;
    assert!(done.text().contains("there is no pyramid to convert it from"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_windows_cannot_unpack_are_changed_and_told() {
    let world = World::new().await;
    for (seed, name) in ["CON.jpg", "_con.jpg", "Con cave.jpg"].into_iter().enumerate() {
        world.put(&format!("in/{name}"), &jpeg(24, seed as u8));
    }
    world.put("in/nul.txt", b"text");
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let done = world.run(JobKind::Export, originals(&handles(&world).await)).await.succeeded();
    let files = unpacked(&world).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["Con cave.jpg", "_CON.jpg", "_con-1.jpg", "_nul.txt"]);
    for (name, original) in [("_CON.jpg", "CON.jpg"), ("_con-1.jpg", "_con.jpg"), ("_nul.txt", "nul.txt")] {
        assert_eq!(read(&files[name]), read(world.ingest(&format!("in/{original}"))), "{name}");
    }
    let warnings = done.of_type("ExportJobWarning").len();
    assert_eq!((warnings, done.counters.warning, done.counters.success), (3, 3, 5), "{}", done.text());
    for line in [
        "ExportJobWarning: Acme/CON.jpg is called _CON.jpg in the archive, because Windows cannot unpack a file called CON.jpg.",
        "ExportJobWarning: Acme/nul.txt is called _nul.txt in the archive",
        "ExportJobWarning: Acme/_con.jpg is called _con-1.jpg in the archive, because another file there is called _con.jpg",
    ] {
        assert!(done.text().contains(line), "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_after_the_first_goes_on_and_makes_the_same_archive() {
    let world = uploaded().await;
    let assets = handles(&world).await;
    let done = world.run_with_crashes(JobKind::Export, converted(&assets, "wid=50&fmt=tif&layer=0")).await.succeeded();
    assert!(done.attempts > 3, "{}", done.attempts);
    assert_eq!(success_lines(&done).len(), 3, "each once: {}", done.text());
    assert_eq!(done.of_type("ZipFileExportJobSuccess").len(), 1);
    assert_eq!((done.counters.success, done.counters.warning), (4, 1));
    assert_eq!(names(&world).await, ["a.tif", "b.tif", "note.txt"]);
    let broken = last_export(&world).await;
    world.run(JobKind::Export, converted(&assets, "wid=50&fmt=tif")).await.succeeded();
    let smooth = last_export(&world).await;
    let bytes = |export: &Export| {
        read(world.settings.export_root.join(export.run.to_string()).join(format!("{}.zip", export.token)))
    };
    assert!(bytes(&broken) == bytes(&smooth), "byte for byte");
    assert_ne!(broken.token, smooth.token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_has_a_largest_size() {
    let world = World::with(|settings| settings.export.max_bytes = "1 kB".parse().unwrap()).await;
    fill(&world).await;
    let assets = handles(&world).await;
    for order in [originals(&assets), converted(&assets, "fmt=tif")] {
        let done = world.run(JobKind::Export, order).await;
        assert!(
            matches!(&done.result, Err(Failure::Fatal(why)) if why.code == "export-too-large"),
            "{:?}",
            done.result
        );
    }
    world.run(JobKind::Export, originals(&assets[2..])).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_is_removed() {
    let world = World::with(|settings| settings.export.keep = "1h".parse().unwrap()).await;
    fill(&world).await;
    let assets = handles(&world).await;
    let folders = || {
        let mut names: Vec<i64> = std::fs::read_dir(&world.settings.export_root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    let first = last_export(&world).await;
    world.clock.advance(TimeDelta::minutes(59));
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    let second = last_export(&world).await;
    assert_eq!(folders(), [first.run.0, second.run.0]);
    world.clock.advance(TimeDelta::minutes(2));
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    let third = last_export(&world).await;
    assert_eq!(folders(), [second.run.0, third.run.0]);
    assert_eq!(world.store.export(first.run).await.unwrap(), None);
    // What a run that failed left behind goes too.
    world.run(JobKind::Export, originals(&["a|999".to_owned()])).await;
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    assert_eq!(folders(), [second.run.0, third.run.0, last_export(&world).await.run.0]);
}

/// By a clock that has just jumped nothing is too old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_by_a_clock_that_is_doubted_stays() {
    let world = World::with(|settings| settings.export.keep = "1h".parse().unwrap()).await;
    fill(&world).await;
    let assets = handles(&world).await;
    world.store.see_clock(world.clock.now(), None).await.unwrap();
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    let first = last_export(&world).await;
    world.clock.advance(TimeDelta::days(100));
    world.store.see_clock(world.clock.now(), None).await.unwrap();
    world.run(JobKind::Export, originals(&assets)).await.succeeded();
    assert!(world.store.export(first.run).await.unwrap().is_some());
    assert!(world.settings.export_root.join(first.run.to_string()).exists());
}

/// A picture that JPEG blurs: a checkerboard of colours, a pixel each.
fn sharp(side: u32) -> image::RgbImage {
    image::RgbImage::from_fn(side, side, |x, y| match (x + y) % 3 {
        0 => image::Rgb([255, 0, x as u8]),
        1 => image::Rgb([0, 255, y as u8]),
        _ => image::Rgb([(x * y) as u8, 0, 255]),
    })
}

fn as_png(picture: &image::RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The samples of a picture, read by an independent tool.
fn samples(world: &World, file: &Path) -> Vec<u8> {
    let raw = world.folder.path().join("samples.raw");
    tool("vips", &["rawsave", text(file), text(&raw)]);
    read(&raw)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_loss_of_its_own_is_made_of_the_original() {
    let world = World::new().await;
    let picture = sharp(300);
    world.put("in/sharp.png", &as_png(&picture));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let assets = handles(&world).await;
    for fmt in ["png", "png-alpha", "tif", "tif,,lzw", "webp,,lossless"] {
        let done = world.run(JobKind::Export, converted(&assets, &format!("fmt={fmt}"))).await.succeeded();
        let files = unpacked(&world).await;
        assert!(samples(&world, files.values().next().unwrap()) == *picture.as_raw(), "{fmt}: {}", done.text());
        assert_eq!((done.counters.success, done.counters.warning), (2, 0), "{}", done.text());
    }
    let part = tool("vips", &["getpoint", text(&crop_of(&world, &assets, "crop=7,9,50,40&fmt=png").await), "3", "4"]);
    let [red, green, blue] = picture.get_pixel(10, 13).0;
    assert_eq!(part, format!("{red} {green} {blue}"));
    // What has more loss than the pyramid is made of the pyramid.
    let far = |quality: u8| {
        let (world, assets, picture) = (&world, &assets, &picture);
        async move {
            let file = crop_of(world, assets, &format!("fmt=jpeg&qlt={quality},1")).await;
            let seen = samples(world, &file);
            let sum: u64 = seen.iter().zip(picture.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            sum as f64 / seen.len() as f64
        }
    };
    let (little, much) = (far(95).await, far(94).await);
    assert!(little < 6.0 && much > 20.0, "{little} {much}");
}

/// The one file of an export.
async fn crop_of(world: &World, assets: &[String], modifier: &str) -> PathBuf {
    world.run(JobKind::Export, converted(assets, modifier)).await.succeeded();
    unpacked(world).await.into_values().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_the_original_is_edited_as_the_asset_was() {
    let world = World::new().await;
    let picture = sharp(120);
    world.put("in/cut.png", &as_png(&picture));
    let mut order = directory("in");
    order["manualCropOptions"] = json!({ "left": 11, "right": 9, "top": 5, "bottom": 15 });
    world.run(JobKind::UploadDirectory, order).await.succeeded();
    let file = crop_of(&world, &handles(&world).await, "fmt=png").await;
    let part = image::imageops::crop_imm(&picture, 11, 5, 100, 100).to_image();
    assert!(samples(&world, &file) == *part.as_raw());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_drawn_anew_from_its_document() {
    let world = World::new().await;
    let picture = sharp(60);
    // At 72 dpi a page has a pixel for each point.
    world.put("in/page.pdf", &mosaic(&picture));
    let mut order = directory("in");
    order["pdfOptions"] =
        json!({ "process": "Rasterize", "resolution": 72.0, "colorspace": "Rgb", "pdfCatalog": false });
    let done = world.run(JobKind::UploadDirectory, order).await.succeeded();
    let rows = world.query("SELECT id FROM asset WHERE asset_type = 'Image'").await;
    assert_eq!(rows.len(), 1, "{}", done.text());
    let page = [format!("a|{}", rows[0][0])];
    let seen = samples(&world, &crop_of(&world, &page, "fmt=png").await);
    let wrong = seen.iter().zip(picture.as_raw()).filter(|(a, b)| a.abs_diff(**b) > 1).count();
    assert_eq!((seen.len(), wrong), (picture.as_raw().len(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_original_that_cannot_be_read_leaves_the_pyramid_with_a_warning() {
    let world = World::new().await;
    world.put("in/sharp.png", &as_png(&sharp(100)));
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let assets = handles(&world).await;
    let blob = world.query("SELECT blob FROM asset").await[0][0].as_str().unwrap().to_owned();
    std::fs::remove_file(world.blobs.path(&blob).unwrap()).unwrap();
    let done = world.run(JobKind::Export, converted(&assets, "fmt=png")).await.succeeded();
    let line = "sharp.png has the loss of JPEG that its pyramid has, because it could not be made of the original:";
    assert!(done.text().contains(line), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.warning, done.counters.error), (2, 1, 0));
    assert_eq!(names(&world).await, ["sharp.png"]);
    // Nobody needs it for what is made of the pyramid anyway.
    let done = world.run(JobKind::Export, converted(&assets, "qlt=80")).await.succeeded();
    assert_eq!(done.counters.warning, 0, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_the_original_goes_along_where_it_is_asked_for() {
    let world = World::new().await;
    world.put("in/shoe.jpg", &jpeg(80, 1));
    let original = world.ingest("in/shoe.jpg");
    tool("exiftool", &["-q", "-overwrite_original", "-XMP-dc:Title=Red shoe", text(&original)]);
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let assets = handles(&world).await;
    let title = |file: &Path| tool("exiftool", &["-s3", "-XMP-dc:Title", text(file)]);
    for fmt in ["jpeg", "tif", "pjpeg&qlt=95"] {
        let file = crop_of(&world, &assets, &format!("wid=20&xmpEmbed=1&fmt={fmt}")).await;
        assert_eq!(title(&file), "Red shoe", "{fmt}");
        assert_eq!(title(&crop_of(&world, &assets, &format!("wid=20&fmt={fmt}")).await), "", "{fmt}");
    }
    let done = world.run(JobKind::Export, converted(&assets, "fmt=png&xmpEmbed=1")).await.succeeded();
    let line = "The command xmpembed had no effect: the files that are made have no place for it.";
    assert!(done.text().contains(line), "{}", done.text());
    let blob = world.query("SELECT blob FROM asset").await[0][0].as_str().unwrap().to_owned();
    std::fs::remove_file(world.blobs.path(&blob).unwrap()).unwrap();
    let done = world.run(JobKind::Export, converted(&assets, "xmpEmbed=1")).await.succeeded();
    let line = "shoe.jpg has no XMP metadata, because that of the original could not be read:";
    assert!(done.text().contains(line), "{}", done.text());
    assert_eq!((done.counters.success, done.counters.warning), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_carried_out_is_told_with_its_reason() {
    let world = uploaded().await;
    let modifier = "wid=20&text=a&widht=3&hei%3D200&jpegSize=5&fmt=png";
    let done = world.run(JobKind::Export, converted(&handles(&world).await[..1], modifier)).await.succeeded();
    for line in [
        "The command text had no effect: it is not supported.",
        "The command widht had no effect: there is no such image-serving command.",
        "hei%3d200 had no effect: its = or & is percent-encoded",
        "The command jpegsize had no effect: the files that are made have no place for it.",
    ] {
        assert!(done.text().contains(line), "{line}\n{}", done.text());
    }
    assert_eq!(done.counters.warning, 4);
    // A file that becomes too large is an error of its own.
    let done = world.run(JobKind::Export, converted(&handles(&world).await[..2], "qlt=100&jpegSize=1&wid=2000")).await;
    assert!(done.text().contains("a.jpg could not be exported: jpegSize: it has"), "{}", done.text());
}

/// Its encoder does its work where all others do.
#[cfg(feature = "avif")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn avif_is_made_by_workers() {
    let world = uploaded().await;
    let assets = handles(&world).await;
    let made = crop_of(&world, &assets[..1], "wid=64&fmt=avif").await;
    let decoded = made.with_extension("png");
    tool("heif-convert", &["--quiet", text(&made), text(&decoded)]);
    let plain = crop_of(&world, &assets[..1], "wid=64&fmt=png").await;
    let [one, other] = [&decoded, &plain].map(|file| image::open(file).unwrap().into_rgb8());
    assert_eq!(one.dimensions(), other.dimensions());
    let far: u64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!((far as f64) < 4.0 * one.as_raw().len() as f64, "{far} of {}", one.as_raw().len());
}
