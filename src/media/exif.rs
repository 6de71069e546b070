//! The two things EXIF says that change what a picture looks like.

use exif::{Exif, In, Reader, Tag, Value};

use super::orientation::Orientation;
use super::picture::Resolution;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct ExifFacts {
    pub orientation: Orientation,
    pub resolution: Option<Resolution>,
}

impl ExifFacts {
    /// Reads a block that starts with its TIFF header. A damaged block says nothing: the picture is whole without it.
    pub fn read(block: &[u8]) -> Self {
        // PNG and WebP writers sometimes keep the marker that JPEG puts in front.
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        Reader::new().read_raw(block.to_vec()).map(|exif| Self::from_exif(&exif)).unwrap_or_default()
    }

    fn from_exif(exif: &Exif) -> Self {
        let number = |tag| exif.get_field(tag, In::PRIMARY).and_then(|field| field.value.get_uint(0));
        let orientation = number(Tag::Orientation).and_then(Orientation::from_exif).unwrap_or_default();
        let resolution = rational(exif, Tag::XResolution).zip(rational(exif, Tag::YResolution)).and_then(|(x, y)| {
            const CENTIMETRES: u32 = 3;
            match number(Tag::ResolutionUnit) {
                Some(CENTIMETRES) => Resolution::per_centimetre(x, y),
                _ => Resolution::new(x, y),
            }
        });
        Self { orientation, resolution }
    }
}

fn rational(exif: &Exif, tag: Tag) -> Option<f64> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(values) => values.first().map(|value| value.to_f64()),
        _ => None,
    }
}
