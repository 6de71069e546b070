//! getMetadataFields, getAssetMetadataFields, saveMetadataField, createMetadataField, updateMetadataField,
//! deleteMetadataField.

use serde::{Deserialize, Serialize};

use super::{KEEPERS, READERS};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::{CompanyId, MetadataFieldId};
use crate::model::invalid::Invalid;
use crate::model::metadata::{Field, FieldDefinition, FieldType, Scope, check_field_name};
use crate::model::role::Role;
use crate::service::access::Operation;
use crate::service::asset_change::EmptyReturn;
use crate::service::{Caller, Denied, Error, Services, parse};
use crate::store::metadata_fields::MetadataFieldError;

const GET_METADATA_FIELDS: Operation = Operation { name: "getMetadataFields", roles: READERS };
const GET_ASSET_METADATA_FIELDS: Operation = Operation { name: "getAssetMetadataFields", roles: READERS };
const SAVE_METADATA_FIELD: Operation = Operation {
    name: "saveMetadataField",
    roles: &[Role::IpsUser, Role::IpsAdmin, Role::IpsCompanyAdmin, Role::ImagePortalAdmin],
};
// Others make fields by saveMetadataField.
const CREATE_METADATA_FIELD: Operation = Operation { name: "createMetadataField", roles: &[Role::IpsAdmin] };
const UPDATE_METADATA_FIELD: Operation = Operation { name: "updateMetadataField", roles: KEEPERS };
const DELETE_METADATA_FIELD: Operation = Operation { name: "deleteMetadataField", roles: KEEPERS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMetadataFieldsParam {
    pub company_handle: String,
    pub asset_type: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMetadataFieldsReturn {
    pub field_array: Vec<MetadataField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataField {
    pub field_handle: String,
    pub name: String,
    #[serde(rename = "type")]
    pub field_type: String,
    pub default_value: String,
    pub is_required: bool,
    pub is_user_defined: bool,
    pub is_hidden: bool,
    pub is_enforced: bool,
    pub is_publish_data: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_tag_value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetMetadataFieldsParam {
    pub company_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetMetadataFieldsReturn {
    pub asset_fields_array: Vec<AssetMetadataFields>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetMetadataFields {
    pub asset_type: String,
    pub field_array: Vec<MetadataField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaveMetadataFieldParam {
    pub company_handle: String,
    pub field_handle: Option<String>,
    pub asset_type: String,
    pub name: String,
    pub field_type: String,
    pub default_value: String,
    pub is_hidden: Option<bool>,
    pub is_enforced: Option<bool>,
    pub is_publish_data: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateMetadataFieldParam {
    pub company_handle: String,
    pub asset_type: String,
    pub name: String,
    pub field_type: String,
    pub default_value: Option<String>,
    pub is_hidden: Option<bool>,
    pub is_enforced: Option<bool>,
    pub is_publish_data: Option<bool>,
    pub initial_tag_value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMetadataFieldParam {
    pub company_handle: String,
    pub field_handle: String,
    pub name: Option<String>,
    pub default_value: Option<String>,
    pub is_hidden: Option<bool>,
    pub is_enforced: Option<bool>,
    pub is_publish_data: Option<bool>,
    pub initial_tag_value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteMetadataFieldParam {
    pub company_handle: String,
    pub field_handle: String,
}

/// What saveMetadataField, createMetadataField and updateMetadataField answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldHandleReturn {
    pub field_handle: String,
}

fn view(company: CompanyId, field: &FieldDefinition) -> MetadataField {
    MetadataField {
        field_handle: handle::metadata_field(company, field.scope, &field.name),
        name: field.name.clone(),
        field_type: field.field_type.to_string(),
        default_value: field.default_value.clone(),
        is_required: false,
        is_user_defined: true,
        is_hidden: field.is_hidden,
        is_enforced: field.is_enforced,
        is_publish_data: field.is_publish_data,
        initial_tag_value: field.tags.first().cloned(),
    }
}

impl Services {
    /// Those that assets of the type have: fields for any type, and for this one.
    pub async fn get_metadata_fields(
        &self,
        caller: &Caller,
        param: GetMetadataFieldsParam,
    ) -> Result<GetMetadataFieldsReturn, Error> {
        let company = self.in_company(caller, &GET_METADATA_FIELDS, "companyHandle", &param.company_handle).await?.id;
        let asset_type: AssetType = parse("assetType", &param.asset_type)?;
        let mut fields = self.store.metadata_fields(company).await?;
        fields.retain(|field| field.scope.covers(asset_type));
        Ok(GetMetadataFieldsReturn { field_array: fields.iter().map(|field| view(company, field)).collect() })
    }

    /// Fields for any type under Asset, and then those of each type that has some.
    pub async fn get_asset_metadata_fields(
        &self,
        caller: &Caller,
        param: GetAssetMetadataFieldsParam,
    ) -> Result<GetAssetMetadataFieldsReturn, Error> {
        let operation = &GET_ASSET_METADATA_FIELDS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?.id;
        let fields = self.store.metadata_fields(company).await?;
        let of = |asset_type: AssetType| {
            let mine = fields.iter().filter(|field| field.scope == Scope::of(asset_type));
            let field_array = mine.map(|field| view(company, field)).collect();
            AssetMetadataFields { asset_type: asset_type.to_string(), field_array }
        };
        let types = AssetType::ALL.iter().filter(|asset_type| **asset_type != AssetType::Asset);
        let with_fields = types.map(|asset_type| of(*asset_type)).filter(|fields| !fields.field_array.is_empty());
        let asset_fields_array = std::iter::once(of(AssetType::Asset)).chain(with_fields).collect();
        Ok(GetAssetMetadataFieldsReturn { asset_fields_array })
    }

    pub async fn save_metadata_field(
        &self,
        caller: &Caller,
        param: SaveMetadataFieldParam,
    ) -> Result<FieldHandleReturn, Error> {
        let company = self.in_company(caller, &SAVE_METADATA_FIELD, "companyHandle", &param.company_handle).await?.id;
        let given = param.field_handle.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let asset_type: AssetType = parse("assetType", &param.asset_type)?;
        let field_type: FieldType = parse("fieldType", &param.field_type)?;
        let known = match given {
            Some(text) => Some(self.defined(company, text).await?),
            None => None,
        };
        let before = known.clone().unwrap_or_else(|| new_field(Scope::of(asset_type), field_type));
        if known.is_some() && before.scope != Scope::of(asset_type) {
            let rule = format!("cannot be changed: the field is for {}", before.scope);
            return Err(Invalid::new("assetType", rule).into());
        }
        // Another type brings its own dictionary, unless both have one that clients fill.
        let keeps_tags = before.field_type.is_tag() && field_type.is_tag() && field_type != FieldType::BooleanTag;
        let field = FieldDefinition {
            name: param.name,
            field_type,
            default_value: param.default_value,
            is_hidden: param.is_hidden.unwrap_or(before.is_hidden),
            is_enforced: param.is_enforced.unwrap_or(before.is_enforced),
            is_publish_data: param.is_publish_data.unwrap_or(before.is_publish_data),
            tags: if keeps_tags { before.tags } else { field_type.first_tags(None) },
            ..before
        };
        self.write_field(company, checked(field)?, known.is_none()).await
    }

    pub async fn create_metadata_field(
        &self,
        caller: &Caller,
        param: CreateMetadataFieldParam,
    ) -> Result<FieldHandleReturn, Error> {
        let company = self.in_company(caller, &CREATE_METADATA_FIELD, "companyHandle", &param.company_handle).await?.id;
        let asset_type: AssetType = parse("assetType", &param.asset_type)?;
        let field_type: FieldType = parse("fieldType", &param.field_type)?;
        let before = new_field(Scope::of(asset_type), field_type);
        let field = FieldDefinition {
            name: param.name,
            default_value: param.default_value.unwrap_or_default(),
            is_hidden: param.is_hidden.unwrap_or(before.is_hidden),
            is_enforced: param.is_enforced.unwrap_or(before.is_enforced),
            is_publish_data: param.is_publish_data.unwrap_or(before.is_publish_data),
            tags: field_type.first_tags(checked_tag(param.initial_tag_value.as_deref())?),
            ..before
        };
        self.write_field(company, checked(field)?, true).await
    }

    pub async fn update_metadata_field(
        &self,
        caller: &Caller,
        param: UpdateMetadataFieldParam,
    ) -> Result<FieldHandleReturn, Error> {
        let company = self.in_company(caller, &UPDATE_METADATA_FIELD, "companyHandle", &param.company_handle).await?.id;
        let before = self.defined(company, &param.field_handle).await?;
        let mut tags = before.tags.clone();
        if let Some(tag) = checked_tag(param.initial_tag_value.as_deref())?
            && before.field_type.is_tag()
            && before.field_type != FieldType::BooleanTag
        {
            tags.retain(|known| known != tag);
            tags.insert(0, tag.to_owned());
        }
        let field = FieldDefinition {
            name: param.name.unwrap_or_else(|| before.name.clone()),
            default_value: param.default_value.unwrap_or_else(|| before.default_value.clone()),
            is_hidden: param.is_hidden.unwrap_or(before.is_hidden),
            is_enforced: param.is_enforced.unwrap_or(before.is_enforced),
            is_publish_data: param.is_publish_data.unwrap_or(before.is_publish_data),
            tags,
            ..before
        };
        self.write_field(company, checked(field)?, false).await
    }

    /// The values that assets have in the field go with it.
    pub async fn delete_metadata_field(
        &self,
        caller: &Caller,
        param: DeleteMetadataFieldParam,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &DELETE_METADATA_FIELD, "companyHandle", &param.company_handle).await?.id;
        let field = self.defined(company, &param.field_handle).await?;
        self.store.delete_metadata_field(company, field).await.map_err(refused)?;
        Ok(EmptyReturn {})
    }

    async fn write_field(
        &self,
        company: CompanyId,
        field: FieldDefinition,
        is_new: bool,
    ) -> Result<FieldHandleReturn, Error> {
        let field_handle = handle::metadata_field(company, field.scope, &field.name);
        let written = if is_new {
            self.store.add_metadata_field(company, field).await
        } else {
            self.store.change_metadata_field(company, field).await
        };
        written.map_err(refused)?;
        Ok(FieldHandleReturn { field_handle })
    }

    /// The field that a company defined and `text`, the value of fieldHandle, is the handle of.
    pub(super) async fn defined(&self, company: CompanyId, text: &str) -> Result<FieldDefinition, Error> {
        let (scope, name) = parse_handle(company, "fieldHandle", text)?;
        let fields = self.store.metadata_fields(company).await?;
        let found = fields.into_iter().find(|field| field.scope == scope && field.name == name);
        found.ok_or_else(|| no_such_field("fieldHandle", text))
    }
}

/// What a handle says of a field of the company.
pub fn parse_handle(company: CompanyId, field: &str, text: &str) -> Result<(Scope, String), Error> {
    match handle::parse_metadata_field(field, text)? {
        (owner, scope, name) if owner == company => Ok((scope, name)),
        (owner, ..) => Err(Denied::handle_of_another(field, owner, company).into()),
    }
}

pub fn no_such_field(field: &str, text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::Refused(format!("{field}: there is no metadata field {shown} in the company; see getMetadataFields"))
}

pub(super) fn refused(error: MetadataFieldError) -> Error {
    match error {
        MetadataFieldError::Store(error) => error.into(),
        MetadataFieldError::NotFound => Error::Refused(format!("fieldHandle: {error}")),
        MetadataFieldError::NameTaken(_) => Error::Refused(format!("name: {error}")),
        MetadataFieldError::TooMany { .. } => Error::Refused(error.to_string()),
    }
}

fn new_field(scope: Scope, field_type: FieldType) -> FieldDefinition {
    FieldDefinition {
        id: MetadataFieldId(0),
        scope,
        name: String::new(),
        field_type,
        default_value: String::new(),
        is_hidden: false,
        is_enforced: false,
        is_publish_data: true,
        tags: Vec::new(),
    }
}

fn checked(mut field: FieldDefinition) -> Result<FieldDefinition, Invalid> {
    field.name = check_field_name(&field.name)?;
    if field.field_type.is_tag() && !field.default_value.trim().is_empty() {
        return Err(Invalid::new(
            "defaultValue",
            format!("must be empty: fields of type {} have none", field.field_type),
        ));
    }
    let default =
        Field::Defined(&field).read(&field.default_value).map_err(|rule| Invalid::new("defaultValue", rule))?;
    field.default_value = default.into_iter().next().unwrap_or_default();
    Ok(field)
}

fn checked_tag(tag: Option<&str>) -> Result<Option<&str>, Invalid> {
    match tag.map(str::trim).filter(|tag| !tag.is_empty()) {
        Some(tag) => super::tags::check("initialTagValue", tag).map(Some),
        None => Ok(None),
    }
}
