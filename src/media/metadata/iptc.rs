//! IPTC-IIM: data sets one after the other.

use super::{Found, LeftOut, text};

const MARK: u8 = 0x1c;

/// Most data sets that are looked at. Long lists of keywords have some hundred.
const MOST_SETS: usize = 10_000;

/// Data sets of the application record that XMP has names for.
const NAMES: &[(u8, &str)] = &[
    (5, "dc.title"),
    (15, "photoshop.Category"),
    (20, "photoshop.SupplementalCategories"),
    (25, "dc.subject"),
    (40, "photoshop.Instructions"),
    (55, "photoshop.DateCreated"),
    (80, "dc.creator"),
    (85, "photoshop.AuthorsPosition"),
    (90, "photoshop.City"),
    (92, "Iptc4xmpCore.Location"),
    (95, "photoshop.State"),
    (100, "Iptc4xmpCore.CountryCode"),
    (101, "photoshop.Country"),
    (103, "photoshop.TransmissionReference"),
    (105, "photoshop.Headline"),
    (110, "photoshop.Credit"),
    (115, "photoshop.Source"),
    (116, "dc.rights"),
    (120, "dc.description"),
    (122, "photoshop.CaptionWriter"),
];

const DATE_CREATED: u8 = 55;

pub(super) fn read(block: &[u8], found: &mut Found) {
    const ENVELOPE: u8 = 1;
    const APPLICATION: u8 = 2;
    const CHARACTER_SET: u8 = 90;
    const UTF_8: &[u8] = b"\x1b%G";
    let mut is_utf8 = false;
    for (index, DataSet { record, number, value }) in DataSets(block).enumerate() {
        if index == MOST_SETS {
            return found.leave_out(LeftOut::ManyValues);
        }
        if (record, number) == (ENVELOPE, CHARACTER_SET) {
            is_utf8 = value == UTF_8;
        }
        let name = NAMES.iter().find(|(known, _)| record == APPLICATION && *known == number);
        if let Some((_, name)) = name {
            let value = if is_utf8 { String::from_utf8_lossy(value).into_owned() } else { text::guessed(value) };
            found.add(name, &if number == DATE_CREATED { day(&value) } else { value });
        }
    }
}

/// `20261123`, as XMP writes it. Parts that are not known are zeros.
fn day(text: &str) -> String {
    match (text.get(..4), text.get(4..6), text.get(6..8)) {
        (Some(year), Some("00"), _) => year.to_owned(),
        (Some(year), Some(month), Some("00")) => format!("{year}-{month}"),
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => text.to_owned(),
    }
}

struct DataSet<'a> {
    record: u8,
    number: u8,
    value: &'a [u8],
}

struct DataSets<'a>(&'a [u8]);

impl<'a> Iterator for DataSets<'a> {
    type Item = DataSet<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let [MARK, record, number, high, low, rest @ ..] = self.0 else { return None };
        // The highest bit means a longer length, which no text has.
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = rest.split_at_checked(length).filter(|_| *high < 0x80)?;
        self.0 = after;
        Some(DataSet { record: *record, number: *number, value })
    }
}
