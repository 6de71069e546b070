//! Pages whose parts are damaged or not there are drawn as far as they can be, and a line says what is missing.

use std::io::Write as _;

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::pages::{assembled, order, pixels, pyramid, run, text_of, upload};
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

/// Data that is nothing but zeros in its middle, and can be read to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_lost_in_the_middle_is_said() {
    let world = World::new().await;
    let noise: Vec<u8> =
        (0..400_u32 * 300).map(|at| (at.wrapping_mul(at).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let from = world.folder.path().join("noise.pgm");
    std::fs::write(&from, [b"P5 400 300 255\n".as_slice(), &noise].concat()).unwrap();
    let written = |options: &[&str], kind: &str| {
        let to = world.folder.path().join(format!("noise.{kind}"));
        run("convert", &[&[text_of(&from)], options, &[text_of(&to)]].concat());
        std::fs::read(to).unwrap()
    };
    let large = PICTURE.replace("64/Height 48", "400/Height 300");
    let picture = |filter: &str, data: &[u8]| document(DRAWN, X, "", &[stream(&format!("{large}{filter}"), data)]);
    let cases = [
        ("jpeg", "/Filter/DCTDecode", written(&["-quality", "90"], "jpg")),
        ("progressive", "/Filter/DCTDecode", written(&["-interlace", "plane", "-quality", "90"], "jpg")),
        ("jpeg-2000", "/Filter/JPXDecode", written(&["-quality", "100"], "jp2")),
        ("deflated", "/Filter/FlateDecode", compressed(&noise)),
    ];
    for (name, filter, data) in &cases {
        let (start, length) = (data.len() / 2, (data.len() / 4).max(6000));
        assert!(start + length < data.len(), "{name} is too small");
        let zeroed = [&data[..start], &vec![0; length], &data[start + length..]].concat();
        world.put(&format!("in/{name}-whole.pdf"), &picture(filter, data));
        world.put(&format!("in/{name}-zeroed.pdf"), &picture(filter, &zeroed));
        if *filter != "/Filter/FlateDecode" {
            let filter = format!("/Filter[/FlateDecode{}]", filter.trim_start_matches("/Filter"));
            world.put(&format!("in/{name}-packed.pdf"), &picture(&filter, &compressed(&zeroed)));
        }
    }
    // A blank page packs into zeros, which are none that were put there.
    world.put("in/blank.pdf", &picture("/Filter/FlateDecode", &compressed(&vec![255; 8 << 20])));
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    let line = |name: &str| text.lines().find(|line| line.contains(&format!("{name}.pdf: a picture ")));
    assert!(!text.contains("blank.pdf:"), "{text}");
    for (name, filter, _) in &cases {
        assert_eq!(line(&format!("{name}-whole")), None, "{text}");
        assert!(line(&format!("{name}-zeroed")).is_some(), "{name}: {text}");
        let is_packed = *filter != "/Filter/FlateDecode";
        assert_eq!(line(&format!("{name}-packed")).is_some(), is_packed, "{name}: {text}");
    }
}

/// The content and the picture of the second page are in what is missing of the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_lost_objects_to_a_cut_says_so() {
    let world = World::new().await;
    let page = |content: u32, resources: &str| {
        let entries = format!("/Contents {content} 0 R/Resources<<{resources}>>");
        format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]{entries}>>").into_bytes()
    };
    let file = assembled(vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>".to_vec()),
        (3, page(5, "")),
        (4, page(11, X)),
        (5, stream("", b"0 0 1 rg 20 20 90 90 re f")),
        (10, stream(PICTURE, &samples())),
        (11, stream("", DRAWN.as_bytes())),
    ]);
    let cut = file.windows(9).position(|window| window == b"11 0 obj\n").unwrap();
    world.put("in/cut.pdf", &file[..cut]);
    world.put("in/whole.pdf", &file);
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    assert!(!text.contains("whole.pdf:") && !text.contains("Page 1 of cut.pdf:"), "{text}");
    assert!(
        text.contains("Page 2 of cut.pdf: 1 object that it is drawn with was in what is missing of the file."),
        "{text}"
    );
    assert!(text.contains("cut.pdf is damaged behind its 2 pages that can be found, and may have more."), "{text}");
    assert!(!text.contains("before stay"), "nothing was made of it before: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boxes_without_an_area_in_common_are_said_and_the_page_is_shown() {
    let world = World::new().await;
    let made = |boxes: &str, more: &str| {
        let content = "0 0 1 rg 20 20 60 60 re f";
        let file = document(content, "", &format!("/Rotate 90{more}"), &[]);
        let file = String::from_utf8(file).unwrap();
        let pad = " ".repeat(40);
        let file = file.replace("/MediaBox[0 0 200 200]", boxes) + &pad;
        file.into_bytes()
    };
    let highlight = "/Annots[<</Type/Annot/Subtype/Highlight/C[1 1 0]/Rect[10 100 60 120]/QuadPoints[10 120 60 120 10 100 60 100]>>]";
    let cases = [
        ("empty", "/MediaBox[0 0 0 0]", (792, 612), "it was taken for Letter"),
        ("crop-empty", "/MediaBox[0 0 200 100]/CropBox[0 0 0 0]", (100, 200), "its MediaBox alone was taken"),
        ("beside", "/MediaBox[0 0 200 100]/CropBox[500 500 700 600]", (100, 200), "its MediaBox alone was taken"),
        ("touching", "/MediaBox[0 0 200 100]/CropBox[200 0 300 100]", (100, 200), "its MediaBox alone was taken"),
    ];
    for (name, boxes, ..) in cases {
        world.put(&format!("in/{name}.pdf"), &made(boxes, ""));
        world.put(&format!("in/{name}-marked.pdf"), &made(boxes, highlight));
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    for (name, _, (width, height), taken) in cases {
        for name in [name.to_owned(), format!("{name}-marked")] {
            let line = format!("Page 1 of {name}.pdf: what its boxes say is shown of it has no area: {taken}.");
            assert!(text.contains(&line), "{line}\n{text}");
            let drawn = pixels(&world, &pyramid(&world, &format!("{name}-1")).await);
            assert_eq!(drawn.dimensions(), (width, height), "{name}");
            // Turned to the right: what is at the lower left is at the upper left.
            assert!(drawn.get_pixel(50, 50).0[2] > 200 && drawn.get_pixel(50, 50).0[0] < 60, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_that_is_off_lacks_nothing() {
    let world = World::new().await;
    let button = |state: &str| {
        format!(
            "<</Type/Annot/Subtype/Widget/F 4/FT/Btn/T(a)/V/{state}/AS/{state}/Rect[20 20 60 60]/AP<</N<</Yes 10 0 R>>>>>>"
        )
    };
    let form = stream("/Type/XObject/Subtype/Form/BBox[0 0 30 30]", b"1 0 0 rg 0 0 30 30 re f");
    let unplaced = stream("/Type/XObject/Subtype/Form", b"1 0 0 rg 0 0 30 30 re f");
    let put = |name: &str, button: &str, form: &Vec<u8>| {
        let annotations = format!("/Annots[{button}]");
        world.put(&format!("in/{name}.pdf"), &document("", "", &annotations, std::slice::from_ref(form)));
    };
    put("off", &button("Off"), &form);
    put("on", &button("Yes"), &form);
    put("unplaced", &button("Yes"), &unplaced);
    put("hidden", &button("Yes").replace("/F 4", "/F 2"), &unplaced);
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let text = done.text();
    assert!(["off", "on", "hidden"].iter().all(|name| !text.contains(&format!("of {name}.pdf:"))), "{text}");
    assert!(text.contains("Page 1 of unplaced.pdf: an annotation cannot be drawn."), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_null_is_no_damage() {
    let world = World::new().await;
    let file = String::from_utf8(document("0 0 1 rg 20 20 90 90 re f", "", "", &[])).unwrap();
    world.put("in/kid.pdf", file.replace("[3 0 R]/Count 1", "[3 0 R null]/Count 1").as_bytes());
    let stray = document("0 0 1 rg 20 20 90 90 re f", "", "/PieceInfo<</Note(see 9 0 obj)>>", &[]);
    let stray = String::from_utf8(stray).unwrap().replace("/Contents 4 0 R", "/Contents[4 0 R 9 0 R]");
    world.put("in/stray.pdf", stray.as_bytes());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    assert_eq!(done.counters.error, 0, "{}", done.text());
    assert!(
        !done.text().contains("leads nowhere") && !done.text().contains("cannot be read as a whole"),
        "{}",
        done.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postscript_error_is_said_and_what_it_came_of() {
    let world = World::new().await;
    world.put("in/broken.ps", b"%!PS-Adobe-3.0\n%%Pages: 1\n%%EndComments\n/Foo undefinedop\nshowpage\n%%EOF\n");
    let order = order("postScriptOptions", json!({ "process": "Rasterize" }));
    let done = world.run(JobKind::UploadDirectory, order).await.succeeded();
    let line = "broken.ps: its pages could not be drawn: PostScript error undefined in \"undefinedop\".";
    assert!(done.text().lines().any(|said| said.ends_with(line)), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_null_does_not_hide_what_is_inherited() {
    let world = World::new().await;
    let made = |own: &str| {
        let kid = format!("<</Type/Annot/Subtype/Widget/F 4/Parent 5 0 R/Rect[20 20 180 60]{own}>>");
        let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Annots[4 0 R]/Resources<<>>>>";
        let form = "<</AcroForm<</Fields[5 0 R]/NeedAppearances true/DA(/Helv 20 Tf 0 g)>>/Type/Catalog/Pages 2 0 R>>";
        let objects = [
            form,
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            page,
            &kid,
            "<</FT/Tx/T(a)/V(word)/DA(/Helv 20 Tf 0 g)/Kids[4 0 R]>>",
        ];
        assembled(objects.iter().enumerate().map(|(at, object)| (at + 1, object.as_bytes().to_vec())).collect())
    };
    world.put("in/inherited.pdf", &made(""));
    world.put("in/null.pdf", &made("/V null/FT null"));
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 72 })).await;
    let inherited = pixels(&world, &pyramid(&world, "inherited-1").await);
    assert!(inherited.pixels().any(|pixel| pixel.0[0] < 100), "{}", done.text());
    assert!(pixels(&world, &pyramid(&world, "null-1").await) == inherited, "{}", done.text());
}
