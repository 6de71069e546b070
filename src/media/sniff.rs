//! Tells what a file is. Content decides; the extension only splits what content cannot.

use std::io::Read;

use flate2::read::GzDecoder;

use super::format::{Foreign, Format, SNIFF_LEN};

/// What the file is that starts with `head` ([`SNIFF_LEN`](super::SNIFF_LEN) bytes are enough) and is called `file_name`.
pub fn sniff(head: &[u8], file_name: &str) -> Format {
    let extension = file_name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    let extension = extension.as_str();
    picture(head, extension)
        .or_else(|| foreign(head, extension).map(Format::Foreign))
        .or_else(|| page(head, extension))
        .or_else(|| sound_or_film(head, extension))
        .or_else(|| archive(head, extension))
        .or_else(|| other_binary(head, extension))
        .or_else(|| text(head, extension))
        .unwrap_or(Format::Unknown)
}

fn at(head: &[u8], offset: usize, magic: &[u8]) -> bool {
    head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

fn contains(head: &[u8], needle: &[u8]) -> bool {
    head.windows(needle.len()).any(|window| window == needle)
}

fn picture(head: &[u8], extension: &str) -> Option<Format> {
    if head.starts_with(b"\xff\xd8\xff") {
        return Some(Format::Jpeg);
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(Format::Png);
    }
    if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        return Some(Format::Gif);
    }
    if head.starts_with(b"RIFF") && at(head, 8, b"WEBP") {
        return Some(Format::WebP);
    }
    if head.starts_with(b"8BPS\0\x01") {
        return Some(Format::Psd);
    }
    if head.starts_with(b"8BPS\0\x02") {
        return Some(Format::Psb);
    }
    if is_bmp(head) {
        return Some(Format::Bmp);
    }
    if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].into_iter().any(|magic| head.starts_with(magic)) {
        // Most cameras' raw files are TIFFs whose first page is only a preview.
        let raw = at(head, 8, b"CR\x02") || RAW_TIFFS.contains(&extension);
        return Some(if raw { Format::CameraRaw } else { Format::Tiff });
    }
    const RAW: [&[u8]; 7] = [b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM"];
    let is_raw = RAW.into_iter().any(|magic| head.starts_with(magic)) || at(head, 6, b"HEAPCCDR");
    is_raw.then_some(Format::CameraRaw)
}

/// Extensions of cameras' raw files that are TIFFs by their beginning.
const RAW_TIFFS: &[&str] =
    &["3fr", "arw", "cr2", "dcr", "dng", "erf", "iiq", "kdc", "mef", "nef", "nrw", "pef", "rwl", "sr2", "srf", "srw"];

/// Pictures that are known, so that it can be said what they are, and not read. Some have so short a mark that their name must
/// say so too.
fn foreign(head: &[u8], extension: &str) -> Option<Foreign> {
    const MARKS: [(&[u8], Foreign); 14] = [
        (b"\0\0\0\x0cjP  \r\n\x87\n", Foreign::Jpeg2000),
        (b"\xff\x4f\xff\x51", Foreign::Jpeg2000),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Foreign::JpegXl),
        (b"\xff\x0a", Foreign::JpegXl),
        (b"II\xbc\x01", Foreign::JpegXr),
        (b"v/1\x01", Foreign::OpenExr),
        (b"#?RADIANCE", Foreign::Radiance),
        (b"#?RGBE", Foreign::Radiance),
        (b"DDS \x7c\0\0\0", Foreign::DirectDraw),
        (b"gimp xcf ", Foreign::Gimp),
        (b"\xd7\xcd\xc6\x9a", Foreign::Metafile),
        (b"SDPX", Foreign::Dpx),
        (b"XPDS", Foreign::Dpx),
        (b"\0\0\x01\0\x01\0", Foreign::Icon),
    ];
    if let Some((_, foreign)) = MARKS.into_iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some(foreign);
    }
    if head.starts_with(b"\x01\0\0\0") && at(head, 40, b" EMF") {
        return Some(Foreign::Metafile);
    }
    match (extension, head) {
        ("pbm" | "pgm" | "ppm" | "pnm" | "pam" | "pfm", [b'P', b'1'..=b'7' | b'F' | b'f', sign, ..])
            if sign.is_ascii_whitespace() =>
        {
            Some(Foreign::Netpbm)
        }
        ("ico" | "cur", [0, 0, 1 | 2, 0, count, _, ..]) if *count > 0 => Some(Foreign::Icon),
        ("pcx", [0x0a, 0 | 2..=5, 1, ..]) => Some(Foreign::Pcx),
        ("tga", [_, 0 | 1, 1..=3 | 9..=11 | 32 | 33, ..]) => Some(Foreign::Targa),
        _ => None,
    }
}

/// "BM" alone is two letters of text: the size of the second header must be one of those in use.
fn is_bmp(head: &[u8]) -> bool {
    let header_size = head.get(14..18).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    head.starts_with(b"BM") && matches!(header_size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

fn page(head: &[u8], extension: &str) -> Option<Format> {
    let start = &head[..head.len().min(1024)];
    if contains(start, b"%PDF-") {
        return Some(if extension == "ai" { Format::Illustrator } else { Format::Pdf });
    }
    if head.starts_with(b"%!PS-AdobeFont") || head.starts_with(b"%!FontType1") {
        return Some(Format::Font);
    }
    let dos_eps = head.starts_with(b"\xc5\xd0\xd3\xc6");
    // Some printer drivers put a control-D in front, others orders to the printer or empty lines.
    let is_post_script = head.strip_prefix(b"\x04").unwrap_or(head).starts_with(b"%!")
        || matches!(extension, "ps" | "eps" | "epsf" | "ai")
            && start.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| line.trim_ascii_start().starts_with(b"%!"));
    if dos_eps || is_post_script {
        let first_line = start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        return Some(if extension == "ai" || contains(start, b"%%Creator: Adobe Illustrator") {
            Format::Illustrator
        } else if dos_eps || contains(first_line, b"EPSF") || matches!(extension, "eps" | "epsf") {
            Format::Eps
        } else {
            Format::PostScript
        });
    }
    if head.starts_with(b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5") {
        return Some(Format::InDesign);
    }
    if head.starts_with(b"{\\rtf") {
        return Some(Format::Rtf);
    }
    // An OLE container says what it holds only in its directory, which may lie anywhere.
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return office(extension);
    }
    None
}

fn office(extension: &str) -> Option<Format> {
    match extension {
        "doc" | "docx" | "docm" | "dot" | "dotx" => Some(Format::Word),
        "xls" | "xlsx" | "xlsm" | "xlt" | "xltx" => Some(Format::Excel),
        "ppt" | "pptx" | "pptm" | "pps" | "ppsx" | "pot" | "potx" => Some(Format::PowerPoint),
        _ => None,
    }
}

fn sound_or_film(head: &[u8], extension: &str) -> Option<Format> {
    if at(head, 4, b"ftyp") {
        return Some(iso_media(head));
    }
    let quicktime = [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"].into_iter().any(|atom| at(head, 4, atom));
    let riff_film = head.starts_with(b"RIFF") && at(head, 8, b"AVI ");
    // Camcorders write the time in front of each packet.
    let transport_stream =
        [(0, 188), (4, 192)].into_iter().any(|(first, packet)| (0..3).all(|n| at(head, first + n * packet, b"\x47")));
    const FILM: [&[u8]; 6] =
        [b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\0\0\x01\xba", b"\0\0\x01\xb3", MXF];
    const MXF: &[u8] = b"\x06\x0e\x2b\x34\x02\x05\x01\x01";
    let mpeg = head.starts_with(b"\0\0\x01")
        && matches!(extension, "mpg" | "mpeg" | "mpe" | "m2v" | "vob")
        && head.get(3).is_some_and(|code| *code >= 0xb0);
    if quicktime || riff_film || transport_stream || mpeg || FILM.into_iter().any(|magic| head.starts_with(magic)) {
        let sound_only = matches!(extension, "mka" | "weba" | "wma");
        return Some(if sound_only { Format::Audio } else { Format::Video });
    }
    if head.starts_with(b"OggS") {
        let film = contains(&head[..head.len().min(512)], b"theora") || extension == "ogv";
        return Some(if film { Format::Video } else { Format::Audio });
    }
    const SOUND: [&[u8]; 5] = [b"ID3", b"fLaC", b"MThd", b"#!AMR", b".snd"];
    let wave = head.starts_with(b"RIFF") && at(head, 8, b"WAVE");
    let aiff = head.starts_with(b"FORM") && (at(head, 8, b"AIFF") || at(head, 8, b"AIFC"));
    // A bare MPEG audio frame is only eleven set bits: believed when the name says so too.
    let mpeg_frame = matches!(head, [0xff, second, ..] if second & 0xe0 == 0xe0) && matches!(extension, "mp3" | "aac");
    (wave || aiff || mpeg_frame || SOUND.into_iter().any(|magic| head.starts_with(magic))).then_some(Format::Audio)
}

/// The ISO base media family: the major brand and the compatible brands after it.
fn iso_media(head: &[u8]) -> Format {
    let size = head.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let brands = &head[8..head.len().min(size.max(12))];
    let has = |names: &[&[u8; 4]]| brands.chunks_exact(4).any(|brand| names.iter().any(|name| *name == brand));
    if has(&[b"avif", b"avis"]) {
        Format::Avif
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Format::Heic
    } else if brands.starts_with(b"crx ") {
        Format::CameraRaw
    } else if brands.starts_with(b"M4A ") || brands.starts_with(b"M4B ") {
        Format::Audio
    } else {
        Format::Video
    }
}

fn archive(head: &[u8], extension: &str) -> Option<Format> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(zip_content(head, extension));
    }
    if head.starts_with(b"\x1f\x8b") {
        // A compressed SVG, or a file of an SVG: what content cannot tell apart.
        let is_svg = !matches!(extension, "gz" | "tgz") && text(&unpacked(head), extension) == Some(Format::Svg);
        return Some(if is_svg { Format::Svg } else { Format::Gz });
    }
    at(head, 257, b"ustar").then_some(Format::Tar)
}

/// What can be told of the content from the start of a compressed file.
fn unpacked(head: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    // It breaks off where the head does.
    let _ = GzDecoder::new(head).take(SNIFF_LEN as u64).read_to_end(&mut content);
    content
}

/// Documents that are ZIP files inside, told by the names of their entries.
fn zip_content(head: &[u8], extension: &str) -> Format {
    if contains(head, b"application/vnd.adobe.indesign-idml-package") {
        return Format::InDesign;
    }
    if contains(head, b"[Content_Types].xml") {
        const PARTS: [(&[u8], Format); 3] =
            [(b"word/", Format::Word), (b"xl/", Format::Excel), (b"ppt/", Format::PowerPoint)];
        let by_part = PARTS.into_iter().find(|(part, _)| contains(head, part)).map(|(_, format)| format);
        return by_part.or_else(|| office(extension)).unwrap_or(Format::Zip);
    }
    if extension == "swc" { Format::FlashComponent } else { Format::Zip }
}

fn other_binary(head: &[u8], extension: &str) -> Option<Format> {
    if at(head, 36, b"acsp") {
        return Some(Format::IccProfile);
    }
    const FONT: [&[u8]; 8] =
        [b"\0\x01\0\0\0", b"OTTO", b"ttcf", b"wOFF", b"wOF2", b"true\0", b"\x80\x01", b"StartFontMetrics"];
    if FONT.into_iter().any(|magic| head.starts_with(magic)) {
        return Some(Format::Font);
    }
    if [b"FWS", b"CWS", b"ZWS"].into_iter().any(|magic| head.starts_with(magic)) && head.len() > 8 {
        return Some(Format::Flash);
    }
    // A swatch file starts with its version, 1 or 2, and nothing else to know it by.
    (extension == "aco" && matches!(head, [0, 1 | 2, _, _, ..])).then_some(Format::Aco)
}

fn text(head: &[u8], extension: &str) -> Option<Format> {
    let text = readable(head)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("WEBVTT") {
        return Some(Format::VideoCaption);
    }
    if text.starts_with('<') {
        // Pages of the web have drawings inside, and are none.
        let root = root_element(text);
        let is_svg = match root {
            Some(root) => !root.eq_ignore_ascii_case("html") && (text.contains("<svg") || text.contains(":svg")),
            // What stands in front of it may be longer than what is looked at.
            None => matches!(extension, "svg" | "svgz") || text.contains("<svg"),
        };
        if is_svg {
            return Some(Format::Svg);
        }
        if text.contains("http://www.w3.org/1999/XSL/Transform") {
            return Some(Format::Xsl);
        }
        if text.contains("http://ns.adobe.com/fxg/") {
            return Some(Format::Fxg);
        }
        if text.starts_with("<?xml") {
            return Some(match extension {
                "xsl" | "xslt" => Format::Xsl,
                "ttml" | "dfxp" => Format::VideoCaption,
                _ => Format::Xml,
            });
        }
    }
    Some(match extension {
        "css" => Format::Css,
        "js" | "mjs" => Format::JavaScript,
        "srt" | "vtt" | "sbv" | "scc" => Format::VideoCaption,
        "xml" => Format::Xml,
        "xsl" | "xslt" => Format::Xsl,
        _ => Format::Text,
    })
}

/// The name of the first element, without its prefix; None if `text` ends, or breaks off, before it. The declaration of a page of
/// the web says what its first element is, which may be left out.
fn root_element(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start();
        let end = if text.starts_with("<!--") {
            text.find("-->")? + 3
        } else if text.starts_with("<?") {
            text.find("?>")? + 2
        } else if let Some(declared) = text.strip_prefix("<!") {
            if declared.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("doctype html")) {
                return Some(&declared[8..12]);
            }
            // Entities stand in brackets, and have brackets of their own.
            match (text.find('['), text.find('>')?) {
                (Some(open), close) if open < close => text.find("]>")? + 2,
                (_, close) => close + 1,
            }
        } else {
            let name = text.strip_prefix('<')?;
            let end = name.find(|sign: char| sign.is_whitespace() || matches!(sign, '>' | '/'))?;
            return name[..end].rsplit(':').next();
        };
        text = &text[end..];
    }
}

/// What a file holds that is of no known format, as far as its beginning tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    Zeros,
    /// Git keeps the file elsewhere, and this is what says where.
    Pointer,
    WebPage,
    Text,
    Unknown,
}

pub fn nothing(head: &[u8]) -> Nothing {
    const ZEROS: usize = 64;
    if !head.is_empty() && head.iter().take(ZEROS).all(|byte| *byte == 0) {
        return Nothing::Zeros;
    }
    let Some(text) = readable(head) else { return Nothing::Unknown };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        Nothing::Pointer
    } else if root_element(text).is_some_and(|root| root.eq_ignore_ascii_case("html")) {
        Nothing::WebPage
    } else {
        Nothing::Text
    }
}

/// `head` as text: UTF-8, UTF-16 with a mark, or any 8-bit code without control characters.
fn readable(head: &[u8]) -> Option<String> {
    let wide = |decode: fn([u8; 2]) -> u16| {
        let units = head[2..].chunks_exact(2).map(|pair| decode([pair[0], pair[1]]));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match head {
        [] => None,
        [0xff, 0xfe, ..] => Some(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Some(wide(u16::from_be_bytes)),
        _ if head.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b)) => None,
        _ => Some(String::from_utf8_lossy(head).into_owned()),
    }
}
