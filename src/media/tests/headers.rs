//! What files say of themselves in ways that few have, and decoders look past.

use std::fs;

use super::super::*;
use super::others::{mean_error, read, theirs};
use super::support::*;

fn refusal(shop: &Workshop, name: &str, bytes: &[u8]) -> String {
    let made = shop.file(name);
    fs::write(&made, bytes).unwrap();
    read(&made).unwrap_err().to_string()
}

/// Red, green and blue.
fn ramp(count: usize) -> Vec<u8> {
    (0..count * 3).map(|place| (place * 7 % 251) as u8).collect()
}

#[test]
fn the_oldest_bmp_header_has_nothing_behind_it() {
    let shop = Workshop::new();
    let source = shop.sample("002.png", 64);
    let made = shop.file("oldest.bmp");
    run("convert", &[path(&source), "-strip", "-type", "TrueColor", &format!("bmp2:{}", path(&made))]);
    assert_eq!(fs::read(&made).unwrap()[14..18], [12, 0, 0, 0], "the header of OS/2");
    assert!(mean_error(&read(&made).unwrap().1, &theirs(&shop, &made, "rgb")) < 0.01);
}

#[test]
fn transparency_that_a_targa_does_not_speak_of_hides_no_picture() {
    let shop = Workshop::new();
    let targa = |bits: u8, alpha: &dyn Fn(usize) -> u8| {
        let mut bytes = vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 4, 0, 32, 0x20 | bits];
        ramp(32).chunks(3).enumerate().for_each(|(at, pixel)| {
            bytes.extend([pixel[2], pixel[1], pixel[0], alpha(at)]);
        });
        let made = shop.file("a.tga");
        fs::write(&made, bytes).unwrap();
        read(&made).unwrap().1.chunks(4).map(|pixel| pixel[3]).collect::<Vec<u8>>()
    };
    assert_eq!(targa(0, &|_| 0), [255; 32]);
    assert_eq!(targa(8, &|_| 0), [0; 32], "where it is spoken of it counts");
    let half = |at: usize| if at < 16 { 0 } else { 200 };
    assert_eq!(targa(0, &half), (0..32).map(half).collect::<Vec<_>>(), "and where it shows something");
}

#[test]
fn a_qoi_may_hold_light() {
    let shop = Workshop::new();
    let made = shop.file("a.qoi");
    let encoder = image::codecs::qoi::QoiEncoder::new(fs::File::create(&made).unwrap());
    image::ImageEncoder::write_image(encoder, &ramp(64), 8, 8, image::ExtendedColorType::Rgb8).unwrap();
    let mut bytes = fs::read(&made).unwrap();
    bytes[13] = 1;
    fs::write(&made, &bytes).unwrap();
    let (picture, ours) = read(&made).unwrap();
    assert_eq!(picture.notes, [Note::DeclaredColors]);
    assert_eq!(probe(&made, &Limits::default()).unwrap().notes, [Note::DeclaredColors]);
    for (ours, light) in ours.iter().zip(ramp(64)) {
        let light = f64::from(light) / 255.0;
        let shown = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        assert!((f64::from(*ours) - 255.0 * shown).abs() <= 0.51);
    }
}

#[test]
fn four_components_are_inks_only_where_a_jpeg_2000_file_says_so() {
    let shop = Workshop::new();
    let (clear, made) = (shop.sample("001.png", 64), shop.file("alpha.jp2"));
    run("convert", &[path(&clear), "-strip", "-quality", "0", path(&made)]);
    let known = read(&made).unwrap();
    assert_eq!(known.0.notes, []);
    let mut bytes = fs::read(&made).unwrap();
    let definition = bytes.windows(4).position(|window| window == b"cdef").unwrap();
    bytes[definition..definition + 4].copy_from_slice(b"free");
    fs::write(&made, &bytes).unwrap();
    let guessed = read(&made).unwrap();
    assert_eq!((guessed.0.notes.as_slice(), guessed.0.color), ([Note::FourthIsAlpha].as_slice(), ColorModel::Rgb));
    assert_eq!(guessed.1, known.1);
    let colors = bytes.windows(4).position(|window| window == b"colr").unwrap();
    bytes[colors + 7..colors + 11].copy_from_slice(&12_u32.to_be_bytes());
    fs::write(&made, &bytes).unwrap();
    let inks = read(&made).unwrap();
    assert_eq!((inks.0.notes.as_slice(), inks.0.color), ([].as_slice(), ColorModel::Cmyk));
    // A specification that is not known says nothing, and is none that is missing.
    bytes[colors + 4] = 4;
    fs::write(&made, &bytes).unwrap();
    let unknown = read(&made).unwrap();
    assert_eq!((unknown.0.notes.as_slice(), unknown.0.color), ([].as_slice(), ColorModel::Cmyk));
    // What is appended is no part of the picture.
    fs::write(&made, [&bytes[..], &[0; 9000]].concat()).unwrap();
    assert_eq!(read(&made).unwrap().1, unknown.1);
}

#[test]
fn primaries_that_are_none_cost_a_png_a_line_and_not_its_picture() {
    let shop = Workshop::new();
    let made = shop.file("a.png");
    let mut info = png::Info::with_size(8, 8);
    (info.bit_depth, info.color_type) = (png::BitDepth::Eight, png::ColorType::Rgb);
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    writer.write_chunk(png::chunk::gAMA, &45_455_u32.to_be_bytes()).unwrap();
    writer.write_chunk(png::chunk::cHRM, &[0; 32]).unwrap();
    writer.write_image_data(&ramp(64)).unwrap();
    writer.finish().unwrap();
    fs::write(&made, &bytes).unwrap();
    let (picture, ours) = read(&made).unwrap();
    assert_eq!((picture.notes.as_slice(), ours), ([Note::DeclaredColorsUnread].as_slice(), ramp(64)));
}

#[test]
fn what_is_of_another_coding_is_not_called_damaged() {
    let shop = Workshop::new();
    let frame = b"\xff\xd8\xff\xf7\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0";
    assert_eq!(refusal(&shop, "a.jpg", frame), "a JPEG-LS file cannot be read as a picture");
    let apple = b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f\0\0\0\x0dIHDR";
    assert!(refusal(&shop, "a.png", apple).contains("of the kind that Apple's devices have (CgBI)"));
    let plain = shop.file("a.j2k");
    run("convert", &[path(&shop.sample("002.png", 64)), "-quality", "0", path(&plain)]);
    let mut bytes = fs::read(&plain).unwrap();
    bytes[6] |= 0x40;
    assert!(refusal(&shop, "fast.j2k", &bytes).contains("in its fast coding (HTJ2K)"));
}
