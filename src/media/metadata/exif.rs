//! EXIF under the names that XMP has for it.

use std::io::{self, Read, Seek};

use super::super::directory::{Tag, Tiff, Value};
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
        let letter = direction.first().map(u8::to_ascii_uppercase);
        let (letters, most) = if place == 2 { ([b'N', b'S'], 90) } else { ([b'E', b'W'], 180) };
        let letter = letter.filter(|letter| letters.contains(letter));
        if let (Some(minutes), Some(letter)) = (minutes(&parts, most), letter) {
            let (degrees, minutes) = (minutes / (60 * PARTS), minutes % (60 * PARTS));
            let (whole, part) = (minutes / PARTS, minutes % PARTS);
            found.add(name, &format!("{degrees},{whole}.{part:08}{}", char::from(letter)));
        }
    }
}

/// Of a minute, as a place is told: a part is less than a tenth of a millimetre.
const PARTS: u64 = 100_000_000;

/// A place in parts of a minute. Each of degrees, minutes and seconds may have a fraction, and the latter two may be left
/// out, or 0/0. None: there is no such place.
fn minutes(parts: &[(i64, i64)], most_degrees: u64) -> Option<u64> {
    let mut sum = 0.0;
    for (index, (over, under)) in parts.iter().enumerate().take(3) {
        let number = match (*over, *under) {
            (0, 0) if index > 0 => 0.0,
            (over, under) => over as f64 / under as f64,
        };
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        sum += number * [60.0, 1.0, 1.0 / 60.0][index];
    }
    let parts = (!parts.is_empty()).then_some((sum * PARTS as f64).round() as u64)?;
    (parts <= most_degrees * 60 * PARTS).then_some(parts)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A block that says where it was taken: letters, and three fractions each.
    fn block(letters: [u8; 2], places: [&[(u32, u32)]; 2]) -> Vec<u8> {
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        const GPS: u32 = 8 + 2 + 12 + 4;
        const VALUES: u32 = GPS + 2 + 4 * 12 + 4;
        let mut block = [b"II\x2a\0\x08\0\0\0\x01\0".to_vec(), entry(GPS_DIRECTORY, 4, 1, GPS), vec![0; 4]].concat();
        let [first, second] = places.map(|parts| parts.len() as u32);
        block.extend(4_u16.to_le_bytes());
        block.extend(entry(1, 2, 2, u32::from(letters[0])));
        block.extend(entry(2, 5, first, VALUES));
        block.extend(entry(3, 2, 2, u32::from(letters[1])));
        block.extend(entry(4, 5, second, VALUES + first * 8));
        block.extend([0; 4]);
        let numbers = places.into_iter().flatten().flat_map(|(over, under)| [*over, *under]);
        block.extend(numbers.flat_map(u32::to_le_bytes));
        block
    }

    fn place(letters: &[u8; 2], latitude: &[(u32, u32)], longitude: &[(u32, u32)]) -> [Option<String>; 2] {
        let mut found = Found::default();
        read(Cursor::new(block(*letters, [latitude, longitude])), &mut found);
        ["exif.GPSLatitude", "exif.GPSLongitude"].map(|name| found.fields.remove(name).map(|values| values[0].clone()))
    }

    #[test]
    fn places_may_have_fractions_of_degrees_minutes_and_seconds() {
        let written = |latitude: &str, longitude: &str| [Some(latitude.to_owned()), Some(longitude.to_owned())];
        let told = place(b"NW", &[(48, 1), (8, 1), (1400, 100)], &[(11, 1), (345_333, 10_000), (0, 1)]);
        assert_eq!(told, written("48,8.23333333N", "11,34.53330000W"));
        // All of it in the degrees, and nothing said of the rest.
        let told = place(b"SE", &[(48_137_222, 1_000_000), (0, 0), (0, 0)], &[(23_151_112, 2_000_000)]);
        assert_eq!(told, written("48,8.23332000S", "11,34.53336000E"));
        // A fraction in each, and seconds that round up to a whole degree.
        let told = place(b"ns", &[(3, 2), (3, 2), (3, 2)], &[(0, 1), (0, 1), (0, 1)]);
        assert_eq!(told, [Some("1,31.52500000N".to_owned()), None], "and no latitude is told of east and west");
        let told = place(b"NE", &[(47, 1), (59, 1), (59_999_999, 1_000_000)], &[(180, 1), (0, 1), (0, 1)]);
        assert_eq!(told, written("47,59.99999998N", "180,0.00000000E"));
        let told = place(b"NE", &[(47, 1), (59, 1), (4_294_967_295, 71_582_788)], &[(0, 1), (60, 1), (60, 1)]);
        assert_eq!(told, written("48,0.00000000N", "1,1.00000000E"));
    }

    #[test]
    fn places_that_are_none_are_left_out() {
        let sound: &[(u32, u32)] = &[(1, 1), (2, 1), (3, 1)];
        for broken in
            [&[(0, 0), (1, 1), (1, 1)][..], &[(1, 0), (1, 1), (1, 1)], &[(1, 1), (1, 0), (1, 1)], &[(181, 1)], &[]]
        {
            assert_eq!(place(b"NE", broken, broken), [None, None], "{broken:?}");
        }
        assert_eq!(place(b"EN", sound, sound), [None, None]);
        assert_eq!(place(b"NE", &[(91, 1)], &[(91, 1)]), [None, Some("91,0.00000000E".to_owned())]);
    }
}
