//! createImageSet, updateImageSet, getImageSetMembers, setImageSetMembers, createAssetSet, updateAssetSet,
//! setAssetSetDefinition.
//!
//! The members of an asset set are the assets that its definition names.

use serde::{Deserialize, Serialize};

use super::access::{EDITORS, Operation};
use super::asset_change::EmptyReturn;
use super::asset_view::Asset;
use super::fields::Fields;
use super::folders::folder_path;
use super::{Caller, Error, Services, item, parse};
use crate::model::asset::AssetType;
use crate::model::id::AssetId;
use crate::model::invalid::Invalid;
use crate::model::name::check_asset_name;
use crate::model::property_set::check_name;
use crate::model::role::Role;
use crate::model::{handle, set_definition};
use crate::store::assets::AssetError;
use crate::store::assets::query as stored;
use crate::store::assets::relations::SetMember;
use crate::store::assets::set_change::{Seat, SetContent, SetError, UserSet};
use crate::store::companies::Company;

const CREATE_IMAGE_SET: Operation = Operation { name: "createImageSet", roles: EDITORS };
const UPDATE_IMAGE_SET: Operation = Operation { name: "updateImageSet", roles: EDITORS };
const SET_IMAGE_SET_MEMBERS: Operation = Operation { name: "setImageSetMembers", roles: EDITORS };
const CREATE_ASSET_SET: Operation = Operation { name: "createAssetSet", roles: EDITORS };
const UPDATE_ASSET_SET: Operation = Operation { name: "updateAssetSet", roles: EDITORS };
const SET_ASSET_SET_DEFINITION: Operation = Operation { name: "setAssetSetDefinition", roles: EDITORS };
const GET_IMAGE_SET_MEMBERS: Operation = Operation {
    name: "getImageSetMembers",
    roles: &[
        Role::IpsUser,
        Role::IpsAdmin,
        Role::IpsCompanyAdmin,
        Role::TrialSiteAdmin,
        Role::TrialSiteUser,
        Role::ImagePortalUser,
        Role::ImagePortalContrib,
        Role::ImagePortalContribUser,
    ],
};

/// What createImageSet makes: image sets, spin sets, swatch sets and eCatalogs.
const IMAGE_SETS: &[AssetType] = &[AssetType::ImageSet, AssetType::SpinSet, AssetType::RenderSet, AssetType::Catalog];
const ASSET_SETS: &[AssetType] = &[AssetType::AssetSet];

/// Most members of a set.
const MOST_MEMBERS: usize = 5000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateImageSetParam {
    pub company_handle: String,
    pub folder_handle: String,
    pub name: String,
    #[serde(rename = "type")]
    pub set_type: String,
    pub thumb_asset_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAssetSetParam {
    pub company_handle: String,
    pub folder_handle: String,
    pub name: String,
    pub sub_type: String,
    pub set_definition: Option<String>,
    pub thumb_asset_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSetReturn {
    pub asset_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateImageSetParam {
    pub company_handle: String,
    pub asset_handle: String,
    /// None leaves the members as they are.
    pub member_array: Option<Vec<ImageSetMemberUpdate>>,
    pub thumb_asset_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetImageSetMembersParam {
    pub company_handle: String,
    pub asset_handle: String,
    #[serde(default)]
    pub member_array: Vec<ImageSetMemberUpdate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSetMemberUpdate {
    pub asset_handle: String,
    pub page_reset: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAssetSetParam {
    pub company_handle: String,
    pub asset_handle: String,
    pub set_definition: Option<String>,
    pub thumb_asset_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAssetSetDefinitionParam {
    pub company_handle: String,
    pub asset_handle: String,
    pub set_definition: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetImageSetMembersParam {
    pub company_handle: String,
    pub asset_handle: String,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetImageSetMembersReturn {
    pub member_array: Vec<ImageSetMember>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageSetMember {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_reset: Option<bool>,
}

impl Services {
    pub async fn create_image_set(
        &self,
        caller: &Caller,
        param: CreateImageSetParam,
    ) -> Result<CreateSetReturn, Error> {
        let company = self.in_company(caller, &CREATE_IMAGE_SET, "companyHandle", &param.company_handle).await?;
        let set_type: AssetType = parse("type", &param.set_type)?;
        if !IMAGE_SETS.contains(&set_type) {
            let known: Vec<&str> = IMAGE_SETS.iter().map(|kind| kind.as_str()).collect();
            return Err(Invalid::new("type", format!("must be one of {}, not {set_type}", known.join(", "))).into());
        }
        let set = UserSet {
            folder: folder_path(&company, "folderHandle", &param.folder_handle)?,
            name: check_asset_name("name", &param.name)?,
            set_type,
            sub_type: None,
            content: SetContent { thumb: thumb(param.thumb_asset_handle.as_deref())?, ..SetContent::default() },
        };
        self.create_set(caller, &company, set).await
    }

    pub async fn create_asset_set(
        &self,
        caller: &Caller,
        param: CreateAssetSetParam,
    ) -> Result<CreateSetReturn, Error> {
        let company = self.in_company(caller, &CREATE_ASSET_SET, "companyHandle", &param.company_handle).await?;
        check_name("subType", &param.sub_type)?;
        let content = defined(param.set_definition, param.thumb_asset_handle.as_deref())?;
        let set = UserSet {
            folder: folder_path(&company, "folderHandle", &param.folder_handle)?,
            name: check_asset_name("name", &param.name)?,
            set_type: AssetType::AssetSet,
            sub_type: Some(param.sub_type.trim().to_owned()),
            content,
        };
        self.create_set(caller, &company, set).await
    }

    pub async fn update_image_set(&self, caller: &Caller, param: UpdateImageSetParam) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &UPDATE_IMAGE_SET, "companyHandle", &param.company_handle).await?;
        let seats = param.member_array.as_deref().map(seats).transpose()?;
        let thumb = thumb(param.thumb_asset_handle.as_deref())?;
        let content = SetContent { seats, thumb, definition: None };
        self.change_set(caller, &company, &param.asset_handle, IMAGE_SETS, content).await
    }

    pub async fn set_image_set_members(
        &self,
        caller: &Caller,
        param: SetImageSetMembersParam,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &SET_IMAGE_SET_MEMBERS, "companyHandle", &param.company_handle).await?;
        let content = SetContent { seats: Some(seats(&param.member_array)?), ..SetContent::default() };
        self.change_set(caller, &company, &param.asset_handle, IMAGE_SETS, content).await
    }

    pub async fn update_asset_set(&self, caller: &Caller, param: UpdateAssetSetParam) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &UPDATE_ASSET_SET, "companyHandle", &param.company_handle).await?;
        let content = defined(param.set_definition, param.thumb_asset_handle.as_deref())?;
        self.change_set(caller, &company, &param.asset_handle, ASSET_SETS, content).await
    }

    pub async fn set_asset_set_definition(
        &self,
        caller: &Caller,
        param: SetAssetSetDefinitionParam,
    ) -> Result<EmptyReturn, Error> {
        let operation = &SET_ASSET_SET_DEFINITION;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let content = defined(Some(param.set_definition), None)?;
        self.change_set(caller, &company, &param.asset_handle, ASSET_SETS, content).await
    }

    /// Members in the trash are left out.
    pub async fn get_image_set_members(
        &self,
        caller: &Caller,
        param: GetImageSetMembersParam,
    ) -> Result<GetImageSetMembersReturn, Error> {
        let operation = &GET_IMAGE_SET_MEMBERS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let set = self.known_asset(&company, "assetHandle", &param.asset_handle).await?;
        if !IMAGE_SETS.contains(&set.asset_type) && !ASSET_SETS.contains(&set.asset_type) {
            return Err(refusal(SetError::WrongType(set.name), false));
        }
        let members = self.store.set_members(company.id, set.id).await?;
        let member = |member: &SetMember| ImageSetMember {
            asset: Some(self.view(&company, &member.asset)),
            page_reset: Some(member.page_reset),
        };
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        fields.apply(GetImageSetMembersReturn { member_array: members.iter().map(member).collect() })
    }

    async fn create_set(&self, caller: &Caller, company: &Company, set: UserSet) -> Result<CreateSetReturn, Error> {
        let (set_type, is_defined) = (set.set_type, set.content.definition.is_some());
        let made = self.store.create_set(self.change(caller, company), set).await;
        let id = made.map_err(|error| refusal(error, is_defined))?;
        Ok(CreateSetReturn { asset_handle: handle::asset(id, set_type) })
    }

    async fn change_set(
        &self,
        caller: &Caller,
        company: &Company,
        text: &str,
        types: &'static [AssetType],
        content: SetContent,
    ) -> Result<EmptyReturn, Error> {
        let set = handle::parse_asset("assetHandle", text)?;
        let is_defined = content.definition.is_some();
        let changed = self.store.change_set(self.change(caller, company), set, types, content).await;
        changed.map_err(|error| refusal(error, is_defined))?;
        Ok(EmptyReturn {})
    }

    /// An asset of the company, in the trash or not.
    pub(super) async fn known_asset(&self, company: &Company, field: &str, text: &str) -> Result<stored::Asset, Error> {
        let id = handle::parse_asset(field, text)?;
        let found = self.store.assets(company.id, &[id]).await?.pop();
        found.ok_or_else(|| Error::Refused(format!("{field}: there is no asset {text} in the company")))
    }
}

fn thumb(text: Option<&str>) -> Result<Option<AssetId>, Invalid> {
    text.filter(|text| !text.is_empty()).map(|text| handle::parse_asset("thumbAssetHandle", text)).transpose()
}

fn seats(members: &[ImageSetMemberUpdate]) -> Result<Vec<Seat>, Invalid> {
    if members.len() > MOST_MEMBERS {
        return Err(Invalid::new(
            "memberArray",
            format!("must hold at most {MOST_MEMBERS} items, not {}", members.len()),
        ));
    }
    let seat = |(index, member): (usize, &ImageSetMemberUpdate)| {
        let field = format!("{}/assetHandle", item("memberArray", index));
        Ok(Seat { asset: handle::parse_asset(&field, &member.asset_handle)?, page_reset: member.page_reset })
    };
    members.iter().enumerate().map(seat).collect()
}

/// The members of an asset set are those that its definition names.
fn defined(definition: Option<String>, thumb_text: Option<&str>) -> Result<SetContent, Invalid> {
    let named = definition.as_deref().map(|text| set_definition::assets("setDefinition", text)).transpose()?;
    let seat = |asset: AssetId| Seat { asset, page_reset: true };
    let seats = named.map(|assets| assets.into_iter().map(seat).collect());
    Ok(SetContent { seats, definition, thumb: thumb(thumb_text)? })
}

/// `is_defined`: the members came from a definition.
fn refusal(error: SetError, is_defined: bool) -> Error {
    let member = |index: usize| match is_defined {
        true => format!("setDefinition: asset {}", index + 1),
        false => format!("{}/assetHandle", item("memberArray", index)),
    };
    let (field, why) = match &error {
        SetError::Store(error) | SetError::Asset(AssetError::Store(error)) => return error.clone().into(),
        SetError::Asset(AssetError::NameTaken(_)) => ("name".to_owned(), error.to_string()),
        SetError::Asset(AssetError::NoFolder(_)) => ("folderHandle".to_owned(), error.to_string()),
        SetError::Asset(_) | SetError::WrongType(_) => ("assetHandle".to_owned(), error.to_string()),
        SetError::Member(index, error) => (member(*index), error.to_string()),
        SetError::Cycle(index) => (member(*index), error.to_string()),
        SetError::Thumb(error) => ("thumbAssetHandle".to_owned(), error.to_string()),
    };
    Error::Refused(format!("{field}: {why}"))
}
