//! Pictures of formats that few send, beside another program.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::super::decode::{Pixels as Decoded, decode};
use super::super::*;
use super::support::*;

pub(super) fn read(source: &Path) -> Result<(Picture, Vec<u8>), MediaError> {
    let limits = Limits::default();
    let (decoded, _) = decode(&source.into(), &limits, &never)?;
    let pixels = match decoded.pixels {
        Decoded::Whole(raster) => raster.pixels().to_vec(),
        Decoded::Flow(mut rows) => {
            let mut pixels = Vec::new();
            loop {
                let band = rows.read(16)?;
                if band.is_empty() {
                    break pixels;
                }
                pixels.extend_from_slice(&band);
            }
        }
    };
    Ok((decoded.picture, pixels))
}

/// As another program reads it: gray, RGB or RGBA of 8 bits. ImageMagick 6 does not turn Targa files that begin at the bottom.
pub(super) fn theirs(shop: &Workshop, source: &Path, layout: &str) -> Vec<u8> {
    let target = shop.file(&format!("theirs.{layout}"));
    if source.extension().is_some_and(|extension| extension == "tga") {
        let layout = if layout == "rgb" { "rgb24" } else { layout };
        let options = ["-loglevel", "error", "-y", "-i", path(source), "-f", "rawvideo", "-pix_fmt", layout];
        run("ffmpeg", &[&options[..], &[path(&target)]].concat());
    } else {
        run("convert", &[path(source), "-depth", "8", path(&target)]);
    }
    fs::read(target).unwrap()
}

pub(super) fn mean_error(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len(), "samples");
    one.iter().zip(other).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / one.len() as f64
}

#[test]
fn formats_of_other_programs_are_read() {
    let shop = Workshop::new();
    let (opaque, clear) = (shop.sample("002.png", 64), shop.sample("001.png", 64));
    let cases: [(&Path, &str, &[&str], &str, Format); 17] = [
        (&opaque, "a.tga", &["-compress", "none"], "rgb", Format::Targa),
        (&opaque, "rle.tga", &["-compress", "rle"], "rgb", Format::Targa),
        (&clear, "alpha.tga", &[], "rgba", Format::Targa),
        (&opaque, "gray.tga", &["-colorspace", "gray"], "gray", Format::Targa),
        (&opaque, "a.ppm", &[], "rgb", Format::Netpbm),
        (&opaque, "deep.ppm", &["-depth", "16"], "rgb", Format::Netpbm),
        (&opaque, "plain.ppm", &["-compress", "none", "-depth", "8"], "rgb", Format::Netpbm),
        (&opaque, "a.pgm", &[], "gray", Format::Netpbm),
        (&opaque, "a.pbm", &["-monochrome"], "gray", Format::Netpbm),
        (&clear, "a.pam", &[], "rgba", Format::Netpbm),
        (&clear, "a.ico", &["-resize", "48x48"], "rgba", Format::Icon),
        (&opaque, "a.jp2", &["-quality", "0"], "rgb", Format::Jpeg2000),
        (&opaque, "a.j2k", &["-quality", "0"], "rgb", Format::Jpeg2000),
        (&opaque, "gray.jp2", &["-colorspace", "gray", "-quality", "0"], "gray", Format::Jpeg2000),
        (&clear, "alpha.jp2", &["-quality", "0"], "rgba", Format::Jpeg2000),
        (&opaque, "a.hdr", &["-colorspace", "RGB"], "rgb", Format::Radiance),
        (&opaque, "a.exr", &["-colorspace", "RGB"], "rgb", Format::OpenExr),
    ];
    for (source, name, options, layout, format) in cases {
        let made = shop.file(name);
        run("convert", &[&[path(source), "-strip", "-depth", "8"], options, &[path(&made)]].concat());
        let (picture, ours) = read(&made).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(picture.format, format, "{name}");
        let light = matches!(format, Format::Radiance | Format::OpenExr);
        assert_eq!(picture.notes.contains(&Note::LightCut), light, "{name}: {:?}", picture.notes);
        // Light has been made sRGB.
        let expected = match light {
            true => theirs(&shop, source, layout),
            false => theirs(&shop, &made, layout),
        };
        let error = mean_error(&ours, &expected);
        assert!(error < if light { 2.0 } else { 0.6 }, "{name}: {error}");
    }
}

#[test]
fn a_radiance_file_begins_with_one_of_two_words() {
    let shop = Workshop::new();
    let made = shop.file("a.hdr");
    run("convert", &[path(&shop.sample("001.png", 64)), "-strip", "-depth", "8", path(&made)]);
    let bytes = std::fs::read(&made).unwrap();
    let expected = read(&made).unwrap().1;
    let rest = bytes.strip_prefix(b"#?RADIANCE").unwrap();
    std::fs::write(&made, [b"#?RGBE", rest].concat()).unwrap();
    assert_eq!(read(&made).unwrap().1, expected);
}

#[test]
fn qoi_is_read() {
    let shop = Workshop::new();
    let made = shop.file("a.qoi");
    let pixels: Vec<u8> = (0..40 * 30 * 4).map(|place| (place * 7 % 251) as u8).collect();
    let encoder = image::codecs::qoi::QoiEncoder::new(BufWriter::new(File::create(&made).unwrap()));
    image::ImageEncoder::write_image(encoder, &pixels, 40, 30, image::ExtendedColorType::Rgba8).unwrap();
    assert_eq!(read(&made).unwrap().1, pixels);
}

#[test]
fn what_is_cut_or_changed_costs_an_error_and_no_more() {
    let shop = Workshop::new();
    let source = shop.sample("001.png", 64);
    let limits = Limits { max_memory: 32 << 20, max_pixels: 1_000_000, ..Limits::default() };
    let mut state = 11_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for name in ["a.tga", "a.ppm", "a.pam", "a.ico", "a.jp2", "a.hdr", "a.exr"] {
        let made = shop.file(name);
        run("convert", &[path(&source), "-strip", "-depth", "8", path(&made)]);
        let whole = fs::read(&made).unwrap();
        for part in 1..8 {
            fs::write(&made, &whole[..whole.len() * part / 8]).unwrap();
            assert!(read(&made).is_err(), "{name} cut to {part} eighths was accepted");
        }
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=below(3) {
                let within = if below(2) == 0 { bytes.len().min(120) } else { bytes.len() };
                let place = below(within);
                bytes[place] = [0, 0xff, 0x7f, below(256) as u8][below(4)];
            }
            fs::write(&made, &bytes).unwrap();
            let _ = decode(&(&made).into(), &limits, &never);
        }
    }
}

/// A file that says sRGB has three colours, whatever its fourth component is.
#[test]
fn a_jpeg_2000_file_says_how_many_colours_it_has() {
    let shop = Workshop::new();
    let made = shop.vips("copy", &shop.sample("001.png", 64), "alpha.jp2[lossless]", &[]);
    let (said, right) = read(&made).unwrap();
    let mut bytes = fs::read(&made).unwrap();
    let definition = bytes.windows(4).position(|at| at == b"cdef").unwrap();
    bytes[definition..definition + 4].copy_from_slice(b"free");
    fs::write(&made, bytes).unwrap();
    let (picture, pixels) = read(&made).unwrap();
    assert_eq!((said.color, said.has_alpha), (ColorModel::Rgb, true));
    assert_eq!((picture.color, picture.has_alpha, picture.notes), (ColorModel::Rgb, true, vec![Note::FourthIsAlpha]));
    assert_eq!(pixels, right);
}

/// The decoder takes tiles that are not there, or have no data, for black ones.
#[test]
fn a_jpeg_2000_file_has_all_its_tiles() {
    let shop = Workshop::new();
    let made = shop.vips("copy", &shop.sample("001.png", 96), "a.jp2[tile-width=32,tile-height=32,lossless]", &[]);
    let whole = fs::read(&made).unwrap();
    let right = read(&made).unwrap().1;
    let parts: Vec<usize> = (0..whole.len() - 4).filter(|at| whole[*at..].starts_with(b"\xff\x90\x00\x0a")).collect();
    assert!(parts.len() > 6, "{parts:?}");
    let with = |bytes: &[u8]| {
        fs::write(&made, bytes).unwrap();
        read(&made).map(|(_, pixels)| pixels).map_err(|error| error.to_string())
    };
    let (last, end) = (parts[parts.len() - 1], [0xff, 0xd9]);
    let empty =
        [&whole[parts[3]..parts[3] + 6], &14_u32.to_be_bytes(), &whole[parts[3] + 10..parts[3] + 12], b"\xff\x93"];
    for (what, bytes) in [
        ("the fourth", [&whole[..parts[3]], &whole[parts[4]..]].concat()),
        ("the last", [&whole[..last], &end].concat()),
        ("data of the fourth", [&whole[..parts[3]], &empty.concat(), &whole[parts[4]..]].concat()),
    ] {
        let said = with(&bytes).unwrap_err();
        assert!(
            said.contains(&format!("1 of its {} tiles are missing or without data", parts.len())),
            "{what}: {said}"
        );
    }
    assert!(with(&whole[..whole.len() - 2]).unwrap_err().contains("ends before its last tile does"));
    // The last may leave open how long it is.
    let open = [&whole[..last + 6], &[0; 4], &whole[last + 10..]].concat();
    assert!(with(&open).unwrap() == right);
}

/// What a library quotes of a file may be as long as the file.
#[test]
fn errors_are_as_short_as_a_line() {
    let shop = Workshop::new();
    let made = shop.file("a.pam");
    let long = "x".repeat(1 << 20);
    fs::write(&made, format!("P7\nTUPLTYPE {long}\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\nabc")).unwrap();
    let said = read(&made).unwrap_err().to_string();
    assert!(said.len() < 500, "{} bytes", said.len());
}

/// The picture with the code points of its colours, which the encoder does not write.
fn with_points(source: &Path, points: [u8; 4]) {
    let mut bytes = fs::read(source).unwrap();
    let body = [b"cICP".as_slice(), &points].concat();
    let mut sum = flate2::Crc::new();
    sum.update(&body);
    let chunk = [&4_u32.to_be_bytes()[..], &body, &sum.sum().to_be_bytes()].concat();
    const BEHIND_HEADER: usize = 8 + 25;
    bytes.splice(BEHIND_HEADER..BEHIND_HEADER, chunk);
    fs::write(source, bytes).unwrap();
}

/// A ramp in three colours as a PNG that says of itself what `says` sets.
fn ramp(shop: &Workshop, name: &str, depth: png::BitDepth, says: impl Fn(&mut png::Info<'_>)) -> PathBuf {
    let made = shop.file(name);
    let mut info = png::Info::with_size(64, 16);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, depth);
    says(&mut info);
    let encoder = png::Encoder::with_info(BufWriter::new(File::create(&made).unwrap()), info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let mut bytes = Vec::new();
    for y in 0..16_usize {
        for x in 0..64_usize {
            for sample in [x * 4, 255 - x * 3, y * 16] {
                bytes.push(sample as u8);
                if depth == png::BitDepth::Sixteen {
                    bytes.push(sample as u8);
                }
            }
        }
    }
    writer.write_image_data(&bytes).unwrap();
    writer.finish().unwrap();
    made
}

#[test]
fn what_a_png_says_of_its_colours_takes_effect() {
    let shop = Workshop::new();
    let plain = read(&ramp(&shop, "plain.png", png::BitDepth::Eight, |_| {})).unwrap().1;
    for depth in [png::BitDepth::Eight, png::BitDepth::Sixteen] {
        // Linear light.
        let made = ramp(&shop, "linear.png", depth, |info| info.source_gamma = Some(png::ScaledFloat::new(1.0)));
        let (picture, ours) = read(&made).unwrap();
        assert_eq!(picture.notes, [Note::DeclaredColors]);
        let encoded = |byte: u8| {
            let light = f64::from(byte) / 255.0;
            255.0 * if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
        };
        for (ours, stored) in ours.iter().zip(&plain) {
            assert!((f64::from(*ours) - encoded(*stored)).abs() < 1.6, "{depth:?} {stored}: {ours}");
        }
        // Other primaries, by code points, as a profile of the same has them.
        let made = ramp(&shop, "p3.png", depth, |_| {});
        with_points(&made, [12, 13, 0, 1]);
        let (picture, ours) = read(&made).unwrap();
        assert_eq!((picture.notes.as_slice(), picture.profile), ([Note::DeclaredColors].as_slice(), None));
        let icc = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        let profiled = ramp(&shop, "icc.png", png::BitDepth::Eight, |info| info.icc_profile = Some(icc.clone().into()));
        let turned = shop.vips("icc_transform", &profiled, "turned.png", &["srgb"]);
        assert!(mean_error(&ours, &shop.pixels(path(&turned)).bytes) < 0.8, "{depth:?}");
    }
    // What is sRGB stays as it is, and what is not read is said.
    let usual = ramp(&shop, "usual.png", png::BitDepth::Eight, |info| {
        info.source_gamma = Some(png::ScaledFloat::new(0.45455));
    });
    let (picture, ours) = read(&usual).unwrap();
    assert!(picture.notes.is_empty() && ours == plain);
    let bright = ramp(&shop, "pq.png", png::BitDepth::Eight, |_| {});
    with_points(&bright, [9, 16, 0, 1]);
    let (picture, ours) = read(&bright).unwrap();
    assert_eq!((picture.notes.as_slice(), ours), ([Note::DeclaredColorsUnread].as_slice(), plain));
}

#[test]
fn a_bmp_may_have_a_profile() {
    let shop = Workshop::new();
    let source = shop.sample("قميص-صغير.bmp", 128);
    let plain = fs::read(&source).unwrap();
    let old = u32::from_le_bytes(plain[14..18].try_into().unwrap()) as usize;
    let pixels = u32::from_le_bytes(plain[10..14].try_into().unwrap()) as usize;
    let icc = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut header = plain[14..14 + old.min(40)].to_vec();
    header.resize(124, 0);
    header[..4].copy_from_slice(&124_u32.to_le_bytes());
    header[56..60].copy_from_slice(b"DEBM");
    let data = &plain[pixels..];
    header[112..116].copy_from_slice(&(124 + data.len() as u32).to_le_bytes());
    header[116..120].copy_from_slice(&(icc.len() as u32).to_le_bytes());
    let mut first = plain[..14].to_vec();
    first[10..14].copy_from_slice(&138_u32.to_le_bytes());
    let made = shop.file("profiled.bmp");
    fs::write(&made, [&first[..], &header, data, &icc].concat()).unwrap();
    let (picture, ours) = read(&made).unwrap();
    assert_eq!(picture.profile.unwrap().bytes, icc);
    assert_eq!(ours, read(&source).unwrap().1);
    // One that is said to be longer than the file is left out, and that is told.
    fs::write(&made, [&first[..], &header, data, &icc[..100]].concat()).unwrap();
    assert!(probe(&made, &Limits::default()).unwrap().profile.unwrap().bytes.is_empty());
}
