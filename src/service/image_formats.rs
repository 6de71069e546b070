//! getImageFormats, saveImageFormat, deleteImageFormat.
//!
//! A format is kept as it was sent: it may hold commands for image servers that exports know nothing of. What a job makes
//! of it is checked when the job is submitted.

use serde::{Deserialize, Serialize};

use super::access::Operation;
use super::asset_change::EmptyReturn;
use super::{Caller, Denied, Error, Services};
use crate::model::handle;
use crate::model::id::{CompanyId, ImageFormatId};
use crate::model::invalid::Invalid;
use crate::model::role::Role;
use crate::store::image_formats::{self, ImageFormatError};

const KEEPERS: &[Role] = &[Role::IpsUser, Role::IpsAdmin, Role::IpsCompanyAdmin, Role::ImagePortalAdmin];

const READERS: &[Role] = &[
    Role::IpsUser,
    Role::IpsAdmin,
    Role::IpsCompanyAdmin,
    Role::ImagePortalAdmin,
    Role::ImagePortalUser,
    Role::ImagePortalContrib,
    Role::ImagePortalContribUser,
];

const GET_IMAGE_FORMATS: Operation = Operation { name: "getImageFormats", roles: READERS };
const SAVE_IMAGE_FORMAT: Operation = Operation { name: "saveImageFormat", roles: KEEPERS };
const DELETE_IMAGE_FORMAT: Operation = Operation { name: "deleteImageFormat", roles: KEEPERS };

/// Longest name, in characters.
const LONGEST_NAME: usize = 200;

/// Longest text of commands, in bytes.
const LONGEST_MODIFIER: usize = 4_000;

/// Most image formats of a company.
const MOST: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetImageFormatsParam {
    pub company_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetImageFormatsReturn {
    pub image_format_array: Vec<ImageFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFormat {
    pub image_format_handle: String,
    pub name: String,
    pub url_modifier: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaveImageFormatParam {
    pub company_handle: String,
    pub image_format_handle: Option<String>,
    pub name: String,
    pub url_modifier: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaveImageFormatReturn {
    pub image_format_handle: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteImageFormatParam {
    pub company_handle: String,
    pub image_format_handle: String,
}

impl Services {
    pub async fn get_image_formats(
        &self,
        caller: &Caller,
        param: GetImageFormatsParam,
    ) -> Result<GetImageFormatsReturn, Error> {
        let company = self.in_company(caller, &GET_IMAGE_FORMATS, "companyHandle", &param.company_handle).await?.id;
        let formats = self.store.image_formats(company).await?;
        let shown = |format: image_formats::ImageFormat| ImageFormat {
            image_format_handle: handle::image_format(company, format.id),
            name: format.name,
            url_modifier: format.url_modifier,
        };
        Ok(GetImageFormatsReturn { image_format_array: formats.into_iter().map(shown).collect() })
    }

    pub async fn save_image_format(
        &self,
        caller: &Caller,
        param: SaveImageFormatParam,
    ) -> Result<SaveImageFormatReturn, Error> {
        let company = self.in_company(caller, &SAVE_IMAGE_FORMAT, "companyHandle", &param.company_handle).await?.id;
        let id = match param.image_format_handle.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Some(parse_handle(company, text)?),
            None => None,
        };
        let name = check_name(&param.name)?;
        let url_modifier = check_modifier(&param.url_modifier)?;
        if id.is_none() && self.store.image_formats(company).await?.len() >= MOST {
            return Err(Error::Refused(format!("a company has at most {MOST} image formats; delete some first")));
        }
        let saved = self.store.save_image_format(company, id, name, url_modifier).await;
        let id = saved.map_err(|error| match error {
            ImageFormatError::Store(error) => Error::from(error),
            ImageFormatError::NotFound => no_such_format(),
            taken => Error::Refused(format!("name: {taken}")),
        })?;
        Ok(SaveImageFormatReturn { image_format_handle: handle::image_format(company, id) })
    }

    pub async fn delete_image_format(
        &self,
        caller: &Caller,
        param: DeleteImageFormatParam,
    ) -> Result<EmptyReturn, Error> {
        let company = self.in_company(caller, &DELETE_IMAGE_FORMAT, "companyHandle", &param.company_handle).await?.id;
        let id = parse_handle(company, param.image_format_handle.trim())?;
        if self.store.delete_image_format(company, id).await? { Ok(EmptyReturn {}) } else { Err(no_such_format()) }
    }
}

fn parse_handle(company: CompanyId, text: &str) -> Result<ImageFormatId, Error> {
    const FIELD: &str = "imageFormatHandle";
    match handle::parse_image_format(FIELD, text)? {
        (owner, id) if owner == company => Ok(id),
        (owner, _) => Err(Denied::handle_of_another(FIELD, owner, company).into()),
    }
}

fn no_such_format() -> Error {
    Error::Refused("imageFormatHandle: there is no such image format in the company; see getImageFormats".to_owned())
}

fn check_name(name: &str) -> Result<String, Invalid> {
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(Invalid::new("name", format!("must have from 1 to {LONGEST_NAME} characters, not {length}")));
    }
    match name.chars().find(|sign| sign.is_control() || matches!(sign, '$' | '&' | '=')) {
        Some(_) => Err(Invalid::new("name", "must not contain $, & or =, which have a meaning beside macros")),
        None => Ok(name.to_owned()),
    }
}

fn check_modifier(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_MODIFIER {
        let rule = format!("must have from 1 to {LONGEST_MODIFIER} bytes, not {}", text.len());
        return Err(Invalid::new("urlModifier", rule));
    }
    Ok(text.to_owned())
}
