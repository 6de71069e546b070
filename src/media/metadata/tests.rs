//! Compared with what `exiftool` (Debian package libimage-exiftool-perl) writes and reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::format::Format;
use super::super::sniff;
use super::blocks::{MOST_BYTES, MOST_PARTS};
use super::*;

fn exiftool(arguments: &[&str], path: &Path) -> String {
    let output = Command::new("exiftool").args(arguments).arg(path).output().expect("exiftool is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn picture(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if name.ends_with("heic") || name.ends_with("avif") {
        let source = picture(folder, "source.jpg");
        let codec = if name.ends_with("avif") { &["-A"][..] } else { &[] };
        let made = Command::new("heif-enc").args(codec).arg(source).arg("-o").arg(&path).output();
        assert!(made.expect("heif-enc is installed").status.success());
        return path;
    }
    let made = Command::new("convert").args(["-size", "16x16", "xc:red"]).arg(&path).status();
    assert!(made.expect("convert is installed").success());
    path
}

fn read(path: &Path) -> Fields {
    let bytes = fs::read(path).unwrap();
    let head = &bytes[..bytes.len().min(super::super::SNIFF_LEN)];
    let said = metadata(path, sniff(head, path.to_str().unwrap())).unwrap();
    assert_eq!(said.left_out, BTreeSet::new());
    said.fields
}

fn one<'a>(fields: &'a Fields, name: &str) -> &'a str {
    match fields.get(name).map(Vec::as_slice) {
        Some([value]) => value,
        values => panic!("{name} is {values:?} in {fields:#?}"),
    }
}

/// What exiftool says of a group, as JSON.
fn told(path: &Path, group: &str) -> serde_json::Value {
    let said = exiftool(&["-j", "-n", "-struct", &format!("-{group}:all")], path);
    serde_json::from_str::<serde_json::Value>(&said).unwrap()[0].take()
}

const NAMES: [&str; 3] = ["Müller, Zoë", "山田太郎", "Анна Петрова"];

#[test]
fn xmp_is_read_from_every_format_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "a.png", "a.tif", "a.webp", "a.gif", "a.psd", "a.heic", "a.avif"] {
        let path = picture(folder.path(), name);
        let mut arguments = vec![
            "-overwrite_original",
            "-XMP-dc:Subject=été",
            "-XMP-dc:Subject=a, b\\c",
            "-XMP-dc:Subject=写真 <&>",
            "-XMP-dc:Title=Καλημέρα",
            "-XMP-photoshop:Headline=  two\twords ",
            "-XMP-xmpRights:WebStatement=https://example.com/?a=1&b=2",
            "-XMP-xmp:Rating=4",
        ];
        let creators: Vec<String> = NAMES.iter().map(|name| format!("-XMP-dc:Creator={name}")).collect();
        arguments.extend(creators.iter().map(String::as_str));
        exiftool(&arguments, &path);
        let fields = read(&path);
        let expected = told(&path, "XMP");
        assert_eq!(serde_json::json!(fields["dc.subject"]), expected["Subject"], "{name}");
        assert_eq!(serde_json::json!(fields["dc.creator"]), expected["Creator"], "{name}");
        assert_eq!(fields["dc.creator"], NAMES, "{name}");
        assert_eq!(one(&fields, "dc.title"), expected["Title"].as_str().unwrap(), "{name}");
        assert_eq!(one(&fields, "photoshop.Headline"), "two\twords", "{name}");
        assert_eq!(one(&fields, "xmpRights.WebStatement"), expected["WebStatement"].as_str().unwrap(), "{name}");
        assert_eq!(one(&fields, "xmp.Rating"), "4", "{name}");
    }
}

#[test]
fn the_rdf_of_an_svg_is_read_as_its_writers_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.svg");
    let rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
    let illustrator = format!(
        r#"<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><metadata><?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Été &amp; 夏</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>blue</rdf:li><rdf:li>cup</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?></metadata><rect width="9" height="9"/></svg>"#
    );
    let inkscape = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:rdf="{rdf}"
 xmlns:cc="http://creativecommons.org/ns#" width="9" height="9"><metadata id="m"><rdf:RDF><cc:Work rdf:about="">
<dc:format>image/svg+xml</dc:format><dc:title>Été &amp; 夏</dc:title>
<dc:subject><rdf:Bag><rdf:li>blue</rdf:li><rdf:li>cup</rdf:li></rdf:Bag></dc:subject>
<dc:creator><cc:Agent><dc:title>Zoë</dc:title></cc:Agent></dc:creator></cc:Work></rdf:RDF></metadata><path d="M0 0h9"/></svg>"#
    );
    for (writer, text) in [("illustrator", illustrator), ("inkscape", inkscape)] {
        fs::write(&path, &text).unwrap();
        let fields = read(&path);
        assert_eq!(one(&fields, "dc.title"), "Été & 夏", "{writer}");
        assert_eq!(fields["dc.subject"], ["blue", "cup"], "{writer}");
        assert!(exiftool(&["-s3", "-XMP:all"], &path).contains("cup"), "{writer}: as another reader finds them");
        let zipped = Command::new("gzip").args(["-k", "-f", "-S", "z"]).arg(&path).status();
        assert!(zipped.expect("gzip is installed").success());
        assert_eq!(read(&folder.path().join("a.svgz")), fields, "{writer}");
    }
    fs::write(&path, "<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>").unwrap();
    assert_eq!(read(&path), Fields::new());
}

#[test]
fn exif_is_read_under_the_names_of_xmp() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "a.png", "a.tif", "a.webp", "a.heic", "a.avif"] {
        let path = picture(folder.path(), name);
        let arguments = [
            "-overwrite_original",
            "-EXIF:Make=Nikon",
            "-EXIF:Artist=Zoë 山田",
            "-EXIF:ImageDescription=Blick über München",
            "-EXIF:FNumber=2.8",
            "-EXIF:ExposureTime=1/250",
            "-EXIF:ISO=400",
            "-EXIF:DateTimeOriginal=2026:11:23 09:15:00",
            "-EXIF:ExposureCompensation=-0.5",
            "-EXIF:GPSLatitude=48.137222",
            "-EXIF:GPSLatitudeRef=N",
            "-EXIF:GPSLongitude=11.575556",
            "-EXIF:GPSLongitudeRef=W",
        ];
        exiftool(&arguments, &path);
        let (fields, expected) = (read(&path), told(&path, "EXIF"));
        assert_eq!(one(&fields, "tiff.Make"), expected["Make"].as_str().unwrap(), "{name}");
        assert_eq!(one(&fields, "dc.creator"), expected["Artist"].as_str().unwrap(), "{name}");
        assert_eq!(one(&fields, "dc.description"), expected["ImageDescription"].as_str().unwrap(), "{name}");
        assert_eq!(one(&fields, "exif.ISOSpeedRatings"), "400", "{name}");
        assert_eq!(one(&fields, "exif.DateTimeOriginal"), "2026-11-23T09:15:00", "{name}");
        for (field, tag) in [
            ("exif.FNumber", "FNumber"),
            ("exif.ExposureTime", "ExposureTime"),
            ("exif.ExposureBiasValue", "ExposureCompensation"),
        ] {
            let (over, under) = one(&fields, field).split_once('/').unwrap();
            let value = over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap();
            assert!((value - expected[tag].as_f64().unwrap()).abs() < 1e-6, "{name} {field}");
        }
        for (field, degrees) in [("exif.GPSLatitude", 48.137222), ("exif.GPSLongitude", 11.575556)] {
            let (whole, minutes) = one(&fields, field).split_once(',').unwrap();
            let minutes = minutes.trim_end_matches(char::is_alphabetic).parse::<f64>().unwrap();
            assert!((whole.parse::<f64>().unwrap() + minutes / 60.0 - degrees).abs() < 1e-6, "{name} {field}");
        }
        assert!(one(&fields, "exif.GPSLongitude").ends_with('W'), "{name}");
    }
}

#[test]
fn iptc_is_read_in_its_character_set() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "a.psd", "a.tif"] {
        for (charset, keyword) in [("UTF8", "日本 été"), ("Latin", "été–œuvre")] {
            let path = picture(folder.path(), name);
            let set = if charset == "UTF8" { "-IPTC:CodedCharacterSet=UTF8" } else { "-IPTC:CodedCharacterSet=" };
            let arguments = [
                "-overwrite_original",
                set,
                &format!("-IPTC:Keywords={keyword}"),
                "-IPTC:Keywords=second",
                "-IPTC:City=Zürich",
                "-IPTC:DateCreated=2026:11:23",
            ];
            exiftool(&arguments, &path);
            let (fields, expected) = (read(&path), told(&path, "IPTC"));
            assert_eq!(serde_json::json!(fields["dc.subject"]), expected["Keywords"], "{name} {charset}");
            assert_eq!(fields["dc.subject"], [keyword, "second"], "{name} {charset}");
            assert_eq!(one(&fields, "photoshop.City"), "Zürich", "{name} {charset}");
            assert_eq!(one(&fields, "photoshop.DateCreated"), "2026-11-23", "{name} {charset}");
        }
    }
}

#[test]
fn xmp_is_believed_first_then_iptc_then_exif() {
    let folder = tempfile::tempdir().unwrap();
    let path = picture(folder.path(), "a.jpg");
    let arguments = [
        "-overwrite_original",
        "-EXIF:Artist=exif",
        "-EXIF:Copyright=exif",
        "-EXIF:ImageDescription=exif",
        "-IPTC:By-line=iptc",
        "-IPTC:CopyrightNotice=iptc",
        "-XMP-dc:Creator=xmp",
    ];
    exiftool(&arguments, &path);
    let fields = read(&path);
    assert_eq!(one(&fields, "dc.creator"), "xmp");
    assert_eq!(one(&fields, "dc.rights"), "iptc");
    assert_eq!(one(&fields, "dc.description"), "exif");
}

fn packet(inside: &str) -> Vec<u8> {
    format!(
        "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''
          xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:my='http://my.example/'>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    .into_bytes()
}

fn of_packet(packet: &[u8]) -> Fields {
    said_in(packet).fields
}

fn said_in(packet: &[u8]) -> Metadata {
    let mut said = Metadata::default();
    said.add(|found| xmp::read(packet, found));
    said
}

#[test]
fn hostile_packets_say_little_and_cost_little() {
    assert_eq!(one(&of_packet(&packet("<my:note>x</my:note>")), "my.note"), "x");
    let bomb = b"<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;&b;'>]>".to_vec();
    assert_eq!(of_packet(&[bomb, packet("<dc:source>&c;</dc:source>")].concat()), Fields::new());
    assert_eq!(of_packet(&packet("<dc:source>&unknown;</dc:source>")), Fields::new());
    let limited = |packet: &[u8], what: LeftOut| {
        let Metadata { fields, left_out } = said_in(packet);
        assert_eq!(left_out, [what].into());
        fields
    };
    let deep = format!("<dc:source>{}{}</dc:source>", "<my:a>".repeat(100_000), "</my:a>".repeat(100_000));
    let spaces: String = (0..100_000).map(|number| format!(" xmlns:n{number}='u{number}'")).collect();
    let bound: String = (0..200).map(|number| format!(" xmlns:n{number}='u{number}'")).collect();
    let attributes: String = (0..200_000).map(|number| format!(" my:a{number}='x'")).collect();
    // Each of its elements is in a namespace whose name is as long as all of them together.
    let space = "u".repeat(1 << 20);
    let children = "<long:a/>".repeat(10_000);
    for beyond in [
        deep,
        format!("<my:a{spaces}/>"),
        format!("<my:a{bound}/>"),
        format!("<my:a{attributes}/>"),
        format!("<my:a xmlns:long='{space}'>{children}</my:a>"),
        format!("<dc:source>{}</dc:source>", "x".repeat(8 << 20)),
    ] {
        assert_eq!(limited(&packet(&beyond), LeftOut::Packet), Fields::new());
    }
    let many: String = (0..40_000).map(|number| format!("<my:f{number}>{number}</my:f{number}>")).collect();
    assert_eq!(limited(&packet(&many), LeftOut::ManyValues).len(), MOST_VALUES);
    let long = format!("<dc:source>{}</dc:source>", "é".repeat(1 << 20));
    let long = limited(&packet(&long), LeftOut::LongValue);
    assert_eq!(one(&long, "dc.source").chars().count(), LONGEST_VALUE);
    let texts: String = (0..1000).map(|number| format!("<my:f{number}>{}</my:f{number}>", "x".repeat(5_000))).collect();
    let total: usize = limited(&packet(&texts), LeftOut::ManyValues).values().flatten().map(String::len).sum();
    assert!((MOST_TEXT - 5_000..=MOST_TEXT).contains(&total), "{total}");
    let name = "n".repeat(LONGEST_NAME);
    let named = limited(&packet(&format!("<my:{name}>x</my:{name}><dc:source>y</dc:source>")), LeftOut::LongName);
    assert_eq!(named, Fields::from([("dc.source".to_owned(), vec!["y".to_owned()])]));
    // The same again is nothing more.
    let again = said_in(&packet(&"<dc:subject>again</dc:subject>".repeat(MOST_VALUES + 1)));
    assert_eq!((again.fields["dc.subject"].len(), again.left_out), (1, BTreeSet::new()));
    assert_eq!(of_packet(&packet("<dc:source>a\u{7}b</dc:source>"))["dc.source"], ["a b"]);
}

/// An image resource of Photoshop.
fn resource(id: u16, data: &[u8]) -> Vec<u8> {
    let padding = vec![0; data.len() % 2];
    [b"8BIM", &id.to_be_bytes()[..], &[0, 0], &(data.len() as u32).to_be_bytes(), data, &padding].concat()
}

/// A Photoshop file up to its image resources.
fn photoshop(resources: &[u8]) -> Vec<u8> {
    let header = b"8BPS\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x08\0\x01\0\0\0\0";
    [&header[..], &(resources.len() as u32).to_be_bytes(), resources].concat()
}

#[test]
fn parts_that_are_too_large_are_told_and_cost_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let said = |bytes: &[u8], format| {
        fs::write(&path, bytes).unwrap();
        metadata(&path, format).unwrap()
    };
    let large = vec![0; MOST_BYTES as usize + 1];
    let headline = b"\x1c\x02\x69\0\x02Hi";
    let fields = Fields::from([("photoshop.Headline".to_owned(), vec!["Hi".to_owned()])]);
    // Photoshop: what is not looked at may have any size.
    let (preview, history) = (resource(1036, &large), resource(1034, &large));
    let resources = [preview.clone(), resource(1028, headline), history].concat();
    let whole = Metadata { fields: fields.clone(), left_out: BTreeSet::new() };
    assert_eq!(said(&photoshop(&resources), Format::Psd), whole);
    // The last one may lack its padding.
    assert_eq!(said(&photoshop(&[&preview, &resource(1028, headline)[..19]].concat()), Format::Psd), whole);
    let told = Metadata { fields, left_out: [LeftOut::LargeBlock].into() };
    let resources = [resource(1060, &large), resource(1028, headline)].concat();
    assert_eq!(said(&photoshop(&resources), Format::Psd), told);
    assert_eq!(LeftOut::LargeBlock.to_string(), "a part of its metadata has more than 16 MB, and was left out");
    // A path that may be among them is not missed.
    fs::write(&path, photoshop(&resource(2999, &large))).unwrap();
    let error = image_resources(&path.as_path().into(), Format::Psd).unwrap_err().to_string();
    assert!(error.contains("more than 16777216 bytes"), "{error}");
    assert_eq!(said(&photoshop(&resource(2999, &large)), Format::Psd), Metadata::default());
    fs::write(&path, photoshop(&[resource(1060, &large), resource(2999, b"\x01a")].concat())).unwrap();
    let paths = image_resources(&path.as_path().into(), Format::Psd).unwrap();
    assert_eq!(paths, Some(resource(2999, b"\x01a")));
    // PNG, plain and packed; the EXIF behind it is read.
    let exif = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0";
    let chunk = |kind: &[u8], data: &[u8]| [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat();
    let made = Fields::from([("tiff.Make".to_owned(), vec!["abc".to_owned()])]);
    let told = Metadata { fields: made, left_out: [LeftOut::LargeBlock].into() };
    let packed = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &large).unwrap();
        encoder.finish().unwrap()
    };
    let texts = [
        [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], &large].concat(),
        [&b"XML:com.adobe.xmp\0\x01\0\0\0"[..], &packed].concat(),
    ];
    for text in texts {
        let chunks = [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"iTXt", &text), chunk(b"eXIf", exif), chunk(b"IEND", b"")];
        assert_eq!(said(&chunks.concat(), Format::Png), told);
    }
    // WebP.
    let chunk =
        |kind: &[u8], data: &[u8]| [kind, &(data.len() as u32).to_le_bytes(), data, &vec![0; data.len() % 2]].concat();
    let chunks = [b"RIFF\0\0\0\0WEBP".to_vec(), chunk(b"XMP ", &large), chunk(b"EXIF", exif)];
    assert_eq!(said(&chunks.concat(), Format::WebP), told);
    // TIFF: a tag of its only directory.
    let tag = |number: u16, kind: u16, count: u32, value: u32| {
        [&number.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let make = u32::from_le_bytes(*b"abc\0");
    let tags = [tag(271, 2, 4, make), tag(700, 7, large.len() as u32, 64)].concat();
    let file = [&b"II*\0\x08\0\0\0\x02\0"[..], &tags, &[0; 4]].concat();
    assert_eq!(said(&file, Format::Tiff), told);
    // GIF: its packet stands there without lengths.
    let lengths = vec![b'x'; large.len() + 200];
    let gif = [&b"GIF89a\x01\0\x01\0\0\0\0\x21\xff\x0bXMP DataXMP"[..], &lengths, &[0]].concat();
    let told = Metadata { left_out: [LeftOut::LargeBlock].into(), ..Metadata::default() };
    assert_eq!(said(&gif, Format::Gif), told);
    let svg = ["<svg><metadata/>".to_owned(), " ".repeat(large.len()), "</svg>".to_owned()].concat();
    assert_eq!(said(svg.as_bytes(), Format::Svg), told);
    // HEIF: what describes its items.
    let heif = [&b"\0\0\0\x10ftypheic\0\0\0\0"[..], &(large.len() as u32 + 8).to_be_bytes(), b"meta", &large].concat();
    assert_eq!(said(&heif, Format::Heic), told);
}

#[test]
fn what_stands_behind_too_many_parts_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let said = |bytes: Vec<u8>, format| {
        fs::write(&path, bytes).unwrap();
        metadata(&path, format).unwrap().left_out
    };
    let files = |parts: usize| {
        [
            (Format::Jpeg, [b"\xff\xd8".to_vec(), b"\xff\xe0\0\x02".repeat(parts), b"\xff\xda".to_vec()].concat()),
            (
                Format::Png,
                [
                    b"\x89PNG\r\n\x1a\n".to_vec(),
                    b"\0\0\0\0tEXt\0\0\0\0".repeat(parts),
                    b"\0\0\0\0IEND\0\0\0\0".to_vec(),
                ]
                .concat(),
            ),
            (Format::WebP, [b"RIFF\0\0\0\0WEBP".to_vec(), b"TEXT\0\0\0\0".repeat(parts)].concat()),
            (
                Format::Gif,
                [b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), b"\x21\xfe\0".repeat(parts), b"\x3b".to_vec()].concat(),
            ),
            (Format::Psd, photoshop(&resource(1000, b"").repeat(parts))),
        ]
    };
    for (format, bytes) in files(MOST_PARTS - 1) {
        assert_eq!(said(bytes, format), BTreeSet::new(), "{format}");
    }
    for (format, bytes) in files(MOST_PARTS + 1) {
        assert_eq!(said(bytes, format), [LeftOut::ManyParts].into(), "{format}");
    }
}

/// A text that unpacks to almost as much as is looked at, and then is damaged, again and again.
#[test]
fn packed_texts_are_unpacked_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let chunk = |kind: &[u8], data: &[u8]| [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat();
    let text = |packet: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, packet).unwrap();
        chunk(b"iTXt", &[&b"XML:com.adobe.xmp\0\x01\0\0\0"[..], &encoder.finish().unwrap()].concat())
    };
    let sound = text(&packet("<dc:source>x</dc:source>"));
    let damaged = chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0nothing of zlib");
    let file = |chunks: &[&[u8]]| {
        fs::write(&path, [b"\x89PNG\r\n\x1a\n", &chunks.concat()[..], &chunk(b"IEND", b"")].concat()).unwrap();
        read(&path)
    };
    assert_eq!(one(&file(&[&chunk(b"iTXt", b"Comment\0\0\0\0\0a"), &sound]), "dc.source"), "x");
    assert_eq!(file(&[&damaged, &sound]), Fields::new());
}

/// A HEIC file whose items have these locations: the content of `iloc` behind its version and flags.
fn heic_with(locations: &[u8]) -> Vec<u8> {
    let boxed = |name: &[u8; 4], content: &[u8]| -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], name, content].concat()
    };
    let exif = boxed(b"infe", b"\x02\0\0\0\0\x01\0\0Exif\0");
    let information = boxed(b"iinf", &[&[0, 0, 0, 0, 0, 1][..], &exif].concat());
    let locations = boxed(b"iloc", &[&[0; 4][..], locations].concat());
    let meta = boxed(b"meta", &[&[0; 4][..], &information, &locations].concat());
    [boxed(b"ftyp", b"heic\0\0\0\0heicmif1"), meta].concat()
}

#[test]
fn locations_that_no_file_has_are_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.heic");
    // Ten thousand items of 65,535 extents that take no byte each.
    let greedy = [&[0, 0][..], &10_000_u16.to_be_bytes(), &[0, 1, 0, 0, 0xff, 0xff].repeat(10_000)].concat();
    // An extent behind the end of everything.
    let far =
        [&[0x88, 0x80, 0, 1, 0, 1, 0, 0][..], &[0xff; 8], &[0, 1], &[0xff; 8], &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    for locations in [greedy, far] {
        fs::write(&path, heic_with(&locations)).unwrap();
        assert_eq!(metadata(&path, Format::Heic).unwrap(), Metadata::default());
    }
    // And one that is there.
    let near = [0x44, 0x00, 0, 1, 0, 1, 0, 0, 0, 1];
    let place = heic_with(&[&near[..], &[0; 8]].concat()).len() as u32;
    let tiff = b"\0\0\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0";
    let located = [&near[..], &place.to_be_bytes(), &(tiff.len() as u32).to_be_bytes()].concat();
    fs::write(&path, [heic_with(&located), tiff.to_vec()].concat()).unwrap();
    assert_eq!(one(&read(&path), "tiff.Make"), "abc");
}

#[test]
fn cut_and_flipped_files_are_read_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "a.png", "a.tif", "a.webp", "a.gif", "a.psd", "a.heic"] {
        let path = picture(folder.path(), name);
        exiftool(&["-overwrite_original", "-XMP-dc:Subject=a", "-XMP-dc:Title=b"], &path);
        if !name.ends_with("gif") {
            exiftool(&["-overwrite_original", "-EXIF:Make=c", "-EXIF:FNumber=2"], &path);
        }
        let whole = fs::read(&path).unwrap();
        let format = sniff(&whole, name);
        assert_ne!(format, Format::Unknown);
        let mut seed = 7_u64;
        for round in 0..300 {
            let mut bytes = whole.clone();
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 33) as usize % bytes.len();
            if round % 3 == 0 {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 0xff;
            }
            fs::write(&path, &bytes).unwrap();
            metadata(&path, format).unwrap();
        }
    }
}
