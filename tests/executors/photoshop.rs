//! Photoshop files: the merged picture, compared with ImageMagick.

use std::path::Path;
use std::process::Command;

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::likeness::pyramid;
use crate::world::{World, directory, png};

fn convert(arguments: &[&str]) {
    let output = Command::new("convert").args(arguments).output().unwrap();
    assert!(output.status.success(), "convert {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Kinds of files, with the options of `convert` that make them.
const KINDS: [(&str, &[&str]); 6] = [
    ("rgb.psd", &["-alpha", "off", "-depth", "8"]),
    ("gray.psd", &["-alpha", "off", "-colorspace", "Gray", "-depth", "8"]),
    ("packed.psd", &["-alpha", "off", "-depth", "8", "-compress", "RLE"]),
    ("deep.psd", &["-alpha", "off", "-depth", "16"]),
    ("large.psb", &["-alpha", "off", "-depth", "8", "-compress", "RLE"]),
    ("plain.psd", &["-alpha", "off", "-depth", "8", "-compress", "None"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_merged_picture_is_the_one_that_imagemagick_reads() {
    let world = World::with(|settings| settings.media.jpeg_quality = 95).await;
    let source = world.folder.path().join("source.png");
    std::fs::write(&source, png(96, 0)).unwrap();
    std::fs::create_dir_all(world.ingest("in")).unwrap();
    for (name, options) in KINDS {
        let target = world.ingest(&format!("in/{name}"));
        convert(&[&[text(&source)], options, &[text(&target)]].concat());
    }
    let done = world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    assert_eq!(done.counters.success, KINDS.len() as i64, "{}", done.text());
    for (name, _) in KINDS {
        let (stem, _) = name.split_once('.').unwrap();
        let rows = world
            .query("SELECT a.name, d.blob FROM derived d JOIN asset a ON a.id = asset_id WHERE role = 'Pyramid'")
            .await;
        let row = rows.iter().find(|row| row[0] == stem).unwrap_or_else(|| panic!("{stem} has no pyramid"));
        let pyramid = world.blobs.path(row[1].as_str().unwrap()).unwrap();
        let (ours, theirs) = (world.folder.path().join("ours.png"), world.folder.path().join("theirs.png"));
        // Both on white, so that alpha counts.
        let as_srgb =
            ["-background", "white", "-alpha", "remove", "-alpha", "off", "-colorspace", "sRGB", "-depth", "8"];
        convert(&[&[&format!("{}[0]", text(&pyramid)) as &str], &as_srgb[..], &[text(&ours)]].concat());
        let merged = format!("{}[0]", text(&world.ingest(&format!("in/{name}"))));
        convert(&[&[&merged as &str], &as_srgb[..], &[text(&theirs)]].concat());
        let (ours, theirs) = (image::open(ours).unwrap().to_rgb8(), image::open(theirs).unwrap().to_rgb8());
        assert_eq!(ours.dimensions(), theirs.dimensions(), "{name}");
        let sum: u64 = ours.iter().zip(theirs.iter()).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
        let difference = sum as f64 / ours.len() as f64;
        assert!(difference < 2.5, "{name}: {difference}");
    }
    let facts = world
        .query("SELECT json_text(info, 'format'), json_int(info, 'bitsPerComponent') FROM asset WHERE name = 'deep'")
        .await;
    assert_eq!(facts, [[json!("Photoshop"), json!(16)]]);
}

/// A document of one pixel in 64 x 64, with its transparency as Photoshop keeps it: the merged picture lies on white. Its samples have
/// one byte or two.
fn transparent([red, green, blue, alpha]: [u8; 4], bytes: usize) -> Vec<u8> {
    const SIDE: usize = 64;
    let on_white = |colour: u8| (u32::from(colour) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255;
    let mut file = b"8BPS\0\x01\0\0\0\0\0\0\0\x04\0\0\0\x40\0\0\0\x40\0".to_vec();
    file.extend([8 * bytes as u8, 0, 3]);
    // No colour data; a resource that tells the version of Photoshop.
    file.extend([0, 0, 0, 0, 0, 0, 0, 14]);
    file.extend(b"8BIM\x04\x21\0\0\0\0\0\x02\0\x01");
    // One layer, whose number is negative because of the transparency; with two bytes it stands in a block of its own.
    match bytes {
        1 => file.extend(b"\0\0\0\x0a\0\0\0\x02\xff\xff\0\0\0\0"),
        _ => file.extend(b"\0\0\0\x24\0\0\0\0\0\0\0\08BIMMt16\0\0\0\08BIMLr16\0\0\0\x04\xff\xff\0\0"),
    }
    file.extend([0, 0]);
    for sample in [on_white(red), on_white(green), on_white(blue), alpha.into()] {
        file.extend(vec![sample as u8; SIDE * SIDE * bytes]);
    }
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_transparent_comes_off_the_white_that_photoshop_lays_it_on() {
    let world = World::new().await;
    for (name, bytes) in [("glass", 1), ("deep", 2)] {
        world.put(&format!("in/{name}.psd"), &transparent([200, 40, 90, 128], bytes));
    }
    world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    for name in ["glass", "deep"] {
        let (pyramid, out) = (pyramid(&world, name).await, world.folder.path().join("glass.png"));
        convert(&[&format!("{}[0]", text(&pyramid)), "-depth", "8", text(&out)]);
        let pixel = *image::open(out).unwrap().to_rgba8().get_pixel(20, 20);
        // What was rounded once is off by two at this alpha.
        let expected = [200_u8, 40, 90, 128];
        assert!(pixel.0.iter().zip(expected).all(|(one, other)| one.abs_diff(other) <= 2), "{name}: {pixel:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_photoshop_files_cost_their_own_lines() {
    let world = World::new().await;
    let (source, good) = (world.folder.path().join("source.png"), world.folder.path().join("good.psd"));
    std::fs::write(&source, png(64, 3)).unwrap();
    convert(&[text(&source), "-depth", "8", "-compress", "RLE", text(&good)]);
    let good = std::fs::read(good).unwrap();
    world.put("in/good.psd", &good);
    world.put("in/short.psd", &good[..good.len() / 2]);
    let mut bomb = good.clone();
    bomb[14..22].copy_from_slice(&[0x7f; 8]);
    world.put("in/bomb.psd", &bomb);
    // There is no such mode.
    let mut odd = good.clone();
    odd[24..26].copy_from_slice(&[0, 5]);
    world.put("in/odd.psd", &odd);
    for seed in 0..30_usize {
        let mut bad = good.clone();
        for step in 0..6 {
            let at = 26 + (seed * 7919 + step * 104_729) % (bad.len() - 26);
            bad[at] = bad[at].wrapping_add((seed * 31 + step * 17 + 1) as u8);
        }
        world.put(&format!("in/bad{seed}.psd"), &bad);
    }
    let done = world.run(JobKind::UploadDirectory, directory("in")).await.succeeded();
    let log = done.text();
    assert!(log.contains("good.psd was processed as Image"), "{log}");
    assert!(log.contains("short.psd could not be processed: the file ends in the middle"), "{log}");
    assert!(log.contains("bomb.psd could not be processed: 2"), "{log}");
    assert!(log.contains("a Photoshop file of colour mode 5 cannot be read as a picture"), "{log}");
    assert_eq!(done.counters.success + done.counters.error, 34, "{log}");
}
