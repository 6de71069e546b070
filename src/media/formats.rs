//! What is known of each kind of file, a row each: a new format enters here.
//!
//! Rows stand in the order in which their signatures are tried; the first that fits says what a file is.

use std::path::Path;

use super::child::Launcher;
use super::decode::{
    Cancel, Decoded, Source, bmp,
    foreign::{icon, netpbm, open_exr, qoi, radiance, targa},
    gif, jpeg, jpeg_2000, png, psd, tiff, webp,
};
use super::error::MediaError;
use super::format::Family::{self, *};
use super::format::Format;
use super::metadata::blocks::{self, Find};
use super::picture::Picture;
use super::sniff::{self, Head};
use super::stand_in::{StandIn, StandInError, StandInLimits, heif, svg};

pub(in crate::media) struct Row {
    pub format: Format,
    /// What people call it.
    pub name: &'static str,
    pub family: Family,
    /// The usual one first; none where any will do.
    pub extensions: &'static [&'static str],
    pub signature: fn(&Head<'_>) -> bool,
    /// How it becomes pixels. A picture without a reader becomes an asset without a picture, and that is said.
    pub reader: Option<Reader>,
    /// Finds what the file says about itself.
    pub metadata: Option<Find>,
}

#[derive(Clone, Copy)]
pub(in crate::media) enum Reader {
    Decoder {
        probe: Probe,
        decode: Decode,
    },
    /// Something else makes a PNG of it, which is decoded then.
    StandIn(MakeStandIn),
}

pub(in crate::media) type Probe = fn(Source<'_>) -> Result<Picture, MediaError>;
pub(in crate::media) type Decode = for<'a> fn(Source<'a>) -> Result<Decoded<'a>, MediaError>;
pub(in crate::media) type MakeStandIn =
    fn(&Launcher, &Path, Format, &StandInLimits, Cancel<'_>) -> Result<StandIn, StandInError>;

const fn row(
    format: Format,
    name: &'static str,
    family: Family,
    extensions: &'static [&'static str],
    signature: fn(&Head<'_>) -> bool,
) -> Row {
    Row { format, name, family, extensions, signature, reader: None, metadata: None }
}

impl Row {
    const fn decoded(self, probe: Probe, decode: Decode) -> Self {
        Self { reader: Some(Reader::Decoder { probe, decode }), ..self }
    }

    const fn stood_in(self, make: MakeStandIn) -> Self {
        Self { reader: Some(Reader::StandIn(make)), ..self }
    }

    const fn described(self, find: Find) -> Self {
        Self { metadata: Some(find), ..self }
    }
}

impl Format {
    pub(in crate::media) fn row(self) -> &'static Row {
        const UNKNOWN: usize = ROWS.len() - 1;
        ROWS.iter().find(|row| row.format == self).unwrap_or(&ROWS[UNKNOWN])
    }

    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.format)
    }
}

pub(in crate::media) static ROWS: &[Row] = &[
    row(
        Format::Jpeg,
        "JPEG",
        Picture,
        &["jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "jps", "mpo"],
        sniff::jpeg,
    )
    .decoded(jpeg::probe, jpeg::decode)
    .described(blocks::JPEG),
    // Its first member begins with a name, which may look like any of the others.
    row(Format::Tar, "TAR", Other, &["tar"], sniff::tar),
    row(Format::Png, "PNG", Picture, &["png", "apng"], sniff::png)
        .decoded(png::probe, png::decode)
        .described(blocks::PNG),
    row(Format::Gif, "GIF", Picture, &["gif"], sniff::gif).decoded(gif::probe, gif::decode).described(blocks::GIF),
    row(Format::WebP, "WebP", Picture, &["webp"], sniff::webp)
        .decoded(webp::probe, webp::decode)
        .described(blocks::WEBP),
    row(Format::Psd, "Photoshop", Layers, &["psd", "psdt"], sniff::psd)
        .decoded(psd::probe, psd::decode)
        .described(blocks::PSD),
    row(Format::Psb, "Photoshop large document", Layers, &["psb"], sniff::psb)
        .decoded(psd::probe, psd::decode)
        .described(blocks::PSD),
    row(Format::Bmp, "BMP", Picture, &["bmp", "dib"], sniff::bmp).decoded(bmp::probe, bmp::decode),
    row(
        Format::CameraRaw,
        "camera raw",
        Picture,
        &[
            "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "pef", "srw", "raf", "rw2", "rwl", "orf",
            "x3f", "mrw", "3fr", "iiq", "erf", "kdc", "dcr", "mef", "mos",
        ],
        sniff::camera_raw,
    ),
    row(Format::Tiff, "TIFF", Picture, &["tif", "tiff"], sniff::tiff)
        .decoded(tiff::probe, tiff::decode)
        .described(blocks::TIFF),
    row(Format::Jpeg2000, "JPEG 2000", Picture, &["jp2", "jpx", "jpf", "jpm", "j2k", "j2c", "jpc"], sniff::jpeg_2000)
        .decoded(jpeg_2000::probe, jpeg_2000::decode),
    row(Format::JpegXl, "JPEG XL", Picture, &["jxl"], sniff::jpeg_xl),
    row(Format::JpegXr, "JPEG XR", Picture, &["jxr", "wdp", "hdp"], sniff::jpeg_xr),
    row(Format::OpenExr, "OpenEXR", Picture, &["exr"], sniff::open_exr).decoded(open_exr::probe, open_exr::decode),
    row(Format::Radiance, "Radiance HDR", Picture, &["hdr", "rgbe", "xyze"], sniff::radiance)
        .decoded(radiance::probe, radiance::decode),
    row(Format::DirectDraw, "DirectDraw surface", Picture, &["dds"], sniff::direct_draw),
    row(Format::Gimp, "GIMP", Picture, &["xcf"], sniff::gimp),
    row(Format::Metafile, "Windows metafile", Picture, &["wmf", "emf"], sniff::metafile),
    row(Format::Dpx, "DPX", Picture, &["dpx"], sniff::dpx),
    row(Format::Qoi, "QOI", Picture, &["qoi"], sniff::qoi).decoded(qoi::probe, qoi::decode),
    row(Format::Icon, "Windows icon", Picture, &["ico", "cur"], sniff::icon).decoded(icon::probe, icon::decode),
    row(Format::Netpbm, "Netpbm", Picture, &["ppm", "pgm", "pbm", "pnm", "pam"], sniff::netpbm)
        .decoded(netpbm::probe, netpbm::decode),
    row(Format::FloatMap, "portable float map", Picture, &["pfm"], sniff::float_map),
    row(Format::Pcx, "PCX", Picture, &["pcx"], sniff::pcx),
    row(Format::Targa, "Targa", Picture, &["tga"], sniff::targa).decoded(targa::probe, targa::decode),
    row(Format::Cineon, "Cineon", Picture, &["cin"], sniff::cineon),
    row(Format::Sgi, "SGI", Picture, &["sgi"], sniff::sgi),
    row(Format::SunRaster, "Sun raster", Picture, &["ras"], sniff::sun_raster),
    row(Format::Fits, "FITS", Picture, &["fits", "fts"], sniff::fits),
    row(Format::Farbfeld, "farbfeld", Picture, &[], sniff::farbfeld),
    row(Format::Miff, "MIFF", Picture, &["miff"], sniff::miff),
    row(Format::Mng, "MNG", Picture, &["mng"], sniff::mng),
    row(Format::Jng, "JNG", Picture, &["jng"], sniff::jng),
    row(Format::Dcx, "DCX", Picture, &["dcx"], sniff::dcx),
    row(Format::Flif, "FLIF", Picture, &["flif"], sniff::flif),
    row(Format::Bpg, "BPG", Picture, &["bpg"], sniff::bpg),
    row(Format::PaintShop, "Paint Shop Pro", Picture, &["pspimage"], sniff::paint_shop),
    row(Format::Affinity, "Affinity", Picture, &["afphoto", "afdesign"], sniff::affinity),
    row(Format::OpenRaster, "OpenRaster", Picture, &["ora"], sniff::open_raster),
    row(Format::Krita, "Krita", Picture, &["kra"], sniff::krita),
    row(Format::Pict, "PICT", Picture, &["pict", "pct"], sniff::pict),
    row(Format::Xpm, "XPM", Picture, &["xpm"], sniff::xpm),
    row(Format::Xbm, "XBM", Picture, &["xbm"], sniff::xbm),
    row(Format::Font, "font", Other, &[], sniff::font),
    row(Format::Illustrator, "Illustrator", Pages, &["ai"], sniff::illustrator),
    row(Format::Pdf, "PDF", Pages, &["pdf", "pdfa"], sniff::pdf),
    row(Format::Eps, "EPS", Pages, &["eps", "epsf", "epsi", "epi"], sniff::eps),
    row(Format::PostScript, "PostScript", Pages, &["ps"], sniff::post_script),
    row(Format::InDesign, "InDesign", Document, &["indd", "indt", "idml"], sniff::in_design),
    row(Format::Rtf, "RTF", Other, &["rtf", "doc"], sniff::rtf),
    row(Format::Word, "Word", Other, &["docx", "doc", "docm", "dot", "dotx"], sniff::word),
    row(Format::Excel, "Excel", Other, &["xlsx", "xls", "xlsm", "xlt", "xltx"], sniff::excel),
    row(
        Format::PowerPoint,
        "PowerPoint",
        Other,
        &["pptx", "ppt", "pptm", "pps", "ppsx", "pot", "potx"],
        sniff::power_point,
    ),
    row(Format::Avif, "AVIF", Picture, &["avif", "avifs"], sniff::avif).stood_in(heif::convert).described(blocks::HEIF),
    row(Format::Heic, "HEIC", Picture, &["heic", "heif", "hif", "heics", "heifs"], sniff::heic)
        .stood_in(heif::convert)
        .described(blocks::HEIF),
    row(Format::Audio, "audio", Other, &[], sniff::audio),
    row(Format::Video, "video", Film, &[], sniff::video),
    row(Format::FlashComponent, "Flash component", Other, &["swc"], sniff::flash_component),
    row(Format::Zip, "ZIP", Other, &["zip"], sniff::zip),
    row(Format::IccProfile, "ICC profile", Profile, &["icc", "icm"], sniff::icc_profile),
    row(Format::Flash, "Flash", Other, &["swf"], sniff::flash),
    row(Format::Aco, "Adobe colour swatch", Other, &["aco"], sniff::aco),
    row(Format::Svg, "SVG", Picture, &["svg", "svgz"], sniff::svg).stood_in(svg::draw).described(blocks::SVG),
    row(Format::Gz, "gzip", Other, &["gz", "tgz"], sniff::gz),
    row(Format::VideoCaption, "video caption", Text, &[], sniff::video_caption),
    row(Format::Fxg, "FXG", Picture, &["fxg"], sniff::fxg),
    row(Format::Xsl, "XSL", Text, &["xsl", "xslt"], sniff::xsl),
    row(Format::Xml, "XML", Text, &["xml"], sniff::xml),
    row(Format::Css, "CSS", Text, &["css"], sniff::css),
    row(Format::JavaScript, "JavaScript", Text, &["js", "mjs"], sniff::java_script),
    row(Format::Text, "text", Text, &[], sniff::text),
    row(Format::Unknown, "unknown", Other, &[], sniff::anything),
];
