//! What is checked of a job's scripts and presets, which are property sets. A job that waits for years may find them gone;
//! one that is submitted with what is not there is refused.

use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::job::JobSpec;
use crate::model::property_set::BuiltIn;
use crate::service::{Error, Services, item};

impl Services {
    /// How many assets a set generation may have is for the configuration to say.
    pub(super) fn check_grouped(&self, spec: &JobSpec) -> Result<(), Invalid> {
        let JobSpec::AutomatedSetGeneration(job) = spec else { return Ok(()) };
        let (count, most) = (job.asset_handle_array.len(), self.settings().most_grouped);
        if count > most {
            let rule = format!("must name at most {most} assets, not {count}");
            return Err(Invalid::new(format!("{}/assetHandleArray", spec.kind()), rule));
        }
        Ok(())
    }

    pub(super) async fn check_presets(&self, company: CompanyId, spec: &JobSpec) -> Result<(), Error> {
        for (built_in, field, handles) in named(spec) {
            for (index, text) in handles.iter().enumerate() {
                let field = format!("{}/{}", spec.kind(), item(field, index));
                let id = handle::parse_property_set(&field, text)?;
                if self.store.built_in_set(company, id, built_in).await?.is_none() {
                    let rule =
                        format!("must name a property set of the company of type {built_in}; see getPropertySets");
                    return Err(Invalid::new(field, rule).into());
                }
            }
        }
        Ok(())
    }
}

fn named(spec: &JobSpec) -> Vec<(BuiltIn, &'static str, &[String])> {
    let scripts = match spec {
        JobSpec::AutomatedSetGeneration(job) => Some(&job.auto_set_creation_options),
        _ => spec.processing().and_then(|options| options.auto_set_creation_options.as_ref()),
    };
    let media = spec.processing().and_then(|options| options.media_options.as_ref());
    let scripts = scripts.map(|options| {
        (BuiltIn::SetScript, "autoSetCreationOptions/autoSetsArray", options.auto_sets_array.as_slice())
    });
    let presets = media.map(|options| {
        let handles = options.video_encoding_presets_array.as_slice();
        (BuiltIn::VideoEncodingPreset, "mediaOptions/videoEncodingPresetsArray", handles)
    });
    scripts.into_iter().chain(presets).collect()
}
