//! Every field of every job, by the contract: the test in which it changes what comes of a job, or the line of the log that
//! says why it changes nothing. A field that is in neither list fails here.

use std::collections::BTreeSet;
use std::path::Path;

use prepress::contract::{FieldType, Structure};
use prepress::model::role::Role;

use crate::ADA;
use crate::job_fields::{EARLIER, LATEST, POST, element, jobs, structure, version, with_urls};
use crate::server::Server;
use crate::upload_file::{Form, handle, png};

use Fate::{Answer, Block, Effect, Warns};

#[derive(Debug, Clone, Copy)]
enum Fate {
    /// File below `tests`, and the test.
    Effect(&'static str, &'static str),
    /// It only comes in answers: the same.
    Answer(&'static str, &'static str),
    /// Its fields have their own rows.
    Block,
    /// Such a value asks for something that is not done, and the log says so in these words.
    Warns(&'static str, &'static str),
}

const EDITS: &str = "executors/edits.rs";
const LAYERS: &str = "executors/layers.rs";
const OPTIONS: &str = "executors/options.rs";
const OUTBOX: &str = "conformance/jobs/outbox.rs";
const PAGES: &str = "executors/pages.rs";
const SETS: &str = "executors/sets.rs";
const UPLOAD: &str = "executors/upload.rs";
const VIDEOS: &str = "executors/videos.rs";

const CROPS: &str = "each_field_of_crops_and_knockouts_counts";
const MAIL: &str = "every_kind_of_job_has_its_own_email_setting";
const URL: &str = "a_completion_url_is_called_whatever_the_outcome";
const FOLLOW_UP: &str = "each_kind_of_follow_up_is_a_job_of_its_own";
const PDF: &str = "every_option_of_a_pdf_has_its_effect";
const DRAWINGS: &str = "every_option_of_post_script_and_illustrator_files_has_its_effect";
const SHARPENED: &str = "each_option_of_the_unsharp_mask_counts";
const COLOURS: &str = "colours_are_converted_by_profiles_that_are_assets";
const METADATA: &str = "metadata_of_an_order_is_set_on_its_assets";
const EARLY: &str = "photoshop_options_of_early_versions_are_those_of_late_ones";

const NO_SMART_CROPS: &str = "this server makes no smart crops";
const NO_CLOUD: &str = "this server calls none of them";
const BY_PRESETS: &str = "videos are encoded by the presets";
const BY_NAME: &str = "under their own names";
const NO_TEMPLATES: &str = "this server keeps no XMP templates";
const AS_DRAWN: &str = "are for pictures, and the job draws pages";

/// (structure, or * for any that has no row of its own; field; what becomes of it)
const FATES: &[(&str, &str, Fate)] = &[
    ("*", "emailSetting", Effect(OUTBOX, MAIL)),
    ("*", "httpCompletionUrl", Effect(OUTBOX, URL)),
    ("*", "postHttpUrl", Effect(OUTBOX, URL)),
    ("*", "postJobOnlyIfFiles", Effect(OUTBOX, "a_follow_up_runs_after_a_success_and_if_wanted_only_when_files_came")),
    ("*", "postImageServingPublishJob", Effect(OUTBOX, FOLLOW_UP)),
    ("*", "postImageRenderingPublishJob", Effect(OUTBOX, FOLLOW_UP)),
    ("*", "postVideoPublishJob", Effect(OUTBOX, FOLLOW_UP)),
    (
        "ImageServingPublishJob",
        "publishType",
        Effect("executors/publish.rs", "search_data_stays_until_it_is_written_again"),
    ),
    ("ImageServingPublishJob", "contextHandle", Effect("executors/publish.rs", "the_context_must_be_the_companys_own")),
    (
        "ImageRenderingPublishJob",
        "contextHandle",
        Effect("executors/contexts.rs", "the_rendering_context_may_be_named_and_must_be_the_companys"),
    ),
    (
        "VideoPublishJob",
        "contextHandle",
        Effect("executors/video_publish.rs", "the_context_may_be_named_and_must_be_of_videos"),
    ),
    ("MetadataPublishJob", "forcePublish", Effect("executors/metadata.rs", "metadata_of_what_is_marked_is_published")),
    (
        "CreateVideoSitemapJob",
        "forceUpdate",
        Effect("executors/video_publish.rs", "a_site_map_is_written_when_something_changed_or_when_forced"),
    ),
    // What jobs work on, and where it goes.
    ("UploadDirectoryJob", "serverDir", Effect(UPLOAD, "a_folder_of_pictures_becomes_assets_with_pyramids")),
    ("UploadDirectoryJob", "destFolder", Effect(UPLOAD, "a_folder_of_pictures_becomes_assets_with_pyramids")),
    ("UploadDirectoryJob", "includeSubfolders", Effect(OPTIONS, "subfolders_are_read_if_that_is_asked_for")),
    (
        "UploadDirectoryJob",
        "processMetadataFiles",
        Effect("executors/metadata.rs", "without_the_option_metadata_files_are_assets"),
    ),
    ("UploadUrlsJob", "urlArray", Block),
    ("UploadUrlsJob", "numUrls", Answer("soap/job_rules.rs", "a_running_upload_is_shown_as_it_goes")),
    ("UploadUrl", "sourceUrl", Effect("executors/urls.rs", "addresses_become_assets")),
    ("UploadUrl", "destPath", Effect("executors/urls.rs", "addresses_become_assets")),
    ("ReprocessAssetsJob", "assetHandleArray", Effect(EDITS, "every_asset_has_its_line")),
    ("RipPdfsJob", "pdfHandleArray", Effect(PAGES, "ripping_again_replaces_pages_under_the_same_ids_and_names")),
    ("*", "overwrite", Effect(UPLOAD, "overwriting_follows_the_mode_of_the_company")),
    ("*", "readyForPublish", Effect(EDITS, "marks_follow_the_options")),
    ("*", "preservePublishState", Effect(UPLOAD, "an_overwritten_asset_keeps_its_mark_when_told_so")),
    ("*", "xmpKeywords", Effect("executors/metadata.rs", "keywords_of_jobs_are_merged")),
    ("*", "metadataOptions", Block),
    ("MetadataOptions", "updateArray", Block),
    ("MetadataUpdate", "fieldHandle", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "value", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "boolVal", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "longVal", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "doubleVal", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "dateVal", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "addTagValueArray", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "setTagValueArray", Effect(OPTIONS, METADATA)),
    ("MetadataUpdate", "deleteTagValueArray", Effect(OPTIONS, METADATA)),
    // Exports and sets.
    ("ExportJob", "assetHandleArray", Effect("executors/export.rs", "originals_go_out_as_they_came_in")),
    ("ExportJob", "fmt", Effect("executors/export.rs", "conversions_look_as_ordered_and_the_rest_goes_out_as_it_is")),
    (
        "ExportJob",
        "is_modifier",
        Effect("executors/export.rs", "conversions_look_as_ordered_and_the_rest_goes_out_as_it_is"),
    ),
    ("ExportJob", "macro", Effect("executors/export.rs", "an_image_format_and_a_profile_of_the_company_are_used")),
    ("ExportJob", "clientId", Warns("10.0.0.1", "the API reserves it")),
    ("AutomatedSetGenerationJob", "assetHandleArray", Effect(SETS, "sets_are_made_extended_and_sorted_again")),
    (
        "AutomatedSetGenerationJob",
        "destFolder",
        Effect(SETS, "the_job_says_where_new_sets_go_and_whether_they_are_published"),
    ),
    (
        "AutomatedSetGenerationJob",
        "readyForPublish",
        Effect(SETS, "the_job_says_where_new_sets_go_and_whether_they_are_published"),
    ),
    ("*", "autoSetCreationOptions", Block),
    ("AutoSetCreationOptions", "autoSetsArray", Effect(SETS, "uploads_run_every_script_on_what_they_filed")),
    // Pictures.
    ("*", "createMask", Effect(EDITS, "automatic_crops_knockouts_and_masks_change_what_is_made")),
    ("*", "preserveCrop", Effect(EDITS, "a_crop_is_kept_replaced_and_removed_by_its_rules")),
    ("*", "knockoutBackgroundOptions", Block),
    ("*", "manualCropOptions", Block),
    ("*", "autoColorCropOptions", Block),
    ("*", "autoTransparentCropOptions", Block),
    ("RipPdfsJob", "createMask", Warns("true", AS_DRAWN)),
    (
        "RipPdfsJob",
        "knockoutBackgroundOptions",
        Warns("<corner>UpperLeft</corner><fillMethod>FloodFill</fillMethod>", AS_DRAWN),
    ),
    (
        "RipPdfsJob",
        "manualCropOptions",
        Warns("<left>1</left><right>0</right><top>0</top><bottom>0</bottom>", AS_DRAWN),
    ),
    ("RipPdfsJob", "autoColorCropOptions", Warns("<corner>UpperLeft</corner><tolerance>0</tolerance>", AS_DRAWN)),
    ("RipPdfsJob", "autoTransparentCropOptions", Warns("<tolerance>0</tolerance>", AS_DRAWN)),
    ("RipPdfsJob", "colorManagementOptions", Warns("<colorManagement>MaintainOriginal</colorManagement>", AS_DRAWN)),
    ("KnockoutBackgroundOptions", "corner", Effect(OPTIONS, CROPS)),
    ("KnockoutBackgroundOptions", "tolerance", Effect(OPTIONS, CROPS)),
    ("KnockoutBackgroundOptions", "fillMethod", Effect(OPTIONS, CROPS)),
    ("ManualCropOptions", "left", Effect(OPTIONS, CROPS)),
    ("ManualCropOptions", "right", Effect(OPTIONS, CROPS)),
    ("ManualCropOptions", "top", Effect(OPTIONS, CROPS)),
    ("ManualCropOptions", "bottom", Effect(OPTIONS, CROPS)),
    ("AutoColorCropOptions", "corner", Effect(OPTIONS, CROPS)),
    ("AutoColorCropOptions", "tolerance", Effect(OPTIONS, CROPS)),
    ("AutoTransparentCropOptions", "tolerance", Effect(OPTIONS, CROPS)),
    ("*", "unsharpMaskOptions", Block),
    ("UnsharpMaskOptions", "amount", Effect(EDITS, SHARPENED)),
    ("UnsharpMaskOptions", "radius", Effect(EDITS, SHARPENED)),
    ("UnsharpMaskOptions", "threshold", Effect(EDITS, SHARPENED)),
    ("UnsharpMaskOptions", "monochrome", Effect(EDITS, SHARPENED)),
    ("*", "colorManagementOptions", Block),
    ("ColorManagementOptions", "colorManagement", Effect(EDITS, COLOURS)),
    ("ColorManagementOptions", "sourceProfileHandle", Effect(EDITS, COLOURS)),
    ("ColorManagementOptions", "outputProfileHandle", Effect(EDITS, COLOURS)),
    // Documents, archives, videos.
    ("*", "photoshopOptions", Block),
    ("PhotoshopOptions", "process", Effect(LAYERS, "nothing_is_made_unless_layers_are_to_be_maintained")),
    ("PhotoshopOptions", "layerOptions", Block),
    ("PhotoshopOptions", "maintainLayers", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopOptions", "layerNaming", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopOptions", "anchor", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopOptions", "createTemplate", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopOptions", "extendLayers", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopOptions", "extractText", Effect("soap/job_rules.rs", EARLY)),
    ("PhotoshopLayerOptions", "layerNaming", Effect(LAYERS, "names_follow_the_mode")),
    ("PhotoshopLayerOptions", "anchor", Effect(LAYERS, "a_template_says_how_the_layers_lie")),
    ("PhotoshopLayerOptions", "createTemplate", Effect(LAYERS, "a_template_says_how_the_layers_lie")),
    ("PhotoshopLayerOptions", "extractText", Effect(LAYERS, "a_template_says_how_the_layers_lie")),
    ("PhotoshopLayerOptions", "extendLayers", Effect(LAYERS, "layers_are_extended_to_the_canvas")),
    ("*", "postScriptOptions", Block),
    ("PostScriptOptions", "process", Effect(OPTIONS, DRAWINGS)),
    ("PostScriptOptions", "resolution", Effect(OPTIONS, DRAWINGS)),
    ("PostScriptOptions", "colorspace", Effect(OPTIONS, DRAWINGS)),
    ("PostScriptOptions", "alpha", Effect(OPTIONS, DRAWINGS)),
    ("PostScriptOptions", "extractSearchWords", Effect(OPTIONS, DRAWINGS)),
    ("*", "pdfOptions", Block),
    ("PDFOptions", "process", Effect(PAGES, PDF)),
    ("PDFOptions", "resolution", Effect(PAGES, PDF)),
    ("PDFOptions", "colorspace", Effect(PAGES, PDF)),
    ("PDFOptions", "pdfCatalog", Effect(PAGES, PDF)),
    ("PDFOptions", "extractLinks", Effect(PAGES, PDF)),
    ("PDFOptions", "extractSearchWords", Effect(OPTIONS, "words_and_links_of_pages_are_published_for_search")),
    ("*", "illustratorOptions", Block),
    ("IllustratorOptions", "process", Effect(OPTIONS, DRAWINGS)),
    ("IllustratorOptions", "resolution", Effect(OPTIONS, DRAWINGS)),
    ("IllustratorOptions", "colorspace", Effect(OPTIONS, DRAWINGS)),
    ("IllustratorOptions", "alpha", Effect(OPTIONS, DRAWINGS)),
    ("*", "unCompressOptions", Block),
    ("UnCompressOptions", "process", Effect("executors/archives.rs", "without_the_option_an_archive_is_an_asset")),
    ("*", "mediaOptions", Block),
    ("MediaOptions", "videoEncodingPresetsArray", Effect(VIDEOS, "every_property_of_a_preset_shapes_the_rendition")),
    ("MediaOptions", "generateThumbnail", Effect(VIDEOS, "the_frame_that_is_asked_for_shows_a_video")),
    ("MediaOptions", "thumbnailOptions", Block),
    ("ThumbnailOptions", "thumbnailTime", Effect(VIDEOS, "the_frame_that_is_asked_for_shows_a_video")),
    ("*", "excludeMasterVideoFromAVS", Effect(VIDEOS, "more_than_one_preset_makes_an_adaptive_set")),
    // What is not done.
    (
        "MediaOptions",
        "videoEncodingArray",
        Warns(
            "<items><name>a</name><fileSuffix>b</fileSuffix><videoBitrate>1</videoBitrate><audioBitrate>1</audioBitrate></items>",
            BY_PRESETS,
        ),
    ),
    ("MediaOptions", "avsEncodingArray", Warns("<items><name>a</name><videoEncodingArray/></items>", BY_PRESETS)),
    ("MediaOptions", "cmafConformance", Warns("true", BY_PRESETS)),
    ("MediaOptions", "videoSmartCropArray", Warns("<items><width>1</width><height>1</height></items>", NO_SMART_CROPS)),
    ("MediaOptions", "videoSmartCropSampleRate", Warns("1", NO_SMART_CROPS)),
    (
        "*",
        "autoSmartCropOptionsArray",
        Warns("<items><name>a</name><width>1</width><height>1</height><type>b</type></items>", NO_SMART_CROPS),
    ),
    ("*", "ignoreSmartCropGeneration", Warns("true", NO_SMART_CROPS)),
    ("*", "preserveSmartCrop", Warns("true", NO_SMART_CROPS)),
    ("*", "synchronizationComplete", Warns("true", "does not say what it is for")),
    ("*", "cssOptions", Warns("<forceStaticImages>true</forceStaticImages>", "CSS files are kept")),
    ("*", "inDesignOptions", Warns("<process>Rasterize</process>", "InDesign files are kept as they are")),
    ("*", "projectHandleArray", Warns("<items>p|47|Spring</items>", "this server keeps no projects")),
    ("*", "jwtToken", Warns("eyJhbGciOi", NO_CLOUD)),
    ("*", "imsOrg", Warns("1@AdobeOrg", NO_CLOUD)),
    ("*", "apikey", Warns("s3cret", NO_CLOUD)),
    ("*", "overwriteAVS", Warns("false", "always made again with its renditions")),
    ("*", "sourceVideoAssetHandle", Warns("a|1", BY_NAME)),
    ("*", "audioCaptionsMetadata", Warns("<language>en</language>", BY_NAME)),
    ("*", "xmpTemplateId", Warns("7", NO_TEMPLATES)),
    ("*", "xmpTemplateOverwrites", Warns("true", NO_TEMPLATES)),
];

fn row_of(owner: &str, field: &str) -> Option<usize> {
    let row = |wanted: &str| FATES.iter().position(|(owner, name, _)| *owner == wanted && *name == field);
    row(owner).or_else(|| row("*"))
}

fn fate(owner: &str, field: &str) -> Fate {
    let row = row_of(owner, field);
    FATES[row.unwrap_or_else(|| panic!("{owner}/{field}: what becomes of it?"))].2
}

/// Every row that says what becomes of a field of the structure, in whatever version.
fn walk(of: &'static Structure, rows: &mut BTreeSet<usize>) {
    for field in of.rows() {
        let inside = match field.kind {
            FieldType::Structure(_) => field.kind.structure(),
            FieldType::Scalar(_) => None,
        };
        let found = fate(&of.name, field.name);
        rows.extend(row_of(&of.name, field.name));
        if let Block = found {
            let inside = inside.unwrap_or_else(|| panic!("{}/{} is no block", of.name, field.name));
            let inside = inside.list_item().map_or(inside, |item| item.kind.structure().unwrap());
            walk(inside, rows);
        }
    }
}

#[test]
fn no_field_of_any_job_is_forgotten() {
    let mut rows = BTreeSet::new();
    jobs().into_iter().for_each(|(_, of)| walk(of, &mut rows));
    for (row, stale) in FATES.iter().enumerate() {
        assert!(rows.contains(&row), "{stale:?}: the contract has no such field");
    }
    for (owner, field, fate) in FATES {
        let (Effect(file, test) | Answer(file, test)) = fate else { continue };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(source.contains(&format!("fn {test}()")), "{owner}/{field}: there is no test {test} in {file}");
    }
}

/// What asks for something that is not done, and the words why: name of the option as the log has it, and the way to it.
fn in_vain(of: &'static Structure, namespace: &str) -> Vec<(String, Vec<&'static str>, &'static str, &'static str)> {
    let mut found = Vec::new();
    for field in of.fields(version(namespace)) {
        match fate(&of.name, field.name) {
            Warns(value, why) => found.push((field.name.to_owned(), vec![field.name], value, why)),
            Block if field.name == "mediaOptions" => {
                let inside = in_vain(structure("MediaOptions"), namespace).into_iter();
                found.extend(inside.map(|(name, path, value, why)| {
                    (format!("mediaOptions/{name}"), [vec!["mediaOptions"], path].concat(), value, why)
                }));
            }
            _ => {}
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_in_vain_is_told_once_with_the_reason() {
    let server = Server::start_working().await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    let folder = server.data().join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.png"), png(1)).unwrap();
    let mut expected: Vec<(&str, String, String, &str)> = Vec::new();
    for namespace in [LATEST, EARLIER] {
        for (job, of) in jobs() {
            for (option, path, value, why) in in_vain(of, namespace) {
                let is_new = expected.iter().all(|(known, other, ..)| (*known, other) != (job, &option));
                if is_new {
                    let name = format!("{job} {}", option.replace('/', " "));
                    let order = with_urls(job, element(job, of, namespace, &path, Some(value)));
                    submit(&server, namespace, job, &name, &order).await;
                    expected.push((job, option, name, why));
                }
            }
        }
    }
    assert!(expected.len() > 70, "{}", expected.len());
    server.all_done().await;
    for (_, option, name, why) in expected {
        let body = format!(
            "<getJobLogDetailsParam xmlns=\"{LATEST}\"><companyHandle>c|47</companyHandle><originalName>{name}</originalName></getJobLogDetailsParam>"
        );
        let log = server.soap(ADA, &body).await.text;
        let lines: Vec<&str> = log.split("<logMessage>").filter(|line| line.contains(" had no effect")).collect();
        assert_eq!(lines.len(), 1, "{name}: {log}");
        assert!(lines[0].starts_with(&format!("The option {option} had no effect, because ")), "{name}: {}", lines[0]);
        assert!(lines[0].contains(why), "{name}: \"{why}\" in {}", lines[0]);
        assert!(!log.contains("<fileWarningCount>0<"), "{name}: it is counted: {log}");
        assert!(!log.contains("s3cret") && !log.contains("eyJ"), "{log}");
    }
    server.shut_down().await;
}

async fn submit(server: &Server, namespace: &str, job: &str, name: &str, order: &str) {
    if job == POST {
        let options = order.replacen(&format!("<{POST}>"), "<uploadParams>", 1);
        let options = options.replace(&format!("</{POST}>"), "</uploadParams>");
        let param = format!(
            "<uploadPostParam xmlns=\"{namespace}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>\
             <endJob>true</endJob>{options}</uploadPostParam>"
        );
        let form = Form::default().auth(ADA, "").part("name=\"uploadParams\"", param.as_bytes());
        handle(&form.file("a.png", &png(1)).post(server).await);
        return;
    }
    let body = format!(
        "<submitJobParam xmlns=\"{namespace}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>{order}</submitJobParam>"
    );
    let answer = server.soap(ADA, &body).await;
    assert_eq!(answer.status, 200, "{order}: {}", answer.text);
}
