//! Files that do not begin where they should, and files that are encrypted without a need for a key.

use std::sync::Arc;

use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Dict, FromBytes, Name, Object, ObjectIdentifier};
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use memchr::memmem;

use super::{PdfError, parts, tree};

/// What stands in front of the place of the table of objects.
const MARK: &[u8] = b"startxref";

/// A document, and how its objects were found.
pub struct Opening {
    pub pdf: Pdf,
    /// The table of its objects leads astray: they were looked for.
    pub by_search: bool,
}

/// Opens a file whose bytes these are.
pub fn open(file: Vec<u8>) -> Result<Opening, PdfError> {
    let file = Arc::new(from_header(file));
    let as_told = |pdf| Opening { pdf, by_search: false };
    match Pdf::new(file.clone()) {
        Ok(pdf) if tree::is_whole(&pdf) && !has_lost(&pdf) => Ok(as_told(pdf)),
        Ok(pdf) => Ok(searched(&file)
            .filter(|found| is_more(found, &pdf))
            .map_or_else(|| as_told(pdf), |pdf| Opening { pdf, by_search: true })),
        Err(error) => in_plain(Arc::unwrap_or_clone(file)).map(as_told).ok_or_else(|| reason(error)),
    }
}

/// Opened as if it said nothing of where its objects are: whatever looks like one is taken for one, of several with a number the last.
/// hayro does so itself where the table cannot be read, or what it leads to is not there; not where an object has no place in it.
fn searched(file: &[u8]) -> Option<Pdf> {
    // As long, so that all stays where it is.
    const IGNORED: &[u8; MARK.len()] = b"startnone";
    let mut copy = file.to_vec();
    for at in memmem::find_iter(file, MARK) {
        copy[at..at + MARK.len()].copy_from_slice(IGNORED);
    }
    Pdf::new(copy).ok()
}

fn is_more(found: &Pdf, told: &Pdf) -> bool {
    let (found_pages, told_pages) = (found.pages().len(), told.pages().len());
    found_pages > told_pages || found_pages == told_pages && tree::is_whole(found)
}

/// Whether something that pages draw is in the file and the table does not lead to it.
fn has_lost(pdf: &Pdf) -> bool {
    // Each is looked for in all of the file.
    const MOST_LOOKED_FOR: usize = 16;
    let contents = pdf.pages().iter().flat_map(|page| parts::contents(page));
    contents
        .filter(|id| pdf.xref().get::<Object<'_>>(*id).is_none())
        .take(MOST_LOOKED_FOR)
        .any(|id| is_in_file(pdf, id))
}

/// Whether the file has an object with this number.
pub fn is_in_file(pdf: &Pdf, id: ObjectIdentifier) -> bool {
    let (file, head) = (pdf.data().as_ref(), format!("{} {} obj", id.obj_number, id.gen_number));
    memmem::find_iter(file, &head).any(|at| begins_object(&file[..at]))
}

/// Whether an object may begin behind this: in a line of its own, or behind another. Comments and strings speak of objects as well.
fn begins_object(before: &[u8]) -> bool {
    let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | 0)).count();
    let before = &before[..before.len() - blanks];
    before.last().is_none_or(|byte| matches!(byte, b'\r' | b'\n')) || before.ends_with(b"endobj")
}

const fn reason(error: LoadPdfError) -> PdfError {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => PdfError::Encrypted,
        LoadPdfError::Decryption(_) => PdfError::UnknownEncryption,
        LoadPdfError::Invalid => PdfError::Damaged,
    }
}

/// The file without what stands in front of its header, if its offsets are counted from there. The header is somewhere
/// in the first 1,024 bytes (ISO 32000-1, annex H.3, 13); what adds something in front of a whole file, as a server or
/// a mail program may, leaves its offsets as they were, and what writes a file behind something counts from the
/// beginning.
fn from_header(mut file: Vec<u8>) -> Vec<u8> {
    const LATEST: usize = 1024;
    let start = memmem::find(&file[..file.len().min(LATEST)], b"%PDF-").unwrap_or(0);
    if start > 0
        && let Some(at) = start_of_table(&file)
        && !is_table(&file, at)
        && is_table(&file, at.saturating_add(start))
    {
        file.drain(..start);
    }
    file
}

/// What the end of a file says of its table of objects (ISO 32000-1, 7.5.5).
fn start_of_table(file: &[u8]) -> Option<usize> {
    let said = file[memmem::rfind(file, MARK)? + MARK.len()..].trim_ascii_start();
    let digits = said.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&said[..digits]).ok()?.parse().ok()
}

/// Whether the table of objects begins there, as a table or as a stream.
fn is_table(file: &[u8], at: usize) -> bool {
    let Some(rest) = file.get(at..).map(<[u8]>::trim_ascii_start) else { return false };
    let object = || Some(after(rest, 2)?.starts_with(b"obj"));
    rest.starts_with(b"xref") || object().unwrap_or_default()
}

/// What follows some numbers.
fn after(mut bytes: &[u8], numbers: u32) -> Option<&[u8]> {
    for _ in 0..numbers {
        let rest = bytes.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        bytes = (digits > 0).then(|| &rest[digits..])?;
    }
    Some(bytes.trim_ascii_start())
}

/// A file of which only the attachments are encrypted: its strings and streams stand in plain, and the key that is
/// asked for is that of the files embedded in it (ISO 32000-1, 7.6.5 and table 20: `EFF`). Opened as if it were not
/// encrypted.
fn in_plain(mut file: Vec<u8>) -> Option<Pdf> {
    const ENTRY: &[u8] = b"/Encrypt";
    // As long, so that all stays where it is.
    const IGNORED: &[u8; ENTRY.len()] = b"/NoCrypt";
    let entries: Vec<usize> = memmem::find_iter(&file, ENTRY).map(|at| at + ENTRY.len()).collect();
    let entries: Vec<usize> = entries.into_iter().filter(|at| leads_to_filters(&file[*at..])).collect();
    if entries.is_empty() {
        return None;
    }
    for at in &entries {
        file[at - ENTRY.len()..*at].copy_from_slice(IGNORED);
    }
    let file = Arc::new(file);
    let pdf = Pdf::new(file.clone()).ok()?;
    // Each addition to a file has a trailer of its own, which all say the same.
    let all_plain = entries.iter().all(|at| {
        let said = file[*at..].trim_ascii_start();
        let inside = || is_plain(&Dict::from_bytes(said)?);
        let elsewhere = || is_plain(&pdf.xref().get(reference(said)?)?);
        if said.starts_with(b"<<") { inside() } else { elsewhere() }.unwrap_or_default()
    });
    all_plain.then_some(pdf)
}

/// A dictionary, or a reference to one: not the beginning of another name, and not mere words.
fn leads_to_filters(behind: &[u8]) -> bool {
    let said = behind.trim_ascii_start();
    said.starts_with(b"<<") || said.len() < behind.len() && reference(said).is_some()
}

fn reference(bytes: &[u8]) -> Option<ObjectIdentifier> {
    after(bytes, 2)?.strip_prefix(b"R")?;
    let mut numbers = bytes.split(u8::is_ascii_whitespace).filter(|number| !number.is_empty());
    let mut next = || std::str::from_utf8(numbers.next()?).ok();
    Some(ObjectIdentifier::new(next()?.parse().ok()?, next()?.parse().ok()?))
}

/// Whether strings and streams that do not say otherwise are not encrypted: what is not said of them is `Identity`.
/// Before there were filters (`V` 4) all was.
fn is_plain(encryption: &Dict<'_>) -> Option<bool> {
    let is_identity = |key: &[u8]| match encryption.get::<Name<'_>>(key) {
        Some(filter) => filter.as_ref() == b"Identity",
        None => !encryption.contains_key(key),
    };
    Some(encryption.get::<u8>(keys::V)? >= 4 && is_identity(keys::STM_F) && is_identity(keys::STR_F))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_of_a_header_goes_where_nobody_counts_it() {
        let file =
            |offset: usize| format!("%PDF-1.4\nxref\n0 1\ntrailer\n<<>>\nstartxref\n{offset}\n%%EOF\n").into_bytes();
        let junk = b"HTTP/1.1 200 OK\r\n\r\n";
        let behind = |offset| [junk.as_slice(), &file(offset)].concat();
        assert_eq!(from_header(behind(9)), file(9));
        assert_eq!(from_header(behind(9 + junk.len())), behind(9 + junk.len()));
        assert_eq!(from_header(file(9)), file(9));
        for odd in [behind(7), behind(usize::MAX), b"junk %PDF-1.4 startxref".to_vec(), Vec::new()] {
            assert_eq!(from_header(odd.clone()), odd);
        }
        let late = [vec![b' '; 2000], file(9)].concat();
        assert_eq!(from_header(late.clone()), late, "that is no header");
    }

    #[test]
    fn an_object_begins_a_line_or_follows_another() {
        for before in ["", "%PDF-1.4\n", "endobj\r", "\n  ", "endobj", "1 0 obj null endobj "] {
            assert!(begins_object(before.as_bytes()), "{before:?}");
        }
        for before in ["% see ", "\n%", "(as in ", "1", "/Name "] {
            assert!(!begins_object(before.as_bytes()), "{before:?}");
        }
    }

    #[test]
    fn tables_of_objects_are_tables_or_streams() {
        for (text, is) in [("xref", true), ("\r\n xref", true), ("12 0 obj", true), ("12 obj", false), ("", false)] {
            assert_eq!(is_table(text.as_bytes(), 0), is, "{text}");
        }
        assert!(!is_table(b"xref", 9));
    }

    #[test]
    fn a_dictionary_says_whether_only_attachments_are_encrypted() {
        let filters = "/CF << /StdCF << /CFM /AESV2 /AuthEvent /EFOpen >> >> /EFF /StdCF";
        for (entries, is) in [
            ("/V 4 /StmF /Identity /StrF /Identity", true),
            ("/V 5 /StmF /Identity /StrF /Identity", true),
            ("/V 4", true),
            ("/V 4 /StmF /StdCF /StrF /Identity", false),
            ("/V 4 /StmF /Identity /StrF /StdCF", false),
            ("/V 4 /StmF 7 /StrF /Identity", false),
            ("/V 2 /StmF /Identity /StrF /Identity", false),
            ("", false),
        ] {
            let text = format!("<< /Filter /Standard {entries} {filters} >>");
            let said = Dict::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(is_plain(&said).unwrap_or_default(), is, "{text}");
        }
        assert!(leads_to_filters(b" 5 0 R /Root") && leads_to_filters(b"<</V 4>>") && leads_to_filters(b"\n<< >>"));
        assert!(!leads_to_filters(b"Metadata false") && !leads_to_filters(b" in a trailer"));
        assert_eq!(reference(b"15 2 R"), Some(ObjectIdentifier::new(15, 2)));
    }
}
