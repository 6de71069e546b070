//! Tells what a file is. Content decides; the extension only splits what content cannot.
//!
//! A signature is a question of a file's beginning; [`formats`](super::formats) says whose it is and when it is asked.

use std::cell::OnceCell;
use std::io::Read;

use flate2::read::GzDecoder;

use super::format::{Format, SNIFF_LEN};
use super::formats::ROWS;

/// What the file is that starts with `head` ([`SNIFF_LEN`](super::SNIFF_LEN) bytes are enough) and is called `file_name`.
pub fn sniff(head: &[u8], file_name: &str) -> Format {
    let head = Head::new(head, file_name);
    ROWS.iter().find(|row| (row.signature)(&head)).map_or(Format::Unknown, |row| row.format)
}

/// The beginning of a file.
pub(in crate::media) struct Head<'a> {
    bytes: &'a [u8],
    /// In lower case, without the dot; empty if there is none.
    extension: String,
    /// What kind of text it is, once that was asked.
    text: OnceCell<Option<Format>>,
}

impl<'a> Head<'a> {
    fn new(bytes: &'a [u8], file_name: &str) -> Self {
        let extension = file_name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
        Self { bytes, extension, text: OnceCell::new() }
    }

    fn starts(&self, marks: &[&[u8]]) -> bool {
        marks.iter().any(|mark| self.bytes.starts_with(mark))
    }

    fn at(&self, offset: usize, mark: &[u8]) -> bool {
        self.bytes.get(offset..).is_some_and(|rest| rest.starts_with(mark))
    }

    fn is_called(&self, extensions: &[&str]) -> bool {
        extensions.contains(&self.extension.as_str())
    }

    fn has(&self, needle: &[u8]) -> bool {
        contains(self.bytes, needle)
    }

    /// The first kilobyte.
    fn start(&self) -> &[u8] {
        &self.bytes[..self.bytes.len().min(1024)]
    }

    fn text(&self) -> Option<Format> {
        *self.text.get_or_init(|| kind_of_text(self.bytes, &self.extension))
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

pub(super) fn jpeg(head: &Head<'_>) -> bool {
    head.starts(&[b"\xff\xd8\xff"])
}

pub(super) fn png(head: &Head<'_>) -> bool {
    head.starts(&[b"\x89PNG\r\n\x1a\n"])
}

pub(super) fn gif(head: &Head<'_>) -> bool {
    head.starts(&[b"GIF87a", b"GIF89a"])
}

pub(super) fn webp(head: &Head<'_>) -> bool {
    riff(head, b"WEBP")
}

fn riff(head: &Head<'_>, kind: &[u8]) -> bool {
    head.starts(&[b"RIFF"]) && head.at(8, kind)
}

pub(super) fn psd(head: &Head<'_>) -> bool {
    head.starts(&[b"8BPS\0\x01"])
}

pub(super) fn psb(head: &Head<'_>) -> bool {
    head.starts(&[b"8BPS\0\x02"])
}

/// "BM" alone is two letters of text: the size of the second header must be one of those in use.
pub(super) fn bmp(head: &Head<'_>) -> bool {
    let header_size = head.bytes.get(14..18).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    head.starts(&[b"BM"]) && matches!(header_size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

pub(super) fn tiff(head: &Head<'_>) -> bool {
    head.starts(&[b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
}

/// Most cameras' raw files are TIFFs whose first page is only a preview; these are known by their extension.
pub(super) fn camera_raw(head: &Head<'_>) -> bool {
    const RAW: &[&[u8]] = &[b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM"];
    const RAW_TIFFS: &[&str] = &[
        "3fr", "arw", "cr2", "dcr", "dng", "erf", "iiq", "kdc", "mef", "nef", "nrw", "pef", "rwl", "sr2", "srf", "srw",
    ];
    tiff(head) && (head.at(8, b"CR\x02") || head.is_called(RAW_TIFFS))
        || head.starts(RAW)
        || head.at(6, b"HEAPCCDR")
        || iso_media(head) == Some(Format::CameraRaw)
}

pub(super) fn jpeg_2000(head: &Head<'_>) -> bool {
    head.starts(&[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"])
}

pub(super) fn jpeg_xl(head: &Head<'_>) -> bool {
    head.starts(&[b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"])
}

pub(super) fn jpeg_xr(head: &Head<'_>) -> bool {
    head.starts(&[b"II\xbc\x01"])
}

pub(super) fn open_exr(head: &Head<'_>) -> bool {
    head.starts(&[b"v/1\x01"])
}

pub(super) fn radiance(head: &Head<'_>) -> bool {
    head.starts(&[b"#?RADIANCE", b"#?RGBE"])
}

pub(super) fn direct_draw(head: &Head<'_>) -> bool {
    head.starts(&[b"DDS \x7c\0\0\0"])
}

pub(super) fn gimp(head: &Head<'_>) -> bool {
    head.starts(&[b"gimp xcf "])
}

pub(super) fn metafile(head: &Head<'_>) -> bool {
    head.starts(&[b"\xd7\xcd\xc6\x9a"]) || head.starts(&[b"\x01\0\0\0"]) && head.at(40, b" EMF")
}

pub(super) fn dpx(head: &Head<'_>) -> bool {
    head.starts(&[b"SDPX", b"XPDS"])
}

/// Its channels and its colour space have two values each.
pub(super) fn qoi(head: &Head<'_>) -> bool {
    head.starts(&[b"qoif"]) && matches!(head.bytes.get(12..14), Some([3 | 4, 0 | 1]))
}

pub(super) fn cineon(head: &Head<'_>) -> bool {
    head.starts(&[b"\x80\x2a\x5f\xd7", b"\xd7\x5f\x2a\x80"])
}

/// Its packing and the bytes of a sample have two values each.
pub(super) fn sgi(head: &Head<'_>) -> bool {
    matches!(head.bytes, [0x01, 0xda, 0 | 1, 1 | 2, ..])
}

pub(super) fn sun_raster(head: &Head<'_>) -> bool {
    head.starts(&[b"\x59\xa6\x6a\x95"])
}

pub(super) fn fits(head: &Head<'_>) -> bool {
    head.starts(&[b"SIMPLE  ="])
}

pub(super) fn farbfeld(head: &Head<'_>) -> bool {
    head.starts(&[b"farbfeld"])
}

pub(super) fn miff(head: &Head<'_>) -> bool {
    head.starts(&[b"id=ImageMagick"])
}

pub(super) fn mng(head: &Head<'_>) -> bool {
    head.starts(&[b"\x8aMNG\r\n\x1a\n"])
}

pub(super) fn jng(head: &Head<'_>) -> bool {
    head.starts(&[b"\x8bJNG\r\n\x1a\n"])
}

pub(super) fn dcx(head: &Head<'_>) -> bool {
    head.starts(&[b"\xb1\x68\xde\x3a"])
}

pub(super) fn flif(head: &Head<'_>) -> bool {
    head.starts(&[b"FLIF"]) && !head.bytes.is_ascii()
}

pub(super) fn bpg(head: &Head<'_>) -> bool {
    head.starts(&[b"BPG\xfb"])
}

pub(super) fn paint_shop(head: &Head<'_>) -> bool {
    head.starts(&[b"Paint Shop Pro Image File\n\x1a"])
}

pub(super) fn affinity(head: &Head<'_>) -> bool {
    head.starts(&[b"\0\xffKA"])
}

/// A ZIP file whose first entry, which is stored, says what it holds.
fn is_package_of(head: &Head<'_>, kind: &[u8]) -> bool {
    const NAME: usize = 30;
    is_zip(head) && head.at(NAME, b"mimetype") && contains(head.start(), kind)
}

pub(super) fn open_raster(head: &Head<'_>) -> bool {
    is_package_of(head, b"image/openraster")
}

pub(super) fn krita(head: &Head<'_>) -> bool {
    is_package_of(head, b"application/x-krita")
}

pub(super) fn xpm(head: &Head<'_>) -> bool {
    head.starts(&[b"/* XPM */", b"! XPM2"])
}

// The marks of the next are so short that the name must say what they are, too.

pub(super) fn icon(head: &Head<'_>) -> bool {
    head.starts(&[b"\0\0\x01\0\x01\0"])
        || head.is_called(&["ico", "cur"]) && matches!(head.bytes, [0, 0, 1 | 2, 0, count, _, ..] if *count > 0)
}

pub(super) fn netpbm(head: &Head<'_>) -> bool {
    head.is_called(&["pbm", "pgm", "ppm", "pnm", "pam", "pfm"])
        && matches!(head.bytes, [b'P', b'1'..=b'7', sign, ..] if sign.is_ascii_whitespace())
}

pub(super) fn float_map(head: &Head<'_>) -> bool {
    head.is_called(&["pfm"]) && matches!(head.bytes, [b'P', b'F' | b'f', sign, ..] if sign.is_ascii_whitespace())
}

pub(super) fn pcx(head: &Head<'_>) -> bool {
    head.is_called(&["pcx"]) && matches!(head.bytes, [0x0a, 0 | 2..=5, 1, ..])
}

pub(super) fn targa(head: &Head<'_>) -> bool {
    head.is_called(&["tga"]) && matches!(head.bytes, [_, 0 | 1, 1..=3 | 9..=11 | 32 | 33, ..])
}

/// In front of it are 512 bytes that say nothing; the version comes behind the frame.
pub(super) fn pict(head: &Head<'_>) -> bool {
    head.is_called(&["pict", "pct"]) && (head.at(522, b"\0\x11\x02\xff") || head.at(522, b"\x11\x01"))
}

pub(super) fn xbm(head: &Head<'_>) -> bool {
    head.is_called(&["xbm"]) && contains(head.start(), b"#define ") && contains(head.start(), b"_width ")
}

/// Somewhere at its start, unless that is what an archive holds as it is.
fn has_pdf(head: &Head<'_>) -> bool {
    contains(head.start(), b"%PDF-") && !(zip(head) || tar(head) || gz(head))
}

pub(super) fn pdf(head: &Head<'_>) -> bool {
    has_pdf(head) && !head.is_called(&["ai"])
}

/// PDF or PostScript by content, as its version is.
pub(super) fn illustrator(head: &Head<'_>) -> bool {
    head.is_called(&["ai"]) && (has_pdf(head) || is_post_script(head))
        || is_post_script(head) && contains(head.start(), b"%%Creator: Adobe Illustrator")
}

fn is_post_script_font(head: &Head<'_>) -> bool {
    head.starts(&[b"%!PS-AdobeFont", b"%!FontType1"])
}

/// Some printer drivers put a control-D in front, others orders to the printer or empty lines.
fn is_post_script(head: &Head<'_>) -> bool {
    let mut lines = head.start().split(|byte| matches!(byte, b'\r' | b'\n'));
    let begins = head.bytes.strip_prefix(b"\x04").unwrap_or(head.bytes).starts_with(b"%!");
    let is_other = has_pdf(head) || is_post_script_font(head);
    !is_other
        && (is_dos_eps(head)
            || begins
            || head.is_called(&["ps", "eps", "epsf", "epsi", "epi", "ai"])
                && lines.any(|line| line.trim_ascii_start().starts_with(b"%!")))
}

fn is_dos_eps(head: &Head<'_>) -> bool {
    head.starts(&[b"\xc5\xd0\xd3\xc6"])
}

pub(super) fn eps(head: &Head<'_>) -> bool {
    let first_line = head.start().split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let says_so = is_dos_eps(head) || contains(first_line, b"EPSF") || head.is_called(&["eps", "epsf"]);
    says_so && is_post_script(head)
}

pub(super) fn post_script(head: &Head<'_>) -> bool {
    is_post_script(head)
}

pub(super) fn in_design(head: &Head<'_>) -> bool {
    head.starts(&[b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5"])
        || is_zip(head) && head.has(b"application/vnd.adobe.indesign-idml-package")
}

pub(super) fn rtf(head: &Head<'_>) -> bool {
    head.starts(&[b"{\\rtf"])
}

pub(super) fn word(head: &Head<'_>) -> bool {
    office(head) == Some(Format::Word)
}

pub(super) fn excel(head: &Head<'_>) -> bool {
    office(head) == Some(Format::Excel)
}

pub(super) fn power_point(head: &Head<'_>) -> bool {
    office(head) == Some(Format::PowerPoint)
}

/// Documents of the office are OLE containers, which say what they hold only in a directory that may lie anywhere, or ZIP files,
/// which mostly say it by the names of their entries.
fn office(head: &Head<'_>) -> Option<Format> {
    const PARTS: [(&[u8], Format); 3] =
        [(b"word/", Format::Word), (b"xl/", Format::Excel), (b"ppt/", Format::PowerPoint)];
    let by_name = || match head.extension.as_str() {
        "doc" | "docx" | "docm" | "dot" | "dotx" => Some(Format::Word),
        "xls" | "xlsx" | "xlsm" | "xlt" | "xltx" => Some(Format::Excel),
        "ppt" | "pptx" | "pptm" | "pps" | "ppsx" | "pot" | "potx" => Some(Format::PowerPoint),
        _ => None,
    };
    if head.starts(&[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]) {
        return by_name();
    }
    let is_package = is_zip(head) && head.has(b"[Content_Types].xml");
    let by_part = || PARTS.into_iter().find(|(part, _)| head.has(part)).map(|(_, format)| format);
    is_package.then(|| by_part().or_else(by_name)).flatten()
}

pub(super) fn avif(head: &Head<'_>) -> bool {
    iso_media(head) == Some(Format::Avif)
}

pub(super) fn heic(head: &Head<'_>) -> bool {
    iso_media(head) == Some(Format::Heic)
}

/// The ISO base media family: the major brand and the compatible brands after it.
fn iso_media(head: &Head<'_>) -> Option<Format> {
    if !head.at(4, b"ftyp") {
        return None;
    }
    let bytes = head.bytes;
    let size = bytes.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let brands = &bytes[8..bytes.len().min(size.max(12))];
    let has = |names: &[&[u8; 4]]| brands.chunks_exact(4).any(|brand| names.iter().any(|name| *name == brand));
    Some(if has(&[b"avif", b"avis"]) {
        Format::Avif
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Format::Heic
    } else if brands.starts_with(b"crx ") {
        Format::CameraRaw
    } else if brands.starts_with(b"M4A ") || brands.starts_with(b"M4B ") {
        Format::Audio
    } else {
        Format::Video
    })
}

pub(super) fn audio(head: &Head<'_>) -> bool {
    const SOUND: &[&[u8]] = &[b"ID3", b"fLaC", b"MThd", b"#!AMR", b".snd"];
    let aiff = head.starts(&[b"FORM"]) && (head.at(8, b"AIFF") || head.at(8, b"AIFC"));
    // A bare MPEG audio frame is only eleven set bits: believed when the name says so too.
    let mpeg_frame =
        matches!(head.bytes, [0xff, second, ..] if second & 0xe0 == 0xe0) && head.is_called(&["mp3", "aac"]);
    let sound_only = is_container_of_films(head) && head.is_called(&["mka", "weba", "wma"]);
    iso_media(head) == Some(Format::Audio)
        || sound_only
        || head.starts(&[b"OggS"]) && !is_ogg_film(head)
        || riff(head, b"WAVE")
        || aiff
        || mpeg_frame
        || head.starts(SOUND)
}

pub(super) fn video(head: &Head<'_>) -> bool {
    iso_media(head) == Some(Format::Video)
        || is_container_of_films(head)
        || head.starts(&[b"OggS"]) && is_ogg_film(head)
}

fn is_ogg_film(head: &Head<'_>) -> bool {
    contains(&head.bytes[..head.bytes.len().min(512)], b"theora") || head.is_called(&["ogv"])
}

fn is_container_of_films(head: &Head<'_>) -> bool {
    const MXF: &[u8] = b"\x06\x0e\x2b\x34\x02\x05\x01\x01";
    const FILM: &[&[u8]] =
        &[b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\0\0\x01\xba", b"\0\0\x01\xb3", MXF];
    let quicktime = [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"].into_iter().any(|atom| head.at(4, atom));
    // Camcorders write the time in front of each packet.
    let transport_stream =
        [(0, 188), (4, 192)].into_iter().any(|(first, packet)| (0..3).all(|n| head.at(first + n * packet, b"\x47")));
    let mpeg = head.starts(&[b"\0\0\x01"])
        && head.is_called(&["mpg", "mpeg", "mpe", "m2v", "vob"])
        && head.bytes.get(3).is_some_and(|code| *code >= 0xb0);
    quicktime || riff(head, b"AVI ") || transport_stream || mpeg || head.starts(FILM)
}

fn is_zip(head: &Head<'_>) -> bool {
    head.starts(&[b"PK\x03\x04", b"PK\x05\x06"])
}

pub(super) fn flash_component(head: &Head<'_>) -> bool {
    is_zip(head) && head.is_called(&["swc"])
}

/// What its names of entries do not make a document.
pub(super) fn zip(head: &Head<'_>) -> bool {
    is_zip(head)
}

pub(super) fn tar(head: &Head<'_>) -> bool {
    head.at(257, b"ustar") || head.bytes.first_chunk().is_some_and(super::archive::is_tar_header)
}

pub(super) fn icc_profile(head: &Head<'_>) -> bool {
    head.at(36, b"acsp")
}

pub(super) fn font(head: &Head<'_>) -> bool {
    const FONT: &[&[u8]] =
        &[b"\0\x01\0\0\0", b"OTTO", b"ttcf", b"wOFF", b"wOF2", b"true\0", b"\x80\x01", b"StartFontMetrics"];
    is_post_script_font(head) || head.starts(FONT)
}

pub(super) fn flash(head: &Head<'_>) -> bool {
    head.starts(&[b"FWS", b"CWS", b"ZWS"]) && head.bytes.len() > 8
}

/// A swatch file starts with its version, 1 or 2, and nothing else to know it by.
pub(super) fn aco(head: &Head<'_>) -> bool {
    head.is_called(&["aco"]) && matches!(head.bytes, [0, 1 | 2, _, _, ..])
}

/// Compressed or not: what content cannot tell apart from a compressed file of an SVG.
pub(super) fn svg(head: &Head<'_>) -> bool {
    let compressed = || {
        let content = gz(head) && !head.is_called(&["gz", "tgz"]);
        content && kind_of_text(&unpacked(head.bytes), &head.extension) == Some(Format::Svg)
    };
    head.text() == Some(Format::Svg) || compressed()
}

pub(super) fn gz(head: &Head<'_>) -> bool {
    head.starts(&[b"\x1f\x8b"])
}

/// What can be told of the content from the start of a compressed file.
fn unpacked(head: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    // It breaks off where the head does.
    let _ = GzDecoder::new(head).take(SNIFF_LEN as u64).read_to_end(&mut content);
    content
}

pub(super) fn video_caption(head: &Head<'_>) -> bool {
    head.text() == Some(Format::VideoCaption)
}

pub(super) fn fxg(head: &Head<'_>) -> bool {
    head.text() == Some(Format::Fxg)
}

pub(super) fn xsl(head: &Head<'_>) -> bool {
    head.text() == Some(Format::Xsl)
}

pub(super) fn xml(head: &Head<'_>) -> bool {
    head.text() == Some(Format::Xml)
}

pub(super) fn css(head: &Head<'_>) -> bool {
    head.text() == Some(Format::Css)
}

pub(super) fn java_script(head: &Head<'_>) -> bool {
    head.text() == Some(Format::JavaScript)
}

pub(super) fn text(head: &Head<'_>) -> bool {
    head.text() == Some(Format::Text)
}

/// What nothing else is.
pub(super) fn anything(_head: &Head<'_>) -> bool {
    true
}

fn kind_of_text(head: &[u8], extension: &str) -> Option<Format> {
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
    /// As far as formats are told by.
    OnlyZeros,
    /// Some, as other formats have them, and then something.
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
        return if head.iter().all(|byte| *byte == 0) { Nothing::OnlyZeros } else { Nothing::Zeros };
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
