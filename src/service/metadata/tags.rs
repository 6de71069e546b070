//! getTagFieldValues, setTagFieldValues, addTagFieldValues, deleteTagFieldValues: the dictionaries of fields for tags.
//!
//! Values that assets have are left as they are when their dictionary loses them.

use serde::{Deserialize, Serialize};

use super::fields::refused;
use super::{KEEPERS, READERS};
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::metadata::{FieldDefinition, FieldType, LONGEST_VALUE, MOST_VALUES};
use crate::service::access::Operation;
use crate::service::asset_change::EmptyReturn;
use crate::service::asset_query::check_count;
use crate::service::{Caller, Error, Services, item};

const GET_TAG_FIELD_VALUES: Operation =
    Operation { name: "getTagFieldValues", roles: crate::service::access::EVERYBODY };
const SET_TAG_FIELD_VALUES: Operation = Operation { name: "setTagFieldValues", roles: KEEPERS };
const ADD_TAG_FIELD_VALUES: Operation = Operation { name: "addTagFieldValues", roles: KEEPERS };
const DELETE_TAG_FIELD_VALUES: Operation = Operation { name: "deleteTagFieldValues", roles: KEEPERS };
const GET_UNIQUE_METADATA_VALUES: Operation = Operation { name: "getUniqueMetadataValues", roles: READERS };
const GET_DISTINCT_METADATA_VALUES: Operation = Operation { name: "getDistinctMetadataValues", roles: READERS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTagFieldValuesParam {
    pub company_handle: String,
    pub field_handle_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTagFieldValuesReturn {
    pub field_array: Vec<TagFieldValues>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagFieldValues {
    pub field_handle: String,
    pub value_array: Vec<String>,
}

/// Of setTagFieldValues, addTagFieldValues and deleteTagFieldValues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagFieldValuesParam {
    pub company_handle: String,
    pub field_handle: String,
    #[serde(default)]
    pub value_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUniqueMetadataValuesParam {
    pub company_handle: String,
    pub field_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUniqueMetadataValuesReturn {
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetDistinctMetadataValuesParam {
    pub company_handle: String,
    pub metadata_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetDistinctMetadataValuesReturn {
    pub value_array: Vec<ValueCount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueCount {
    pub value: String,
    pub count: i64,
}

impl Services {
    pub async fn get_tag_field_values(
        &self,
        caller: &Caller,
        param: GetTagFieldValuesParam,
    ) -> Result<GetTagFieldValuesReturn, Error> {
        let company = self.in_company(caller, &GET_TAG_FIELD_VALUES, "companyHandle", &param.company_handle).await?.id;
        check_count("fieldHandleArray", param.field_handle_array.len())?;
        let mut field_array = Vec::with_capacity(param.field_handle_array.len());
        for text in &param.field_handle_array {
            let field = self.tag_field(company, text).await?;
            let field_handle = handle::metadata_field(company, field.scope, &field.name);
            field_array.push(TagFieldValues { field_handle, value_array: field.tags });
        }
        Ok(GetTagFieldValuesReturn { field_array })
    }

    pub async fn set_tag_field_values(
        &self,
        caller: &Caller,
        param: TagFieldValuesParam,
    ) -> Result<EmptyReturn, Error> {
        self.change_tags(caller, &SET_TAG_FIELD_VALUES, param, |_, values| values).await
    }

    pub async fn add_tag_field_values(
        &self,
        caller: &Caller,
        param: TagFieldValuesParam,
    ) -> Result<EmptyReturn, Error> {
        self.change_tags(caller, &ADD_TAG_FIELD_VALUES, param, |known, values| [known, values].concat()).await
    }

    pub async fn delete_tag_field_values(
        &self,
        caller: &Caller,
        param: TagFieldValuesParam,
    ) -> Result<EmptyReturn, Error> {
        let without = |mut known: Vec<String>, values: Vec<String>| {
            known.retain(|tag| !values.contains(tag));
            known
        };
        self.change_tags(caller, &DELETE_TAG_FIELD_VALUES, param, without).await
    }

    async fn change_tags(
        &self,
        caller: &Caller,
        operation: &Operation,
        param: TagFieldValuesParam,
        change: impl FnOnce(Vec<String>, Vec<String>) -> Vec<String>,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?.id;
        let mut field = self.tag_field(company, &param.field_handle).await?;
        if field.field_type == FieldType::BooleanTag {
            let why = "the dictionary of a BooleanTag is True and False, and cannot be changed";
            return Err(Error::Refused(format!("fieldHandle: {why}")));
        }
        let mut values = Vec::with_capacity(param.value_array.len());
        for (index, value) in param.value_array.iter().enumerate() {
            values.push(check(&item("valueArray", index), value.trim())?.to_owned());
        }
        field.tags = change(field.tags, values);
        let mut seen = std::collections::HashSet::new();
        field.tags.retain(|tag| seen.insert(tag.clone()));
        if field.tags.len() > MOST_VALUES {
            let rule = format!("must leave the dictionary at most {MOST_VALUES} values, not {}", field.tags.len());
            return Err(Invalid::new("valueArray", rule).into());
        }
        self.store.change_metadata_field(company, field).await.map_err(refused)?;
        Ok(EmptyReturn {})
    }

    async fn tag_field(&self, company: CompanyId, text: &str) -> Result<FieldDefinition, Error> {
        let field = self.defined(company, text).await?;
        match field.field_type {
            field_type if field_type.is_tag() => Ok(field),
            other => {
                Err(Invalid::new("fieldHandle", format!("must be of a field for tags, not of one of type {other}"))
                    .into())
            }
        }
    }

    pub async fn get_unique_metadata_values(
        &self,
        caller: &Caller,
        param: GetUniqueMetadataValuesParam,
    ) -> Result<GetUniqueMetadataValuesReturn, Error> {
        let operation = &GET_UNIQUE_METADATA_VALUES;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?.id;
        let name = self.field_name(company, "fieldHandle", &param.field_handle).await?;
        let found = self.store.distinct_metadata(company, &name).await?;
        Ok(GetUniqueMetadataValuesReturn { values: found.into_iter().map(|(value, _)| value).collect() })
    }

    pub async fn get_distinct_metadata_values(
        &self,
        caller: &Caller,
        param: GetDistinctMetadataValuesParam,
    ) -> Result<GetDistinctMetadataValuesReturn, Error> {
        let operation = &GET_DISTINCT_METADATA_VALUES;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?.id;
        let name = self.field_key(company, "metadataKey", &param.metadata_key).await?;
        let found = self.store.distinct_metadata(company, &name).await?;
        let counted = found.into_iter().map(|(value, count)| ValueCount { value, count });
        Ok(GetDistinctMetadataValuesReturn { value_array: counted.collect() })
    }
}

/// Checks a value of a dictionary.
pub(super) fn check<'a>(field: &str, tag: &'a str) -> Result<&'a str, Invalid> {
    if tag.is_empty() || tag.len() > LONGEST_VALUE {
        return Err(Invalid::new(field, format!("must have from 1 to {LONGEST_VALUE} bytes, not {}", tag.len())));
    }
    match tag.chars().find(|sign| sign.is_control()) {
        Some(sign) => Err(Invalid::new(field, format!("must not contain the control character U+{:04X}", sign as u32))),
        None => Ok(tag),
    }
}
