//! What kind of asset a file becomes: its content decides.

use crate::media::{Family, Format};
use crate::model::asset::AssetType;

/// Moving pictures become another type once their frames are known.
pub fn asset_type(format: Format) -> AssetType {
    match format {
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
        // Clients have always taken these for images.
        Format::CameraRaw => AssetType::Image,
        picture if picture.is_decodable() => AssetType::Image,
        _ => AssetType::Asset,
    }
}

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

/// Names of pictures, documents and films that are not told by their content here.
const PICTURES_BY_NAME: &[&str] = &[
    "pic", "rgb", "rgba", "bw", "rle", "qtif", "qti", "dcm", "fit", "cut", "jpg2", "jph", "jhc", "icns", "jbig", "jb2",
    "iff", "lbm", "pix", "vtf", "ktx", "cdr", "cgm",
];
const DOCUMENTS_BY_NAME: &[&str] = &["pdfa", "ept", "prn", "xps", "oxps", "djvu", "pub", "qxd", "qxp", "pages", "key"];
const FILMS_BY_NAME: &[&str] =
    &["mj2", "m1v", "divx", "ogm", "dv", "dif", "rm", "rmvb", "wtv", "y4m", "ivf", "mod", "tod", "evo"];

/// Extensions of pictures that files of other kinds have as well: headers that are text, and pictures as the source of a program
/// in forms that are not told here.
const SHARED: &[&str] = &["hdr", "xpm", "xbm", "cin", "ras"];

/// What a file is to be that is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    Picture,
    Document,
    Film,
}

/// Whether films are called so.
pub fn is_film(extension: &str) -> bool {
    promise(extension) == Some(Promise::Film)
}

fn promise(extension: &str) -> Option<Promise> {
    if SHARED.contains(&extension) {
        return None;
    }
    if FILMS.contains(&extension) {
        return Some(Promise::Film);
    }
    let format = Format::all().find(|format| format.extensions().contains(&extension))?;
    match format.family() {
        Family::Picture | Family::Layers => Some(Promise::Picture),
        Family::Pages | Family::Document => Some(Promise::Document),
        Family::Film => Some(Promise::Film),
        Family::Profile | Family::Text | Family::Other => None,
    }
}

/// What the name of a file (its extension in lower case, without the dot) promises in vain: a picture, a document or a film, while
/// the content is of no format that has a mark. What is packed has one, but is as a careless server sends an error page. Films of
/// packets share their extension with programs, and FXG may say late what it is.
pub fn broken_promise(extension: &str, format: Format) -> Option<Promise> {
    let is_text = format.family() == Family::Text || format == Format::Fxg;
    let is_nothing = format == Format::Unknown || is_text && !matches!(extension, "ts" | "mts" | "fxg");
    if is_nothing || format == Format::Gz { promise(extension) } else { None }
}

/// What a name promises whose files cannot be told by their content: it is broken by what certainly is nothing of the kind.
pub fn vague_promise(extension: &str) -> Option<Promise> {
    let promises = [
        (PICTURES_BY_NAME, Promise::Picture),
        (SHARED, Promise::Picture),
        (DOCUMENTS_BY_NAME, Promise::Document),
        (FILMS_BY_NAME, Promise::Film),
    ];
    promises.into_iter().find(|(names, _)| names.contains(&extension)).map(|(_, promise)| promise)
}

/// Whether the last part of a name is a file's extension rather than a part of the name.
pub fn is_extension(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let text = text.as_str();
    OTHERS.contains(&text) || FILMS.contains(&text) || Format::all().any(|format| format.extensions().contains(&text))
}

/// Whether a file called so (lower case, without the dot) is what it is called. Names without an extension promise nothing.
pub fn extension_fits(extension: &str, format: Format) -> bool {
    let own = format.extensions();
    if extension.is_empty() || own.contains(&extension) {
        return true;
    }
    // Of formats without a list any extension is believed that does not belong to another one.
    own.is_empty() && !Format::all().any(|other| other.extensions().contains(&extension))
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
            ("jpg", Format::Pdf, None),
            ("jpg", Format::Video, None),
            ("jpg", Format::Zip, None),
            ("idml", Format::Zip, None),
            ("mp4", Format::Audio, None),
            ("jpg", Format::Gz, Some(Promise::Picture)),
            ("mp4", Format::Gz, Some(Promise::Film)),
            ("apng", Format::Unknown, Some(Promise::Picture)),
            ("hdr", Format::Text, None),
            ("xpm", Format::Text, None),
            ("dcm", Format::Unknown, None),
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
        for format in Format::all() {
            let Some(first) = format.extensions().first() else { continue };
            assert!(is_extension(first) && extension_fits(first, format), "{format}");
        }
    }
}
