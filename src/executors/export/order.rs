//! How the assets of an export are to look.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::{Export, outdated};
use crate::executors::pictures::Unmade;
use crate::executors::{Bytes, Context, Failure};
use crate::media::serve::Renderer;
use crate::model::asset::AssetType;
use crate::model::job::{ExportFormat, ExportJob};
use crate::serving::{BadCommand, BuiltInProfile, Resolved, resolve};
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

/// What makes the conversions.
pub async fn renderer(export: &Export, context: &Context, plan: &Plan) -> Result<Option<Renderer>, Failure> {
    let Some(Resolved { commands, .. }) = commands(&export.order, &plan.formats).map_err(outdated)? else {
        return Ok(None);
    };
    let profile = match &commands.icc {
        Some(icc) => profile(context, &icc.profile).await?,
        None => None,
    };
    let cmyk_profile = export.workshop.settings.picture_options().cmyk_profile;
    let Some(profile) = profile else {
        let renderer = Renderer::new(commands, None).map_err(outdated)?;
        return Ok(Some(renderer.with_cmyk_profile(cmyk_profile)));
    };
    let (blobs, blob, name) = (export.workshop.blobs.clone(), profile.blob.clone(), profile.name.clone());
    let made = export.workshop.work_on(context, Bytes::of(&profile.blob, &profile.file_name), move |_| {
        let read = blobs.content(&blob, LONGEST_PROFILE);
        let read = read.map_err(|error| format!("the profile \"{name}\" cannot be read: {error}"));
        Ok(read.and_then(|bytes| Renderer::new(commands, Some(&bytes)).map_err(|error| error.to_string())))
    });
    match made.await {
        Ok(made) => made.map(|renderer| Some(renderer.with_cmyk_profile(cmyk_profile))).map_err(outdated),
        Err(Unmade::Refused(why)) => Err(Failure::because(why)),
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

/// The profile asset of this name. An asset comes before a built-in profile of the same name.
async fn profile(context: &Context, name: &str) -> Result<Option<Asset>, Failure> {
    let names = profile_names(name);
    let found = context.store().assets_named(context.run.company, &names).await?;
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
