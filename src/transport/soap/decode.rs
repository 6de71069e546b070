//! A parameter element as a JSON value, checked against the contract.
//!
//! Real clients are loose about everything but names: children come in any order and in any namespace of the family,
//! fields of other versions turn up, and so do fields no version has. All of that is accepted. What is not: a required
//! field left out, a single one given twice, and text that is not of its type.

use serde_json::{Map, Value};

use crate::contract::{Field, FieldType, Scalar, Structure, UNVERSIONED_NAMESPACE, Version};

use super::{
    fault::Fault,
    lexical,
    xml::{Element, shorten},
};

/// Reads an element of the given structure. A structure that is only a list becomes an array, any other an object
/// without the fields that were not sent.
pub fn decode(element: &Element, structure: &Structure, version: Version) -> Result<Value, Fault> {
    Decoder { version, path: element.name.clone() }.structure(element, structure)
}

struct Decoder {
    version: Version,
    /// Where in the request we are, for faults: `submitJobParam/uploadUrlsJob/urlArray/items[2]`.
    path: String,
}

impl Decoder {
    fn structure(&mut self, element: &Element, structure: &Structure) -> Result<Value, Fault> {
        if !element.text.trim().is_empty() {
            return Err(Fault::invalid(&self.path, format!("must hold elements, and holds {}", quoted(&element.text))));
        }
        match structure.list_item() {
            Some(item) => self.list(element, item).map(Value::Array),
            None => self.object(element, structure).map(Value::Object),
        }
    }

    fn list(&mut self, element: &Element, item: &Field) -> Result<Vec<Value>, Fault> {
        let mut values = Vec::new();
        for (index, child) in named(element, item.name).enumerate() {
            let step = format!("{}[{}]", item.name, index + 1);
            values.extend(self.below(&step, |decoder| decoder.field(child, item))?);
        }
        match item.occurs.max {
            Some(max) if values.len() > max as usize => Err(Fault::invalid(
                &self.path,
                format!("must hold at most {max} {}, and holds {}", item.name, values.len()),
            )),
            _ if values.len() < item.occurs.min as usize => {
                self.below(item.name, |decoder| Err(Fault::missing(&decoder.path)))
            }
            _ => Ok(values),
        }
    }

    fn object(&mut self, element: &Element, structure: &Structure) -> Result<Map<String, Value>, Fault> {
        let mut object = Map::new();
        for (field, is_of_version) in structure.understood(self.version) {
            let mut children = named(element, field.name);
            let child = children.next();
            let is_repeated = children.next().is_some();
            self.below(field.name, |decoder| {
                if is_repeated {
                    return Err(Fault::invalid(&decoder.path, "must be given only once"));
                }
                let value = child.map_or(Ok(None), |child| decoder.field(child, field))?;
                match value {
                    Some(value) => drop(object.insert(field.name.to_owned(), value)),
                    None if is_of_version && field.occurs.is_required() => return Err(Fault::missing(&decoder.path)),
                    None => {}
                }
                Ok(())
            })?;
        }
        Ok(object)
    }

    /// `None` is a field that is there in name only.
    fn field(&mut self, element: &Element, field: &Field) -> Result<Option<Value>, Fault> {
        if element.is_nil {
            return Ok(None);
        }
        match field.kind {
            FieldType::Scalar(scalar) => self.scalar(element, scalar, field.occurs.is_required()),
            FieldType::Structure(_) => {
                field.kind.structure().map(|structure| self.structure(element, structure)).transpose()
            }
        }
    }

    fn scalar(&mut self, element: &Element, scalar: Scalar, is_required: bool) -> Result<Option<Value>, Fault> {
        if let Some(child) = element.children.first() {
            return Err(Fault::invalid(
                &self.path,
                format!("must hold text, and holds the element {}", shorten(&child.name, 60)),
            ));
        }
        let is_empty = scalar != Scalar::String && element.text.trim().is_empty();
        if is_empty && !is_required {
            return Ok(None);
        }
        lexical::read(scalar, &element.text).map(Some).map_err(|rule| {
            let found = if is_empty { "empty".to_owned() } else { quoted(&element.text) };
            Fault::invalid(&self.path, format!("{rule}, and is {found}"))
        })
    }

    fn below<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(step);
        let outcome = read(self);
        self.path.truncate(length);
        outcome
    }
}

/// The children of a name, in the family's namespaces or in none; those of a foreign namespace mean something else.
fn named<'a>(element: &'a Element, name: &str) -> impl Iterator<Item = &'a Element> {
    element.children.iter().filter(move |child| {
        child.name == name && (child.namespace().is_empty() || child.namespace().starts_with(UNVERSIONED_NAMESPACE))
    })
}

fn quoted(text: &str) -> String {
    format!("{:?}", shorten(text.trim(), 60))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        contract::Contract,
        transport::soap::{fault::FaultCode, xml},
    };

    fn read_as(version: Version, body: &str) -> Result<Value, Fault> {
        let element = xml::parse(body, &xml::Limits::default()).unwrap();
        let operation = element.name.strip_suffix("Param").unwrap();
        decode(&element, &Contract::get().operation(operation).unwrap().param, version)
    }

    fn submit(children: &str) -> Result<Value, Fault> {
        read_as(
            Version::newest_documented(),
            &format!(
                "<submitJobParam xmlns='http://www.scene7.com/IpsApi/xsd/2014-04-03'
                    xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{children}</submitJobParam>"
            ),
        )
    }

    fn refused(children: &str) -> (FaultCode, String) {
        let fault = submit(children).unwrap_err();
        (fault.code, fault.reason)
    }

    const NAMED: &str = "<companyHandle>c|47</companyHandle><jobName>n</jobName>";

    #[test]
    fn a_request_becomes_an_object_in_schema_order() {
        let value = submit(
            "<uploadUrlsJob><emailSetting>None</emailSetting><createMask> 0 </createMask><readyForPublish>1</readyForPublish>
                <overwrite>true</overwrite><pdfOptions><resolution>150</resolution></pdfOptions>
                <urlArray>
                    <items><sourceUrl>http://a/b?c=1&amp;d=2</sourceUrl><destPath>x</destPath></items>
                    <items><sourceUrl>http://a/</sourceUrl><destPath>y</destPath></items>
                </urlArray></uploadUrlsJob>
            <execTime>2026-01-02T03:04:05+01:00</execTime>
            <jobName> My Job </jobName><companyHandle>c|47</companyHandle>",
        )
        .unwrap();
        assert_eq!(
            value,
            json!({
                "companyHandle": "c|47", "jobName": " My Job ", "execTime": "2026-01-02T03:04:05.000+01:00",
                "uploadUrlsJob": {
                    "urlArray": [
                        {"sourceUrl": "http://a/b?c=1&d=2", "destPath": "x"}, {"sourceUrl": "http://a/", "destPath": "y"},
                    ],
                    "overwrite": true, "readyForPublish": true, "createMask": false, "emailSetting": "None",
                    "pdfOptions": {"resolution": 150.0},
                },
            })
        );
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["companyHandle", "jobName", "execTime", "uploadUrlsJob"]);
    }

    #[test]
    fn a_missing_field_is_named_by_its_path() {
        assert_eq!(
            refused("<jobName>n</jobName>"),
            (FaultCode::MissingParameter, "submitJobParam/companyHandle is missing".to_owned())
        );
        assert_eq!(
            refused(&format!("{NAMED}<uploadDirectoryJob><destFolder>x</destFolder></uploadDirectoryJob>")).1,
            "submitJobParam/uploadDirectoryJob/serverDir is missing"
        );
        assert_eq!(
            refused(&format!("{NAMED}<uploadUrlsJob><urlArray><items/></urlArray></uploadUrlsJob>")).1,
            "submitJobParam/uploadUrlsJob/urlArray/items[1]/sourceUrl is missing"
        );
        assert_eq!(refused("<companyHandle xsi:nil='true'/><jobName/>").1, "submitJobParam/companyHandle is missing");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_rule() {
        let job = |fields: &str| refused(&format!("{NAMED}<metadataPublishJob>{fields}</metadataPublishJob>"));
        let (code, reason) = job("<forcePublish>maybe</forcePublish>");
        assert_eq!(code, FaultCode::InvalidParameter);
        assert_eq!(
            reason,
            "submitJobParam/metadataPublishJob/forcePublish must be true, false, 1 or 0, and is \"maybe\""
        );
        assert!(
            job("<forcePublish>1</forcePublish><forcePublish>1</forcePublish>").1.ends_with("must be given only once")
        );
        assert!(job("<forcePublish><b/></forcePublish>").1.ends_with("must hold text, and holds the element b"));
        assert!(job("words").1.ends_with("must hold elements, and holds \"words\""));
        let (code, reason) = refused(&format!("{NAMED}<execTime>tomorrow</execTime>"));
        assert_eq!(code, FaultCode::InvalidParameter);
        assert!(reason.starts_with("submitJobParam/execTime must be a date and time such as"), "{reason}");
        assert!(
            refused(
                "<companyHandle>1</companyHandle><jobName>n</jobName><reprocessAssetsJob><assetHandleArray/><createMask/>\
                 <emailSetting/></reprocessAssetsJob>"
            )
            .1
            .ends_with("createMask must be true, false, 1 or 0, and is empty")
        );
    }

    #[test]
    fn empty_and_nil_fields_are_absent_unless_they_are_text() {
        let value = submit(&format!(
            "{NAMED}<execTime/><execSchedule></execSchedule><description xsi:nil='1'/>
            <metadataPublishJob><forcePublish> </forcePublish></metadataPublishJob>"
        ))
        .unwrap();
        assert_eq!(
            value,
            json!({"companyHandle": "c|47", "jobName": "n", "execSchedule": "", "metadataPublishJob": {}})
        );
    }

    #[test]
    fn fields_of_no_version_are_passed_over() {
        let value = submit(&format!(
            "{NAMED}<renameFiles>true</renameFiles><deep><er/></deep>
            <f:jobName xmlns:f='http://example.com/'>other</f:jobName>"
        ));
        assert_eq!(value.unwrap(), json!({"companyHandle": "c|47", "jobName": "n"}));
    }

    #[test]
    fn fields_of_other_versions_are_understood() {
        let value = read_as(
            Version::unversioned(),
            &format!(
                "<submitJobParam xmlns='http://www.scene7.com/IpsApi/xsd'>{NAMED}
                <exportJob><assetHandleArray><items>a|1</items></assetHandleArray><fmt>orig</fmt>
                <emailSetting>All</emailSetting></exportJob></submitJobParam>"
            ),
        );
        assert_eq!(value.unwrap()["exportJob"]["assetHandleArray"], json!(["a|1"]));
        let value = read_as(
            Version::from_date("2010-01-31").unwrap(),
            "<renameAssetParam><companyHandle>1</companyHandle><assetHandle>2</assetHandle><newName>n</newName>
            <validateName>true</validateName><renameFiles>true</renameFiles></renameAssetParam>",
        );
        assert_eq!(value.unwrap()["renameFiles"], json!(true));
    }

    #[test]
    fn prefixes_and_mixed_namespaces_make_no_difference() {
        let value = read_as(
            Version::newest_documented(),
            "<n:getJobLogDetailsParam xmlns:n='http://www.scene7.com/IpsApi/xsd/2014-04-03'>
            <n:companyHandle>c|1</n:companyHandle><jobHandle>j</jobHandle>
            <x:logTypeArray xmlns:x='http://www.scene7.com/IpsApi/xsd'><x:items>BeginUpload</x:items></x:logTypeArray>
            </n:getJobLogDetailsParam>",
        );
        assert_eq!(value.unwrap(), json!({"companyHandle": "c|1", "jobHandle": "j", "logTypeArray": ["BeginUpload"]}));
    }

    #[test]
    fn lists_have_their_bounds() {
        let confirm = |count: usize| {
            let structure = Contract::get().structure("EmailArray").unwrap();
            let xml = format!("<emailArray>{}</emailArray>", "<items>a@b</items>".repeat(count));
            decode(&xml::parse(&xml, &xml::Limits::default()).unwrap(), structure, Version::newest_documented())
        };
        assert_eq!(confirm(5).unwrap().as_array().unwrap().len(), 5);
        assert_eq!(confirm(6).unwrap_err().reason, "emailArray must hold at most 5 items, and holds 6");
        assert_eq!(confirm(0).unwrap_err().reason, "emailArray/items is missing");
    }
}
