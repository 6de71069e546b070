//! How the assets of an export are to look.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::Plan;
use super::{Export, outdated};
use crate::executors::pictures::Unmade;
use crate::executors::{Bytes, Context, Failure};
use crate::media::child::borrowed;
use crate::media::errand::{CheckProfile, Profiles};
use crate::media::serve::Renderer;
use crate::media::{self, Blacks};
use crate::model::asset::AssetType;
use crate::model::job::{ExportFormat, ExportJob};
use crate::serving::{BadCommand, BuiltInProfile, Commands, Resolved, resolve};
use crate::store::assets::query::Asset;
use crate::store::image_formats::ImageFormat;

/// Longest profile that is read: those of presses come to some megabytes.
const LONGEST_PROFILE: u64 = 32 << 20;

/// What the order's commands come to with these image formats, by their names in small letters; None for originals.
pub fn commands(order: &ExportJob, formats: &BTreeMap<String, String>) -> Result<Option<Resolved>, BadCommand> {
    if order.fmt == ExportFormat::Original {
        return Ok(None);
    }
    let modifier = order.is_modifier.as_deref().unwrap_or_default();
    resolve(modifier, order.image_preset.as_deref(), &|name| formats.get(&name.to_lowercase()).cloned()).map(Some)
}

/// Image formats by their names in small letters.
pub fn by_name(formats: Vec<ImageFormat>) -> BTreeMap<String, String> {
    formats.into_iter().map(|format| (format.name.to_lowercase(), format.url_modifier)).collect()
}

/// How assets are converted, the same for all of them.
pub struct Conversion {
    pub commands: Commands,
    /// Of an asset of the company.
    pub profile: Option<Vec<u8>>,
    /// Of CMYK pictures that bring none.
    pub cmyk_profile: Option<Arc<[u8]>>,
    /// Where the commands do not say it.
    pub blacks: Blacks,
}

impl Conversion {
    pub fn profiles(&self) -> Profiles<'_> {
        Profiles { named: self.profile.as_deref(), cmyk: self.cmyk_profile.as_deref(), blacks: self.blacks }
    }
}

/// What makes the conversions.
pub async fn conversion(export: &Export, context: &Context, plan: &Plan) -> Result<Option<Conversion>, Failure> {
    let Some(Resolved { commands, .. }) = commands(&export.order, &plan.formats).map_err(outdated)? else {
        return Ok(None);
    };
    let profile = match &commands.icc {
        Some(icc) => profile(context, &icc.profile).await?,
        None => None,
    };
    let media::Options { cmyk_profile, blacks, .. } = export.workshop.settings.picture_options();
    let Some(profile) = profile else {
        Renderer::new(commands.clone(), None, blacks).map_err(outdated)?;
        return Ok(Some(Conversion { commands, profile: None, cmyk_profile, blacks }));
    };
    let (workshop, blob, name) = (export.workshop.clone(), profile.blob.clone(), profile.name.clone());
    let made = export.workshop.work_on(context, Bytes::of(&profile.blob, &profile.file_name), move |stop| {
        let bytes = match workshop.blobs.content(&blob, LONGEST_PROFILE) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(format!("the profile \"{name}\" cannot be read: {error}"))),
        };
        let file = workshop.blobs.read(&blob)?;
        let check = CheckProfile { commands: commands.clone() };
        let unusable = workshop.crew.send(check, &borrowed([&file]), stop)?;
        Ok(match unusable {
            None => Ok(Conversion { commands, profile: Some(bytes), cmyk_profile, blacks }),
            Some(why) => Err(why),
        })
    });
    match made.await {
        Ok(made) => made.map(Some).map_err(outdated),
        Err(Unmade::Refused(why)) => Err(Failure::because(why)),
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

/// The profile asset of this name. An asset comes before a built-in profile of the same name.
async fn profile(context: &Context, name: &str) -> Result<Option<Asset>, Failure> {
    let names = profile_names(name);
    let found = context.reads().assets_named(context.run.company, &names).await?;
    let Some(asset) = found.into_iter().find(|asset| asset.asset_type == AssetType::IccProfile) else {
        return match BuiltInProfile::named(name) {
            Some(_) => Ok(None),
            None => Err(outdated(format_args!("there is no ICC profile named \"{name}\" any more"))),
        };
    };
    if asset.bytes.unsigned_abs() > LONGEST_PROFILE {
        return Err(outdated(format_args!("the profile \"{name}\" is larger than {LONGEST_PROFILE} bytes")));
    }
    Ok(Some(asset))
}

/// A profile may be named as its asset or as its file.
fn profile_names(name: &str) -> Vec<String> {
    let stem = name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    [Some(name.to_owned()), stem].into_iter().flatten().collect()
}
