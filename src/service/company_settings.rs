//! getCompanySettings, setCompanySettings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::{ADMINISTRATORS, Operation};
use super::asset_view::Asset;
use super::{Caller, Error, Services, parse_optional};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::overwrite::OverwriteMode;
use crate::store::companies::{Company, Settings};

const GET_COMPANY_SETTINGS: Operation = Operation { name: "getCompanySettings", roles: ADMINISTRATORS };
const SET_COMPANY_SETTINGS: Operation = Operation { name: "setCompanySettings", roles: ADMINISTRATORS };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompanySettingsParam {
    pub company_handle: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompanySettingsReturn {
    pub settings: CompanySettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanySettings {
    pub overwrite_mode: String,
    pub retain_publish_state: bool,
    /// Required by the contract; without fields when none is set.
    pub default_source_profile: Asset,
    pub default_display_profile: Asset,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iptc_exif_mapping_xslt: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xmp_mapping_xslt: Option<Asset>,
    #[serde(flatten)]
    pub others: OtherSettings,
}

/// Fields that are kept and handed back as they were set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OtherSettings {
    pub disk_space_warning_min: i32,
    pub email_trash_cleanup_warning: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_ext_opt: Option<String>,
    pub immediate_delete: bool,
    pub pdf_processing_page_limit: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_folder_restructuring: Option<bool>,
    pub smart_crop_limit: i32,
    pub add_smart_crop_api_limit: i32,
    #[serde(rename = "applySmartCropsOnPDF")]
    pub apply_smart_crops_on_pdf: bool,
    #[serde(rename = "applySmartCropsOnPSD")]
    pub apply_smart_crops_on_psd: bool,
    #[serde(rename = "companyDMVersion")]
    pub company_dm_version: String,
    pub psd_templates_threshold: i32,
    pub image_sets_modified_on_asset_upload_threshold: i32,
    #[serde(rename = "uploadParamsPDFProcess")]
    pub upload_params_pdf_process: String,
    #[serde(rename = "uploadParamsPDFExtractKeywords")]
    pub upload_params_pdf_extract_keywords: String,
    #[serde(rename = "uploadParamsPDFExtractLinks")]
    pub upload_params_pdf_extract_links: String,
    #[serde(rename = "uploadParamsPSDProcess")]
    pub upload_params_psd_process: String,
    #[serde(rename = "uploadParamsPSDLayerNaming")]
    pub upload_params_psd_layer_naming: String,
    #[serde(rename = "uploadParamsPSDExtractText")]
    pub upload_params_psd_extract_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_packaged_video_streaming_enabled: Option<bool>,
    #[serde(rename = "overwriteAVS", skip_serializing_if = "Option::is_none")]
    pub overwrite_avs: Option<bool>,
}

impl Default for OtherSettings {
    fn default() -> Self {
        Self {
            disk_space_warning_min: 100_000,
            email_trash_cleanup_warning: true,
            file_ext_opt: None,
            immediate_delete: false,
            pdf_processing_page_limit: 100,
            allow_folder_restructuring: None,
            smart_crop_limit: 0,
            add_smart_crop_api_limit: 0,
            apply_smart_crops_on_pdf: false,
            apply_smart_crops_on_psd: false,
            company_dm_version: String::new(),
            psd_templates_threshold: 0,
            image_sets_modified_on_asset_upload_threshold: 0,
            upload_params_pdf_process: "Rasterize".to_owned(),
            upload_params_pdf_extract_keywords: "false".to_owned(),
            upload_params_pdf_extract_links: "false".to_owned(),
            upload_params_psd_process: "None".to_owned(),
            upload_params_psd_layer_naming: "AppendName".to_owned(),
            upload_params_psd_extract_text: "false".to_owned(),
            pre_packaged_video_streaming_enabled: None,
            overwrite_avs: None,
        }
    }
}

/// Fields that are not given stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetCompanySettingsParam {
    pub company_handle: String,
    pub overwrite_mode: Option<String>,
    pub retain_publish_state: Option<bool>,
    pub default_source_profile_handle: Option<String>,
    pub default_display_profile_handle: Option<String>,
    pub iptc_exif_mapping_xslt_handle: Option<String>,
    pub xmp_mapping_xslt_handle: Option<String>,
    /// Those of [`OtherSettings`].
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SetCompanySettingsReturn {}

/// Settings that name an asset: the field that sets it, also its key where it is kept, and the type it must have.
const ASSET_FIELDS: [(&str, AssetType); 4] = [
    ("defaultSourceProfileHandle", AssetType::IccProfile),
    ("defaultDisplayProfileHandle", AssetType::IccProfile),
    ("iptcExifMappingXsltHandle", AssetType::Xsl),
    ("xmpMappingXsltHandle", AssetType::Xsl),
];

impl Services {
    pub async fn get_company_settings(
        &self,
        caller: &Caller,
        param: GetCompanySettingsParam,
    ) -> Result<GetCompanySettingsReturn, Error> {
        let company = self.in_company(caller, &GET_COMPANY_SETTINGS, "companyHandle", &param.company_handle).await?;
        let Settings { overwrite_mode, retain_publish_state, others } = &company.settings;
        let [source, display, iptc, xmp] = ASSET_FIELDS.map(|(field, _)| others.get(field).and_then(Value::as_str));
        let settings = CompanySettings {
            overwrite_mode: overwrite_mode.to_string(),
            retain_publish_state: *retain_publish_state,
            default_source_profile: self.setting_asset(&company, source).await?.unwrap_or_default(),
            default_display_profile: self.setting_asset(&company, display).await?.unwrap_or_default(),
            iptc_exif_mapping_xslt: self.setting_asset(&company, iptc).await?,
            xmp_mapping_xslt: self.setting_asset(&company, xmp).await?,
            others: serde_json::from_value(Value::Object(others.clone()))
                .map_err(|e| Error::Internal(format!("the settings of company {} cannot be read: {e}", company.id)))?,
        };
        Ok(GetCompanySettingsReturn { settings })
    }

    pub async fn set_company_settings(
        &self,
        caller: &Caller,
        param: SetCompanySettingsParam,
    ) -> Result<SetCompanySettingsReturn, Error> {
        let company = self.in_company(caller, &SET_COMPANY_SETTINGS, "companyHandle", &param.company_handle).await?;
        let mode: Option<OverwriteMode> = parse_optional("overwriteMode", param.overwrite_mode.as_deref())?;
        let handles = [
            &param.default_source_profile_handle,
            &param.default_display_profile_handle,
            &param.iptc_exif_mapping_xslt_handle,
            &param.xmp_mapping_xslt_handle,
        ];
        let mut changed = known_fields(param.others)?;
        for ((field, wanted), text) in ASSET_FIELDS.into_iter().zip(handles) {
            if let Some(text) = text {
                self.check_setting_asset(company.id, field, wanted, text).await?;
                changed.insert(field.to_owned(), Value::from(text.as_str()));
            }
        }
        let retain = param.retain_publish_state;
        let change = move |settings: &mut Settings| {
            settings.overwrite_mode = mode.unwrap_or(settings.overwrite_mode);
            settings.retain_publish_state = retain.unwrap_or(settings.retain_publish_state);
            settings.others.extend(changed);
        };
        self.store.change_settings(company.id, change).await?;
        Ok(SetCompanySettingsReturn {})
    }

    /// The asset a setting names; None when it was never set, was unset, or is gone.
    async fn setting_asset(&self, company: &Company, text: Option<&str>) -> Result<Option<Asset>, Error> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let id = handle::parse_asset("settings", text)?;
        let found = self.store.assets(company.id, &[id]).await?;
        Ok(found.first().map(|asset| self.view(company, asset)))
    }

    /// An empty handle unsets.
    async fn check_setting_asset(
        &self,
        company: CompanyId,
        field: &str,
        wanted: AssetType,
        text: &str,
    ) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        let id = handle::parse_asset(field, text)?;
        match self.store.assets(company, &[id]).await?.first() {
            None => Err(Error::Refused(format!("{field}: there is no asset {text} in the company"))),
            Some(asset) if asset.asset_type == wanted => Ok(()),
            Some(asset) => {
                Err(Invalid::new(field, format!("must be an asset of type {wanted}, not {}", asset.asset_type)).into())
            }
        }
    }
}

/// Those fields that are settings; each must fit its type. Others are passed over, as unknown elements are everywhere.
fn known_fields(given: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut changed = Map::new();
    for (field, value) in given {
        if value.is_null() {
            continue;
        }
        let alone = Value::Object(Map::from_iter([(field.clone(), value.clone())]));
        let read: OtherSettings =
            serde_json::from_value(alone).map_err(|e| Invalid::new(&field, format!("cannot be read: {e}")))?;
        let kept = serde_json::to_value(&read).map_err(|e| Error::Internal(e.to_string()))?;
        if kept.get(&field).is_some() {
            changed.insert(field, value);
        }
    }
    Ok(changed)
}
