//! The operations that this server has, each a function of the services.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Admission, Answer, Credentials, Dispatch, Fault, FaultCode, Origin, Request};
use crate::contract::Operation;
use crate::model::locale::Locale;
use crate::service::pages::{Pages, Rest};
use crate::service::{self, Denied, Error, NotAuthenticated, Services};

/// Answers calls with the services.
pub struct ServiceDispatch {
    services: Services,
}

impl ServiceDispatch {
    pub const fn new(services: Services) -> Self {
        Self { services }
    }
}

/// One line an operation: its name in the contract, the function that answers it, and the field of its list if that may
/// be long.
macro_rules! operations {
    ($($name:literal => $function:ident $(in $field:literal)?),+ $(,)?) => {
        /// The names of all of them.
        pub const NAMES: &[&str] = &[$($name),+];

        async fn answer(
            services: &Services,
            caller: &service::Caller,
            operation: &Operation,
            param: Value,
        ) -> Result<Answer, Error> {
            match operation.name {
                $($name => {
                    let result = services.$function(caller, read(param)?).await?;
                    operations!(@write result $(in $field)?)
                })+
                other => Err(Error::Internal(format!("{other} has no function"))),
            }
        }
    };
    (@write $result:ident) => { write($result).map(Answer::Whole) };
    (@write $result:ident in $field:literal) => { list($field, $result) };
}

operations! {
    "submitJob" => submit_job,
    "getActiveJobs" => get_active_jobs in "jobArray",
    "getScheduledJobs" => get_scheduled_jobs in "jobArray",
    "getJobLogs" => get_job_logs in "jobLogArray",
    "getJobLogDetails" => get_job_log_details,
    "getAssetJobLogs" => get_asset_job_logs,
    "getUploadTaskStatus" => get_upload_task_status,
    "stopJob" => stop_job,
    "pauseJob" => pause_job,
    "resumeJob" => resume_job,
    "deleteJob" => delete_job,
    "executeJob" => execute_job,
    "checkLogin" => check_login,
    "getUserInfo" => get_user_info,
    "getCompanyInfo" => get_company_info,
    "getCompanyMembership" => get_company_membership,
    "getCompanySettings" => get_company_settings,
    "setCompanySettings" => set_company_settings,
    "getPublishContexts" => get_publish_contexts,
    "getActivePublishContexts" => get_active_publish_contexts,
    "getFolders" => get_folders,
    "getFolderTree" => get_folder_tree,
    "createFolder" => create_folder,
    "deleteFolder" => delete_folder,
    "searchAssets" => search_assets,
    "getAssets" => get_assets,
    "getAssetsByName" => get_assets_by_name,
    "renameAsset" => rename_asset,
    "moveAsset" => move_asset,
    "moveAssets" => move_assets,
    "deleteAsset" => delete_asset,
    "deleteAssets" => delete_assets,
    "restoreAssetsFromTrash" => restore_assets_from_trash,
    "emptyAssetsFromTrash" => empty_assets_from_trash,
    "setAssetPublishState" => set_asset_publish_state,
    "setAssetsPublishState" => set_assets_publish_state,
    "forceRepublishAssets" => force_republish_assets,
    "setAssetsContextState" => set_assets_context_state,
    "batchGetAssetPublishContexts" => batch_get_asset_publish_contexts,
    "getAssetPublishHistory" => get_asset_publish_history,
    "getImageFormats" => get_image_formats,
    "saveImageFormat" => save_image_format,
    "deleteImageFormat" => delete_image_format,
    "getProperty" => get_property,
    "getSystemProperties" => get_system_properties,
    "createImageSet" => create_image_set,
    "updateImageSet" => update_image_set,
    "getImageSetMembers" => get_image_set_members,
    "setImageSetMembers" => set_image_set_members,
    "createAssetSet" => create_asset_set,
    "updateAssetSet" => update_asset_set,
    "setAssetSetDefinition" => set_asset_set_definition,
    "getAssociatedAssets" => get_associated_assets,
    "getGenerationInfo" => get_generation_info,
    "createPropertySetType" => create_property_set_type,
    "getPropertySetTypes" => get_property_set_types,
    "getPropertySetType" => get_property_set_type,
    "deletePropertySetType" => delete_property_set_type,
    "createPropertySet" => create_property_set,
    "getPropertySets" => get_property_sets,
    "updatePropertySet" => update_property_set,
    "deletePropertySet" => delete_property_set,
    "getMetadataFields" => get_metadata_fields,
    "getAssetMetadataFields" => get_asset_metadata_fields,
    "saveMetadataField" => save_metadata_field,
    "createMetadataField" => create_metadata_field,
    "updateMetadataField" => update_metadata_field,
    "deleteMetadataField" => delete_metadata_field,
    "getTagFieldValues" => get_tag_field_values,
    "setTagFieldValues" => set_tag_field_values,
    "addTagFieldValues" => add_tag_field_values,
    "deleteTagFieldValues" => delete_tag_field_values,
    "getUniqueMetadataValues" => get_unique_metadata_values,
    "getDistinctMetadataValues" => get_distinct_metadata_values,
    "searchAssetsByMetadata" => search_assets_by_metadata,
    "setAssetMetadata" => set_asset_metadata,
    "batchSetAssetMetadata" => batch_set_asset_metadata,
    "deleteAssetMetadata" => delete_asset_metadata,
}

pub fn read<T: DeserializeOwned>(param: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(param).map_err(|error| {
        let field = error.path().to_string().replace('.', "/");
        crate::model::invalid::Invalid::new(field, format!("cannot be read: {}", error.inner())).into()
    })
}

fn write(result: impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(result).map_err(|error| Error::Internal(format!("the reply cannot be written: {error}")))
}

/// A list that fits into one page is an answer like any other.
fn list<T: Serialize + Send + 'static>(field: &'static str, list: Pages<T>) -> Result<Answer, Error> {
    let first = write_all(list.first)?;
    match list.rest {
        Rest::Nothing => Ok(Answer::Whole(json!({ (field): first }))),
        Rest::Pages(rest) => {
            let rest = rest.map(|page| page.and_then(write_all).map_err(fault));
            Ok(Answer::Listed { field, pages: stream::iter([Ok(first)]).chain(rest).boxed() })
        }
    }
}

fn write_all<T: Serialize>(items: Vec<T>) -> Result<Vec<Value>, Error> {
    items.into_iter().map(write).collect()
}

#[async_trait]
impl Dispatch for ServiceDispatch {
    fn supports(&self, operation: &Operation) -> bool {
        NAMES.contains(&operation.name)
    }

    async fn log_in(&self, credentials: Credentials, origin: &Origin) -> Result<service::Caller, Fault> {
        let credentials = service::Credentials {
            user: Some(credentials.user),
            password: Some(credentials.password),
            peer: origin.peer,
            ..service::Credentials::default()
        };
        self.services.authenticate(credentials).await.map_err(fault)
    }

    async fn call(&self, request: Request, admission: &mut Admission) -> Result<Answer, Fault> {
        let credentials = service::Credentials {
            user: request.credentials.as_ref().map(|credentials| credentials.user.clone()),
            password: request.credentials.map(|credentials| credentials.password),
            // A header that names no language is no reason to refuse a call: the reader gets the default.
            locale: request.locale.as_deref().and_then(|text| Locale::parse(text).ok()),
            app_name: request.app_name,
            peer: request.origin.peer,
            address: Some(request.origin.base_url.clone()),
        };
        let caller = self.services.authenticate(credentials).await.map_err(fault)?;
        admission.accept(&caller).await?;
        answer(&self.services, &caller, request.operation, request.param).await.map_err(fault)
    }
}

/// The fault of an error.
pub fn fault(error: Error) -> Fault {
    let code = match &error {
        Error::NotAuthenticated(NotAuthenticated::NoCredentials) => FaultCode::NoCredentials,
        // Clients know what to do about a login that does not work, and nothing of delays: it is the same to them.
        Error::NotAuthenticated(NotAuthenticated::InvalidCredentials | NotAuthenticated::TooManyFailures { .. }) => {
            FaultCode::InvalidCredentials
        }
        Error::NotAuthenticated(NotAuthenticated::InvalidUser) => FaultCode::InvalidUser,
        Error::Denied(denied) => match denied {
            Denied::InvalidCompany { .. } => FaultCode::InvalidCompany,
            Denied::InvalidRequestUserName { .. } => FaultCode::InvalidRequestUsername,
            Denied::InvalidRequestUser { .. } => FaultCode::InvalidRequestUser,
            Denied::NoOperationPermission { .. } => FaultCode::NoOperationPermission,
            Denied::NoImpersonationPermission => FaultCode::NoImpersonationPermission,
            Denied::IllegalParameterValue(_) => FaultCode::IllegalParameterValue,
            Denied::IllegalCompany { .. } => FaultCode::IllegalCompany,
            Denied::IllegalRequestUser { .. } => FaultCode::IllegalRequestUser,
            Denied::IllegalAccessGroup { .. } => FaultCode::IllegalAccessGroup,
            Denied::MissingPermission { .. } => FaultCode::MissingPermission,
        },
        Error::Invalid(_) => FaultCode::InvalidParameter,
        Error::Missing { .. } => FaultCode::MissingParameter,
        Error::Refused(_) | Error::Ambiguous(_) => FaultCode::Exception,
        Error::Busy => return Fault { is_busy: true, ..Fault::exception(error.to_string()) },
        Error::Store(error) => {
            tracing::error!(%error, "a call failed");
            FaultCode::Exception
        }
        Error::Internal(reason) => {
            tracing::error!(%reason, "a call failed");
            FaultCode::Exception
        }
    };
    Fault::new(code, error.to_string())
}
