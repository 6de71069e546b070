//! What a file says about itself: EXIF, IPTC and XMP, and the information of a PDF, as one list of fields.
//!
//! A field has the name that XMP has for it, its usual prefix and a dot in front: `dc.subject`, `tiff.Make`. What EXIF and
//! IPTC have a place for in XMP goes by that name. If a field is in several of them, XMP is believed first, then IPTC, then
//! EXIF. Structures are left out: they have no value of their own.
//!
//! All of it is hostile. What is damaged says nothing: a file is whole without its metadata.

mod blocks;
mod exif;
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::media) mod fuzzing;
mod heif;
mod iptc;
pub mod sheet;
mod svg;
mod text;
mod tiff;
mod xmp;

use std::collections::BTreeMap;
use std::io::{self, Cursor};

pub(in crate::media) use blocks::image_resources;
use blocks::{Blocks, Exif};
pub(in crate::media) use tiff::{Tiff, Value};

use super::content::Content;
use super::format::Format;
use super::pdf::Information;

/// Most values of a file.
const MOST_VALUES: usize = 2_000;

/// Most characters of a value; the rest of a longer one is left out.
const LONGEST_VALUE: usize = 10_000;

/// Longest name of a field, in bytes: longer ones are left out.
const LONGEST_NAME: usize = 120;

/// Most values that are looked at, those that come twice among them: each is compared with all there are.
const MOST_SEEN: usize = 50_000;

/// Most bytes of all values together.
const MOST_TEXT: usize = 1 << 20;

/// Values by the names of their fields.
pub type Fields = BTreeMap<String, Vec<String>>;

/// Reads what a file says about itself.
pub fn metadata(source: impl Into<Content>, format: Format) -> io::Result<Fields> {
    let content = &source.into();
    let blocks = Blocks::read(content, format)?;
    let from_xmp = found(|found| blocks.xmp.iter().for_each(|packet| xmp::read(packet, found)));
    let from_iptc = found(|found| blocks.iptc.iter().for_each(|sets| iptc::read(sets, found)));
    let mut fields = match blocks.exif {
        Some(Exif::Block(block)) => found(|found| exif::read(Cursor::new(block), found)),
        Some(Exif::File) => {
            let file = io::BufReader::new(content.open()?);
            found(|found| exif::read(file, found))
        }
        None => Fields::new(),
    };
    fields.extend(from_iptc);
    fields.extend(from_xmp);
    Ok(fields)
}

/// What a PDF says: its XMP packet, and for what is not in that, its information dictionary.
pub fn of_pdf(information: &Information) -> Fields {
    let mut fields = found(|found| {
        for (key, value) in &information.entries {
            let name = match key.as_str() {
                "Title" => "dc.title",
                "Author" => "dc.creator",
                "Subject" => "dc.description",
                "Keywords" => "pdf.Keywords",
                "Creator" => "xmp.CreatorTool",
                "Producer" => "pdf.Producer",
                "CreationDate" => "xmp.CreateDate",
                "ModDate" => "xmp.ModifyDate",
                _ => continue,
            };
            found.add(name, value);
        }
    });
    if let Some(packet) = &information.xmp {
        fields.extend(found(|found| xmp::read(packet.as_bytes(), found)));
    }
    fields
}

fn found(read: impl FnOnce(&mut Found)) -> Fields {
    let mut found = Found::default();
    read(&mut found);
    found.fields
}

/// Fields as they are found, within limits.
#[derive(Default)]
struct Found {
    fields: Fields,
    seen: usize,
    values: usize,
    text: usize,
}

impl Found {
    /// Adds a value behind those that the field has. Empty ones are none, and what comes twice comes once.
    fn add(&mut self, field: &str, value: &str) {
        self.seen += 1;
        if self.seen > MOST_SEEN {
            return;
        }
        let value: String =
            value.trim_matches(|sign: char| sign.is_whitespace() || sign == '\0').chars().take(LONGEST_VALUE).collect();
        let is_too_much = self.values >= MOST_VALUES || self.text + value.len() > MOST_TEXT;
        if value.is_empty() || is_too_much || field.len() > LONGEST_NAME {
            return;
        }
        // Control characters have no place in replies.
        let value = value.replace(|sign: char| sign.is_control() && sign != '\n' && sign != '\t', " ");
        let values = self.fields.entry(field.to_owned()).or_default();
        if !values.contains(&value) {
            self.values += 1;
            self.text += value.len();
            values.push(value);
        }
    }
}

#[cfg(test)]
mod tests;
