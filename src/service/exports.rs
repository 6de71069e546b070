//! Exports: what an order may hold, and who may download what came of it.

use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::{CompanyId, InstanceId};
use crate::model::invalid::Invalid;
use crate::model::job::{ExportFormat, ExportJob};
use crate::serving::{BuiltInProfile, resolve};
use crate::store::exports::Export;

use super::{Error, Services};

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    Ready(Export),
    /// It was there.
    Expired,
    Unknown,
}

impl Services {
    /// The archive of a run, for whoever knows its token.
    pub async fn download(&self, run: InstanceId, token: &str) -> Result<Download, Error> {
        let export = self.store.export(run).await?.filter(|export| export.token == token);
        Ok(match export {
            Some(export) if export.expires_at > self.clock.now() => Download::Ready(export),
            Some(_) => Download::Expired,
            None => Download::Unknown,
        })
    }

    /// Checks what needs the company's assets and image formats.
    pub(super) async fn check_export(&self, company: CompanyId, order: &ExportJob) -> Result<(), Error> {
        self.check_count(company, order).await?;
        if order.fmt == ExportFormat::Original {
            return Ok(());
        }
        let formats = self.store.image_formats(company).await?;
        let lookup = |name: &str| {
            let name = name.to_lowercase();
            formats.iter().find(|format| format.name.to_lowercase() == name).map(|format| format.url_modifier.clone())
        };
        let preset = order.image_preset.as_deref();
        let bad = |field: &str, why: String| Error::from(Invalid::new(format!("exportJob/{field}"), why));
        resolve("", preset, &lookup).map_err(|why| bad("macro", why.to_string()))?;
        let modifier = order.is_modifier.as_deref().unwrap_or_default();
        let resolved = resolve(modifier, preset, &lookup).map_err(|why| bad("is_modifier", why.to_string()))?;
        let Some(icc) = resolved.commands.icc else { return Ok(()) };
        if BuiltInProfile::named(&icc.profile).is_some() || self.has_profile(company, &icc.profile).await? {
            return Ok(());
        }
        let field = if modifier.to_ascii_lowercase().contains("icc=") { "is_modifier" } else { "macro" };
        let why =
            format!("icc: must name a built-in profile or an IccProfile asset of the company, not \"{}\"", icc.profile);
        Err(bad(field, why))
    }

    /// Sets are left out of exports, and of this count.
    async fn check_count(&self, company: CompanyId, order: &ExportJob) -> Result<(), Error> {
        let (most, given) = (self.settings().export_max_assets, order.asset_handle_array.len());
        if given <= most {
            return Ok(());
        }
        let handles = order.asset_handle_array.iter();
        let ids: Vec<_> =
            handles.map(|text| handle::parse_asset("exportJob/assetHandleArray", text)).collect::<Result<_, _>>()?;
        let assets = self.store.assets(company, &ids).await?;
        let left_out = assets.iter().filter(|asset| asset.asset_type.is_set()).count();
        if given - left_out.min(given) <= most {
            return Ok(());
        }
        let rule = format!("must name at most {most} assets, not {given}");
        Err(Invalid::new("exportJob/assetHandleArray", rule).into())
    }

    /// By the name of the asset or of its file.
    async fn has_profile(&self, company: CompanyId, name: &str) -> Result<bool, Error> {
        let stem = name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
        let names: Vec<String> = [Some(name.to_owned()), stem].into_iter().flatten().collect();
        let found = self.store.assets_named(company, &names).await?;
        Ok(found.iter().any(|asset| asset.asset_type == AssetType::IccProfile))
    }
}
