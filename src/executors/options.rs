//! Options that this version reads, checks and keeps, but does not act on: the log says so, once for each.

use serde_json::Value;

use super::{Context, Failure, Item};
use crate::model::job::{
    ColorManagement, InDesignOptions, JobSpec, MediaOptions, PageColorspace, ProcessingOptions, UnheededOptions,
};
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;

/// An option that asks for something which is not done, and the code of the reason.
pub type InVain = (String, &'static str);

/// The options of an order that ask for something which is not done. What asks for nothing is not among them.
pub fn without_effect(spec: &JobSpec) -> Vec<InVain> {
    match spec {
        JobSpec::UploadDirectory(order) => of_files(&order.options),
        JobSpec::UploadUrls(order) => of_files(&order.options),
        JobSpec::UploadPost(order) => of_files(&order.options),
        JobSpec::ReprocessAssets(order) => of_files(&order.options),
        JobSpec::RipPdfs(order) => {
            let mut all = of_pictures(&order.options);
            // What there is to say of colours is said of all of them.
            let of_files = of_files(&order.options).into_iter();
            all.extend(of_files.filter(|(option, _)| !option.starts_with("colorManagementOptions/")));
            all
        }
        JobSpec::AutomatedSetGeneration(order) => {
            let asked = order.synchronization_complete == Some(true);
            named([("synchronizationComplete", asked, "reason-option-undocumented")])
        }
        JobSpec::Export(order) => named([("clientId", is_text(&order.client_id), "reason-option-reserved")]),
        // What the options of these ask for is done.
        JobSpec::ImageServingPublish(_)
        | JobSpec::ImageRenderingPublish(_)
        | JobSpec::VideoPublish(_)
        | JobSpec::ServerDirectoryPublish(_)
        | JobSpec::MetadataPublish(_)
        | JobSpec::OptimizeImages(_)
        | JobSpec::CreateVideoSitemap(_)
        | JobSpec::Cleanup(_) => Vec::new(),
    }
}

fn named<const N: usize>(asked: [(&str, bool, &'static str); N]) -> Vec<InVain> {
    asked.into_iter().filter(|(_, asked, _)| *asked).map(|(name, _, why)| (name.to_owned(), why)).collect()
}

fn is_text(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !text.trim().is_empty())
}

fn of_files(options: &ProcessingOptions) -> Vec<InVain> {
    // Every field is named, so that a new one cannot be forgotten.
    let UnheededOptions {
        synchronization_complete,
        auto_smart_crop_options_array,
        ignore_smart_crop_generation,
        preserve_smart_crop,
        css_options,
        in_design_options,
        project_handle_array,
        jwt_token,
        ims_org,
        apikey,
        source_video_asset_handle,
        audio_captions_metadata,
        overwrite_avs,
        xmp_template_id,
        xmp_template_overwrites,
    } = &options.unheeded;
    let smart_crops = auto_smart_crop_options_array.as_ref().is_some_and(|crops| !crops.is_empty());
    let mut all = named([
        ("synchronizationComplete", *synchronization_complete == Some(true), "reason-option-undocumented"),
        ("autoSmartCropOptionsArray", smart_crops, "reason-no-smart-crops"),
        ("ignoreSmartCropGeneration", *ignore_smart_crop_generation == Some(true), "reason-no-smart-crops"),
        ("preserveSmartCrop", *preserve_smart_crop == Some(true), "reason-no-smart-crops"),
        ("cssOptions", css_options.is_some_and(|css| css.force_static_images == Some(true)), "reason-css-kept"),
        ("inDesignOptions", in_design_options.as_ref().is_some_and(InDesignOptions::is_asked), "reason-in-design-kept"),
        ("projectHandleArray", !project_handle_array.is_empty(), "reason-no-projects"),
        ("jwtToken", jwt_token.is_some_and(|token| token.is_given), "reason-no-cloud"),
        ("imsOrg", is_text(ims_org), "reason-no-cloud"),
        ("apikey", apikey.is_some_and(|key| key.is_given), "reason-no-cloud"),
        ("sourceVideoAssetHandle", is_text(source_video_asset_handle), "reason-tracks-by-name"),
        ("audioCaptionsMetadata", audio_captions_metadata.is_some(), "reason-tracks-by-name"),
        ("overwriteAVS", *overwrite_avs == Some(false), "reason-sets-made-again"),
        ("xmpTemplateId", is_text(xmp_template_id), "reason-no-xmp-templates"),
        ("xmpTemplateOverwrites", *xmp_template_overwrites == Some(true), "reason-no-xmp-templates"),
    ]);
    all.extend(options.media_options.iter().flat_map(of_videos));
    all.extend(without_another(options));
    all.extend(of_pages(options));
    all
}

/// Pages have no inks.
fn of_pages(options: &ProcessingOptions) -> Vec<InVain> {
    let is_cmyk = |space: Option<PageColorspace>| space == Some(PageColorspace::Cmyk);
    let ProcessingOptions { pdf_options: pdf, post_script_options: script, illustrator_options: drawing, .. } = options;
    const WHY: &str = "reason-pages-not-cmyk";
    named([
        ("pdfOptions/colorspace", pdf.is_some_and(|pdf| is_cmyk(pdf.colorspace)), WHY),
        ("postScriptOptions/colorspace", script.is_some_and(|script| is_cmyk(script.colorspace)), WHY),
        ("illustratorOptions/colorspace", drawing.is_some_and(|drawing| is_cmyk(drawing.colorspace)), WHY),
    ])
}

/// Options that count only beside another one.
fn without_another(options: &ProcessingOptions) -> Vec<InVain> {
    let colors = options.color_management_options.as_ref();
    let colors = colors.filter(|colors| colors.color_management != ColorManagement::Convert);
    let media = options.media_options.as_ref().filter(|media| media.generate_thumbnail == Some(false));
    let time = media.and_then(|media| media.thumbnail_options).and_then(|options| options.thumbnail_time);
    let follows = options.post_image_serving_publish_job.is_some()
        || options.post_image_rendering_publish_job.is_some()
        || options.post_video_publish_job.is_some();
    let source = colors.is_some_and(|colors| is_text(&colors.source_profile_handle));
    let output = colors.is_some_and(|colors| is_text(&colors.output_profile_handle));
    named([
        ("colorManagementOptions/sourceProfileHandle", source, "reason-not-converted"),
        ("colorManagementOptions/outputProfileHandle", output, "reason-not-converted"),
        ("mediaOptions/thumbnailOptions", time.is_some(), "reason-no-thumbnail"),
        ("postJobOnlyIfFiles", options.post_job_only_if_files == Some(true) && !follows, "reason-no-follow-up"),
    ])
}

/// Ways to order videos that came after presets.
fn of_videos(options: &MediaOptions) -> impl Iterator<Item = InVain> {
    let asks = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let why = |name: &str| match name {
        "videoSmartCropArray" | "videoSmartCropSampleRate" => "reason-no-smart-crops",
        _ => "reason-videos-by-presets",
    };
    let asked = options.other.iter().filter(move |(_, value)| asks(value));
    asked.map(move |(name, _)| (format!("mediaOptions/{name}"), why(name)))
}

/// Options of pictures in a job that draws pages.
fn of_pictures(options: &ProcessingOptions) -> Vec<InVain> {
    const WHY: &str = "reason-pages-as-drawn";
    let manages_colors = options.color_management_options.as_ref();
    let manages_colors = manages_colors.is_some_and(|asked| {
        asked.color_management != ColorManagement::Default
            || is_text(&asked.source_profile_handle)
            || is_text(&asked.output_profile_handle)
    });
    named([
        ("createMask", options.create_mask, WHY),
        ("knockoutBackgroundOptions", options.knockout_background_options.is_some(), WHY),
        ("manualCropOptions", options.manual_crop_options.is_some_and(|crop| crop.cuts()), WHY),
        ("autoColorCropOptions", options.auto_color_crop_options.is_some(), WHY),
        ("autoTransparentCropOptions", options.auto_transparent_crop_options.is_some(), WHY),
        ("colorManagementOptions", manages_colors, WHY),
    ])
}

/// Lines that say so.
pub fn lines(log_type: LogType, in_vain: Vec<InVain>) -> impl Iterator<Item = LogLine> {
    in_vain.into_iter().map(move |(option, why)| {
        let message = Message::new("option-no-effect").with("option", option).with("reason", Message::new(why));
        LogLine::new(log_type, message)
    })
}

/// Writes what the log of a run begins with, once, and says whether there was anything.
pub async fn log_beginning(context: &Context, mut lines: Vec<LogLine>) -> Result<bool, Failure> {
    lines.extend(self::lines(LogType::UploadWarning, without_effect(&context.run.spec)));
    if lines.is_empty() {
        return Ok(false);
    }
    let count = |log_type| lines.iter().filter(|line| line.log_type == log_type).count() as i64;
    let (warning, error) = (count(LogType::UploadWarning), count(LogType::UploadError));
    let counters = Counters { warning, error, ..Counters::default() };
    let report = ItemReport { counters, lines, ..ItemReport::default() };
    // No path or address begins with a slash.
    context.commit(Item("/beginning".to_owned()), Effect::Nothing, move |_| report).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kind::JobKind;

    fn asked(kind: JobKind, order: Value) -> Vec<String> {
        without_effect(&JobSpec::parse(kind, &order).unwrap()).into_iter().map(|(option, _)| option).collect()
    }

    #[test]
    fn what_asks_for_nothing_is_not_mentioned() {
        let recorded = json!({
            "serverDir": "in", "createMask": false, "preserveCrop": true, "readyForPublish": true,
            "manualCropOptions": { "left": 0, "right": 0, "top": 0, "bottom": 0 },
            "photoshopOptions": { "process": "None", "layerOptions": { "anchor": "Center" } },
            "postScriptOptions": { "process": "None", "resolution": 72.0, "colorspace": "Auto", "alpha": false },
            "pdfOptions": { "process": "None", "pdfCatalog": true, "extractLinks": true },
            "illustratorOptions": { "process": "None" }, "inDesignOptions": { "process": "None" },
            "colorManagementOptions": { "colorManagement": "Default" },
            "autoSetCreationOptions": { "autoSetsArray": [] },
            "mediaOptions": { "videoEncodingArray": [], "cmafConformance": false },
            "unsharpMaskOptions": { "amount": 0.0, "radius": 1.0 }, "unCompressOptions": { "process": "None" },
            "projectHandleArray": [], "synchronizationComplete": false, "autoSmartCropOptionsArray": [], "imsOrg": "",
            "cssOptions": {}, "ignoreSmartCropGeneration": false, "preserveSmartCrop": false, "overwriteAVS": true,
        });
        assert_eq!(asked(JobKind::UploadDirectory, recorded), Vec::<&str>::new());
        let nothing = json!({ "pdfHandleArray": ["a|1"], "colorManagementOptions": { "colorManagement": "Default" } });
        assert_eq!(asked(JobKind::RipPdfs, nothing), Vec::<&str>::new());
        for mode in ["Default", "MaintainOriginal", "Convert"] {
            let colors = json!({ "colorManagement": mode, "sourceProfileHandle": "a|1", "outputProfileHandle": "a|2" });
            let order = json!({ "pdfHandleArray": ["a|1"], "colorManagementOptions": colors });
            assert_eq!(asked(JobKind::RipPdfs, order), ["colorManagementOptions"], "once");
        }
    }

    #[test]
    fn what_counts_only_beside_another_option_is_mentioned_without_it() {
        let order = |mode: &str, thumbnail: bool, follow_up: Value| {
            json!({
                "serverDir": "in", "postJobOnlyIfFiles": true, "postImageServingPublishJob": follow_up,
                "colorManagementOptions": { "colorManagement": mode, "sourceProfileHandle": "a|1", "outputProfileHandle": "a|2" },
                "mediaOptions": { "generateThumbnail": thumbnail, "thumbnailOptions": { "thumbnailTime": 100 } },
            })
        };
        let publish = json!({ "publishType": "Full" });
        assert_eq!(asked(JobKind::UploadDirectory, order("Convert", true, publish)), Vec::<&str>::new());
        let alone = asked(JobKind::UploadDirectory, order("MaintainOriginal", false, Value::Null));
        let expected = [
            "colorManagementOptions/sourceProfileHandle",
            "colorManagementOptions/outputProfileHandle",
            "mediaOptions/thumbnailOptions",
            "postJobOnlyIfFiles",
        ];
        assert_eq!(alone, expected);
    }

    #[test]
    fn a_secret_is_not_kept() {
        let order = json!({ "serverDir": "in", "jwtToken": "eyJhbGciOi", "apikey": "s3cret" });
        let kept = serde_json::to_string(&JobSpec::parse(JobKind::UploadDirectory, &order).unwrap()).unwrap();
        assert!(!kept.contains("eyJ") && !kept.contains("s3cret"), "{kept}");
        let spec: JobSpec = serde_json::from_str(&kept).unwrap();
        assert_eq!(without_effect(&spec).len(), 2, "{kept}");
    }
}
