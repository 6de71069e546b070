//! Companies: getCompanyInfo, getPublishContexts, getActivePublishContexts.

use serde::{Deserialize, Serialize};

use super::access::{EVERYBODY, Operation};
use super::{Caller, Error, Services, parse_optional, time_text};
use crate::model::asset::ContextKind;
use crate::model::handle;
use crate::store::companies::Company;
use crate::store::contexts;

/// The reference leaves IpsCompanyAdmin out here, as it does at submitJob; without it an administrator could not find
/// the handle of his own company.
const GET_COMPANY_INFO: Operation = Operation { name: "getCompanyInfo", roles: EVERYBODY };
const GET_PUBLISH_CONTEXTS: Operation = Operation { name: "getPublishContexts", roles: EVERYBODY };
const GET_ACTIVE_PUBLISH_CONTEXTS: Operation = Operation { name: "getActivePublishContexts", roles: EVERYBODY };

/// The contract's type Company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyInfo {
    pub company_handle: String,
    pub name: String,
    /// With a slash at the end.
    pub root_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl CompanyInfo {
    pub(super) fn of(company: &Company) -> Self {
        Self {
            company_handle: handle::company(company.id),
            name: company.name.clone(),
            root_path: handle::folder_path(&company.root_path, ""),
            expires: company.expires_at.map(time_text),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetCompanyInfoParam {
    pub company_handle: Option<String>,
    pub company_name: Option<String>,
    pub ims_org_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompanyInfoReturn {
    pub company_info: CompanyInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPublishContextsParam {
    pub company_handle: String,
    pub context_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPublishContextsReturn {
    pub publish_context_array: Vec<PublishContext>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishContext {
    pub context_handle: String,
    pub context_name: String,
    pub context_type: String,
}

impl PublishContext {
    pub(super) fn of(context: &contexts::PublishContext) -> Self {
        Self {
            context_handle: handle::context(context.id),
            context_name: context.name.clone(),
            context_type: context.kind.to_string(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetActivePublishContextsParam {
    pub company_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetActivePublishContextsReturn {
    pub context_array: Vec<String>,
}

impl Services {
    pub async fn get_company_info(
        &self,
        caller: &Caller,
        param: GetCompanyInfoParam,
    ) -> Result<GetCompanyInfoReturn, Error> {
        let company = match (&param.company_handle, &param.company_name) {
            (Some(text), _) => self.in_company(caller, &GET_COMPANY_INFO, "companyHandle", text).await?,
            (None, Some(name)) => self.in_company_named(caller, &GET_COMPANY_INFO, "companyName", name.trim()).await?,
            (None, None) => return Err(Error::missing("companyHandle", "give it or companyName")),
        };
        Ok(GetCompanyInfoReturn { company_info: CompanyInfo::of(&company) })
    }

    pub async fn get_publish_contexts(
        &self,
        caller: &Caller,
        param: GetPublishContextsParam,
    ) -> Result<GetPublishContextsReturn, Error> {
        let company = self.in_company(caller, &GET_PUBLISH_CONTEXTS, "companyHandle", &param.company_handle).await?;
        let kind: Option<ContextKind> = parse_optional("contextType", param.context_type.as_deref())?;
        let contexts = self.store.publish_contexts(company.id).await?;
        let publish_context_array = contexts
            .into_iter()
            .filter(|context| kind.is_none_or(|kind| kind == context.kind))
            .map(|context| PublishContext::of(&context))
            .collect();
        Ok(GetPublishContextsReturn { publish_context_array })
    }

    /// This server publishes every kind itself, so that each that the company has is active.
    pub async fn get_active_publish_contexts(
        &self,
        caller: &Caller,
        param: GetActivePublishContextsParam,
    ) -> Result<GetActivePublishContextsReturn, Error> {
        let operation = &GET_ACTIVE_PUBLISH_CONTEXTS;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let contexts = self.store.publish_contexts(company.id).await?;
        let context_array = contexts.iter().map(|context| context.kind.to_string()).collect();
        Ok(GetActivePublishContextsReturn { context_array })
    }
}
