//! What other programs see in the pyramids.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::render::Rendering;
use super::super::*;
use super::support::*;

/// JPEG at quality 85 with halved chroma moves a sample of these pictures by less than this in the mean.
const JPEG_TOLERANCE: f64 = 2.5;

fn checked(shop: &Workshop, source: &std::path::Path, reference: &str, tolerance: f64) -> Optimized {
    let (made, optimized) = shop.optimize(source, &Options::default()).unwrap();
    let (seen, expected) = (shop.pixels(&made.page(0)), shop.pixels(reference));
    let error = seen.visible().mean_error(&expected.visible());
    assert!(error < tolerance, "{source:?}: mean error {error}");
    optimized
}

#[test]
fn a_pyramid_has_all_levels_tiles_profile_and_resolution() {
    let shop = Workshop::new();
    let source = shop.sample("Ångström.jpg", 1200);
    let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    assert_eq!(optimized.pyramid.levels, [(900, 1200), (450, 600), (225, 300), (112, 150)]);
    let profile = optimized.picture.profile.expect("the sample has a profile");
    assert_eq!(profile.description, "Display P3");
    let info = run("tiffinfo", &[path(&made.pyramid)]);
    let count = |text: &str| info.matches(text).count();
    assert_eq!(count("TIFF Directory"), 4, "{info}");
    assert_eq!(count("Tile Width: 256 Tile Length: 256"), 4, "{info}");
    assert_eq!(count("Compression Scheme: JPEG"), 4, "{info}");
    assert_eq!(count("Photometric Interpretation: YCbCr"), 4, "{info}");
    assert_eq!(count("Subfile Type: reduced-resolution image"), 3, "{info}");
    assert_eq!(count("Resolution: 300, 300 pixels/inch"), 4, "{info}");
    assert_eq!(count(&format!("ICC Profile: <present>, {} bytes", profile.bytes.len())), 4, "{info}");
    let last = shop.pixels(&made.page(3));
    assert_eq!(last.size(), (112, 150, 3));
}

#[test]
fn every_kind_of_picture_looks_as_vips_sees_it() {
    let shop = Workshop::new();
    for name in ["синяя.jpg", "Ελληνικά.jpg", "μικρό.gif", "قميص.tif", "صغير.bmp"] {
        let source = shop.sample(name, 400);
        let reference = path(&source).to_owned();
        checked(&shop, &source, &reference, JPEG_TOLERANCE);
    }
    let deep = shop.sample("商品-002.png", 400);
    let reference = shop.vips("colourspace", &deep, "reference.v", &["srgb"]);
    let optimized = checked(&shop, &deep, path(&reference), JPEG_TOLERANCE);
    assert_eq!((optimized.picture.depth, optimized.notes), (16, vec![Note::DepthReduced]));
}

#[test]
fn alpha_is_kept_without_loss() {
    let shop = Workshop::new();
    for name in ["商品-001.png", "красная.webp"] {
        let source = shop.sample(name, 600);
        let optimized = checked(&shop, &source, path(&source), 1e-9);
        assert!(optimized.pyramid.has_alpha && optimized.picture.has_alpha);
    }
    let info = run("tiffinfo", &[path(&shop.file("made.tif"))]);
    assert!(
        info.contains("Compression Scheme: AdobeDeflate") && info.contains("Extra Samples: 1<unassoc-alpha>"),
        "{info}"
    );
}

#[test]
fn alpha_that_hides_nothing_is_dropped() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 200);
    let source = shop.vips("bandjoin_const", &plain, "opaque.png", &["255"]);
    let optimized = checked(&shop, &source, path(&plain), JPEG_TOLERANCE);
    assert!(optimized.picture.has_alpha && !optimized.pyramid.has_alpha);
}

/// `jpeg` with an EXIF block that says how it was held.
fn held(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    [&jpeg[..2], &exif(orientation), &jpeg[2..]].concat()
}

pub fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

#[test]
fn all_eight_orientations_are_turned_upright() {
    let shop = Workshop::new();
    let upright = fs::read(shop.sample("синяя.jpg", 320)).unwrap();
    for orientation in 1..=8 {
        let source = shop.file("held.jpg");
        fs::write(&source, held(&upright, orientation)).unwrap();
        let reference = shop.vips("autorot", &source, "reference.v", &[]);
        let optimized = checked(&shop, &source, path(&reference), JPEG_TOLERANCE);
        let size = if orientation < 5 { (320, 240) } else { (240, 320) };
        assert_eq!((optimized.picture.width, optimized.picture.height), size);
        assert_eq!(optimized.pyramid.levels[0], size);
        assert_eq!(run("vipsheader", &["-f", "orientation", path(&shop.file("made.tif"))]).trim(), "1");
    }
}

#[test]
fn an_upright_sample_and_the_handheld_one_have_the_same_shape() {
    let shop = Workshop::new();
    let source = shop.sample("handheld.jpg", 320);
    let picture = probe(&source, &Limits::default()).unwrap();
    assert_eq!((picture.width, picture.height, picture.orientation), (240, 320, Orientation::QuarterRight));
    let reference = shop.vips("autorot", &source, "reference.v", &[]);
    checked(&shop, &source, path(&reference), JPEG_TOLERANCE);
}

#[test]
fn cmyk_goes_through_its_profile() {
    let shop = Workshop::new();
    let rgb = shop.sample("قميص.tif", 300);
    for (name, tolerance) in [("cmyk.tif", 3.0), ("cmyk.jpg[Q=95]", 4.0)] {
        let source = shop.vips("icc_export", &rgb, name, &["--output-profile", "cmyk"]);
        let reference = shop.vips("icc_transform", &source, "reference.v", &["srgb", "--embedded", BLACKS]);
        let optimized = checked(&shop, &source, path(&reference), tolerance);
        assert_eq!((optimized.picture.color, optimized.notes), (ColorModel::Cmyk, vec![Note::CmykConverted]));
        assert!(!optimized.pyramid.has_profile);
    }
}

/// How vips, which converts with LittleCMS, is told to bring blacks together.
const BLACKS: &str = "--black-point-compensation";

#[test]
fn blacks_are_brought_together_as_littlecms_does_it() {
    /// The profile that Ghostscript takes for CMYK without one.
    const PRESS: &str = "/usr/share/color/icc/ghostscript/default_cmyk.icc";
    let shop = Workshop::new();
    // All inks in steps of 17, and the darker half of each once more.
    let step = |at: usize| [at / 4096 % 16, at / 256 % 16, at / 16 % 16, at % 16].map(|part| (part * 17) as u8);
    let light: Vec<u8> = (0..1 << 16).flat_map(step).collect();
    let dark = light.iter().map(|ink| 128 + ink / 2);
    std::fs::write(shop.file("inks.raw"), light.iter().copied().chain(dark).collect::<Vec<u8>>()).unwrap();
    let size = ["256", "512", "4", "--interpretation", "cmyk"];
    let inks = shop.vips("rawload", &shop.file("inks.raw"), "inks.tif", &size);
    let black = |layout: &[u8], width: usize| layout[15 * width..][..3].to_vec();
    let options =
        |blacks| Options { cmyk_profile: Some(std::fs::read(PRESS).unwrap().into()), blacks, ..Options::default() };
    let mut blacks_seen = Vec::new();
    for (blacks, more) in [(Blacks::Compensated, &[BLACKS][..]), (Blacks::Kept, &[])] {
        let args = [&["srgb", "--input-profile", PRESS, "--intent", "relative"], more].concat();
        let expected = shop.pixels(path(&shop.vips("icc_transform", &inks, "expected.v", &args)));
        let rows = decoded(&inks, &options(blacks));
        let error =
            rows.iter().zip(&expected.bytes).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / rows.len() as f64;
        assert!(error < 2.0, "{blacks:?}: {error}");
        for (ours, theirs) in black(&rows, 3).iter().zip(black(&expected.bytes, 3)) {
            assert!(ours.abs_diff(theirs) < 3, "{blacks:?}: {ours} {theirs}");
        }
        blacks_seen.push(black(&rows, 3)[0]);
    }
    assert!(blacks_seen[0] + 15 < blacks_seen[1], "pure black is darker: {blacks_seen:?}");
}

/// All pixels as they go into a pyramid, before its JPEG.
fn decoded(source: &std::path::Path, options: &Options) -> Vec<u8> {
    let (limits, mut pixels) = (Limits::default(), Vec::new());
    let (_, rendering) = render::Rendering::open(&source.into(), options, &limits, &never).unwrap();
    let mut rows = rendering.into_rows();
    loop {
        let band = rows.read(64).unwrap();
        if band.is_empty() {
            return pixels;
        }
        pixels.extend_from_slice(&band);
    }
}

/// The pictures behind each other, the last as alpha.
fn with_alpha(shop: &Workshop, colors: &Path, alpha: &Path, name: &str) -> PathBuf {
    let out = shop.file(name);
    run("vips", &["bandjoin", &format!("{} {}", path(colors), path(alpha)), path(&out)]);
    out
}

#[test]
fn cmyk_with_alpha_keeps_what_it_can() {
    let shop = Workshop::new();
    let rgb = shop.sample("قميص.tif", 300);
    let inks = shop.vips("icc_export", &rgb, "inks.tif", &["--output-profile", "cmyk"]);
    let colors = shop.vips("icc_transform", &inks, "colors.v", &["srgb", "--embedded", BLACKS]);
    let profile = probe(&inks, &Limits::default()).unwrap().profile.expect("vips embeds it").bytes;
    let wash = shop.vips("extract_band", &inks, "wash.v", &["0"]);
    let kept = Options { colors: ColorManagement::Maintain, ..Options::default() };
    // Alpha that shows wants RGB, whatever is asked for.
    let transparent = with_alpha(&shop, &inks, &wash, "transparent.tif");
    assert!(probe(&transparent, &Limits::default()).unwrap().has_alpha);
    let reference = with_alpha(&shop, &colors, &wash, "reference.v");
    for options in [&Options::default(), &kept] {
        let (made, optimized) = shop.optimize(&transparent, options).unwrap();
        assert_eq!(optimized.notes, [Note::CmykConverted]);
        assert!(optimized.pyramid.has_alpha && !optimized.pyramid.has_profile);
        let error = shop.pixels(&made.page(0)).visible().mean_error(&shop.pixels(path(&reference)).visible());
        assert!(error < 3.0, "{error}");
    }
    // Alpha that does not is left out, and the inks and their profile may stay.
    let full = shop.vips("linear", &wash, "full.v", &["0", "255", "--uchar"]);
    let opaque = with_alpha(&shop, &inks, &full, "opaque.tif");
    let (made, optimized) = shop.optimize(&opaque, &kept).unwrap();
    assert_eq!((optimized.notes, optimized.pyramid.has_alpha), (vec![], false));
    assert_eq!(probe(&made.pyramid, &Limits::default()).unwrap().profile.map(|profile| profile.bytes), Some(profile));
    assert!(shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(&inks))) < 1e-9);
    checked(&shop, &opaque, path(&colors), 3.0);
}

#[test]
fn cmyk_without_a_profile_takes_the_fallback_or_the_formula() {
    let shop = Workshop::new();
    for (name, model) in [("Cover.tif", ColorModel::Cmyk), ("Insert.jpg", ColorModel::Ycck)] {
        let source = shop.sample(name, 128);
        let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
        assert_eq!((optimized.picture.color, optimized.notes), (model, vec![Note::CmykByFormula]));
        // The backdrop is nearly white at the top left.
        let plain = shop.pixels(&made.page(0));
        assert!(plain.bytes[..3].iter().all(|sample| (190..=245).contains(sample)), "{:?}", &plain.bytes[..3]);

        let rgb = shop.sample("قميص.tif", 200);
        let profiled = shop.vips("icc_export", &rgb, "profiled.tif", &["--output-profile", "cmyk"]);
        let profile = probe(&profiled, &Limits::default()).unwrap().profile.expect("vips embeds it").bytes;
        let options = Options { cmyk_profile: Some(profile.into()), ..Options::default() };
        let (made, optimized) = shop.optimize(&source, &options).unwrap();
        assert_eq!(optimized.notes, [Note::CmykConverted]);
        assert!(shop.pixels(&made.page(0)).mean_error(&plain) > 1.0, "the profile makes a difference");
    }
}

#[test]
fn tiffs_of_many_makes_are_read() {
    let shop = Workshop::new();
    let plain = shop.sample("صغير.bmp", 500);
    let gray = shop.vips("colourspace", &plain, "gray.v", &["b-w"]);
    let alpha = shop.sample("商品-001.png", 300);
    let gray_alpha = shop.vips("extract_band", &alpha, "gray-alpha.v", &["2", "--n", "2"]);
    let gray_alpha = shop.vips("copy", &gray_alpha, "gray-alpha-2.v", &["--interpretation", "b-w"]);
    let tiffs = [
        (&plain, "strips.tif[compression=none]"),
        (&plain, "lzw.tif[compression=lzw,predictor=horizontal]"),
        (&plain, "deflate.tif[compression=deflate]"),
        (&plain, "packbits.tif[compression=packbits]"),
        (&plain, "tiles.tif[compression=deflate,tile,tile-width=64,tile-height=64]"),
        (&plain, "jpeg-tiles.tif[compression=jpeg,Q=95,tile]"),
        (&plain, "jpeg-strips.tif[compression=jpeg,Q=95]"),
        (&plain, "jpeg-rgb.tif[compression=jpeg,Q=90,rgbjpeg]"),
        (&plain, "pyramid.tif[compression=jpeg,Q=95,tile,pyramid]"),
        (&plain, "big.tif[bigtiff,compression=lzw]"),
        (&gray, "gray.tif[compression=lzw]"),
        (&gray, "gray-jpeg.tif[compression=jpeg,Q=95]"),
        (&gray, "white-is-zero.tif[compression=lzw,miniswhite]"),
        (&alpha, "alpha.tif[compression=lzw]"),
        (&alpha, "premultiplied.tif[compression=lzw,premultiply]"),
        (&gray_alpha, "gray-alpha.tif[compression=lzw]"),
    ];
    for (from, name) in tiffs {
        let source = shop.vips("copy", from, name, &[]);
        let (made, optimized) =
            shop.optimize(&source, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let reference = shop.vips("colourspace", from, "reference.v", &["srgb"]);
        let wide = shop.vips("colourspace", std::path::Path::new(&made.page(0)), "seen.v", &["srgb"]);
        let (seen, expected) = (shop.pixels(path(&wide)), shop.pixels(path(&reference)));
        let error = seen.visible().mean_error(&expected.visible());
        assert!(error < JPEG_TOLERANCE, "{name}: mean error {error}");
        assert_eq!(optimized.pyramid.has_alpha, name.contains("alpha") || name.contains("premul"), "{name}");
    }
}

#[test]
fn planar_16_bit_and_bilevel_tiffs_are_read() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 300);
    let planar = shop.file("planar.tif");
    run("tiffcp", &["-p", "separate", "-c", "zip", path(&plain), path(&planar)]);
    checked(&shop, &planar, path(&plain), JPEG_TOLERANCE);

    let deep = shop.vips("colourspace", &plain, "deep.tif[compression=lzw]", &["rgb16"]);
    let optimized = checked(&shop, &deep, path(&plain), JPEG_TOLERANCE);
    assert_eq!(optimized.picture.depth, 16);

    let gray = shop.vips("colourspace", &plain, "gray.v", &["b-w"]);
    let bilevel = shop.vips("copy", &gray, "bilevel.tif[bitdepth=1,compression=none]", &[]);
    let optimized = checked(&shop, &bilevel, path(&bilevel), 5.0);
    assert_eq!((optimized.picture.depth, optimized.picture.color), (1, ColorModel::Gray));
}

#[test]
fn sixteen_bits_become_the_nearest_eight_in_every_format() {
    let shop = Workshop::new();
    // All values there are.
    let values: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    std::fs::write(shop.file("values.raw"), values).unwrap();
    let size = ["256", "256", "1", "--format", "ushort", "--interpretation", "grey16"];
    let gray = shop.vips("rawload", &shop.file("values.raw"), "values.v", &size);
    let png = shop.vips("copy", &gray, "deep.png", &[]);
    let files = [
        png.clone(),
        shop.vips("copy", &gray, "woven.png[interlace]", &[]),
        shop.vips("copy", &gray, "deep.tif", &[]),
        shop.file("deep.psd"),
    ];
    run("convert", &[path(&png), "-depth", "16", path(&files[3])]);
    let limits = Limits::default();
    for file in files {
        let (picture, rendering) = Rendering::open(&(&file).into(), &Options::default(), &limits, &never).unwrap();
        assert_eq!(picture.depth, 16, "{}", file.display());
        let mut rows = rendering.into_rows();
        let samples = rows.layout().samples();
        let pixels = rows.read(256).unwrap();
        for (value, sample) in pixels.iter().step_by(samples).enumerate() {
            assert_eq!(*sample, (value as f64 / 257.0).round() as u8, "{value} in {}", file.display());
        }
    }
}

#[test]
fn palette_tiffs_are_read() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 300);
    let big = shop.vips("copy", &plain, "big.tif[bigtiff,compression=none]", &[]);
    for source in [&plain, &big] {
        let palette = shop.file("palette.tif");
        run("tiffmedian", &["-C", "256", path(source), path(&palette)]);
        let optimized = checked(&shop, &palette, path(&palette), JPEG_TOLERANCE);
        assert_eq!((optimized.picture.color, optimized.picture.channels()), (ColorModel::Palette, 3));
    }
    let swapped = shop.file("swapped.tif");
    run("tiffcp", &["-B", "-c", "lzw", path(&shop.file("palette.tif")), path(&swapped)]);
    checked(&shop, &swapped, path(&swapped), JPEG_TOLERANCE);
}

#[test]
fn pngs_of_every_colour_type_are_read() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 300);
    let gray = shop.vips("colourspace", &plain, "gray.v", &["b-w"]);
    let alpha = shop.sample("商品-001.png", 300);
    let pngs = [
        (&plain, "palette.png[palette]", "srgb"),
        (&plain, "interlaced.png[interlace]", "srgb"),
        (&gray, "gray.png", "b-w"),
        (&gray, "gray-4.png[bitdepth=4]", "b-w"),
        (&gray, "gray-1.png[bitdepth=1]", "b-w"),
        (&alpha, "palette-alpha.png[palette]", "srgb"),
    ];
    for (from, name, space) in pngs {
        let source = shop.vips("copy", from, name, &[]);
        let reference = shop.vips("colourspace", &source, "reference.v", &[space]);
        checked(&shop, &source, path(&reference), 3.0);
    }
    let deep = shop.vips("colourspace", &gray, "gray-16.png", &["grey16"]);
    checked(&shop, &deep, path(&gray), JPEG_TOLERANCE);
}

#[test]
fn jpegs_of_every_make_are_read() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 333);
    for name in
        ["progressive.jpg[interlace,Q=95]", "full.jpg[subsample_mode=off,Q=95]", "optimised.jpg[optimize-coding]"]
    {
        let source = shop.vips("copy", &plain, name, &[]);
        checked(&shop, &source, path(&source), JPEG_TOLERANCE);
    }
    let webp = shop.vips("copy", &plain, "lossy.webp[Q=90]", &[]);
    checked(&shop, &webp, path(&webp), JPEG_TOLERANCE);
}

#[test]
fn levels_are_means_of_the_level_before() {
    let shop = Workshop::new();
    let source = shop.sample("商品-001.png", 1100);
    let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    for (number, (width, height)) in optimized.pyramid.levels.iter().enumerate().skip(1) {
        let before = made.page(number - 1);
        let premultiplied = shop.vips("premultiply", std::path::Path::new(&before), "premultiplied.v", &[]);
        let halved = shop.vips("shrink", &premultiplied, "halved.v", &["2", "2"]);
        let straight = shop.vips("unpremultiply", &halved, "straight.v", &[]);
        let rounded = shop.vips("cast", &straight, "rounded.v", &["uchar"]);
        let cut = ["0", "0", &width.to_string(), &height.to_string()];
        let cut = shop.vips("crop", &rounded, "cut.v", &cut);
        let error = shop.pixels(&made.page(number)).visible().mean_error(&shop.pixels(path(&cut)).visible());
        assert!(error < 0.8, "level {number}: {error}");
    }
}

#[test]
fn thumbnails_are_small_jpegs_in_srgb_on_white() {
    let shop = Workshop::new();
    for (name, size) in [("Ångström.jpg", (192, 256)), ("商品-001.png", (192, 256)), ("Cover.tif", (192, 256))] {
        let source = shop.sample(name, 800);
        let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
        assert_eq!((optimized.thumbnail.width, optimized.thumbnail.height), size);
        let pixels = shop.pixels(path(&made.thumbnail));
        assert_eq!(pixels.size(), (size.0 as usize, size.1 as usize, 3), "{name}");
        let mut alone = Vec::new();
        thumbnail::write(&source, &mut alone, &Options::default(), &Limits::default(), &never).unwrap();
        assert_eq!(alone, fs::read(&made.thumbnail).unwrap(), "made alone, {name} is the same");
    }
    let source = shop.sample("商品-001.png", 800);
    let (made, _) = shop.optimize(&source, &Options::default()).unwrap();
    assert!(shop.pixels(path(&made.thumbnail)).bytes[..3].iter().all(|sample| *sample > 250), "transparent is white");

    let source = shop.sample("Ångström.jpg", 800);
    let (made, _) = shop.optimize(&source, &Options::default()).unwrap();
    let srgb = shop.vips("icc_transform", &source, "srgb.v", &["srgb", "--embedded", "--intent", "relative"]);
    let reference = shop.vips("thumbnail", &srgb, "reference.v", &["256", "--height", "256"]);
    let error = shop.pixels(path(&made.thumbnail)).mean_error(&shop.pixels(path(&reference)));
    assert!(error < 3.0, "mean error {error}");
}

#[test]
fn a_thumbnail_is_never_larger_than_its_picture() {
    let shop = Workshop::new();
    let source = shop.sample("μικρό.gif", 100);
    let (_, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    assert_eq!((optimized.thumbnail.width, optimized.thumbnail.height), (50, 50));
    assert_eq!(optimized.pyramid.levels, [(50, 50)]);
}

#[test]
fn narrow_pictures_keep_at_least_one_pixel() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 600);
    for (name, width, height) in [("column.png", "1", "600"), ("row.png", "600", "1"), ("odd.png", "513", "257")] {
        let source = shop.vips("crop", &plain, name, &["0", "0", width, height]);
        let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
        for (number, (width, height)) in optimized.pyramid.levels.iter().enumerate() {
            assert_eq!(shop.pixels(&made.page(number)).size(), (*width as usize, *height as usize, 3), "{name}");
        }
    }
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let shop = Workshop::new();
    for name in ["синяя.jpg", "商品-001.png", "Cover.tif"] {
        let source = shop.sample(name, 700);
        let mut made = (0..2).map(|_| {
            let (made, _) = shop.optimize(&source, &Options::default()).unwrap();
            (fs::read(made.pyramid).unwrap(), fs::read(made.thumbnail).unwrap())
        });
        assert!(made.next() == made.next(), "{name}");
    }
}

#[test]
fn a_pyramid_written_alone_is_the_same_and_can_be_read_again() {
    let shop = Workshop::new();
    let source = shop.sample("Ångström.jpg", 600);
    let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    let mut alone = std::io::Cursor::new(Vec::new());
    let info = pyramid::write(&source, &mut alone, &Options::default(), &Limits::default(), &never).unwrap();
    assert_eq!(info, optimized.pyramid);
    assert_eq!(info.bytes, alone.get_ref().len() as u64);
    assert!(alone.into_inner() == fs::read(&made.pyramid).unwrap());

    let again = probe(&made.pyramid, &Limits::default()).unwrap();
    assert_eq!((again.profile, again.resolution), (optimized.picture.profile, optimized.picture.resolution));
    fs::rename(&made.pyramid, shop.file("first.tif")).unwrap();
    let first = shop.file("first.tif");
    checked(&shop, &first, path(&first), JPEG_TOLERANCE);
}

#[test]
fn a_picture_in_memory_is_made_into_the_same_as_from_its_file() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 300);
    let source = shop.vips("copy", &plain, "plain.png", &["--xres", "10", "--yres", "10"]);
    let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    let Pixels { width, height, bytes, .. } = shop.pixels(path(&source));
    let raster = raster::Raster::new(width as u32, height as u32, raster::Layout::Rgb, bytes).unwrap();
    let rows = Box::new(rows::Seen::new(&raster, Orientation::Upright));
    let rendering =
        Rendering::new(Format::Pdf, rows, raster.is_opaque(), optimized.picture.profile.as_ref(), &Options::default())
            .with_resolution(optimized.picture.resolution);
    let (mut pyramid, mut thumbnail) = (std::io::Cursor::new(Vec::new()), Vec::new());
    let derived = derive(rendering, &mut pyramid, &mut thumbnail, &Options::default(), &never).unwrap();
    assert_eq!(derived, (optimized.pyramid, optimized.thumbnail));
    assert!(pyramid.into_inner() == fs::read(&made.pyramid).unwrap());
    assert!(thumbnail == fs::read(&made.thumbnail).unwrap());
}

#[test]
fn options_have_their_effect() {
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 700);
    let size = |options: Options| shop.optimize(&source, &options).unwrap().1;
    let usual = size(Options::default());
    assert!(size(Options { quality: 40, ..Options::default() }).pyramid.bytes < usual.pyramid.bytes);
    assert!(size(Options { chroma: Chroma::Full, ..Options::default() }).pyramid.bytes > usual.pyramid.bytes);
    assert!(size(Options { thumbnail_quality: 30, ..Options::default() }).thumbnail.bytes < usual.thumbnail.bytes);
    assert_eq!(size(Options { thumbnail_side: 100, ..Options::default() }).thumbnail.width, 100);
    assert_eq!(size(Options { tile: 512, ..Options::default() }).pyramid.levels.len(), 2);
    let info = run("tiffinfo", &[path(&shop.file("made.tif"))]);
    assert!(info.contains("Tile Width: 512 Tile Length: 512"), "{info}");
}

#[test]
fn options_out_of_range_are_named() {
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 64);
    let usual = Options::default;
    for (options, named) in [
        (Options { tile: 100, ..usual() }, "tile size is 100"),
        (Options { quality: 0, ..usual() }, "JPEG quality is 0"),
        (Options { thumbnail_quality: 101, ..usual() }, "thumbnail quality is 101"),
        (Options { thumbnail_side: 5, ..usual() }, "longer side is 5"),
    ] {
        let Err(error) = shop.optimize(&source, &options) else { panic!("{options:?} was accepted") };
        assert!(error.to_string().contains(named), "{error}");
    }
}
