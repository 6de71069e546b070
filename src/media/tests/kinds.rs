//! What files are taken for.

use std::io::Write;

use super::super::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn ole() -> Vec<u8> {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()
}

fn padded(head: &[u8], offset: usize, rest: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(offset, 0);
    bytes.extend_from_slice(rest);
    bytes
}

#[test]
fn content_decides() {
    let zip = |names: &[u8]| [b"PK\x03\x04".as_slice(), names].concat();
    let cases: Vec<(Vec<u8>, &str, Format)> = vec![
        (b"\xff\xd8\xff\xe0".to_vec(), "picture.png", Format::Jpeg),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "a.jpg", Format::Png),
        (b"II*\0\x08\0\0\0".to_vec(), "a", Format::Tiff),
        (b"MM\0+".to_vec(), "a.tif", Format::Tiff),
        (b"II*\0\x08\0\0\0".to_vec(), "a.NEF", Format::CameraRaw),
        (b"GIF89a".to_vec(), "a", Format::Gif),
        (b"\x80\x2a\x5f\xd7".to_vec(), "a", Format::Cineon),
        (b"\x01\xda\x01\x01".to_vec(), "a", Format::Sgi),
        (b"\x59\xa6\x6a\x95".to_vec(), "a", Format::SunRaster),
        (b"SIMPLE  =                    T".to_vec(), "a", Format::Fits),
        (b"farbfeld\0\0\0\x01".to_vec(), "a", Format::Farbfeld),
        (b"id=ImageMagick  version=1.0".to_vec(), "a", Format::Miff),
        (b"\x8aMNG\r\n\x1a\n".to_vec(), "a", Format::Mng),
        (b"\x8bJNG\r\n\x1a\n".to_vec(), "a", Format::Jng),
        (b"\xb1\x68\xde\x3a".to_vec(), "a", Format::Dcx),
        (b"FLIF\x44\x31\x81".to_vec(), "a", Format::Flif),
        (b"FLIF is a format".to_vec(), "a", Format::Text),
        (b"BPG\xfb".to_vec(), "a", Format::Bpg),
        (b"Paint Shop Pro Image File\n\x1a".to_vec(), "a", Format::PaintShop),
        (b"\0\xffKA".to_vec(), "a", Format::Affinity),
        (padded(b"PK\x03\x04", 30, b"mimetypeimage/openraster"), "a", Format::OpenRaster),
        (padded(b"PK\x03\x04", 30, b"mimetypeapplication/x-krita"), "a.zip", Format::Krita),
        (padded(b"", 522, b"\0\x11\x02\xff"), "a.pct", Format::Pict),
        (b"/* XPM */\nstatic char".to_vec(), "a.c", Format::Xpm),
        (b"#define a_width 8\n#define a_height 8".to_vec(), "a.xbm", Format::Xbm),
        (b"#define a_width 8\n#define a_height 8".to_vec(), "a.h", Format::Text),
        (padded(b"BM", 14, b"\x28\0\0\0"), "a", Format::Bmp),
        (b"BMW is a maker of cars".to_vec(), "a.bmp", Format::Text),
        (b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), "a", Format::WebP),
        (b"8BPS\0\x01".to_vec(), "a", Format::Psd),
        (b"8BPS\0\x02".to_vec(), "a.psd", Format::Psb),
        (b"%PDF-1.7\n".to_vec(), "a.jpg", Format::Pdf),
        (b"junk in front\n%PDF-1.4".to_vec(), "a.pdf", Format::Pdf),
        (b"%PDF-1.5\n".to_vec(), "logo.AI", Format::Illustrator),
        (b"%!PS-Adobe-3.0\n%%Creator: Adobe Illustrator(R) 8".to_vec(), "a.ps", Format::Illustrator),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n".to_vec(), "a", Format::Eps),
        (b"\xc5\xd0\xd3\xc6".to_vec(), "a", Format::Eps),
        (b"%!PS-Adobe-3.0\n".to_vec(), "a", Format::PostScript),
        (b"%!PS-AdobeFont-1.0: Times".to_vec(), "a.pfa", Format::Font),
        (b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5".to_vec(), "a", Format::InDesign),
        (ole(), "letter.doc", Format::Word),
        (ole(), "sums.xls", Format::Excel),
        (ole(), "talk.ppt", Format::PowerPoint),
        (ole(), "picture.jpg", Format::Unknown),
        (zip(b"....[Content_Types].xml....word/document.xml"), "a.zip", Format::Word),
        (zip(b"....[Content_Types].xml...."), "a.xlsx", Format::Excel),
        (zip(b"....mimetypeapplication/vnd.adobe.indesign-idml-package"), "a", Format::InDesign),
        (zip(b"pictures/a.jpg"), "a", Format::Zip),
        (zip(b"library.swf"), "a.swc", Format::FlashComponent),
        (padded(b"name", 257, b"ustar"), "a", Format::Tar),
        // Its first member is stored as it is.
        ([padded(b"a.pdf", 257, b"ustar"), vec![0; 250], b"%PDF-1.7\n".to_vec()].concat(), "a.tar", Format::Tar),
        (b"PK\x03\x04\x0a\0\0\0\0\0 a.pdf%PDF-1.7\n".to_vec(), "a.zip", Format::Zip),
        (b"words in front\n%PDF-1.7\n".to_vec(), "a.pdf", Format::Pdf),
        (b"\x1f\x8b\x08".to_vec(), "a.tgz", Format::Gz),
        (b"{\\rtf1".to_vec(), "a.doc", Format::Rtf),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), "a", Format::Heic),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf".to_vec(), "a", Format::Avif),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41".to_vec(), "a", Format::Video),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ".to_vec(), "a", Format::Video),
        (b"\0\0\0\x18ftypM4A \0\0\0\0isom".to_vec(), "a", Format::Audio),
        (b"\x1a\x45\xdf\xa3".to_vec(), "a.webm", Format::Video),
        (b"RIFF\0\0\0\0AVI LIST".to_vec(), "a", Format::Video),
        (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), "a", Format::Audio),
        (b"ID3\x03".to_vec(), "a", Format::Audio),
        (b"\xff\xfb\x90\x44".to_vec(), "a.mp3", Format::Audio),
        (b"WEBVTT\n\n".to_vec(), "a", Format::VideoCaption),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n".to_vec(), "a.srt", Format::VideoCaption),
        (b"OTTO\0".to_vec(), "a", Format::Font),
        (b"\0\x01\0\0\0\x0c".to_vec(), "a.ttf", Format::Font),
        (padded(&[], 36, b"acsp"), "a.icm", Format::IccProfile),
        (b"\0\x01\0\x05\0\0".to_vec(), "brand.aco", Format::Aco),
        (b"CWS\x0a\0\0\0\0\0".to_vec(), "a", Format::Flash),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "a.xml", Format::Svg),
        (b"<svg/>".to_vec(), "a", Format::Svg),
        (gzip(b"<svg/>"), "a.svgz", Format::Svg),
        (gzip(b"<svg/>"), "a", Format::Svg),
        (gzip(b"<svg/>"), "a.svg.gz", Format::Gz),
        (gzip(b"only words"), "a.svgz", Format::Gz),
        (
            b"<?xml version='1.0'?><xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform'/>".to_vec(),
            "a",
            Format::Xsl,
        ),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>".to_vec(), "a.dat", Format::Xml),
        (b"\xff\xfe<\0?\0x\0m\0l\0 \0?\0>\0".to_vec(), "a", Format::Xml),
        (b"body { color: red }".to_vec(), "a.css", Format::Css),
        (b"let a = 1;".to_vec(), "a.JS", Format::JavaScript),
        (b"only words".to_vec(), "a.jpg", Format::Text),
        (b"<!DOCTYPE html><html><body><svg/></body></html>".to_vec(), "a.jpg", Format::Text),
        (b"<!doctype HTML>\n<svg/>".to_vec(), "a.svg", Format::Text),
        (b"<?xml version='1.0'?>\n<!-- a page --><html xmlns:s='x'><s:svg/></html>".to_vec(), "a.png", Format::Xml),
        (b"<!DOCTYPE svg [ <!ENTITY a '>'> ]>\n<svg>&a;</svg>".to_vec(), "a", Format::Svg),
        (
            padded(b"<?xml version='1.0'?><!-- long", 200, b"").iter().map(|b| (*b).max(32)).collect(),
            "a.svg",
            Format::Svg,
        ),
        (b"\n\n%!PS-Adobe-3.0\n".to_vec(), "a.ps", Format::PostScript),
        (b"\x1b%-12345X@PJL\r\n%!PS-Adobe-3.0 EPSF-3.0\r\n".to_vec(), "a.eps", Format::Eps),
        (b"FUJIFILMCCD-RAW 0201".to_vec(), "a.raf", Format::CameraRaw),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom".to_vec(), "a.cr3", Format::CameraRaw),
        (b"II*\0\x08\0\0\0".to_vec(), "a.3fr", Format::CameraRaw),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "a", Format::Jpeg2000),
        (b"\xff\x0a\xfa".to_vec(), "a.jxl", Format::JpegXl),
        (b"v/1\x01\x02\0\0\0".to_vec(), "a.exr", Format::OpenExr),
        (b"P6\n4 4\n255\n".to_vec(), "a.ppm", Format::Netpbm),
        (b"P6 is a section".to_vec(), "a.txt", Format::Text),
        (b"\0\0\x02\0\0\0\0\0\0\0\0\0\x08\0\x08\0\x18\0".to_vec(), "a.tga", Format::Targa),
        (vec![0; 600], "a.tga", Format::Unknown),
        (padded(b"\0\0\0\0G", 196, &padded(b"G", 192, b"G")), "a.mts", Format::Video),
        (b"\0\0\0\x08free\0\0\0\0mdat".to_vec(), "a.mov", Format::Video),
        (b"\0\0\x01\xbb".to_vec(), "a.mpg", Format::Video),
        (b"\0\x02\x03\x04".to_vec(), "a.jpg", Format::Unknown),
        (Vec::new(), "a.jpg", Format::Unknown),
    ];
    for (head, name, format) in cases {
        assert_eq!(sniff(&head, name), format, "{name}: {:?}", String::from_utf8_lossy(&head));
    }
}

#[test]
fn no_head_makes_it_stumble() {
    let heads: [&[u8]; 6] =
        [b"\0\0\0\0ftyp", b"\xff\xff\xff\xffftypa", b"RIFF", b"\xff\xfe\0", b"PK\x03\x04", b"II*\0"];
    for head in heads {
        for end in 0..=head.len() {
            sniff(&head[..end], "");
            sniff(&head[..end], ".");
        }
    }
}
