//! The head of a part, and values with parameters: `form-data; name="file1"; filename*=UTF-8''stra%C3%9Fe.png`.

use encoding_rs::WINDOWS_1252;
use percent_encoding::percent_decode;

use super::transfer::Encoding;

/// Lines in the head of a part. Clients send three or four.
const MOST_LINES: usize = 64;

/// Parameters of a value. Each is compared with all others, so there cannot be thousands of them.
const MOST_PARAMETERS: usize = 16;

/// The longest boundary. RFC 2046 has 70; some send longer ones, and a few bytes more do no harm.
const LONGEST_BOUNDARY: usize = 200;

/// What a part says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Of the field in a form.
    pub name: Option<String>,
    /// As it was sent, maybe with a path.
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    pub content_id: Option<String>,
    pub encoding: Encoding,
}

impl Head {
    /// Reads the lines of a head, without the empty one that ends it. An error is in words for whoever sent them.
    pub(super) fn read(lines: &[u8]) -> Result<Self, String> {
        let mut head = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in unfold(lines)? {
            let known = ["content-disposition", "content-type", "content-transfer-encoding", "content-id"];
            let Some(known) = known.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes())) else {
                continue;
            };
            if seen.contains(&known) {
                return Err(format!("{known} is there twice"));
            }
            seen.push(known);
            let text = text(&value).map_err(|problem| format!("{known} {problem}"))?;
            match known {
                "content-disposition" => head.dispose(text)?,
                "content-type" => head.content_type = Some(text.to_owned()),
                "content-id" => head.content_id = Some(text.to_owned()),
                _ => head.encoding = Encoding::by_name(text)?,
            }
        }
        Ok(head)
    }

    fn dispose(&mut self, value: &str) -> Result<(), String> {
        let parameters = parameters(value).map_err(|problem| format!("content-disposition: {problem}"))?.1;
        self.name = parameters.get("name").map(str::to_owned);
        // Who sends both sends the plain one for readers that do not know the other (RFC 6266, 4.3).
        self.file_name = match parameters.get("filename*") {
            Some(extended) => Some(extended_value(extended).map_err(|problem| format!("filename* {problem}"))?),
            None => parameters.get("filename").map(str::to_owned),
        };
        Ok(())
    }
}

/// The media type of a body of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// What stands after `multipart/`, in small letters.
    pub subtype: String,
    pub boundary: String,
    /// The media type of the root part, as `multipart/related` says it: in `start-info` if there, else in `type`.
    pub root_type: Option<String>,
}

impl MediaType {
    /// None if it is none of `multipart/…`. An error is in words for whoever sent it.
    pub fn read(value: &[u8]) -> Option<Result<Self, String>> {
        const MULTIPART: &[u8] = b"multipart/";
        let start = value.get(..MULTIPART.len())?;
        start.eq_ignore_ascii_case(MULTIPART).then(|| Self::of_parts(value))
    }

    fn of_parts(value: &[u8]) -> Result<Self, String> {
        let (main, parameters) = parameters(text(value)?)?;
        let subtype = main.split_once('/').map_or("", |(_, subtype)| subtype).to_ascii_lowercase();
        let boundary = parameters.get("boundary").unwrap_or_default();
        if boundary.is_empty() {
            return Err("it has no boundary".to_owned());
        }
        // A line cannot end with a space that is its own: it would be taken for padding.
        if boundary.len() > LONGEST_BOUNDARY || boundary.ends_with([' ', '\t']) || !boundary.is_ascii() {
            let rule = "its boundary must be of ASCII characters, must not end with a space";
            return Err(format!("{rule}, and may have at most {LONGEST_BOUNDARY} of them"));
        }
        let root_type = parameters.get("start-info").or_else(|| parameters.get("type")).map(str::to_owned);
        Ok(Self { subtype, boundary: boundary.to_owned(), root_type })
    }
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The name and the value of a line.
type Field<'a> = (&'a [u8], Vec<u8>);

/// The lines of a head. A line that begins with a space goes on with the one before it.
fn unfold(lines: &[u8]) -> Result<Vec<Field<'_>>, String> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.is_empty() {
            continue;
        }
        if line[0] == b' ' || line[0] == b'\t' {
            let (_, value) = fields.last_mut().ok_or("it begins in the middle of a line")?;
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let Some(colon) = colon.filter(|colon| is_token(line[..*colon].trim_ascii_end())) else {
            let shown = shown(&String::from_utf8_lossy(line));
            return Err(format!("{shown} is no line of a head; an empty line must part head and content"));
        };
        if fields.len() == MOST_LINES {
            return Err(format!("there are more than {MOST_LINES} lines"));
        }
        fields.push((line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii().to_owned()));
    }
    Ok(fields)
}

/// What a stranger wrote, as it may stand in a fault.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

/// The name of a field, or a word in it (RFC 9110, 5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let signs = b"!#$%&'*+-.^_`|~";
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(byte))
}

fn text(value: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(value).map_err(|_| "is not in UTF-8 (a name may come as filename*)")?;
    plain(text)
}

/// Names go into logs, mails and XML.
fn plain(text: &str) -> Result<&str, String> {
    let odd = |sign: char| sign != '\t' && (sign.is_control() || matches!(sign, '\u{FFFE}' | '\u{FFFF}'));
    match text.chars().find(|sign| odd(*sign)) {
        Some(sign) => Err(format!("has the character U+{:04X}", u32::from(sign))),
        None => Ok(text),
    }
}

/// A value and its parameters, their names in small letters.
fn parameters(value: &str) -> Result<(&str, Parameters), String> {
    let (main, mut rest) = value.split_once(';').unwrap_or((value, ""));
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Ok((main.trim(), Parameters(found)));
        }
        let (name, after) = rest.split_once('=').ok_or("a parameter has no value")?;
        let name = name.trim().to_ascii_lowercase();
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                unquote(quoted).ok_or_else(|| format!("the value of {} has no closing quote", shown(&name)))?
            }
            None => {
                let (value, after) = after.split_once(';').unwrap_or((after, ""));
                (value.trim_end().to_owned(), after)
            }
        };
        if found.iter().any(|(known, _)| *known == name) {
            return Err(format!("{} is there twice", shown(&name)));
        }
        if found.len() == MOST_PARAMETERS {
            return Err(format!("there are more than {MOST_PARAMETERS} parameters"));
        }
        found.push((name, value));
        rest = after;
    }
}

/// What stands up to the closing quote, and what comes after the `;` behind it. A backslash is one, for it stands in
/// paths of Windows, except before a quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' if signs.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            '"' => {
                let after = text[at + 1..].trim_start();
                let after = if after.is_empty() { after } else { after.strip_prefix(';')? };
                return Some((value, after));
            }
            sign => value.push(sign),
        }
    }
    None
}

/// `UTF-8'en'na%C3%AFve` (RFC 8187).
fn extended_value(value: &str) -> Result<String, String> {
    let mut parts = value.splitn(3, '\'');
    let (Some(charset), Some(_language), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("must be like UTF-8''na%C3%AFve.png".to_owned());
    };
    let bytes: Vec<u8> = percent_decode(encoded.as_bytes()).collect();
    let text = match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).map_err(|_| "is not in UTF-8".to_owned())?,
        // Read as elsewhere: whoever says ISO-8859-1 means windows-1252.
        "iso-8859-1" | "windows-1252" => WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned(),
        other => {
            return Err(format!("is encoded as {}, which is not known here: send UTF-8", shown(other)));
        }
    };
    plain(&text).map(str::to_owned)
}
