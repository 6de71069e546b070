//! getAssociatedAssets, getGenerationInfo: sets and their members, and what was made from what.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::access::{EVERYBODY, Operation};
use super::asset_view::Asset;
use super::fields::Fields;
use super::{Caller, Error, Services, parse_optional};
use crate::model::asset::AssetType;
use crate::model::constants;
use crate::model::id::AssetId;
use crate::store::assets::query as stored;
use crate::store::assets::relations::Origin;
use crate::store::companies::Company;

const GET_ASSOCIATED_ASSETS: Operation = Operation { name: "getAssociatedAssets", roles: EVERYBODY };
const GET_GENERATION_INFO: Operation = Operation { name: "getGenerationInfo", roles: EVERYBODY };

constants! {
    /// GenerationInfo constants: what makes assets of another one.
    enum Engine("generation engine") { PhotoshopLayers, PostScriptRip, ImageConvert, SceneAuthoring, Aco }
}

impl Engine {
    /// What makes something of assets of this type. The API has no word for what makes renditions of videos.
    const fn of(parent: AssetType) -> Option<Self> {
        match parent {
            AssetType::PsdTemplate | AssetType::Image | AssetType::AnimatedGif => Some(Self::PhotoshopLayers),
            AssetType::Pdf | AssetType::PostScript | AssetType::Illustrator => Some(Self::PostScriptRip),
            AssetType::Aco => Some(Self::Aco),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssociatedAssetsParam {
    pub company_handle: String,
    pub asset_handle: String,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

/// What there is none of is left out. Nothing here owns another asset, is derived from an owner, or shows a layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetAssociatedAssetsReturn {
    /// Sets that the asset is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_array: Option<Vec<Asset>>,
    /// Members of the set that the asset is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_array: Option<Vec<Asset>>,
    /// What the asset was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_array: Option<Vec<GenerationInfo>>,
    /// What was made from the asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_array: Option<Vec<GenerationInfo>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_asset: Option<Asset>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetGenerationInfoParam {
    pub company_handle: String,
    pub engine: Option<String>,
    pub originator_handle: Option<String>,
    pub generated_handle: Option<String>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetGenerationInfoReturn {
    pub generation_array: Vec<GenerationInfo>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerationInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_array: Option<Vec<GenerationAttribute>>,
}

/// `part`: which part of the originator it is, such as `page:3`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerationAttribute {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Services {
    pub async fn get_associated_assets(
        &self,
        caller: &Caller,
        param: GetAssociatedAssetsParam,
    ) -> Result<GetAssociatedAssetsReturn, Error> {
        let operation = &GET_ASSOCIATED_ASSETS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let asset = self.known_asset(&company, "assetHandle", &param.asset_handle).await?.id;
        let containers = self.store.containers(company.id, asset).await?;
        let members = self.store.set_members(company.id, asset).await?;
        let made_from = self.store.origins(company.id, None, Some(asset)).await?;
        let made = self.store.origins(company.id, Some(asset), None).await?;
        let thumb = self.store.thumb_of(company.id, asset).await?;
        let views = |assets: Vec<stored::Asset>| -> Vec<Asset> {
            assets.iter().map(|asset| self.view(&company, asset)).collect()
        };
        let mut seen = HashSet::new();
        let members = members.into_iter().map(|member| member.asset).filter(|asset| seen.insert(asset.id)).collect();
        let reply = GetAssociatedAssetsReturn {
            container_array: some(views(self.store.assets(company.id, &containers).await?)),
            member_array: some(views(members)),
            generator_array: some(self.generations(&company, &made_from, None).await?),
            generated_array: some(self.generations(&company, &made, None).await?),
            thumb_asset: match thumb {
                Some(thumb) => views(self.store.assets(company.id, &[thumb]).await?).pop(),
                None => None,
            },
        };
        Fields::new(&param.response_field_array, &param.exclude_field_array).apply(reply)
    }

    pub async fn get_generation_info(
        &self,
        caller: &Caller,
        param: GetGenerationInfoParam,
    ) -> Result<GetGenerationInfoReturn, Error> {
        let operation = &GET_GENERATION_INFO;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let engine: Option<Engine> = parse_optional("engine", param.engine.as_deref())?;
        let originator = self.given_asset(&company, "originatorHandle", param.originator_handle.as_deref()).await?;
        let generated = self.given_asset(&company, "generatedHandle", param.generated_handle.as_deref()).await?;
        if originator.is_none() && generated.is_none() {
            return Err(Error::missing("originatorHandle", "it or generatedHandle says which asset is asked about"));
        }
        let origins = self.store.origins(company.id, originator, generated).await?;
        let reply = GetGenerationInfoReturn { generation_array: self.generations(&company, &origins, engine).await? };
        Fields::new(&param.response_field_array, &param.exclude_field_array).apply(reply)
    }

    async fn given_asset(&self, company: &Company, field: &str, text: Option<&str>) -> Result<Option<AssetId>, Error> {
        match text.filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(self.known_asset(company, field, text).await?.id)),
            None => Ok(None),
        }
    }

    async fn generations(
        &self,
        company: &Company,
        origins: &[Origin],
        engine: Option<Engine>,
    ) -> Result<Vec<GenerationInfo>, Error> {
        let numbers: Vec<AssetId> = origins.iter().flat_map(|origin| [origin.parent, origin.asset]).collect();
        let assets = self.store.assets(company.id, &numbers).await?;
        let by_number: HashMap<AssetId, &stored::Asset> = assets.iter().map(|asset| (asset.id, asset)).collect();
        let generation = |origin: &Origin| {
            let (parent, asset) = (by_number.get(&origin.parent)?, by_number.get(&origin.asset)?);
            let made_by = Engine::of(parent.asset_type);
            let part = GenerationAttribute { name: Some("part".to_owned()), value: Some(origin.part.clone()) };
            let info = GenerationInfo {
                engine: made_by.map(|engine| engine.to_string()),
                originator: Some(self.view(company, parent)),
                generated: Some(self.view(company, asset)),
                attribute_array: Some(vec![part]),
            };
            engine.is_none_or(|wanted| made_by == Some(wanted)).then_some(info)
        };
        Ok(origins.iter().filter_map(generation).collect())
    }
}

fn some<T>(all: Vec<T>) -> Option<Vec<T>> {
    (!all.is_empty()).then_some(all)
}
