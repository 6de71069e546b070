//! Conditions on metadata: on the values that assets have in fields, and on tags.

use serde::{Deserialize, Serialize};

use super::condition::{Dates, MOST_CONDITIONS, RangeOp, StringOp, check_value, dated, text_of};
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::metadata::{Field, FieldDefinition, FieldType, KEYWORDS, date, with_dot};
use crate::model::{constants, handle};
use crate::service::metadata::fields::{no_such_field, parse_handle};
use crate::service::metadata::values::{by_key, named};
use crate::service::{Error, item, parse};
use crate::store::assets::query::{Condition, FieldTest, NumberField, NumberOp, Scalar, TextField, TextOp};
use crate::store::companies::Company;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataCondition {
    pub field_handle: String,
    pub op: String,
    pub case_sensitive: Option<bool>,
    pub value: Option<String>,
    pub values: Option<Vec<String>>,
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

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagCondition {
    pub field_handle: String,
    pub op: String,
    pub value: Option<String>,
    pub value_array: Option<Vec<String>>,
}

constants! {
    /// Operators of tag conditions.
    enum TagOp("tag comparison operator") { Matches, MatchesAny, MatchesAll }
}

/// Conditions in the order of the request; an error names the item.
fn read_each<T>(
    array: &str,
    conditions: &[T],
    read: impl Fn(&T) -> Result<Condition, Error>,
) -> Result<Vec<Condition>, Error> {
    if conditions.len() > MOST_CONDITIONS {
        let rule = format!("must hold at most {MOST_CONDITIONS} conditions, not {}", conditions.len());
        return Err(Invalid::new(array, rule).into());
    }
    let numbered = conditions.iter().enumerate();
    numbered.map(|(index, condition)| read(condition).map_err(|error| error.within(&item(array, index)))).collect()
}

/// `metadataConditionArray` of searchAssets, whose fields go by handles; keys are understood as well.
pub(super) fn read_fields(
    company: &Company,
    definitions: &[FieldDefinition],
    conditions: &[MetadataCondition],
) -> Result<Vec<Condition>, Error> {
    read_each("metadataConditionArray", conditions, |condition| {
        if let Some(read) = on_key(company, definitions, condition)? {
            return Ok(read);
        }
        let (scope, name) = parse_handle(company.id, "fieldHandle", &condition.field_handle)?;
        let field = named(definitions, scope, &name);
        let field = field.ok_or_else(|| no_such_field("fieldHandle", &condition.field_handle))?;
        Ok(on_field(field, condition)?)
    })
}

/// `metadataConditionArray` of searchAssetsByMetadata, whose fields go by keys.
pub fn read_keys(
    company: &Company,
    definitions: &[FieldDefinition],
    conditions: &[MetadataCondition],
) -> Result<Vec<Condition>, Error> {
    read_each("metadataConditionArray", conditions, |condition| {
        let read = on_key(company, definitions, condition)?;
        read.ok_or_else(|| no_such_field("fieldHandle", &condition.field_handle))
    })
}

/// A condition on what a key names: something of the asset itself, or one of its fields. None if it names nothing.
fn on_key(
    company: &Company,
    definitions: &[FieldDefinition],
    condition: &MetadataCondition,
) -> Result<Option<Condition>, Invalid> {
    let text = |field, value| text_of(field, &condition.op, value, condition.case_sensitive).map(Some);
    let value = condition.value.as_deref();
    match condition.field_handle.trim() {
        "asset_id" => text(TextField::Id, value),
        "name" => text(TextField::Name, value),
        "type" => text(TextField::AssetType, value),
        "file_name" => text(TextField::FileName, value),
        "folder_path" => text(TextField::FolderPath, as_folder(company, condition).as_deref().or(value)),
        "created_by" => text(TextField::CreateUser, value),
        "modified_by" => text(TextField::LastModifyUser, value),
        "created_at" => on_date(NumberField::Created, TextField::Created, condition).map(Some),
        "modified_at" => on_date(NumberField::Modified, TextField::Modified, condition).map(Some),
        key => by_key(definitions, &with_dot(key)).map(|field| on_field(field, condition)).transpose(),
    }
}

/// The folder that a condition compares whole paths with, in the form in which they are compared.
fn as_folder(company: &Company, condition: &MetadataCondition) -> Option<String> {
    let is_whole = matches!(condition.op.trim().parse(), Ok(StringOp::Equals | StringOp::NotEquals));
    let path = condition.value.as_deref().filter(|_| is_whole)?;
    Some(handle::folder_path(&company.root_path, handle::strip_root(&company.root_path, path.trim())))
}

/// Dates are compared as instants, or by parts of the text that replies have for them.
fn on_date(number: NumberField, text: TextField, condition: &MetadataCondition) -> Result<Condition, Invalid> {
    if let Ok(StringOp::Contains | StringOp::NotContains | StringOp::StartsWith | StringOp::EndsWith) =
        condition.op.trim().parse()
    {
        return text_of(text, &condition.op, condition.value.as_deref(), condition.case_sensitive);
    }
    let dates = Dates {
        date: condition.date_val.as_deref(),
        value: condition.value.as_deref(),
        min: condition.min_date.as_deref(),
        max: condition.max_date.as_deref(),
    };
    dated(number, &condition.op, &dates)
}

/// `tagConditionArray`.
pub(super) fn read_tags(
    company: CompanyId,
    definitions: &[FieldDefinition],
    conditions: &[TagCondition],
) -> Result<Vec<Condition>, Error> {
    read_each("tagConditionArray", conditions, |condition| {
        let (scope, name) = parse_handle(company, "fieldHandle", &condition.field_handle)?;
        let field = named(definitions, scope, &name);
        let field = field.ok_or_else(|| no_such_field("fieldHandle", &condition.field_handle))?;
        if !field.is_tag() {
            return Err(Invalid::new("fieldHandle", "must be of a field for tags").into());
        }
        let op: TagOp = parse("op", &condition.op)?;
        let values = match op {
            TagOp::Matches => condition.value.clone().map(|value| vec![value]).ok_or("value"),
            TagOp::MatchesAny | TagOp::MatchesAll => condition.value_array.clone().ok_or("valueArray"),
        };
        let values = values.map_err(|name| Invalid::new(name, format!("is needed by {op}")))?;
        Ok(Condition::Tags { field: field.name().to_owned(), values, all: op == TagOp::MatchesAll })
    })
}

/// `keywordArray`: each is one of the asset's keywords, whatever the case of its letters.
pub(super) fn read_keywords(keywords: &[String]) -> Result<Vec<Condition>, Error> {
    const ARRAY: &str = "keywordArray";
    if keywords.len() > MOST_CONDITIONS {
        let rule = format!("must hold at most {MOST_CONDITIONS} keywords, not {}", keywords.len());
        return Err(Invalid::new(ARRAY, rule).into());
    }
    let read = |(index, keyword): (usize, &String)| {
        let value = check_value(&item(ARRAY, index), keyword)?;
        let test = FieldTest::Text { op: TextOp::Equals, value, minds_case: false };
        Ok(Condition::Field { field: KEYWORDS.to_owned(), has: true, test })
    };
    keywords.iter().enumerate().map(read).collect()
}

/// A condition on a field as the operators for its type have it.
pub fn on_field(field: Field<'_>, condition: &MetadataCondition) -> Result<Condition, Invalid> {
    if condition.values.as_ref().is_some_and(|values| !values.is_empty()) {
        return Err(Invalid::new("values", "cannot be searched by; send a condition for each value"));
    }
    let name = field.name();
    match field {
        Field::Defined(FieldDefinition { field_type: FieldType::Int | FieldType::Float, .. }) => {
            ranged(name, condition, number)
        }
        Field::Defined(FieldDefinition { field_type: FieldType::Date, .. }) => ranged(name, condition, instant),
        Field::Defined(FieldDefinition { field_type: FieldType::Boolean | FieldType::BooleanTag, .. }) => {
            let asked = condition.bool_val.map(|value| value.to_string()).or_else(|| condition.value.clone());
            let asked = asked.ok_or_else(|| Invalid::new("boolVal", "is needed to compare a truth value with"))?;
            // BooleanTag spells its values with a capital.
            text(name, condition, &asked, Some(false))
        }
        Field::Known(_) | Field::Defined(_) => {
            let value = condition.value.as_deref();
            let value = value.ok_or_else(|| Invalid::new("value", "is needed to compare a text with"))?;
            text(name, condition, value, condition.case_sensitive)
        }
    }
}

fn text(
    field: &str,
    condition: &MetadataCondition,
    value: &str,
    case_sensitive: Option<bool>,
) -> Result<Condition, Invalid> {
    let (op, has) = match parse("op", &condition.op)? {
        StringOp::Equals => (TextOp::Equals, true),
        StringOp::NotEquals => (TextOp::Equals, false),
        StringOp::Contains => (TextOp::Contains, true),
        StringOp::NotContains => (TextOp::Contains, false),
        StringOp::StartsWith => (TextOp::StartsWith, true),
        StringOp::EndsWith => (TextOp::EndsWith, true),
    };
    let minds_case = case_sensitive.unwrap_or(op == TextOp::Equals);
    let test = FieldTest::Text { op, value: check_value("value", value)?, minds_case };
    Ok(Condition::Field { field: field.to_owned(), has, test })
}

/// Which of the values of a condition is wanted.
#[derive(Debug, Clone, Copy)]
enum Side {
    Value,
    Min,
    Max,
}

fn ranged(
    field: &str,
    condition: &MetadataCondition,
    scalar: impl Fn(&MetadataCondition, Side) -> Result<Scalar, Invalid>,
) -> Result<Condition, Invalid> {
    let compared = |op| Ok(FieldTest::Compare { op, value: scalar(condition, Side::Value)? });
    let between = || Ok(FieldTest::Between { low: scalar(condition, Side::Min)?, high: scalar(condition, Side::Max)? });
    let (has, test) = match parse("op", &condition.op)? {
        RangeOp::Equals => (true, compared(NumberOp::Equals)),
        RangeOp::NotEquals => (false, compared(NumberOp::Equals)),
        RangeOp::LessThan => (true, compared(NumberOp::LessThan)),
        RangeOp::LessThanEquals => (true, compared(NumberOp::LessThanEquals)),
        RangeOp::GreaterThan => (true, compared(NumberOp::GreaterThan)),
        RangeOp::GreaterThanEquals => (true, compared(NumberOp::GreaterThanEquals)),
        RangeOp::Between => (true, between()),
        RangeOp::NotBetween => (false, between()),
    };
    Ok(Condition::Field { field: field.to_owned(), has, test: test? })
}

fn number(condition: &MetadataCondition, side: Side) -> Result<Scalar, Invalid> {
    let (name, long, double, written) = match side {
        Side::Value => ("longVal", condition.long_val, condition.double_val, condition.value.as_deref()),
        Side::Min => ("minLong", condition.min_long, condition.min_double, None),
        Side::Max => ("maxLong", condition.max_long, condition.max_double, None),
    };
    let typed = long.map(|number| number as f64).or(double);
    let number = match (typed, written) {
        (Some(number), _) => number,
        (None, Some(text)) => text.trim().parse().map_err(|_| Invalid::new("value", "must be a number"))?,
        (None, None) => return Err(Invalid::new(name, "is needed to compare a number with")),
    };
    if number.is_finite() { Ok(Scalar::Number(number)) } else { Err(Invalid::new(name, "must be a finite number")) }
}

fn instant(condition: &MetadataCondition, side: Side) -> Result<Scalar, Invalid> {
    let (name, text) = match side {
        Side::Value => ("dateVal", condition.date_val.as_deref().or(condition.value.as_deref())),
        Side::Min => ("minDate", condition.min_date.as_deref()),
        Side::Max => ("maxDate", condition.max_date.as_deref()),
    };
    let text = text.ok_or_else(|| Invalid::new(name, "is needed to compare a date with"))?;
    let instant = date(text).ok_or_else(|| Invalid::new(name, "must be a date such as 2026-01-31T18:00:00Z"))?;
    Ok(Scalar::Text(instant))
}
