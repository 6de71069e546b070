//! JPEG of all makes: sampling by scans by restarts, written and read by the tools of libjpeg-turbo beside us.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::decode::{Pixels as Decoded, decode};
use super::super::*;
use super::support::*;

const WIDTH: usize = 93;
const HEIGHT: usize = 75;

/// Soft colours: programs differ in how they put those in between that are not stored.
fn drawn(shop: &Workshop) -> PathBuf {
    let target = shop.file("soft.ppm");
    let mut bytes = format!("P6\n{WIDTH} {HEIGHT}\n255\n").into_bytes();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let wave =
                |across: f64, down: f64| ((x as f64 / across).sin() * (y as f64 / down).cos() * 90.0 + 128.0) as u8;
            bytes.extend([wave(41.0, 53.0), wave(67.0, 37.0), wave(31.0, 71.0)]);
        }
    }
    fs::write(&target, bytes).unwrap();
    target
}

fn read(source: &Path) -> Result<Vec<u8>, MediaError> {
    let limits = Limits::default();
    let (decoded, _) = decode(&source.into(), &limits, &never)?;
    match decoded.pixels {
        Decoded::Whole(raster) => Ok(raster.pixels().to_vec()),
        Decoded::Flow(mut rows) => {
            let mut pixels = Vec::new();
            loop {
                let band = rows.read(16)?;
                if band.is_empty() {
                    return Ok(pixels);
                }
                pixels.extend_from_slice(&band);
            }
        }
    }
}

/// As libjpeg-turbo reads it.
fn expected(shop: &Workshop, source: &Path) -> Vec<u8> {
    let target = shop.file("expected.ppm");
    run("djpeg", &["-ppm", "-outfile", path(&target), path(source)]);
    let bytes = fs::read(target).unwrap();
    bytes[bytes.len() - WIDTH * HEIGHT * 3..].to_vec()
}

fn mean_error(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / one.len() as f64
}

fn compress(shop: &Workshop, source: &Path, options: &[&str], scans: Option<&str>) -> PathBuf {
    let (target, script) = (shop.file("made.jpg"), shop.file("scans"));
    let mut all = options.to_vec();
    if let Some(scans) = scans {
        fs::write(&script, scans).unwrap();
        all.extend(["-scans", path(&script)]);
    }
    run("cjpeg", &[&all[..], &["-quality", "92", "-outfile", path(&target), path(source)]].concat());
    target
}

#[test]
fn all_samplings_scans_and_restarts_are_read() {
    let shop = Workshop::new();
    let source = drawn(&shop);
    let samplings = [
        "1x1",
        "2x1",
        "1x2",
        "2x2",
        "4x1",
        "1x4",
        "3x1",
        "2x2,2x1,1x2",
        "2x2,2x2,1x1",
        "1x1,2x1,2x1",
        "1x1,2x2,2x2",
        "1x2,2x1,1x1",
        "2x2,2x2,2x2",
        "4x2,1x1,2x1",
    ];
    let ways: [(&str, &[&str], Option<&str>); 5] = [
        ("one scan", &[], None),
        ("a scan a colour", &[], Some("0;1;2;")),
        ("two scans", &[], Some("0 1;2;")),
        ("progressive", &["-progressive"], None),
        (
            "progressive, each colour by itself",
            &[],
            Some("0:0-0,0,1;1:0-0,0,1;2:0-0,0,1;0:1-63,0,2;1:1-63,0,0;2:1-63,0,0;0:1-63,2,1;0:1-63,1,0;0 1 2:0-0,1,0;"),
        ),
    ];
    for sampling in samplings {
        for (name, options, scans) in ways {
            // A unit has ten blocks at most: more do not go into one scan.
            let blocks: u32 = {
                let factors: Vec<(u32, u32)> = sampling
                    .split(',')
                    .map(|part| part.split_once('x').map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap())
                    .collect();
                (0..3).map(|at| factors.get(at).map_or(1, |(across, down)| across * down)).sum()
            };
            if blocks > 10 && name != "a scan a colour" {
                continue;
            }
            for restart in ["0", "1", "7B"] {
                let options = [options, &["-sample", sampling, "-restart", restart]].concat();
                let made = compress(&shop, &source, &options, scans);
                let told = format!("{sampling}, {name}, restart {restart}");
                let ours = read(&made).unwrap_or_else(|error| panic!("{told}: {error}"));
                let error = mean_error(&ours, &expected(&shop, &made));
                assert!(error < 1.0, "{told}: {error}");
            }
        }
    }
}

#[test]
fn a_missing_end_marker_is_no_damage() {
    let shop = Workshop::new();
    let source = drawn(&shop);
    let ways: [(&[&str], Option<&str>); 3] = [(&[], None), (&["-progressive"], None), (&[], Some("0;1;2;"))];
    for (options, scans) in ways {
        let made = compress(&shop, &source, options, scans);
        let whole = fs::read(&made).unwrap();
        let expected = read(&made).unwrap();
        let bare = &whole[..whole.len() - 2];
        for trailer in [&b""[..], b"SEFHe\0\0\0\x01\0SEFT", b"\xff\xff\0\xff\xe0\xff\xff"] {
            fs::write(&made, [bare, trailer].concat()).unwrap();
            let read = read(&made).unwrap_or_else(|error| panic!("{options:?} {scans:?} {trailer:?}: {error}"));
            // Two decoders round in other places.
            assert!(mean_error(&read, &expected) < 0.5, "{options:?} {scans:?} {trailer:?}");
        }
        // But what is missing is missed.
        for end in [bare.len() - 1, bare.len() - 40, bare.len() / 2] {
            fs::write(&made, &bare[..end]).unwrap();
            let error = read(&made).expect_err("a piece is missing");
            assert!(matches!(error, MediaError::Truncated { .. }), "{options:?} {scans:?} {end}: {error}");
        }
    }
}

/// As libjpeg has it: JFIF knows no red, green and blue, and Adobe's marker goes before names.
#[test]
fn markers_that_contradict_each_other_have_an_order() {
    const ADOBE: &[u8] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0";
    let shop = Workshop::new();
    let made = shop.file("plain.jpg");
    run("convert", &[path(&shop.sample("002.png", 64)), "-strip", "-quality", "95", path(&made)]);
    let plain = fs::read(&made).unwrap();
    let right = read(&made).unwrap();
    assert!(plain[2..].starts_with(b"\xff\xe0\0\x10JFIF\0"));
    let named = |mut bytes: Vec<u8>| {
        let frame = bytes.windows(4).position(|at| at == [0xff, 0xc0, 0, 17]).unwrap();
        let scan = bytes.windows(5).position(|at| at == [0xff, 0xda, 0, 12, 3]).unwrap();
        for (number, name) in b"RGB".iter().enumerate() {
            bytes[frame + 10 + 3 * number] = *name;
            bytes[scan + 5 + 2 * number] = *name;
        }
        bytes
    };
    let (jfif, rest) = plain[2..].split_at(18);
    let without = |adobe: &[u8]| [&plain[..2], adobe, rest].concat();
    let ycc: &[u8] = &[&ADOBE[..15], &[1]].concat();
    for (what, bytes, is_ycc) in [
        ("JFIF and Adobe's RGB", [&plain[..2], jfif, ADOBE, rest].concat(), true),
        ("JFIF and names", named(plain.clone()), true),
        ("Adobe's YCbCr and names", named(without(ycc)), true),
        ("Adobe's RGB", without(ADOBE), false),
        ("names", named(without(&[])), false),
        ("nothing", without(&[]), true),
    ] {
        let at = shop.file("odd.jpg");
        fs::write(&at, bytes).unwrap();
        let found = read(&at).unwrap();
        assert_eq!(found == right, is_ycc, "{what}");
        let theirs = shop.file("theirs.rgb");
        run("convert", &[path(&at), "-depth", "8", path(&theirs)]);
        assert!(mean_error(&found, &fs::read(theirs).unwrap()) < 1.0, "{what}");
    }
}

#[test]
fn inks_are_stored_inverted_whoever_wrote_them() {
    let shop = Workshop::new();
    let source = shop.file("inks.jpg");
    let inks: Vec<u8> = (0..64 * 48 * 4).map(|place| (place % 4 * 50 + place / 256 * 2) as u8).collect();
    let encoder = jpeg_encoder::Encoder::new_file(&source, 95).unwrap();
    encoder.encode(&inks, 64, 48, jpeg_encoder::ColorType::Cmyk).unwrap();
    let bytes = fs::read(&source).unwrap();
    let marker = bytes.windows(9).position(|window| window.starts_with(b"\xff\xee") && window.ends_with(b"Adobe"));
    let marker = marker.expect("Adobe's marker");
    let length = usize::from(u16::from_be_bytes([bytes[marker + 2], bytes[marker + 3]])) + 2;
    let bare = shop.file("bare.jpg");
    fs::write(&bare, [&bytes[..marker], &bytes[marker + length..]].concat()).unwrap();
    assert_eq!(read(&bare).unwrap(), read(&source).unwrap());
    // As another program has it.
    let theirs = shop.file("theirs.cmyk");
    run("convert", &[path(&bare), "-depth", "8", path(&theirs)]);
    assert!(mean_error(&read(&bare).unwrap(), &fs::read(theirs).unwrap()) < 1.0);
}

#[test]
fn changed_streams_of_odd_make_neither_hang_nor_pass_the_limits() {
    let shop = Workshop::new();
    let source = drawn(&shop);
    let limits = Limits { max_memory: 16 << 20, max_pixels: 1_000_000, ..Limits::default() };
    let mut state = 7_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for (sampling, scans) in [("3x1", None), ("2x2", Some("0;1;2;")), ("1x1,2x2,2x2", None)] {
        let whole = fs::read(compress(&shop, &source, &["-sample", sampling, "-restart", "7B"], scans)).unwrap();
        let changed = shop.file("changed.jpg");
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=below(4) {
                let within = if below(2) == 0 { bytes.len().min(700) } else { bytes.len() };
                let place = below(within);
                bytes[place] = [0, 0xff, 0x11, 0x44, below(256) as u8][below(5)];
            }
            fs::write(&changed, &bytes).unwrap();
            if let Err(error) = decode(&(&changed).into(), &limits, &never) {
                assert!(!error.to_string().contains("gave up"), "{sampling} {scans:?}: {error}");
            }
        }
    }
}
