//! A job element as ActiveJob and ScheduledJob show it: the submitted options, with the values that unset ones have.
//!
//! The values are those of recorded replies: an address that was not given is an empty element, the URLs of a job are
//! only counted, and blocks of options that were sent are shown whole. What is in an address for its server alone, user and
//! password, is shown to nobody.

use serde_json::{Map, Value, json};

use crate::model::job::JobSpec;
use crate::outward;

/// Fields that hold an address.
const ADDRESSES: &[&str] = &["sourceUrl", "httpCompletionUrl", "postHttpUrl"];

/// An order as it was submitted, but for the credentials in its addresses.
pub fn shown_order(spec: &JobSpec) -> Value {
    let mut order = serde_json::to_value(spec).unwrap_or_default();
    hide_credentials(&mut order);
    order
}

fn hide_credentials(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide_credentials),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(address) if ADDRESSES.contains(&name.as_str()) && !address.trim().is_empty() => {
                        *address = outward::without_credentials(address);
                    }
                    other => hide_credentials(other),
                }
            }
        }
        _ => {}
    }
}

/// The element and its content. The contract has none for what cannot be submitted.
pub(super) fn element(spec: &JobSpec) -> Map<String, Value> {
    if matches!(spec, JobSpec::Cleanup(_)) {
        return Map::new();
    }
    let Value::Object(mut element) = shown_order(spec) else { return Map::new() };
    if let Some(Value::Object(options)) = element.values_mut().next() {
        // What the command line may add is no field of the API.
        options.remove("sameName");
        match spec {
            JobSpec::ImageServingPublish(_)
            | JobSpec::ImageRenderingPublish(_)
            | JobSpec::VideoPublish(_)
            | JobSpec::ServerDirectoryPublish(_) => fill(options, &json!({"httpCompletionUrl": ""})),
            JobSpec::UploadUrls(job) => {
                options.insert("urlArray".to_owned(), json!([]));
                options.insert("numUrls".to_owned(), json!(job.url_array.len()));
                fill_processing(options);
            }
            JobSpec::UploadDirectory(_) => fill_processing(options),
            JobSpec::UploadPost(_) => {
                // No job follows it.
                fill(options, &json!({"readyForPublish": false, "preserveCrop": true}));
                fill_blocks(options);
            }
            JobSpec::ReprocessAssets(_) => fill_blocks(options),
            JobSpec::RipPdfs(_) => {
                // The options are those of every job with files; here the API has no such field.
                options.remove("readyForPublish");
                fill_blocks(options);
            }
            JobSpec::MetadataPublish(_)
            | JobSpec::OptimizeImages(_)
            | JobSpec::CreateVideoSitemap(_)
            | JobSpec::Export(_)
            | JobSpec::AutomatedSetGeneration(_)
            | JobSpec::Cleanup(_) => {}
        }
    }
    element
}

fn fill_processing(options: &mut Map<String, Value>) {
    fill(options, &json!({"readyForPublish": false, "preserveCrop": true, "postJobOnlyIfFiles": false}));
    fill_blocks(options);
}

fn fill_blocks(options: &mut Map<String, Value>) {
    let page = json!({"process": "None", "resolution": 72.0, "colorspace": "Auto", "alpha": false});
    let blocks = [
        ("photoshopOptions", json!({"process": "None"})),
        ("postScriptOptions", merged(&page, &json!({"extractSearchWords": false}))),
        (
            "pdfOptions",
            json!({"process": "None", "resolution": 72.0, "colorspace": "Auto", "pdfCatalog": true,
                   "extractSearchWords": false, "extractLinks": true}),
        ),
        ("illustratorOptions", page),
        ("inDesignOptions", json!({"process": "None"})),
        ("postImageServingPublishJob", json!({"httpCompletionUrl": ""})),
        ("postImageRenderingPublishJob", json!({"httpCompletionUrl": ""})),
        ("postVideoPublishJob", json!({"httpCompletionUrl": ""})),
    ];
    for (name, defaults) in blocks {
        if let Some(Value::Object(block)) = options.get_mut(name) {
            fill(block, &defaults);
        }
    }
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut all = one.as_object().cloned().unwrap_or_default();
    all.extend(other.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

/// Sets what is not set.
fn fill(options: &mut Map<String, Value>, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        let slot = options.entry(name.clone()).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value.clone();
        }
    }
}
