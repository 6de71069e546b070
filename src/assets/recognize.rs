//! What kind of asset a file becomes: its content decides.

use crate::media::{Foreign, Format};
use crate::model::asset::AssetType;

/// Moving pictures become another type once their frames are known.
pub const fn asset_type(format: Format) -> AssetType {
    match format {
        Format::Jpeg
        | Format::Png
        | Format::Tiff
        | Format::Gif
        | Format::Bmp
        | Format::WebP
        | Format::Psd
        | Format::Psb
        | Format::Heic
        | Format::Avif
        | Format::CameraRaw => AssetType::Image,
        Format::Svg => AssetType::Svg,
        Format::Pdf => AssetType::Pdf,
        Format::PostScript | Format::Eps => AssetType::PostScript,
        Format::Illustrator => AssetType::Illustrator,
        Format::InDesign => AssetType::InDesign,
        Format::Word => AssetType::Word,
        Format::Excel => AssetType::Excel,
        Format::PowerPoint => AssetType::PowerPoint,
        Format::Rtf => AssetType::Rtf,
        Format::Zip => AssetType::Zip,
        Format::Flash => AssetType::Flash,
        Format::Video => AssetType::MasterVideo,
        Format::Audio => AssetType::Audio,
        Format::VideoCaption => AssetType::VideoCaption,
        Format::Font => AssetType::Font,
        Format::IccProfile => AssetType::IccProfile,
        Format::Aco => AssetType::Aco,
        Format::Xml => AssetType::Xml,
        Format::Xsl => AssetType::Xsl,
        Format::Css => AssetType::Css,
        Format::JavaScript => AssetType::Javascript,
        Format::Foreign(_)
        | Format::Fxg
        | Format::Tar
        | Format::Gz
        | Format::FlashComponent
        | Format::Text
        | Format::Unknown => AssetType::Asset,
    }
}

/// Extensions that files of the format have, the usual one first. Empty where any will do.
pub const fn extensions(format: Format) -> &'static [&'static str] {
    match format {
        Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
        Format::Png => &["png"],
        Format::Tiff => &["tif", "tiff"],
        Format::Gif => &["gif"],
        Format::Bmp => &["bmp", "dib"],
        Format::WebP => &["webp"],
        Format::Psd => &["psd", "psdt"],
        Format::Psb => &["psb"],
        Format::Svg => &["svg", "svgz"],
        Format::Fxg => &["fxg"],
        Format::Heic => &["heic", "heif", "hif"],
        Format::Avif => &["avif"],
        Format::CameraRaw => &[
            "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "pef", "srw", "raf", "rw2", "rwl", "orf",
            "x3f", "mrw", "3fr", "iiq", "erf", "kdc", "dcr", "mef",
        ],
        Format::Foreign(foreign) => match foreign {
            Foreign::Jpeg2000 => &["jp2", "jpx", "jpf", "jpm", "j2k", "j2c", "jpc"],
            Foreign::JpegXl => &["jxl"],
            Foreign::JpegXr => &["jxr", "wdp", "hdp"],
            Foreign::OpenExr => &["exr"],
            // Others call their texts about grids so.
            Foreign::Radiance => &[],
            Foreign::Netpbm => &["ppm", "pgm", "pbm", "pnm", "pam", "pfm"],
            Foreign::Icon => &["ico", "cur"],
            Foreign::DirectDraw => &["dds"],
            Foreign::Gimp => &["xcf"],
            Foreign::Metafile => &["wmf", "emf"],
            Foreign::Dpx => &["dpx"],
            Foreign::Pcx => &["pcx"],
            Foreign::Targa => &["tga"],
        },
        Format::Pdf => &["pdf"],
        Format::PostScript => &["ps"],
        Format::Eps => &["eps", "epsf"],
        Format::Illustrator => &["ai"],
        Format::InDesign => &["indd", "indt", "idml"],
        Format::Word => &["docx", "doc", "docm", "dot", "dotx"],
        Format::Excel => &["xlsx", "xls", "xlsm", "xlt", "xltx"],
        Format::PowerPoint => &["pptx", "ppt", "pptm", "pps", "ppsx", "pot", "potx"],
        Format::Rtf => &["rtf", "doc"],
        Format::Zip => &["zip"],
        Format::Tar => &["tar"],
        Format::Gz => &["gz", "tgz"],
        Format::Flash => &["swf"],
        Format::FlashComponent => &["swc"],
        Format::IccProfile => &["icc", "icm"],
        Format::Aco => &["aco"],
        Format::Xml => &["xml"],
        Format::Xsl => &["xsl", "xslt"],
        Format::Css => &["css"],
        Format::JavaScript => &["js", "mjs"],
        Format::Video | Format::Audio | Format::VideoCaption | Format::Font | Format::Text | Format::Unknown => &[],
    }
}

const ALL: &[Format] = &[
    Format::Jpeg,
    Format::Png,
    Format::Tiff,
    Format::Gif,
    Format::Bmp,
    Format::WebP,
    Format::Psd,
    Format::Psb,
    Format::Svg,
    Format::Fxg,
    Format::Heic,
    Format::Avif,
    Format::CameraRaw,
    Format::Pdf,
    Format::PostScript,
    Format::Eps,
    Format::Illustrator,
    Format::InDesign,
    Format::Word,
    Format::Excel,
    Format::PowerPoint,
    Format::Rtf,
    Format::Zip,
    Format::Tar,
    Format::Gz,
    Format::Flash,
    Format::FlashComponent,
    Format::IccProfile,
    Format::Aco,
    Format::Xml,
    Format::Xsl,
    Format::Css,
    Format::JavaScript,
];

/// Extensions of formats that have no list of their own, because their content tells too little of them.
const OTHERS: &[&str] = &[
    "mp3", "wav", "aac", "m4a", "ogg", "flac", "wma", "aif", "aiff", "vtt", "srt", "ttml", "scc", "ttf", "otf", "ttc",
    "woff", "woff2", "pfb", "afm", "txt", "csv", "tsv", "htm", "html", "json", "md",
];

/// The same of films.
const FILMS: &[&str] = &[
    "mp4", "mov", "qt", "m4v", "avi", "mkv", "webm", "flv", "f4v", "wmv", "asf", "mpg", "mpeg", "mpe", "m2v", "vob",
    "m2ts", "mts", "ts", "ogv", "mxf", "3gp", "3g2",
];

fn all() -> impl Iterator<Item = Format> {
    ALL.iter().copied().chain(Foreign::ALL.iter().map(|foreign| Format::Foreign(*foreign)))
}

/// What a file is to be that is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    Picture,
    Document,
    Film,
}

fn promise(extension: &str) -> Option<Promise> {
    if FILMS.contains(&extension) {
        return Some(Promise::Film);
    }
    let format = all().find(|format| extensions(*format).contains(&extension))?;
    match format {
        Format::CameraRaw | Format::Foreign(_) | Format::Fxg => Some(Promise::Picture),
        Format::Pdf | Format::PostScript | Format::Eps | Format::Illustrator | Format::InDesign => {
            Some(Promise::Document)
        }
        format => format.is_decodable().then_some(Promise::Picture),
    }
}

/// What the name of a file (its extension in lower case, without the dot) promises in vain: a picture, a document or a film, while
/// the content is of no format that has a mark. Films of packets share their extension with programs, and FXG may say late what it is.
pub fn broken_promise(extension: &str, format: Format) -> Option<Promise> {
    let is_text = matches!(
        format,
        Format::Text | Format::Xml | Format::Xsl | Format::Css | Format::JavaScript | Format::VideoCaption
    );
    let is_nothing = format == Format::Unknown || is_text && !matches!(extension, "ts" | "mts" | "fxg");
    if is_nothing { promise(extension) } else { None }
}

/// Whether the last part of a name is a file's extension rather than a part of the name.
pub fn is_extension(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let text = text.as_str();
    OTHERS.contains(&text) || FILMS.contains(&text) || all().any(|format| extensions(format).contains(&text))
}

/// Whether a file called so (lower case, without the dot) is what it is called. Names without an extension promise nothing.
pub fn extension_fits(extension: &str, format: Format) -> bool {
    let own = extensions(format);
    if extension.is_empty() || own.contains(&extension) {
        return true;
    }
    // Of formats without a list any extension is believed that does not belong to another one.
    own.is_empty() && !all().any(|other| extensions(other).contains(&extension))
}

/// The usual extension for a media type of HTTP.
pub fn extension_of_media_type(media_type: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match essence.as_str() {
        "image/jpeg" | "image/jpg" | "image/pjpeg" => "jpg",
        "image/png" => "png",
        "image/tiff" => "tif",
        "image/gif" => "gif",
        "image/bmp" | "image/x-ms-bmp" => "bmp",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "image/heic" | "image/heif" => "heic",
        "image/avif" => "avif",
        "image/vnd.adobe.photoshop" => "psd",
        "application/pdf" => "pdf",
        "application/postscript" => "ps",
        "application/zip" => "zip",
        "application/xml" | "text/xml" => "xml",
        "text/css" => "css",
        "text/javascript" | "application/javascript" => "js",
        "text/plain" => "txt",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "audio/mpeg" => "mp3",
        "font/woff2" => "woff2",
        "font/ttf" => "ttf",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_lie() {
        assert!(extension_fits("jpeg", Format::Jpeg));
        assert!(extension_fits("", Format::Jpeg));
        assert!(extension_fits("dat", Format::Unknown));
        assert!(extension_fits("mp4", Format::Video));
        assert!(!extension_fits("png", Format::Jpeg));
        assert!(!extension_fits("jpg", Format::Text));
        assert!(!extension_fits("pdf", Format::Unknown));
    }

    #[test]
    fn names_promise() {
        for (extension, format, broken) in [
            ("jpg", Format::Unknown, Some(Promise::Picture)),
            ("psd", Format::Text, Some(Promise::Picture)),
            ("svg", Format::Text, Some(Promise::Picture)),
            ("nef", Format::Xml, Some(Promise::Picture)),
            ("jp2", Format::Unknown, Some(Promise::Picture)),
            ("pdf", Format::Xml, Some(Promise::Document)),
            ("eps", Format::Text, Some(Promise::Document)),
            ("mov", Format::Unknown, Some(Promise::Film)),
            ("ts", Format::Unknown, Some(Promise::Film)),
            ("ts", Format::Text, None),
            ("fxg", Format::Xml, None),
            ("jpg", Format::Png, None),
            ("jpg", Format::Zip, None),
            ("doc", Format::Text, None),
            ("zip", Format::Unknown, None),
            ("dat", Format::Unknown, None),
            ("", Format::Unknown, None),
        ] {
            assert_eq!(broken_promise(extension, format), broken, "{extension} {format}");
        }
    }

    #[test]
    fn a_dot_is_not_always_an_extension() {
        assert!(is_extension("JPG") && is_extension("mp4"));
        assert!(!is_extension("v2") && !is_extension(""));
    }

    #[test]
    fn usual_extensions_fit_their_formats() {
        for format in all() {
            let Some(first) = extensions(format).first() else { continue };
            assert!(is_extension(first) && extension_fits(first, format), "{format}");
        }
    }
}
