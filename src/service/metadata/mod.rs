//! Metadata: the fields that companies define, the values that assets have, and searching by them.
//!
//! A field goes by a handle, `m|<company>|<asset type>|<name>`. Fields of the schemas of XMP have one as well, `m|6|ALL|dc.subject`:
//! they need no definition.

pub mod fields;
pub mod search;
pub mod tags;
pub mod values;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asset_view::Asset;
use super::fields::Fields;
use super::{Error, Services};
use crate::model::asset::AssetType;
use crate::model::metadata::{
    self, COMMENTS, DESCRIPTION, Field, FieldDefinition, FieldType, SKU, USER_DATA, join_list,
};
use crate::model::role::Role;
use crate::store::assets::query as stored;
use crate::store::companies::Company;

/// Who may read metadata.
const READERS: &[Role] = &[
    Role::IpsUser,
    Role::IpsAdmin,
    Role::IpsCompanyAdmin,
    Role::ImagePortalAdmin,
    Role::ImagePortalUser,
    Role::ImagePortalContrib,
    Role::ImagePortalContribUser,
];

/// Who may change what fields there are.
const KEEPERS: &[Role] = &[Role::IpsAdmin, Role::IpsCompanyAdmin, Role::ImagePortalAdmin];

/// Elements of imageInfo that hold metadata, and the fields that are in them.
const TOLD_OF_IMAGES: [(&str, &str); 4] =
    [("sku", SKU), ("description", DESCRIPTION), ("comments", COMMENTS), ("userData", USER_DATA)];

/// A field of an asset. One of the typed values is there beside the text, if the field has that type and the text is one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    pub name: String,
    /// Several values stand in it as in xmpKeywords.
    pub value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bool_val: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_val: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub double_val: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_val: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_array: Option<Vec<String>>,
}

impl Metadata {
    fn new(definitions: &[FieldDefinition], asset_type: AssetType, name: &str, values: Vec<String>) -> Self {
        let field = Field::find(definitions, name, asset_type).ok();
        let is_list = field.as_ref().is_some_and(Field::is_list);
        let mut shown = Self { name: name.to_owned(), ..Self::default() };
        match &values[..] {
            [value] if !is_list => {
                shown.value.clone_from(value);
                if let Some(Field::Defined(field)) = field {
                    shown.add_typed(field.field_type, value);
                }
            }
            several => {
                shown.value = join_list(several);
                shown.value_array = Some(values);
            }
        }
        shown
    }

    fn add_typed(&mut self, field_type: FieldType, value: &str) {
        match field_type {
            FieldType::Boolean => self.bool_val = value.parse().ok(),
            FieldType::BooleanTag => self.bool_val = value.to_ascii_lowercase().parse().ok(),
            FieldType::Int => self.long_val = value.parse().ok(),
            FieldType::Float => self.double_val = value.parse().ok().filter(|number: &f64| number.is_finite()),
            FieldType::Date => self.date_val = metadata::instant(value).map(super::time_text),
            _ => {}
        }
    }
}

impl Services {
    /// Assets as the contract shows them, with their metadata if it is asked for.
    pub(super) async fn show(
        &self,
        company: &Company,
        assets: &[stored::Asset],
        fields: &Fields,
    ) -> Result<Vec<Asset>, Error> {
        let mut shown: Vec<Asset> = assets.iter().map(|asset| self.view(company, asset)).collect();
        let is_told = |(element, _): &&(&str, &str)| fields.wants(&["assetArray", "imageInfo", element]);
        let told: Vec<_> = TOLD_OF_IMAGES.iter().filter(is_told).collect();
        if !told.is_empty() || fields.wants(&["assetArray", "metadataArray"]) {
            for (asset, metadata) in shown.iter_mut().zip(self.metadata_of(company, assets).await?) {
                if let Some(Value::Object(info)) = asset.info.get_mut("imageInfo") {
                    for (element, name) in &told {
                        let value = metadata.iter().find(|field| field.name == *name).map(|field| json!(field.value));
                        info.extend(value.map(|value| ((*element).to_owned(), value)));
                    }
                }
                asset.metadata_array = Some(metadata).filter(|metadata| !metadata.is_empty());
            }
        }
        if fields.wants(&["assetArray", "imageInfo", "imageMaps"]) {
            let numbers: Vec<_> = assets.iter().map(|asset| asset.id).collect();
            let mut maps = self.store.image_maps_of(&numbers).await?;
            for (shown, asset) in shown.iter_mut().zip(assets) {
                if let (Some(info), Some(maps)) = (shown.info.get_mut("imageInfo"), maps.remove(&asset.id)) {
                    info["imageMaps"] = json!(maps);
                }
            }
        }
        Ok(shown)
    }

    /// The metadata of each asset, by name.
    async fn metadata_of(&self, company: &Company, assets: &[stored::Asset]) -> Result<Vec<Vec<Metadata>>, Error> {
        let numbers: Vec<_> = assets.iter().map(|asset| asset.id).collect();
        let mut known = self.store.metadata_of(&numbers).await?;
        let definitions = self.store.metadata_fields(company.id).await?;
        let of = |asset: &stored::Asset| {
            let fields = known.remove(&asset.id).unwrap_or_default();
            fields
                .into_iter()
                .map(|(name, values)| Metadata::new(&definitions, asset.asset_type, &name, values))
                .collect()
        };
        Ok(assets.iter().map(of).collect())
    }
}
