//! getProperty, getSystemProperties.

use serde::{Deserialize, Serialize};

use super::access::{EVERYBODY, Operation};
use super::{Caller, Error, Services, parse};
use crate::model::constants;

const GET_PROPERTY: Operation = Operation { name: "getProperty", roles: EVERYBODY };
const GET_SYSTEM_PROPERTIES: Operation = Operation { name: "getSystemProperties", roles: EVERYBODY };

constants! {
    /// System properties.
    enum SystemProperty("system property") {
        IpsVersion,
        IpsImageServerUrl,
        VideoRootUrl,
        SwfRootUrl,
        SvgRenderRootUrl,
        SvgRenderEnabled,
        UploadPostMaxFileSize,
        SystemMessage,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertyParam {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPropertyReturn {
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GetSystemPropertiesParam {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSystemPropertiesReturn {
    pub property_array: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    pub name: String,
    pub value: String,
}

impl Services {
    pub async fn get_property(&self, caller: &Caller, param: GetPropertyParam) -> Result<GetPropertyReturn, Error> {
        caller.may(&GET_PROPERTY)?;
        Ok(GetPropertyReturn { value: self.property(parse("name", &param.name)?) })
    }

    pub async fn get_system_properties(
        &self,
        caller: &Caller,
        _: GetSystemPropertiesParam,
    ) -> Result<GetSystemPropertiesReturn, Error> {
        caller.may(&GET_SYSTEM_PROPERTIES)?;
        let property =
            |property: &SystemProperty| Property { name: property.to_string(), value: self.property(*property) };
        Ok(GetSystemPropertiesReturn { property_array: SystemProperty::ALL.iter().map(property).collect() })
    }

    fn property(&self, property: SystemProperty) -> String {
        match property {
            SystemProperty::IpsVersion => env!("CARGO_PKG_VERSION").to_owned(),
            SystemProperty::IpsImageServerUrl => self.settings().image_server_url.clone().unwrap_or_default(),
            SystemProperty::VideoRootUrl => self.settings().video_root_url.clone().unwrap_or_default(),
            // Neither Flash nor SVG is rendered here.
            SystemProperty::SwfRootUrl | SystemProperty::SvgRenderRootUrl => String::new(),
            SystemProperty::SvgRenderEnabled => "false".to_owned(),
            SystemProperty::UploadPostMaxFileSize => self.settings().upload_post_max_bytes.to_string(),
            SystemProperty::SystemMessage => self.settings().system_message.clone(),
        }
    }
}
