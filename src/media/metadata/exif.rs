//! EXIF under the names that XMP has for it.

use std::io::{self, Read, Seek};

use super::tiff::{Tag, Tiff, Value};
use super::{Found, text};

/// Tags of the first directory that describe the picture rather than how its pixels are stored.
const FIRST: &[(u16, &str)] = &[
    (270, "dc.description"),
    (271, "tiff.Make"),
    (272, "tiff.Model"),
    (274, "tiff.Orientation"),
    (282, "tiff.XResolution"),
    (283, "tiff.YResolution"),
    (296, "tiff.ResolutionUnit"),
    (305, "xmp.CreatorTool"),
    (306, "xmp.ModifyDate"),
    (315, "dc.creator"),
    (33432, "dc.rights"),
];

const EXIF: &[(u16, &str)] = &[
    (33434, "exif.ExposureTime"),
    (33437, "exif.FNumber"),
    (34850, "exif.ExposureProgram"),
    (34855, "exif.ISOSpeedRatings"),
    (36867, "exif.DateTimeOriginal"),
    (36868, "xmp.CreateDate"),
    (37377, "exif.ShutterSpeedValue"),
    (37378, "exif.ApertureValue"),
    (37380, "exif.ExposureBiasValue"),
    (37381, "exif.MaxApertureValue"),
    (37383, "exif.MeteringMode"),
    (37384, "exif.LightSource"),
    (37386, "exif.FocalLength"),
    (40961, "exif.ColorSpace"),
    (41986, "exif.ExposureMode"),
    (41987, "exif.WhiteBalance"),
    (41989, "exif.FocalLengthIn35mmFilm"),
    (42033, "exifEX.BodySerialNumber"),
    (42035, "exifEX.LensMake"),
    (42036, "exifEX.LensModel"),
];

const DATES: &[u16] = &[306, 36867, 36868];

/// Numbers of tags that lead to further directories.
const EXIF_DIRECTORY: u16 = 34665;
const GPS_DIRECTORY: u16 = 34853;

/// Adds what a block says, or a TIFF file. One that breaks off says what it says until there.
pub(super) fn read(input: impl Read + Seek, found: &mut Found) {
    // Nothing is left to do about an error: the rest of the block is lost.
    let _ = directories(input, found);
}

fn directories(input: impl Read + Seek, found: &mut Found) -> io::Result<()> {
    let mut tiff = Tiff::open(input)?;
    let first = tiff.first_directory()?;
    add(&mut tiff, &first, FIRST, found);
    for tag in first.iter().filter(|tag| matches!(tag.number, EXIF_DIRECTORY | GPS_DIRECTORY)) {
        let Some(Value::Numbers(offset)) = tiff.value(*tag)? else { continue };
        let Some(offset) = offset.first().and_then(|offset| u64::try_from(*offset).ok()) else { continue };
        let Ok(tags) = tiff.directory(offset) else { continue };
        if tag.number == EXIF_DIRECTORY {
            add(&mut tiff, &tags, EXIF, found);
        } else {
            position(&mut tiff, &tags, found);
        }
    }
    Ok(())
}

fn add<R: Read + Seek>(tiff: &mut Tiff<R>, tags: &[Tag], names: &[(u16, &str)], found: &mut Found) {
    for (number, name) in names {
        let Some(tag) = tags.iter().find(|tag| tag.number == *number) else { continue };
        match tiff.value(*tag) {
            Ok(Some(Value::Bytes(bytes))) => {
                let value = text::guessed(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
                found.add(name, &if DATES.contains(number) { date(&value) } else { value });
            }
            Ok(Some(Value::Numbers(numbers))) => numbers.iter().for_each(|number| found.add(name, &number.to_string())),
            Ok(Some(Value::Fractions(all))) => {
                all.iter().for_each(|(over, under)| found.add(name, &format!("{over}/{under}")))
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// `2026:11:23 09:15:00`, as XMP writes it.
fn date(text: &str) -> String {
    match text.trim().split_once(' ') {
        Some((day, time)) if day.len() == 10 && !day.starts_with("0000") => format!("{}T{time}", day.replace(':', "-")),
        // Blanks and zeros stand for a date that is not known.
        _ => String::new(),
    }
}

/// Where the picture was taken, in the way of XMP: degrees, minutes, and the first letter of the direction.
fn position<R: Read + Seek>(tiff: &mut Tiff<R>, tags: &[Tag], found: &mut Found) {
    for (direction, place, name) in [(1, 2, "exif.GPSLatitude"), (3, 4, "exif.GPSLongitude")] {
        let mut value = |number: u16| {
            let tag = tags.iter().find(|tag| tag.number == number)?;
            tiff.value(*tag).ok().flatten()
        };
        let (Some(Value::Bytes(direction)), Some(Value::Fractions(parts))) = (value(direction), value(place)) else {
            continue;
        };
        let numbers: Vec<f64> = parts.iter().map(|(over, under)| *over as f64 / *under as f64).collect();
        let ([degrees, minutes, seconds], Some(letter @ (b'N' | b'S' | b'E' | b'W'))) =
            (&numbers[..], direction.first())
        else {
            continue;
        };
        let minutes = minutes + seconds / 60.0;
        if degrees.is_finite() && minutes.is_finite() {
            found.add(name, &format!("{degrees},{minutes:.8}{}", char::from(*letter)));
        }
    }
}
