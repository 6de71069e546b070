//! The kinds of files, told apart by their content.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many bytes from the start of a file [`sniff`] makes use of.
pub const SNIFF_LEN: usize = 8192;

/// A kind of file. Kinds of one family that only their extension tells apart (CSS and JavaScript) are kinds too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    Jpeg,
    Png,
    Tiff,
    Gif,
    Bmp,
    WebP,
    Psd,
    Psb,
    Svg,
    Fxg,
    Heic,
    Avif,
    CameraRaw,
    /// Known, but not read here.
    Foreign(Foreign),
    Pdf,
    PostScript,
    Eps,
    Illustrator,
    InDesign,
    Word,
    Excel,
    PowerPoint,
    Rtf,
    Zip,
    Tar,
    Gz,
    Flash,
    FlashComponent,
    Video,
    Audio,
    VideoCaption,
    Font,
    IccProfile,
    Aco,
    Xml,
    Xsl,
    Css,
    JavaScript,
    Text,
    Unknown,
}

/// Pictures that other programs make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Foreign {
    Jpeg2000,
    JpegXl,
    JpegXr,
    OpenExr,
    Radiance,
    Netpbm,
    Icon,
    DirectDraw,
    Gimp,
    Metafile,
    Dpx,
    Pcx,
    Targa,
}

impl Foreign {
    pub const ALL: &'static [Self] = &[
        Self::Jpeg2000,
        Self::JpegXl,
        Self::JpegXr,
        Self::OpenExr,
        Self::Radiance,
        Self::Netpbm,
        Self::Icon,
        Self::DirectDraw,
        Self::Gimp,
        Self::Metafile,
        Self::Dpx,
        Self::Pcx,
        Self::Targa,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Jpeg2000 => "JPEG 2000",
            Self::JpegXl => "JPEG XL",
            Self::JpegXr => "JPEG XR",
            Self::OpenExr => "OpenEXR",
            Self::Radiance => "Radiance HDR",
            Self::Netpbm => "Netpbm",
            Self::Icon => "Windows icon",
            Self::DirectDraw => "DirectDraw surface",
            Self::Gimp => "GIMP",
            Self::Metafile => "Windows metafile",
            Self::Dpx => "DPX",
            Self::Pcx => "PCX",
            Self::Targa => "Targa",
        }
    }
}

impl Format {
    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::WebP => "WebP",
            Self::Psd => "Photoshop",
            Self::Psb => "Photoshop large document",
            Self::Svg => "SVG",
            Self::Fxg => "FXG",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::CameraRaw => "camera raw",
            Self::Foreign(foreign) => foreign.name(),
            Self::Pdf => "PDF",
            Self::PostScript => "PostScript",
            Self::Eps => "EPS",
            Self::Illustrator => "Illustrator",
            Self::InDesign => "InDesign",
            Self::Word => "Word",
            Self::Excel => "Excel",
            Self::PowerPoint => "PowerPoint",
            Self::Rtf => "RTF",
            Self::Zip => "ZIP",
            Self::Tar => "TAR",
            Self::Gz => "gzip",
            Self::Flash => "Flash",
            Self::FlashComponent => "Flash component",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::VideoCaption => "video caption",
            Self::Font => "font",
            Self::IccProfile => "ICC profile",
            Self::Aco => "Adobe colour swatch",
            Self::Xml => "XML",
            Self::Xsl => "XSL",
            Self::Css => "CSS",
            Self::JavaScript => "JavaScript",
            Self::Text => "text",
            Self::Unknown => "unknown",
        }
    }

    /// True for the pictures this module decodes to pixels, by itself or by way of a [`stand_in`](super::stand_in).
    pub fn is_decodable(self) -> bool {
        matches!(
            self,
            Self::Jpeg
                | Self::Png
                | Self::Tiff
                | Self::Gif
                | Self::Bmp
                | Self::WebP
                | Self::Psd
                | Self::Psb
                | Self::Svg
                | Self::Heic
                | Self::Avif
        )
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
