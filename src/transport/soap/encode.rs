//! A service's answer as XML: schema order, and only what the caller's version has.

use serde_json::Value;

use crate::contract::{Field, FieldType, Scalar, Structure, Version, to_legacy_handle};

use super::{lexical, xml::escape_into};

/// The XML of an answer.
#[derive(Debug)]
pub struct Encoded {
    pub xml: String,
    /// Where the answer does not fit the contract: mistakes of a service, which the XML makes up for.
    pub defects: Vec<String>,
}

/// Writes a value as an element of the given structure. Required fields are always there: what the value lacks is
/// written empty or zero, and named among the defects.
pub fn encode(value: &Value, element: &str, structure: &Structure, version: Version) -> Encoded {
    let mut encoder = Encoder::new(element, version);
    let namespace = version.namespace();
    encoder.element(element, Some(&namespace), |encoder| encoder.structure(value, structure, false));
    Encoded { xml: encoder.xml, defects: encoder.defects }
}

/// An answer that is one list, whose items are written one after the other.
pub struct Frame {
    /// What comes before the items.
    pub head: String,
    /// What comes after them.
    pub tail: String,
    list: &'static Field,
    item: &'static Field,
    path: String,
    version: Version,
}

/// The frame of an answer whose only field is the list `field`; nothing if that is not so in this version.
pub fn frame(element: &str, structure: &'static Structure, field: &str, version: Version) -> Option<Frame> {
    let mut fields = structure.fields(version);
    let list = fields.next().filter(|list| list.name == field)?;
    let item = list.kind.structure()?.list_item()?;
    if fields.next().is_some() {
        return None;
    }
    let mut encoder = Encoder::new(element, version);
    encoder.open(element, Some(&version.namespace()));
    encoder.xml.push('>');
    encoder.open(list.name, None);
    encoder.xml.push('>');
    let tail = format!("</{}></{element}>", list.name);
    Some(Frame { head: encoder.xml, tail, list, item, path: format!("{element}/{}", list.name), version })
}

impl Frame {
    /// Writes some of the items.
    pub fn items(&self, items: &[Value]) -> Encoded {
        let mut encoder = Encoder::new(&self.path, self.version);
        for item in items {
            encoder.field(self.item, item, self.list.holds_handles());
        }
        Encoded { xml: encoder.xml, defects: encoder.defects }
    }
}

struct Encoder {
    version: Version,
    xml: String,
    path: String,
    defects: Vec<String>,
}

impl Encoder {
    fn new(path: &str, version: Version) -> Self {
        Self { version, xml: String::new(), path: path.to_owned(), defects: Vec::new() }
    }

    fn structure(&mut self, value: &Value, structure: &Structure, holds_handles: bool) {
        match (value, structure.list_item()) {
            (Value::Array(items), Some(item)) => {
                for value in items {
                    self.field(item, value, holds_handles);
                }
            }
            (Value::Object(object), None) => {
                let unknown = object.iter().find(|(key, value)| !value.is_null() && !structure.has(key));
                if let Some((unknown, _)) = unknown {
                    self.defect(&format!("has no field {unknown}"));
                }
                for field in structure.fields(self.version) {
                    match object.get(field.name) {
                        None | Some(Value::Null) => self.absent(field),
                        Some(value) => self.field(field, value, field.holds_handles()),
                    }
                }
            }
            // An empty answer needs no object.
            (Value::Null, _) => {
                for field in structure.fields(self.version).filter(|field| !field.occurs.is_many()) {
                    self.absent(field);
                }
            }
            (_, Some(_)) => self.defect("should be an array"),
            (_, None) => self.defect("should be an object"),
        }
    }

    fn absent(&mut self, field: &Field) {
        if !field.occurs.is_required() {
            return;
        }
        self.below(field.name, |encoder| {
            encoder.defect("is required and was not given");
            encoder.element(field.name, None, |encoder| match field.kind {
                FieldType::Scalar(scalar) => encoder.xml.push_str(lexical::zero(scalar)),
                FieldType::Structure(_) => {
                    if let Some(structure) = field.kind.structure() {
                        encoder.structure(&Value::Null, structure, false);
                    }
                }
            });
        });
    }

    fn field(&mut self, field: &Field, value: &Value, holds_handles: bool) {
        self.below(field.name, |encoder| {
            encoder.element(field.name, None, |encoder| match field.kind {
                FieldType::Scalar(scalar) => encoder.scalar(scalar, value, holds_handles),
                FieldType::Structure(_) => {
                    if let Some(structure) = field.kind.structure() {
                        encoder.structure(value, structure, holds_handles);
                    }
                }
            });
        });
    }

    fn scalar(&mut self, scalar: Scalar, value: &Value, holds_handles: bool) {
        match lexical::write(scalar, value) {
            Some(text) if holds_handles && self.version.is_legacy() => {
                escape_into(&to_legacy_handle(&text), &mut self.xml)
            }
            Some(text) => escape_into(&text, &mut self.xml),
            None => {
                self.defect(&format!("is not of the type {}: {value}", scalar.xsd_name()));
                self.xml.push_str(lexical::zero(scalar));
            }
        }
    }

    /// The beginning of an element, without the end of its tag.
    fn open(&mut self, name: &str, namespace: Option<&str>) {
        self.xml.push('<');
        self.xml.push_str(name);
        if let Some(namespace) = namespace {
            self.xml.push_str(" xmlns=\"");
            escape_into(namespace, &mut self.xml);
            self.xml.push('"');
        }
    }

    fn element(&mut self, name: &str, namespace: Option<&str>, content: impl FnOnce(&mut Self)) {
        self.open(name, namespace);
        let open = self.xml.len();
        self.xml.push('>');
        content(self);
        if self.xml.len() == open + 1 {
            self.xml.truncate(open);
            self.xml.push_str("/>");
        } else {
            self.xml.push_str("</");
            self.xml.push_str(name);
            self.xml.push('>');
        }
    }

    fn below(&mut self, step: &str, write: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(step);
        write(self);
        self.path.truncate(length);
    }

    fn defect(&mut self, problem: &str) {
        self.defects.push(format!("{} {problem}", self.path));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::{
        contract::Contract,
        transport::soap::{decode::decode, xml},
    };

    fn reply(operation: &str, version: Version, value: &Value) -> Encoded {
        let operation = Contract::get().operation(operation).unwrap();
        encode(value, &operation.result.name, &operation.result, version)
    }

    #[test]
    fn the_old_example_comes_out_to_the_byte() {
        let encoded = reply("submitJob", Version::unversioned(), &json!({"jobHandle": "j|47|My Test Job||"}));
        assert_eq!(
            encoded.xml,
            "<submitJobReturn xmlns=\"http://www.scene7.com/IpsApi/xsd\"><jobHandle>47|My Test Job|</jobHandle></submitJobReturn>"
        );
        assert!(encoded.defects.is_empty());
    }

    #[test]
    fn newer_versions_keep_the_handle_and_the_callers_namespace() {
        let version = Version::from_date("2015-05-05-beta").unwrap();
        let encoded = reply("submitJob", version, &json!({"jobHandle": "j|47|a & b||"}));
        assert_eq!(
            encoded.xml,
            "<submitJobReturn xmlns=\"http://www.scene7.com/IpsApi/xsd/2015-05-05-beta\">\
             <jobHandle>j|47|a &amp; b||</jobHandle></submitJobReturn>"
        );
    }

    #[test]
    fn empty_answers_are_an_empty_element() {
        for value in [Value::Null, json!({})] {
            let encoded = reply("stopJob", Version::newest_documented(), &value);
            assert_eq!(encoded.xml, "<stopJobReturn xmlns=\"http://www.scene7.com/IpsApi/xsd/2014-04-03\"/>");
            assert!(encoded.defects.is_empty());
        }
    }

    #[test]
    fn lists_of_handles_change_shape_too() {
        let structure = &Contract::get().operation("getAssets").unwrap().param;
        let value = json!({"companyHandle": "c|6", "assetHandleArray": ["a|732|1|535", "a|1"]});
        let encoded = encode(&value, "getAssetsParam", structure, Version::unversioned());
        assert!(encoded.xml.contains("<companyHandle>6</companyHandle>"), "{}", encoded.xml);
        assert!(encoded.xml.contains("<items>732|1|535</items><items>1</items>"), "{}", encoded.xml);
    }

    #[test]
    fn fields_of_other_versions_stay_behind() {
        let job = json!({"jobArray": [{
            "companyHandle": "c|1", "jobHandle": "j|1||r|2", "name": "r", "originalName": "r", "type": "t", "state": "Running",
            "submitUserEmail": "a@b", "description": "why", "serverName": "s", "startDate": "2026-01-01T00:00:00Z",
            "triggerTime": "2026-01-01T00:00:00Z", "totalSize": 0, "progress": 0, "progressMessage": "",
            "lastProgressUpdate": "2026-01-01T00:00:00Z", "taskProgressArray": [],
        }]});
        for (date, has_trigger, has_description) in
            [("2014-04-03", true, true), ("2013-02-15", false, true), ("", false, false)]
        {
            let version = Version::from_date(date).unwrap_or_else(Version::unversioned);
            let encoded = reply("getActiveJobs", version, &job);
            assert_eq!(encoded.defects, Vec::<String>::new());
            assert_eq!(encoded.xml.contains("<triggerTime>2026-01-01T00:00:00.000Z</triggerTime>"), has_trigger);
            assert_eq!(encoded.xml.contains("<description>"), has_description);
            assert!(encoded.xml.contains("<progressMessage/>"));
        }
    }

    #[test]
    fn a_list_in_pieces_is_the_list_as_a_whole() {
        let job = |number: usize| json!({"companyHandle": "c|1", "jobHandle": format!("j|1||r & {number}|{number}"), "state": "Running"});
        let operation = Contract::get().operation("getActiveJobs").unwrap();
        for version in Contract::get().versions() {
            let jobs: Vec<Value> = (0..7).map(job).collect();
            let whole = reply("getActiveJobs", version, &json!({"jobArray": jobs}));
            let frame = frame(&operation.result.name, &operation.result, "jobArray", version).unwrap();
            let pieces: Vec<Encoded> = jobs.chunks(3).map(|page| frame.items(page)).collect();
            let text: String = pieces.iter().map(|piece| piece.xml.as_str()).collect();
            assert_eq!(format!("{}{text}{}", frame.head, frame.tail), whole.xml);
            let defects: Vec<String> = pieces.into_iter().flat_map(|piece| piece.defects).collect();
            assert_eq!(defects, whole.defects, "the same is missed");
        }
        let login = Contract::get().operation("checkLogin").unwrap();
        assert!(frame(&login.result.name, &login.result, "jobArray", Version::newest_documented()).is_none());
    }

    #[test]
    fn what_a_service_forgot_is_filled_in_and_told() {
        let encoded = reply("getActiveJobs", Version::newest_documented(), &Value::Null);
        assert_eq!(
            encoded.xml,
            "<getActiveJobsReturn xmlns=\"http://www.scene7.com/IpsApi/xsd/2014-04-03\"><jobArray/></getActiveJobsReturn>"
        );
        assert_eq!(encoded.defects, ["getActiveJobsReturn/jobArray is required and was not given"]);
        let encoded = reply("submitJob", Version::newest_documented(), &json!({"jobHandle": 5, "jobhandle": "x"}));
        assert!(encoded.xml.contains("<jobHandle/>"));
        assert_eq!(
            encoded.defects,
            ["submitJobReturn has no field jobhandle", "submitJobReturn/jobHandle is not of the type string: 5"]
        );
    }

    /// A value with every field a version has, to the given depth of structures within structures.
    fn full_value(structure: &Structure, version: Version, depth: usize) -> Value {
        if let Some(item) = structure.list_item() {
            let count = item.occurs.max.unwrap_or(2).min(2);
            return Value::Array((0..count).filter_map(|index| full_field(item, version, depth, index)).collect());
        }
        let fields = structure.fields(version).zip(0..);
        let values = fields.filter_map(|(field, index)| {
            full_field(field, version, depth, index).map(|value| (field.name.to_owned(), value))
        });
        Value::Object(values.collect::<Map<_, _>>())
    }

    fn full_field(field: &Field, version: Version, depth: usize, index: u32) -> Option<Value> {
        Some(match field.kind {
            FieldType::Scalar(Scalar::String) => json!(format!(" {}|<&>'\" \r\n写 {index} ", field.name)),
            FieldType::Scalar(Scalar::Int) => json!(-7 - i64::from(index)),
            FieldType::Scalar(Scalar::Long) => json!(i64::MAX - i64::from(index)),
            FieldType::Scalar(Scalar::Float | Scalar::Double) => json!(0.5 + f64::from(index)),
            FieldType::Scalar(Scalar::Boolean) => json!(index.is_multiple_of(2)),
            FieldType::Scalar(Scalar::DateTime) => json!("2011-03-30T14:32:08.858-05:00"),
            FieldType::Scalar(Scalar::Base64) => json!("aGVsbG8="),
            FieldType::Structure(_) if depth == 0 && !field.occurs.is_required() => return None,
            FieldType::Structure(_) => full_value(field.kind.structure()?, version, depth.saturating_sub(1)),
        })
    }

    #[test]
    fn every_structure_of_every_version_reads_back_what_was_written() {
        let contract = Contract::get();
        let operations = contract.operations().iter().flat_map(|operation| [&operation.param, &operation.result]);
        for structure in contract.structures().iter().chain(operations) {
            for version in contract.versions() {
                let value = full_value(structure, version, 3);
                let encoded = encode(&value, "x", structure, version);
                assert_eq!(encoded.defects, Vec::<String>::new(), "{} in {version}", structure.name);
                let element = xml::parse(&encoded.xml, &xml::Limits::default())
                    .unwrap_or_else(|problem| panic!("{} in {version}: {problem}", structure.name));
                assert_eq!(element.namespace(), version.namespace());
                let decoded = decode(&element, structure, version)
                    .unwrap_or_else(|fault| panic!("{} in {version}: {fault}", structure.name));
                assert_eq!(decoded, value, "{} in {version}", structure.name);
            }
        }
    }

    #[test]
    fn a_reply_of_nothing_is_still_whole_in_every_version() {
        for operation in Contract::get().operations() {
            for version in Contract::get().versions() {
                let encoded = encode(&Value::Null, &operation.result.name, &operation.result, version);
                let element = xml::parse(&encoded.xml, &xml::Limits::default()).unwrap();
                let decoded = decode(&element, &operation.result, version);
                assert!(decoded.is_ok(), "{} in {version}: {decoded:?}", operation.name);
            }
        }
    }
}
