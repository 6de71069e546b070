//! The jobs of the demo, as elements of submitJob, and the property sets that they name.

use super::FOLDER;
use crate::daemon::Daemon;
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::{AssetId, CompanyId};
use crate::model::property_set::{BuiltIn, Property};
use crate::service::property_sets::CreatePropertySetParam;
use crate::store::assets::query::Asset;
use crate::transport::cli::failure::Failure;

/// Pictures that are exported.
const EXPORTED: usize = 3;

/// Pictures named `<product>-<two digits>` become spin sets.
const SPINS: [(&str, &str); 4] =
    [("name", "Spins"), ("setType", "SpinSet"), ("match", "([A-Z][a-z]+)-[0-9]{2}"), ("suffix", "-spin")];

const SMALL_VIDEO: [(&str, &str); 3] = [("name", "Small"), ("suffix", "-240p"), ("height", "240")];
const LARGE_VIDEO: [(&str, &str); 3] = [("name", "Large"), ("suffix", "-480p"), ("height", "480")];

/// Handles of property sets.
pub struct Presets {
    spins: String,
    videos: [String; 2],
}

pub async fn add_presets(daemon: &Daemon) -> Result<Presets, Failure> {
    Ok(Presets {
        spins: add_preset(daemon, BuiltIn::SetScript, &SPINS).await?,
        videos: [
            add_preset(daemon, BuiltIn::VideoEncodingPreset, &SMALL_VIDEO).await?,
            add_preset(daemon, BuiltIn::VideoEncodingPreset, &LARGE_VIDEO).await?,
        ],
    })
}

async fn add_preset(daemon: &Daemon, of_type: BuiltIn, properties: &[(&str, &str)]) -> Result<String, Failure> {
    let services = daemon.services();
    let set_type = services.store().built_in_type(of_type).await?;
    let property = |(name, value): &(&str, &str)| Property { name: (*name).to_owned(), value: (*value).to_owned() };
    let param = CreatePropertySetParam {
        type_handle: handle::property_set_type(set_type.id),
        primary_owner_handle: handle::company(CompanyId(1)),
        secondary_owner_handle: None,
        property_array: properties.iter().map(property).collect(),
        permission_array: Vec::new(),
    };
    let caller = services.operator().await?;
    Ok(services.create_property_set(&caller, param).await?.set_handle)
}

/// The upload of the catalogue: pages of PDFs, spins, renditions of films, and a publish to follow.
pub fn upload(presets: &Presets) -> String {
    let Presets { spins, videos: [small, large] } = presets;
    format!(
        "<uploadDirectoryJob><destFolder>{FOLDER}</destFolder><serverDir>{FOLDER}</serverDir><overwrite>true</overwrite>\
         <readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
         <processMetadataFiles>false</processMetadataFiles>\
         <pdfOptions><process>Rasterize</process><resolution>100</resolution><colorspace>Auto</colorspace>\
         <pdfCatalog>true</pdfCatalog><extractSearchWords>true</extractSearchWords><extractLinks>true</extractLinks></pdfOptions>\
         <autoSetCreationOptions><autoSetsArray><items>{spins}</items></autoSetsArray></autoSetCreationOptions>\
         <emailSetting>JobCompletion</emailSetting>\
         <postImageServingPublishJob><publishType>Incremental</publishType><emailSetting>None</emailSetting>\
         </postImageServingPublishJob>\
         <mediaOptions><videoEncodingPresetsArray><items>{small}</items><items>{large}</items></videoEncodingPresetsArray>\
         <generateThumbnail>true</generateThumbnail></mediaOptions></uploadDirectoryJob>"
    )
}

/// What can be done when the catalogue is there: names of jobs and their elements.
pub async fn follow_ups(daemon: &Daemon) -> Result<Vec<(&'static str, String)>, Failure> {
    let assets = super::assets(daemon).await?;
    let of_type = |wanted: fn(AssetType) -> bool| assets.iter().filter(move |asset| wanted(asset.asset_type));
    let mut jobs = Vec::new();
    let pictures: Vec<AssetId> = of_type(AssetType::is_picture).map(|asset: &Asset| asset.id).take(EXPORTED).collect();
    if !pictures.is_empty() {
        jobs.push(("For the press", export(&pictures)));
    }
    if of_type(|kind| kind == AssetType::MasterVideo).next().is_some() {
        let element = "<videoPublishJob><publishType>Incremental</publishType><emailSetting>None</emailSetting></videoPublishJob>";
        jobs.push(("Films to the web", element.to_owned()));
    }
    Ok(jobs)
}

/// An archive of pictures as the press takes them.
fn export(pictures: &[AssetId]) -> String {
    let items: String = pictures.iter().map(|asset| format!("<items>a|{asset}</items>")).collect();
    format!(
        "<exportJob><assetHandleArray>{items}</assetHandleArray><fmt>convert</fmt>\
         <is_modifier>wid=1200&amp;hei=1200&amp;fit=constrain&amp;fmt=jpeg&amp;qlt=90</is_modifier>\
         <emailSetting>None</emailSetting></exportJob>"
    )
}
