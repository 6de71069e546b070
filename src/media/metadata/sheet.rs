//! Metadata files: what a file that lies among uploads says of assets.
//!
//! ```text
//! id<TAB>dc:subject<TAB>newipsid           tab-delimited, .txt, .tsv or .tab: the first row names the fields,
//! mug<TAB>blue,cup<TAB>mug-blue            the first column is the asset id
//!
//! <ips xmlns:dc="…">                       XML, .xml: an element for each asset, with its fields as attributes
//!   <ghw_object vc_objectname="mug" dc:subject="blue,cup" new_vc_objectname="mug-blue"/>
//! </ips>
//! ```
//!
//! An empty value takes a field away; fields that are not named stay. `newipsid`, or `new_vc_objectname`, renames. A file is in
//! UTF-8, in UTF-16 with a byte order mark, or else in Windows-1252.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde::{Deserialize, Serialize};

use super::text;

/// What a file says of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which row of the file, from 1; the one that names fields is not counted.
    pub number: usize,
    pub asset: String,
    pub new_name: Option<String>,
    /// Names with values, in the order of the file.
    pub fields: Vec<(String, String)>,
}

/// Why a metadata file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    #[error("it is not well-formed XML: {0}")]
    BadXml(String),
    #[error("it declares a document type, which is not read")]
    DocumentType,
    #[error("it holds more than the {limit} rows allowed")]
    TooManyRows { limit: usize },
    #[error("a row has more than the {limit} fields allowed")]
    TooManyFields { limit: usize },
}

/// Largest file, in bytes.
pub const LARGEST: u64 = 64 << 20;

/// Most rows of a file, and most fields of a row.
const MOST_ROWS: usize = 100_000;
const MOST_FIELDS: usize = 500;

const NEW_NAME: &str = "newipsid";
const XML_NAME: &str = "vc_objectname";
const XML_NEW_NAME: &str = "new_vc_objectname";

/// The forms of metadata files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    TabDelimited,
    Xml,
}

/// Extensions that metadata files have.
pub const EXTENSIONS: &[&str] = &["txt", "tsv", "tab", "xml"];

/// The form of a file, if it is a metadata file by its extension and its beginning.
pub fn form(extension: &str, head: &[u8]) -> Option<Form> {
    let head = text::guessed(head);
    match extension {
        "txt" | "tsv" | "tab" => {
            head.lines().next().is_some_and(|line| line.contains('\t')).then_some(Form::TabDelimited)
        }
        "xml" => head.contains("<ips").then_some(Form::Xml),
        _ => None,
    }
}

/// What a metadata file says.
pub fn read(form: Form, bytes: &[u8]) -> Result<Vec<Row>, SheetError> {
    let text = text::guessed(bytes);
    let rows = match form {
        Form::TabDelimited => tab_delimited(&text)?,
        Form::Xml => xml(&text)?,
    };
    if rows.len() > MOST_ROWS { Err(SheetError::TooManyRows { limit: MOST_ROWS }) } else { Ok(rows) }
}

fn check_fields(count: usize) -> Result<(), SheetError> {
    if count > MOST_FIELDS { Err(SheetError::TooManyFields { limit: MOST_FIELDS }) } else { Ok(()) }
}

fn tab_delimited(text: &str) -> Result<Vec<Row>, SheetError> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').map(str::trim).collect();
    check_fields(names.len())?;
    let row = |(index, line): (usize, &str)| {
        let mut cells = line.split('\t');
        let mut row = Row::new(index + 1, unquoted(cells.next().unwrap_or_default()));
        for (name, cell) in names.iter().skip(1).zip(cells) {
            row.add(name, unquoted(cell), NEW_NAME);
        }
        row
    };
    Ok(lines.take(MOST_ROWS + 1).enumerate().map(row).collect())
}

/// Spreadsheets put a cell in quotation marks when it holds one, and double those in it.
fn unquoted(cell: &str) -> String {
    let cell = cell.trim();
    match cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => cell.to_owned(),
    }
}

fn xml(text: &str) -> Result<Vec<Row>, SheetError> {
    let mut reader = Reader::from_str(text);
    let mut rows = Vec::new();
    loop {
        match reader.read_event().map_err(bad_xml)? {
            Event::Start(element) | Event::Empty(element) => rows.extend(xml_row(rows.len() + 1, &element)?),
            Event::DocType(_) => return Err(SheetError::DocumentType),
            Event::Eof => return Ok(rows),
            _ => {}
        }
        if rows.len() > MOST_ROWS {
            return Ok(rows);
        }
    }
}

/// Elements without the name of an asset hold others, or nothing of interest.
fn xml_row(number: usize, element: &BytesStart<'_>) -> Result<Option<Row>, SheetError> {
    let mut row = Row::new(number, String::new());
    for (count, attribute) in element.attributes().enumerate() {
        check_fields(count + 1)?;
        let attribute = attribute.map_err(bad_xml)?;
        let name: &str = attribute.key.as_ref();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(bad_xml)?;
        match name {
            XML_NAME => row.asset = value.trim().to_owned(),
            name if name == "xmlns" || name.starts_with("xmlns:") => {}
            name => row.add(name, Cow::into_owned(value), XML_NEW_NAME),
        }
    }
    Ok((!row.asset.is_empty()).then_some(row))
}

fn bad_xml(error: impl std::fmt::Display) -> SheetError {
    SheetError::BadXml(error.to_string())
}

impl Row {
    const fn new(number: usize, asset: String) -> Self {
        Self { number, asset, new_name: None, fields: Vec::new() }
    }

    fn add(&mut self, name: &str, value: String, new_name: &str) {
        if name == new_name {
            self.new_name = Some(value).filter(|name| !name.is_empty());
        } else if !name.is_empty() {
            self.fields.push((name.to_owned(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, asset: &str, new_name: Option<&str>, fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Row { number, asset: asset.to_owned(), new_name: new_name.map(str::to_owned), fields }
    }

    #[test]
    fn rows_of_tab_delimited_files() {
        let text =
            "\u{feff}id\tdc:subject\tnewipsid\tNote\r\nmug\tblue,cup\tmug-2\t\"say \"\"hi\"\"\"\r\n\r\njug\t\nlid\n";
        let expected = [
            row(1, "mug", Some("mug-2"), &[("dc:subject", "blue,cup"), ("Note", "say \"hi\"")]),
            row(2, "jug", None, &[("dc:subject", "")]),
            row(3, "lid", None, &[]),
        ];
        assert_eq!(read(Form::TabDelimited, text.as_bytes()).unwrap(), expected);
        assert_eq!(read(Form::TabDelimited, b"id\tNote\n").unwrap(), []);
    }

    #[test]
    fn rows_of_xml_files() {
        let text = r#"<?xml version="1.0"?><ips xmlns:dc="http://purl.org/dc/elements/1.1/">
            <ghw_object vc_objectname="mug" dc:subject="a &amp; b" new_vc_objectname="mug-2"/>
            <ghw_object vc_objectname="jug" Note=""></ghw_object><other x="1"/></ips>"#;
        let expected = [row(1, "mug", Some("mug-2"), &[("dc:subject", "a & b")]), row(2, "jug", None, &[("Note", "")])];
        assert_eq!(read(Form::Xml, text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |form, bytes: &[u8]| read(form, bytes).unwrap_err();
        assert_eq!(refused(Form::Xml, b"<!DOCTYPE ips [<!ENTITY a 'b'>]><ips/>"), SheetError::DocumentType);
        assert!(matches!(refused(Form::Xml, b"<ips><ghw_object vc_objectname='a'</ips>"), SheetError::BadXml(_)));
        let wide = format!("id{}\n", "\tx".repeat(500));
        assert!(matches!(refused(Form::TabDelimited, wide.as_bytes()), SheetError::TooManyFields { .. }));
        let long = format!("id\tx\n{}", "a\tb\n".repeat(100_001));
        assert!(matches!(refused(Form::TabDelimited, long.as_bytes()), SheetError::TooManyRows { .. }));
    }

    #[test]
    fn files_come_in_several_encodings() {
        let text = "id\tNote\nmug\tété";
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            [mark.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
        };
        let windows = b"id\tNote\nmug\t\xe9t\xe9";
        let files = [
            text.as_bytes().to_vec(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
            windows.to_vec(),
        ];
        for file in files {
            assert_eq!(form("txt", &file), Some(Form::TabDelimited));
            assert_eq!(read(Form::TabDelimited, &file).unwrap(), [row(1, "mug", None, &[("Note", "été")])]);
        }
    }

    #[test]
    fn metadata_files_are_known_by_name_and_beginning() {
        assert_eq!(form("txt", b"id\tNote\nmug\tx"), Some(Form::TabDelimited));
        assert_eq!(form("txt", b"Read me\nmug\tx"), None);
        assert_eq!(form("xml", b"<?xml version='1.0'?>\n<ips>"), Some(Form::Xml));
        assert_eq!(form("xml", b"<catalog/>"), None);
        assert_eq!(form("jpg", b"id\tNote"), None);
    }
}
