//! searchAssets, getAssets, getAssetsByName.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{EVERYBODY, Operation};
use super::asset_view::Asset;
use super::fields::Fields;
use super::folders::{folder_path, refusal};
use super::{Caller, Error, Services, item, parse_all, parse_optional};
use crate::model::asset::{AssetType, PublishState, TrashState};
use crate::model::invalid::Invalid;
use crate::model::metadata::FieldDefinition;
use crate::model::role::Role;
use crate::model::{constants, handle};
use crate::store::assets::query::{self as stored, Group, Search, Sort};
use crate::store::companies::Company;
use crate::store::folders::FolderError;

pub mod condition;
pub mod field_condition;

pub use condition::SystemFieldCondition;
pub use field_condition::{MetadataCondition, TagCondition};

const SEARCH_ASSETS: Operation = Operation { name: "searchAssets", roles: EVERYBODY };
const GET_ASSETS: Operation = Operation { name: "getAssets", roles: EVERYBODY };
const GET_ASSETS_BY_NAME: Operation = Operation {
    name: "getAssetsByName",
    roles: &[
        Role::IpsUser,
        Role::IpsAdmin,
        Role::IpsCompanyAdmin,
        Role::TrialSiteAdmin,
        Role::TrialSiteUser,
        Role::ImagePortalAdmin,
        Role::ImagePortalContrib,
        Role::ImagePortalContribUser,
    ],
};

/// Most assets in a reply.
const MOST_ASSETS: u32 = 1000;

/// Most assets in a reply that holds nothing but [`SMALL_FIELDS`].
const MOST_SMALL_ASSETS: u32 = 10_000;
const SMALL_FIELDS: &[&str] = &["totalRows", "name", "assetHandle", "type", "subType"];

/// Most handles or names in a request.
pub(super) const MOST_ITEMS: usize = 10_000;

constants! {
    /// AssetSortFields constants.
    enum SortField("asset sort field") { Created, Modified, Name, AssetType, FileSize }
}

constants! {
    /// SortDirections constants.
    enum SortDirection("sort direction") { Ascending, Descending }
}

constants! {
    /// SearchMatchModes constants.
    pub enum MatchMode("search match mode") { MatchAll, MatchAny }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchAssetsParam {
    pub company_handle: String,
    pub access_user_handle: Option<String>,
    pub access_group_handle: Option<String>,
    pub folder: Option<String>,
    pub include_subfolders: bool,
    pub publish_state: Option<String>,
    pub trash_state: Option<String>,
    pub condition_match_mode: Option<String>,
    #[serde(default)]
    pub keyword_array: Vec<String>,
    pub system_field_match_mode: Option<String>,
    #[serde(default)]
    pub system_field_condition_array: Vec<SystemFieldCondition>,
    pub tag_match_mode: Option<String>,
    #[serde(default)]
    pub tag_condition_array: Vec<TagCondition>,
    pub metadata_match_mode: Option<String>,
    #[serde(default)]
    pub metadata_condition_array: Vec<MetadataCondition>,
    #[serde(default)]
    pub asset_type_array: Vec<String>,
    #[serde(default)]
    pub exclude_asset_type_array: Vec<String>,
    #[serde(default)]
    pub asset_sub_type_array: Vec<String>,
    pub strict_sub_type_check: Option<bool>,
    pub exclude_byproducts: Option<bool>,
    #[serde(default)]
    pub exclude_byproduct_array: Vec<Value>,
    pub project_handle: Option<String>,
    pub records_per_page: Option<i32>,
    pub results_page: Option<i32>,
    pub sort_by: Option<String>,
    pub sort_direction: Option<String>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SearchAssetsReturn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_array: Option<Vec<Asset>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetsParam {
    pub company_handle: String,
    pub access_user_handle: Option<String>,
    pub access_group_handle: Option<String>,
    pub asset_handle_array: Vec<String>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

/// What getAssets and getAssetsByName answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetAssetsReturn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_array: Option<Vec<Asset>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetsByNameParam {
    pub company_handle: String,
    pub access_user_handle: Option<String>,
    pub access_group_handle: Option<String>,
    pub name_array: Vec<String>,
    #[serde(default)]
    pub asset_type_array: Vec<String>,
    #[serde(default)]
    pub exclude_asset_type_array: Vec<String>,
    #[serde(default)]
    pub asset_sub_type_array: Vec<String>,
    pub strict_sub_type_check: Option<bool>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

impl Services {
    pub async fn search_assets(&self, caller: &Caller, param: SearchAssetsParam) -> Result<SearchAssetsReturn, Error> {
        let company = self.in_company(caller, &SEARCH_ASSETS, "companyHandle", &param.company_handle).await?;
        let (user, group) = (param.access_user_handle.as_deref(), param.access_group_handle.as_deref());
        self.check_impersonation(caller, &company, user, group).await?;
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        let search = self.search_of(&company, &param, &fields).await?;
        let page = self.store.search_assets(company.id, &search).await?;
        let assets = self.show(&company, &page.assets, &fields).await?;
        fields.apply(SearchAssetsReturn { total_rows: Some(page.total), asset_array: Some(assets) })
    }

    /// What a request asks for, in a folder that is there.
    pub(super) async fn search_of(
        &self,
        company: &Company,
        param: &SearchAssetsParam,
        fields: &Fields,
    ) -> Result<Search, Error> {
        let definitions = if param.metadata_condition_array.is_empty() && param.tag_condition_array.is_empty() {
            Vec::new()
        } else {
            self.store.metadata_fields(company.id).await?
        };
        let search = search(company, param, fields, &definitions)?;
        match self.store.folder_exists(company.id, &search.folder).await? {
            true => Ok(search),
            false => Err(refusal(FolderError::NotFound, company, "folder", &search.folder)),
        }
    }

    /// Assets that are not there are left out.
    pub async fn get_assets(&self, caller: &Caller, param: GetAssetsParam) -> Result<GetAssetsReturn, Error> {
        let company = self.in_company(caller, &GET_ASSETS, "companyHandle", &param.company_handle).await?;
        let (user, group) = (param.access_user_handle.as_deref(), param.access_group_handle.as_deref());
        self.check_impersonation(caller, &company, user, group).await?;
        check_count("assetHandleArray", param.asset_handle_array.len())?;
        let handles = param.asset_handle_array.iter().enumerate();
        let assets = handles
            .map(|(index, text)| handle::parse_asset(&item("assetHandleArray", index), text))
            .collect::<Result<Vec<_>, Invalid>>()?;
        let found = self.store.assets(company.id, &assets).await?;
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        let assets = self.show(&company, &found, &fields).await?;
        fields.apply(GetAssetsReturn { asset_array: Some(assets) })
    }

    pub async fn get_assets_by_name(
        &self,
        caller: &Caller,
        param: GetAssetsByNameParam,
    ) -> Result<GetAssetsReturn, Error> {
        let company = self.in_company(caller, &GET_ASSETS_BY_NAME, "companyHandle", &param.company_handle).await?;
        let (user, group) = (param.access_user_handle.as_deref(), param.access_group_handle.as_deref());
        self.check_impersonation(caller, &company, user, group).await?;
        check_count("nameArray", param.name_array.len())?;
        let strict = param.strict_sub_type_check.unwrap_or(false);
        let types = types_wanted(&param.asset_type_array)?;
        let excluded: Vec<AssetType> = parse_all("excludeAssetTypeArray", &param.exclude_asset_type_array)?;
        let mut found = self.store.assets_named(company.id, &param.name_array).await?;
        found.retain(|asset| types.as_ref().is_none_or(|types| types.contains(&asset.asset_type)));
        found.retain(|asset| !excluded.contains(&asset.asset_type));
        found.retain(|asset| has_sub_type(asset, &param.asset_sub_type_array, strict));
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        let assets = self.show(&company, &found, &fields).await?;
        fields.apply(GetAssetsReturn { asset_array: Some(assets) })
    }
}

pub(super) fn check_count(field: &str, count: usize) -> Result<(), Invalid> {
    if count > MOST_ITEMS {
        return Err(Invalid::new(field, format!("must hold at most {MOST_ITEMS} items, not {count}")));
    }
    Ok(())
}

/// Which types may be returned; None is any.
fn types_wanted(types: &[String]) -> Result<Option<Vec<AssetType>>, Invalid> {
    let types: Vec<AssetType> = parse_all("assetTypeArray", types)?;
    // `Asset` stands for all of them.
    Ok(if types.is_empty() || types.contains(&AssetType::Asset) { None } else { Some(types) })
}

/// Only asset sets have sub-types.
fn has_sub_type(asset: &stored::Asset, wanted: &[String], strict: bool) -> bool {
    wanted.is_empty() || asset.sub_type.as_ref().map_or(!strict, |sub_type| wanted.contains(sub_type))
}

fn search(
    company: &Company,
    param: &SearchAssetsParam,
    fields: &Fields,
    definitions: &[FieldDefinition],
) -> Result<Search, Error> {
    refuse_unanswerable(param)?;
    let most = if fields.only(SMALL_FIELDS) { MOST_SMALL_ASSETS } else { MOST_ASSETS };
    let per_page = positive("recordsPerPage", param.records_per_page)?.unwrap_or(MOST_ASSETS).min(most);
    let page = positive("resultsPage", param.results_page)?.unwrap_or(1);
    let any = |field: &str, mode: &Option<String>| -> Result<bool, Invalid> {
        Ok(parse_optional(field, mode.as_deref())? == Some(MatchMode::MatchAny))
    };
    let group = |conditions, any| Group { conditions, any };
    let metadata = field_condition::read_fields(company, definitions, &param.metadata_condition_array)?;
    let tags = field_condition::read_tags(company.id, definitions, &param.tag_condition_array)?;
    let groups = vec![
        group(field_condition::read_keywords(&param.keyword_array)?, false),
        group(
            condition::read_all(&param.system_field_condition_array)?,
            any("systemFieldMatchMode", &param.system_field_match_mode)?,
        ),
        group(tags, any("tagMatchMode", &param.tag_match_mode)?),
        group(metadata, any("metadataMatchMode", &param.metadata_match_mode)?),
    ];
    let direction = parse_optional("sortDirection", param.sort_direction.as_deref())?;
    let sort = match parse_optional("sortBy", param.sort_by.as_deref())?.unwrap_or(SortField::Name) {
        SortField::Created => Sort::Created,
        SortField::Modified => Sort::Modified,
        SortField::Name => Sort::Name,
        SortField::AssetType => Sort::AssetType,
        SortField::FileSize => Sort::FileSize,
    };
    let strict = param.strict_sub_type_check.unwrap_or(false);
    let trash_state: Option<TrashState> = parse_optional("trashState", param.trash_state.as_deref())?;
    let publish_state: Option<PublishState> = parse_optional("publishState", param.publish_state.as_deref())?;
    Ok(Search {
        folder: folder_path(company, "folder", param.folder.as_deref().unwrap_or_default())?,
        include_subfolders: param.include_subfolders,
        trash_state: trash_state.unwrap_or(TrashState::NotInTrash),
        publish_state,
        types: types_wanted(&param.asset_type_array)?,
        excluded_types: parse_all("excludeAssetTypeArray", &param.exclude_asset_type_array)?,
        sub_types: param.asset_sub_type_array.clone(),
        strict_sub_types: strict,
        groups,
        any_group: any("conditionMatchMode", &param.condition_match_mode)?,
        sort,
        descending: direction == Some(SortDirection::Descending),
        limit: per_page,
        offset: u64::from(page - 1) * u64::from(per_page),
    })
}

/// Nothing is better than a wrong answer: what is not kept cannot be searched.
fn refuse_unanswerable(param: &SearchAssetsParam) -> Result<(), Invalid> {
    if param.project_handle.as_deref().is_some_and(|project| !project.is_empty()) {
        return Err(Invalid::new("projectHandle", "cannot be searched by: this server keeps no projects"));
    }
    Ok(())
}

fn positive(field: &str, number: Option<i32>) -> Result<Option<u32>, Invalid> {
    match number {
        None => Ok(None),
        Some(number) => match u32::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(Invalid::new(field, format!("must be 1 or more, not {number}"))),
        },
    }
}
