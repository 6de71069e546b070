//! Options that this version reads, checks and keeps, but does not act on: the log says so, once for each.

use super::{Context, Failure, Item};
use crate::model::job::{InDesignOptions, ProcessingOptions};
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;

/// Names of the options that ask for something which is not done. What asks for nothing is not among them.
pub fn without_effect(options: &ProcessingOptions) -> Vec<&'static str> {
    // Every field is named, so that a new one cannot be forgotten.
    let ProcessingOptions {
        ready_for_publish: _,
        preserve_publish_state: _,
        // Kept with the asset as what it is made with.
        create_mask: _,
        preserve_crop: _,
        knockout_background_options: _,
        manual_crop_options: _,
        auto_color_crop_options: _,
        auto_transparent_crop_options: _,
        color_management_options: _,
        unsharp_mask_options: _,
        // Layers are made by it.
        photoshop_options: _,
        // Documents are drawn by them.
        post_script_options: _,
        pdf_options: _,
        illustrator_options: _,
        in_design_options,
        // Videos are shown and encoded by them.
        media_options: _,
        un_compress_options: _,
        // Kept with the metadata of the asset.
        xmp_keywords: _,
        project_handle_array,
        // Adaptive sets are made by it.
        exclude_master_video_from_avs: _,
        // Sets are made when the rest is done.
        auto_set_creation_options: _,
        // The engine acts on the rest.
        email_setting: _,
        post_job_only_if_files: _,
        post_http_url: _,
        post_image_serving_publish_job: _,
        post_image_rendering_publish_job: _,
        post_video_publish_job: _,
    } = options;
    let asked = [
        ("inDesignOptions", in_design_options.as_ref().is_some_and(processes_in_design)),
        ("projectHandleArray", !project_handle_array.is_empty()),
    ];
    asked.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name).collect()
}

fn processes_in_design(options: &InDesignOptions) -> bool {
    options.process.as_deref().is_some_and(|process| !matches!(process.trim(), "" | "None"))
}

/// Writes what the log of a run begins with, once, and says whether there was anything.
pub async fn log_beginning(
    context: &Context,
    in_vain: Vec<&'static str>,
    mut lines: Vec<LogLine>,
) -> Result<bool, Failure> {
    lines.extend(in_vain.into_iter().map(|option| {
        let message = Message::new("option-no-effect")
            .with("option", option)
            .with("reason", Message::new("reason-not-in-version"));
        LogLine::new(LogType::UploadWarning, message)
    }));
    if lines.is_empty() {
        return Ok(false);
    }
    let warning = lines.iter().filter(|line| line.log_type == LogType::UploadWarning).count() as i64;
    let report = ItemReport { counters: Counters { warning, ..Counters::default() }, lines, ..ItemReport::default() };
    // No path or address begins with a slash.
    context.commit(Item("/beginning".to_owned()), Effect::Nothing, move |_| report).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(options: serde_json::Value) -> Vec<&'static str> {
        without_effect(&serde_json::from_value(options).unwrap())
    }

    #[test]
    fn what_asks_for_nothing_is_not_mentioned() {
        let recorded = json!({
            "createMask": false, "preserveCrop": true, "readyForPublish": true,
            "manualCropOptions": { "left": 0, "right": 0, "top": 0, "bottom": 0 },
            "photoshopOptions": { "process": "None", "layerOptions": { "anchor": "Center" } },
            "postScriptOptions": { "process": "None", "resolution": 72.0, "colorspace": "Auto", "alpha": false },
            "pdfOptions": { "process": "None", "pdfCatalog": true, "extractLinks": true },
            "illustratorOptions": { "process": "None" }, "inDesignOptions": { "process": "None" },
            "colorManagementOptions": { "colorManagement": "Default" },
            "autoSetCreationOptions": { "autoSetsArray": [] }, "mediaOptions": {},
            "unsharpMaskOptions": { "amount": 0.0, "radius": 1.0 }, "unCompressOptions": { "process": "None" },
            "projectHandleArray": [],
        });
        assert_eq!(asked(recorded), Vec::<&str>::new());
        assert_eq!(asked(json!({})), Vec::<&str>::new());
    }

    #[test]
    fn everything_that_is_asked_for_in_vain_is_mentioned() {
        let all = json!({
            "inDesignOptions": { "process": "Rasterize" },
            "projectHandleArray": ["p|6|A"],
        });
        let expected: Vec<String> = all.as_object().unwrap().keys().cloned().collect();
        assert_eq!(asked(all), expected);
    }
}
