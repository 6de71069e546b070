//! Pages whose parts are damaged or not there are drawn as far as they can be, and a line says what is missing.

use std::io::Write as _;

use serde_json::json;

use crate::pages::{assembled, run, text_of, upload};
use crate::world::World;

/// A stream, by the entries of its dictionary.
fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    [format!("<<{entries}/Length {}>>\nstream\n", data.len()).as_bytes(), data, b"\nendstream"].concat()
}

fn compressed(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn half(data: &[u8]) -> Vec<u8> {
    data[..data.len() / 2].to_vec()
}

/// In letters, five for four bytes.
fn base_85(data: &[u8]) -> Vec<u8> {
    let mut letters = Vec::new();
    for group in data.chunks(4) {
        let mut bytes = [0; 4];
        bytes[..group.len()].copy_from_slice(group);
        let number = u32::from_be_bytes(bytes);
        let digits = [85_u32.pow(4), 85_u32.pow(3), 85 * 85, 85, 1].map(|place| (number / place % 85) as u8 + b'!');
        letters.extend(&digits[..=group.len()]);
    }
    letters.extend(b"~>");
    letters
}

/// A page with a content, and what its resources and its dictionary have besides; objects from 10 on.
fn document(content: &str, resources: &str, page: &str, objects: &[Vec<u8>]) -> Vec<u8> {
    let page =
        format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<<{resources}>>{page}>>");
    let mut all = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
        (3, page.into_bytes()),
        (4, stream("", content.as_bytes())),
    ];
    all.extend(objects.iter().enumerate().map(|(at, object)| (10 + at, object.clone())));
    assembled(all)
}

/// 64 x 48 waves of grays.
fn samples() -> Vec<u8> {
    (0..64 * 48).map(|at| ((at % 64 * at / 64) as f32 * 0.1).sin().mul_add(90.0, 128.0) as u8).collect()
}

/// The picture as another program writes it, in a file of its kind.
fn by_others(world: &World, options: &[&str], kind: &str) -> Vec<u8> {
    let (from, to) = (world.folder.path().join("from.pgm"), world.folder.path().join(format!("to.{kind}")));
    std::fs::write(&from, [b"P5 64 48 255\n".as_slice(), &samples()].concat()).unwrap();
    run("convert", &[&[text_of(&from)], options, &[text_of(&to)]].concat());
    std::fs::read(to).unwrap()
}

/// The only strip of a TIFF.
fn strip(file: &[u8]) -> &[u8] {
    let short = |at: usize| usize::from(u16::from_le_bytes(file[at..at + 2].try_into().unwrap()));
    let long = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    assert!(file.starts_with(b"II*\0"));
    let directory = long(4);
    let mut entries = (0..short(directory)).map(|at| directory + 2 + at * 12);
    let mut value = |tag| {
        let at = entries.find(|at| short(*at) == tag).unwrap();
        if short(at + 2) == 3 { short(at + 8) } else { long(at + 8) }
    };
    let start = value(273);
    &file[start..][..value(279)]
}

const DRAWN: &str = "q 100 0 0 100 20 20 cm /X Do Q";
const X: &str = "/XObject<</X 10 0 R>>";
const FORM: &str = "/Type/XObject/Subtype/Form/BBox[0 0 200 200]";
const PICTURE: &str = "/Type/XObject/Subtype/Image/Width 64/Height 48/BitsPerComponent 8/ColorSpace/DeviceGray";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_break_off_are_said() {
    let world = World::new().await;
    let bars: String = (0..300).map(|at| format!("{} {} 7 5 re f\n", at * 7 % 190, at * 11 % 190)).collect();
    let bars = compressed(bars.as_bytes());
    let (gray, font) =
        (compressed(&samples()), std::fs::read("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf").unwrap());
    let font = compressed(&font);
    // Each has a part that may be cut in half.
    type Made = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let mut cases: Vec<(String, &str, Vec<u8>, Made)> = Vec::new();
    let mut case =
        |name: &str, wanted, part: &[u8], made: Made| cases.push((name.to_owned(), wanted, part.to_vec(), made));
    let object = |entries: String| -> Made { Box::new(move |part| document(DRAWN, X, "", &[stream(&entries, part)])) };
    case("form", "a form cannot", &bars, object(format!("{FORM}/Filter/FlateDecode")));
    let of_85 = object(format!("{FORM}/Filter[/ASCII85Decode/FlateDecode]"));
    case("form-85", "a form cannot", &bars, Box::new(move |part| of_85(&base_85(part))));
    case("gray", "a picture cannot", &gray, object(format!("{PICTURE}/Filter/FlateDecode")));
    case("plain", "a picture cannot", &samples(), object(PICTURE.to_owned()));
    let bits = PICTURE.replace("BitsPerComponent 8", "BitsPerComponent 1");
    let in_tiff = |options: &[&str]| {
        let plain = ["-define", "tiff:rows-per-strip=48", "-endian", "LSB"];
        strip(&by_others(&world, &[options, &plain].concat(), "tif")).to_vec()
    };
    let fax = in_tiff(&["-monochrome", "-compress", "Group4"]);
    let of_fax = "/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 64/Rows 48>>";
    case("fax", "a picture cannot", &fax, object(format!("{bits}{of_fax}")));
    let lzw = in_tiff(&["-compress", "LZW", "-define", "tiff:predictor=1"]);
    case("lzw", "a picture cannot", &lzw, object(format!("{PICTURE}/Filter/LZWDecode")));
    let runs = [in_tiff(&["-compress", "RLE"]), vec![128]].concat();
    case("runs", "a picture cannot", &runs, object(format!("{PICTURE}/Filter/RunLengthDecode")));
    let (jpeg, progressive) = (by_others(&world, &[], "jpg"), by_others(&world, &["-interlace", "plane"], "jpg"));
    let of_jpeg = || object(format!("{PICTURE}/Filter/DCTDecode"));
    case("jpeg", "a picture cannot", &jpeg, of_jpeg());
    case("unmarked", "a picture cannot", &jpeg[..jpeg.len() - 2], of_jpeg());
    case("progressive", "a picture cannot", &progressive, of_jpeg());
    let jpeg_2000 = by_others(&world, &["-quality", "100"], "jp2");
    case("jpeg-2000", "a picture cannot", &jpeg_2000, object(format!("{PICTURE}/Filter/JPXDecode")));
    case(
        "mask",
        "a mask cannot",
        &gray,
        Box::new(|part| {
            let picture = stream(&format!("{PICTURE}/SMask 11 0 R"), &samples());
            document(DRAWN, X, "", &[picture, stream(&format!("{PICTURE}/Filter/FlateDecode"), part)])
        }),
    );
    case(
        "soft-mask",
        "a mask cannot",
        &bars,
        Box::new(|part| {
            let states = "/ExtGState<</M<</SMask<</S/Alpha/G 10 0 R>>>>>>";
            let group = stream(&format!("{FORM}/Filter/FlateDecode/Group<</S/Transparency>>"), part);
            document("/M gs 0 0 200 200 re f", states, "", &[group])
        }),
    );
    case(
        "pattern",
        "a pattern cannot",
        &bars,
        Box::new(|part| {
            let tile = "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 200 200]/XStep 200/YStep 200/Resources<<>>/Filter/FlateDecode";
            document("/Pattern cs /P scn 0 0 200 200 re f", "/Pattern<</P 10 0 R>>", "", &[stream(tile, part)])
        }),
    );
    case(
        "letter",
        "a font cannot",
        &bars,
        Box::new(|part| {
            let font = "<</Type/Font/Subtype/Type3/FontBBox[0 0 200 200]/FontMatrix[.01 0 0 .01 0 0]/FirstChar 97/LastChar 97\
             /Widths[200]/Encoding<</Differences[97/a]>>/CharProcs<</a 11 0 R>>/Resources<<>>>>";
            let letter = stream("/Filter/FlateDecode", part);
            document("BT /F 40 Tf 20 20 Td (a) Tj ET", "/Font<</F 10 0 R>>", "", &[font.into(), letter])
        }),
    );
    case(
        "font",
        "a font cannot",
        &font,
        Box::new(|part| {
            let font = "<</Type/Font/Subtype/TrueType/BaseFont/AAAAAA+DejaVuSans/FirstChar 97/LastChar 97/Widths[613]\
             /Encoding/WinAnsiEncoding/FontDescriptor 11 0 R>>";
            let descriptor = "<</Type/FontDescriptor/FontName/AAAAAA+DejaVuSans/Flags 32/FontBBox[-1021 -463 1793 1232]/ItalicAngle 0\
             /Ascent 928/Descent -236/CapHeight 928/StemV 80/FontFile2 12 0 R>>";
            let file = stream("/Filter/FlateDecode", part);
            document(
                "BT /F 40 Tf 20 20 Td (a) Tj ET",
                "/Font<</F 10 0 R>>",
                "",
                &[font.into(), descriptor.into(), file],
            )
        }),
    );
    let mesh: Vec<u8> = (0..200_u8).flat_map(|at| [0, at.wrapping_mul(37), at, at.wrapping_mul(11)]).collect();
    case(
        "mesh",
        "a shading cannot",
        &compressed(&mesh),
        Box::new(|part| {
            let entries = "/ShadingType 4/ColorSpace/DeviceGray/BitsPerCoordinate 8/BitsPerComponent 8/BitsPerFlag 8\
             /Decode[0 200 0 200 0 1]/Filter/FlateDecode";
            document("/S sh", "/Shading<</S 10 0 R>>", "", &[stream(entries, part)])
        }),
    );
    case(
        "appearance",
        "a form cannot",
        &bars,
        Box::new(|part| {
            let annotation = "/Annots[<</Type/Annot/Subtype/Stamp/Rect[0 0 200 200]/AP<</N 10 0 R>>>>]";
            document("", "", annotation, &[stream(&format!("{FORM}/Filter/FlateDecode"), part)])
        }),
    );
    case(
        "inner",
        "a form cannot",
        &bars,
        Box::new(|part| {
            let outer = stream(&format!("{FORM}/Resources<</XObject<</X 11 0 R>>>>"), b"/X Do");
            document(DRAWN, X, "", &[outer, stream(&format!("{FORM}/Filter/FlateDecode"), part)])
        }),
    );
    let flate_of_jpeg = object(format!("{PICTURE}/Filter[/FlateDecode/DCTDecode]"));
    case("jpeg-flate", "a picture cannot", &jpeg, Box::new(move |part| flate_of_jpeg(&compressed(part))));
    let predicted = |entries: &'static str| object(format!("{PICTURE}{entries}"));
    let rows: Vec<u8> = samples().chunks(64).flat_map(|row| [&[0], row].concat()).collect();
    let of_rows = "/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 64>>";
    case("predicted", "a picture cannot", &compressed(&rows), predicted(of_rows));
    let twice = "/Filter[/FlateDecode/FlateDecode]/DecodeParms[null<</Predictor 15/Columns 64>>]";
    case("twice", "a picture cannot", &compressed(&compressed(&rows)), predicted(twice));
    case(
        "table",
        "a colour space cannot",
        &compressed(&[7; 768]),
        Box::new(|part| {
            let space = "[/Indexed/DeviceRGB 255 11 0 R]";
            let picture = PICTURE.replace("/DeviceGray", space);
            document(DRAWN, X, "", &[stream(&picture, &samples()), stream("/Filter/FlateDecode", part)])
        }),
    );
    case(
        "states",
        "a mask cannot",
        &bars,
        Box::new(|part| {
            let states = "/ExtGState<</A<</ca 0.5>>/B<</SMask<</S/Alpha/G 10 0 R>>>>>>";
            let group = stream(&format!("{FORM}/Filter/FlateDecode/Group<</S/Transparency>>"), part);
            document("/A gs 0 0 20 20 re f /B gs 0 0 200 200 re f", states, "", &[group])
        }),
    );
    let cut = |name: &str| format!("{name}-cut");
    for (name, _, part, made) in &cases {
        world.put(&format!("in/{name}.pdf"), &made(part));
        world.put(&format!("in/{}.pdf", cut(name)), &made(&half(part)));
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    let line = |name: &str| text.lines().find(|line| line.contains(&format!("{name}.pdf:")));
    for (name, wanted, ..) in &cases {
        assert_eq!(line(name), None, "{name}: {text}");
        let line = line(&cut(name)).unwrap_or_else(|| panic!("nothing is said of {name}: {text}"));
        assert!(line.contains(wanted), "{name}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_nowhere_are_said() {
    let world = World::new().await;
    let cases = [
        ("object", "/Nope Do", "no form or picture has the name \"Nope\""),
        ("unused", "BT /Nope 20 Tf 20 20 Td ET", ""),
        ("font", "BT /Nope 20 Tf 20 20 Td (word) Tj ET", "no font has the name \"Nope\""),
        ("shading", "/Nope sh", "no shading has the name \"Nope\""),
        ("pattern", "/Pattern cs /Nope scn 0 0 50 50 re f", "no pattern has the name \"Nope\""),
        ("state", "/Nope gs 0 0 50 50 re f", "no graphics state has the name \"Nope\""),
        ("space", "/Nope cs 0.5 sc 0 0 50 50 re f", "no colour space has the name \"Nope\""),
        ("many", "/A Do /B Do /C Do /D Do /A Do", "has the name \"C\", and 1 more"),
        ("built-in", "/DeviceRGB cs 1 0 0 sc 0 0 50 50 re f", ""),
    ];
    for (name, content, _) in cases {
        world.put(&format!("in/{name}.pdf"), &document(content, "", "", &[]));
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    for (name, _, wanted) in cases {
        let line = text.lines().find(|line| line.contains(&format!("{name}.pdf:")));
        assert_eq!(line.is_some(), !wanted.is_empty(), "{name}: {text}");
        assert!(line.is_none_or(|line| line.contains(wanted)), "{name}: {text}");
    }
}

/// A piece of what a page draws that is no stream any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_that_cannot_be_read_at_all_are_said() {
    let world = World::new().await;
    let whole = String::from_utf8(document("0 0 1 rg 20 20 90 90 re f", "", "", &[])).unwrap();
    let end = whole.rfind("endstream").unwrap();
    world.put("in/unending.pdf", [&whole[..end], "endstr\0\0\0", &whole[end + 9..]].concat().as_bytes());
    world.put("in/whole.pdf", whole.as_bytes());
    // A mask that has lost its data.
    let picture = stream(&format!("{PICTURE}/SMask 11 0 R"), &samples());
    let lost = format!("<<{PICTURE}/Length 3072>>\nstr eam");
    world.put("in/lost.pdf", &document(DRAWN, X, "", &[picture, lost.into_bytes()]));
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    assert!(!text.contains("whole.pdf:"), "{text}");
    assert!(text.contains("Page 1 of lost.pdf: a mask cannot be read as a whole"), "{text}");
    assert!(text.contains("Page 1 of unending.pdf: what it draws cannot be read as a whole"), "{text}");
}
