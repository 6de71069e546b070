//! getFolders, getFolderTree, createFolder, deleteFolder.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::{EDITORS, EVERYBODY, Operation};
use super::fields::Fields;
use super::{Caller, Denied, Error, Services, parse_all, time_text};
use crate::model::asset::AssetType;
use crate::model::invalid::Invalid;
use crate::model::role::Role;
use crate::model::{handle, name};
use crate::store::companies::Company;
use crate::store::folders::{self as stored, FolderError};

const GET_FOLDERS: Operation = Operation { name: "getFolders", roles: EVERYBODY };
const GET_FOLDER_TREE: Operation = Operation {
    name: "getFolderTree",
    roles: &[
        Role::IpsUser,
        Role::IpsAdmin,
        Role::IpsCompanyAdmin,
        Role::TrialSiteAdmin,
        Role::TrialSiteUser,
        Role::ImagePortalContrib,
        Role::ImagePortalContribUser,
    ],
};
const CREATE_FOLDER: Operation = Operation { name: "createFolder", roles: EDITORS };
const DELETE_FOLDER: Operation = Operation { name: "deleteFolder", roles: EDITORS };

/// Most folders in a reply.
const MOST_FOLDERS: u32 = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetFoldersParam {
    pub company_handle: String,
    pub access_user_handle: Option<String>,
    pub access_group_handle: Option<String>,
    pub folder_path: Option<String>,
    #[serde(default)]
    pub asset_type_array: Vec<String>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetFoldersReturn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder_array: Option<Vec<Folder>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetFolderTreeParam {
    pub company_handle: String,
    pub access_user_handle: Option<String>,
    pub access_group_handle: Option<String>,
    pub folder_path: Option<String>,
    /// Levels below the folder; a negative number is all of them.
    pub depth: i32,
    #[serde(default)]
    pub asset_type_array: Vec<String>,
    #[serde(default)]
    pub response_field_array: Vec<String>,
    #[serde(default)]
    pub exclude_field_array: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetFolderTreeReturn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folders: Option<Folder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Folder {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder_handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// The latest of it and all below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_subfolders: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subfolder_array: Option<Vec<Folder>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateFolderParam {
    pub company_handle: String,
    pub folder_path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateFolderReturn {
    pub folder_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteFolderParam {
    pub company_handle: String,
    pub folder_handle: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeleteFolderReturn {}

impl Services {
    pub async fn get_folders(&self, caller: &Caller, param: GetFoldersParam) -> Result<GetFoldersReturn, Error> {
        let company = self.in_company(caller, &GET_FOLDERS, "companyHandle", &param.company_handle).await?;
        let (user, group) = (param.access_user_handle.as_deref(), param.access_group_handle.as_deref());
        self.check_impersonation(caller, &company, user, group).await?;
        let found = self.subtree(&company, param.folder_path.as_deref(), &param.asset_type_array).await?;
        let shape = Shape::of(&found);
        let listed = found.iter().enumerate().filter(|(_, folder)| folder.matches);
        let folder_array = listed.map(|(index, _)| shape.flat(&company, index)).collect();
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        fields.apply(GetFoldersReturn { folder_array: Some(folder_array) })
    }

    pub async fn get_folder_tree(
        &self,
        caller: &Caller,
        param: GetFolderTreeParam,
    ) -> Result<GetFolderTreeReturn, Error> {
        let company = self.in_company(caller, &GET_FOLDER_TREE, "companyHandle", &param.company_handle).await?;
        let (user, group) = (param.access_user_handle.as_deref(), param.access_group_handle.as_deref());
        self.check_impersonation(caller, &company, user, group).await?;
        let found = self.subtree(&company, param.folder_path.as_deref(), &param.asset_type_array).await?;
        let depth = u32::try_from(param.depth).unwrap_or(u32::MAX);
        let fields = Fields::new(&param.response_field_array, &param.exclude_field_array);
        fields.apply(GetFolderTreeReturn { folders: Some(Shape::of(&found).tree(&company, 0, depth)) })
    }

    pub async fn create_folder(&self, caller: &Caller, param: CreateFolderParam) -> Result<CreateFolderReturn, Error> {
        let company = self.in_company(caller, &CREATE_FOLDER, "companyHandle", &param.company_handle).await?;
        let path = folder_path(&company, "folderPath", &param.folder_path)?;
        match self.store.create_folder(company.id, path.clone(), self.clock.now()).await {
            Ok(_) => Ok(CreateFolderReturn { folder_handle: handle::folder(&company.root_path, &path) }),
            Err(error) => Err(refusal(error, &company, "folderPath", &path)),
        }
    }

    pub async fn delete_folder(&self, caller: &Caller, param: DeleteFolderParam) -> Result<DeleteFolderReturn, Error> {
        let company = self.in_company(caller, &DELETE_FOLDER, "companyHandle", &param.company_handle).await?;
        let path = folder_path(&company, "folderHandle", &param.folder_handle)?;
        if path.is_empty() {
            let what = "delete the root folder of a company".to_owned();
            return Err(Denied::MissingPermission { field: "folderHandle".to_owned(), what }.into());
        }
        match self.store.delete_folder(company.id, path.clone(), caller.account, self.clock.now()).await {
            Ok(_) => Ok(DeleteFolderReturn {}),
            Err(error) => Err(refusal(error, &company, "folderHandle", &path)),
        }
    }

    /// The folder and all below it.
    async fn subtree(
        &self,
        company: &Company,
        path: Option<&str>,
        types: &[String],
    ) -> Result<Vec<stored::Folder>, Error> {
        let types: Vec<AssetType> = parse_all("assetTypeArray", types)?;
        let path = folder_path(company, "folderPath", path.unwrap_or_default())?;
        let found = self.store.folders(company.id, &path, &types, MOST_FOLDERS).await?;
        found.ok_or_else(|| refusal(FolderError::NotFound, company, "folderPath", &path))
    }
}

/// A folder as clients name it: a handle or a path, with or without the company root.
pub(super) fn folder_path(company: &Company, field: &str, text: &str) -> Result<String, Invalid> {
    name::clean_folder(field, handle::parse_folder(field, &company.root_path, text)?)
}

pub(super) fn refusal(error: FolderError, company: &Company, field: &str, path: &str) -> Error {
    let shown = handle::folder_path(&company.root_path, path);
    match error {
        FolderError::Exists => Error::Refused(format!("{field}: the folder \"{shown}\" already exists")),
        FolderError::NotFound => Error::Refused(format!("{field}: there is no folder \"{shown}\"")),
        FolderError::Store(error) => error.into(),
    }
}

/// Folders in the order of their paths, with their children. The first is the ancestor of all.
struct Shape<'a> {
    folders: &'a [stored::Folder],
    children: Vec<Vec<usize>>,
    /// Latest change at or below each.
    latest: Vec<DateTime<Utc>>,
    /// It or one below it matches.
    matches: Vec<bool>,
}

impl<'a> Shape<'a> {
    fn of(folders: &'a [stored::Folder]) -> Self {
        let places: HashMap<&str, usize> =
            folders.iter().enumerate().map(|(index, folder)| (folder.path.as_str(), index)).collect();
        let parent = |path: &str| places.get(path.rsplit_once('/').map_or("", |(parent, _)| parent)).copied();
        let mut children = vec![Vec::new(); folders.len()];
        let mut latest: Vec<_> = folders.iter().map(|folder| folder.modified_at).collect();
        let mut matches: Vec<_> = folders.iter().map(|folder| folder.matches).collect();
        // A child sorts behind its parent, so that from behind every child is complete when its parent hears of it.
        for (index, folder) in folders.iter().enumerate().skip(1).rev() {
            if let Some(parent) = parent(&folder.path) {
                children[parent].push(index);
                latest[parent] = latest[parent].max(latest[index]);
                matches[parent] |= matches[index];
            }
        }
        for children in &mut children {
            children.reverse();
        }
        Self { folders, children, latest, matches }
    }

    fn flat(&self, company: &Company, index: usize) -> Folder {
        let folder = &self.folders[index];
        Folder {
            folder_handle: Some(handle::folder(&company.root_path, &folder.path)),
            path: Some(handle::folder_path(&company.root_path, &folder.path)),
            last_modified: Some(time_text(folder.modified_at)),
            child_last_modified: Some(time_text(self.latest[index])),
            has_subfolders: Some(!self.children[index].is_empty()),
            subfolder_array: None,
        }
    }

    /// No deeper than `model::name::DEEPEST_FOLDER`.
    fn tree(&self, company: &Company, index: usize, depth: u32) -> Folder {
        let children = self.children[index].iter().filter(|child| depth > 0 && self.matches[**child]);
        let subfolders = children.map(|child| self.tree(company, *child, depth - 1)).collect();
        Folder { subfolder_array: Some(subfolders), ..self.flat(company, index) }
    }
}
