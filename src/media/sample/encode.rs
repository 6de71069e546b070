//! Drawings as files of several formats.

use std::io::Cursor;

use image::codecs::{bmp::BmpEncoder, gif::GifEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder, PixelDensity};
use moxcms::ColorProfile;
use tiff::encoder::colortype::{self, ColorType as TiffColor};
use tiff::encoder::{Compression, Rational, TiffEncoder};
use tiff::tags::{ResolutionUnit, Tag};

use super::product::Drawing;

pub(super) type Encoded = Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// The bytes of a profile, dated so that they are the same every time.
pub(super) fn icc(mut profile: ColorProfile) -> Encoded {
    let date = &mut profile.creation_date_time;
    (date.year, date.month, date.day_of_the_month) = (2024, 1, 1);
    (date.hours, date.minutes, date.seconds) = (0, 0, 0);
    Ok(profile.encode()?)
}

impl Drawing {
    fn samples(&self, channels: usize) -> Vec<u8> {
        self.pixels.iter().flat_map(|pixel| pixel[..channels].iter().map(|part| (part * 255.0 + 0.5) as u8)).collect()
    }

    fn gray(&self) -> Vec<u8> {
        let luma = |[r, g, b, _]: &[f32; 4]| ((0.299 * r + 0.587 * g + 0.114 * b) * 255.0 + 0.5) as u8;
        self.pixels.iter().map(luma).collect()
    }

    /// Inks with as much black as goes.
    fn cmyk(&self) -> Vec<u8> {
        let ink = |part: f32| (part * 255.0 + 0.5) as u8;
        let pixel = |[r, g, b, _]: &[f32; 4]| {
            let white = r.max(*g).max(*b).max(1e-3);
            [ink(1.0 - r / white), ink(1.0 - g / white), ink(1.0 - b / white), ink(1.0 - white)]
        };
        self.pixels.iter().flat_map(pixel).collect()
    }

    /// Lying on its side, so that it is upright after a quarter turn clockwise.
    fn on_its_side(&self) -> Self {
        let (width, height) = (self.width as usize, self.height as usize);
        let turned = |x: usize| (0..height).map(move |y| self.pixels[y * width + x]);
        let pixels = (0..width).rev().flat_map(turned).collect();
        Self { width: self.height, height: self.width, pixels }
    }

    pub fn jpeg(&self, profile: Option<&[u8]>) -> Encoded {
        self.jpeg_of(&self.samples(3), ColorType::Rgb, profile, None)
    }

    pub fn gray_jpeg(&self) -> Encoded {
        self.jpeg_of(&self.gray(), ColorType::Luma, None, None)
    }

    pub fn cmyk_jpeg(&self) -> Encoded {
        self.jpeg_of(&self.cmyk(), ColorType::CmykAsYcck, None, None)
    }

    pub fn sideways_jpeg(&self, profile: Option<&[u8]>) -> Encoded {
        // A TIFF header, one entry: orientation, short, one value, 6.
        const TURN_RIGHT: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let side = self.on_its_side();
        side.jpeg_of(&side.samples(3), ColorType::Rgb, profile, Some(TURN_RIGHT))
    }

    fn jpeg_of(&self, samples: &[u8], color: ColorType, profile: Option<&[u8]>, exif: Option<&[u8]>) -> Encoded {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, 92);
        encoder.set_density(PixelDensity::dpi(300));
        if let Some(exif) = exif {
            encoder.add_exif_metadata(exif)?;
        }
        if let Some(profile) = profile {
            encoder.add_icc_profile(profile)?;
        }
        encoder.encode(samples, self.width.try_into()?, self.height.try_into()?, color)?;
        Ok(out)
    }

    pub fn png_with_alpha(&self, profile: Option<Vec<u8>>) -> Encoded {
        self.png(&self.samples(4), png::ColorType::Rgba, png::BitDepth::Eight, profile)
    }

    pub fn png_16_bit(&self) -> Encoded {
        let wide = |part: &f32| ((part * 65535.0 + 0.5) as u16).to_be_bytes();
        let samples: Vec<u8> = self.pixels.iter().flat_map(|pixel| pixel[..3].iter().flat_map(wide)).collect();
        self.png(&samples, png::ColorType::Rgb, png::BitDepth::Sixteen, None)
    }

    fn png(&self, samples: &[u8], color: png::ColorType, depth: png::BitDepth, profile: Option<Vec<u8>>) -> Encoded {
        let mut out = Vec::new();
        let mut info = png::Info::with_size(self.width, self.height);
        info.color_type = color;
        info.bit_depth = depth;
        info.icc_profile = profile.map(Into::into);
        let mut writer = png::Encoder::with_info(&mut out, info)?.write_header()?;
        writer.write_image_data(samples)?;
        writer.finish()?;
        Ok(out)
    }

    pub fn tiff(&self, profile: Option<&[u8]>) -> Encoded {
        self.tiff_of::<colortype::RGB8>(&self.samples(3), profile)
    }

    pub fn cmyk_tiff(&self) -> Encoded {
        self.tiff_of::<colortype::CMYK8>(&self.cmyk(), None)
    }

    fn tiff_of<C: TiffColor<Inner = u8>>(&self, samples: &[u8], profile: Option<&[u8]>) -> Encoded {
        let mut out = Cursor::new(Vec::new());
        let mut tiff = TiffEncoder::new(&mut out)?.with_compression(Compression::Lzw);
        let mut page = tiff.new_image::<C>(self.width, self.height)?;
        page.resolution(ResolutionUnit::Inch, Rational { n: 300, d: 1 });
        if let Some(profile) = profile {
            page.encoder().write_tag(Tag::IccProfile, profile)?;
        }
        page.write_data(samples)?;
        Ok(out.into_inner())
    }

    pub fn gif(&self) -> Encoded {
        let mut out = Vec::new();
        GifEncoder::new_with_speed(&mut out, 10).encode(
            &self.samples(3),
            self.width,
            self.height,
            ExtendedColorType::Rgb8,
        )?;
        Ok(out)
    }

    pub fn bmp(&self) -> Encoded {
        let mut out = Vec::new();
        BmpEncoder::new(&mut out).encode(&self.samples(3), self.width, self.height, ExtendedColorType::Rgb8)?;
        Ok(out)
    }

    pub fn webp(&self) -> Encoded {
        let mut out = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut out);
        encoder.write_image(&self.samples(4), self.width, self.height, ExtendedColorType::Rgba8)?;
        Ok(out)
    }
}
