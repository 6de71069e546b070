//! searchAssetsByMetadata: the search of searchAssets by keys instead of handles, answered in short.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Metadata, READERS};
use crate::model::handle;
use crate::model::invalid::Invalid;
use crate::model::metadata::{self, FieldDefinition, SYSTEM_FIELDS};
use crate::service::access::Operation;
use crate::service::asset_query::field_condition::{MetadataCondition, read_keys};
use crate::service::asset_query::{MatchMode, SearchAssetsParam};
use crate::service::fields::Fields;
use crate::service::metadata::fields::no_such_field;
use crate::service::metadata::values::by_key;
use crate::service::{Caller, Error, Services, item, parse_optional, time_text};
use crate::store::assets::query::Group;

const SEARCH_ASSETS_BY_METADATA: Operation = Operation { name: "searchAssetsByMetadata", roles: READERS };

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchAssetsByMetadataParam {
    pub company_handle: String,
    pub filters: Option<SearchFilter>,
    #[serde(default)]
    pub metadata_condition_array: Vec<MetadataCondition>,
    pub metadata_condition_match_mode: Option<String>,
    #[serde(default)]
    pub response_metadata_array: Vec<String>,
    pub records_per_page: Option<i32>,
    pub results_page: Option<i32>,
    pub sort_by: Option<String>,
    pub sort_direction: Option<String>,
    pub haystack_search: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SearchFilter {
    pub folder: Option<String>,
    pub include_subfolders: Option<bool>,
    pub asset_type_array: Vec<String>,
    pub exclude_asset_type_array: Vec<String>,
    pub asset_sub_type_array: Vec<String>,
    pub strict_sub_type_check: Option<bool>,
    pub exclude_byproducts: Option<bool>,
    pub project_handle: Option<String>,
    pub publish_state: Option<String>,
    pub trash_state: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchAssetsByMetadataReturn {
    pub total_rows: u64,
    pub asset_summary_array: Vec<AssetSummary>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetSummary {
    pub asset_handle: String,
    #[serde(rename = "type")]
    pub asset_type: String,
    pub name: String,
    pub folder: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    pub created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_user: Option<String>,
    pub last_modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modify_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_array: Option<Vec<Metadata>>,
}

impl Services {
    pub async fn search_assets_by_metadata(
        &self,
        caller: &Caller,
        param: SearchAssetsByMetadataParam,
    ) -> Result<SearchAssetsByMetadataReturn, Error> {
        let operation = &SEARCH_ASSETS_BY_METADATA;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        if param.haystack_search.as_ref().is_some_and(|search| !search.is_null()) {
            return Err(
                Invalid::new("haystackSearch", "is not available: this server does not compare pictures").into()
            );
        }
        let definitions = self.store.metadata_fields(company.id).await?;
        let any = parse_optional("metadataConditionMatchMode", param.metadata_condition_match_mode.as_deref())?
            == Some(MatchMode::MatchAny);
        let conditions = read_keys(&company, &definitions, &param.metadata_condition_array)?;
        let wanted = wanted(&definitions, &param.response_metadata_array)?;
        let mut search = self.search_of(&company, &as_search(param), &Fields::default()).await?;
        search.groups.push(Group { conditions, any });
        let page = self.store.search_assets(company.id, &search).await?;
        let metadata = self.metadata_of(&company, &page.assets).await?;
        let shown = |field: Metadata| {
            let wanted = wanted.iter().find(|wanted| wanted.kept == field.name)?;
            Some(Metadata { name: wanted.shown.clone(), ..field })
        };
        let summary = |(asset, metadata): (&crate::store::assets::query::Asset, Vec<Metadata>)| AssetSummary {
            asset_handle: handle::asset(asset.id, asset.asset_type),
            asset_type: asset.asset_type.to_string(),
            name: asset.name.clone(),
            folder: handle::folder_path(&company.root_path, &asset.folder),
            filename: Some(asset.file_name.clone()).filter(|name| !name.is_empty()),
            created: time_text(asset.created_at),
            create_user: asset.created_by.clone(),
            last_modified: time_text(asset.modified_at),
            last_modify_user: asset.modified_by.clone(),
            metadata_array: Some(metadata.into_iter().filter_map(shown).collect())
                .filter(|fields: &Vec<Metadata>| !fields.is_empty()),
        };
        let asset_summary_array = page.assets.iter().zip(metadata).map(summary).collect();
        Ok(SearchAssetsByMetadataReturn { total_rows: page.total, asset_summary_array })
    }
}

/// What it shares with searchAssets. Without a filter all folders are searched.
fn as_search(param: SearchAssetsByMetadataParam) -> SearchAssetsParam {
    let filters = param.filters.unwrap_or_default();
    SearchAssetsParam {
        company_handle: param.company_handle,
        folder: filters.folder,
        include_subfolders: filters.include_subfolders.unwrap_or(true),
        publish_state: filters.publish_state,
        trash_state: filters.trash_state,
        asset_type_array: filters.asset_type_array,
        exclude_asset_type_array: filters.exclude_asset_type_array,
        asset_sub_type_array: filters.asset_sub_type_array,
        strict_sub_type_check: filters.strict_sub_type_check,
        exclude_byproducts: filters.exclude_byproducts,
        project_handle: filters.project_handle,
        records_per_page: param.records_per_page,
        results_page: param.results_page,
        sort_by: param.sort_by,
        sort_direction: param.sort_direction,
        ..SearchAssetsParam::default()
    }
}

/// A field that a reply is to show: the name it is kept under, and the one to show it by.
struct Wanted {
    kept: String,
    shown: String,
}

/// The fields that keys name. Those that go by a name of their own as keys are shown by it.
fn wanted(definitions: &[FieldDefinition], keys: &[String]) -> Result<Vec<Wanted>, Error> {
    let wanted = |(index, text): (usize, &String)| {
        let key = metadata::with_dot(text);
        let field = by_key(definitions, &key);
        let field = field.ok_or_else(|| no_such_field(&item("responseMetadataArray", index), text))?;
        let is_own = SYSTEM_FIELDS.contains(&field.name()) || key == "description";
        let shown = if is_own { key.as_str() } else { field.name() };
        Ok(Wanted { kept: field.name().to_owned(), shown: shown.to_owned() })
    };
    keys.iter().enumerate().map(wanted).collect()
}
