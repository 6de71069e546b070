//! Changes of the metadata of an asset, as clients and jobs order them.

use serde::{Deserialize, Serialize};

use super::Field;
use crate::model::invalid::Invalid;

/// A change of the values of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What they are kept under.
    pub name: String,
    pub values: Values,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    Set(Vec<String>),
    Add(Vec<String>),
    TakeAway(Vec<String>),
    /// None, or the default of the field.
    Delete,
}

/// One value in one of its fields, or lists of tags.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataUpdate {
    pub field_handle: String,
    pub value: Option<String>,
    pub bool_val: Option<bool>,
    pub long_val: Option<i64>,
    pub double_val: Option<f64>,
    pub date_val: Option<String>,
    pub add_tag_value_array: Option<Vec<String>>,
    pub set_tag_value_array: Option<Vec<String>>,
    pub delete_tag_value_array: Option<Vec<String>>,
}

impl MetadataUpdate {
    /// What it asks of the field; nothing, if it has no value at all.
    pub fn of(&self, field: Field<'_>) -> Result<Vec<Update>, Invalid> {
        let Self { value, bool_val, long_val, double_val, date_val, .. } = self;
        let typed = [
            ("value", value.clone()),
            ("boolVal", bool_val.map(|value| boolean(field, value))),
            ("longVal", long_val.map(|number| number.to_string())),
            ("doubleVal", double_val.map(|number| number.to_string())),
            ("dateVal", date_val.clone()),
        ];
        let lists = [
            ("setTagValueArray", &self.set_tag_value_array),
            ("addTagValueArray", &self.add_tag_value_array),
            ("deleteTagValueArray", &self.delete_tag_value_array),
        ];
        let mut updates = Vec::new();
        let mut add = |values| updates.push(Update { name: field.name().to_owned(), values });
        if let Some((given, text)) = typed.iter().find_map(|(given, text)| Some((*given, text.as_ref()?))) {
            if let Some((list, _)) = lists.iter().find(|(_, values)| values.is_some()) {
                return Err(Invalid::new(*list, format!("cannot stand beside {given}")));
            }
            add(Values::Set(field.read(text).map_err(|rule| Invalid::new(given, rule))?));
            return Ok(updates);
        }
        for (list, values) in lists {
            let Some(values) = values else { continue };
            if !field.is_tag() {
                return Err(Invalid::new(list, "is for fields for tags"));
            }
            let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
            if list == "deleteTagValueArray" {
                add(Values::TakeAway(values));
                continue;
            }
            let values = field.check(values).map_err(|rule| Invalid::new(list, rule))?;
            // A field for one value keeps the last.
            add(if list == "addTagValueArray" && field.is_list() { Values::Add(values) } else { Values::Set(values) });
        }
        Ok(updates)
    }
}

/// As the dictionary of a tag spells it, or as any other field does.
fn boolean(field: Field<'_>, value: bool) -> String {
    let tag = match field {
        Field::Defined(field) => field.tags.iter().find(|tag| tag.eq_ignore_ascii_case(&value.to_string())),
        Field::Known(_) => None,
    };
    tag.cloned().unwrap_or_else(|| value.to_string())
}
