//! setAssetPublishState, setAssetsPublishState, forceRepublishAssets.

use serde::{Deserialize, Serialize};

use super::access::{EDITORS, Operation};
use super::asset_change::{Batch, BatchReturn, EmptyReturn, only};
use super::asset_query::check_count;
use super::{Caller, Error, Services, item, parse};
use crate::model::asset::PublishState;
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::role::Role;
use crate::store::assets::Contexts;

const SET_ASSET_PUBLISH_STATE: Operation = Operation {
    name: "setAssetPublishState",
    roles: &[
        Role::IpsUser,
        Role::IpsAdmin,
        Role::IpsCompanyAdmin,
        Role::ImagePortalContrib,
        Role::ImagePortalContribUser,
    ],
};
const SET_ASSETS_PUBLISH_STATE: Operation = Operation { name: "setAssetsPublishState", roles: EDITORS };
const FORCE_REPUBLISH_ASSETS: Operation = Operation { name: "forceRepublishAssets", roles: EDITORS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAssetPublishStateParam {
    pub company_handle: String,
    pub asset_handle: String,
    pub publish_state: String,
    /// None: in every context.
    #[serde(default)]
    pub context_handle_array: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAssetsPublishStateParam {
    pub company_handle: String,
    pub publish_state_update_array: Vec<PublishStateUpdate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishStateUpdate {
    pub asset_handle: String,
    pub publish_state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForceRepublishAssetsParam {
    pub company_handle: String,
    /// Send the files even if they are the same; true when it is left out.
    pub republish_files: Option<bool>,
    /// Every publish writes its manifest anew, so that there is nothing more to do.
    pub resync_catalog: Option<bool>,
    pub asset_handle_array: Vec<String>,
}

impl Services {
    pub async fn set_asset_publish_state(
        &self,
        caller: &Caller,
        param: SetAssetPublishStateParam,
    ) -> Result<EmptyReturn, Error> {
        let operation = &SET_ASSET_PUBLISH_STATE;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let state: PublishState = parse("publishState", &param.publish_state)?;
        let contexts = self.contexts(company.id, param.context_handle_array.as_deref()).await?;
        let change = self.change(caller, &company);
        let outcomes = self.store.set_publish_states(change, vec![(id, state)], contexts).await?;
        only(outcomes, &param.asset_handle)
    }

    pub async fn set_assets_publish_state(
        &self,
        caller: &Caller,
        param: SetAssetsPublishStateParam,
    ) -> Result<BatchReturn, Error> {
        let operation = &SET_ASSETS_PUBLISH_STATE;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        check_count("publishStateUpdateArray", param.publish_state_update_array.len())?;
        let mut batch = Batch::default();
        for update in &param.publish_state_update_array {
            let state = parse("publishState", &update.publish_state);
            let read = handle::parse_asset("assetHandle", &update.asset_handle).and_then(|id| Ok((id, state?)));
            batch.add(&update.asset_handle, read);
        }
        let change = self.change(caller, &company);
        let outcomes = self.store.set_publish_states(change, batch.take_readable(), Contexts::All).await?;
        batch.answer(outcomes)
    }

    pub async fn force_republish_assets(
        &self,
        caller: &Caller,
        param: ForceRepublishAssetsParam,
    ) -> Result<BatchReturn, Error> {
        let operation = &FORCE_REPUBLISH_ASSETS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let mut batch = Batch::of_handles("assetHandleArray", &param.asset_handle_array)?;
        let files = param.republish_files.unwrap_or(true);
        let change = self.change(caller, &company);
        let outcomes = self.store.force_republish(change, batch.take_readable(), files).await?;
        batch.answer(outcomes)
    }

    async fn contexts(&self, company: CompanyId, handles: Option<&[String]>) -> Result<Contexts, Error> {
        let Some(handles) = handles.filter(|handles| !handles.is_empty()) else { return Ok(Contexts::All) };
        let read = |(index, text): (usize, &String)| handle::parse_context(&item("contextHandleArray", index), text);
        let wanted = handles.iter().enumerate().map(read).collect::<Result<Vec<_>, Invalid>>()?;
        let known = self.store.publish_contexts(company).await?;
        for (index, id) in wanted.iter().enumerate() {
            if !known.iter().any(|context| context.id == *id) {
                let (field, text) = (item("contextHandleArray", index), &handles[index]);
                return Err(Error::Refused(format!("{field}: there is no publish context {text} in the company")));
            }
        }
        Ok(Contexts::These(wanted))
    }
}
