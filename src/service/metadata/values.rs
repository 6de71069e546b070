//! setAssetMetadata, batchSetAssetMetadata, deleteAssetMetadata.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::fields::{no_such_field, parse_handle};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::{AssetId, CompanyId};
use crate::model::invalid::Invalid;
use crate::model::metadata::{
    self, COMMENTS, DESCRIPTION, Field, FieldDefinition, MetadataUpdate, NoField, SKU, Scope, USER_DATA, Update, Values,
};
use crate::service::access::{EDITORS, Operation};
use crate::service::asset_change::{EmptyReturn, only};
use crate::service::asset_query::MOST_ITEMS;
use crate::service::{Caller, Denied, Error, Services, item};
use crate::store::assets::AssetError;

const SET_ASSET_METADATA: Operation = Operation { name: "setAssetMetadata", roles: EDITORS };
const BATCH_SET_ASSET_METADATA: Operation = Operation { name: "batchSetAssetMetadata", roles: EDITORS };
const DELETE_ASSET_METADATA: Operation = Operation { name: "deleteAssetMetadata", roles: EDITORS };

/// Most updates of one asset.
const MOST_UPDATES: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAssetMetadataParam {
    pub company_handle: String,
    pub asset_handle: String,
    #[serde(default)]
    pub update_array: Vec<MetadataUpdate>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchSetAssetMetadataParam {
    pub company_handle: String,
    #[serde(default)]
    pub update_array: Vec<BatchMetadataUpdate>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchMetadataUpdate {
    #[serde(default)]
    pub asset_handle_array: Vec<String>,
    #[serde(default)]
    pub update_array: Vec<MetadataUpdate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchSetAssetMetadataReturn {
    pub success_count: u32,
    pub warning_count: u32,
    pub error_count: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_detail_array: Vec<SetMetadataFault>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetMetadataFault {
    pub asset_handle: String,
    pub field_handle: String,
    pub code: i32,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAssetMetadataParam {
    pub company_handle: String,
    pub asset_handle: String,
    #[serde(default)]
    pub delete_array: Vec<MetadataDelete>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataDelete {
    pub field_handle: String,
}

impl Services {
    /// All of the updates or, when one of them is wrong, none.
    pub async fn set_asset_metadata(
        &self,
        caller: &Caller,
        param: SetAssetMetadataParam,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &SET_ASSET_METADATA, "companyHandle", &param.company_handle).await?;
        check_updates(param.update_array.len())?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let asset_type = self.type_of(company.id, id, &param.asset_handle).await?;
        let definitions = self.store.metadata_fields(company.id).await?;
        let mut updates = Vec::new();
        for (index, update) in param.update_array.iter().enumerate() {
            let read = read(company.id, &definitions, asset_type, update);
            updates.extend(read.map_err(|error| error.within(&item("updateArray", index)))?);
        }
        let outcomes = self.store.set_metadata(self.change(caller, &company), vec![(id, updates)]).await?;
        only(outcomes, &param.asset_handle)
    }

    /// Each update of each asset for itself.
    pub async fn batch_set_asset_metadata(
        &self,
        caller: &Caller,
        param: BatchSetAssetMetadataParam,
    ) -> Result<BatchSetAssetMetadataReturn, Error> {
        let operation = &BATCH_SET_ASSET_METADATA;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let pairs: usize =
            param.update_array.iter().map(|batch| batch.asset_handle_array.len() * batch.update_array.len()).sum();
        if pairs > MOST_ITEMS {
            let rule = format!("must hold at most {MOST_ITEMS} updates of assets, not {pairs}");
            return Err(Invalid::new("updateArray", rule).into());
        }
        let definitions = self.store.metadata_fields(company.id).await?;
        let types = self.types(company.id, &param).await?;
        let mut reply = BatchSetAssetMetadataReturn::default();
        let mut asked = Vec::new();
        for batch in &param.update_array {
            for text in &batch.asset_handle_array {
                for update in &batch.update_array {
                    let known = handle::parse_asset("assetHandle", text).map_err(Error::from).and_then(|id| {
                        types.get(&id).map(|asset_type| (id, *asset_type)).ok_or_else(|| no_such_asset(text))
                    });
                    let read = known
                        .and_then(|(id, asset_type)| Ok((id, read(company.id, &definitions, asset_type, update)?)));
                    match read {
                        Ok((id, updates)) => asked.push((text, update, id, updates)),
                        Err(error) => reply.refuse(text, update, &error)?,
                    }
                }
            }
        }
        let updates = asked.iter().map(|(_, _, id, updates)| (*id, updates.clone())).collect();
        let outcomes = self.store.set_metadata(self.change(caller, &company), updates).await?;
        for ((text, update, ..), outcome) in asked.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => reply.success_count += 1,
                Err(AssetError::Store(error)) => return Err(error.into()),
                Err(error) => reply.refuse(text, update, &Error::Refused(format!("assetHandle: {error}")))?,
            }
        }
        Ok(reply)
    }

    pub async fn delete_asset_metadata(
        &self,
        caller: &Caller,
        param: DeleteAssetMetadataParam,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &DELETE_ASSET_METADATA, "companyHandle", &param.company_handle).await?;
        check_updates(param.delete_array.len())?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let asset_type = self.type_of(company.id, id, &param.asset_handle).await?;
        let definitions = self.store.metadata_fields(company.id).await?;
        let mut updates = Vec::new();
        for (index, one) in param.delete_array.iter().enumerate() {
            let name = parse_handle(company.id, "fieldHandle", &one.field_handle);
            let name = name.and_then(|(_, name)| {
                find(&definitions, &name, asset_type, &one.field_handle).map(|field| field.name().to_owned())
            });
            let name = name.map_err(|error| error.within(&item("deleteArray", index)))?;
            updates.push(Update { name, values: Values::Delete });
        }
        let outcomes = self.store.set_metadata(self.change(caller, &company), vec![(id, updates)]).await?;
        only(outcomes, &param.asset_handle)
    }

    /// Checks what a job is to set on its assets, of whatever types they turn out to be.
    pub(in crate::service) async fn check_metadata(
        &self,
        company: CompanyId,
        updates: &[MetadataUpdate],
    ) -> Result<(), Error> {
        if updates.is_empty() {
            return Ok(());
        }
        let definitions = self.store.metadata_fields(company).await?;
        updates.iter().enumerate().try_for_each(|(index, update)| {
            check(company, &definitions, update).map_err(|error| error.within(&item("updateArray", index)))
        })
    }

    async fn type_of(&self, company: CompanyId, asset: AssetId, text: &str) -> Result<AssetType, Error> {
        let found = self.store.assets(company, &[asset]).await?.pop();
        found.map(|asset| asset.asset_type).ok_or_else(|| no_such_asset(text))
    }

    /// The types of all assets that a batch names.
    async fn types(
        &self,
        company: CompanyId,
        param: &BatchSetAssetMetadataParam,
    ) -> Result<HashMap<AssetId, AssetType>, Error> {
        let handles = param.update_array.iter().flat_map(|batch| &batch.asset_handle_array);
        let assets: Vec<AssetId> = handles.filter_map(|text| handle::parse_asset("assetHandle", text).ok()).collect();
        let found = self.store.assets(company, &assets).await?;
        Ok(found.into_iter().map(|asset| (asset.id, asset.asset_type)).collect())
    }

    /// What values of the field with this handle are kept under.
    pub(super) async fn field_name(&self, company: CompanyId, field: &str, text: &str) -> Result<String, Error> {
        let (scope, name) = parse_handle(company, field, text)?;
        self.named(company, scope, &name).await?.ok_or_else(|| no_such_field(field, text))
    }

    /// The same by a key.
    pub(super) async fn field_key(&self, company: CompanyId, field: &str, text: &str) -> Result<String, Error> {
        let definitions = self.store.metadata_fields(company).await?;
        let key = metadata::with_dot(text);
        let found = by_key(&definitions, &key).map(|found| found.name().to_owned());
        found.ok_or_else(|| no_such_field(field, text))
    }

    async fn named(&self, company: CompanyId, scope: Scope, name: &str) -> Result<Option<String>, Error> {
        let definitions = self.store.metadata_fields(company).await?;
        Ok(named(&definitions, scope, name).map(|field| field.name().to_owned()))
    }
}

/// The field that a key names: its name with the prefix of its schema and a dot in front, or a name of its own for it. The key has
/// a dot where clients may write a colon.
pub fn by_key<'a>(definitions: &'a [FieldDefinition], key: &'a str) -> Option<Field<'a>> {
    let own = match key {
        "description" => return Some(Field::Known(DESCRIPTION)),
        "comment" => Some(COMMENTS),
        "user_data" => Some(USER_DATA),
        "sku" => Some(SKU),
        _ => None,
    };
    // A field that the company called so is the one it means.
    named(definitions, Scope::All, key).or_else(|| named(definitions, Scope::All, own?))
}

/// The field of this name that assets of the scope have.
pub fn named<'a>(definitions: &'a [FieldDefinition], scope: Scope, name: &'a str) -> Option<Field<'a>> {
    let asset_type = match scope {
        Scope::Of(asset_type) => asset_type,
        // Any field of the name will do.
        Scope::All => match Field::find(definitions, name, AssetType::Asset) {
            Err(NoField::OtherType(Scope::Of(asset_type))) => asset_type,
            _ => AssetType::Asset,
        },
    };
    Field::find(definitions, name, asset_type).ok()
}

impl BatchSetAssetMetadataReturn {
    /// Notes an update that is not done. What is nobody's fault but ours ends the whole batch.
    fn refuse(&mut self, asset: &str, update: &MetadataUpdate, error: &Error) -> Result<(), Error> {
        let code = match error {
            Error::Invalid(_) => 30001,
            Error::Missing { .. } => 30002,
            Error::Refused(_) | Error::Ambiguous(_) => 30000,
            Error::Denied(Denied::IllegalCompany { .. }) => 20006,
            Error::Denied(_) => 20005,
            Error::NotAuthenticated(_) | Error::Busy | Error::Store(_) | Error::Internal(_) => {
                return Err(error.clone());
            }
        };
        self.error_count += 1;
        self.error_detail_array.push(SetMetadataFault {
            asset_handle: asset.to_owned(),
            field_handle: update.field_handle.clone(),
            code,
            reason: error.to_string(),
        });
        Ok(())
    }
}

fn check_updates(count: usize) -> Result<(), Invalid> {
    if count > MOST_UPDATES {
        return Err(Invalid::new("updateArray", format!("must hold at most {MOST_UPDATES} items, not {count}")));
    }
    Ok(())
}

fn no_such_asset(text: &str) -> Error {
    Error::Refused(format!("assetHandle: there is no asset {text} in the company"))
}

fn find<'a>(
    definitions: &'a [FieldDefinition],
    name: &'a str,
    asset_type: AssetType,
    text: &str,
) -> Result<Field<'a>, Error> {
    Field::find(definitions, name, asset_type).map_err(|why| match why {
        NoField::Unknown => no_such_field("fieldHandle", text),
        NoField::OtherType(scope) => {
            let rule = format!("must be of a field for assets of type {asset_type}, not of one for {scope}");
            Invalid::new("fieldHandle", rule).into()
        }
    })
}

fn read(
    company: CompanyId,
    definitions: &[FieldDefinition],
    asset_type: AssetType,
    update: &MetadataUpdate,
) -> Result<Vec<Update>, Error> {
    let (_, name) = parse_handle(company, "fieldHandle", &update.field_handle)?;
    let field = find(definitions, &name, asset_type, &update.field_handle)?;
    asked(update, field)
}

/// The same where the assets are not known yet.
fn check(company: CompanyId, definitions: &[FieldDefinition], update: &MetadataUpdate) -> Result<(), Error> {
    let (scope, name) = parse_handle(company, "fieldHandle", &update.field_handle)?;
    let field = named(definitions, scope, &name);
    asked(update, field.ok_or_else(|| no_such_field("fieldHandle", &update.field_handle))?).map(drop)
}

/// What an update asks of a field.
fn asked(update: &MetadataUpdate, field: Field<'_>) -> Result<Vec<Update>, Error> {
    let updates = update.of(field)?;
    if updates.is_empty() {
        return Err(Error::missing("value", "an update needs a value, a typed one, or a list of tags"));
    }
    Ok(updates)
}
