//! What is known of assets beside what can be seen in their files: fields by name, each with values.
//!
//! Three kinds of names share one list. Those of XMP have the prefix of their schema and a dot in front, `dc.subject`; fields that
//! a company defines have neither dot nor colon: `Launch date`; and so have the few that every asset has, `Comments`.

mod update;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

use super::asset::AssetType;
use super::constants;
use super::id::MetadataFieldId;
use super::invalid::Invalid;
pub use update::{MetadataUpdate, Update, Values};

/// Values by the names of their fields.
pub type Fields = BTreeMap<String, Vec<String>>;

/// The field of keywords.
pub const KEYWORDS: &str = "dc.subject";

/// Texts that the API's assets have and no schema. A company may define a field of such a name: then its definition holds.
pub const SYSTEM_FIELDS: &[&str] = &[COMMENTS, USER_DATA, SKU];
pub const COMMENTS: &str = "Comments";
pub const USER_DATA: &str = "UserData";
pub const SKU: &str = "Sku";

/// The field of descriptions.
pub const DESCRIPTION: &str = "dc.description";

/// Most values of a field that somebody sets.
pub const MOST_VALUES: usize = 1_000;

/// Longest value that somebody sets, in bytes of UTF-8.
pub const LONGEST_VALUE: usize = 10_000;

/// Longest name of a field, in characters.
pub const LONGEST_NAME: usize = 100;

/// Schemas whose fields can be set without having been defined, by the prefixes that everyone uses for them.
pub const SCHEMAS: &[&str] = &[
    "dc",
    "xmp",
    "xmpRights",
    "xmpMM",
    "photoshop",
    "tiff",
    "exif",
    "exifEX",
    "pdf",
    "crs",
    "Iptc4xmpCore",
    "Iptc4xmpExt",
    "plus",
];

/// Fields of those schemas whose text is a list.
const LISTS: &[&str] = &[KEYWORDS, "photoshop.SupplementalCategories", "xmp.Identifier"];

/// What clients may put in front of the name of a field that a company defined.
const DEFINED_PREFIXES: &[&str] = &["custom_attributes", "s7udf"];

/// Reads a list of values with commas between them; a backslash takes the meaning off a comma or another backslash. Blanks
/// around values and empty values are left out, and so is what comes twice.
pub fn split_list(text: &str) -> Result<Vec<String>, String> {
    let mut values = vec![String::new()];
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            ',' => values.push(String::new()),
            sign => {
                let sign = if sign == '\\' {
                    let next = signs.next().filter(|next| matches!(next, ',' | '\\'));
                    next.ok_or_else(|| r"must have a comma or another backslash behind each backslash".to_owned())?
                } else {
                    sign
                };
                values.last_mut().map(|value| value.push(sign)).unwrap_or_default();
            }
        }
    }
    let mut list: Vec<String> = Vec::new();
    for value in values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
        check_value(value)?;
        if !list.iter().any(|known| known == value) {
            list.push(value.to_owned());
        }
        if list.len() > MOST_VALUES {
            return Err(format!("must hold at most {MOST_VALUES} values"));
        }
    }
    Ok(list)
}

/// What [`split_list`] reads.
pub fn join_list<S: AsRef<str>>(values: &[S]) -> String {
    let escaped: Vec<String> =
        values.iter().map(|value| value.as_ref().replace('\\', r"\\").replace(',', r"\,")).collect();
    escaped.join(",")
}

/// What any value that somebody sets must keep to.
fn check_value(value: &str) -> Result<(), String> {
    if value.len() > LONGEST_VALUE {
        return Err(format!("must have at most {LONGEST_VALUE} bytes in a value, not {}", value.len()));
    }
    match value.chars().find(|sign| sign.is_control() && !matches!(sign, '\n' | '\r' | '\t')) {
        Some(sign) => Err(format!("must not contain the control character U+{:04X}", sign as u32)),
        None => Ok(()),
    }
}

constants! {
    /// MetadataFieldTypes constants.
    pub enum FieldType("metadata field type") {
        Untyped, Boolean, BooleanTag, Color, Date, Dimension, FileName, Float, Int, MultiFixedTag, MultiTag, SingleFixedTag,
        SingleTag, String,
    }
}

impl FieldType {
    /// Values are those of a dictionary.
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::BooleanTag | Self::MultiFixedTag | Self::MultiTag | Self::SingleFixedTag | Self::SingleTag)
    }

    /// Only values of the dictionary.
    pub const fn is_fixed(self) -> bool {
        matches!(self, Self::BooleanTag | Self::MultiFixedTag | Self::SingleFixedTag)
    }

    /// Any number of values.
    pub const fn is_multiple(self) -> bool {
        matches!(self, Self::MultiFixedTag | Self::MultiTag)
    }

    /// The dictionary that a field of this type begins with, and for a Boolean one ends with.
    pub fn first_tags(self, initial: Option<&str>) -> Vec<String> {
        match self {
            Self::BooleanTag => vec!["True".to_owned(), "False".to_owned()],
            _ => initial.into_iter().filter(|_| self.is_tag()).map(str::to_owned).collect(),
        }
    }
}

/// The assets that a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    All,
    Of(AssetType),
}

impl Scope {
    pub fn covers(self, asset_type: AssetType) -> bool {
        self == Self::All || self == Self::Of(asset_type)
    }

    pub const fn of(asset_type: AssetType) -> Self {
        match asset_type {
            AssetType::Asset => Self::All,
            asset_type => Self::Of(asset_type),
        }
    }

    /// Whether a field of this scope and one of the other can have the same asset.
    pub fn meets(self, other: Self) -> bool {
        self == Self::All || other == Self::All || self == other
    }
}

/// As handles have it.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ALL"),
            Self::Of(asset_type) => f.write_str(&asset_type.as_str().to_uppercase()),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("ALL") {
            return Ok(Self::All);
        }
        let found = AssetType::ALL.iter().find(|asset_type| asset_type.as_str().eq_ignore_ascii_case(text));
        found.map(|found| Self::of(*found)).ok_or_else(|| format!("must name ALL or an asset type, not \"{text}\""))
    }
}

/// A field that a company defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDefinition {
    pub id: MetadataFieldId,
    pub scope: Scope,
    pub name: String,
    pub field_type: FieldType,
    /// Of assets that have no value of their own; empty for none.
    pub default_value: String,
    pub is_hidden: bool,
    /// Values that the type does not allow are refused.
    pub is_enforced: bool,
    /// Goes where metadata is published.
    pub is_publish_data: bool,
    /// The dictionary of tags.
    pub tags: Vec<String>,
}

/// A field of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// Of a schema of XMP, or one that every asset has.
    Known(&'a str),
    Defined(&'a FieldDefinition),
}

/// Why there is no such field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoField {
    Unknown,
    /// It is for assets of other types.
    OtherType(Scope),
}

impl<'a> Field<'a> {
    /// The field of this name that assets of a type have. `name` has its prefix with a dot.
    pub fn find(definitions: &'a [FieldDefinition], name: &'a str, asset_type: AssetType) -> Result<Self, NoField> {
        let bare = match name.split_once('.') {
            None => name,
            Some((prefix, rest)) if DEFINED_PREFIXES.contains(&prefix) => rest,
            Some((prefix, rest)) if SCHEMAS.contains(&prefix) && is_local_name(rest) => return Ok(Self::Known(name)),
            Some(_) => return Err(NoField::Unknown),
        };
        let mut namesakes = definitions.iter().filter(|field| field.name == bare).peekable();
        let other = namesakes.peek().map(|field| NoField::OtherType(field.scope));
        match namesakes.find(|field| field.scope.covers(asset_type)) {
            Some(found) => Ok(Self::Defined(found)),
            None if SYSTEM_FIELDS.contains(&name) => Ok(Self::Known(name)),
            None => Err(other.unwrap_or(NoField::Unknown)),
        }
    }

    /// What its values are kept under.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Known(name) => name,
            Self::Defined(field) => &field.name,
        }
    }

    /// Its text is a list of values with commas between them.
    pub fn is_list(&self) -> bool {
        match self {
            Self::Known(name) => LISTS.contains(name),
            Self::Defined(field) => field.field_type.is_multiple(),
        }
    }

    pub fn is_tag(&self) -> bool {
        match self {
            Self::Known(_) => self.is_list(),
            Self::Defined(field) => field.field_type.is_tag(),
        }
    }

    /// The values that a text says; none for an empty one. An error is a rule that it breaks.
    pub fn read(&self, text: &str) -> Result<Vec<String>, String> {
        if self.is_list() {
            return self.check(split_list(text)?);
        }
        let text = text.trim();
        self.check(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
    }

    /// Values as they are kept. A field for one value keeps the last.
    pub fn check(&self, values: Vec<String>) -> Result<Vec<String>, String> {
        let mut kept: Vec<String> = Vec::new();
        for value in values {
            check_value(&value)?;
            let value = match self {
                Self::Known(_) => value,
                Self::Defined(field) => field.check(value)?,
            };
            if !self.is_list() {
                kept.clear();
            }
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        if kept.len() > MOST_VALUES {
            return Err(format!("must hold at most {MOST_VALUES} values, not {}", kept.len()));
        }
        Ok(kept)
    }
}

impl FieldDefinition {
    /// A value as it is kept, if the field may have it.
    fn check(&self, value: String) -> Result<String, String> {
        if self.field_type.is_fixed() {
            return match self.tags.iter().find(|tag| **tag == value) {
                Some(_) => Ok(value),
                None => {
                    Err(format!("must be a value of its dictionary, see getTagFieldValues; not \"{}\"", shown(&value)))
                }
            };
        }
        match typed(self.field_type, &value) {
            Ok(value) => Ok(value),
            Err(rule) if self.is_enforced => Err(rule),
            Err(_) => Ok(value),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A value in the form of its type.
fn typed(field_type: FieldType, value: &str) -> Result<String, String> {
    let refuse = |what: &str| format!("must be {what}, not \"{}\"", shown(value));
    match field_type {
        FieldType::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok("true".to_owned()),
            "false" | "no" | "0" => Ok("false".to_owned()),
            _ => Err(refuse("true or false")),
        },
        FieldType::Int => {
            value.parse::<i64>().map(|number| number.to_string()).map_err(|_| refuse("a whole number of 64 bits"))
        }
        FieldType::Float => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.to_string()),
            _ => Err(refuse("a number")),
        },
        FieldType::Date => {
            date(value).ok_or_else(|| refuse("a date such as 2026-01-31, 01/31/2026 or 2026-01-31T18:00:00Z"))
        }
        FieldType::Dimension => {
            let sides: Vec<&str> = value.split(['x', 'X', '×', ',']).map(str::trim).collect();
            let is_length = |side: &&str| side.parse::<f64>().is_ok_and(|length| length.is_finite() && length >= 0.0);
            let is_dimension = (1..=2).contains(&sides.len()) && sides.iter().all(is_length);
            if is_dimension { Ok(value.to_owned()) } else { Err(refuse("a length, or width and height such as 40x30")) }
        }
        FieldType::FileName => {
            let is_plain = !value.contains(['/', '\\']) && !matches!(value, "." | "..");
            if is_plain { Ok(value.to_owned()) } else { Err(refuse("the name of a file without a folder")) }
        }
        FieldType::Untyped
        | FieldType::Color
        | FieldType::String
        | FieldType::BooleanTag
        | FieldType::MultiFixedTag
        | FieldType::MultiTag
        | FieldType::SingleFixedTag
        | FieldType::SingleTag => Ok(value.to_owned()),
    }
}

/// An instant as values of dates are kept. A day is its beginning in UTC.
pub fn date(text: &str) -> Option<String> {
    let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(written(at.with_timezone(&Utc)));
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(written(at.and_utc()));
    }
    let day = ["%Y-%m-%d", "%m/%d/%Y"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok())?;
    Some(written(day.and_hms_opt(0, 0, 0)?.and_utc()))
}

/// The instant that a value of a date is.
pub fn instant(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value).ok().map(|at| at.with_timezone(&Utc))
}

/// A name as XML has it, without a prefix; ends of names are as short as those of people.
fn is_local_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
        && name.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, '_' | '-'))
}

/// A name as files and clients write it: the prefix of a schema with a colon or a dot behind it.
pub fn with_dot(name: &str) -> String {
    name.trim().replacen(':', ".", 1)
}

/// Checks the name of a field that a company defines.
pub fn check_field_name(name: &str) -> Result<String, Invalid> {
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(Invalid::new("name", format!("must have from 1 to {LONGEST_NAME} characters, not {length}")));
    }
    match name.chars().find(|sign| sign.is_control() || matches!(sign, '|' | '.' | ':')) {
        Some(_) => {
            Err(Invalid::new("name", "must not contain |, . or :, which separate the parts of handles and names"))
        }
        None => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_escapes() {
        let list = |text: &str| split_list(text).unwrap();
        assert_eq!(list(r"Hello\, World!,back\\slash,foo"), ["Hello, World!", r"back\slash", "foo"]);
        assert_eq!(list(" a , ,b,a,"), ["a", "b"]);
        assert_eq!(list(""), Vec::<String>::new());
        for text in [r"a\b", r"a\", "a\u{1}b"] {
            assert!(split_list(text).is_err(), "{text}");
        }
        assert!(split_list(&"x".repeat(10_001)).unwrap_err().contains("10000 bytes"));
        let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
        assert!(split_list(&many.join(",")).unwrap_err().contains("1000 values"));
        let values = ["a,b", r"c\d", "日本語"];
        assert_eq!(list(&join_list(&values)), values);
    }

    fn field(field_type: FieldType, is_enforced: bool) -> FieldDefinition {
        FieldDefinition {
            id: MetadataFieldId(1),
            scope: Scope::Of(AssetType::Image),
            name: "Size".to_owned(),
            field_type,
            default_value: String::new(),
            is_hidden: false,
            is_enforced,
            is_publish_data: true,
            tags: field_type.first_tags(Some("S")),
        }
    }

    #[test]
    fn values_take_the_form_of_their_type() {
        for (field_type, text, kept) in [
            (FieldType::Boolean, "Yes", Some("true")),
            (FieldType::Boolean, "maybe", None),
            (FieldType::Int, "007", Some("7")),
            (FieldType::Int, "7.5", None),
            (FieldType::Float, "2.50", Some("2.5")),
            (FieldType::Float, "inf", None),
            (FieldType::Date, "01/31/2026", Some("2026-01-31T00:00:00.000Z")),
            (FieldType::Date, "2026-01-31T18:00:00+02:00", Some("2026-01-31T16:00:00.000Z")),
            (FieldType::Date, "31/01/2026", None),
            (FieldType::Dimension, "40x30", Some("40x30")),
            (FieldType::Dimension, "large", None),
            (FieldType::FileName, "a.tif", Some("a.tif")),
            (FieldType::FileName, "../a.tif", None),
            (FieldType::Color, "red", Some("red")),
            (FieldType::SingleTag, "x", Some("x")),
            (FieldType::SingleFixedTag, "S", Some("S")),
            (FieldType::SingleFixedTag, "XL", None),
            (FieldType::BooleanTag, "True", Some("True")),
            (FieldType::BooleanTag, "true", None),
        ] {
            let definition = field(field_type, true);
            let read = Field::Defined(&definition).read(text).ok();
            assert_eq!(read, kept.map(|kept| vec![kept.to_owned()]), "{field_type} {text}");
        }
        // What is not enforced is kept as it came; dictionaries always count.
        assert_eq!(Field::Defined(&field(FieldType::Int, false)).read("many").unwrap(), ["many"]);
        assert!(Field::Defined(&field(FieldType::MultiFixedTag, false)).read("S,XL").is_err());
        assert_eq!(Field::Defined(&field(FieldType::MultiTag, false)).read("b,a,b").unwrap(), ["b", "a"]);
        assert_eq!(
            Field::Defined(&field(FieldType::SingleTag, false)).check(vec!["a".into(), "b".into()]).unwrap(),
            ["b"]
        );
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let definitions = [field(FieldType::String, false)];
        let find = |name, asset_type| Field::find(&definitions, name, asset_type).map(|field| field.name());
        assert_eq!(find("Size", AssetType::Image), Ok("Size"));
        assert_eq!(find("custom_attributes.Size", AssetType::Image), Ok("Size"));
        assert_eq!(find("Size", AssetType::Pdf), Err(NoField::OtherType(Scope::Of(AssetType::Image))));
        assert_eq!(find("size", AssetType::Image), Err(NoField::Unknown));
        assert_eq!(find("dc.subject", AssetType::Pdf), Ok("dc.subject"));
        for name in ["dc.", "dc.a b", "nope.subject", "", "dc.1"] {
            assert_eq!(find(name, AssetType::Pdf), Err(NoField::Unknown), "{name}");
        }
        assert_eq!(with_dot(" dc:subject "), "dc.subject");
    }
}
