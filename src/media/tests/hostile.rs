//! Empty, cut, changed and exaggerating files: each is an error in words, soon, and within the limits.

use std::cell::Cell;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use jpeg_encoder::{ColorType, Encoder};

use super::super::metadata::{LeftOut, Metadata};
use super::super::*;
use super::support::*;

fn pyramid_of(source: &Path, limits: &Limits) -> Result<PyramidInfo, MediaError> {
    let options = Options { tile: 64, ..Options::default() };
    pyramid::write(source, &mut Cursor::new(Vec::new()), &options, limits, &never)
}

/// One picture of each format and make that has a decoder, or a way through it, of its own.
fn one_of_each(shop: &Workshop) -> Vec<PathBuf> {
    let mut sources: Vec<PathBuf> = [
        "синяя.jpg",
        "Insert.jpg",
        "商品-001.png",
        "商品-002.png",
        "قميص.tif",
        "Cover.tif",
        "μικρό.gif",
        "صغير.bmp",
        "красная.webp",
    ]
    .into_iter()
    .map(|name| shop.sample(name, 64))
    .collect();
    let plain = shop.sample("قميص.tif", 64);
    for name in [
        "progressive.jpg[interlace]",
        "lossy.webp",
        "tiled.tif[tile,tile-width=32,tile-height=32,compression=deflate]",
        "jpeg.tif[compression=jpeg,tile,tile-width=32,tile-height=32]",
        "packbits.tif[compression=packbits]",
        "plain.tif[compression=none]",
        "interlaced.png[interlace]",
    ] {
        sources.push(shop.vips("copy", &plain, name, &[]));
    }
    let palette = shop.file("palette.tif");
    run("tiffmedian", &[path(&plain), path(&palette)]);
    sources.push(palette);
    sources
}

#[test]
fn an_empty_file_is_called_empty() {
    let shop = Workshop::new();
    let source = shop.file("empty.jpg");
    fs::write(&source, b"").unwrap();
    assert!(matches!(probe(&source, &Limits::default()), Err(MediaError::Empty)));
    assert!(matches!(pyramid_of(&source, &Limits::default()), Err(MediaError::Empty)));
}

#[test]
fn a_missing_file_is_named() {
    let error = probe(Path::new("/nowhere/picture.jpg"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/picture.jpg"), "{error}");
}

#[test]
fn what_is_no_picture_is_called_by_its_name() {
    let shop = Workshop::new();
    for (name, bytes, said) in [
        ("a.pdf", b"%PDF-1.7".as_slice(), "a file of the kind PDF"),
        ("a.jpg", b"\0\x01\x02", "a file of an unknown kind"),
    ] {
        let source = shop.file(name);
        fs::write(&source, bytes).unwrap();
        let error = probe(&source, &Limits::default()).unwrap_err();
        assert!(matches!(error, MediaError::Unsupported { .. }) && error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let shop = Workshop::new();
    for source in one_of_each(&shop) {
        let whole = fs::read(&source).unwrap();
        pyramid_of(&source, &Limits::default()).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        let cut = shop.file("cut");
        let last = essential_length(&source, &whole);
        for end in (1..40).map(|part| last * part / 40).chain([last - 1]) {
            fs::write(&cut, &whole[..end]).unwrap();
            let result = pyramid_of(&cut, &Limits::default());
            assert!(result.is_err(), "{source:?} cut at {end} of {} was accepted", whole.len());
        }
    }
}

/// Without the end of a file that no picture needs: what lies behind a GIF's first frame, the end marker of a JPEG.
fn essential_length(source: &Path, whole: &[u8]) -> usize {
    let has_more = source.extension().is_some_and(|extension| extension == "gif" || extension == "jpg");
    if has_more { whole.len() - 2 } else { whole.len() }
}

/// The same numbers every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn changed_bytes_neither_hang_nor_pass_the_limits() {
    let shop = Workshop::new();
    let limits = Limits { max_pixels: 4_000_000, max_memory: 64 << 20, ..Limits::default() };
    let mut numbers = Numbers(42);
    let changed = shop.file("changed");
    for source in one_of_each(&shop) {
        let whole = fs::read(&source).unwrap();
        for _ in 0..200 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(4) {
                // Headers are where the interesting numbers are.
                let within = if numbers.below(2) == 0 { bytes.len().min(200) } else { bytes.len() };
                let place = numbers.below(within);
                bytes[place] = [0, 0xff, 0x7f, 0x80, numbers.below(256) as u8][numbers.below(5)];
            }
            fs::write(&changed, &bytes).unwrap();
            if let Err(MediaError::Io { doing, source: error }) = pyramid_of(&changed, &limits) {
                panic!("{source:?}: blamed on the machine: cannot {doing}: {error}");
            }
            let _ = probe(&changed, &limits);
        }
    }
}

fn png_bomb(side: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(&header);
    bytes.extend(crc.sum().to_be_bytes());
    bytes.extend(b"\0\0\0\x0aIDAT");
    bytes
}

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A TIFF file of one directory, with these values of its tags, and `rest` behind it.
fn tiff(tags: &[(u16, u16, Vec<u32>)], rest: impl FnOnce(u32) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((tags.len() as u16).to_le_bytes());
    let mut behind = Vec::new();
    let start = 8 + 2 + 12 * tags.len() + 4;
    for (tag, kind, values) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend((values.len() as u32).to_le_bytes());
        if let [value] = values[..] {
            bytes.extend(value.to_le_bytes());
        } else {
            bytes.extend(((start + behind.len()) as u32).to_le_bytes());
            behind.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(behind);
    let place = bytes.len() as u32;
    bytes.extend(rest(place));
    bytes
}

/// A gray page of that size, compressed that way, in strips of `rows`, which all lie at the same place and are `length` long.
fn strips(size: (u32, u32), compression: u32, rows: u32, content: &[u8], length: u32) -> Vec<u8> {
    let count = size.1.div_ceil(rows) as usize;
    let tags = |place: u32| {
        [
            (256, LONG, vec![size.0]),
            (257, LONG, vec![size.1]),
            (258, SHORT, vec![8]),
            (259, SHORT, vec![compression]),
            (262, SHORT, vec![1]),
            (273, LONG, vec![place; count]),
            (278, LONG, vec![rows]),
            (279, LONG, vec![length; count]),
        ]
    };
    let place = tiff(&tags(0), |_| Vec::new()).len() as u32;
    tiff(&tags(place), |_| content.to_vec())
}

fn tiff_bomb(side: u32) -> Vec<u8> {
    strips((side, side), 1, side, &[], 100)
}

fn jpeg_bomb() -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01".to_vec();
    bytes.extend(b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0\xff\xd9");
    bytes
}

fn bmp_bomb(side: u32) -> Vec<u8> {
    let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bytes.extend(side.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(54 + 64, 0);
    bytes
}

fn webp_bomb() -> Vec<u8> {
    b"RIFF\x1c\0\0\0WEBPVP8L\x10\0\0\0\x2f\xfe\xbf\xff\x0f\0\0\0\0\0\0\0\0\0\0\0".to_vec()
}

fn gif_bomb() -> Vec<u8> {
    let mut bytes = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    bytes.extend(b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x4c\x01\0;");
    bytes
}

#[test]
fn pixel_bombs_are_refused_by_their_header() {
    let shop = Workshop::new();
    // What the format can say at most is less than 100,000 for some.
    let bombs: [(&str, Vec<u8>, u64); 6] = [
        ("bomb.png", png_bomb(100_000), 100_000),
        ("bomb.tif", tiff_bomb(100_000), 100_000),
        ("bomb.jpg", jpeg_bomb(), 65_535),
        ("bomb.bmp", bmp_bomb(60_000), 60_000),
        ("bomb.webp", webp_bomb(), 16_383),
        ("bomb.gif", gif_bomb(), 65_535),
    ];
    let limits = Limits { max_pixels: 100_000_000, ..Limits::default() };
    for (name, bytes, side) in bombs {
        let source = shop.file(name);
        fs::write(&source, bytes).unwrap();
        for error in [probe(&source, &limits).unwrap_err(), pyramid_of(&source, &limits).unwrap_err()] {
            let MediaError::TooLarge { width, height, limit } = error else { panic!("{name}: {error}") };
            assert_eq!((width, height, limit), (side, side, PixelLimit::Pixels(100_000_000)), "{name}");
        }
    }
}

#[test]
fn a_jpeg_strip_that_claims_more_than_its_tiff_is_refused() {
    let shop = Workshop::new();
    let mut bytes = tiff_bomb(64);
    let offset = bytes.len() as u32;
    bytes.extend(jpeg_bomb());
    let set = |bytes: &mut Vec<u8>, entry: usize, value: u32| {
        bytes[10 + entry * 12 + 8..][..4].copy_from_slice(&value.to_le_bytes());
    };
    set(&mut bytes, 3, 7);
    set(&mut bytes, 5, offset);
    let length = jpeg_bomb().len() as u32;
    set(&mut bytes, 7, length);
    let source = shop.file("strip.tif");
    fs::write(&source, bytes).unwrap();
    let error = pyramid_of(&source, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("65535 x 65535 pixels where 64 x 64 belong"), "{error}");
}

#[test]
fn a_webp_chunk_that_claims_more_than_its_file_is_refused() {
    let shop = Workshop::new();
    let plain = fs::read(shop.sample("красная.webp", 64)).unwrap();
    let canvas = b"VP8X\x0a\0\0\0\x20\0\0\0\x3f\0\0\x3f\0\0";
    for (claim, said) in [
        (b"ICCP\xf0\xff\xff\xff".as_slice(), "longer than"),
        (b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f", "16383 x 16383"),
    ] {
        let body = [b"WEBP".as_slice(), canvas, claim, &plain[12..]].concat();
        let bytes = [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat();
        let source = shop.file("claim.webp");
        fs::write(&source, bytes).unwrap();
        let error = probe(&source, &Limits { max_pixels: 1_000_000, ..Limits::default() }).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_stands_behind_a_webp_file_is_passed_over_and_cannot_claim_memory() {
    let shop = Workshop::new();
    let plain = fs::read(shop.sample("красная.webp", 64)).unwrap();
    let canvas = b"VP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x3f\0\0";
    let body = [b"WEBP".as_slice(), canvas, &plain[12..]].concat();
    let extended = [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat();
    let probed = |file: &[u8], behind: &[u8]| {
        let source = shop.file("behind.webp");
        fs::write(&source, [file, behind].concat()).unwrap();
        probe(&source, &Limits::default())
    };
    for file in [&plain, &extended] {
        let alone = probed(file, b"").unwrap();
        for behind in [b"\0".as_slice(), b"\r\n", b"junk behind it", &[0xff; 14], &[0; 4096]] {
            assert_eq!(probed(file, behind).unwrap(), alone, "{behind:?}");
        }
    }
    let error = probed(&extended, b"ICCP\xf0\xff\xff\xff and more").unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn a_gif_frame_that_is_larger_than_its_canvas_is_refused() {
    let shop = Workshop::new();
    let mut bytes = gif_bomb();
    bytes[6..10].copy_from_slice(&[16, 0, 16, 0]);
    let source = shop.file("frame.gif");
    fs::write(&source, bytes).unwrap();
    let error = pyramid_of(&source, &Limits::default()).unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { width: 65_535, height: 65_535, .. }), "{error}");
}

#[test]
fn every_limit_is_named_with_its_value() {
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 200);
    let refused = |limits: Limits| pyramid_of(&source, &limits).unwrap_err().to_string();
    let usual = Limits::default;
    assert!(
        refused(Limits { max_side: 150, ..usual() })
            .contains("200 x 150 pixels; at most 150 pixels are allowed on a side")
    );
    assert!(refused(Limits { max_pixels: 1000, ..usual() }).contains("at most 1000 pixels"));
    assert!(refused(Limits { max_source_bytes: 100, ..usual() }).contains("at most 100 are read"));
    assert!(refused(Limits { max_memory: 20_000, ..usual() }).contains("at most 20000 are given"));
}

#[test]
fn pictures_larger_than_the_memory_they_are_given_flow_through_it() {
    let shop = Workshop::new();
    let plain = shop.vips("resize", &shop.sample("синяя.jpg", 200), "plain.v", &["12"]);
    // 13 million samples.
    let limits = Limits { max_memory: 6 << 20, scratch: shop.file("scratch"), ..Limits::default() };
    let tiff = "tile,tile-width=128,tile-height=128,compression=deflate";
    for name in [
        "a.jpg[Q=80]".to_owned(),
        "a.png[compression=1]".to_owned(),
        "lzw.tif[compression=lzw]".to_owned(),
        "plain.tif[compression=none]".to_owned(),
        format!("tiled.tif[{tiff}]"),
    ] {
        let source = shop.vips("copy", &plain, &name, &[]);
        let info = pyramid_of(&source, &limits).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        assert_eq!(info.levels[0], (2400, 1800));
    }
    for (name, turn) in [("right.jpg", "6"), ("down.jpg", "3")] {
        let source = shop.file(name);
        run("vips", &["copy", path(&shop.file("a.jpg")), path(&source)]);
        let mut bytes = fs::read(&source).unwrap();
        bytes.splice(2..2, super::pyramids::exif(turn.parse().unwrap()));
        fs::write(&source, bytes).unwrap();
        pyramid_of(&source, &limits).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        assert_eq!(fs::read_dir(shop.file("scratch")).unwrap().count(), 0, "what was set aside is gone");
    }
    for name in ["whole.jpg[interlace]", "whole.png[interlace]"] {
        let error = pyramid_of(&shop.vips("copy", &plain, name, &[]), &limits).unwrap_err();
        assert!(matches!(error, MediaError::TooMuchMemory { .. }), "{error}");
    }
}

#[test]
fn a_cmyk_profile_that_is_none_is_refused_by_its_name() {
    let shop = Workshop::new();
    let file = shop.file("fallback.icc");
    assert!(read_cmyk_profile(&file).unwrap_err().to_string().contains("fallback.icc"));
    fs::write(&file, b"no profile").unwrap();
    assert!(read_cmyk_profile(&file).unwrap_err().to_string().contains("fallback.icc is not an ICC profile"));
}

#[test]
fn the_work_stops_when_asked() {
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 600);
    let asked = std::cell::Cell::new(0);
    let after_some = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let mut out = Cursor::new(Vec::new());
    let result = pyramid::write(&source, &mut out, &Options::default(), &Limits::default(), &after_some);
    assert!(matches!(result, Err(MediaError::Cancelled)));
}

#[test]
fn a_full_disk_is_reported_as_such() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl std::io::Seek for Full {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let shop = Workshop::new();
    let source = shop.sample("синяя.jpg", 200);
    let result = pyramid::write(&source, &mut Full, &Options::default(), &Limits::default(), &never);
    let Err(MediaError::Io { source, .. }) = result else { panic!("{result:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn a_profile_that_is_none_is_left_out_with_a_note() {
    let shop = Workshop::new();
    let jpeg = fs::read(shop.sample("Mug-01.jpg", 64)).unwrap();
    let at = jpeg.windows(12).position(|window| window == b"ICC_PROFILE\0").expect("the sample has a profile");
    let mut broken = jpeg;
    broken[at + 14..at + 160].fill(0xee);
    let source = shop.file("broken.jpg");
    fs::write(&source, broken).unwrap();
    let (made, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    assert_eq!(optimized.notes, [Note::ProfileLeftOut]);
    assert!(!run("tiffinfo", &[path(&made.pyramid)]).contains("ICC"));
}

fn gray_jpeg(width: u16, height: u16) -> Vec<u8> {
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height)).map(|number| (number % 251) as u8).collect();
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
    bytes
}

fn segment(code: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, code], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat()
}

/// `jpeg` with segments behind its first marker.
fn with_segments(jpeg: &[u8], segments: &[u8]) -> Vec<u8> {
    [&jpeg[..2], segments, &jpeg[2..]].concat()
}

/// A Photoshop document of 16 x 16 pixels with these image resources, and a layer with a mask of that frame's size, which has no
/// pixels.
fn photoshop(depth: u16, resources: &[u8], mask: (u32, u32)) -> Vec<u8> {
    let length = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes();
    let plane = 16 * 16 * usize::from(depth / 8);
    let frame =
        |top: i32, left: i32, bottom: i32, right: i32| [top, left, bottom, right].map(i32::to_be_bytes).concat();
    let left = (mask.0 / 2) as i32;
    let mask_frame = frame(0, -left, mask.1 as i32, (i64::from(mask.0) - i64::from(left)) as i32);
    let mut layers = [1_u16.to_be_bytes().to_vec(), frame(0, 0, 16, 16), 4_u16.to_be_bytes().to_vec()].concat();
    for (id, bytes) in [(0, plane + 2), (1, plane + 2), (2, plane + 2), (-2_i16, 2)] {
        layers.extend(id.to_be_bytes());
        layers.extend((bytes as u32).to_be_bytes());
    }
    layers.extend(b"8BIMnorm\xff\0\0\0");
    let extra = [&20_u32.to_be_bytes(), &mask_frame[..], &[0; 4], &[0; 4], b"\x01L\0\0"].concat();
    layers.extend([&length(&extra)[..], &extra].concat());
    for shade in [40, 80, 120] {
        layers.extend([0, 0]);
        layers.extend(vec![shade; plane]);
    }
    layers.extend([0, 0]);
    let section = [&length(&layers)[..], &layers, &[0; 4]].concat();
    let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x10\0\0\0\x10".to_vec();
    bytes.extend(depth.to_be_bytes());
    bytes.extend(b"\0\x03\0\0\0\0");
    bytes.extend([&length(resources)[..], resources, &length(&section), &section, &[0, 0]].concat());
    bytes.extend(vec![0x80; plane * 3]);
    bytes
}

fn resource(id: u16, data: &[u8]) -> Vec<u8> {
    [b"8BIM", &id.to_be_bytes()[..], &[0, 0], &(data.len() as u32).to_be_bytes(), data].concat()
}

fn layer_of(source: &Path, limits: &Limits, cancel: Cancel<'_>) -> Result<PyramidInfo, MediaError> {
    let layer = Some(LayerChoice { number: 1, extended: false });
    let options = Options { tile: 64, layer, ..Options::default() };
    pyramid::write(source, &mut Cursor::new(Vec::new()), &options, limits, cancel)
}

#[test]
fn the_mask_of_a_layer_is_held_against_the_limits_of_pictures() {
    let shop = Workshop::new();
    let source = shop.file("mask.psd");
    for depth in [8, 16] {
        fs::write(&source, photoshop(depth, &[], (4_294_967_294, 16))).unwrap();
        assert_eq!(layers(&source, &Limits::default(), &never).unwrap().layers.len(), 1);
        let error = layer_of(&source, &Limits::default(), &never).unwrap_err();
        assert!(matches!(error, MediaError::TooLarge { width: 4_294_967_294, height: 16, .. }), "{error}");
        // One that may be as large as that may not be all the memory there is.
        fs::write(&source, photoshop(depth, &[], (60_000, 16))).unwrap();
        let limits = Limits { max_memory: 100_000, ..Limits::default() };
        let error = layer_of(&source, &limits, &never).unwrap_err();
        assert!(matches!(error, MediaError::TooMuchMemory { limit: 100_000, .. }), "{error}");
        let error = layer_of(&source, &Limits::default(), &never).unwrap_err();
        assert!(matches!(error, MediaError::Truncated { .. }), "{error}");
    }
}

#[test]
fn image_resources_have_a_number_and_are_no_reason_not_to_stop() {
    let shop = Workshop::new();
    let source = shop.file("resources.psd");
    let resources = |count: usize, data: &[u8]| resource(1, data).repeat(count);
    fs::write(&source, photoshop(8, &resources(10_000, b""), (16, 16))).unwrap();
    assert_eq!(probe(&source, &Limits::default()).unwrap().width, 16);
    fs::write(&source, photoshop(8, &resources(10_001, b""), (16, 16))).unwrap();
    let error = probe(&source, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("more than 10000 image resources"), "{error}");
    // Each piece of the file is a question.
    fs::write(&source, photoshop(8, &resources(10_000, &[7; 100]), (16, 16))).unwrap();
    let asked = Cell::new(0);
    let third = || {
        asked.set(asked.get() + 1);
        asked.get() >= 3
    };
    assert!(matches!(layers(&source, &Limits::default(), &third), Err(MediaError::Cancelled)));
    assert!(asked.get() <= 4, "{} questions", asked.get());
}

#[test]
fn a_jpeg_header_holds_what_it_can_hold() {
    let shop = Workshop::new();
    let source = shop.file("header.jpg");
    let jpeg = gray_jpeg(64, 64);
    let made = |segments: &[u8]| {
        fs::write(&source, with_segments(&jpeg, segments)).unwrap();
        let mut out = Cursor::new(Vec::new());
        let options = Options { tile: 64, ..Options::default() };
        pyramid::write(&source, &mut out, &options, &Limits::default(), &never).map(|_| out.into_inner())
    };
    let plain = made(&[]).unwrap();
    let table = [&[0][..], &[9; 64]].concat();
    for (name, segments) in [
        ("tables come again", segment(0xdb, &table.repeat(1000)).repeat(10)),
        (
            "remarks and unknown segments",
            [segment(0xfe, &[1; 60_000]), segment(0xeb, &[2; 60_000])].concat().repeat(20),
        ),
        ("previews and histories", [segment(0xe1, &[3; 500]), segment(0xed, &[4; 500])].concat().repeat(2000)),
    ] {
        assert!(made(&segments).unwrap() == plain, "{name}");
    }
    for (segments, said) in [
        (segment(0xe2, b"MPF\0").repeat(10_001), "more than 10000 segments"),
        (segment(0xdb, &table.repeat(1000)).repeat(17), "its tables have more than 1048576 bytes"),
        (segment(0xdb, &[0x29; 65]), "of a kind that there is not"),
        (segment(0xdb, &[0x00; 64]), "breaks off"),
    ] {
        let error = made(&segments).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn segments_of_a_profile_count_once() {
    let shop = Workshop::new();
    let source = shop.file("profile.jpg");
    let jpeg = fs::read(shop.sample("Mug-01.jpg", 64)).unwrap();
    let at = jpeg.windows(12).position(|window| window == b"ICC_PROFILE\0").expect("the sample has a profile") - 4;
    let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    let profile = &jpeg[at..at + length];
    let (_, usual) = shop.optimize(&shop.sample("Mug-01.jpg", 64), &Options::default()).unwrap();
    fs::write(&source, with_segments(&jpeg, profile)).unwrap();
    let (_, twice) = shop.optimize(&source, &Options::default()).unwrap();
    assert!(usual.notes.is_empty(), "{:?}", usual.notes);
    assert_eq!(twice.notes, [Note::ProfileLeftOut]);
}

#[test]
fn a_progressive_stream_is_rid_of_what_no_pixel_depends_on() {
    let shop = Workshop::new();
    let plain = fs::read(shop.vips("copy", &shop.sample("синяя.jpg", 64), "plain.jpg[interlace]", &[])).unwrap();
    let scan = plain.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let xmp = segment(0xe1, &[&b"http://ns.adobe.com/xmp/extension/\0"[..], &[0x41; 40], &[5; 60_000]].concat());
    let pixels = |bytes: &[u8]| {
        let source = shop.file("progressive.jpg");
        fs::write(&source, bytes).unwrap();
        let mut out = Cursor::new(Vec::new());
        pyramid::write(&source, &mut out, &Options::default(), &Limits::default(), &never).map(|_| out.into_inner())
    };
    let between = [&plain[..scan], &xmp.repeat(20), &plain[scan..]].concat();
    assert!(pixels(&between).unwrap() == pixels(&plain).unwrap());
    let commented = [&plain[..scan], &segment(0xfe, b"!").repeat(10_001), &plain[scan..]].concat();
    assert!(pixels(&commented).unwrap() == pixels(&plain).unwrap(), "each is as short as it is passed over");
    // Behind the last bit of the last number.
    let scans = plain[scan..plain.len() - 2].repeat(65);
    assert!(pixels(&[&plain[..scan], &scans, &[0xff, 0xd9]].concat()).unwrap() == pixels(&plain).unwrap());
}

/// Each number of a gray block in a scan of its own, and then once more for its last bit: 127 scans that follow from each other.
#[test]
fn a_progressive_stream_has_so_many_scans() {
    let shop = Workshop::new();
    let with_scans = |count: usize| {
        let one_code = |class: u8| segment(0xc4, &[&[class, 1][..], &[0; 15], &[0]].concat());
        let scan = |first: u8, last: u8, bits: u8| [segment(0xda, &[1, 1, 0, first, last, bits]), vec![0x7f]].concat();
        let mut stream = vec![0xff, 0xd8];
        stream.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
        stream.extend(segment(0xc2, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]));
        stream.extend([one_code(0), one_code(0x10)].concat());
        stream.extend(scan(0, 0, 0x00));
        let (begun, ended) = ((1..64).map(|at| scan(at, at, 0x01)), (1..64).map(|at| scan(at, at, 0x10)));
        stream.extend(begun.chain(ended).take(count - 1).flatten());
        stream.extend([0xff, 0xd9]);
        let source = shop.file("scans.jpg");
        fs::write(&source, stream).unwrap();
        pyramid_of(&source, &Limits::default()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with_scans(64), Ok(()));
    assert!(with_scans(65).unwrap_err().contains("more than 64 scans"));
}

#[test]
fn restart_markers_without_data_are_damage() {
    let shop = Workshop::new();
    let jpeg = gray_jpeg(64, 64);
    let scan = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let data = scan + 2 + usize::from(u16::from_be_bytes([jpeg[scan + 2], jpeg[scan + 3]]));
    let source = shop.file("restarts.jpg");
    fs::write(&source, [&jpeg[..data], &b"\xff\xd0".repeat(100_000), &jpeg[data..]].concat()).unwrap();
    let error = pyramid_of(&source, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("no data between them"), "{error}");
}

#[test]
fn a_jpeg_chunk_has_the_size_of_its_place() {
    let shop = Workshop::new();
    let source = shop.file("strips.tif");
    const JPEG: u32 = 7;
    let made = |rows: u32, size: (u16, u16)| {
        let jpeg = gray_jpeg(size.0, size.1);
        fs::write(&source, strips((64, 64), JPEG, rows, &jpeg, jpeg.len() as u32)).unwrap();
        pyramid_of(&source, &Limits::default())
    };
    for (rows, size) in [(64, (64, 64)), (16, (64, 16)), (8, (64, 16)), (1, (64, 1)), (1, (64, 2))] {
        made(rows, size).unwrap_or_else(|error| panic!("{rows} {size:?}: {error}"));
    }
    for (rows, size) in [(1, (64, 64)), (1, (96, 1)), (16, (64, 48)), (1, (64, 32)), (8, (64, 24))] {
        let error = made(rows, size).unwrap_err().to_string();
        let said = format!("has {} x {} pixels where 64 x {rows} belong", size.0, size.1);
        assert!(error.contains(&said), "{error}");
    }
}

#[test]
fn chunks_share_bytes_within_bounds() {
    let shop = Workshop::new();
    let source = shop.file("shared.tif");
    const DEFLATE: u32 = 8;
    let mut row = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    row.write_all(&[77; 16]).unwrap();
    let row = row.finish().unwrap();
    fs::write(&source, strips((16, 1000), DEFLATE, 1, &row, row.len() as u32)).unwrap();
    pyramid_of(&source, &Limits::default()).expect("blank strips may be one");
    let long = [row, vec![0; 300_000]].concat();
    fs::write(&source, strips((16, 1000), DEFLATE, 1, &long, long.len() as u32)).unwrap();
    let error = pyramid_of(&source, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("many times the"), "{error}");
}

#[test]
fn tiles_reach_beyond_a_page_within_bounds() {
    let shop = Workshop::new();
    let source = shop.file("tiles.tif");
    let made = |size: (u32, u32), tile: (u32, u32), count: usize| {
        let tags = [
            (256, LONG, vec![size.0]),
            (257, LONG, vec![size.1]),
            (258, SHORT, vec![8]),
            (259, SHORT, vec![8]),
            (262, SHORT, vec![1]),
            (322, LONG, vec![tile.0]),
            (323, LONG, vec![tile.1]),
            (324, LONG, vec![8; count]),
            (325, LONG, vec![100; count]),
        ];
        fs::write(&source, tiff(&tags, |_| vec![0; 100])).unwrap();
        pyramid_of(&source, &Limits::default()).unwrap_err()
    };
    let error = made((16, 16), (4_294_967_280, 16), 1);
    assert!(matches!(error, MediaError::TooLarge { width: 4_294_967_280, .. }), "{error}");
    let error = made((16, 65_520), (65_520, 16), 4095).to_string();
    assert!(error.contains("with what reaches beyond it; at most 1000000000 are decoded"), "{error}");
}

#[test]
fn bits_from_the_last_to_the_first_are_turned_round() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 64);
    let (gray, deep) = (shop.file("gray.tif"), shop.file("deep.tif"));
    run("convert", &[path(&plain), "-threshold", "50%", "-type", "bilevel", "-depth", "1", path(&gray)]);
    run("convert", &[path(&plain), "-depth", "16", "-define", "tiff:endian=msb", path(&deep)]);
    let tiled = shop.vips("copy", &plain, "tiled.tif[tile,tile-width=32,tile-height=32]", &[]);
    let pyramid = |source: &Path| {
        let mut out = Cursor::new(Vec::new());
        let made = pyramid::write(source, &mut out, &Options::default(), &Limits::default(), &never);
        made.unwrap_or_else(|error| panic!("{source:?}: {error}"));
        out.into_inner()
    };
    for (source, compressions) in [
        (&plain, &["none", "lzw", "zip", "packbits"][..]),
        (&deep, &["none", "lzw"]),
        (&gray, &["none", "g4", "packbits"]),
        (&tiled, &["none", "zip"]),
    ] {
        let expected = pyramid(source);
        for compression in compressions {
            let turned = shop.file("turned.tif");
            run("tiffcp", &["-f", "lsb2msb", "-c", compression, path(source), path(&turned)]);
            assert!(run("tiffinfo", &[path(&turned)]).contains("FillOrder: lsb-to-msb"));
            assert!(pyramid(&turned) == expected, "{source:?} {compression}");
        }
    }
    // JPEG has an order of its own.
    let (jpeg, turned) = (shop.file("j.tif"), shop.file("jt.tif"));
    run("tiffcp", &["-c", "jpeg", path(&plain), path(&jpeg)]);
    run("tiffcp", &["-f", "lsb2msb", "-c", "jpeg", path(&plain), path(&turned)]);
    assert!(pyramid(&turned) == pyramid(&jpeg));
    let mut odd = strips((16, 16), 1, 16, &[0; 256], 256);
    let entry = odd.windows(2).position(|tag| tag == 278_u16.to_le_bytes()).unwrap();
    odd[entry..entry + 2].copy_from_slice(&266_u16.to_le_bytes());
    fs::write(&turned, odd).unwrap();
    let error = pyramid_of(&turned, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("bits in an order (16) that is unknown"), "{error}");
}

#[test]
fn whenever_it_is_told_to_stop_it_stops_and_calls_nothing_damaged() {
    let shop = Workshop::new();
    let source = shop.file("layer.psd");
    fs::write(&source, photoshop(8, &resource(1, &[7; 100]).repeat(5000), (0, 0))).unwrap();
    let large = shop.vips("copy", &shop.sample("синяя.jpg", 600), "large.png[compression=0]", &[]);
    let jpegs = shop.vips("copy", &large, "jpegs.tif[compression=jpeg,tile,tile-width=64,tile-height=64]", &[]);
    let mut sources = one_of_each(&shop);
    sources.extend([source.clone(), large, jpegs]);
    for source in sources {
        let is_layer = source.extension().is_some_and(|extension| extension == "psd");
        let mut stops = 0;
        for most in 0.. {
            let asked = Cell::new(0);
            let later = || {
                asked.set(asked.get() + 1);
                asked.get() > most
            };
            let made = if is_layer {
                layer_of(&source, &Limits::default(), &later)
            } else {
                let options = Options { tile: 64, ..Options::default() };
                pyramid::write(&source, &mut Cursor::new(Vec::new()), &options, &Limits::default(), &later)
            };
            match made {
                Ok(_) => break,
                Err(MediaError::Cancelled) => stops += 1,
                Err(error) => panic!("{source:?} after {most} questions: {error}"),
            }
            // Tags that may be damaged are passed over one by one.
            assert!(asked.get() <= most + 20, "{source:?}: it went on after question {most}");
        }
        assert!(stops > 2, "{source:?} asks only {stops} times");
    }
}

#[test]
fn chunks_and_blocks_have_a_number() {
    let shop = Workshop::new();
    let source = shop.file("many");
    let canvas = b"VP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x3f\0\0";
    let riff = |body: &[u8], length: usize| {
        let said = ((4 + canvas.len() + length) as u32).to_le_bytes();
        [b"RIFF".as_slice(), &said, b"WEBP", canvas, body].concat()
    };
    let chunks = b"JUNK\0\0\0\0".repeat(100_001);
    let profile = [&b"ICCP"[..], &(65_u32 << 20).to_le_bytes()].concat();
    let mut gif = b"GIF89a\x10\0\x10\0\0\0\0!\xfe".to_vec();
    gif.extend(b"\x01!".repeat(4_000_001));
    for (bytes, length, said) in [
        (riff(&chunks, chunks.len()), 0, "more than 100000 chunks"),
        (riff(&profile, (65 << 20) + 8), 70 << 20, "a chunk beside its pixels has 68157440 bytes"),
        (gif, 0, "in more than 4000000 pieces"),
    ] {
        fs::write(&source, &bytes).unwrap();
        if length > 0 {
            fs::File::options().write(true).open(&source).unwrap().set_len(length).unwrap();
        }
        let error = probe(&source, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_profile_that_unpacks_without_end_is_left_out_with_a_note() {
    let shop = Workshop::new();
    let mut packed = flate2::write::ZlibEncoder::new(b"a\0\0".to_vec(), flate2::Compression::best());
    for _ in 0..65 {
        packed.write_all(&[0; 1 << 20]).unwrap();
    }
    let chunk = [b"iCCP".as_slice(), &packed.finish().unwrap()].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    let plain = fs::read(shop.sample("商品-001.png", 64)).unwrap();
    const HEADER: usize = 33;
    let source = shop.file("profile.png");
    let bytes = [&plain[..HEADER], &length, &chunk, &crc.sum().to_be_bytes(), &plain[HEADER..]].concat();
    fs::write(&source, bytes).unwrap();
    // Packed it has some 70 kB.
    assert!(fs::metadata(&source).unwrap().len() < 200_000);
    let (_, optimized) = shop.optimize(&source, &Options::default()).unwrap();
    assert_eq!(optimized.notes, [Note::ProfileLeftOut]);
}

#[test]
fn what_pictures_say_of_themselves_has_bounds() {
    let shop = Workshop::new();
    let source = shop.file("said.jpg");
    let jpeg = gray_jpeg(16, 16);
    let said = |segments: &[u8]| {
        fs::write(&source, with_segments(&jpeg, segments)).unwrap();
        metadata::metadata(&source, Format::Jpeg)
    };
    let set = |number: u8, value: &[u8]| [&[0x1c, 2, number, 0, value.len() as u8], value].concat();
    let resources = |sets: &[u8]| {
        let all = resource(1028, sets);
        all.chunks(60_000).flat_map(|part| segment(0xed, &[b"Photoshop 3.0\0", part].concat())).collect::<Vec<u8>>()
    };
    for (count, is_seen) in [(9_999, true), (10_000, false)] {
        let sets = [set(25, b"again").repeat(count), set(105, b"at the end")].concat();
        let Metadata { fields, left_out } = said(&resources(&sets)).unwrap();
        assert_eq!(left_out.contains(&LeftOut::ManyValues), !is_seen);
        assert_eq!(fields["dc.subject"], ["again"]);
        assert_eq!(fields.contains_key("photoshop.Headline"), is_seen, "{count}");
    }
    let part = segment(0xed, &[b"Photoshop 3.0\0".as_slice(), &[0; 65_000]].concat());
    let error = said(&part.repeat(259)).unwrap_err().to_string();
    assert!(error.contains("more than 16777216 bytes"), "{error}");
}

#[test]
fn an_exif_directory_that_leads_to_itself_is_read_once() {
    let shop = Workshop::new();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let mut block = b"Exif\0\0II*\0\x08\0\0\0".to_vec();
    // An orientation, and texts that are all zeros and as long as the block, each a list of texts without end.
    block.extend(5000_u16.to_le_bytes());
    block.extend(entry(274, SHORT, 1, 6));
    block.extend(entry(270, 2, 60_000, 8).repeat(4999));
    block.extend(8_u32.to_le_bytes());
    let source = shop.file("turned.jpg");
    fs::write(&source, with_segments(&gray_jpeg(32, 16), &segment(0xe1, &block))).unwrap();
    let picture = probe(&source, &Limits::default()).unwrap();
    assert_eq!((picture.width, picture.height, picture.orientation), (16, 32, Orientation::QuarterRight));
}

#[test]
fn an_archive_of_nothing_is_not_unpacked_for_ever() {
    let shop = Workshop::new();
    let source = shop.file("nothing.tar.gz");
    let empty = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()).finish().unwrap();
    let limits =
        archive::Limits { max_files: 10, max_depth: 10, max_bytes: 1 << 30, max_member_bytes: 1 << 30, max_ratio: 100 };
    let asked = Cell::new(0);
    let third = || {
        asked.set(asked.get() + 1);
        asked.get() >= 3
    };
    let stopped = |kind| {
        asked.set(0);
        let listed = archive::list(fs::File::open(&source).unwrap(), kind, &limits, archive::Naming::default(), &third);
        assert!(matches!(listed, Err(archive::ArchiveError::Stopped)), "{listed:?}");
        assert!(asked.get() <= 5, "{} questions", asked.get());
    };
    fs::write(&source, empty.repeat(60_000)).unwrap();
    stopped(archive::Kind::TarGz);
    let mut file = fs::File::open(&source).unwrap();
    assert_eq!(archive::kind(&mut file, Format::Gz).unwrap(), None, "its beginning has no end");
    // Names of members that do not come.
    let mut header = [0; 512];
    header[..13].copy_from_slice(b"././@LongLink");
    header[124..135].copy_from_slice(b"00000000001");
    header[156] = b'L';
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut name = [0; 512];
    name[0] = b'a';
    fs::write(&source, [header, name].concat().repeat(1000)).unwrap();
    stopped(archive::Kind::Tar);
}
