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
//! In XML each element inside of the outermost that has an attribute, or the name of an asset, is a row; one without a name is about
//! nobody, as a row of a table whose first cell is empty. What stands inside of rows and between them is not read, but counted.
//!
//! An empty value takes a field away; fields that are not named stay. `newipsid`, or `new_vc_objectname`, renames. A cell in
//! quotation marks may hold tabs and line breaks; a quotation mark in it is doubled. A file is in UTF-8, in UTF-16 with a byte
//! order mark, or else in Windows-1252.
//!
//! Rows are taken one by one, and no more is held than one of them and a buffer: a file of 64 MB may have a hundred million
//! cells. What a row may come to is bounded as well.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde::{Deserialize, Serialize};

use super::super::error::carried;
use super::text::{self, Utf8};

/// What a file says of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which row of the file, from 1; the one that names fields is not counted.
    pub number: usize,
    pub asset: String,
    pub new_name: Option<String>,
    /// Names with values, in the order of the file.
    pub fields: Vec<(String, String)>,
    /// Cells that say something, but stand under no name.
    pub nameless: usize,
    /// What stands inside of an element of XML and says something: other elements, and text. Fields are attributes.
    pub unread: usize,
}

/// Why a metadata file is refused.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum SheetError {
    #[error("it is not well-formed XML: {0}")]
    BadXml(String),
    #[error("it declares a document type, which is not read")]
    DocumentType,
    #[error("its elements lie in each other more than {limit} levels deep")]
    TooDeep { limit: usize },
    #[error("it holds more than the {limit} rows allowed")]
    TooManyRows { limit: usize },
    #[error("a row has more than the {limit} fields allowed")]
    TooManyFields { limit: usize },
    #[error("the name of a field has more than the {limit} bytes allowed")]
    LongName { limit: usize },
    #[error("row {row} has more than the {limit} bytes allowed; a quotation mark that is not closed makes one of many")]
    LongRow { row: usize, limit: usize },
    #[error("row {row} opens a quotation mark that is not closed")]
    OpenQuote { row: usize },
    #[error("row {row} has text behind the quotation mark that closes a cell with tabs or line breaks")]
    TornCell { row: usize },
    #[error("it cannot be read: {0}")]
    Io(
        #[from]
        #[serde(with = "carried")]
        io::Error,
    ),
}

/// Largest file, in bytes.
pub const LARGEST: u64 = 64 << 20;

/// Most rows of a file, and most fields of a row.
const MOST_ROWS: usize = 100_000;
const MOST_FIELDS: usize = 500;

/// Longest row, or element and what stands between two, in bytes of UTF-8: 400 values of the longest that a field may have.
const LONGEST_ROW: usize = 4 << 20;

/// Longest name of a field, in bytes. It stands once in the file and with every row that is taken; fields of companies have
/// at most a hundred characters.
const LONGEST_NAME: usize = 400;

/// Deepest element: those of assets lie in one other.
const DEEPEST: usize = 32;

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
        "txt" | "tsv" | "tab" => first_end(&head).is_some_and(|byte| byte == b'\t').then_some(Form::TabDelimited),
        "xml" => head.contains("<ips").then_some(Form::Xml),
        _ => None,
    }
}

/// What ends the first cell of a table.
fn first_end(head: &str) -> Option<u8> {
    let mut place = Place::Start;
    head.bytes().find(|byte| {
        let is_end = place.is_ended_by(*byte);
        place = place.behind(*byte);
        is_end
    })
}

/// The rows of a metadata file, read as they are asked for. The first error is the last that comes.
pub struct Rows<R> {
    source: Source<Utf8<R>>,
    taken: usize,
    ended: bool,
}

enum Source<B> {
    Table(Table<B>),
    Xml(Box<Elements<B>>),
}

impl<R: Read + Seek> Rows<R> {
    /// Goes through all of `input` once to find out how its text is written.
    pub fn open(form: Form, mut input: R) -> Result<Self, SheetError> {
        input.seek(SeekFrom::Start(0))?;
        let written = text::written_in(&mut input)?;
        input.seek(SeekFrom::Start(written.mark))?;
        let text = Utf8::new(input, written.encoding);
        let source = match form {
            Form::TabDelimited => Source::Table(Table::open(text)?),
            Form::Xml => Source::Xml(Box::new(Elements::open(text))),
        };
        Ok(Self { source, taken: 0, ended: false })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, SheetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let number = self.taken + 1;
        let row = match &mut self.source {
            Source::Table(table) => table.row(number),
            Source::Xml(elements) => elements.row(number),
        };
        let row = match row {
            Ok(Some(_)) if number > MOST_ROWS => Err(SheetError::TooManyRows { limit: MOST_ROWS }),
            row => row,
        };
        self.taken = number;
        self.ended = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

fn check_fields(count: usize) -> Result<(), SheetError> {
    if count > MOST_FIELDS { Err(SheetError::TooManyFields { limit: MOST_FIELDS }) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<(), SheetError> {
    if name.len() > LONGEST_NAME { Err(SheetError::LongName { limit: LONGEST_NAME }) } else { Ok(()) }
}

/// A tab-delimited file behind its first row.
struct Table<B> {
    text: B,
    names: Vec<String>,
    /// The cell that is being read.
    cell: Vec<u8>,
}

/// What ends at the end of a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Cell,
    Row,
    File,
}

/// Where in a cell a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// Behind a quotation mark that closes, unless another follows.
    Closed,
}

impl<B: BufRead> Table<B> {
    fn open(text: B) -> Result<Self, SheetError> {
        let mut table = Self { text, names: Vec::new(), cell: Vec::new() };
        let mut names = Vec::new();
        table.cells(0, &mut |index, name| {
            check_fields(index + 1)?;
            check_name(name.trim())?;
            names.push(name.trim().to_owned());
            Ok(())
        })?;
        Ok(Self { names, ..table })
    }

    fn row(&mut self, number: usize) -> Result<Option<Row>, SheetError> {
        let names = std::mem::take(&mut self.names);
        let mut row = Row::new(number, String::new());
        let found = self.cells(number, &mut |index, cell| {
            match names.get(index) {
                _ if index == 0 => row.asset = unquoted(cell),
                Some(name) if !name.is_empty() => row.add(name, unquoted(cell), NEW_NAME),
                _ => row.nameless += usize::from(!unquoted(cell).is_empty()),
            }
            Ok(())
        });
        self.names = names;
        found.map(|found| found.then_some(row))
    }

    /// Hands the cells of the next row that is not blank to `take`, in their order; false: there is none.
    fn cells(
        &mut self,
        number: usize,
        take: &mut dyn FnMut(usize, &str) -> Result<(), SheetError>,
    ) -> Result<bool, SheetError> {
        // Cells are handed on when something is in the row: those before it are counted until then.
        let (mut bytes, mut count, mut blank) = (0, 0, 0);
        loop {
            let end = self.cell(number, &mut bytes)?;
            let text = String::from_utf8_lossy(&self.cell);
            if count == blank && text.trim().is_empty() {
                blank += 1;
            } else {
                if count == blank {
                    (0..blank).try_for_each(|index| take(index, ""))?;
                }
                take(count, &text)?;
            }
            count += 1;
            match end {
                End::Cell => {}
                End::Row | End::File if count > blank => return Ok(true),
                End::File => return Ok(false),
                End::Row => (bytes, count, blank) = (0, 0, 0),
            }
        }
    }

    /// Reads a cell as it stands there. `bytes` is the length of its row so far.
    fn cell(&mut self, number: usize, bytes: &mut usize) -> Result<End, SheetError> {
        self.cell.clear();
        let (mut place, mut is_wide, mut is_torn) = (Place::Start, false, false);
        loop {
            let available = match self.text.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            if available.is_empty() {
                return if place == Place::Quoted { Err(SheetError::OpenQuote { row: number }) } else { Ok(End::File) };
            }
            let end = available.iter().position(|byte| {
                let end = place.is_ended_by(*byte);
                if !end {
                    is_wide |= place == Place::Quoted && is_break(*byte);
                    let behind = place.behind(*byte);
                    is_torn |= is_wide && (place, behind) == (Place::Closed, Place::Plain);
                    place = behind;
                }
                end
            });
            // No spreadsheet writes this: two marks that stand there for themselves would swallow what is between them.
            if is_torn {
                return Err(SheetError::TornCell { row: number });
            }
            let part = &available[..end.unwrap_or(available.len())];
            *bytes += part.len() + 1;
            if *bytes > LONGEST_ROW {
                return Err(SheetError::LongRow { row: number, limit: LONGEST_ROW });
            }
            self.cell.extend_from_slice(part);
            let (used, end) = match end {
                // A line break of two bytes ends a row, and another one that is blank.
                Some(at) => (at + 1, Some(if available[at] == b'\t' { End::Cell } else { End::Row })),
                None => (available.len(), None),
            };
            self.text.consume(used);
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }
}

/// What stands between cells and rows.
const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

impl Place {
    fn is_ended_by(self, byte: u8) -> bool {
        self != Self::Quoted && is_break(byte)
    }

    /// Spreadsheets put a cell in quotation marks when it holds one, a tab or a line break, and double those in it. Where text
    /// stands beside the marks, they are part of it.
    const fn behind(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b' ') => Self::Start,
            (Self::Start | Self::Closed, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::Closed,
            (Self::Quoted, _) => Self::Quoted,
            (Self::Closed, b' ') => Self::Closed,
            _ => Self::Plain,
        }
    }
}

fn unquoted(cell: &str) -> String {
    let cell = cell.trim();
    match cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\"").replace("\r\n", "\n"),
        None => cell.to_owned(),
    }
}

/// The elements of an XML file.
struct Elements<B> {
    reader: Reader<Measured<B>>,
    /// The one that was read last.
    element: Vec<u8>,
    /// Whether each that is open was counted as something that is not read: once, for its attributes or for its text.
    open: Vec<bool>,
    /// The row whose element is open, and how many are open around it.
    row: Option<(Row, usize)>,
    /// Behind the one that was handed out.
    next: Option<Row>,
    /// What is not read, and stands in no row.
    between: usize,
}

/// The outermost element holds the rows, whatever it says itself.
const OUTERMOST: usize = 0;

impl<B: BufRead> Elements<B> {
    fn open(text: B) -> Self {
        let reader = Reader::from_reader(Measured { text, left: LONGEST_ROW });
        Self { reader, element: Vec::new(), open: Vec::new(), row: None, next: None, between: 0 }
    }

    fn row(&mut self, number: usize) -> Result<Option<Row>, SheetError> {
        loop {
            if let Some(row) = self.next.take() {
                return Ok(Some(Row { number, ..row }));
            }
            self.element.clear();
            self.reader.get_mut().left = LONGEST_ROW;
            let event = self.reader.read_event_into(&mut self.element).map_err(|error| match error {
                quick_xml::Error::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    SheetError::LongRow { row: number, limit: LONGEST_ROW }
                }
                quick_xml::Error::Io(error) => SheetError::Io(io::Error::new(error.kind(), error)),
                error => bad_xml(error),
            })?;
            let complete = match event {
                Event::Start(element) => {
                    let said = said(&element)?;
                    if self.open.len() == DEEPEST {
                        return Err(SheetError::TooDeep { limit: DEEPEST });
                    }
                    self.begin(said)
                }
                Event::Empty(element) => {
                    let said = said(&element)?;
                    let around = self.begin(said);
                    let own = self.end();
                    // Of a row that holds another one it is known now what it says.
                    if around.is_some() {
                        self.next = own;
                        around
                    } else {
                        own
                    }
                }
                Event::End(_) => self.end(),
                Event::Text(text) if text.trim().is_empty() => None,
                Event::CData(text) if text.trim().is_empty() => None,
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    self.count_text();
                    None
                }
                Event::DocType(_) => return Err(SheetError::DocumentType),
                Event::Eof if !self.open.is_empty() => return Err(bad_xml("it ends before its elements do")),
                Event::Eof => return Ok(None),
                _ => None,
            };
            if let Some(row) = complete {
                return Ok(Some(Row { number, ..row }));
            }
        }
    }

    /// Gives the row around a row that begins: it comes first, with what was counted of it until now.
    fn begin(&mut self, Said { row, says_something }: Said) -> Option<Row> {
        let depth = self.open.len();
        let is_row = !row.asset.is_empty() || says_something && depth > OUTERMOST && self.row.is_none();
        if is_row {
            self.open.push(false);
            return self.row.replace((row, depth)).map(|(around, _)| around);
        }
        self.open.push(says_something);
        if let Some((row, _)) = &mut self.row {
            row.unread += usize::from(says_something);
        }
        None
    }

    fn count_text(&mut self) {
        let Some(is_counted) = self.open.last_mut() else { return };
        if !std::mem::replace(is_counted, true) {
            *self.row.as_mut().map_or(&mut self.between, |(row, _)| &mut row.unread) += 1;
        }
    }

    /// Gives the row that ends here, or one without a name for what stands in none: values as elements of an element without
    /// attributes.
    fn end(&mut self) -> Option<Row> {
        self.open.pop();
        let depth = self.open.len();
        match self.row.take_if(|(_, begun)| *begun == depth) {
            Some((row, _)) => Some(row),
            None if depth <= OUTERMOST + 1 && self.row.is_none() && self.between > 0 => {
                Some(Row { unread: std::mem::take(&mut self.between), ..Row::new(0, String::new()) })
            }
            None => None,
        }
    }
}

/// Text of which no more than a measure is taken at a time.
struct Measured<B> {
    text: B,
    left: usize,
}

impl<B: BufRead> Read for Measured<B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<B: BufRead> BufRead for Measured<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.text.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(&available[..available.len().min(self.left)])
    }

    fn consume(&mut self, count: usize) {
        self.left -= count;
        self.text.consume(count);
    }
}

/// What an element says in its attributes.
struct Said {
    /// Its number is that of its place in the file.
    row: Row,
    says_something: bool,
}

fn said(element: &BytesStart<'_>) -> Result<Said, SheetError> {
    let (mut row, mut says_something) = (Row::new(0, String::new()), false);
    for (count, attribute) in element.attributes().enumerate() {
        check_fields(count + 1)?;
        let attribute = attribute.map_err(bad_xml)?;
        let name: &str = attribute.key.as_ref();
        check_name(name)?;
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        says_something = true;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(bad_xml)?;
        match name {
            XML_NAME => row.asset = value.trim().to_owned(),
            name => row.add(name, value.into_owned(), XML_NEW_NAME),
        }
    }
    Ok(Said { row, says_something })
}

fn bad_xml(error: impl std::fmt::Display) -> SheetError {
    SheetError::BadXml(error.to_string())
}

impl Row {
    const fn new(number: usize, asset: String) -> Self {
        Self { number, asset, new_name: None, fields: Vec::new(), nameless: 0, unread: 0 }
    }

    fn add(&mut self, name: &str, value: String, new_name: &str) {
        if name == new_name {
            self.new_name = Some(value).filter(|name| !name.is_empty());
        } else {
            self.fields.push((name.to_owned(), value));
        }
    }

    /// About what it takes of memory, in bytes.
    pub fn weight(&self) -> usize {
        const A_FIELD: usize = size_of::<(String, String)>();
        let texts = self.fields.iter().map(|(name, value)| A_FIELD + name.len() + value.len());
        size_of::<Self>() + self.asset.len() + self.new_name.as_ref().map_or(0, String::len) + texts.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Cursor;

    use super::*;

    fn read(form: Form, bytes: &[u8]) -> Result<Vec<Row>, SheetError> {
        Rows::open(form, Cursor::new(bytes))?.collect()
    }

    fn row(number: usize, asset: &str, new_name: Option<&str>, fields: &[(&str, &str)]) -> Row {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Row { number, asset: asset.to_owned(), new_name: new_name.map(str::to_owned), fields, nameless: 0, unread: 0 }
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
            <group><ghw_object vc_objectname="jug" Note=""></ghw_object></group><group/></ips>"#;
        let expected = [row(1, "mug", Some("mug-2"), &[("dc:subject", "a & b")]), row(2, "jug", None, &[("Note", "")])];
        assert_eq!(read(Form::Xml, text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn an_element_that_says_something_is_a_row_without_a_name_too() {
        let found = |inside: &str| {
            let text = format!("<ips version='1' xmlns:dc='dc'>{inside}<o vc_objectname='last'/></ips>");
            let rows = read(Form::Xml, text.as_bytes()).unwrap();
            let numbers: Vec<usize> = rows.iter().map(|row| row.number).collect();
            assert_eq!(numbers, (1..=rows.len()).collect::<Vec<_>>(), "{inside}");
            rows.into_iter().map(|row| (row.asset, row.fields.len(), row.unread)).collect::<Vec<_>>()
        };
        for (inside, expected) in [
            ("<o dc:subject='lost'/>", vec![("", 1, 0)]),
            ("<o vc_objectname=''/>", vec![("", 0, 0)]),
            ("<o name='x'></o>", vec![("", 1, 0)]),
            ("<o/><o xmlns:a='a'/><group> <!-- no --> </group>", vec![]),
            // Values as elements.
            ("<o><vc_objectname>mug</vc_objectname><x>a &amp; b</x><y/></o>", vec![("", 0, 2)]),
            ("<o vc_objectname='mug'><x>a</x><y z='1'>b</y><z/><![CDATA[c]]></o>", vec![("mug", 0, 3)]),
            ("<o vc_objectname='mug'>text &lt; <b/>and more</o>", vec![("mug", 0, 1)]),
            // A row in a row.
            ("<o vc_objectname='a'>x<o vc_objectname='b' x=''>y</o></o>", vec![("a", 0, 1), ("b", 1, 1)]),
            ("<o vc_objectname='a'><o vc_objectname='b'/><p>y</p></o>", vec![("a", 0, 0), ("b", 0, 0), ("", 0, 1)]),
        ] {
            let last = ("last", 0, 0);
            let expected: Vec<_> = expected
                .into_iter()
                .chain([last])
                .map(|(name, fields, unread)| (name.to_owned(), fields, unread))
                .collect();
            assert_eq!(found(inside), expected, "{inside}");
        }
        // What stands in the outermost is told at its end.
        let rows = read(Form::Xml, b"<ips>text</ips>").unwrap();
        assert_eq!(rows, [Row { unread: 1, ..row(1, "", None, &[]) }]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |form, bytes: &[u8]| read(form, bytes).unwrap_err();
        let with_type = refused(Form::Xml, b"<!DOCTYPE ips [<!ENTITY a 'b'>]><ips/>");
        assert!(matches!(with_type, SheetError::DocumentType));
        assert!(matches!(refused(Form::Xml, b"<ips><ghw_object vc_objectname='a'</ips>"), SheetError::BadXml(_)));
        let cut = refused(Form::Xml, b"<ips><ghw_object vc_objectname='a' x='b'/>\n");
        assert!(matches!(cut, SheetError::BadXml(_)), "{cut}");
        let wide = format!("id{}\n", "\tx".repeat(500));
        assert!(matches!(refused(Form::TabDelimited, wide.as_bytes()), SheetError::TooManyFields { .. }));
        let long = format!("id\tx\n{}", "a\tb\n".repeat(100_001));
        assert!(matches!(refused(Form::TabDelimited, long.as_bytes()), SheetError::TooManyRows { .. }));
        let long_name = "x".repeat(401);
        let header = format!("id\t{long_name}\n");
        assert!(matches!(refused(Form::TabDelimited, header.as_bytes()), SheetError::LongName { limit: 400 }));
        let element = format!("<ips><o vc_objectname='a' {long_name}='b'/></ips>");
        assert!(matches!(refused(Form::Xml, element.as_bytes()), SheetError::LongName { limit: 400 }));
        let open = b"id\tx\nmug\t\"a\"\njug\t\"b\nlid\tc\n";
        assert!(matches!(refused(Form::TabDelimited, open), SheetError::OpenQuote { row: 2 }));
        // Marks of two rows, or of two cells, that are no pair: what is between them is no value.
        for (torn, row) in [("mug\t1\njug\t\"blue\nlid\t\"red\n", 2), ("mug\t\"blue\t\"red\n", 1)] {
            let error = refused(Form::TabDelimited, format!("id\tx\ty\n{torn}").as_bytes());
            assert!(matches!(error, SheetError::TornCell { row: found } if found == row), "{torn}: {error}");
        }
        let deep = "<ips>".repeat(33);
        assert!(matches!(refused(Form::Xml, deep.as_bytes()), SheetError::TooDeep { limit: 32 }));
        assert_eq!(read(Form::Xml, format!("{}{}", "<ips>".repeat(32), "</ips>".repeat(32)).as_bytes()).unwrap(), []);
    }

    #[test]
    fn cells_in_quotation_marks_hold_tabs_and_line_breaks() {
        let table = "id\tNote\tMore\nmug\t\"one\ttwo\nthree \"\"4\"\"\" \t x \njug\t5\" wide\t\"so\" called\n\
                     lid\t \"\"\t\"\"\"a\"\"\"\npot\t\"a\" or \"b\tc\n";
        let expected = [
            row(1, "mug", None, &[("Note", "one\ttwo\nthree \"4\""), ("More", "x")]),
            row(2, "jug", None, &[("Note", "5\" wide"), ("More", "\"so\" called")]),
            row(3, "lid", None, &[("Note", ""), ("More", "\"a\"")]),
            row(4, "pot", None, &[("Note", "\"a\" or \"b"), ("More", "c")]),
        ];
        assert_eq!(read(Form::TabDelimited, table.as_bytes()).unwrap(), expected);
        let windows = table.replace('\n', "\r\n");
        assert_eq!(read(Form::TabDelimited, windows.as_bytes()).unwrap(), expected);
        // Line breaks within cells are line feeds wherever.
        let mac = windows.replace("\r\n", "\r").replace("two\r", "two\n");
        assert_eq!(read(Form::TabDelimited, mac.as_bytes()).unwrap(), expected);
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(windows.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(Form::TabDelimited, &utf16).unwrap(), expected);
    }

    #[test]
    fn cells_under_no_name_are_counted() {
        let rows = read(Form::TabDelimited, b"id\tNote\t\nmug\ta\t\t\njug\ta\tb\t\tc\t\"\"\n\t\t\n").unwrap();
        let counts: Vec<usize> = rows.iter().map(|row| row.nameless).collect();
        assert_eq!((counts, rows[1].fields.len()), (vec![0, 2], 1));
    }

    /// A beginning, and then the same again and again; it tells how much of it was read since it was at the start.
    struct Repeated<'a> {
        head: &'a [u8],
        again: &'a [u8],
        bytes: u64,
        at: &'a Cell<u64>,
    }

    impl Read for Repeated<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let (at, head) = (self.at.get(), self.head.len() as u64);
            let rest = match at.checked_sub(head) {
                None => &self.head[at as usize..],
                Some(behind) => &self.again[(behind % self.again.len() as u64) as usize..],
            };
            let count = rest.take(self.bytes - at).read(out)?;
            self.at.set(at + count as u64);
            Ok(count)
        }
    }

    impl Seek for Repeated<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            let SeekFrom::Start(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
            self.at.set(to);
            Ok(to)
        }
    }

    /// What is read ahead of what was taken, beside a row.
    const AHEAD: u64 = 1 << 15;

    #[test]
    fn no_more_is_read_than_a_row_and_a_buffer() {
        let cells = "\t1".repeat(330);
        let head = format!("id{}\n", (0..499).map(|field| format!("\tdc.{field}")).collect::<String>());
        let (table, attributes) =
            (format!("a{cells}\n"), (0..330).map(|field| format!(" f{field}='1'")).collect::<String>());
        let element = format!("<o vc_objectname='a'{attributes}/>\n");
        for (form, head, again) in [(Form::TabDelimited, head.as_str(), &table), (Form::Xml, "<ips/>", &element)] {
            let at = Cell::new(0);
            let bytes = (head.len() + again.len() * 2_000) as u64;
            let repeated = Repeated { head: head.as_bytes(), again: again.as_bytes(), bytes, at: &at };
            let (mut count, mut taken) = (0, head.len() as u64);
            for row in Rows::open(form, repeated).unwrap() {
                assert_eq!(row.unwrap().fields.len(), 330);
                count += 1;
                taken += again.len() as u64;
                assert!(at.get() <= taken + AHEAD, "{form:?}: {} bytes were read for {count} rows", at.get());
            }
            assert_eq!((count, at.get()), (2_000, bytes), "{form:?}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_refused_before_it_is_held() {
        for (form, head, again) in [
            (Form::TabDelimited, "id\tNote\nmug\t1\njug\t\"", "a\tb\n"),
            (Form::TabDelimited, "id\tNote\nmug\t1\njug\t", "abc"),
            (Form::TabDelimited, "id\tNote\nmug\t1\njug", "\t"),
            (Form::Xml, "<ips><o vc_objectname='mug'/><o vc_objectname='", "abc "),
            (Form::Xml, "<ips><o vc_objectname='mug'/><!-- ", "<abc> "),
            (Form::Xml, "<ips><o vc_objectname='mug'/>", "abc "),
            (Form::Xml, "<ips><o vc_objectname='mug'/>&", "abc "),
        ] {
            let at = Cell::new(0);
            let repeated = Repeated { head: head.as_bytes(), again: again.as_bytes(), bytes: 16 << 20, at: &at };
            let rows: Vec<_> = Rows::open(form, repeated).unwrap().collect();
            assert!(matches!(&rows[..], [Ok(_), Err(SheetError::LongRow { row: 2, .. })]), "{head}: {:?}", rows.last());
            assert!(at.get() <= LONGEST_ROW as u64 + AHEAD, "{head}: {} bytes were read", at.get());
        }
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
        assert_eq!(form("txt", b"\"the\nid\"\tNote\nmug\tx"), Some(Form::TabDelimited));
        assert_eq!(form("txt", b"\"Read\tme\"\nmug\tx"), None);
        assert_eq!(form("xml", b"<?xml version='1.0'?>\n<ips>"), Some(Form::Xml));
        assert_eq!(form("xml", b"<catalog/>"), None);
        assert_eq!(form("jpg", b"id\tNote"), None);
    }
}
