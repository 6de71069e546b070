//! Pictures that are damaged and can be read all the same: each has a line, and what is whole has none.

use std::fs;

use super::super::*;
use super::support::*;

/// What is said of the damage, if anything.
fn told(shop: &Workshop, name: &str, bytes: &[u8]) -> Result<Option<Note>, MediaError> {
    let at = shop.file(name);
    fs::write(&at, bytes).unwrap();
    let (_, made) = shop.optimize(&at, &Options::default())?;
    Ok(made.notes.into_iter().find(|note| {
        matches!(
            note,
            Note::ChecksumWrong | Note::DataLeftOver | Note::DataMissing | Note::MayHaveHole | Note::PartLeftOut
        )
    }))
}

/// Where the data of each scan lies, without the markers in front of it and behind it.
fn scans(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut scans, mut at) = (Vec::new(), 2);
    while bytes[at + 1] != 0xd9 {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        let is_scan = bytes[at + 1] == 0xda;
        at += 2 + length;
        if is_scan {
            let start = at;
            while bytes[at] != 0xff || matches!(bytes[at + 1], 0 | 0xd0..=0xd7) {
                at += 1;
            }
            scans.push(start..at);
        }
    }
    scans
}

#[test]
fn scans_that_do_not_fit_have_a_line() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 256);
    let gray = shop.vips("colourspace", &plain, "gray.tif", &["b-w"]);
    let odd = shop.vips("crop", &plain, "odd.tif", &["1", "1", "97", "131"]);
    let mut count = 0;
    for (number, (source, options)) in [
        (&plain, "interlace"),
        (&plain, "interlace,subsample-mode=off,Q=95"),
        (&gray, "interlace"),
        (&odd, "interlace,Q=60"),
        (&odd, "Q=80"),
        (&gray, "Q=80,optimize-coding"),
        (&odd, "interlace,restart-interval=3"),
        (&plain, "restart-interval=5"),
    ]
    .into_iter()
    .enumerate()
    {
        let whole = shop.vips("copy", source, &format!("whole-{number}.jpg[{options}]"), &[]);
        let bytes = fs::read(whole).unwrap();
        assert_eq!(told(&shop, "a.jpg", &bytes).unwrap(), None, "{options}");
        for scan in scans(&bytes) {
            count += 1;
            let name = format!("{options}: {scan:?}");
            // Behind the last unit there is more.
            let more = [&bytes[..scan.end], &[0x12, 0x34, 0x56], &bytes[scan.end..]].concat();
            assert_eq!(told(&shop, "a.jpg", &more).unwrap(), Some(Note::DataLeftOver), "{name}");
            // And here there is less.
            let cut = scan.end - scan.len().min(40).div_ceil(2);
            let less = [&bytes[..cut], &bytes[scan.end..]].concat();
            match told(&shop, "a.jpg", &less) {
                Ok(note) => assert_eq!(note, Some(Note::DataMissing), "{name}"),
                Err(error) => assert!(error.to_string().contains("damaged"), "{name}: {error}"),
            }
        }
    }
    assert!(count > 40, "progressive pictures have many scans: {count}");
}

#[test]
fn a_damaged_stream_in_a_tiff_has_a_line() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 128);
    let whole = shop.vips("copy", &plain, "jpeg.tif[compression=jpeg,tile,tile-width=64,tile-height=64]", &[]);
    let bytes = fs::read(whole).unwrap();
    assert_eq!(told(&shop, "a.tif", &bytes).unwrap(), None);
    let end = bytes.windows(2).position(|pair| pair == [0xff, 0xd9]).unwrap();
    let end = bytes[end + 2..].windows(2).position(|pair| pair == [0xff, 0xd9]).unwrap() + end + 2;
    let mut seen = 0;
    for back in 4..60 {
        let mut bent = bytes.clone();
        bent[end - back] ^= 0x10;
        match told(&shop, "a.tif", &bent) {
            Ok(note) => seen += u32::from(note.is_some()),
            Err(error) => {
                assert!(error.to_string().contains("in a JPEG strip or tile"), "{error}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "none of the damage was told");
}

#[test]
fn what_a_png_loses_beside_its_pixels_has_a_line() {
    let shop = Workshop::new();
    let write = |with: fn(&mut png::Encoder<'_, &mut Vec<u8>>)| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
        encoder.set_color(png::ColorType::Rgb);
        with(&mut encoder);
        encoder.write_header().unwrap().write_image_data(&[7; 8 * 8 * 3]).unwrap();
        bytes
    };
    for (kind, whole) in [
        (b"tRNS", write(|encoder| encoder.set_trns(&[0, 7, 0, 7, 0, 7][..]))),
        (
            b"pHYs",
            write(|encoder| {
                encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: 4000, yppu: 4000, unit: png::Unit::Meter }));
            }),
        ),
    ] {
        assert_eq!(told(&shop, "a.png", &whole).unwrap(), None);
        let mut bytes = whole.clone();
        let at = bytes.windows(4).position(|part| part == kind).unwrap();
        bytes[at + 5] ^= 1;
        assert_eq!(told(&shop, "a.png", &bytes).unwrap(), Some(Note::PartLeftOut));
        // Damage of the pixels themselves is refused.
        let mut bytes = whole;
        let at = bytes.windows(4).position(|part| part == b"IDAT").unwrap();
        bytes[at + 8] ^= 1;
        assert!(told(&shop, "a.png", &bytes).is_err());
    }
}

/// A copy that broke off, or a disk that lost what was on it, leaves zeros; decoders take them for a part of the picture.
#[test]
fn holes_are_refused() {
    let shop = Workshop::new();
    let source = shop.sample("قميص.tif", 900);
    for name in ["b.webp[lossless]", "c.jp2[lossless]"] {
        let made = shop.vips("copy", &source, name, &[]);
        let whole = fs::read(&made).unwrap();
        assert!(whole.len() > 20_000, "{name}: {}", whole.len());
        assert_eq!(told(&shop, "whole", &whole).unwrap(), None, "{name}");
        for (from, to) in [(whole.len() / 2, whole.len() / 2 + 5000), (whole.len() - 5000, whole.len())] {
            let mut bytes = whole.clone();
            bytes[from..to].fill(0);
            let refused = told(&shop, "hole", &bytes).unwrap_err();
            let refused = refused.to_string();
            // Without its end a JPEG 2000 file is cut already; of WebP the decoder may notice that what follows makes no sense.
            let words = ["nothing but zeros from byte", "before its last tile does", "the WebP file is damaged"];
            let is_said = words.iter().any(|words| refused.contains(words));
            assert!(is_said, "{name}: {refused}");
        }
    }
    let runs = shop.file("d.bmp");
    run(
        "convert",
        &[path(&source), "-colors", "60", "-type", "palette", "-compress", "RLE", &format!("BMP3:{}", path(&runs))],
    );
    let whole = fs::read(&runs).unwrap();
    assert_eq!(told(&shop, "whole.bmp", &whole).unwrap(), None);
    let filled = [&whole[..whole.len() * 6 / 10], &vec![0; whole.len() * 4 / 10]].concat();
    let refused = told(&shop, "filled.bmp", &filled).unwrap_err();
    assert!(refused.to_string().contains("zeros stand where its pixels should end"), "{refused}");
}

/// A decoder makes some picture of any runs.
#[test]
fn runs_that_were_lost_or_changed_have_a_line() {
    let shop = Workshop::new();
    let source = shop.sample("قميص.tif", 400);
    for (name, options) in
        [("a.bmp", &["-colors", "60", "-type", "palette"][..]), ("a.tga", &[]), ("g.tga", &["-colorspace", "Gray"])]
    {
        let made = shop.file(name);
        let target = if name == "a.bmp" { format!("BMP3:{}", path(&made)) } else { path(&made).to_owned() };
        run("convert", &[&[path(&source)], options, &["-compress", "RLE", &target]].concat());
        let whole = fs::read(&made).unwrap();
        assert_eq!(told(&shop, name, &whole).unwrap(), None, "{name}");
        for at in [3, 5, 7].map(|tenths| whole.len() * tenths / 10) {
            for length in [600, 4096] {
                let mut holed = whole.clone();
                holed[at..at + length].fill(0);
                let said = told(&shop, name, &holed);
                assert!(said.is_err() || said.unwrap().is_some(), "{name}: {length} zeros at {at}");
            }
            // A footer that leads nowhere is no reason to refuse it.
            if name != "a.bmp" {
                let nowhere = [&whole[..], &[0, 0, 0, 0], &u32::MAX.to_le_bytes(), b"TRUEVISION-XFILE.\0"].concat();
                assert_eq!(told(&shop, name, &nowhere).unwrap(), None, "{name}");
            }
            let shorter = [&whole[..at], &whole[at + 100..]].concat();
            let said = told(&shop, name, &shorter);
            assert!(said.is_err() || said.unwrap().is_some(), "{name}: without 100 bytes at {at}");
        }
    }
}

/// Zeros are codes too, and with some tables all that is missing can be read out of them.
#[test]
fn a_jpeg_that_was_filled_up_with_zeros_is_none() {
    let shop = Workshop::new();
    let plain = shop.sample("Ångström.jpg", 256);
    for (number, options) in ["Q=60", "Q=75", "Q=60,optimize-coding", "Q=90,optimize-coding"].into_iter().enumerate() {
        let bytes = fs::read(shop.vips("copy", &plain, &format!("{number}.jpg[{options}]"), &[])).unwrap();
        for percent in [40, 60, 80, 95] {
            let mut filled = bytes[..bytes.len() * percent / 100].to_vec();
            filled.resize(bytes.len().max(filled.len() + 600), 0);
            assert!(told(&shop, "filled.jpg", &filled).is_err(), "{options} {percent} %");
        }
        let without_end = &bytes[..bytes.len() - 2];
        for behind in [vec![], vec![0; 100], b"somebody's words".repeat(100), vec![0; 5000]] {
            assert_eq!(told(&shop, "a.jpg", &[without_end, &behind].concat()).unwrap(), None, "{options}");
        }
    }
}

/// There is little to say of a plain picture, but not nothing.
#[test]
fn plain_pictures_have_no_holes() {
    let shop = Workshop::new();
    for (number, fill) in ["black", "white", "#010101"].into_iter().enumerate() {
        let plain = shop.file("plain.png");
        run("convert", &["-size", "4000x3000", &format!("xc:{fill}"), path(&plain)]);
        for (kind, options) in
            [("webp", "Q=50"), ("webp", "lossless"), ("jp2", "Q=30"), ("jp2", "lossless,tile-width=64,tile-height=64")]
        {
            let made = shop.vips("copy", &plain, &format!("{number}.{kind}[{options}]"), &[]);
            let (_, made) =
                shop.optimize(&made, &Options::default()).unwrap_or_else(|error| panic!("{fill} {options}: {error}"));
            assert!(made.notes.is_empty(), "{fill} {options}: {:?}", made.notes);
        }
    }
}

/// Lossless WebP of a square of pixels that says each by itself, in one bit for its green and none for the rest.
fn webp_pixel_by_pixel(side: u32, pixels: impl Iterator<Item = bool>) -> Vec<u8> {
    let one = [(1, 1), (0, 1), (1, 1), (9, 8)];
    let two = [(1, 1), (1, 1), (1, 1), (0x10, 8), (0x20, 8)];
    let head = [(0x2f, 8), (side - 1, 14), (side - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)];
    let fields = head.into_iter().chain(two).chain(one).chain(one).chain(one).chain(one);
    let fields = fields.chain(pixels.map(|bit| (u32::from(bit), 1)));
    let bits: Vec<bool> = fields.flat_map(|(value, width)| (0..width).map(move |bit| value >> bit & 1 == 1)).collect();
    let mut data: Vec<u8> =
        bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect();
    let size = data.len() as u32;
    data.resize(data.len().next_multiple_of(2), 0);
    let chunk = [b"WEBPVP8L".as_slice(), &size.to_le_bytes(), &data].concat();
    [b"RIFF".as_slice(), &(chunk.len() as u32).to_le_bytes(), &chunk].concat()
}

#[test]
fn zeros_that_are_pixels_are_no_hole() {
    let shop = Workshop::new();
    let plain = webp_pixel_by_pixel(100, (0..10_000).map(|pixel| pixel < 100));
    assert_eq!(told(&shop, "a.webp", &plain).unwrap(), None, "as many as a page of text has");
    let plainer = webp_pixel_by_pixel(200, (0..40_000).map(|pixel| pixel < 100));
    assert_eq!(told(&shop, "a.webp", &plainer).unwrap(), Some(Note::MayHaveHole));
    // More of them than there are pixels.
    let (mut more, zeros) = (plain.clone(), 600_u32);
    more.resize(plain.len() + zeros as usize, 0);
    for at in [4, 16] {
        let size = u32::from_le_bytes(plain[at..at + 4].try_into().unwrap()) + zeros;
        more[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    let refused = told(&shop, "a.webp", &more).unwrap_err().to_string();
    assert!(refused.contains("nothing but zeros from byte"), "{refused}");
}

/// Where nothing is said, each packet may be a byte of zeros, and small precincts make many of them.
#[test]
fn zeros_that_are_packets_are_no_hole() {
    let shop = Workshop::new();
    let plain = shop.file("plain.png");
    run("convert", &["-size", "1024x1024", "xc:gray50", "-colorspace", "Gray", path(&plain)]);
    let options = "a.jp2[lossless,tile-width=1024,tile-height=1024]";
    let made = fs::read(shop.vips("copy", &plain, options, &[])).unwrap();
    let begin = made.windows(4).position(|word| word == b"\xff\x4f\xff\x51").unwrap();
    let stream = &made[begin..];
    let place = |marker: u8| stream.windows(2).position(|word| word == [0xff, marker]).unwrap();
    let (style, part, data) = (place(0x52), place(0x90), place(0x93) + 2);
    assert_eq!(
        (stream[41], &stream[style + 2..style + 4]),
        (1, [0, 12].as_slice()),
        "components, and a style without precincts"
    );
    let levels = u32::from(stream[style + 9]);
    let packets: u32 = (0..=levels).map(|level| (1024_u32 >> level).div_ceil(16).pow(2)).sum();
    assert!(packets > 5000, "{packets}");
    let with_zeros = |zeros: u32| {
        // Precincts of 16 × 16 in all resolutions, and blocks of 8 × 8 in them.
        let precincts = vec![0x44; levels as usize + 1];
        let mut head = stream[..data].to_vec();
        head[style + 3] += precincts.len() as u8;
        head[style + 4] |= 1;
        head[style + 10..style + 12].fill(1);
        let length = (data - part) as u32 + zeros;
        head[part + 6..part + 10].copy_from_slice(&length.to_be_bytes());
        head.splice(style + 14..style + 14, precincts);
        [head, vec![0; zeros as usize], vec![0xff, 0xd9]].concat()
    };
    assert_eq!(told(&shop, "a.j2k", &with_zeros(packets)).unwrap(), None);
    let refused = told(&shop, "a.j2k", &with_zeros(packets * 8)).unwrap_err().to_string();
    assert!(refused.contains("nothing but zeros from byte"), "{refused}");
}

#[test]
fn what_a_strip_has_beyond_its_rows_has_a_line() {
    let shop = Workshop::new();
    let plain = shop.sample("قميص.tif", 128);
    for packing in ["lzw", "packbits"] {
        let made = shop.file("strips.tif");
        run("tiffcp", &["-s", "-r", "32", "-c", packing, path(&plain), path(&made)]);
        let bytes = fs::read(&made).unwrap();
        assert_eq!(told(&shop, "whole.tif", &bytes).unwrap(), None, "{packing}");
        for (rows, note) in [("32", None), ("31", Some(Note::DataLeftOver))] {
            fs::write(&made, &bytes).unwrap();
            run("tiffset", &["-s", "257", "31", path(&made)]);
            run("tiffset", &["-s", "278", rows, path(&made)]);
            let changed = fs::read(&made).unwrap();
            assert_eq!(told(&shop, "changed.tif", &changed).unwrap(), note, "{packing}, strips of {rows} rows");
        }
    }
}

#[test]
fn an_animation_that_is_cut_in_its_second_frame_is_one() {
    let shop = Workshop::new();
    let made = shop.file("moves.gif");
    run("convert", &["-size", "40x40", "plasma:red-blue", "plasma:green-yellow", path(&made)]);
    let whole = fs::read(&made).unwrap();
    for bytes in [&whole[..], &whole[..whole.len() * 7 / 8]] {
        let at = shop.file("a.gif");
        fs::write(&at, bytes).unwrap();
        let (_, made) = shop.optimize(&at, &Options::default()).unwrap();
        assert_eq!(made.notes, [Note::FirstFrameOnly]);
    }
}
