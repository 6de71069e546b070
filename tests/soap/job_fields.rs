//! What jobs are made of, by the contract, and the XML of them.

use prepress::contract::{Contract, Field, FieldType, Scalar, Structure, Version};

/// The version that has the most fields.
pub const LATEST: &str = "http://www.scene7.com/IpsApi/xsd/2023-01-15";
/// The last one that has fields which went later.
pub const EARLIER: &str = "http://www.scene7.com/IpsApi/xsd/2013-02-15";

pub const POST: &str = "uploadPostJob";

/// What stands for an asset of the company in orders that need one.
pub const ASSET: &str = "a|1";

pub fn structure(name: &str) -> &'static Structure {
    Contract::get().structure(name).unwrap_or_else(|| panic!("the contract has no {name}"))
}

pub fn version(namespace: &str) -> Version {
    Version::from_namespace(namespace).unwrap()
}

/// The job elements of submitJob, and what UploadFile takes in the place of one.
pub fn jobs() -> Vec<(&'static str, &'static Structure)> {
    let submit = &Contract::get().operation("submitJob").unwrap().param;
    let mut jobs: Vec<_> = submit.rows().iter().filter_map(|row| Some((row.name, row.kind.structure()?))).collect();
    jobs.push((POST, structure("UploadPostJob")));
    jobs.dedup_by_key(|(element, _)| *element);
    jobs
}

/// A field that holds a text of its own, or a list of them, and the way to it from a job element.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub owner: String,
    pub path: Vec<&'static str>,
    pub scalar: Scalar,
    pub is_required: bool,
}

impl Leaf {
    /// A list goes by its own name.
    pub fn name(&self) -> &'static str {
        self.path.iter().rev().find(|step| **step != "items").unwrap()
    }

    /// Without the items of lists.
    pub fn shown(&self) -> String {
        self.path.iter().copied().filter(|step| *step != "items").collect::<Vec<_>>().join("/")
    }
}

/// All texts of a structure, with those of what it holds.
pub fn leaves(of: &'static Structure, namespace: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    for field in of.fields(version(namespace)) {
        let leaf = |path, scalar| Leaf {
            owner: of.name.clone(),
            path,
            scalar,
            is_required: field.occurs.is_required() && !field.occurs.is_many(),
        };
        let inside = match field.kind {
            FieldType::Scalar(scalar) => {
                found.push(leaf(vec![field.name], scalar));
                continue;
            }
            FieldType::Structure(_) => field.kind.structure().unwrap(),
        };
        match inside.list_item().map(|item| item.kind) {
            Some(FieldType::Scalar(scalar)) => {
                found.push(Leaf { is_required: false, ..leaf(vec![field.name, "items"], scalar) });
            }
            _ => found.extend(leaves(inside, namespace).into_iter().map(|mut leaf| {
                leaf.path.insert(0, field.name);
                leaf
            })),
        }
    }
    found
}

/// An element with everything that it must have, but for the field that `path` leads to: there it holds `content`, or
/// lacks the field when there is none.
pub fn element(name: &str, of: &Structure, namespace: &str, path: &[&str], content: Option<&str>) -> String {
    let mut inside = String::new();
    for field in of.fields(version(namespace)) {
        match path {
            [last] if *last == field.name => {
                inside.extend(content.map(|content| format!("<{last}>{content}</{last}>")));
            }
            [first, rest @ ..] if *first == field.name && !rest.is_empty() => {
                inside.push_str(&element(field.name, field.kind.structure().unwrap(), namespace, rest, content));
            }
            _ if field.occurs.is_required() => inside.push_str(&sample(field, namespace)),
            _ => {}
        }
    }
    format!("<{name}>{inside}</{name}>")
}

/// A field that must be there.
fn sample(field: &Field, namespace: &str) -> String {
    let name = field.name;
    let text = match (name, field.kind) {
        ("assetHandleArray" | "pdfHandleArray", _) => &format!("<items>{ASSET}</items>"),
        (_, FieldType::Structure(_)) => {
            return element(name, field.kind.structure().unwrap(), namespace, &[], None);
        }
        ("serverDir", _) => "in",
        ("sourceUrl", _) => "http://127.0.0.1:9/a.jpg",
        ("publishType", _) => "Full",
        ("emailSetting" | "process", _) => "None",
        ("fmt", _) => "convert",
        ("corner", _) => "UpperLeft",
        ("fillMethod", _) => "FloodFill",
        ("colorManagement", _) => "Default",
        ("fieldHandle", _) => "m|47|ALL|dc.title",
        (_, FieldType::Scalar(Scalar::Boolean)) => "false",
        (_, FieldType::Scalar(Scalar::Double | Scalar::Float)) => "0.5",
        (_, FieldType::Scalar(_)) => "1",
    };
    format!("<{name}>{text}</{name}>")
}

/// What stands in the place of a URL list that need not be there by the contract, and must by its rules.
pub fn with_urls(job: &str, xml: String) -> String {
    let urls =
        "<urlArray><items><sourceUrl>http://127.0.0.1:9/a.jpg</sourceUrl><destPath>a</destPath></items></urlArray>";
    match job {
        "uploadUrlsJob" if !xml.contains("<urlArray>") => {
            xml.replacen("<uploadUrlsJob>", &format!("<uploadUrlsJob>{urls}"), 1)
        }
        _ => xml,
    }
}
