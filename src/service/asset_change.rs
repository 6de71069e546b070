//! renameAsset, moveAsset, moveAssets, deleteAsset, deleteAssets. What is deleted goes to the trash.

use serde::{Deserialize, Serialize};

use super::access::{EDITORS, Operation};
use super::asset_query::check_count;
use super::folders::folder_path;
use super::{Caller, Error, Services};
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::invalid::Invalid;
use crate::model::name::{FileName, LONGEST_FILE_NAME, check_asset_name};
use crate::store::assets::AssetError;
use crate::store::assets::change::{Change, Outcomes};
use crate::store::companies::Company;

const RENAME_ASSET: Operation = Operation { name: "renameAsset", roles: EDITORS };
const MOVE_ASSET: Operation = Operation { name: "moveAsset", roles: EDITORS };
const MOVE_ASSETS: Operation = Operation { name: "moveAssets", roles: EDITORS };
const DELETE_ASSET: Operation = Operation { name: "deleteAsset", roles: EDITORS };
const DELETE_ASSETS: Operation = Operation { name: "deleteAssets", roles: EDITORS };

const RESTORE_ASSETS_FROM_TRASH: Operation = Operation { name: "restoreAssetsFromTrash", roles: EDITORS };
const EMPTY_ASSETS_FROM_TRASH: Operation = Operation { name: "emptyAssetsFromTrash", roles: EDITORS };

/// The codes of faults in the details of a batch, which are part of its normal reply.
const ILLEGAL_PARAMETER_VALUE: i32 = 20005;
const EXCEPTION: i32 = 30000;
const INVALID_PARAMETER: i32 = 30001;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenameAssetParam {
    pub company_handle: String,
    pub asset_handle: String,
    pub new_name: String,
    /// Names are unique in any case.
    pub validate_name: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveAssetParam {
    pub company_handle: String,
    pub asset_handle: String,
    pub folder_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAssetParam {
    pub company_handle: String,
    pub asset_handle: String,
}

/// The reply of operations that answer nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EmptyReturn {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveAssetsParam {
    pub company_handle: String,
    pub asset_move_array: Vec<AssetMove>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetMove {
    pub asset_handle: String,
    pub folder_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAssetsParam {
    pub company_handle: String,
    pub asset_handle_array: Vec<String>,
}

/// The reply of every batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReturn {
    pub success_count: u32,
    pub warning_count: u32,
    pub error_count: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warning_detail_array: Vec<AssetOperationFault>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_detail_array: Vec<AssetOperationFault>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetOperationFault {
    pub asset_handle: String,
    pub code: i32,
    pub reason: String,
}

impl Services {
    pub async fn rename_asset(&self, caller: &Caller, param: RenameAssetParam) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &RENAME_ASSET, "companyHandle", &param.company_handle).await?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let asset = self.store.assets(company.id, &[id]).await?.pop();
        let asset = asset.ok_or_else(|| one_refused(AssetError::NotFound, &param.asset_handle))?;
        let name = new_name(&param.new_name, &asset.file_name)?;
        self.store
            .rename_asset(self.change(caller, &company), id, name.stem)
            .await
            .map_err(|error| one_refused(error, &param.asset_handle))?;
        Ok(EmptyReturn {})
    }

    pub async fn move_asset(&self, caller: &Caller, param: MoveAssetParam) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &MOVE_ASSET, "companyHandle", &param.company_handle).await?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let path = folder_path(&company, "folderHandle", &param.folder_handle)?;
        let outcomes = self.store.move_assets(self.change(caller, &company), vec![(id, path)]).await?;
        only(outcomes, &param.asset_handle)
    }

    pub async fn move_assets(&self, caller: &Caller, param: MoveAssetsParam) -> Result<BatchReturn, Error> {
        let company = self.in_company(caller, &MOVE_ASSETS, "companyHandle", &param.company_handle).await?;
        check_count("assetMoveArray", param.asset_move_array.len())?;
        let mut batch = Batch::default();
        for item in &param.asset_move_array {
            let path = folder_path(&company, "folderHandle", &item.folder_handle);
            let read = handle::parse_asset("assetHandle", &item.asset_handle).and_then(|id| Ok((id, path?)));
            batch.add(&item.asset_handle, read);
        }
        let change = self.change(caller, &company);
        let outcomes = self.store.move_assets(change, batch.take_readable()).await?;
        batch.answer(outcomes)
    }

    pub async fn delete_asset(&self, caller: &Caller, param: DeleteAssetParam) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &DELETE_ASSET, "companyHandle", &param.company_handle).await?;
        let id = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let outcomes = self.store.trash_assets(self.change(caller, &company), vec![id]).await?;
        only(outcomes, &param.asset_handle)
    }

    pub async fn delete_assets(&self, caller: &Caller, param: DeleteAssetsParam) -> Result<BatchReturn, Error> {
        let company = self.in_company(caller, &DELETE_ASSETS, "companyHandle", &param.company_handle).await?;
        let mut batch = Batch::of_handles("assetHandleArray", &param.asset_handle_array)?;
        let outcomes = self.store.trash_assets(self.change(caller, &company), batch.take_readable()).await?;
        batch.answer(outcomes)
    }

    pub async fn restore_assets_from_trash(
        &self,
        caller: &Caller,
        param: DeleteAssetsParam,
    ) -> Result<BatchReturn, Error> {
        let operation = &RESTORE_ASSETS_FROM_TRASH;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let mut batch = Batch::of_handles("assetHandleArray", &param.asset_handle_array)?;
        let outcomes = self.store.restore_assets(self.change(caller, &company), batch.take_readable()).await?;
        batch.answer(outcomes)
    }

    /// For good. Files that others use, or that are still published, go later.
    pub async fn empty_assets_from_trash(
        &self,
        caller: &Caller,
        param: DeleteAssetsParam,
    ) -> Result<BatchReturn, Error> {
        let operation = &EMPTY_ASSETS_FROM_TRASH;
        let company = self.in_company(caller, operation, "companyHandle", &param.company_handle).await?;
        let mut batch = Batch::of_handles("assetHandleArray", &param.asset_handle_array)?;
        let outcomes = self.store.empty_trash(self.change(caller, &company), batch.take_readable()).await?;
        batch.answer(outcomes)
    }

    pub(super) fn change(&self, caller: &Caller, company: &Company) -> Change {
        Change { company: company.id, by: caller.account, at: self.clock.now() }
    }
}

/// The new name with the extension of the file.
fn new_name(wanted: &str, file_name: &str) -> Result<FileName, Invalid> {
    let stem = check_asset_name("newName", wanted)?;
    let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension).to_owned();
    if stem.len() + extension.len() + 1 > LONGEST_FILE_NAME {
        let rule = format!("must leave room for .{extension} within {LONGEST_FILE_NAME} bytes");
        return Err(Invalid::new("newName", rule));
    }
    Ok(FileName { stem, extension, changed: false })
}

pub(super) fn only(outcomes: Outcomes, text: &str) -> Result<EmptyReturn, Error> {
    match outcomes.into_iter().next() {
        Some(Err(error)) => Err(one_refused(error, text)),
        Some(Ok(())) | None => Ok(EmptyReturn {}),
    }
}

fn one_refused(error: AssetError, text: &str) -> Error {
    match error {
        AssetError::Store(error) => error.into(),
        AssetError::NameTaken(_) => Error::Refused(format!("newName: {error}")),
        AssetError::NoFolder(_) => Error::Refused(format!("folderHandle: {error}")),
        AssetError::NotFound => Error::Refused(format!("assetHandle: there is no asset {text} in the company")),
        AssetError::InTrash(_) | AssetError::NotInTrash(_) | AssetError::Overtaken(_) => {
            Error::Refused(format!("assetHandle: {error}"))
        }
    }
}

/// The items of a batch: those that can be read go to the store, the others are answered here.
pub(super) struct Batch<T> {
    readable: Vec<T>,
    handles: Vec<String>,
    reply: BatchReturn,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { readable: Vec::new(), handles: Vec::new(), reply: BatchReturn::default() }
    }
}

impl Batch<AssetId> {
    pub fn of_handles(field: &str, handles: &[String]) -> Result<Self, Invalid> {
        check_count(field, handles.len())?;
        let mut batch = Self::default();
        for text in handles {
            batch.add(text, handle::parse_asset("assetHandle", text));
        }
        Ok(batch)
    }
}

impl<T> Batch<T> {
    pub fn add(&mut self, text: &str, read: Result<T, Invalid>) {
        match read {
            Ok(read) => {
                self.readable.push(read);
                self.handles.push(text.to_owned());
            }
            Err(invalid) => {
                let code = if invalid.is_trespass { ILLEGAL_PARAMETER_VALUE } else { INVALID_PARAMETER };
                self.fault(text, code, invalid.to_string());
            }
        }
    }

    pub fn take_readable(&mut self) -> Vec<T> {
        std::mem::take(&mut self.readable)
    }

    fn fault(&mut self, text: &str, code: i32, reason: String) {
        self.reply.error_count += 1;
        self.reply.error_detail_array.push(AssetOperationFault { asset_handle: text.to_owned(), code, reason });
    }

    /// The reply, with the outcomes of what was taken.
    pub fn answer(mut self, outcomes: Outcomes) -> Result<BatchReturn, Error> {
        for (text, outcome) in std::mem::take(&mut self.handles).iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.reply.success_count += 1,
                Err(AssetError::Store(error)) => return Err(error.into()),
                Err(error) => self.fault(text, EXCEPTION, error.to_string()),
            }
        }
        Ok(self.reply)
    }
}
