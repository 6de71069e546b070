//! What a file says about itself: EXIF, IPTC and XMP, and the information of a PDF, as one list of fields.
//!
//! A field has the name that XMP has for it, its usual prefix and a dot in front: `dc.subject`, `tiff.Make`. What EXIF and
//! IPTC have a place for in XMP goes by that name. If a field is in several of them, XMP is believed first, then IPTC, then
//! EXIF. Structures are left out: they have no value of their own.
//!
//! All of it is hostile. What is damaged says nothing: a file is whole without its metadata. What is sound and beyond a limit is
//! left out, and that is told ([`LeftOut`]).
//!
//! Nothing in here is asked whether to stop: it is the work of children, which are killed.

pub(in crate::media) mod blocks;
mod exif;
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::media) mod fuzzing;
pub(in crate::media) mod heif;
mod iptc;
pub mod sheet;
mod svg;
mod text;
mod xmp;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor};

use serde::{Deserialize, Serialize};

pub(in crate::media) use blocks::image_resources;
use blocks::{Blocks, Exif};

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

/// What a file says about itself, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    pub fields: Fields,
    pub left_out: BTreeSet<LeftOut>,
}

/// What of it is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error, Serialize, Deserialize)]
pub enum LeftOut {
    #[error("its metadata could not be read")]
    All,
    #[error("a part of its metadata has more than {} MB, and was left out", blocks::MOST_BYTES >> 20)]
    LargeBlock,
    #[error("its metadata was looked for in its first {} parts, and it has more", blocks::MOST_PARTS)]
    ManyParts,
    #[error("its XMP packet is larger, deeper or has more names than is read, and was left out")]
    Packet,
    #[error("it has more metadata than the {MOST_VALUES} values or {} MB that are kept", MOST_TEXT >> 20)]
    ManyValues,
    #[error("a value of its metadata has more than {LONGEST_VALUE} characters, and its end was left out")]
    LongValue,
    #[error("a field of its metadata has a name of more than {LONGEST_NAME} bytes, and was left out")]
    LongName,
}

/// Reads what a file says about itself.
pub(in crate::media) fn metadata(source: impl Into<Content>, format: Format) -> io::Result<Metadata> {
    let content = &source.into();
    let mut said = Metadata::default();
    let blocks = Blocks::read(content, format, &mut said.left_out)?;
    match blocks.exif {
        Some(Exif::Block(block)) => said.add(|found| exif::read(Cursor::new(block), found)),
        Some(Exif::File) => {
            let file = io::BufReader::new(content.open()?);
            said.add(|found| exif::read(file, found));
        }
        None => {}
    }
    said.add(|found| blocks.iptc.iter().for_each(|sets| iptc::read(sets, found)));
    said.add(|found| blocks.xmp.iter().for_each(|packet| xmp::read(packet, found)));
    Ok(said)
}

/// The XMP packet of a file, as it is.
pub(in crate::media) fn packet(source: impl Into<Content>, format: Format) -> io::Result<Option<Vec<u8>>> {
    let mut left_out = BTreeSet::new();
    let packet = Blocks::read(&source.into(), format, &mut left_out)?.xmp;
    match left_out.first().filter(|_| packet.is_none()) {
        Some(left_out) => Err(io::Error::new(io::ErrorKind::InvalidData, left_out.to_string())),
        None => Ok(packet),
    }
}

/// What a PDF says: its XMP packet, and for what is not in that, its information dictionary.
pub fn of_pdf(information: &Information) -> Metadata {
    let mut said = Metadata::default();
    said.add(|found| {
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
        said.add(|found| xmp::read(packet.as_bytes(), found));
    }
    said
}

impl Metadata {
    /// What is read now is believed before what was read earlier.
    fn add(&mut self, read: impl FnOnce(&mut Found)) {
        let mut found = Found::default();
        read(&mut found);
        self.fields.extend(found.fields);
        self.left_out.extend(found.left_out);
    }
}

/// Fields as they are found, within limits.
#[derive(Default)]
struct Found {
    fields: Fields,
    left_out: BTreeSet<LeftOut>,
    seen: usize,
    values: usize,
    text: usize,
}

impl Found {
    /// Adds a value behind those that the field has. Empty ones are none, and what comes twice comes once.
    fn add(&mut self, field: &str, value: &str) {
        self.seen += 1;
        if self.seen > MOST_SEEN {
            return self.leave_out(LeftOut::ManyValues);
        }
        let whole = value.trim_matches(|sign: char| sign.is_whitespace() || sign == '\0');
        let value: String = whole.chars().take(LONGEST_VALUE).collect();
        if value.is_empty() {
            return;
        }
        if field.len() > LONGEST_NAME {
            return self.leave_out(LeftOut::LongName);
        }
        if value.len() < whole.len() {
            self.leave_out(LeftOut::LongValue);
        }
        // Control characters have no place in replies.
        let value = value.replace(|sign: char| sign.is_control() && sign != '\n' && sign != '\t', " ");
        if self.fields.get(field).is_some_and(|values| values.contains(&value)) {
            return;
        }
        if self.values >= MOST_VALUES || self.text + value.len() > MOST_TEXT {
            return self.leave_out(LeftOut::ManyValues);
        }
        self.values += 1;
        self.text += value.len();
        self.fields.entry(field.to_owned()).or_default().push(value);
    }

    fn leave_out(&mut self, what: LeftOut) {
        self.left_out.insert(what);
    }
}

#[cfg(test)]
mod tests;
