//! setAssetsContextState, batchGetAssetPublishContexts, getAssetPublishHistory.

use serde::{Deserialize, Serialize};

use super::access::{EVERYBODY, Operation};
use super::asset_change::{Batch, BatchReturn};
use super::asset_query::check_count;
use super::companies::PublishContext;
use super::{Caller, Error, Services, item, parse, time_text};
use crate::model::asset::PublishState;
use crate::model::handle;
use crate::model::id::{AssetId, ContextId};
use crate::model::invalid::Invalid;
use crate::store::contexts::PublishContext as StoredContext;

const SET_ASSETS_CONTEXT_STATE: Operation = Operation { name: "setAssetsContextState", roles: EVERYBODY };
const BATCH_GET_ASSET_PUBLISH_CONTEXTS: Operation =
    Operation { name: "batchGetAssetPublishContexts", roles: EVERYBODY };
const GET_ASSET_PUBLISH_HISTORY: Operation = Operation { name: "getAssetPublishHistory", roles: EVERYBODY };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAssetsContextStateParam {
    pub company_handle: String,
    pub assets_context_state_update_array: Vec<AssetsContextStateUpdate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetsContextStateUpdate {
    pub asset_handle: String,
    pub context_state_update_array: Vec<ContextStateUpdate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextStateUpdate {
    pub context_handle: String,
    pub publish_state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchGetAssetPublishContextsParam {
    pub company_handle: String,
    pub asset_handle_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchGetAssetPublishContextsReturn {
    pub asset_publish_contexts_array: Vec<AssetPublishContexts>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetPublishContexts {
    pub asset_handle: String,
    pub publish_context_array: Vec<PublishContext>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetPublishHistoryParam {
    pub company_handle: String,
    pub asset_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetPublishHistoryReturn {
    pub pub_history_array: Vec<PublishHistory>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishHistory {
    pub server_name: String,
    pub context_name: String,
    pub last_published: String,
}

impl Services {
    pub async fn set_assets_context_state(
        &self,
        caller: &Caller,
        param: SetAssetsContextStateParam,
    ) -> Result<BatchReturn, Error> {
        let operation = &SET_ASSETS_CONTEXT_STATE;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        check_count("assetsContextStateUpdateArray", param.assets_context_state_update_array.len())?;
        let known = self.store.publish_contexts(company.id).await?;
        let mut batch = Batch::default();
        for update in &param.assets_context_state_update_array {
            batch.add(&update.asset_handle, update.read(&known));
        }
        let change = self.change(caller, &company);
        let outcomes = self.store.set_context_states(change, batch.take_readable()).await?;
        batch.answer(outcomes)
    }

    /// Assets in the order asked for, each with the contexts that it is marked in. What is not there is left out.
    pub async fn batch_get_asset_publish_contexts(
        &self,
        caller: &Caller,
        param: BatchGetAssetPublishContextsParam,
    ) -> Result<BatchGetAssetPublishContextsReturn, Error> {
        let operation = &BATCH_GET_ASSET_PUBLISH_CONTEXTS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        check_count("assetHandleArray", param.asset_handle_array.len())?;
        let read = |(index, text): (usize, &String)| handle::parse_asset(&item("assetHandleArray", index), text);
        let asked = param.asset_handle_array.iter().enumerate().map(read).collect::<Result<Vec<_>, Invalid>>()?;
        let known = self.store.publish_contexts(company.id).await?;
        let marked = self.store.contexts_marked(company.id, &asked).await?;
        let describe = |(id, asset_type, contexts): (AssetId, _, Vec<ContextId>)| AssetPublishContexts {
            asset_handle: handle::asset(id, asset_type),
            publish_context_array: known
                .iter()
                .filter(|context| contexts.contains(&context.id))
                .map(PublishContext::of)
                .collect(),
        };
        Ok(BatchGetAssetPublishContextsReturn {
            asset_publish_contexts_array: marked.into_iter().map(describe).collect(),
        })
    }

    /// When readers were last given the asset, in each context that it was ever published to.
    pub async fn get_asset_publish_history(
        &self,
        caller: &Caller,
        param: GetAssetPublishHistoryParam,
    ) -> Result<GetAssetPublishHistoryReturn, Error> {
        let operation = &GET_ASSET_PUBLISH_HISTORY;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        if self.store.assets(company.id, &[id]).await?.is_empty() {
            let text = &param.asset_handle;
            return Err(Error::Refused(format!("assetHandle: there is no asset {text} in the company")));
        }
        let history = self.store.publish_history(id).await?;
        let entry = |(context_name, at)| PublishHistory {
            server_name: self.settings().server_name.clone(),
            context_name,
            last_published: time_text(at),
        };
        Ok(GetAssetPublishHistoryReturn { pub_history_array: history.into_iter().map(entry).collect() })
    }
}

impl AssetsContextStateUpdate {
    fn read(&self, known: &[StoredContext]) -> Result<(AssetId, Vec<(ContextId, PublishState)>), Invalid> {
        let asset = handle::parse_asset("assetHandle", &self.asset_handle)?;
        let states = self.context_state_update_array.iter().enumerate().map(|(index, update)| {
            let within = |error: Invalid| error.within(&item("contextStateUpdateArray", index));
            let text = &update.context_handle;
            let context = handle::parse_context("contextHandle", text).map_err(within)?;
            if !known.iter().any(|known| known.id == context) {
                let rule = format!("must name a publish context of the company, which {text} is not");
                return Err(within(Invalid::new("contextHandle", rule)));
            }
            Ok((context, parse("publishState", &update.publish_state).map_err(within)?))
        });
        Ok((asset, states.collect::<Result<_, _>>()?))
    }
}
