//! Empty, cut, changed and exaggerating files: each is an error in words, soon, and within the limits.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

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

/// Without the end of a file that no picture needs: what lies behind a GIF's first frame.
fn essential_length(source: &Path, whole: &[u8]) -> usize {
    if source.extension().is_some_and(|extension| extension == "gif") { whole.len() - 2 } else { whole.len() }
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

fn tiff_bomb(side: u32) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x08\0".to_vec();
    let entries: [(u16, u16, u32, u32); 8] = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (278, 4, 1, side),
        (279, 4, 1, 100),
    ];
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
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
    let error = pyramid_of(&source, &Limits::default()).unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { width: 65_535, .. }), "{error}");
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
