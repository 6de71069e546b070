//! Crops, knockout, masks and unsharp masks, beside what vips and ImageMagick make of the same pictures.

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::super::*;
use super::support::*;

fn with(edits: Edits) -> Options {
    Options { edits, quality: 100, chroma: Chroma::Full, ..Options::default() }
}

/// A disc of many colours on a background that is not quite even.
fn disc(shop: &Workshop, name: &str) -> PathBuf {
    let (width, height) = (300, 220);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let away = f64::from(x) - 170.0;
        let down = f64::from(y) - 95.0;
        let noise = (x * 7 + y * 13) % 9;
        match away.hypot(down) {
            // A hole of the background's colour, which nothing joins to it.
            r if r < 20.0 => Rgb([250 - noise as u8, 248, 246]),
            r if r < 70.0 => Rgb([(x % 120) as u8, (y % 140) as u8, 90]),
            _ => Rgb([250 - noise as u8, 248, 246]),
        }
    });
    let path = shop.file(name);
    picture.save(&path).unwrap();
    path
}

/// A picture whose alpha is an oval with a soft edge.
fn oval(shop: &Workshop, name: &str) -> PathBuf {
    let picture = RgbaImage::from_fn(260, 200, |x, y| {
        let away = ((f64::from(x) - 120.0) / 90.0).hypot((f64::from(y) - 110.0) / 60.0);
        Rgba([(x % 256) as u8, (y % 256) as u8, 128, ((1.15 - away) * 850.0).clamp(0.0, 255.0) as u8])
    });
    let path = shop.file(name);
    picture.save(&path).unwrap();
    path
}

fn convert(args: &[&str]) -> String {
    run("convert", args)
}

/// What ImageMagick would trim to: width, height, left, top.
fn trim(source: &Path, settings: &[&str]) -> String {
    convert(&[&[path(source)], settings, &["-format", "%@", "info:"]].concat())
}

fn alpha_of(pixels: &Pixels) -> Vec<u8> {
    pixels.bytes.chunks_exact(pixels.bands).map(|pixel| pixel[pixels.bands - 1]).collect()
}

/// The part of `source` that a pyramid shows, by its size and first pixels' place.
fn assert_shows(shop: &Workshop, source: &Path, options: &Options, geometry: &str) {
    let (made, optimized) = shop.optimize(source, options).unwrap();
    let (size, place) = geometry.split_once('+').unwrap();
    let (left, top) = place.split_once('+').unwrap();
    let (width, height) = size.split_once('x').unwrap();
    let expected = shop.vips("crop", source, "expected.png", &[left, top, width, height]);
    assert_eq!(format!("{}x{}", optimized.pyramid.levels[0].0, optimized.pyramid.levels[0].1), size);
    let (seen, expected) = (shop.pixels(&made.page(0)), shop.pixels(path(&expected)));
    let error = seen.visible().mean_error(&expected.visible());
    assert!(error < 0.8, "{geometry}: {error}");
    assert_eq!(optimized.notes, []);
}

#[test]
fn a_manual_crop_cuts_pixels_off_each_side() {
    let shop = Workshop::new();
    let source = oval(&shop, "oval.png");
    let crop = Some(Crop::Sides { left: 31, right: 40, top: 17, bottom: 8 });
    assert_shows(&shop, &source, &with(Edits { crop, ..Edits::default() }), "189x175+31+17");
}

#[test]
fn a_crop_that_leaves_nothing_is_not_made() {
    let shop = Workshop::new();
    let source = disc(&shop, "disc.png");
    let crops = [
        Crop::Sides { left: 300, right: 0, top: 0, bottom: 0 },
        Crop::Sides { left: u32::MAX, right: u32::MAX, top: 0, bottom: 0 },
        Crop::Color { corner: Corner::TopLeft, tolerance: 1.0 },
    ];
    for crop in crops {
        let edits = Edits { crop: Some(crop), ..Edits::default() };
        let (_, optimized) = shop.optimize(&source, &with(edits)).unwrap();
        assert_eq!(optimized.pyramid.levels[0], (300, 220), "{crop:?}");
        assert_eq!(optimized.notes, [Note::CropLeavesNothing], "{crop:?}");
    }
}

#[test]
fn a_colour_crop_takes_the_margins_that_imagemagick_trims() {
    let shop = Workshop::new();
    let source = disc(&shop, "disc.png");
    for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
        let crop = Some(Crop::Color { corner, tolerance: 0.1 });
        let expected = trim(&source, &["-fuzz", "10%"]);
        assert_eq!(expected, "139x139+101+26");
        assert_shows(&shop, &source, &with(Edits { crop, ..Edits::default() }), &expected);
    }
    // Without tolerance the uneven background is no margin.
    let crop = Some(Crop::Color { corner: Corner::TopLeft, tolerance: 0.0 });
    assert_shows(&shop, &source, &with(Edits { crop, ..Edits::default() }), "300x220+0+0");
}

#[test]
fn a_transparent_crop_goes_by_alpha() {
    let shop = Workshop::new();
    let source = oval(&shop, "oval.png");
    for (tolerance, threshold) in [(0.0, "0"), (0.5, "50.3%")] {
        let crop = Some(Crop::Transparent { tolerance });
        let expected =
            trim(&source, &["-alpha", "extract", "-threshold", threshold, "-bordercolor", "black", "-border", "1"]);
        let parts: Vec<i64> = expected.split(['x', '+']).map(|part| part.parse().unwrap()).collect();
        let expected = format!("{}x{}+{}+{}", parts[0], parts[1], parts[2] - 1, parts[3] - 1);
        assert_shows(&shop, &source, &with(Edits { crop, ..Edits::default() }), &expected);
    }
    // A picture without alpha has no such margin.
    let opaque = disc(&shop, "disc.png");
    let crop = Some(Crop::Transparent { tolerance: 0.0 });
    assert_shows(&shop, &opaque, &with(Edits { crop, ..Edits::default() }), "300x220+0+0");
}

#[test]
fn a_knockout_makes_transparent_what_imagemagick_does() {
    let shop = Workshop::new();
    let source = disc(&shop, "disc.png");
    let corner_color = "srgb(250,248,246)";
    let flood = shop.file("flood.png");
    let fill = ["-alpha", "set", "-channel", "RGBA", "-fuzz", "10%", "-fill", "none"];
    convert(&[&[path(&source)], &fill[..], &["-floodfill", "+0+0", corner_color, path(&flood)]].concat());
    let everywhere = shop.file("everywhere.png");
    convert(&[path(&source), "-fuzz", "10%", "-transparent", corner_color, path(&everywhere)]);
    for (joined, expected) in [(true, flood), (false, everywhere)] {
        let knockout = Some(Knockout { corner: Corner::TopLeft, tolerance: 0.1, joined });
        let (made, optimized) = shop.optimize(&source, &with(Edits { knockout, ..Edits::default() })).unwrap();
        assert!(optimized.pyramid.has_alpha);
        let seen = shop.pixels(&made.page(0));
        assert_eq!(alpha_of(&seen), alpha_of(&shop.pixels(path(&expected))), "joined: {joined}");
        assert_eq!(seen.bytes[(95 * 300 + 170) * 4 + 3], if joined { 255 } else { 0 }, "the hole");
    }
}

#[test]
fn a_knockout_starts_at_its_corner_and_goes_with_a_crop() {
    let shop = Workshop::new();
    let picture = RgbImage::from_fn(90, 60, |x, y| match (x, y) {
        (..30, _) => Rgb([255, 0, 0]),
        (30..60, 10..50) => Rgb([0, 255, 0]),
        (30..60, _) => Rgb([0, 0, 255]),
        _ => Rgb([0, 0, 255]),
    });
    let source = shop.file("bands.png");
    picture.save(&source).unwrap();
    let edits = |corner, crop| {
        with(Edits { knockout: Some(Knockout { corner, tolerance: 0.0, joined: true }), crop, ..Edits::default() })
    };
    let transparent = |options: &Options| {
        let (made, optimized) = shop.optimize(&source, options).unwrap();
        let alpha = alpha_of(&shop.pixels(&made.page(0)));
        (optimized.pyramid.levels[0], alpha.iter().filter(|alpha| **alpha == 0).count())
    };
    assert_eq!(transparent(&edits(Corner::TopLeft, None)), ((90, 60), 30 * 60));
    assert_eq!(transparent(&edits(Corner::BottomRight, None)), ((90, 60), 30 * 60 + 30 * 20));
    // A manual crop comes first, and its corner counts.
    let sides = Some(Crop::Sides { left: 30, right: 0, top: 10, bottom: 10 });
    assert_eq!(transparent(&edits(Corner::TopLeft, sides)), ((60, 40), 30 * 40));
    // An automatic one comes after the knockout.
    let clear = Some(Crop::Transparent { tolerance: 0.0 });
    assert_eq!(transparent(&edits(Corner::BottomRight, clear)), ((60, 60), 30 * 20));
}

#[test]
fn a_mask_is_the_alpha_as_a_pyramid_of_its_own() {
    let shop = Workshop::new();
    let source = oval(&shop, "oval.png");
    let options = Options { tile: 64, ..with(Edits { mask: true, ..Edits::default() }) };
    let (made, optimized) = shop.optimize(&source, &options).unwrap();
    let mask = optimized.mask.expect("there is alpha");
    assert_eq!(mask.levels, optimized.pyramid.levels);
    for page in 0..mask.levels.len() {
        let mask = shop.pixels(&format!("{}[page={page}]", path(&made.mask)));
        assert_eq!(mask.bands, 1);
        assert_eq!(mask.bytes, alpha_of(&shop.pixels(&made.page(page))), "level {page}");
    }
    let info = run("tiffinfo", &[path(&made.mask)]);
    assert!(info.contains("Photometric Interpretation: min-is-black"), "{info}");
    let opaque = disc(&shop, "disc.png");
    let (_, optimized) = shop.optimize(&opaque, &options).unwrap();
    assert_eq!((optimized.mask, optimized.notes), (None, vec![Note::NothingToMask]));
}

/// Where a curve comes from, the knot, and where it goes, as parts of the width and the height.
type Knot = ((f64, f64), (f64, f64), (f64, f64));

/// A triangle with a curved side.
const KNOTS: [Knot; 3] = [
    ((0.5, 0.1), (0.5, 0.1), (0.9, 0.15)),
    ((0.95, 0.7), (0.9, 0.8), (0.9, 0.8)),
    ((0.1, 0.9), (0.1, 0.9), (0.1, 0.9)),
];

/// `jpeg` with that as its clipping path, and how the picture was held.
fn with_clipping_path(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let fixed = |value: f64| ((value * f64::from(1 << 24)) as i32).to_be_bytes();
    let point = |(x, y): (f64, f64)| [fixed(y), fixed(x)].concat();
    let record = |kind: u16, rest: Vec<u8>| {
        let mut record = [kind.to_be_bytes().to_vec(), rest].concat();
        record.resize(26, 0);
        record
    };
    let mut records = vec![record(6, vec![]), record(8, vec![]), record(0, 3u16.to_be_bytes().to_vec())];
    records.extend(KNOTS.map(|(from, at, to)| record(1, [point(from), point(at), point(to)].concat())));
    let resource = |id: u16, name: &[u8], data: &[u8]| {
        let mut name = [&[name.len() as u8], name].concat();
        name.resize(name.len().next_multiple_of(2), 0);
        let mut data = [&(data.len() as u32).to_be_bytes(), data].concat();
        data.resize(data.len().next_multiple_of(2), 0);
        [b"8BIM".to_vec(), id.to_be_bytes().to_vec(), name, data].concat()
    };
    let resources = [resource(2000, b"Path 1", &records.concat()), resource(2999, b"", b"\x06Path 1\0\0\0\0")].concat();
    let segment =
        |code: u8, content: &[u8]| [&[0xff, code], &(content.len() as u16 + 2).to_be_bytes()[..], content].concat();
    let exif =
        [b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec(), vec![orientation, 0, 0, 0, 0, 0, 0]];
    let photoshop = [b"Photoshop 3.0\0".to_vec(), resources].concat();
    [&jpeg[..2], &segment(0xe1, &exif.concat()), &segment(0xed, &photoshop), &jpeg[2..]].concat()
}

#[test]
fn a_clipping_path_becomes_alpha_and_mask() {
    let shop = Workshop::new();
    let plain = fs::read(shop.sample("синяя.jpg", 400)).unwrap();
    for orientation in [1, 6] {
        let source = shop.file("clipped.jpg");
        fs::write(&source, with_clipping_path(&plain, orientation)).unwrap();
        let (_, untouched) = shop.optimize(&source, &with(Edits::default())).unwrap();
        assert!(!untouched.pyramid.has_alpha && untouched.mask.is_none());
        let (made, optimized) = shop.optimize(&source, &with(Edits { mask: true, ..Edits::default() })).unwrap();
        assert!(optimized.pyramid.has_alpha);
        let (width, height) = (untouched.picture.width, untouched.picture.height);
        let (width, height) = if orientation == 1 { (width, height) } else { (height, width) };
        // ImageMagick's pixels have their middles at whole numbers.
        let point =
            |(x, y): (f64, f64)| format!("{:.3},{:.3}", x * f64::from(width) - 0.5, y * f64::from(height) - 0.5);
        let [first, second, third] = KNOTS;
        let curve = |from: Knot, to: Knot| format!("C {} {} {}", point(from.2), point(to.0), point(to.1));
        let curves = [curve(first, second), curve(second, third), curve(third, first)].join(" ");
        let draw = format!("path 'M {} {curves} Z'", point(first.1));
        let expected = shop.file("clipped.png");
        let (size, turn) = (format!("{width}x{height}"), if orientation == 1 { "0" } else { "90" });
        let drawn = ["-size", &size, "xc:black", "-fill", "white", "-draw", &draw, "-rotate", turn, "-depth", "8"];
        convert(&[&drawn[..], &["-type", "grayscale", path(&expected)]].concat());
        let (seen, expected) = (shop.pixels(path(&made.mask)), shop.pixels(path(&expected)));
        let mean = seen.mean_error(&expected);
        // What it draws is a little fatter: by a quarter of a pixel all along the outline, measured against exact areas.
        assert!(mean < 0.8, "orientation {orientation}: mean distance {mean}");
        let expected = expected.bytes;
        let inside = expected.iter().filter(|alpha| **alpha == 255).count() as f64 / expected.len() as f64;
        assert!((0.3..0.6).contains(&inside), "{inside}");
    }
}

#[test]
fn an_unsharp_mask_is_that_of_imagemagick() {
    let shop = Workshop::new();
    // A pixel that is not quite opaque keeps the pyramid without loss.
    let picture = RgbaImage::from_fn(240, 180, |x, y| {
        let wave = (f64::from(x) / 7.0).sin() * (f64::from(y) / 11.0).cos() * 60.0;
        let grain = f64::from((x * x * 3 + y * y * 5 + x * y) % 37);
        let step = if x > 120 { 70.0 } else { 0.0 };
        let value = |shift: f64| (60.0 + shift + wave + grain + step).clamp(0.0, 255.0) as u8;
        Rgba([value(0.0), value(30.0), value(-20.0), if (x, y) == (0, 0) { 254 } else { 255 }])
    });
    let source = shop.file("grain.png");
    picture.save(&source).unwrap();
    let before = shop.pixels(path(&source));
    for (amount, radius, threshold) in [(1.5, 0.8, 0), (2.0, 2.0, 6), (0.8, 12.0, 3), (1.0, 60.0, 0)] {
        let expected = shop.file("unsharp.png");
        // Its threshold is held against twice the difference.
        let setting = format!("0x{radius}+{amount}+{}", f64::from(threshold) * 2.0 / 255.0);
        convert(&[path(&source), "-unsharp", &setting, path(&expected)]);
        let sharpen = Some(Sharpen { amount, radius, threshold, monochrome: false });
        let (made, _) = shop.optimize(&source, &with(Edits { sharpen, ..Edits::default() })).unwrap();
        let (seen, expected) = (shop.pixels(&made.page(0)), shop.pixels(path(&expected)));
        let (error, change) = (seen.mean_error(&expected), before.mean_error(&expected));
        assert!(error < 0.6 && error < change / 8.0, "{setting}: {error} of {change}");
    }
}

#[test]
fn a_monochrome_unsharp_mask_leaves_colour_alone() {
    let shop = Workshop::new();
    let source = shop.vips("copy", &shop.sample("Ångström.jpg", 300), "lamp.png", &[]);
    let sharpen = Sharpen { amount: 2.0, radius: 1.5, threshold: 0, monochrome: true };
    let pixels = |monochrome| {
        let sharpen = Some(Sharpen { monochrome, ..sharpen });
        let (made, _) = shop.optimize(&source, &with(Edits { sharpen, ..Edits::default() })).unwrap();
        shop.pixels(&made.page(0))
    };
    let expected = shop.file("luma.png");
    let luma = ["-colorspace", "YCbCr", "-channel", "R", "-unsharp", "0x1.5+2+0", "+channel", "-colorspace", "sRGB"];
    convert(&[&[path(&source)], &luma[..], &[path(&expected)]].concat());
    let (one, each, expected) = (pixels(true), pixels(false), shop.pixels(path(&expected)));
    let (error, other) = (one.mean_error(&expected), each.mean_error(&expected));
    assert!(error < 0.9 && error < other, "{error}, {other}");
}

#[test]
fn edits_are_the_same_every_time() {
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 500);
    let options = with(Edits {
        crop: Some(Crop::Color { corner: Corner::TopRight, tolerance: 0.05 }),
        mask: true,
        knockout: Some(Knockout { corner: Corner::TopLeft, tolerance: 0.1, joined: true }),
        sharpen: Some(Sharpen { amount: 1.75, radius: 5.5, threshold: 2, monochrome: false }),
    });
    let files = || {
        let (made, _) = shop.optimize(&source, &options).unwrap();
        [made.pyramid, made.thumbnail, made.mask].map(|file| fs::read(file).unwrap())
    };
    assert!(files() == files());
}

#[test]
fn colours_stay_or_come_to_a_profile_as_vips_brings_them() {
    const PROFILES: &str = "/usr/share/color/icc/ghostscript";
    let shop = Workshop::new();
    let read = |name: &str| -> std::sync::Arc<[u8]> {
        let file = format!("{PROFILES}/{name}.icc");
        fs::read(&file).unwrap_or_else(|e| panic!("{file}: {e}: install the Debian package libgs-common")).into()
    };
    let convert_to = |source: Option<&str>, output: Option<&str>| Options {
        colors: ColorManagement::Convert { source: source.map(read), output: output.map(read) },
        ..with(Edits::default())
    };
    // RGB with a profile of its own, to another one.
    let lamp = shop.sample("Ångström.jpg", 300);
    let file = |name: &str| format!("{PROFILES}/{name}.icc");
    let expected = shop.vips("icc_transform", &lamp, "a98.png", &[&file("a98"), "--intent", "relative"]);
    let (made, optimized) = shop.optimize(&lamp, &convert_to(None, Some("a98"))).unwrap();
    assert_eq!(optimized.notes, []);
    let error = shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(&expected)));
    assert!(error < 1.5, "{error}");
    let held = probe(&made.pyramid, &Limits::default()).unwrap().profile.unwrap();
    assert_eq!(&held.bytes[..], &read("a98")[..]);
    // A source profile overrides the one it has.
    let (a98, romm) = (file("a98"), file("rommrgb"));
    let args = [a98.as_str(), "--input-profile", &romm, "--intent", "relative"];
    let stripped = shop.vips("copy", &lamp, "stripped.png[strip]", &[]);
    let expected = shop.vips("icc_transform", &stripped, "from-romm.png", &args);
    let (made, _) = shop.optimize(&lamp, &convert_to(Some("rommrgb"), Some("a98"))).unwrap();
    let error = shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(&expected)));
    assert!(error < 2.0, "{error}");
    // To the inks of a press, and the thumbnail still is sRGB.
    let press = file("default_cmyk");
    let args = [press.as_str(), "--intent", "relative", "--black-point-compensation"];
    let expected = shop.vips("icc_transform", &lamp, "cmyk.tif", &args);
    let (made, optimized) = shop.optimize(&lamp, &convert_to(None, Some("default_cmyk"))).unwrap();
    let error = shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(&expected)));
    assert!(error < 2.0, "{error}");
    assert_eq!((optimized.pyramid.has_profile, shop.pixels(path(&made.thumbnail)).bands), (true, 3));
    // CMYK that is kept, numbers and all.
    let cover = shop.sample("Cover.tif", 300);
    let maintain = Options { colors: ColorManagement::Maintain, ..with(Edits::default()) };
    let (made, optimized) = shop.optimize(&cover, &maintain).unwrap();
    assert_eq!(optimized.notes, []);
    assert_eq!(shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(&cover))), 0.0);
    assert!(run("tiffinfo", &[path(&made.pyramid)]).contains("Photometric Interpretation: separated"));
    assert_eq!(shop.pixels(path(&made.thumbnail)).bands, 3);
    let asked = Options { edits: Edits { mask: true, ..Edits::default() }, ..maintain.clone() };
    let (_, optimized) = shop.optimize(&cover, &asked).unwrap();
    assert_eq!(optimized.notes, [Note::NothingToMask], "a mask of nothing is no reason to convert");
    // Transparency has no place beside inks.
    let knockout = Some(Knockout { corner: Corner::TopLeft, tolerance: 0.1, joined: true });
    let (_, optimized) =
        shop.optimize(&cover, &Options { edits: Edits { knockout, ..Edits::default() }, ..maintain }).unwrap();
    assert!(optimized.pyramid.has_alpha, "{:?}", optimized.notes);
    // A profile for other colours is said to be of no use.
    let (_, optimized) = shop.optimize(&lamp, &convert_to(Some("default_cmyk"), None)).unwrap();
    assert_eq!(optimized.notes, [Note::SourceProfileUnfit]);
}

#[test]
fn profiles_are_told_apart() {
    let of = |name: &str| IccSpace::of(&fs::read(format!("/usr/share/color/icc/ghostscript/{name}.icc")).unwrap());
    assert_eq!(of("srgb"), Some(IccSpace::Rgb));
    assert_eq!(of("default_cmyk"), Some(IccSpace::Cmyk));
    assert_eq!(of("sgray"), Some(IccSpace::Gray));
    assert_eq!(of("lab"), None);
    assert_eq!(IccSpace::of(b"no profile"), None);
}
