//! Handles: the strings by which clients name objects.
//!
//! Two shapes are in use. From API 4.0 on a handle begins with a letter and a bar (`c|6`); in the oldest namespace it
//! comes without (`6`). Both are accepted from every client. What is written here is always the newer shape; the
//! transport turns it into the older one for clients of the oldest namespace.

use super::asset::AssetType;
use super::id::{
    AccountId, AssetId, CompanyId, ContextId, ImageFormatId, InstanceId, PropertySetId, PropertySetTypeId,
};
use super::invalid::Invalid;
use super::metadata::Scope;

/// Takes the letter and its bar off, when they are there. A letter of another kind of handle is an error.
fn body<'a>(field: &str, letter: &str, text: &'a str) -> Result<&'a str, Invalid> {
    match text.split_once('|') {
        Some((prefix, rest)) if prefix == letter => Ok(rest),
        Some((prefix, _))
            if !prefix.is_empty() && prefix.len() <= 2 && prefix.bytes().all(|b| b.is_ascii_lowercase()) =>
        {
            Err(Invalid::new(field, format!("must be a handle of the form {letter}|…, not \"{}\"", shown(text))))
        }
        _ => Ok(text),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn number(field: &str, form: &str, whole: &str, text: &str) -> Result<i64, Invalid> {
    text.parse::<i64>()
        .ok()
        .filter(|n| *n >= 0)
        .ok_or_else(|| Invalid::new(field, format!("must be a handle of the form {form}, not \"{}\"", shown(whole))))
}

pub fn company(id: CompanyId) -> String {
    format!("c|{id}")
}

pub fn parse_company(field: &str, text: &str) -> Result<CompanyId, Invalid> {
    Ok(CompanyId(number(field, "c|6", text, body(field, "c", text)?)?))
}

pub fn account(id: AccountId, email: &str) -> String {
    format!("u|{id}|{email}")
}

pub fn parse_account(field: &str, text: &str) -> Result<AccountId, Invalid> {
    let rest = body(field, "u", text)?;
    let id = rest.split_once('|').map_or(rest, |(id, _)| id);
    Ok(AccountId(number(field, "u|41|a@b.example", text, id)?))
}

pub fn context(id: ContextId) -> String {
    format!("pc|{id}")
}

pub fn parse_context(field: &str, text: &str) -> Result<ContextId, Invalid> {
    Ok(ContextId(number(field, "pc|3001", text, body(field, "pc", text)?)?))
}

/// `i|<company>|<id>`.
pub fn image_format(company: CompanyId, id: ImageFormatId) -> String {
    format!("i|{company}|{id}")
}

pub fn parse_image_format(field: &str, text: &str) -> Result<(CompanyId, ImageFormatId), Invalid> {
    const FORM: &str = "i|47|301";
    let (company, id) = body(field, "i", text)?.split_once('|').unwrap_or_default();
    Ok((CompanyId(number(field, FORM, text, company)?), ImageFormatId(number(field, FORM, text, id)?)))
}

/// `m|<company>|<asset type>|<name>`.
pub fn metadata_field(company: CompanyId, scope: Scope, name: &str) -> String {
    format!("m|{company}|{scope}|{name}")
}

pub fn parse_metadata_field(field: &str, text: &str) -> Result<(CompanyId, Scope, String), Invalid> {
    const FORM: &str = "m|6|IMAGE|Size";
    let refuse = || Invalid::new(field, format!("must be a handle of the form {FORM}, not \"{}\"", shown(text)));
    let (company, rest) = body(field, "m", text.trim())?.split_once('|').ok_or_else(refuse)?;
    let (scope, name) = rest.split_once('|').ok_or_else(refuse)?;
    let scope: Scope = scope.parse().map_err(|_| refuse())?;
    if name.is_empty() {
        return Err(refuse());
    }
    Ok((CompanyId(number(field, FORM, text, company)?), scope, name.to_owned()))
}

/// `p|<company>|<name>`: the company and the name of a project.
pub fn parse_project<'a>(field: &str, text: &'a str) -> Result<(CompanyId, &'a str), Invalid> {
    const FORM: &str = "p|6|Spring";
    match body(field, "p", text)?.split_once('|') {
        Some((company, name)) if !name.is_empty() => Ok((CompanyId(number(field, FORM, text, company)?), name)),
        _ => Err(Invalid::new(field, format!("must be a handle of the form {FORM}, not \"{}\"", shown(text)))),
    }
}

pub fn property_set_type(id: PropertySetTypeId) -> String {
    format!("pt|{id}")
}

pub fn parse_property_set_type(field: &str, text: &str) -> Result<PropertySetTypeId, Invalid> {
    Ok(PropertySetTypeId(number(field, "pt|10801", text, body(field, "pt", text)?)?))
}

pub fn property_set(id: PropertySetId) -> String {
    format!("ps|{id}")
}

pub fn parse_property_set(field: &str, text: &str) -> Result<PropertySetId, Invalid> {
    Ok(PropertySetId(number(field, "ps|941", text, body(field, "ps", text)?)?))
}

/// `a|<id>|<kind>|<id>`: clients of the time before 2020 expect the three parts.
pub fn asset(id: AssetId, asset_type: AssetType) -> String {
    format!("a|{id}|{}|{id}", asset_type.kind_number())
}

pub fn parse_asset(field: &str, text: &str) -> Result<AssetId, Invalid> {
    let rest = body(field, "a", text)?;
    let id = rest.split('|').next().unwrap_or(rest);
    Ok(AssetId(number(field, "a|732|1|732", text, id)?))
}

/// `f|<company root>/<path>/`; the path of the root folder is empty.
pub fn folder(root_path: &str, path: &str) -> String {
    format!("f|{}", folder_path(root_path, path))
}

/// A folder as a client sees its path: company root in front, slash at the end.
pub fn folder_path(root_path: &str, path: &str) -> String {
    if path.is_empty() { format!("{root_path}/") } else { format!("{root_path}/{path}/") }
}

/// The path below the company root; what it may be is checked where folders are named.
pub fn parse_folder<'a>(field: &str, root_path: &str, text: &'a str) -> Result<&'a str, Invalid> {
    Ok(strip_root(root_path, body(field, "f", text)?))
}

/// A folder path as clients give it: with or without the company root, with or without slashes at its ends.
pub fn strip_root<'a>(root_path: &str, text: &'a str) -> &'a str {
    let path = text.trim_matches('/');
    match path.strip_prefix(root_path) {
        Some("") => "",
        Some(rest) if rest.starts_with('/') => rest.trim_matches('/'),
        _ => path,
    }
}

/// What a job handle names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobHandle {
    /// `j|6|Name||`: the job as submitted.
    Submitted { company: CompanyId, name: String },
    /// `j|6||Name_2026-11-23-09:15:00.123|54091`: one run of it. The oldest shape has no number.
    Run { company: CompanyId, run_name: String, instance: Option<InstanceId> },
}

impl JobHandle {
    pub const fn company(&self) -> CompanyId {
        match self {
            Self::Submitted { company, .. } | Self::Run { company, .. } => *company,
        }
    }
}

pub fn submitted_job(company: CompanyId, name: &str) -> String {
    format!("j|{company}|{name}||")
}

pub fn run(company: CompanyId, run_name: &str, instance: InstanceId) -> String {
    format!("j|{company}||{run_name}|{instance}")
}

pub fn parse_job(field: &str, text: &str) -> Result<JobHandle, Invalid> {
    const FORM: &str = "j|6|Name|| or j|6||Name_yyyy-MM-dd-HH:mm:ss.SSS|54091";
    let refuse = || Invalid::new(field, format!("must be a job handle of the form {FORM}, not \"{}\"", shown(text)));
    // Blanks around a handle are not part of it; those in it, at the ends of a name, are.
    let parts: Vec<&str> = body(field, "j", text.trim_start())?.split('|').collect();
    let (company, name, run_name, instance) = match parts[..] {
        [company, name] => (company, name, "", ""),
        [company, name, run_name] => (company, name, run_name.trim_end(), ""),
        [company, name, run_name, instance] => (company, name, run_name, instance.trim_end()),
        _ => return Err(refuse()),
    };
    let company = CompanyId(number(field, FORM, text, company)?);
    match (name, run_name) {
        ("", "") => Err(refuse()),
        // Whoever says the number of a run means that one, and not all that have the name.
        (_, "") if !instance.is_empty() => Err(refuse()),
        (name, "") => Ok(JobHandle::Submitted { company, name: name.to_owned() }),
        ("", run_name) => {
            let instance = match instance {
                "" => None,
                digits => Some(InstanceId(number(field, FORM, text, digits)?)),
            };
            Ok(JobHandle::Run { company, run_name: run_name.to_owned(), instance })
        }
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read() {
        assert_eq!(parse_company("companyHandle", "c|47").unwrap(), CompanyId(47));
        assert_eq!(parse_company("companyHandle", "47").unwrap(), CompanyId(47));
        assert_eq!(parse_account("userHandle", "u|41|a@b.example").unwrap(), AccountId(41));
        assert_eq!(parse_account("userHandle", "70|a@b.example").unwrap(), AccountId(70));
        assert_eq!(parse_asset("assetHandle", "a|732|1|535").unwrap(), AssetId(732));
        assert_eq!(parse_asset("assetHandle", "24265|1|17061").unwrap(), AssetId(24265));
        assert_eq!(parse_asset("assetHandle", "a|918567").unwrap(), AssetId(918567));
        assert_eq!(parse_context("contextHandle", "pc|3001").unwrap(), ContextId(3001));
        let format = (CompanyId(47), ImageFormatId(301));
        for text in ["i|47|301", "47|301", &image_format(format.0, format.1)] {
            assert_eq!(parse_image_format("imageFormatHandle", text).unwrap(), format, "{text}");
        }
        for text in ["", "301", "c|47|301", "47|x", "47|301|1"] {
            assert!(parse_image_format("imageFormatHandle", text).is_err(), "{text}");
        }
        let field = (CompanyId(6), Scope::Of(AssetType::Image), "Size".to_owned());
        for text in ["m|6|IMAGE|Size", "6|Image|Size", &metadata_field(field.0, field.1, &field.2)] {
            assert_eq!(parse_metadata_field("fieldHandle", text).unwrap(), field, "{text}");
        }
        assert_eq!(parse_metadata_field("fieldHandle", "47|ALL|dc.subject").unwrap().1, Scope::All);
        assert_eq!(parse_metadata_field("fieldHandle", "m|47|ASSET|Size").unwrap().1, Scope::All);
        for text in ["", "Size", "m|6|IMAGE", "m|6|IMAGE|", "m|x|IMAGE|Size", "m|6|NOTHING|Size", "a|6|IMAGE|Size"] {
            assert_eq!(parse_metadata_field("fieldHandle", text).unwrap_err().field, "fieldHandle", "{text}");
        }
        assert_eq!(parse_property_set("setHandle", "ps|941").unwrap(), PropertySetId(941));
        assert_eq!(parse_property_set("setHandle", "941").unwrap(), PropertySetId(941));
        assert!(parse_property_set("setHandle", "pt|941").is_err());
        assert_eq!(parse_property_set_type("typeHandle", "pt|10801").unwrap(), PropertySetTypeId(10801));
        for (text, path) in
            [("f|Acme/A/B/", "A/B"), ("Acme/", ""), ("f|Acme/", ""), ("A/B", "A/B"), ("Acmes/", "Acmes")]
        {
            assert_eq!(parse_folder("folderHandle", "Acme", text).unwrap(), path, "{text}");
        }
    }

    #[test]
    fn job_handles_come_in_four_shapes() {
        let submitted = JobHandle::Submitted { company: CompanyId(47), name: "My Test Job".into() };
        for text in ["47|My Test Job|", "j|47|My Test Job||", "j|47|My Test Job|", "47|My Test Job"] {
            assert_eq!(parse_job("jobHandle", text).unwrap(), submitted, "{text}");
        }
        let blank = JobHandle::Submitted { company: CompanyId(47), name: " N ".into() };
        for text in ["47| N |", "j|47| N ||", " j|47| N ||\n", "47| N "] {
            assert_eq!(parse_job("jobHandle", text).unwrap(), blank, "{text:?}");
        }
        let name = "Add_2007-09-14-15:04:34";
        let old = JobHandle::Run { company: CompanyId(47), run_name: name.into(), instance: None };
        assert_eq!(parse_job("jobHandle", &format!("47||{name}")).unwrap(), old);
        assert_eq!(parse_job("jobHandle", &format!("j|47||{name}")).unwrap(), old);
        let new = JobHandle::Run { company: CompanyId(47), run_name: name.into(), instance: Some(InstanceId(9)) };
        assert_eq!(parse_job("jobHandle", &format!("j|47||{name}|9")).unwrap(), new);
    }

    #[test]
    fn what_is_no_handle_is_refused_by_field() {
        for text in [
            "",
            "j",
            "j|",
            "j|x|Name||",
            "j|47|||",
            "j|47|A|B|9",
            "c|47|Name||",
            "j|47||Run|x",
            "j|47|Name||9",
            "j|1|2|3|4|5",
        ] {
            assert_eq!(parse_job("jobHandle", text).unwrap_err().field, "jobHandle", "{text:?}");
        }
        for text in ["", "c|", "u|6", "c|-6", "c|6|7", "six", "c|99999999999999999999"] {
            assert!(parse_company("companyHandle", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let (company, instance) = (CompanyId(6), InstanceId(54091));
        let run_name = "Name_2026-11-23-09:15:00.123";
        assert_eq!(
            parse_job("h", &run(company, run_name, instance)).unwrap(),
            JobHandle::Run { company, run_name: run_name.into(), instance: Some(instance) }
        );
        assert_eq!(
            parse_job("h", &submitted_job(company, "N")).unwrap(),
            JobHandle::Submitted { company, name: "N".into() }
        );
        assert_eq!(asset(AssetId(7), AssetType::Image), "a|7|1|7");
        assert_eq!(folder("Acme", ""), "f|Acme/");
        assert_eq!(folder("Acme", "A/B"), "f|Acme/A/B/");
    }
}
