//! The sample catalogue.

use std::collections::BTreeSet;
use std::fs;

use super::super::*;

#[test]
fn the_catalogue_is_the_same_every_time_and_readable() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let written = dirs.each_ref().map(|dir| sample::write_catalogue(dir.path(), 96).unwrap());
    assert_eq!(written[0].len(), 25);
    for (first, second) in written[0].iter().zip(&written[1]) {
        assert!(fs::read(first).unwrap() == fs::read(second).unwrap(), "{first:?}");
    }
    let pictures = written[0].iter().filter(|path| path.extension().is_none_or(|ending| ending != "pdf"));
    let formats = pictures.map(|path| probe(path, &Limits::default()).unwrap().format);
    let all = [Format::Jpeg, Format::Png, Format::Tiff, Format::Gif, Format::Bmp, Format::WebP];
    assert_eq!(formats.collect::<BTreeSet<_>>(), BTreeSet::from(all));
}

#[test]
fn the_frames_of_the_spin_differ() {
    let dir = tempfile::tempdir().unwrap();
    let written = sample::write_catalogue(dir.path(), 96).unwrap();
    let frames: BTreeSet<_> = written
        .iter()
        .filter(|path| path.starts_with(dir.path().join("Spin")))
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert_eq!(frames.len(), 12);
}

#[test]
fn a_size_out_of_range_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(sample::write_catalogue(dir.path(), 8), Err(MediaError::BadOption { value: 8, .. })));
}
