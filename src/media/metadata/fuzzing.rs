//! See [`super::super::fuzzing`].

use std::io::Cursor;

use super::{Found, exif as exif_block, heif as heif_boxes, iptc as iptc_sets, xmp as xmp_packet};

pub fn exif(bytes: &[u8]) {
    exif_block::read(Cursor::new(bytes), &mut Found::default());
    // What the decoders of pictures read of it.
    let _ = super::super::exif::ExifFacts::read(bytes);
}

pub fn heif(bytes: &[u8]) {
    let _ = heif_boxes::read(&mut Cursor::new(bytes));
}

pub fn iptc(bytes: &[u8]) {
    iptc_sets::read(bytes, &mut Found::default());
}

pub fn xmp(bytes: &[u8]) {
    xmp_packet::read(bytes, &mut Found::default());
}
