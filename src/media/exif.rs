//! The two things EXIF says that change what a picture looks like.

use std::io::{self, Cursor};

use super::directory::{Tiff, Value};
use super::orientation::Orientation;
use super::picture::Resolution;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct ExifFacts {
    pub orientation: Orientation,
    pub resolution: Option<Resolution>,
}

impl ExifFacts {
    /// Reads a block that starts with its TIFF header. A damaged block says nothing: the picture is whole without it. Of its
    /// directories none but the first is looked at.
    pub fn read(block: &[u8]) -> Self {
        // PNG and WebP writers sometimes keep the marker that JPEG puts in front.
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        let is_tiff = block.starts_with(b"II*\0") || block.starts_with(b"MM\0*");
        if is_tiff { Self::found(block).unwrap_or_default() } else { Self::default() }
    }

    fn found(block: &[u8]) -> io::Result<Self> {
        const ORIENTATION: u16 = 274;
        const X_RESOLUTION: u16 = 282;
        const Y_RESOLUTION: u16 = 283;
        const RESOLUTION_UNIT: u16 = 296;
        const CENTIMETRES: u32 = 3;
        let mut tiff = Tiff::open(Cursor::new(block))?;
        let tags = tiff.first_directory()?;
        let mut value = |number| {
            let tag = tags.iter().find(|tag| tag.number == number)?;
            tiff.value(*tag).ok().flatten()
        };
        let number = |value| match value {
            Some(Value::Numbers(numbers)) => numbers.first().and_then(|number| u32::try_from(*number).ok()),
            _ => None,
        };
        let fraction = |value| match value {
            Some(Value::Fractions(all)) => all.first().map(|(over, under)| *over as f64 / *under as f64),
            _ => None,
        };
        let orientation = number(value(ORIENTATION)).and_then(Orientation::from_exif).unwrap_or_default();
        let resolution = fraction(value(X_RESOLUTION)).zip(fraction(value(Y_RESOLUTION)));
        let resolution = resolution.and_then(|(x, y)| match number(value(RESOLUTION_UNIT)) {
            Some(CENTIMETRES) => Resolution::per_centimetre(x, y),
            _ => Resolution::new(x, y),
        });
        Ok(Self { orientation, resolution })
    }
}
