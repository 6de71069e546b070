//! Conditions on system fields.

use serde::{Deserialize, Serialize};

use super::field_condition::{MetadataCondition, on_field};
use crate::model::constants;
use crate::model::date_time::span;
use crate::model::invalid::Invalid;
use crate::model::metadata::{self as model, COMMENTS, DESCRIPTION, KEYWORDS, SKU, USER_DATA};
use crate::service::{item, parse};
use crate::store::assets::query::{Condition, NumberField, NumberOp, TextField, TextOp};

/// Most conditions in a request.
pub const MOST_CONDITIONS: usize = 100;

/// Longest text to compare with, in bytes.
const LONGEST_VALUE: usize = 1000;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemFieldCondition {
    pub field: String,
    pub op: String,
    pub value: Option<String>,
    pub bool_val: Option<bool>,
    pub long_val: Option<i64>,
    pub min_long: Option<i64>,
    pub max_long: Option<i64>,
    pub double_val: Option<f64>,
    pub min_double: Option<f64>,
    pub max_double: Option<f64>,
    pub date_val: Option<String>,
    pub min_date: Option<String>,
    pub max_date: Option<String>,
}

constants! {
    /// AssetSearchSystemFields constants.
    enum Field("system field") {
        Name, Keywords, Description, Comments, UserData, Sku, FileSize, CreatedWith, Created, CreateUser, LastModifyUser,
        FileName,
        // Only in an example of the reference.
        LastModified,
    }
}

constants! {
    /// StringComparisonOperators constants.
    pub(super) enum StringOp("string comparison operator") { Equals, NotEquals, Contains, NotContains, StartsWith, EndsWith }
}

constants! {
    /// NumericDateComparisonOperators constants, and those for ranges.
    pub(super) enum RangeOp("numeric or date comparison operator") {
        Equals, NotEquals, LessThan, LessThanEquals, GreaterThan, GreaterThanEquals, Between, NotBetween,
    }
}

pub(super) fn read_all(conditions: &[SystemFieldCondition]) -> Result<Vec<Condition>, Invalid> {
    const FIELD: &str = "systemFieldConditionArray";
    if conditions.len() > MOST_CONDITIONS {
        let rule = format!("must hold at most {MOST_CONDITIONS} conditions, not {}", conditions.len());
        return Err(Invalid::new(FIELD, rule));
    }
    let numbered = conditions.iter().enumerate();
    numbered.map(|(index, condition)| read(condition).map_err(|e| e.within(&item(FIELD, index)))).collect()
}

fn read(condition: &SystemFieldCondition) -> Result<Condition, Invalid> {
    match parse("field", &condition.field)? {
        Field::Name => text(condition, TextField::Name),
        Field::FileName => text(condition, TextField::FileName),
        Field::CreateUser => text(condition, TextField::CreateUser),
        Field::LastModifyUser => text(condition, TextField::LastModifyUser),
        Field::FileSize => number(condition),
        Field::Created => dated(NumberField::Created, &condition.op, &condition.dates()),
        Field::LastModified => dated(NumberField::Modified, &condition.op, &condition.dates()),
        Field::Keywords => metadata(condition, KEYWORDS),
        Field::Description => metadata(condition, DESCRIPTION),
        Field::CreatedWith => metadata(condition, "xmp.CreatorTool"),
        Field::Comments => metadata(condition, COMMENTS),
        Field::UserData => metadata(condition, USER_DATA),
        Field::Sku => metadata(condition, SKU),
    }
}

fn text(condition: &SystemFieldCondition, field: TextField) -> Result<Condition, Invalid> {
    text_of(field, &condition.op, condition.value.as_deref(), None)
}

/// Equality minds the case of letters, and the other operators do not, unless the caller says otherwise.
pub fn text_of(
    field: TextField,
    op: &str,
    value: Option<&str>,
    case_sensitive: Option<bool>,
) -> Result<Condition, Invalid> {
    let op = match parse("op", op)? {
        StringOp::Equals => TextOp::Equals,
        StringOp::NotEquals => TextOp::NotEquals,
        StringOp::Contains => TextOp::Contains,
        StringOp::NotContains => TextOp::NotContains,
        StringOp::StartsWith => TextOp::StartsWith,
        StringOp::EndsWith => TextOp::EndsWith,
    };
    let minds_case = case_sensitive.unwrap_or(matches!(op, TextOp::Equals | TextOp::NotEquals));
    let value = value.ok_or_else(|| Invalid::new("value", "is needed to compare a text with"))?;
    Ok(Condition::Text { field, op, value: check_value("value", value)?, minds_case })
}

pub(super) fn check_value(field: &str, value: &str) -> Result<String, Invalid> {
    if value.len() > LONGEST_VALUE {
        return Err(Invalid::new(field, format!("must have at most {LONGEST_VALUE} bytes, not {}", value.len())));
    }
    Ok(value.to_owned())
}

/// What a file or somebody says in a field of a schema of XMP.
fn metadata(condition: &SystemFieldCondition, name: &str) -> Result<Condition, Invalid> {
    let SystemFieldCondition { op, value, .. } = condition;
    let condition = MetadataCondition { op: op.clone(), value: value.clone(), ..MetadataCondition::default() };
    on_field(model::Field::Known(name), &condition)
}

fn number(condition: &SystemFieldCondition) -> Result<Condition, Invalid> {
    let field = NumberField::FileSize;
    let one = |op: NumberOp| Ok(Condition::Number { field, op, value: size(condition)? });
    let range = |inside: bool| {
        let low = condition.min_long.map(|n| n as f64).or(condition.min_double);
        let high = condition.max_long.map(|n| n as f64).or(condition.max_double);
        let bounds =
            low.zip(high).ok_or_else(|| Invalid::new("minLong", "and maxLong are needed for a range of sizes"));
        bounds.map(|(low, high)| Condition::Range { field, inside, low, high })
    };
    match parse("op", &condition.op)? {
        RangeOp::Equals => one(NumberOp::Equals),
        RangeOp::NotEquals => one(NumberOp::NotEquals),
        RangeOp::LessThan => one(NumberOp::LessThan),
        RangeOp::LessThanEquals => one(NumberOp::LessThanEquals),
        RangeOp::GreaterThan => one(NumberOp::GreaterThan),
        RangeOp::GreaterThanEquals => one(NumberOp::GreaterThanEquals),
        RangeOp::Between => range(true),
        RangeOp::NotBetween => range(false),
    }
}

/// The oldest versions have `value` only.
fn size(condition: &SystemFieldCondition) -> Result<f64, Invalid> {
    let typed = condition.long_val.map(|n| n as f64).or(condition.double_val);
    let written = || {
        let text =
            condition.value.as_deref().ok_or_else(|| Invalid::new("longVal", "is needed to compare a size with"))?;
        text.trim().parse().map_err(|_| Invalid::new("value", "must be a number of bytes"))
    };
    typed.map_or_else(written, Ok)
}

/// The dates that a condition may hold.
pub struct Dates<'a> {
    pub date: Option<&'a str>,
    /// The oldest versions have this one only.
    pub value: Option<&'a str>,
    pub min: Option<&'a str>,
    pub max: Option<&'a str>,
}

impl SystemFieldCondition {
    fn dates(&self) -> Dates<'_> {
        Dates {
            date: self.date_val.as_deref(),
            value: self.value.as_deref(),
            min: self.min_date.as_deref(),
            max: self.max_date.as_deref(),
        }
    }
}

/// A condition on an instant. A date of less precision, such as a day, is equal to all that it spans; what is compared with it in
/// another way is rather found than not.
pub fn dated(field: NumberField, op: &str, dates: &Dates) -> Result<Condition, Invalid> {
    let asked = || match (dates.date, dates.value) {
        (Some(date), _) => millis("dateVal", date),
        (None, Some(text)) => millis("value", text),
        (None, None) => Err(Invalid::new("dateVal", "is needed to compare a date with")),
    };
    let compared = |op: NumberOp, value: f64| Ok(Condition::Number { field, op, value });
    let range = |inside: bool, (low, high): (f64, f64)| Ok(Condition::Range { field, inside, low, high });
    let bounds = || match (dates.min, dates.max) {
        (Some(low), Some(high)) => Ok((millis("minDate", low)?.0, millis("maxDate", high)?.1)),
        _ => Err(Invalid::new("minDate", "and maxDate are needed for a range of dates")),
    };
    match parse("op", op)? {
        RangeOp::Equals => range(true, asked()?),
        RangeOp::NotEquals => range(false, asked()?),
        RangeOp::LessThan => compared(NumberOp::LessThan, asked()?.0),
        RangeOp::LessThanEquals => compared(NumberOp::LessThanEquals, asked()?.1),
        RangeOp::GreaterThan => compared(NumberOp::GreaterThan, asked()?.0),
        RangeOp::GreaterThanEquals => compared(NumberOp::GreaterThanEquals, asked()?.0),
        RangeOp::Between => range(true, bounds()?),
        RangeOp::NotBetween => range(false, bounds()?),
    }
}

/// The first and the last millisecond since 1970 of a date.
fn millis(field: &str, text: &str) -> Result<(f64, f64), Invalid> {
    let rule = "must be a date such as 2026-01-31T18:00:00Z, 2026-01-31 or Sat Jan 31 2026 18:00:00 GMT+0000";
    let (first, last) = span(text).ok_or_else(|| Invalid::new(field, rule))?;
    Ok((first.timestamp_millis() as f64, last.timestamp_millis() as f64))
}
