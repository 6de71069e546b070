//! Decoded pixels, 8 bits a sample.

/// What the samples of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// 0 is no ink, 255 full ink.
    Cmyk,
    /// The same with alpha behind it: of TIFF files, and of views that do not show it everywhere. None is stored so.
    CmykAlpha,
}

/// A sample of 16 bits in 8: the nearest, so that none is darker than it was.
pub(crate) const fn narrowed(sample: u16) -> u8 {
    ((sample as u32 * 255 + 32_767) / 65_535) as u8
}

/// Samples of 16 bits, the more significant byte first, in 8.
pub(crate) fn narrowed_row(row: &[u8]) -> impl Iterator<Item = u8> {
    row.as_chunks::<2>().0.iter().map(|sample| narrowed(u16::from_be_bytes(*sample)))
}

impl Layout {
    pub fn samples(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
            Self::CmykAlpha => 5,
        }
    }

    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba | Self::CmykAlpha)
    }

    /// True when these pixels have no alpha, or none of it lets anything through.
    pub fn all_opaque(self, pixels: &[u8]) -> bool {
        let samples = self.samples();
        !self.has_alpha() || pixels.chunks_exact(samples).all(|pixel| pixel[samples - 1] == u8::MAX)
    }

    /// The same without alpha.
    pub fn opaque(self) -> Self {
        match self {
            Self::GrayAlpha => Self::Gray,
            Self::Rgba => Self::Rgb,
            Self::CmykAlpha => Self::Cmyk,
            Self::Gray | Self::Rgb | Self::Cmyk => self,
        }
    }
}

/// A whole picture in memory, rows from the top, without padding.
#[derive(Debug)]
pub(crate) struct Raster {
    width: u32,
    height: u32,
    layout: Layout,
    pixels: Vec<u8>,
}

impl Raster {
    /// None when `pixels` is not exactly what the size and layout need.
    pub fn new(width: u32, height: u32, layout: Layout, pixels: Vec<u8>) -> Option<Self> {
        let needed = (width as usize).checked_mul(height as usize)?.checked_mul(layout.samples())?;
        (width > 0 && height > 0 && pixels.len() == needed).then_some(Self { width, height, layout, pixels })
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub fn stride(&self) -> usize {
        self.width as usize * self.layout.samples()
    }

    /// True when there is no alpha, or none of it lets anything through.
    pub fn is_opaque(&self) -> bool {
        self.layout.all_opaque(&self.pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_become_the_nearest_of_eight() {
        for sample in 0..=u16::MAX {
            assert_eq!(narrowed(sample), (f64::from(sample) / 257.0).round() as u8, "{sample}");
        }
        assert_eq!(narrowed_row(&[0xff, 0x00, 0x00, 0xff, 0x7f, 0xff]).collect::<Vec<_>>(), [254, 1, 127]);
    }
}
