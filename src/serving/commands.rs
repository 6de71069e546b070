//! The commands that have an effect here: names, ranges, defaults.

use serde::{Deserialize, Serialize};

use super::adjust::{self, Adjustments};
use super::color::Color;
use super::palette::{self, Palette, Quantize};
use super::place::{self, Extend, LayerSize, Rect};
use super::reference::{self, MissingFormat, Why};
use super::script::{BadCommand, Ignored, Resolved};
use super::values::Values;

/// Longest side that may be asked for, in pixels: JPEG can hold no longer one.
pub const LONGEST_SIDE: i64 = 65_535;

/// How a picture is to look. The defaults change nothing: the whole picture, as a JPEG in sRGB.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Commands {
    /// Size of the view, in pixels.
    pub wid: Option<u32>,
    pub hei: Option<u32>,
    /// How many times smaller the view is than the picture.
    pub scl: Option<f64>,
    pub fit: Option<Fit>,
    /// Where the picture lies in a view of other proportions: from -1 (left, top) to 1 (right, bottom).
    pub align: (f64, f64),
    pub crop: Option<Crop>,
    pub rgn: Option<Region>,
    pub rotate: Angle,
    pub flip: Flip,
    pub fmt: Output,
    pub qlt: Quality,
    /// White if not given.
    pub bgc: Option<Color>,
    pub op_sharpen: bool,
    pub op_usm: Option<UnsharpMask>,
    pub res_mode: ResMode,
    pub icc: Option<IccTarget>,
    pub icc_embed: bool,
    /// Pixels an inch, written into the file; else those of the source.
    pub print_res: Option<f64>,
    /// Scans of a progressive JPEG.
    pub pscan: Option<u8>,
    /// `size`.
    pub size: Option<LayerSize>,
    /// `scale`, which `size` beats.
    pub scale: Option<f64>,
    /// `res`, which both beat.
    pub res: Option<f64>,
    pub extend: Option<Extend>,
    /// What lies behind the composite picture, and nowhere else.
    pub bg_color: Option<Fill>,
    pub rect: Option<Rect>,
    pub adjust: Adjustments,
    /// `req`.
    pub request: Request,
    pub quantize: Option<Quantize>,
    /// Most kilobytes of a JPEG.
    pub jpeg_size: Option<u32>,
    pub xmp_embed: bool,
}

/// A colour that may let through what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    pub color: Color,
    pub alpha: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Request {
    #[default]
    Picture,
    /// The alpha of the picture, in gray.
    Mask,
}

/// How the scale follows from `wid` and `hei`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    pub mode: FitMode,
    pub upscale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FitMode {
    /// All of it inside, the rest filled.
    Fit,
    /// All of it inside, the view made smaller instead of filled.
    Constrain,
    /// The view full, the rest cut off.
    Crop,
    /// The view full, and made larger instead of cutting.
    Wrap,
    /// Each side by itself.
    Stretch,
    /// Full width.
    Hfit,
    /// Full height.
    Vfit,
}

/// A part of the source picture at full resolution; it may reach beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Crop {
    Pixels(Region),
    /// Relative to the picture's sides.
    Normalized {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub x: i64,
    pub y: i64,
    pub width: u32,
    pub height: u32,
}

/// Degrees clockwise, from 0 to less than 360.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Angle(f64);

impl Angle {
    pub fn new(degrees: f64) -> Self {
        let turned = degrees.rem_euclid(360.0);
        // What is left of a tiny negative angle rounds up to the full circle.
        Self(if turned < 360.0 { turned } else { 0.0 })
    }

    pub const fn degrees(self) -> f64 {
        self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flip {
    pub left_right: bool,
    pub up_down: bool,
}

/// `fmt`: the file that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub format: FileFormat,
    pub alpha: bool,
    /// None: that of the profile of `icc`, else RGB.
    pub pixels: Option<PixelType>,
    pub compression: Compression,
}

impl Default for Output {
    fn default() -> Self {
        Self { format: FileFormat::Jpeg, alpha: false, pixels: None, compression: Compression::None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFormat {
    Jpeg,
    ProgressiveJpeg,
    Png,
    Tiff,
    WebP,
    Gif,
    /// With a palette.
    Png8,
    /// Not in every build.
    Avif,
}

impl FileFormat {
    /// The ending of file names.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg | Self::ProgressiveJpeg => "jpg",
            Self::Png | Self::Png8 => "png",
            Self::Tiff => "tif",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Avif => "avif",
        }
    }

    pub const fn has_palette(self) -> bool {
        matches!(self, Self::Gif | Self::Png8)
    }

    /// Whether files of it say how many of their pixels make an inch.
    pub const fn has_resolution(self) -> bool {
        !matches!(self, Self::WebP | Self::Gif | Self::Avif)
    }

    pub const fn is_jpeg(self) -> bool {
        matches!(self, Self::Jpeg | Self::ProgressiveJpeg)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelType {
    Rgb,
    Gray,
    Cmyk,
}

impl PixelType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Gray => "gray",
            Self::Cmyk => "cmyk",
        }
    }
}

/// Of TIFF, and whether WebP is lossy. The other formats leave no choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    None,
    Lzw,
    Zip,
    Jpeg,
    Lossy,
    Lossless,
}

/// `qlt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// 1 to 100.
    pub value: u8,
    /// Colour is kept at full resolution.
    pub full_chroma: bool,
}

impl Default for Quality {
    fn default() -> Self {
        Self { value: 85, full_chroma: false }
    }
}

/// `op_usm` and `op_usmR`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UnsharpMask {
    /// 0 to 5.
    pub amount: f64,
    /// Of the blur, 0 to 250 pixels.
    pub radius: f64,
    /// Differences from here on are sharpened.
    pub threshold: u8,
    /// Brightness alone.
    pub monochrome: bool,
    /// The radius is meant for the picture at full resolution, and shrinks with it.
    pub scales: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ResMode {
    Bilin,
    Bicub,
    #[default]
    Sharp2,
    Bisharp,
}

/// `icc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IccTarget {
    /// Of a profile that is built in, or of an asset of the company.
    pub profile: String,
    pub intent: Intent,
    /// Whether the blacks of source and profile are brought together, if the command says it.
    pub black_point: Option<bool>,
}

/// Profiles that need no asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltInProfile {
    Srgb,
    AdobeRgb,
    DisplayP3,
    ProPhoto,
}

impl BuiltInProfile {
    /// By its short name or its common one, in any case of letters.
    pub fn named(name: &str) -> Option<Self> {
        const NAMES: &[(&str, BuiltInProfile)] = &[
            ("sRGB", BuiltInProfile::Srgb),
            ("sRGB IEC61966-2.1", BuiltInProfile::Srgb),
            ("AdobeRGB", BuiltInProfile::AdobeRgb),
            ("Adobe RGB (1998)", BuiltInProfile::AdobeRgb),
            ("DisplayP3", BuiltInProfile::DisplayP3),
            ("Display P3", BuiltInProfile::DisplayP3),
            ("ProPhoto", BuiltInProfile::ProPhoto),
            ("ProPhoto RGB", BuiltInProfile::ProPhoto),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, profile)| *profile)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Intent {
    Perceptual,
    #[default]
    Relative,
    Saturation,
    Absolute,
}

const FORMATS: &[(&str, (FileFormat, bool))] = &[
    ("jpeg", (FileFormat::Jpeg, false)),
    ("jpg", (FileFormat::Jpeg, false)),
    ("pjpeg", (FileFormat::ProgressiveJpeg, false)),
    ("png", (FileFormat::Png, false)),
    ("png-alpha", (FileFormat::Png, true)),
    ("png8", (FileFormat::Png8, false)),
    ("png8-alpha", (FileFormat::Png8, true)),
    ("tif", (FileFormat::Tiff, false)),
    ("tif-alpha", (FileFormat::Tiff, true)),
    ("webp", (FileFormat::WebP, false)),
    ("webp-alpha", (FileFormat::WebP, true)),
    ("gif", (FileFormat::Gif, false)),
    ("gif-alpha", (FileFormat::Gif, true)),
    #[cfg(feature = "avif")]
    ("avif", (FileFormat::Avif, false)),
    #[cfg(feature = "avif")]
    ("avif-alpha", (FileFormat::Avif, true)),
];

impl Commands {
    /// Reads commands in their order; the last of a name counts.
    pub(super) fn read<'a>(commands: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Resolved, BadCommand> {
        let mut read = Self::default();
        let mut ignored: Vec<Ignored> = Vec::new();
        let mut add = |in_vain: Ignored| {
            if !ignored.contains(&in_vain) {
                ignored.push(in_vain);
            }
        };
        for (name, value) in commands {
            if let Some(in_vain) = read.apply(name, value)? {
                add(in_vain);
            }
        }
        read.check()?;
        read.without_place().into_iter().for_each(add);
        Ok(Resolved { commands: read, ignored })
    }

    /// Gives the command back, or the part of it, that has no effect.
    fn apply(&mut self, name: &str, value: &str) -> Result<Option<Ignored>, BadCommand> {
        match name {
            "wid" => self.wid = side(name, value)?,
            "hei" => self.hei = side(name, value)?,
            "scl" => self.scl = Some(above_zero(name, value, 1_000_000.0)?),
            "fit" => self.fit = Some(fit(name, value)?),
            "align" => self.align = align(name, value)?,
            "crop" => self.crop = Some(Crop::Pixels(region(name, value)?)),
            "cropn" => self.crop = Some(normalized(name, value)?),
            "rgn" => self.rgn = Some(region(name, value)?),
            "rotate" => self.rotate = angle(name, value)?,
            "flip" => self.flip = flip(name, value)?,
            "fmt" => self.fmt = output(name, value)?,
            "qlt" => self.qlt = quality(name, value)?,
            "bgc" => self.bgc = Some(Color::read(name, value)?),
            "op_sharpen" => self.op_sharpen = flag(name, value)?,
            "op_usm" => self.op_usm = unsharp_mask(name, value, true)?,
            "op_usmr" => self.op_usm = unsharp_mask(name, value, false)?,
            "resmode" => self.res_mode = res_mode(name, value)?,
            "icc" => {
                let (target, dithers) = icc(name, value)?;
                self.icc = Some(target);
                return Ok(dithers.then(|| Ignored::new("icc (dithering)", Why::NotSupported)));
            }
            "iccembed" => self.icc_embed = flag(name, value)?,
            "printres" => self.print_res = Some(above_zero(name, value, 100_000.0)?),
            "pscan" => self.pscan = scans(name, value)?,
            "size" => self.size = place::size(name, value)?,
            "scale" => self.scale = Some(above_zero(name, value, 1_000_000.0)?),
            "res" => self.res = Some(above_zero(name, value, 1_000_000.0)?),
            "extend" => self.extend = Some(place::extend(name, value)?),
            "extendn" => self.extend = Some(place::extend_normalized(name, value)?),
            "bgcolor" => {
                let (color, alpha) = Color::read_with_alpha(name, value)?;
                self.bg_color = Some(Fill { color, alpha });
            }
            "rect" => self.rect = Some(place::rect(name, value)?),
            "op_brightness" => self.adjust.brightness = adjust::percent(name, value)?,
            "op_contrast" => self.adjust.contrast = adjust::percent(name, value)?,
            "op_saturation" => self.adjust.saturation = adjust::percent(name, value)?,
            "op_hue" => self.adjust.hue = adjust::degrees(name, value)?,
            "op_invert" => self.adjust.invert = flag(name, value)?,
            "op_colorize" => self.adjust.colorize = Some(adjust::colorize(name, value)?),
            "op_blur" => self.adjust.blur = adjust::radius(name, value)?,
            "quantize" => self.quantize = Some(palette::quantize(name, value)?),
            "jpegsize" => self.jpeg_size = kilobytes(name, value)?,
            "xmpembed" => self.xmp_embed = flag(name, value)?,
            "req" if value.eq_ignore_ascii_case("img") => self.request = Request::Picture,
            "req" if value.eq_ignore_ascii_case("mask") => self.request = Request::Mask,
            "req" => return Ok(Some(Ignored::new(name, reference::why_no_request(value)))),
            _ => return Ok(Some(Ignored::new(name, reference::why_not(name)))),
        }
        Ok(None)
    }

    /// The pixel type that `fmt` insists on, where `pixels` is another: what it names, or what its format can hold at most.
    pub fn insists_on(&self, pixels: PixelType) -> Option<PixelType> {
        let insists = match (self.fmt.pixels, self.fmt.format) {
            (Some(named), _) => named != pixels,
            (None, FileFormat::WebP | FileFormat::Png8 | FileFormat::Avif) => pixels != PixelType::Rgb,
            (None, FileFormat::Png | FileFormat::Gif) => pixels == PixelType::Cmyk,
            (None, _) => false,
        };
        insists.then(|| self.fmt.pixels.unwrap_or(PixelType::Rgb))
    }

    /// Whether the file keeps so much of its picture that loss from before would be seen in it. Transparency has none.
    pub fn keeps_all(&self) -> bool {
        const HARDLY_ANY_LOSS: u8 = 95;
        if self.request == Request::Mask {
            return false;
        }
        match (self.fmt.format, self.fmt.compression) {
            (FileFormat::Png | FileFormat::Png8 | FileFormat::Gif, _) | (FileFormat::WebP, Compression::Lossless) => {
                true
            }
            (FileFormat::Tiff, compression) if compression != Compression::Jpeg => true,
            _ => self.qlt.value >= HARDLY_ANY_LOSS,
        }
    }

    /// What must fit together.
    fn check(&self) -> Result<(), BadCommand> {
        if self.fit.is_some() && self.wid.is_none() && self.hei.is_none() {
            return Err(BadCommand::new("fit", "needs wid or hei beside it: they say what is to be fitted into"));
        }
        let is_mac = self.quantize.as_ref().is_some_and(|quantize| quantize.palette == Palette::Mac);
        if is_mac && self.fmt.format.has_palette() && self.fmt.alpha {
            let rule = "the palette mac has no place for transparency; use adaptive or web, or a fmt without -alpha";
            return Err(BadCommand::new("quantize", rule));
        }
        Ok(())
    }

    /// How the size of the layer follows from that of its source.
    pub fn layer_size(&self) -> Option<LayerSize> {
        self.size.or(self.scale.map(LayerSize::Times)).or(self.res.map(LayerSize::Resolution))
    }

    /// Whether an XMP packet goes into the file, if the original has one.
    pub fn takes_xmp(&self) -> bool {
        self.xmp_embed && (self.fmt.format.is_jpeg() || self.fmt.format == FileFormat::Tiff)
    }

    /// Commands that have an effect, but none on what is made.
    fn without_place(&self) -> Vec<Ignored> {
        let format = self.fmt.format;
        let is_mask = self.request == Request::Mask;
        [
            ("quantize", self.quantize.is_some() && !format.has_palette()),
            ("jpegsize", self.jpeg_size.is_some() && !format.is_jpeg()),
            ("xmpembed", self.xmp_embed && !self.takes_xmp()),
            ("iccembed", self.icc_embed && (format == FileFormat::Gif || is_mask)),
            ("printres", self.print_res.is_some() && !format.has_resolution()),
            ("icc", self.icc.is_some() && is_mask),
            ("bgc", self.bgc.is_some() && is_mask),
        ]
        .into_iter()
        .filter(|(_, is_in_vain)| *is_in_vain)
        .map(|(name, _)| Ignored::new(name, Why::NoPlace))
        .collect()
    }
}

fn side(name: &str, value: &str) -> Result<Option<u32>, BadCommand> {
    const FORM: &str = "a whole number of pixels";
    let values = Values::new(name, value, 1, 1, FORM)?;
    let side = values.needed(values.whole(0, 1, LONGEST_SIDE, "it")?, FORM)?;
    Ok(Some(side as u32))
}

fn above_zero(name: &str, value: &str, most: f64) -> Result<f64, BadCommand> {
    const FORM: &str = "a number above 0";
    let values = Values::new(name, value, 1, 1, FORM)?;
    let number = values.needed(values.real(0, 0.0, most, "it")?, FORM)?;
    if number > 0.0 { Ok(number) } else { Err(values.bad("must be above 0")) }
}

/// None: any number.
fn kilobytes(name: &str, value: &str) -> Result<Option<u32>, BadCommand> {
    const FORM: &str = "a whole number of kilobytes";
    /// A gigabyte.
    const MOST: i64 = 1 << 20;
    let values = Values::new(name, value, 1, 1, FORM)?;
    let number = values.needed(values.whole(0, 0, MOST, "it")?, FORM)?;
    Ok((number > 0).then_some(number as u32))
}

fn flag(name: &str, value: &str) -> Result<bool, BadCommand> {
    let values = Values::new(name, value, 1, 1, "0 or 1")?;
    values.needed(values.flag(0, "it")?, "0 or 1")
}

fn fit(name: &str, value: &str) -> Result<Fit, BadCommand> {
    const MODES: &[(&str, FitMode)] = &[
        ("fit", FitMode::Fit),
        ("constrain", FitMode::Constrain),
        ("crop", FitMode::Crop),
        ("wrap", FitMode::Wrap),
        ("stretch", FitMode::Stretch),
        ("hfit", FitMode::Hfit),
        ("vfit", FitMode::Vfit),
    ];
    const FORM: &str = "a mode, or a mode and 0 or 1 for enlarging";
    let values = Values::new(name, value, 1, 2, FORM)?;
    let mode = values.needed(values.word(0, MODES, "the mode")?, FORM)?;
    Ok(Fit { mode, upscale: values.flag(1, "enlarging")?.unwrap_or(false) })
}

fn align(name: &str, value: &str) -> Result<(f64, f64), BadCommand> {
    const FORM: &str = "two numbers from -1 to 1: horizontal,vertical";
    let values = Values::new(name, value, 2, 2, FORM)?;
    let number = |at| values.needed(values.real(at, -1.0, 1.0, "each number")?, FORM);
    Ok((number(0)?, number(1)?))
}

fn region(name: &str, value: &str) -> Result<Region, BadCommand> {
    const FORM: &str = "four whole numbers of pixels: x,y,width,height";
    /// Beyond the largest picture on either side.
    const FARTHEST: i64 = 1_000_000;
    let values = Values::new(name, value, 4, 4, FORM)?;
    let offset = |at| values.needed(values.whole(at, -FARTHEST, FARTHEST, "x and y")?, FORM);
    let side = |at| Ok(values.needed(values.whole(at, 1, FARTHEST, "width and height")?, FORM)? as u32);
    Ok(Region { x: offset(0)?, y: offset(1)?, width: side(2)?, height: side(3)? })
}

fn normalized(name: &str, value: &str) -> Result<Crop, BadCommand> {
    const FORM: &str = "four numbers relative to the picture: x,y,width,height";
    const FARTHEST: f64 = 1000.0;
    let values = Values::new(name, value, 4, 4, FORM)?;
    let offset = |at| values.needed(values.real(at, -FARTHEST, FARTHEST, "x and y")?, FORM);
    let side = |at| match values.needed(values.real(at, 0.0, FARTHEST, "width and height")?, FORM)? {
        0.0 => Err(values.bad("width and height must be above 0")),
        side => Ok(side),
    };
    Ok(Crop::Normalized { x: offset(0)?, y: offset(1)?, width: side(2)?, height: side(3)? })
}

fn angle(name: &str, value: &str) -> Result<Angle, BadCommand> {
    const FORM: &str = "an angle in degrees";
    let values = Values::new(name, value, 1, 1, FORM)?;
    Ok(Angle::new(values.needed(values.real(0, -1_000_000.0, 1_000_000.0, "it")?, FORM)?))
}

fn flip(name: &str, value: &str) -> Result<Flip, BadCommand> {
    const FLIPS: &[(&str, Flip)] = &[
        ("lr", Flip { left_right: true, up_down: false }),
        ("ud", Flip { left_right: false, up_down: true }),
        ("lrud", Flip { left_right: true, up_down: true }),
    ];
    const FORM: &str = "lr, ud or lrud";
    let values = Values::new(name, value, 1, 1, FORM)?;
    values.needed(values.word(0, FLIPS, "it")?, FORM)
}

fn output(name: &str, value: &str) -> Result<Output, BadCommand> {
    const FORM: &str = "a format, and after commas a pixel type and a compression";
    const PIXELS: &[(&str, PixelType)] =
        &[("rgb", PixelType::Rgb), ("gray", PixelType::Gray), ("cmyk", PixelType::Cmyk)];
    const TIFF: &[(&str, Compression)] = &[
        ("none", Compression::None),
        ("lzw", Compression::Lzw),
        ("zip", Compression::Zip),
        ("jpeg", Compression::Jpeg),
    ];
    const TIFF_ALPHA: &[(&str, Compression)] =
        &[("none", Compression::None), ("lzw", Compression::Lzw), ("zip", Compression::Zip)];
    const WEBP: &[(&str, Compression)] = &[("lossy", Compression::Lossy), ("lossless", Compression::Lossless)];
    const OTHERS: &[(&str, Compression)] = &[("none", Compression::None)];
    let values = Values::new(name, value, 1, 3, FORM)?;
    if let Some((other, missing)) = values.text(0).and_then(|name| Some((name, reference::missing_format(name)?))) {
        let made = FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let why = match missing {
            MissingFormat::NotSupported => "is not supported".to_owned(),
            MissingFormat::OtherBuild { feature } => {
                format!("is not supported by this build, which was made without the feature {feature}")
            }
        };
        return Err(values.bad(format!("the format {other} {why}; it must be one of {made}")));
    }
    let (format, alpha) = values.needed(values.word(0, FORMATS, "the format")?, FORM)?;
    let possible = match format {
        FileFormat::WebP | FileFormat::Png8 | FileFormat::Avif => &PIXELS[..1],
        FileFormat::Png | FileFormat::Gif => &PIXELS[..2],
        FileFormat::Jpeg | FileFormat::ProgressiveJpeg | FileFormat::Tiff => PIXELS,
    };
    let (compressions, usual) = match format {
        FileFormat::Tiff if alpha => (TIFF_ALPHA, Compression::None),
        FileFormat::Tiff => (TIFF, Compression::None),
        FileFormat::WebP => (WEBP, Compression::Lossy),
        _ => (OTHERS, Compression::None),
    };
    Ok(Output {
        format,
        alpha,
        pixels: values.word(1, possible, "the pixel type of this format")?,
        compression: values.word(2, compressions, "the compression of this format")?.unwrap_or(usual),
    })
}

fn quality(name: &str, value: &str) -> Result<Quality, BadCommand> {
    const FORM: &str = "a quality from 1 to 100, and after a comma 1 to keep colour at full resolution or 0";
    let values = Values::new(name, value, 1, 2, FORM)?;
    let quality = values.needed(values.whole(0, 1, 100, "the quality")?, FORM)?;
    Ok(Quality { value: quality as u8, full_chroma: values.flag(1, "the second number")?.unwrap_or(false) })
}

fn unsharp_mask(name: &str, value: &str, scales: bool) -> Result<Option<UnsharpMask>, BadCommand> {
    const FORM: &str =
        "amount, radius, threshold and 0 or 1 for brightness alone, of which the last three may be left out";
    let values = Values::new(name, value, 1, 4, FORM)?;
    let amount = values.needed(values.real(0, 0.0, 5.0, "the amount")?, FORM)?;
    let mask = UnsharpMask {
        amount,
        radius: values.real(1, 0.0, 250.0, "the radius")?.unwrap_or(1.0),
        threshold: values.whole(2, 0, 255, "the threshold")?.unwrap_or(0) as u8,
        monochrome: values.flag(3, "the last number")?.unwrap_or(false),
        scales,
    };
    Ok((mask.amount > 0.0 && mask.radius > 0.0).then_some(mask))
}

fn res_mode(name: &str, value: &str) -> Result<ResMode, BadCommand> {
    const MODES: &[(&str, ResMode)] = &[
        ("bilin", ResMode::Bilin),
        ("bicub", ResMode::Bicub),
        ("sharp2", ResMode::Sharp2),
        ("bisharp", ResMode::Bisharp),
        // The name before sharp2.
        ("sharp", ResMode::Sharp2),
    ];
    const FORM: &str = "bilin, bicub, sharp2 or bisharp";
    let values = Values::new(name, value, 1, 1, FORM)?;
    values.needed(values.word(0, MODES, "it")?, FORM)
}

/// The profile, and whether dithering is asked for, which is not done.
fn icc(name: &str, value: &str) -> Result<(IccTarget, bool), BadCommand> {
    const FORM: &str = "the name of a profile, and after commas a rendering intent, 0 or 1 for black point compensation, and 0 for dithering";
    const INTENTS: &[(&str, Intent)] = &[
        ("perceptual", Intent::Perceptual),
        ("relative", Intent::Relative),
        ("saturation", Intent::Saturation),
        ("absolute", Intent::Absolute),
    ];
    let values = Values::new(name, value, 1, 4, FORM)?;
    let profile = values.needed(values.text(0), FORM)?.to_owned();
    let intent = values.word(1, INTENTS, "the rendering intent")?.unwrap_or_default();
    let black_point = values.flag(2, "black point compensation")?;
    let dithers = values.flag(3, "dithering")?.unwrap_or(false);
    Ok((IccTarget { profile, intent, black_point }, dithers))
}

fn scans(name: &str, value: &str) -> Result<Option<u8>, BadCommand> {
    const SCANS: &[(&str, Option<u8>)] = &[("auto", None), ("3", Some(3)), ("4", Some(4)), ("5", Some(5))];
    const FORM: &str = "auto, 3, 4 or 5";
    let values = Values::new(name, value, 1, 1, FORM)?;
    values.needed(values.word(0, SCANS, "it")?, FORM)
}
