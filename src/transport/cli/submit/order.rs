//! From a file or from flags to the parameter of submitJob.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::{SubmitArgs, fields};
use crate::contract::Contract;
use crate::model::handle;
use crate::model::job::{PageProcess, PublishType};
use crate::model::kind::JobKind;
use crate::service::jobs::SubmitJobParam;
use crate::store::companies::Company;
use crate::transport::cli::failure::Failure;
use crate::transport::cli::times;
use crate::transport::soap::{self, FaultCode};

/// Largest file that is read: more than any job that the limits of the model allow.
const LARGEST: u64 = 64 << 20;

/// What is submitted. Flags come before what the file says.
pub fn param(args: &SubmitArgs, companies: &[Company]) -> Result<SubmitJobParam, Failure> {
    let mut param = match (&args.file, args.kind) {
        (Some(file), _) => from_file(file)?,
        (None, Some(kind)) => from_flags(kind, args)?,
        (None, None) => return Err(Failure::new("there is neither a file nor a --kind")),
    };
    if let Some(company) = company(args.company.as_deref(), &param.company_handle, companies)? {
        param.company_handle = company;
    }
    if let Some(name) = &args.name {
        param.job_name.clone_from(name);
    }
    if args.at.is_some() || args.schedule.is_some() {
        param.exec_time = args.at.as_deref().map(date_time);
        param.exec_schedule.clone_from(&args.schedule);
    }
    Ok(param)
}

/// As xsd:dateTime has it, which wants seconds, that people leave out. What cannot be read is refused as it is.
fn date_time(text: &str) -> String {
    let text = text.trim();
    match (times::zoned(text), times::wall(text)) {
        (Some(instant), _) => instant.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
        (None, Some(wall)) => wall.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        (None, None) => text.to_owned(),
    }
}

fn company(named: Option<&str>, in_file: &str, companies: &[Company]) -> Result<Option<String>, Failure> {
    let Some(text) = named else {
        return match companies {
            _ if !in_file.is_empty() => Ok(None),
            [only] => Ok(Some(handle::company(only.id))),
            [] => Err(Failure::new("there is no company yet").hint("add one: prepress company add NAME")),
            _ => Err(Failure::new("there are several companies").hint("say which with --company")),
        };
    };
    let id = handle::parse_company("company", text).ok();
    let found = companies.iter().find(|company| company.name == text || Some(company.id) == id);
    match found {
        Some(company) => Ok(Some(handle::company(company.id))),
        None => Err(Failure::new(format!("there is no company \"{text}\"")).hint("see: prepress company list")),
    }
}

fn from_file(file: &Path) -> Result<SubmitJobParam, Failure> {
    let bytes = read(file)?;
    let shown = file.display();
    let refuse = |problem: String| {
        Failure::new(format!("{shown} is not a submitJobParam: {problem}"))
            .hint("it must hold a submitJobParam as XML, alone or in a SOAP envelope, or as JSON of the same shape")
    };
    // It is one, but something in it is wrong; the problem says where.
    let correct = |problem: String| {
        Failure::new(format!("{shown} is not a submitJobParam that can be submitted: {problem}"))
            .hint("nothing was submitted")
    };
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let value = match first {
        None => return Err(refuse("it is empty".to_owned())),
        Some(b'{') => {
            let value = json(&bytes).map_err(refuse)?;
            let submit_job = Contract::get().operation("submitJob");
            if let Some(problem) = submit_job.and_then(|operation| fields::unknown(&value, &operation.param)) {
                return Err(correct(problem));
            }
            value
        }
        Some(_) => {
            let (operation, value) = soap::read_document(&bytes).map_err(|fault| match fault.code {
                FaultCode::InvalidRequestXml => refuse(fault.reason),
                _ => correct(fault.reason),
            })?;
            if operation.name != "submitJob" {
                return Err(refuse(format!("it calls {}", operation.name)));
            }
            value
        }
    };
    serde_json::from_value(value).map_err(|error| correct(error.to_string()))
}

fn json(bytes: &[u8]) -> Result<Json, String> {
    let mut value: Json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match value.get_mut("submitJobParam") {
        Some(inner) => Ok(inner.take()),
        None => Ok(value),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(format!("cannot read {}: {error}", file.display())).hint("check the path and its rights")
    };
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    match read.map_err(unreadable)? as u64 {
        ..=LARGEST => Ok(bytes),
        _ => Err(Failure::new(format!("{} is larger than {} MiB", file.display(), LARGEST >> 20))),
    }
}

/// Pixels per inch. Which of them can be had the service says.
pub(super) fn resolution(text: &str) -> Result<f64, &'static str> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or("must be a number of pixels per inch")
}

/// A flag that says nothing to this kind would be passed over without a word.
fn refuse_others(kind: JobKind, args: &SubmitArgs) -> Result<(), Failure> {
    use JobKind::{ImageServingPublish, UploadDirectory, UploadUrls};
    let flags: [(&str, bool, &[JobKind]); 9] = [
        ("--dir", args.dir.is_some(), &[UploadDirectory]),
        ("--dest", args.dest.is_some(), &[UploadDirectory]),
        ("--flat", args.flat, &[UploadDirectory]),
        ("--url", !args.urls.is_empty(), &[UploadUrls]),
        ("--overwrite", args.overwrite, &[UploadDirectory, UploadUrls]),
        ("--same-name", args.same_name.is_some(), &[UploadDirectory, UploadUrls]),
        ("--pages", args.pages.is_some(), &[UploadDirectory, UploadUrls]),
        ("--sets", !args.set_scripts.is_empty(), &[UploadDirectory, UploadUrls]),
        ("--publish", args.publish.is_some(), &[UploadDirectory, UploadUrls, ImageServingPublish]),
    ];
    match flags.iter().find(|(_, is_given, kinds)| *is_given && !kinds.contains(&kind)) {
        None => Ok(()),
        Some((flag, _, kinds)) => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.element().trim_end_matches("Job")).collect();
            Err(Failure::new(format!("{flag} means nothing to --kind {}", kind.element().trim_end_matches("Job")))
                .hint(format!("it is for {}; nothing was submitted", kinds.join(", "))))
        }
    }
}

fn from_flags(kind: JobKind, args: &SubmitArgs) -> Result<SubmitJobParam, Failure> {
    refuse_others(kind, args)?;
    let publish = |publish_type: PublishType| json!({"publishType": publish_type, "emailSetting": args.email});
    let sets = (!args.set_scripts.is_empty()).then(|| json!({"autoSetsArray": args.set_scripts}));
    let pages = args.pages.map(|resolution| json!({"process": PageProcess::Rasterize, "resolution": resolution}));
    let mut order = match kind {
        JobKind::UploadDirectory => {
            let dir = args.dir.as_deref().ok_or_else(|| {
                Failure::new("--kind uploadDirectory needs --dir")
                    .hint("the directory below the company's ingest folder; --dir \"\" for all of it")
            })?;
            json!({
                "serverDir": dir,
                "destFolder": args.dest,
                "includeSubfolders": !args.flat,
                "overwrite": args.overwrite,
                "sameName": args.same_name,
                "readyForPublish": true,
                "autoSetCreationOptions": sets,
                "postImageServingPublishJob": args.publish.map(publish),
            })
        }
        JobKind::UploadUrls => json!({
            "urlArray": args.urls.iter().map(|url| upload_url(url)).collect::<Vec<_>>(),
            "overwrite": args.overwrite,
            "sameName": args.same_name,
            "readyForPublish": true,
            "autoSetCreationOptions": sets,
            "postImageServingPublishJob": args.publish.map(publish),
        }),
        JobKind::OptimizeImages => json!({}),
        JobKind::ImageServingPublish => json!({"publishType": args.publish.unwrap_or(PublishType::Incremental)}),
        other => {
            return Err(Failure::new(format!("there are no flags for {other}"))
                .hint("write it as a file; prepress submit takes XML and JSON"));
        }
    };
    if let Some(pages) = pages {
        for options in ["pdfOptions", "postScriptOptions", "illustratorOptions"] {
            order[options] = pages.clone();
        }
    }
    order["emailSetting"] = json!(args.email.unwrap_or_default());
    without_unset(&mut order);
    Ok(SubmitJobParam {
        job_name: kind.type_name().to_owned(),
        elements: Map::from_iter([(kind.element().to_owned(), order)]),
        ..SubmitJobParam::default()
    })
}

/// What was not said takes its default, as in a request.
fn without_unset(value: &mut Json) {
    if let Json::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_unset);
    }
}

/// `ADDRESS` or `ADDRESS=FOLDER/NAME`. An address may hold `=` in its query, so that the last one after it counts.
fn upload_url(text: &str) -> Json {
    let (address, dest) = match text.rsplit_once('=') {
        Some((address, dest)) if !address.contains('?') => (address, dest),
        _ => (text, ""),
    };
    json!({"sourceUrl": address, "destPath": dest})
}
