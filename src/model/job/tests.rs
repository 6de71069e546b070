use serde_json::json;

use super::*;

fn upload(extra: serde_json::Value) -> serde_json::Value {
    let mut job = json!({"serverDir": "in", "overwrite": true, "readyForPublish": true, "emailSetting": "Error"});
    job.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    job
}

#[test]
fn a_bad_field_is_named_with_its_rule() {
    let cases = [
        (JobKind::ImageServingPublish, json!({"publishType": "Sometimes"}), "imageServingPublishJob/publishType"),
        (JobKind::ImageServingPublish, json!({}), "imageServingPublishJob"),
        (
            JobKind::ImageServingPublish,
            json!({"publishType": "Full", "httpCompletionUrl": "ftp://x"}),
            "imageServingPublishJob/httpCompletionUrl",
        ),
        (
            JobKind::ImageServingPublish,
            json!({"publishType": "Full", "contextHandle": "c|1"}),
            "imageServingPublishJob/contextHandle",
        ),
        (JobKind::UploadDirectory, upload(json!({"serverDir": "../x"})), "uploadDirectoryJob/serverDir"),
        (JobKind::UploadDirectory, upload(json!({"emailSetting": "Some"})), "uploadDirectoryJob/emailSetting"),
        (
            JobKind::UploadDirectory,
            upload(json!({"unsharpMaskOptions": {"amount": 5.1}})),
            "uploadDirectoryJob/unsharpMaskOptions/amount",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"unsharpMaskOptions": {"amount": 1, "radius": 250.5}})),
            "uploadDirectoryJob/unsharpMaskOptions/radius",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"unsharpMaskOptions": {"threshold": 256}})),
            "uploadDirectoryJob/unsharpMaskOptions/threshold",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"unsharpMaskOptions": {"monochrome": 2}})),
            "uploadDirectoryJob/unsharpMaskOptions/monochrome",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"process": "Layers"}})),
            "uploadDirectoryJob/photoshopOptions/process",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"layerOptions": {"layerNaming": "Name"}}})),
            "uploadDirectoryJob/photoshopOptions/layerOptions/layerNaming",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"layerOptions": {"anchor": "Middle"}}})),
            "uploadDirectoryJob/photoshopOptions/layerOptions/anchor",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"layerOptions": {"createTemplate": "perhaps"}}})),
            "uploadDirectoryJob/photoshopOptions/layerOptions/createTemplate",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"layerOptions": {"extractText": 2}}})),
            "uploadDirectoryJob/photoshopOptions/layerOptions/extractText",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"layerOptions": {"extendLayers": "no"}}})),
            "uploadDirectoryJob/photoshopOptions/layerOptions/extendLayers",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"photoshopOptions": {"maintainLayers": true, "layerNaming": "Name"}})),
            "uploadDirectoryJob/photoshopOptions/layerNaming",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"manualCropOptions": {"left": 0, "right": 0, "top": 0, "bottom": -1}})),
            "uploadDirectoryJob/manualCropOptions/bottom",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"autoColorCropOptions": {"corner": "TopLeft", "tolerance": 0}})),
            "uploadDirectoryJob/autoColorCropOptions/corner",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"autoColorCropOptions": {"corner": "UpperLeft", "tolerance": 1.1}})),
            "uploadDirectoryJob/autoColorCropOptions/tolerance",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"autoTransparentCropOptions": {"tolerance": -0.1}})),
            "uploadDirectoryJob/autoTransparentCropOptions/tolerance",
        ),
        (
            JobKind::UploadDirectory,
            upload(
                json!({"knockoutBackgroundOptions": {"corner": "UpperLeft", "tolerance": 2, "fillMethod": "FloodFill"}}),
            ),
            "uploadDirectoryJob/knockoutBackgroundOptions/tolerance",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"knockoutBackgroundOptions": {"corner": "UpperLeft", "fillMethod": "Flood"}})),
            "uploadDirectoryJob/knockoutBackgroundOptions/fillMethod",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"colorManagementOptions": {"colorManagement": "convert"}})),
            "uploadDirectoryJob/colorManagementOptions/colorManagement",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"colorManagementOptions": {"colorManagement": "Convert", "outputProfileHandle": "p|1"}})),
            "uploadDirectoryJob/colorManagementOptions/outputProfileHandle",
        ),
        (JobKind::UploadDirectory, upload(json!({"createMask": "perhaps"})), "uploadDirectoryJob/createMask"),
        (
            JobKind::ReprocessAssets,
            json!({"assetHandleArray": ["a|1"], "preserveCrop": "yes"}),
            "reprocessAssetsJob/preserveCrop",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"mediaOptions": {"thumbnailOptions": {"thumbnailTime": -1}}})),
            "uploadDirectoryJob/mediaOptions/thumbnailOptions/thumbnailTime",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"pdfOptions": {"colorspace": "Pink"}})),
            "uploadDirectoryJob/pdfOptions/colorspace",
        ),
        (
            JobKind::UploadDirectory,
            upload(
                json!({"manualCropOptions": {"left":1,"right":0,"top":0,"bottom":0}, "autoTransparentCropOptions": {"tolerance": 0.1}}),
            ),
            "uploadDirectoryJob/manualCropOptions",
        ),
        (
            JobKind::UploadDirectory,
            upload(json!({"postVideoPublishJob": {}, "postImageServingPublishJob": {"publishType": "Full"}})),
            "uploadDirectoryJob/postImageServingPublishJob",
        ),
        (JobKind::UploadUrls, json!({"urlArray": []}), "uploadUrlsJob/urlArray"),
        (
            JobKind::UploadUrls,
            json!({"urlArray": [{"sourceUrl": "file:///etc/passwd", "destPath": ""}]}),
            "uploadUrlsJob/urlArray/items[1]/sourceUrl",
        ),
        (JobKind::Export, json!({"assetHandleArray": ["a|1"], "fmt": "tiff"}), "exportJob/fmt"),
        (JobKind::Export, json!({"assetHandleArray": ["c|1"], "fmt": "orig"}), "exportJob/assetHandleArray"),
        (
            JobKind::AutomatedSetGeneration,
            json!({"assetHandleArray": vec!["a|1"; 100_001], "autoSetCreationOptions": {}}),
            "automatedSetGenerationJob/assetHandleArray",
        ),
        (JobKind::ReprocessAssets, json!({"assetHandleArray": []}), "reprocessAssetsJob/assetHandleArray"),
    ];
    for (kind, value, field) in cases {
        let invalid = JobSpec::parse(kind, &value).expect_err(field);
        assert_eq!(invalid.field, field, "{invalid}");
    }
}

#[test]
fn constants_are_told_as_the_api_has_them() {
    let error = JobSpec::parse(JobKind::ImageServingPublish, &json!({"publishType": "Fulll"})).unwrap_err();
    let expected = "imageServingPublishJob/publishType must be one of Full, FullWithSearch, Incremental, not \"Fulll\"";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_was_submitted_is_what_is_kept() {
    let value = upload(json!({
        "pdfOptions": {"process": "Rasterize", "resolution": 150.0},
        "postImageServingPublishJob": {"publishType": "Incremental", "emailSetting": "None"},
        "postJobOnlyIfFiles": true,
        "postHttpUrl": "http://hook.example/x?y=1",
    }));
    let spec = JobSpec::parse(JobKind::UploadDirectory, &value).unwrap();
    let kept: JobSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(kept, spec);
    assert_eq!(spec.email_setting(), EmailSetting::Error);
    assert_eq!(spec.completion_url(), Some("http://hook.example/x?y=1"));
    assert_eq!(spec.follow_up().unwrap().kind(), JobKind::ImageServingPublish);
}

#[test]
fn kinds_and_elements_agree() {
    for kind in JobKind::ALL {
        assert_eq!(JobKind::from_element(kind.element()), Some(*kind));
    }
}

#[test]
fn early_options_of_photoshop_files_mean_the_same() {
    let early = json!({
        "maintainLayers": true, "layerNaming": "AppendNumber", "anchor": "North", "createTemplate": true,
        "extractText": false,
    });
    let late = json!({
        "process": "MaintainLayers",
        "layerOptions": { "layerNaming": "AppendNumber", "anchor": "North", "createTemplate": true, "extractText": false },
    });
    let read = |value: &serde_json::Value| serde_json::from_value::<PhotoshopOptions>(value.clone()).unwrap();
    assert_eq!(read(&early), read(&late));
    let written = serde_json::to_value(read(&late)).unwrap();
    for form in [&early, &late] {
        for (field, value) in form.as_object().unwrap() {
            match value.as_object() {
                None => assert_eq!(written[field], *value, "{field}"),
                Some(inner) => {
                    inner.iter().for_each(|(name, value)| assert_eq!(written[field][name], *value, "{name}"))
                }
            }
        }
    }
    assert_eq!(read(&written), read(&late));
    let none = read(&json!({ "maintainLayers": false }));
    assert_eq!((none.process, none.layer_options), (Some(PhotoshopProcess::None), None));
    assert_eq!(read(&json!({})), PhotoshopOptions::default());
}
