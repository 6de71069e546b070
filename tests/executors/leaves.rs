//! The pages of TIFF files, written by tifffile and compared with how vips reads them.

use std::path::PathBuf;
use std::process::Command;

use prepress::config::TiffPages;
use prepress::model::kind::JobKind;
use serde_json::json;

use crate::likeness::{mean_delta_e, pyramid, text, tool};
use crate::world::{Done, World, directory};

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// A small version of the first page, which is none itself; a page in colours, one in gray, and, unless it is left out, one of 16 bits.
const WRITE: &str = "
import sys
import numpy
import tifffile

def slopes(height, width, turn):
    y, x = numpy.mgrid[0:height, 0:width]
    parts = [x * 255 // width, y * 255 // height, 255 - x * 255 // width]
    return numpy.stack(parts[turn:] + parts[:turn], axis=-1).astype(numpy.uint8)

with tifffile.TiffWriter(sys.argv[1]) as out:
    out.write(slopes(15, 20, 0), photometric='rgb', subfiletype=1, metadata=None)
    out.write(slopes(90, 120, 0), photometric='rgb', metadata=None)
    out.write(slopes(70, 64, 1)[..., 0], photometric='minisblack', compression='zlib', metadata=None)
    if sys.argv[2] == '3':
        deep = numpy.moveaxis(slopes(48, 100, 2).astype(numpy.uint16) * 257, -1, 0)
        out.write(deep, photometric='rgb', planarconfig='separate', metadata=None)
";

/// Puts a file with so many pages into the company's folder.
fn write(world: &World, name: &str, pages: u32) -> PathBuf {
    write_by(WRITE, world, name, pages)
}

fn write_by(program: &str, world: &World, name: &str, pages: u32) -> PathBuf {
    let file = world.ingest(&format!("in/{name}"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let python =
        std::env::var("PREPRESS_TEST_PYTHON").expect("tests/run.sh names a Python with tests/clients/requirements.txt");
    let output = Command::new(python).args(["-c", program, text(&file), &pages.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// Puts a file of small gray pages into the company's folder.
pub fn write_leaves(world: &World, name: &str, pages: u32) {
    const LEAVES: &str = "
import sys
import numpy
import tifffile

with tifffile.TiffWriter(sys.argv[1]) as out:
    for page in range(int(sys.argv[2])):
        out.write(numpy.full((40, 60), page * 9, numpy.uint8), photometric='minisblack', metadata=None)
";
    write_by(LEAVES, world, name, pages);
}

async fn upload(world: &World) -> Done {
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    world.run(UPLOAD, order).await.succeeded()
}

/// The assets that are not in the trash, and what each is of which.
async fn assets(world: &World) -> Vec<String> {
    let rows = world
        .query(
            "SELECT a.name || coalesce(' ' || a.part || ' of ' || p.name, '') FROM asset a LEFT JOIN asset p ON p.id = a.parent_id
             WHERE a.trash_state = 'NotInTrash' ORDER BY a.name",
        )
        .await;
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

/// Compares an asset with a page as vips reads it, the small version counted in.
async fn same(world: &World, asset: &str, file: &std::path::Path, directory: u32) {
    let theirs = world.folder.path().join("theirs.png");
    let page = format!("{}[page={directory}]", text(file));
    tool("vips", &["colourspace", &page, text(&theirs), "srgb"]);
    let difference = mean_delta_e(&pyramid(world, asset).await, &theirs);
    assert!(difference < 1.5, "{asset}: {difference}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_is_the_picture_and_the_others_are_told() {
    let world = World::new().await;
    let file = write(&world, "scan.tif", 3);
    let done = upload(&world).await;
    let told = "UploadWarning: scan.tif: only the first of its 3 pages was taken.";
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!(assets(&world).await, ["scan"]);
    same(&world, "scan", &file, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_become_assets() {
    let world = World::with(|settings| {
        settings.media.tiff_pages = TiffPages::All;
        settings.media.jpeg_quality = 95;
    })
    .await;
    let file = write(&world, "scan.tif", 3);
    let done = upload(&world).await;
    let log = done.text();
    assert_eq!((done.counters.success, done.counters.part, done.counters.error), (3, 2, 0), "{log}");
    assert!(!log.contains("only the first"), "{log}");
    assert!(log.contains("scan-3.tif was processed as page 3 of its document."), "{log}");
    assert!(log.contains("Page 3 of scan.tif: its samples of more than 8 bits were reduced to 8."), "{log}");
    assert_eq!(assets(&world).await, ["scan", "scan-2 page:2 of scan", "scan-3 page:3 of scan"]);
    for (asset, directory) in [("scan", 1), ("scan-2", 2), ("scan-3", 3)] {
        same(&world, asset, &file, directory).await;
    }
    // A page that is processed again, and one whose pyramid was made in another way, stay what they show.
    let page = world.store.asset_named(world.company, "scan-2").await.unwrap().unwrap();
    let again = json!({ "assetHandleArray": [format!("a|{}", page.id)], "createMask": false, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, again).await.succeeded();
    world.execute("UPDATE derived SET recipe = 'another'").await;
    let done = world.run(JobKind::OptimizeImages, json!({ "emailSetting": "None" })).await.succeeded();
    assert_eq!((done.counters.success, done.counters.warning), (3, 0), "{}", done.text());
    for (asset, directory) in [("scan", 1), ("scan-2", 2), ("scan-3", 3)] {
        same(&world, asset, &file, directory).await;
    }
    world.run(JobKind::ImageServingPublish, json!({ "publishType": "Full", "emailSetting": "None" })).await.succeeded();
    assert_eq!(world.published_names(), ["scan-2.tif", "scan-3.tif", "scan.tif"]);
    // A page that the file does not have any more goes.
    write(&world, "scan.tif", 2);
    let done = upload(&world).await;
    let told = "1 asset that was made of scan.tif before went to the trash";
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!(assets(&world).await, ["scan", "scan-2 page:2 of scan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_items_before_they_are_made() {
    let world = World::with(|settings| settings.media.tiff_pages = TiffPages::All).await;
    write(&world, "scan.tif", 3);
    world.counts_its_items(UPLOAD, directory("in"), "SELECT 1 FROM item WHERE key LIKE '%parts'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_pages_than_are_allowed_are_none() {
    let world = World::with(|settings| {
        settings.media.tiff_pages = TiffPages::All;
        settings.media.max_pages = 2;
    })
    .await;
    write(&world, "scan.tif", 3);
    let done = upload(&world).await;
    let told = "scan.tif: its pages could not be drawn: it has 3 pages";
    assert!(done.text().contains(told), "{}", done.text());
    assert_eq!((assets(&world).await, done.counters.error), (vec!["scan".to_owned()], 1));
}

/// Where the directories of a TIFF in little-endian order lie.
fn directories(file: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let next = |at: &usize| number(at + 2 + 12 * usize::from(u16::from_le_bytes([file[*at], file[at + 1]])));
    std::iter::successors(Some(number(4)), |at| Some(next(at)).filter(|next| *next > 0)).collect()
}

/// What lies behind damage is not gone from the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_behind_damage_stay() {
    let world = World::with(|settings| settings.media.tiff_pages = TiffPages::All).await;
    let file = write(&world, "fan.tif", 3);
    upload(&world).await;
    let all = assets(&world).await;
    assert_eq!(all.len(), 3, "{all:?}");
    let whole = std::fs::read(&file).unwrap();
    let [_, _, second, third] = directories(&whole)[..] else { panic!("a small version and three pages") };
    let pointer = second + 2 + 12 * usize::from(u16::from_le_bytes([whole[second], whole[second + 1]]));
    let mut looped = whole.clone();
    looped.copy_within(4..8, pointer);
    let zeros_from = |at: usize| [&whole[..at], &vec![0; whole.len() - at]].concat();
    let within_second = second + 2 + 12 * 5;
    for (what, bytes, pages, errors) in [
        ("a loop", looped, 2, 1),
        ("zeros", zeros_from(third), 2, 1),
        // The page itself cannot be drawn either.
        ("zeros within a directory", zeros_from(within_second), 2, 2),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let done = upload(&world).await;
        assert_eq!(assets(&world).await, all, "{what}: {}", done.text());
        let said = format!("fan.tif is damaged behind its {pages} pages that can be found, and may have more.");
        assert!(done.text().contains(&said) && done.counters.error == errors, "{what}: {}", done.text());
    }
}
