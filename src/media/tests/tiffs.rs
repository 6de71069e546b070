//! TIFF of all makes: what the samples of a page mean, whatever they are packed in.
//!
//! Pages are written here as plain as can be, from values that are known; libtiff packs them anew; and what is read must be the values.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::decode::{Pixels as Decoded, decode};
use super::super::raster::Layout;
use super::super::*;
use super::support::*;

const WIDTH: u32 = 37;
const HEIGHT: u32 = 29;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Depth {
    Unsigned(u32),
    Float(u32),
}

#[derive(Debug, Clone)]
struct Page {
    photometric: u32,
    colors: u32,
    depth: Depth,
    /// What is said of each sample behind the colours.
    extra: Vec<u32>,
    is_planar: bool,
    is_little: bool,
}

/// From 0 to 1, with all there is at both ends.
fn value(x: u32, y: u32, sample: u32) -> f64 {
    f64::from((x * 7 + y * 13 + sample * 29 + x * y) % 101) / 100.0
}

impl Page {
    fn samples(&self) -> u32 {
        self.colors + self.extra.len() as u32
    }

    /// As it is stored: a whole number, or the bits of one that is not.
    fn stored(&self, value: f64) -> u64 {
        match self.depth {
            Depth::Unsigned(bits) => (value * ((1_u64 << bits) - 1) as f64).round() as u64,
            Depth::Float(16) => half(value),
            Depth::Float(32) => (value as f32).to_bits().into(),
            Depth::Float(_) => value.to_bits(),
        }
    }

    /// What is to be seen of it in 8 bits.
    fn seen(&self, value: f64) -> u8 {
        match self.depth {
            Depth::Unsigned(bits) => {
                let most = ((1_u64 << bits) - 1) as f64;
                ((value * most).round() * 255.0 / most).round() as u8
            }
            Depth::Float(16) => (of_half(half(value)) * 255.0).round() as u8,
            Depth::Float(32) => (f64::from(value as f32) * 255.0).round() as u8,
            Depth::Float(_) => (value * 255.0).round() as u8,
        }
    }

    fn bits(&self) -> u32 {
        match self.depth {
            Depth::Unsigned(bits) | Depth::Float(bits) => bits,
        }
    }

    fn write(&self, to: &Path) {
        let samples = self.samples();
        let planes: Vec<Vec<u32>> = if self.is_planar {
            (0..samples).map(|sample| vec![sample]).collect()
        } else {
            vec![(0..samples).collect()]
        };
        let mut pixels = Vec::new();
        let mut strips = Vec::new();
        for plane in &planes {
            let start = pixels.len();
            for y in 0..HEIGHT {
                let stored = (0..WIDTH).flat_map(|x| plane.iter().map(move |sample| self.stored(value(x, y, *sample))));
                pixels.extend(self.packed(stored));
            }
            strips.push((start as u32, (pixels.len() - start) as u32));
        }
        let format = if matches!(self.depth, Depth::Float(_)) { 3 } else { 1 };
        let mut tags = vec![
            (256, vec![WIDTH]),
            (257, vec![HEIGHT]),
            (258, vec![self.bits(); samples as usize]),
            (259, vec![1]),
            (262, vec![self.photometric]),
            (273, vec![0; strips.len()]),
            (277, vec![samples]),
            (278, vec![HEIGHT]),
            (279, strips.iter().map(|(_, length)| *length).collect()),
            (284, vec![if self.is_planar { 2 } else { 1 }]),
        ];
        if self.photometric == 5 {
            tags.push((332, vec![1]));
        }
        if !self.extra.is_empty() {
            tags.push((338, self.extra.clone()));
        }
        tags.push((339, vec![format; samples as usize]));
        fs::write(to, file(self.is_little, tags, &strips, &pixels)).unwrap();
    }

    /// A row.
    fn packed(&self, stored: impl Iterator<Item = u64>) -> Vec<u8> {
        let bits = self.bits();
        if bits.is_multiple_of(8) {
            let bytes = bits as usize / 8;
            let word = |value: u64| match self.is_little {
                true => value.to_le_bytes()[..bytes].to_vec(),
                false => value.to_be_bytes()[8 - bytes..].to_vec(),
            };
            return stored.flat_map(word).collect();
        }
        let digits: String = stored.map(|value| format!("{value:0width$b}", width = bits as usize)).collect();
        let byte =
            |digits: &[u8]| digits.iter().enumerate().fold(0, |byte, (at, digit)| byte | (digit - b'0') << (7 - at));
        digits.as_bytes().chunks(8).map(byte).collect()
    }

    /// The layout that it is read as, and which of the stored samples that has.
    fn used(&self) -> (Layout, Vec<u32>) {
        let alpha = self.extra.iter().position(|kind| matches!(kind, 1 | 2)).map(|at| self.colors + at as u32);
        let layout = match (self.colors, alpha.is_some()) {
            (1, false) => Layout::Gray,
            (1, true) => Layout::GrayAlpha,
            (3, false) => Layout::Rgb,
            (3, true) => Layout::Rgba,
            (_, false) => Layout::Cmyk,
            (_, true) => Layout::CmykAlpha,
        };
        (layout, (0..self.colors).chain(alpha).collect())
    }

    fn check(&self, from: &Path, what: &str) {
        let (layout, used) = self.used();
        let (found, pixels, notes) = read(from).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, layout, "{what}");
        let left_out = self.samples() - used.len() as u32;
        let said =
            notes.iter().find_map(|note| if let Note::ChannelsLeftOut(count) = note { Some(*count) } else { None });
        assert_eq!(said.unwrap_or(0), left_out, "{what}");
        let is_inverted = self.photometric == 0;
        let is_premultiplied = self.extra.contains(&1);
        let expected = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).flat_map(|(x, y)| {
            let mut pixel: Vec<u8> = used.iter().map(|sample| self.seen(value(x, y, *sample))).collect();
            if is_inverted {
                pixel[0] = !pixel[0];
            }
            if is_premultiplied {
                let (colors, alpha) = pixel.split_at_mut(layout.samples() - 1);
                let divided = |color: u8| (f64::from(color) * 255.0 / f64::from(alpha[0])).round().min(255.0) as u8;
                colors.iter_mut().filter(|_| alpha[0] > 0).for_each(|color| *color = divided(*color));
            }
            pixel
        });
        let wrong = expected.zip(&pixels).position(|(expected, found)| expected != *found);
        assert_eq!(wrong, None, "{what}: sample {wrong:?} is another ({} samples)", pixels.len());
        assert_eq!(pixels.len(), (WIDTH * HEIGHT) as usize * layout.samples(), "{what}");
    }
}

/// IEEE 754 binary16, of numbers from 0 to 1: rounded to the nearest.
fn half(value: f64) -> u64 {
    if value == 0.0 {
        return 0;
    }
    let exponent = value.log2().floor().max(-14.0);
    let fraction = (value / exponent.exp2() - 1.0) * 1024.0;
    (((exponent + 15.0) as u64) << 10) + fraction.round() as u64
}

fn of_half(bits: u64) -> f64 {
    let (exponent, fraction) = (bits >> 10, (bits & 1023) as f64 / 1024.0);
    if bits == 0 { 0.0 } else { (1.0 + fraction) * (exponent as f64 - 15.0).exp2() }
}

const SHORTS: [u16; 11] = [258, 259, 262, 277, 284, 332, 338, 339, 530, 320, 254];

/// A TIFF file of one page whose strips lie behind its directory.
fn file(is_little: bool, mut tags: Vec<(u16, Vec<u32>)>, strips: &[(u32, u32)], pixels: &[u8]) -> Vec<u8> {
    let short = |value: u16| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let width = |tag: u16| if SHORTS.contains(&tag) { 2 } else { 4 };
    let behind = 8 + 2 + 12 * tags.len() + 4;
    let beside =
        |(tag, values): &(u16, Vec<u32>)| if values.len() * width(*tag) > 4 { values.len() * width(*tag) } else { 0 };
    let start = (behind + tags.iter().map(beside).sum::<usize>()) as u32;
    let offsets = tags.iter_mut().find(|(tag, _)| *tag == 273).unwrap();
    offsets.1 = strips.iter().map(|(at, _)| start + at).collect();
    let mut bytes = if is_little { b"II*\0\x08\0\0\0".to_vec() } else { b"MM\0*\0\0\0\x08".to_vec() };
    bytes.extend(short(tags.len() as u16));
    let mut values = Vec::new();
    for (tag, numbers) in &tags {
        bytes.extend(short(*tag));
        bytes.extend(short(if width(*tag) == 2 { 3 } else { 4 }));
        bytes.extend(long(numbers.len() as u32));
        let written: Vec<u8> = match width(*tag) {
            2 => numbers.iter().flat_map(|number| short(*number as u16)).collect(),
            _ => numbers.iter().flat_map(|number| long(*number)).collect(),
        };
        if written.len() > 4 {
            bytes.extend(long((behind + values.len()) as u32));
            values.extend(written);
        } else {
            bytes.extend(&written);
            bytes.extend(vec![0; 4 - written.len()]);
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(values);
    bytes.extend(pixels);
    bytes
}

fn read(from: &Path) -> Result<(Layout, Vec<u8>, Vec<Note>), MediaError> {
    let limits = Limits::default();
    let (decoded, remarks) = decode(&from.into(), &limits, &never)?;
    let Decoded::Flow(mut rows) = decoded.pixels else { panic!("TIFF comes as a flow") };
    let (mut pixels, layout) = (Vec::new(), rows.layout());
    loop {
        let band = rows.read(5)?;
        if band.is_empty() {
            return Ok((layout, pixels, [decoded.picture.notes, remarks.notes()].concat()));
        }
        pixels.extend_from_slice(&band);
    }
}

fn pages() -> Vec<Page> {
    let depths = |is_gray: bool| {
        let all = [1, 2, 4, 8, 12, 16, 32].map(Depth::Unsigned);
        let all = all.into_iter().chain([16, 32, 64].map(Depth::Float));
        all.filter(move |depth| is_gray || !matches!(depth, Depth::Unsigned(1 | 2 | 4)))
    };
    let extras = [&[][..], &[0], &[2], &[1], &[2, 0], &[0, 0, 2]];
    let mut pages = Vec::new();
    for (photometric, colors) in [(1, 1), (0, 1), (2, 3), (5, 4)] {
        for (depth, extra) in depths(colors == 1).flat_map(|depth| extras.map(|extra| (depth, extra))) {
            for is_planar in [false, true] {
                for is_little in [true, false] {
                    pages.push(Page { photometric, colors, depth, extra: extra.to_vec(), is_planar, is_little });
                }
            }
        }
    }
    pages.retain(|page| !page.is_planar || page.samples() > 1);
    pages
}

/// How libtiff packs a page, if it can.
fn packings(page: &Page) -> Vec<Vec<&'static str>> {
    let (lzw, zip) = match page.depth {
        Depth::Unsigned(8 | 16 | 32) => ("lzw:2", "zip:2"),
        // With the other byte order libtiff 4.5 takes the bytes of numbers the other way round, unlike Adobe's note and programs.
        Depth::Float(_) if page.is_little => ("lzw:3", "zip:3"),
        _ => ("lzw", "zip"),
    };
    let mut packings = vec![vec!["-c", "none", "-r", "7"], vec!["-c", "packbits", "-r", "70"]];
    packings.extend(["lzw", lzw].map(|lzw| vec!["-c", lzw, "-r", "70"]));
    packings.extend(["zip", zip].map(|zip| vec!["-c", zip, "-r", "3"]));
    // Tiles of planes libtiff 4.5 spoils while it writes them, unless nothing has to be changed in them.
    if page.bits().is_multiple_of(8) && (!page.is_planar || page.bits() == 8) {
        let tiled = if page.is_planar { "zip" } else { zip };
        packings.push(vec!["-c", tiled, "-t", "-w", "16", "-l", "32"]);
    }
    packings.push(vec!["-c", "lzw", "-f", "lsb2msb", "-r", "7"]);
    if page.bits() == 1 && page.samples() == 1 {
        packings.extend(["g3", "g3:1d", "g3:2d", "g3:2d:fill", "g3:fill", "g4"].map(|fax| vec!["-c", fax, "-r", "11"]));
        packings.push(vec!["-c", "g4", "-f", "lsb2msb"]);
    }
    packings
}

/// Each so many-th of all ways to store a page.
fn check_matrix(every: usize) {
    let shop = Workshop::new();
    let (plain, packed) = (shop.file("plain.tif"), shop.file("packed.tif"));
    let (mut count, mut checked) = (0, 0);
    for page in pages() {
        page.write(&plain);
        page.check(&plain, &format!("{page:?}"));
        for packing in packings(&page) {
            count += 1;
            if count % every != 0 {
                continue;
            }
            let order = if page.is_little { "-L" } else { "-B" };
            run("tiffcp", &[&packing[..], &[order, path(&plain), path(&packed)]].concat());
            page.check(&packed, &format!("{page:?} {packing:?}"));
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} of {count}");
}

#[test]
fn samples_are_what_they_are_whatever_they_are_packed_in() {
    check_matrix(17);
}

/// Some minutes: `cargo test --lib every_way_to_pack_samples -- --ignored`.
#[test]
#[ignore = "the whole of what the test above does a part of"]
fn every_way_to_pack_samples() {
    check_matrix(1);
}

#[test]
fn luma_and_chroma_outside_jpeg_are_read_as_libtiff_reads_them() {
    let shop = Workshop::new();
    let (source, rgba) = (shop.file("ycc.tif"), shop.file("rgba.tif"));
    let (width, height) = (44_u32, 36_u32);
    for (across, down) in [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2)] {
        let mut pixels = Vec::new();
        for (block_y, block_x) in
            (0..height.div_ceil(down)).flat_map(|y| (0..width.div_ceil(across)).map(move |x| (y, x)))
        {
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                pixels.push(((block_x * across + x) * 5 + (block_y * down + y) * 2) as u8);
            }
            pixels.extend([(block_x * across * 4) as u8 + 40, 200 - (block_y * down * 4) as u8]);
        }
        let tags = vec![
            (256, vec![width]),
            (257, vec![height]),
            (258, vec![8; 3]),
            (259, vec![1]),
            (262, vec![6]),
            (273, vec![0]),
            (277, vec![3]),
            (278, vec![height]),
            (279, vec![pixels.len() as u32]),
            (530, vec![across, down]),
        ];
        fs::write(&source, file(true, tags, &[(0, pixels.len() as u32)], &pixels)).unwrap();
        run("tiff2rgba", &["-c", "none", path(&source), path(&rgba)]);
        let (layout, found, _) = read(&source).unwrap_or_else(|error| panic!("{across} x {down}: {error}"));
        let (_, expected, _) = read(&rgba).unwrap();
        assert_eq!(layout, Layout::Rgb);
        let off = found.as_chunks::<3>().0.iter().zip(expected.as_chunks::<4>().0);
        let off =
            off.flat_map(|(found, expected)| found.iter().zip(expected)).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(off.is_some_and(|off| off <= 2), "{across} x {down}: off by {off:?}");
    }
}

#[test]
fn the_first_page_is_taken_and_others_are_counted() {
    let shop = Workshop::new();
    let page = |depth| Page { photometric: 1, colors: 1, depth, extra: Vec::new(), is_planar: false, is_little: true };
    let (first, second, all) = (shop.file("1.tif"), shop.file("2.tif"), shop.file("all.tif"));
    page(Depth::Unsigned(8)).write(&first);
    page(Depth::Unsigned(1)).write(&second);
    let depth_of = |file: &PathBuf| {
        let picture = probe(file, &Limits::default()).unwrap();
        (picture.depth, picture.notes)
    };
    run("tiffcp", &[path(&first), path(&second), path(&second), path(&all)]);
    assert_eq!(depth_of(&all), (8, vec![Note::PagesLeftOut(2)]));
    assert_eq!(Note::PagesLeftOut(2).to_string(), "only the first of its 3 pages was taken");
    // A first page that is a smaller version of another is not the picture.
    run("tiffset", &["-s", "254", "1", path(&all)]);
    assert_eq!(depth_of(&all), (1, vec![Note::PagesLeftOut(1)]));
    run("tiffset", &["-d", "1", "-s", "254", "1", path(&all)]);
    run("tiffset", &["-d", "2", "-s", "254", "4", path(&all)]);
    assert_eq!(depth_of(&all), (8, vec![]), "all are beside a page that there is not");
    let pyramid = shop.vips("copy", &shop.sample("قميص.tif", 300), "pyramid.tif[tile,pyramid]", &[]);
    assert_eq!(depth_of(&pyramid), (8, vec![]));
    // A chain that comes back to itself.
    let mut bytes = fs::read(&first).unwrap();
    let behind = 8 + 2 + 12 * usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[behind] = 8;
    fs::write(&all, bytes).unwrap();
    assert_eq!(depth_of(&all), (8, vec![]));
}

#[test]
fn a_page_is_taken_by_its_number() {
    let shop = Workshop::new();
    let large = shop.sample("قميص.tif", 300);
    let small = shop.vips("resize", &large, "small.tif", &["0.5"]);
    let turned = shop.vips("rot", &large, "turned.tif", &["d90"]);
    let all = shop.file("all.tif");
    run("tiffcp", &[path(&large), path(&small), path(&turned), path(&all)]);
    // The first is a smaller version of another, and none of the pages.
    run("tiffset", &["-s", "254", "1", path(&all)]);
    for (page, expected) in [(None, &small), (Some(1), &small), (Some(2), &turned)] {
        let (made, optimized) = shop.optimize(&all, &Options { page, ..Options::default() }).unwrap();
        let left_out = if page.is_none() { vec![Note::PagesLeftOut(1)] } else { vec![] };
        assert_eq!(optimized.notes, left_out, "{page:?}");
        let error = shop.pixels(&made.page(0)).mean_error(&shop.pixels(path(expected)));
        assert!(error < 2.0, "{page:?}: {error}");
    }
    assert_eq!(count_pages(&all, &Limits::default()).unwrap().count, 2);
    assert_eq!(count_pages(&large, &Limits::default()).unwrap().count, 1);
    let none = shop.optimize(&all, &Options { page: Some(3), ..Options::default() }).err().unwrap();
    assert!(none.to_string().contains("it has no page 3, but 2"), "{none}");
}

#[test]
fn what_samples_cannot_be_is_said() {
    let shop = Workshop::new();
    let source = shop.file("odd.tif");
    let made = |change: &[(u16, Vec<u32>)]| {
        let mut tags = vec![
            (256, vec![16]),
            (257, vec![16]),
            (258, vec![8; 3]),
            (259, vec![1]),
            (262, vec![2]),
            (273, vec![0]),
            (277, vec![3]),
            (278, vec![16]),
            (279, vec![768]),
        ];
        for (tag, values) in change {
            tags.retain(|(number, _)| number != tag);
            tags.push((*tag, values.clone()));
        }
        tags.retain(|(_, values)| !values.is_empty());
        tags.sort_by_key(|(tag, _)| *tag);
        fs::write(&source, file(true, tags, &[(0, 768)], &[7; 768])).unwrap();
        read(&source).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(made(&[]), Ok(()));
    for (change, said) in [
        (vec![(339, vec![2; 3])], "a TIFF file with signed samples"),
        (vec![(339, vec![5; 3]), (258, vec![64; 3])], "with complex numbers for samples"),
        (vec![(339, vec![1, 3, 1])], "with samples of different formats in one pixel"),
        (vec![(258, vec![8, 8, 16])], "with samples of different depths in one pixel"),
        (vec![(258, vec![8; 3]), (339, vec![3; 3])], "with floating-point samples of 8 bits"),
        (vec![(277, vec![2])], "its pixels have 2 samples; their colours need 3"),
        (vec![(262, vec![])], "with samples that it gives no meaning"),
        (vec![(262, vec![5]), (332, vec![2]), (277, vec![4])], "with inks other than cyan, magenta, yellow and black"),
        (vec![(262, vec![32_803])], "what a camera's sensor saw"),
        (vec![(259, vec![50_000])], "with Zstandard in it"),
        (vec![(259, vec![6])], "with JPEG of the old style"),
        (vec![(259, vec![4])], "its pixels have more than one bit"),
        (vec![(256, vec![])], "it has no page"),
        (vec![(257, vec![])], "it does not say how high it is"),
        (vec![(257, vec![0])], "it has no pixels"),
        (vec![(262, vec![6]), (530, vec![3, 1])], "its chroma is reduced in a way that there is not"),
    ] {
        let error = made(&change).unwrap_err();
        assert!(error.contains(said), "{change:?}: {error}");
    }
}

/// A strip may hold all of a picture, compressed: it is unpacked as its rows are wanted.
#[test]
fn a_strip_as_large_as_the_picture_is_read_in_pieces() {
    let shop = Workshop::new();
    let plain = shop.vips("resize", &shop.sample("قميص.tif", 128), "large.tif", &["16"]);
    for compression in ["lzw:2", "zip:2", "packbits", "none"] {
        let packed = shop.file("packed.tif");
        run("tiffcp", &["-c", compression, "-r", "100000", path(&plain), path(&packed)]);
        let limits = Limits { max_memory: 2 << 20, ..Limits::default() };
        let (decoded, _) = decode(&(&packed).into(), &limits, &never).unwrap();
        let Decoded::Flow(mut rows) = decoded.pixels else { panic!("TIFF comes as a flow") };
        let mut count = 0;
        loop {
            let band = rows.read(16).unwrap_or_else(|error| panic!("{compression}: {error}"));
            if band.is_empty() {
                break;
            }
            count += band.len();
        }
        let picture = decoded.picture;
        let whole = picture.width as usize * picture.height as usize * 3;
        assert!(whole > 4 << 20, "it fits as a whole");
        assert_eq!(count, whole, "{compression}");
    }
}

/// Whatever is wrong with a file, it costs a line: no decoder gives up, and nothing takes more than its share.
#[test]
fn damaged_pages_are_refused_or_read() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/tiff");
    let shop = Workshop::new();
    let damaged = shop.file("damaged.tif");
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let (mut refused, mut read_all_the_same) = (0, 0);
    for file in fs::read_dir(corpus).unwrap() {
        let file = file.unwrap().path();
        let whole = fs::read(&file).unwrap();
        assert!(read(&file).is_ok(), "{}", file.display());
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(4) {
                let at = random(bytes.len());
                bytes[at] = [0, 1, 0x7f, 0xff, random(256) as u8][random(5)];
            }
            if random(5) == 0 {
                bytes.truncate(random(bytes.len()));
            }
            fs::write(&damaged, &bytes).unwrap();
            match read(&damaged) {
                Ok(_) => read_all_the_same += 1,
                Err(error) => {
                    assert!(!error.to_string().contains("gave up"), "{}: {error}", file.display());
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 100 && read_all_the_same > 100, "{refused} and {read_all_the_same}");
}

/// The checksum behind what is compressed by Deflate, of whole strips, long ones in pieces, and tiles.
#[test]
fn a_checksum_that_does_not_fit_is_told() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 128);
    for (packing, name) in [
        (&["-c", "zip:2", "-r", "7"][..], "strips"),
        (&["-c", "zip", "-r", "100000"], "one strip"),
        (&["-c", "zip", "-t", "-w", "48", "-l", "32"], "tiles"),
        (&["-c", "zip", "-r", "9", "-p", "separate"], "planes"),
    ] {
        let packed = shop.file("packed.tif");
        run("tiffcp", &[packing, &[path(&plain), path(&packed)]].concat());
        let (_, pixels, notes) = read(&packed).unwrap();
        assert!(!notes.contains(&Note::ChecksumWrong), "{name}: {notes:?}");
        let mut bytes = fs::read(&packed).unwrap();
        // libtiff writes the directory behind the pixels: the last strip ends before it.
        let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let end = (0..2).map(|back| directory - back).find(|end| bytes[end - 1] != 0 || *end % 2 == 0).unwrap();
        let before = bytes.clone();
        bytes[end - 4..end].iter_mut().for_each(|byte| *byte ^= 0x55);
        assert_ne!(bytes, before);
        fs::write(&packed, &bytes).unwrap();
        let (_, damaged, notes) = read(&packed).unwrap();
        assert!(notes.contains(&Note::ChecksumWrong), "{name}: {notes:?}");
        assert_eq!(damaged, pixels, "{name}");
    }
    // Of a strip that unpacks to more than its rows as well.
    let packed = shop.file("packed.tif");
    run("tiffcp", &["-c", "zip", "-r", "100000", path(&plain), path(&packed)]);
    let (_, pixels, _) = read(&packed).unwrap();
    let whole = fs::read(&packed).unwrap();
    let mut content = Vec::new();
    let mut strip = &whole[8..];
    flate2::read::ZlibDecoder::new(&mut strip).read_to_end(&mut content).unwrap();
    content.extend([9; 500]);
    let mut longer = Vec::new();
    flate2::read::ZlibEncoder::new(&content[..], flate2::Compression::new(6)).read_to_end(&mut longer).unwrap();
    for (damage, is_told) in [(0, false), (0x55, true)] {
        let mut bytes = whole.clone();
        let at = bytes.len();
        bytes.extend(&longer);
        *bytes.last_mut().unwrap() ^= damage;
        set_tag(&mut bytes, 273, at as u32);
        set_tag(&mut bytes, 279, longer.len() as u32);
        fs::write(&packed, &bytes).unwrap();
        let (_, seen, notes) = read(&packed).unwrap();
        assert_eq!((seen, notes.contains(&Note::ChecksumWrong)), (pixels.clone(), is_told), "{notes:?}");
    }
}

/// Gives a tag of the only directory another value of four bytes.
fn set_tag(bytes: &mut [u8], tag: u16, value: u32) {
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(bytes[directory..directory + 2].try_into().unwrap()));
    let entries = (0..count).map(|number| directory + 2 + 12 * number);
    let entry = entries.into_iter().find(|at| bytes[*at..*at + 2] == tag.to_le_bytes()).unwrap();
    bytes[entry + 2..entry + 4].copy_from_slice(&4_u16.to_le_bytes());
    bytes[entry + 8..entry + 12].copy_from_slice(&value.to_le_bytes());
}

/// L*a*b* in 16 bits, in planes and beside other samples: each sample is what it is by its place in the pixel.
#[test]
fn deep_lab_is_read_wherever_its_samples_lie() {
    let shop = Workshop::new();
    let page = |extra: &[u32], is_planar| Page {
        photometric: 9,
        colors: 3,
        depth: Depth::Unsigned(16),
        extra: extra.to_vec(),
        is_planar,
        is_little: true,
    };
    let at = shop.file("lab.tif");
    let colors = |extra: &[u32], is_planar| {
        page(extra, is_planar).write(&at);
        let (layout, pixels, _) = read(&at).unwrap();
        pixels.chunks_exact(layout.samples()).flat_map(|pixel| pixel[..3].to_vec()).collect::<Vec<u8>>()
    };
    let plain = colors(&[], false);
    for (extra, is_planar) in [(&[][..], true), (&[0], false), (&[2], false), (&[2], true)] {
        assert_eq!(colors(extra, is_planar), plain, "{extra:?} {is_planar}");
    }
}

/// A tile is unpacked as wide as it is stored, however narrow the page.
#[test]
fn tiles_that_reach_beyond_the_page_are_held_against_the_memory() {
    const SIDE: u32 = 4096;
    let shop = Workshop::new();
    let tags = vec![
        (256, vec![1]),
        (257, vec![SIDE]),
        (258, vec![1]),
        (259, vec![1]),
        (262, vec![1]),
        (273, vec![0]),
        (277, vec![1]),
        (279, vec![SIDE * SIDE / 8]),
        (322, vec![SIDE]),
        (323, vec![SIDE]),
    ];
    let at = shop.file("wide.tif");
    let length = SIDE * SIDE / 8;
    fs::write(&at, file(true, tags, &[(0, length)], &vec![0x55; length as usize])).unwrap();
    assert_eq!(read(&at).unwrap().1.len(), SIDE as usize);
    let limits = Limits { max_memory: 8 << 20, ..Limits::default() };
    let refused = decode(&(&at).into(), &limits, &never).map(drop).unwrap_err();
    assert!(matches!(refused, MediaError::TooMuchMemory { .. }), "{refused}");
}

/// Of a tag that has one number by its meaning no more is read, however many directories claim millions.
#[test]
fn one_number_is_read_where_one_is_meant() {
    const DIRECTORIES: u32 = 400;
    const CLAIMED: u32 = 2 << 20;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    for number in 0..DIRECTORIES {
        bytes.extend(2_u16.to_le_bytes());
        bytes.extend(entry(254, 4, CLAIMED, 0));
        bytes.extend(entry(256, 4, 1, 1));
        let next = if number + 1 == DIRECTORIES { 0 } else { bytes.len() as u32 + 4 };
        bytes.extend(next.to_le_bytes());
    }
    bytes.resize(CLAIMED as usize * 4, 0);
    let shop = Workshop::new();
    let at = shop.file("many.tif");
    fs::write(&at, bytes).unwrap();
    let read = std::cell::Cell::new(0);
    // It is asked whether to stop at each piece that is read.
    let count = || {
        read.set(read.get() + 1);
        false
    };
    let refused = decode(&(&at).into(), &Limits::default(), &count).map(drop).unwrap_err();
    assert!(refused.to_string().contains("how high"), "{refused}");
    assert!(read.get() < 10 * DIRECTORIES, "{} pieces", read.get());
}

/// Without its length, which some writers leave out, a single strip ends with the file.
#[test]
fn a_single_jpeg_strip_needs_no_length() {
    let shop = Workshop::new();
    let mut stream = Vec::new();
    let gray: Vec<u8> = (0..32 * 16).map(|at| (at % 251) as u8).collect();
    jpeg_encoder::Encoder::new(&mut stream, 90).encode(&gray, 32, 16, jpeg_encoder::ColorType::Luma).unwrap();
    let tags = vec![
        (256, vec![32]),
        (257, vec![16]),
        (258, vec![8]),
        (259, vec![7]),
        (262, vec![1]),
        (273, vec![0]),
        (277, vec![1]),
        (278, vec![16]),
    ];
    let at = shop.file("jpeg.tif");
    fs::write(&at, file(true, tags, &[(0, stream.len() as u32)], &stream)).unwrap();
    let (_, pixels, notes) = read(&at).unwrap();
    assert_eq!((pixels.len(), notes), (32 * 16, vec![]));
}
