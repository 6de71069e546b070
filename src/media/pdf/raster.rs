//! A page that another program has drawn: a portable pixmap (netpbm, "PPM", raw).

use std::fs;
use std::path::Path;

use hayro::hayro_syntax::page::Rotation;

use super::draw::{Page, Sheet};

/// A header may have comments.
const LONGEST_HEADER: u64 = 512;

/// The pixels of the file at `path`, four samples each, turned as the page is. The file is as hostile as the page it was drawn from.
pub fn read(path: &Path, sheet: &Sheet, rotation: Rotation) -> Result<Vec<u8>, Page> {
    let (width, height) = sheet.before_turn(rotation);
    let (width, height) = (usize::from(width), usize::from(height));
    let bytes = width * height * 3;
    let wrong = || Page::Undrawn("another program drew it in another size".to_owned().into());
    if !path.exists() {
        return Err(Page::Undrawn("another program has drawn nothing".to_owned().into()));
    }
    if fs::metadata(path)?.len() > bytes as u64 + LONGEST_HEADER {
        return Err(wrong());
    }
    let file = fs::read(path)?; // bounded: by the size of the page
    let samples = file.len().checked_sub(bytes).and_then(|start| file.split_at_checked(start));
    let (_, samples) = samples.filter(|(header, _)| is_of(header, width, height)).ok_or_else(wrong)?;
    let pixel = |at: usize| match samples.as_chunks::<3>().0.get(at) {
        Some([red, green, blue]) => [*red, *green, *blue, u8::MAX],
        None => [u8::MAX; 4],
    };
    let at = |x: usize, y: usize| y * width + x;
    Ok(match rotation {
        Rotation::None => (0..width * height).flat_map(pixel).collect(),
        Rotation::Flipped => (0..width * height).rev().flat_map(pixel).collect(),
        Rotation::Horizontal => (0..width).flat_map(|x| (0..height).rev().flat_map(move |y| pixel(at(x, y)))).collect(),
        Rotation::FlippedHorizontal => {
            (0..width).rev().flat_map(|x| (0..height).flat_map(move |y| pixel(at(x, y)))).collect()
        }
    })
}

/// Whether a header says that these are the sides of the picture, and 255 its greatest sample.
fn is_of(header: &[u8], width: usize, height: usize) -> bool {
    let lines =
        header.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b'#').next().unwrap_or_default());
    let words = lines.flat_map(|line| line.split(u8::is_ascii_whitespace)).filter(|word| !word.is_empty());
    let wanted = ["P6".to_owned(), width.to_string(), height.to_string(), "255".to_owned()];
    words.eq(wanted.iter().map(String::as_bytes))
}
