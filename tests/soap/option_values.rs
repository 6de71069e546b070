//! A bad value of any field of any job is a fault that names the field. The fields are those of the contract, so that a new
//! one cannot be forgotten: a text whose values are not restricted has to be said to be free.

use prepress::contract::Scalar;
use prepress::model::role::Role;

use crate::ADA;
use crate::job_fields::{LATEST, Leaf, POST, element, jobs, leaves, with_urls};
use crate::server::{Answer, Server};
use crate::upload_file::{Form, png};

/// (structure, or * for any; field; a value that it may not have; code; what the fault says of the rule)
const RESTRICTED: &[(&str, &str, &str, i32, &str)] = &[
    ("*", "emailSetting", "Often", 30001, "must be one of "),
    ("*", "publishType", "Sometimes", 30001, "must be one of Full, FullWithSearch, Incremental"),
    ("*", "httpCompletionUrl", "ftp://hook.example/", 30001, "http or https"),
    ("*", "httpCompletionUrl", "no address", 30001, "http or https"),
    ("*", "postHttpUrl", "ftp://hook.example/", 30001, "http or https"),
    ("*", "contextHandle", "c|1", 30001, "of the form pc|"),
    ("*", "contextHandle", "pc|999999", 30001, "must name a publish context of the company"),
    ("UploadDirectoryJob", "serverDir", "../x", 20005, "\"..\""),
    ("*", "destFolder", "../x", 20005, "\"..\""),
    ("UploadUrl", "sourceUrl", "file:///etc/passwd", 30001, "http or https"),
    ("UploadUrl", "sourceUrl", "", 30001, "must not be empty"),
    ("UploadUrl", "destPath", "../x", 20005, "\"..\""),
    ("ExportJob", "fmt", "tiff", 30001, "must be orig or convert"),
    ("ExportJob", "is_modifier", "wid=0", 30001, "wid"),
    ("ExportJob", "macro", "none", 30001, "image format"),
    ("*", "assetHandleArray", "c|1", 30001, "of the form a|"),
    ("*", "pdfHandleArray", "c|1", 30001, "of the form a|"),
    ("*", "projectHandleArray", "c|1", 30001, "of the form p|"),
    ("*", "autoSetsArray", "pt|1", 30001, "of the form ps|"),
    ("*", "autoSetsArray", "ps|999", 30001, "must name a property set of the company of type SetScript"),
    ("*", "videoEncodingPresetsArray", "ps|999", 30001, "of type VideoEncodingPreset"),
    (
        "KnockoutBackgroundOptions",
        "corner",
        "Middle",
        30001,
        "must be one of BottomLeft, BottomRight, UpperLeft, UpperRight",
    ),
    ("KnockoutBackgroundOptions", "fillMethod", "Flood", 30001, "must be FloodFill or MatchPixel"),
    ("AutoColorCropOptions", "corner", "upperleft", 30001, "must be one of"),
    ("PhotoshopOptions", "process", "Layers", 30001, "must be None or MaintainLayers"),
    (
        "PhotoshopLayerOptions",
        "layerNaming",
        "Name",
        30001,
        "must be one of LayerName, AppendNumber, AppendName, Folders",
    ),
    ("PhotoshopLayerOptions", "anchor", "Middle", 30001, "must be one of Center, North"),
    ("PostScriptOptions", "process", "Draw", 30001, "must be one of None, Rasterize"),
    ("PostScriptOptions", "colorspace", "Pink", 30001, "must be one of Auto, Rgb, Cmyk, Gray"),
    ("PDFOptions", "process", "Draw", 30001, "must be one of None, Rasterize"),
    ("PDFOptions", "colorspace", "Pink", 30001, "must be one of Auto, Rgb, Cmyk, Gray"),
    ("IllustratorOptions", "process", "Draw", 30001, "must be one of None, Rasterize"),
    ("IllustratorOptions", "colorspace", "Pink", 30001, "must be one of Auto, Rgb, Cmyk, Gray"),
    ("InDesignOptions", "process", "Draw", 30001, "must be one of None, Rasterize, Thumbnail"),
    (
        "ColorManagementOptions",
        "colorManagement",
        "convert",
        30001,
        "must be one of Default, MaintainOriginal, Convert",
    ),
    ("ColorManagementOptions", "sourceProfileHandle", "c|1", 30001, "of the form a|"),
    ("ColorManagementOptions", "outputProfileHandle", "c|1", 30001, "of the form a|"),
    ("UnCompressOptions", "process", "uncompress", 30001, "must be None or UnCompress"),
    ("*", "xmpKeywords", r"a\b", 30001, "backslash"),
    ("*", "sourceVideoAssetHandle", "c|1", 30001, "of the form a|"),
    ("MetadataUpdate", "fieldHandle", "c|1", 30001, "of the form m|"),
    ("MetadataUpdate", "fieldHandle", "m|47|ALL|Nowhere", 30000, "there is no metadata field"),
    ("MetadataUpdate", "fieldHandle", "m|48|ALL|dc.title", 20006, "of company 48"),
    // Numbers beyond their ranges.
    ("*", "tolerance", "1.01", 30001, "must be between 0 and 1"),
    ("*", "tolerance", "-0.01", 30001, "must be between 0 and 1"),
    ("ManualCropOptions", "left", "-1", 30001, "0 or more"),
    ("ManualCropOptions", "right", "-1", 30001, "0 or more"),
    ("ManualCropOptions", "top", "-1", 30001, "0 or more"),
    ("ManualCropOptions", "bottom", "-1", 30001, "0 or more"),
    ("*", "resolution", "0", 30001, "must be between 1 and 2400"),
    ("*", "resolution", "2401", 30001, "must be between 1 and 2400"),
    ("*", "resolution", "NaN", 30001, "finite"),
    ("UnsharpMaskOptions", "amount", "5.01", 30001, "must be between 0 and 5"),
    ("UnsharpMaskOptions", "radius", "250.5", 30001, "must be between 0 and 250"),
    ("UnsharpMaskOptions", "threshold", "256", 30001, "must be between 0 and 255"),
    ("UnsharpMaskOptions", "monochrome", "2", 30001, "must be between 0 and 1"),
    ("ThumbnailOptions", "thumbnailTime", "-1", 30001, "must be a time in milliseconds"),
    ("AutoSmartCropOptions", "width", "0", 30001, "1 or more"),
    ("AutoSmartCropOptions", "height", "0", 30001, "1 or more"),
];

/// Texts that may say anything; a block stands for all that it holds.
const FREE: &[(&str, &str)] = &[
    ("ExportJob", "clientId"),
    ("*", "jwtToken"),
    ("*", "imsOrg"),
    ("*", "apikey"),
    ("AutoSmartCropOptions", "name"),
    ("AutoSmartCropOptions", "type"),
    ("AudioCaptionsMetadata", "*"),
    // Of fields of XMP's schemas; what others may hold is for their definitions to say.
    ("MetadataUpdate", "value"),
    ("MetadataUpdate", "addTagValueArray"),
    ("MetadataUpdate", "setTagValueArray"),
    ("MetadataUpdate", "deleteTagValueArray"),
    ("VideoEncoding", "*"),
    ("AvsEncoding", "*"),
    ("Property", "*"),
];

fn is_meant(leaf: &Leaf, owner: &str, field: &str) -> bool {
    (owner == "*" || leaf.owner == owner) && (field == "*" || leaf.name() == field)
}

struct Desk {
    server: Server,
}

impl Desk {
    async fn open() -> Self {
        let server = Server::start().await;
        server.company("Acme", 47).await;
        server.company("Other", 48).await;
        server.user(ADA, "Acme", Role::IpsUser).await;
        Self { server }
    }

    async fn order(&self, job: &str, xml: &str) -> Answer {
        if job == POST {
            let options = xml.replacen(&format!("<{POST}>"), "<uploadParams>", 1);
            let options = options.replace(&format!("</{POST}>"), "</uploadParams>");
            let order = format!(
                "<uploadPostParam xmlns=\"{LATEST}\"><companyHandle>c|47</companyHandle><jobName>N</jobName>{options}</uploadPostParam>"
            );
            let form = Form::default().auth(ADA, "").part("name=\"uploadParams\"", order.as_bytes());
            return form.file("a.png", &png(1)).post(&self.server).await;
        }
        self.submit(&format!("<companyHandle>c|47</companyHandle><jobName>N</jobName>{xml}")).await
    }

    async fn submit(&self, fields: &str) -> Answer {
        self.server.soap(ADA, &format!("<submitJobParam xmlns=\"{LATEST}\">{fields}</submitJobParam>")).await
    }

    /// Everything that is asked is refused, and nothing is left of it.
    async fn close(self) {
        assert_eq!(self.server.jobs().await, 0, "nothing was submitted");
        self.server.shut_down().await;
    }
}

/// A path without the places in lists.
fn without_items(text: &str) -> String {
    let mut parts = text.split("/items[");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| kept.push_str(part.split_once(']').map_or(part, |(_, rest)| rest)));
    kept
}

/// What a fault has to say: its code, the way to the field, and the rule.
#[track_caller]
fn check(answer: &Answer, job: &str, path: &str, code: i32, rule: &str, order: &str) {
    let reason = answer.reason().replace("&quot;", "\"").replace("&apos;", "'");
    assert_eq!(answer.fault_code(), Some(code), "{order}\n{}", answer.text);
    let root = if job == POST { "uploadParams" } else { job };
    let place = format!("{root}/{path}");
    let is_named = without_items(&reason).contains(&place);
    assert!(is_named || code == 20006, "\"{place}\" in \"{reason}\" for {order}");
    assert!(reason.contains(rule), "\"{rule}\" in \"{reason}\" for {order}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_value_of_any_option_is_named() {
    let desk = Desk::open().await;
    let mut used = vec![false; RESTRICTED.len()];
    for (job, of) in jobs() {
        for leaf in leaves(of, LATEST) {
            let mut bad: Vec<(&str, i32, &str)> = Vec::new();
            if !matches!(leaf.scalar, Scalar::String) {
                bad.push(("x!", 30001, ""));
            }
            for (row, (owner, field, text, code, rule)) in RESTRICTED.iter().enumerate() {
                if is_meant(&leaf, owner, field) {
                    used[row] = true;
                    bad.push((text, *code, rule));
                }
            }
            let is_free = FREE.iter().any(|(owner, field)| is_meant(&leaf, owner, field));
            assert!(is_free || !bad.is_empty(), "{job}/{}: restricted or free?", leaf.shown());
            for (text, code, rule) in bad {
                let order = with_urls(job, element(job, of, LATEST, &leaf.path, Some(text)));
                let answer = desk.order(job, &order).await;
                check(&answer, job, &leaf.shown(), code, rule, &order);
            }
        }
    }
    for (row, used) in RESTRICTED.iter().zip(used) {
        assert!(used, "{row:?} is of no job");
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_must_have_is_asked_for() {
    let desk = Desk::open().await;
    for (job, of) in jobs() {
        for leaf in leaves(of, LATEST).into_iter().filter(|leaf| leaf.is_required) {
            let order = with_urls(job, element(job, of, LATEST, &leaf.path, None));
            let answer = desk.order(job, &order).await;
            check(&answer, job, &leaf.shown(), 30002, "", &order);
        }
    }
    let empty = [
        ("exportJob", "assetHandleArray", "at least one asset"),
        ("reprocessAssetsJob", "assetHandleArray", "at least one asset"),
        ("ripPdfsJob", "pdfHandleArray", "at least one asset"),
        ("automatedSetGenerationJob", "assetHandleArray", "at least one asset"),
        ("uploadUrlsJob", "urlArray", "at least one URL"),
    ];
    for (job, field, rule) in empty {
        let of = jobs().into_iter().find(|(name, _)| *name == job).unwrap().1;
        let order = element(job, of, LATEST, &[field], Some(""));
        check(&desk.order(job, &order).await, job, field, 30001, rule, &order);
    }
    desk.close().await;
}

/// An option that stands in the way of another.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_stand_together_is_named() {
    const MANUAL: &str =
        "<manualCropOptions><left>1</left><right>1</right><top>1</top><bottom>1</bottom></manualCropOptions>";
    const COLOR: &str =
        "<autoColorCropOptions><corner>UpperLeft</corner><tolerance>0</tolerance></autoColorCropOptions>";
    const TRANSPARENT: &str = "<autoTransparentCropOptions><tolerance>0</tolerance></autoTransparentCropOptions>";
    const SERVING: &str = "<postImageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></postImageServingPublishJob>";
    const RENDERING: &str =
        "<postImageRenderingPublishJob><emailSetting>None</emailSetting></postImageRenderingPublishJob>";
    const VIDEO: &str = "<postVideoPublishJob><emailSetting>None</emailSetting></postVideoPublishJob>";
    let desk = Desk::open().await;
    let pairs = [
        (MANUAL, COLOR, "manualCropOptions", "autoColorCropOptions"),
        (MANUAL, TRANSPARENT, "manualCropOptions", "autoTransparentCropOptions"),
        (COLOR, TRANSPARENT, "autoColorCropOptions", "autoTransparentCropOptions"),
        (SERVING, RENDERING, "postImageServingPublishJob", "postImageRenderingPublishJob"),
        (SERVING, VIDEO, "postImageServingPublishJob", "postVideoPublishJob"),
        (RENDERING, VIDEO, "postImageRenderingPublishJob", "postVideoPublishJob"),
    ];
    for (job, of) in jobs() {
        for (one, other, first, second) in pairs {
            if !of.has(first) {
                continue;
            }
            let order = with_urls(job, element(job, of, LATEST, &[], None));
            let order = order.replace(&format!("</{job}>"), &format!("{one}{other}</{job}>"));
            let answer = desk.order(job, &order).await;
            check(&answer, job, first, 30001, &format!("cannot stand beside {second}"), &order);
        }
    }
    let title = "<fieldHandle>m|47|ALL|dc.title</fieldHandle>";
    for (update, code, named) in [
        (title.to_owned(), 30002, "metadataOptions/updateArray/items[1]/value"),
        (
            format!("{title}<value>x</value><setTagValueArray><items>y</items></setTagValueArray>"),
            30001,
            "setTagValueArray cannot stand beside value",
        ),
        (
            format!("{title}<addTagValueArray><items>y</items></addTagValueArray>"),
            30001,
            "addTagValueArray is for fields for tags",
        ),
    ] {
        let order =
            element("reprocessAssetsJob", crate::job_fields::structure("ReprocessAssetsJob"), LATEST, &[], None);
        let options = format!("<metadataOptions><updateArray><items>{update}</items></updateArray></metadataOptions>");
        let answer = desk
            .order(
                "reprocessAssetsJob",
                &order.replace("</reprocessAssetsJob>", &format!("{options}</reprocessAssetsJob>")),
            )
            .await;
        assert_eq!(answer.fault_code(), Some(code), "{}", answer.text);
        assert!(answer.reason().contains(named), "\"{named}\" in \"{}\"", answer.reason());
    }
    desk.close().await;
}

/// What surrounds the job element.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_around_the_job_is_named() {
    const OPTIMIZE: &str = "<optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>";
    let desk = Desk::open().await;
    let head = "<companyHandle>c|47</companyHandle><jobName>N</jobName>";
    let long = "n".repeat(300);
    let elements: Vec<&str> = jobs().iter().map(|(job, _)| *job).filter(|job| *job != POST).collect();
    let cases: Vec<(String, i32, &str, &str)> = vec![
        (format!("<jobName>N</jobName>{OPTIMIZE}"), 30002, "companyHandle", ""),
        (format!("<companyHandle>x|1</companyHandle><jobName>N</jobName>{OPTIMIZE}"), 30001, "companyHandle", "c|"),
        (format!("<companyHandle>c|48</companyHandle><jobName>N</jobName>{OPTIMIZE}"), 20000, "companyHandle", ""),
        (format!("<companyHandle>c|47</companyHandle>{OPTIMIZE}"), 30002, "jobName", ""),
        (format!("<companyHandle>c|47</companyHandle><jobName>a|b</jobName>{OPTIMIZE}"), 30001, "jobName", "|"),
        (
            format!("<companyHandle>c|47</companyHandle><jobName>{long}</jobName>{OPTIMIZE}"),
            30001,
            "jobName",
            "characters",
        ),
        (format!("{head}<userHandle>c|1</userHandle>{OPTIMIZE}"), 30001, "userHandle", "u|"),
        (format!("{head}<locale>not one</locale>{OPTIMIZE}"), 30001, "locale", ""),
        (format!("{head}<execTime>tomorrow</execTime>{OPTIMIZE}"), 30001, "execTime", "tomorrow"),
        (format!("{head}<execSchedule>0 0 3</execSchedule>{OPTIMIZE}"), 30001, "execSchedule", "must be a schedule"),
        (
            format!("{head}<execSchedule>0 0 3 ? * Someday</execSchedule>{OPTIMIZE}"),
            30001,
            "execSchedule",
            "must be a schedule",
        ),
        (format!("{head}<execSchedule>0 0 3 30 2 ?</execSchedule>{OPTIMIZE}"), 30001, "execSchedule", ""),
        (
            format!(
                "{head}<execTime>2098-01-01T00:00:00Z</execTime><execSchedule>0 0 3 * * ?</execSchedule>{OPTIMIZE}"
            ),
            30001,
            "execSchedule",
            "cannot stand beside execTime",
        ),
        (head.to_owned(), 30002, "job element", "exactly one is needed"),
        (format!("{head}{OPTIMIZE}<metadataPublishJob/>"), 30001, "optimizeImagesJob", "exactly one job element"),
        (format!("{head}{OPTIMIZE}{OPTIMIZE}"), 30001, "optimizeImagesJob", "only once"),
    ];
    for (fields, code, named, rule) in &cases {
        let answer = desk.submit(fields).await;
        assert_eq!(answer.fault_code(), Some(*code), "{fields}\n{}", answer.text);
        for part in [named, rule] {
            assert!(answer.reason().contains(part), "\"{part}\" in \"{}\" for {fields}", answer.reason());
        }
    }
    let none = desk.submit(head).await;
    for element in elements {
        assert!(none.reason().contains(element), "{element} in {}", none.reason());
    }
    desk.close().await;
}
