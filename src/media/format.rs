//! The kinds of files. All that is known of each stands in its row of [`formats`](super::formats).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many bytes from the start of a file [`sniff`](super::sniff()) makes use of.
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
    Jpeg2000,
    JpegXl,
    JpegXr,
    OpenExr,
    Radiance,
    Netpbm,
    FloatMap,
    Icon,
    Qoi,
    DirectDraw,
    Gimp,
    Metafile,
    Dpx,
    Pcx,
    Targa,
    Cineon,
    Sgi,
    SunRaster,
    Fits,
    Farbfeld,
    Miff,
    Mng,
    Jng,
    Dcx,
    Flif,
    Bpg,
    PaintShop,
    Affinity,
    OpenRaster,
    Krita,
    Pict,
    Xpm,
    Xbm,
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

/// What is done with the files of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Pictures, drawings among them.
    Picture,
    /// Pictures that may have layers.
    Layers,
    /// Documents of pages that can be drawn.
    Pages,
    /// Documents that only the program shows which wrote them.
    Document,
    Film,
    Profile,
    /// What is text to whoever opens it.
    Text,
    Other,
}

impl Format {
    /// The name people know it by.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn family(self) -> Family {
        self.row().family
    }

    /// Extensions that files of the format have, the usual one first. Empty where any will do.
    pub fn extensions(self) -> &'static [&'static str] {
        self.row().extensions
    }

    /// True for pictures, whether they are read here or not.
    pub fn is_picture(self) -> bool {
        matches!(self.family(), Family::Picture | Family::Layers)
    }

    /// True for the pictures that become pixels here, by a decoder or by way of a [`stand_in`](super::stand_in()).
    pub fn is_decodable(self) -> bool {
        self.row().reader.is_some()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
