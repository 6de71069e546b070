//! The WSDL of each version, generated from the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{LazyLock, Mutex},
};

use bytes::Bytes;

use crate::contract::{
    Contract, Field, FieldType, Header, Occurs, Operation, Structure, UNVERSIONED_NAMESPACE, Version,
};

use super::gzip::{Assembly, Packed};
use super::xml::escape_into;

const TARGET_NAMESPACE: &str = "http://www.scene7.com/IpsApi";
const FAULTS: [&str; 3] = ["ipsApiFault", "authenticationFault", "authorizationFault"];
/// SOAP 1.1 and 1.2: the suffix in the names of binding and port, and the prefix of the WSDL extension.
const BINDINGS: [(&str, &str); 2] = [("Soap", "soap"), ("Soap12", "soap12")];

/// Of the header and of the faults, and of nothing else.
const ANY_ATTRIBUTE: &str = "<xsd:anyAttribute namespace=\"##other\" processContents=\"lax\"/>";

const ADDRESS_MARK: &str = "{{address}}";
const NAMESPACE_MARK: &str = "{{namespace}}";

/// What the document of a version is made of.
enum Part {
    Text { plain: &'static str, packed: Option<Packed> },
    Namespace,
    Address,
}

/// Each known version, but for the address and the namespace.
static TEMPLATES: LazyLock<Mutex<BTreeMap<Version, &'static [Part]>>> = LazyLock::new(Mutex::default);

/// The WSDL of a version with the address of its service, in pieces. What all of them have in common is there once, however many
/// clients take their time to read it.
pub fn plain(version: Version, address: &str) -> Vec<Bytes> {
    let (namespace, address) = (Bytes::from(version.namespace()), escaped(address));
    let piece = |part: &Part| match part {
        Part::Text { plain, .. } => Bytes::from_static(plain.as_bytes()),
        Part::Namespace => namespace.clone(),
        Part::Address => address.clone(),
    };
    template(version.schema()).iter().map(piece).collect()
}

/// The same as gzip. Nothing of it is compressed anew; None if nothing could be.
pub fn packed(version: Version, address: &str) -> Option<Vec<Bytes>> {
    let (namespace, address) = (version.namespace(), escaped(address));
    let mut assembly = Assembly::new();
    for part in template(version.schema()) {
        match part {
            Part::Text { packed, .. } => assembly.packed(packed.as_ref()?),
            Part::Namespace => assembly.stored(namespace.as_bytes()),
            Part::Address => assembly.stored(&address),
        }
    }
    Some(assembly.finish())
}

fn escaped(address: &str) -> Bytes {
    let mut escaped = String::new();
    escape_into(address, &mut escaped);
    escaped.into()
}

/// Generates a version's text on its first use. There are as many as the table has versions, so they are kept for good.
fn template(version: Version) -> &'static [Part] {
    let mut templates = TEMPLATES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    templates.entry(version).or_insert_with(|| {
        let text = Box::leak(Generator::new(version).document().into_boxed_str());
        Box::leak(parts(text).into_boxed_slice())
    })
}

fn parts(mut rest: &'static str) -> Vec<Part> {
    let text = |plain: &'static str| Part::Text { plain, packed: Packed::new(plain.as_bytes()).ok() };
    let next = |rest: &'static str| {
        let marks = [(NAMESPACE_MARK, Part::Namespace), (ADDRESS_MARK, Part::Address)];
        let found = marks.into_iter().filter_map(|(mark, part)| Some((rest.split_once(mark)?, part)));
        found.min_by_key(|((before, _), _)| before.len())
    };
    let mut parts = Vec::new();
    while let Some(((before, after), part)) = next(rest) {
        parts.extend([text(before), part]);
        rest = after;
    }
    parts.push(text(rest));
    parts
}

struct Generator {
    version: Version,
    operations: Vec<&'static Operation>,
    out: String,
}

impl Generator {
    fn new(version: Version) -> Generator {
        let all = Contract::get().operations().iter();
        let operations = all.filter(|operation| operation.range.contains(version)).collect();
        Generator { version, operations, out: String::new() }
    }

    fn document(mut self) -> String {
        // An unversioned document has one namespace for everything, and so one schema.
        let types = if self.version.is_legacy() { UNVERSIONED_NAMESPACE } else { NAMESPACE_MARK };
        self.line(0, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        self.line(
            0,
            &format!(
                "<wsdl:definitions name=\"IpsApi\" targetNamespace=\"{TARGET_NAMESPACE}\" xmlns:tns=\"{TARGET_NAMESPACE}\" \
                 xmlns:types=\"{types}\" xmlns:base=\"{UNVERSIONED_NAMESPACE}\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
                 xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" \
                 xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\">"
            ),
        );
        self.types();
        self.messages();
        self.port_type();
        self.bindings();
        self.service();
        self.line(0, "</wsdl:definitions>");
        self.out
    }

    fn types(&mut self) {
        self.line(1, "<wsdl:types>");
        let (base_header, own_header) = self.headers();
        self.open_schema(UNVERSIONED_NAMESPACE);
        for fault in FAULTS {
            self.line(3, &format!("<xsd:element name=\"{fault}\">"));
            self.line(4, "<xsd:complexType>");
            self.line(5, "<xsd:sequence>");
            self.line(6, "<xsd:element name=\"code\" type=\"xsd:int\"/>");
            self.line(6, "<xsd:element name=\"reason\" type=\"xsd:string\"/>");
            self.line(5, "</xsd:sequence>");
            self.line(5, ANY_ATTRIBUTE);
            self.line(4, "</xsd:complexType>");
            self.line(3, "</xsd:element>");
        }
        if let Some(header) = base_header {
            self.header(header);
        }
        if !self.version.is_legacy() {
            self.line(2, "</xsd:schema>");
            self.open_schema(NAMESPACE_MARK);
            if let Some(header) = own_header {
                self.header(header);
            }
        }
        for structure in self.reachable() {
            self.line(3, &format!("<xsd:complexType name=\"{}\">", structure.name));
            self.sequence(4, structure);
            self.line(3, "</xsd:complexType>");
        }
        for operation in self.operations.clone() {
            for structure in [&operation.param, &operation.result] {
                self.line(3, &format!("<xsd:element name=\"{}\">", structure.name));
                self.line(4, "<xsd:complexType>");
                self.sequence(5, structure);
                self.line(4, "</xsd:complexType>");
                self.line(3, "</xsd:element>");
            }
        }
        self.line(2, "</xsd:schema>");
        self.line(1, "</wsdl:types>");
    }

    /// The header declarations of the unversioned schema and of the version's own, if it has one.
    fn headers(&self) -> (Option<&'static Header>, Option<&'static Header>) {
        let contract = Contract::get();
        (contract.header(Version::unversioned()), contract.header(self.version).filter(|header| header.is_sequence))
    }

    fn open_schema(&mut self, namespace: &str) {
        self.line(2, &format!("<xsd:schema targetNamespace=\"{namespace}\" elementFormDefault=\"qualified\">"));
    }

    fn header(&mut self, header: &'static Header) {
        self.line(3, "<xsd:element name=\"authHeader\">");
        self.line(4, "<xsd:complexType>");
        let group = if header.is_sequence { "sequence" } else { "all" };
        self.line(5, &format!("<xsd:{group}>"));
        for field in header.fields.fields(self.version) {
            self.field(6, field, field.occurs);
        }
        self.line(5, &format!("</xsd:{group}>"));
        self.line(5, ANY_ATTRIBUTE);
        self.line(4, "</xsd:complexType>");
        self.line(3, "</xsd:element>");
    }

    /// The structures that the operations of the version lead to, each once, by name.
    fn reachable(&self) -> Vec<&'static Structure> {
        let mut found: BTreeMap<&str, &'static Structure> = BTreeMap::new();
        let mut open: Vec<&'static Structure> =
            self.operations.iter().flat_map(|operation| [&operation.param, &operation.result]).collect();
        let mut seen = BTreeSet::new();
        while let Some(structure) = open.pop() {
            for next in structure.fields(self.version).filter_map(|field| field.kind.structure()) {
                if seen.insert(next.name.as_str()) {
                    found.insert(&next.name, next);
                    open.push(next);
                }
            }
        }
        found.into_values().collect()
    }

    fn sequence(&mut self, depth: usize, structure: &'static Structure) {
        let fields: Vec<_> = structure.fields(self.version).collect();
        if fields.is_empty() {
            self.line(depth, "<xsd:sequence/>");
            return;
        }
        self.line(depth, "<xsd:sequence>");
        for field in fields {
            // What was required before 4.0 is not known, so nothing is asked of such a client's generator.
            let min = if self.version.is_legacy() { 0 } else { field.occurs.min };
            self.field(depth + 1, field, Occurs { min, ..field.occurs });
        }
        self.line(depth, "</xsd:sequence>");
    }

    fn field(&mut self, depth: usize, field: &Field, occurs: Occurs) {
        let kind = match field.kind {
            FieldType::Scalar(scalar) => format!("xsd:{}", scalar.xsd_name()),
            FieldType::Structure(_) => {
                format!("types:{}", field.kind.structure().map_or("", |structure| &structure.name))
            }
        };
        let mut tag = format!("<xsd:element name=\"{}\" type=\"{kind}\"", field.name);
        if occurs.min != 1 {
            // Writing to a String cannot fail.
            let _ = write!(tag, " minOccurs=\"{}\"", occurs.min);
        }
        match occurs.max {
            Some(1) => {}
            Some(max) => tag.push_str(&format!(" maxOccurs=\"{max}\"")),
            None => tag.push_str(" maxOccurs=\"unbounded\""),
        }
        tag.push_str("/>");
        self.line(depth, &tag);
    }

    fn messages(&mut self) {
        let header = if self.headers().1.is_some() { "types:authHeader" } else { "base:authHeader" };
        self.message("authHeader", "authHeader", header);
        for fault in FAULTS {
            self.message(&format!("{fault}Exception"), "fault", &format!("base:{fault}"));
        }
        for operation in self.operations.clone() {
            self.message(operation.name, "input", &format!("types:{}", operation.param.name));
            self.message(&format!("{}Response", operation.name), "output", &format!("types:{}", operation.result.name));
        }
    }

    fn message(&mut self, name: &str, part: &str, element: &str) {
        self.line(1, &format!("<wsdl:message name=\"{name}\">"));
        self.line(2, &format!("<wsdl:part name=\"{part}\" element=\"{element}\"/>"));
        self.line(1, "</wsdl:message>");
    }

    fn port_type(&mut self) {
        self.line(1, "<wsdl:portType name=\"IpsApiPortType\">");
        for operation in self.operations.clone() {
            let name = operation.name;
            self.line(2, &format!("<wsdl:operation name=\"{name}\">"));
            self.line(3, &format!("<wsdl:input name=\"{name}\" message=\"tns:{name}\"/>"));
            self.line(3, &format!("<wsdl:output name=\"{name}Response\" message=\"tns:{name}Response\"/>"));
            for fault in FAULTS {
                self.line(3, &format!("<wsdl:fault name=\"{fault}\" message=\"tns:{fault}Exception\"/>"));
            }
            self.line(2, "</wsdl:operation>");
        }
        self.line(1, "</wsdl:portType>");
    }

    fn bindings(&mut self) {
        for (suffix, soap) in BINDINGS {
            self.line(1, &format!("<wsdl:binding name=\"IpsApiService{suffix}Binding\" type=\"tns:IpsApiPortType\">"));
            self.line(
                2,
                &format!("<{soap}:binding style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>"),
            );
            for operation in self.operations.clone() {
                let name = operation.name;
                self.line(2, &format!("<wsdl:operation name=\"{name}\">"));
                self.line(3, &format!("<{soap}:operation soapAction=\"{name}\" style=\"document\"/>"));
                self.line(3, &format!("<wsdl:input name=\"{name}\">"));
                self.line(4, &format!("<{soap}:body use=\"literal\"/>"));
                self.line(
                    4,
                    &format!("<{soap}:header message=\"tns:authHeader\" part=\"authHeader\" use=\"literal\"/>"),
                );
                self.line(3, "</wsdl:input>");
                self.line(
                    3,
                    &format!("<wsdl:output name=\"{name}Response\"><{soap}:body use=\"literal\"/></wsdl:output>"),
                );
                for fault in FAULTS {
                    self.line(
                        3,
                        &format!(
                            "<wsdl:fault name=\"{fault}\"><{soap}:fault name=\"{fault}\" use=\"literal\"/></wsdl:fault>"
                        ),
                    );
                }
                self.line(2, "</wsdl:operation>");
            }
            self.line(1, "</wsdl:binding>");
        }
    }

    fn service(&mut self) {
        self.line(1, "<wsdl:service name=\"IpsApiService\">");
        for (suffix, soap) in BINDINGS {
            self.line(
                2,
                &format!("<wsdl:port name=\"IpsApi{suffix}Port\" binding=\"tns:IpsApiService{suffix}Binding\">"),
            );
            self.line(3, &format!("<{soap}:address location=\"{ADDRESS_MARK}\"/>"));
            self.line(2, "</wsdl:port>");
        }
        self.line(1, "</wsdl:service>");
    }

    fn line(&mut self, depth: usize, text: &str) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::soap::xml::{self, Element};

    fn read(version: Version) -> Element {
        let limits = xml::Limits { elements: usize::MAX, ..xml::Limits::default() };
        xml::parse(&wsdl(version, "http://127.0.0.1:8080/x?a=1&b=2"), &limits)
            .unwrap_or_else(|problem| panic!("{version}: {problem}"))
    }

    fn wsdl(version: Version, address: &str) -> String {
        String::from_utf8(plain(version, address).concat()).unwrap()
    }

    #[test]
    fn what_is_packed_is_the_same() {
        for version in Contract::get().versions() {
            let (address, mut text) = (format!("http://a/?{}&", "x".repeat(990)), String::new());
            let packed = packed(version, &address).unwrap().concat();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut text).unwrap();
            assert!(text == wsdl(version, &address) && packed.len() < text.len() / 4, "{version}: {}", packed.len());
        }
    }

    #[test]
    fn every_version_is_well_formed_and_has_its_operations_and_no_other() {
        for version in Contract::get().versions() {
            let text = wsdl(version, "http://a/");
            let pieces: BTreeSet<_> = text.lines().map(str::trim).collect();
            let root = read(version);
            let port_type = root.child("portType").unwrap();
            let expected = Contract::get().operations().iter().filter(|operation| operation.range.contains(version));
            assert_eq!(port_type.children.len(), expected.clone().count(), "{version}");
            for operation in expected {
                for piece in [
                    format!("<wsdl:operation name=\"{}\">", operation.name),
                    format!("<xsd:element name=\"{}Param\">", operation.name),
                    format!("<xsd:element name=\"{}Return\">", operation.name),
                    format!("<soap:operation soapAction=\"{}\" style=\"document\"/>", operation.name),
                ] {
                    assert!(pieces.contains(piece.as_str()), "{version} lacks {piece}");
                }
            }
            assert!(!text.contains("{{"), "{version}");
        }
    }

    #[test]
    fn every_type_a_version_names_is_declared_in_it() {
        for version in Contract::get().versions() {
            let text = wsdl(version, "http://a/");
            let names =
                |mark| text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect::<BTreeSet<_>>();
            assert_eq!(names("type=\"types:"), names("<xsd:complexType name=\""), "{version}");
        }
    }

    /// Generators name classes, parameters and exceptions after these.
    #[test]
    fn messages_and_parts_have_the_names_that_clients_were_generated_from() {
        for version in Contract::get().versions() {
            let root = wsdl(version, "http://a/");
            let pieces: BTreeSet<_> = root.lines().map(str::trim).collect();
            let lacks = |piece: String| assert!(pieces.contains(piece.as_str()), "{version} lacks {piece}");
            for fault in FAULTS {
                lacks(format!("<wsdl:message name=\"{fault}Exception\">"));
                lacks(format!("<wsdl:part name=\"fault\" element=\"base:{fault}\"/>"));
                lacks(format!("<wsdl:fault name=\"{fault}\" message=\"tns:{fault}Exception\"/>"));
            }
            for operation in Contract::get().operations().iter().filter(|one| one.range.contains(version)) {
                let name = operation.name;
                lacks(format!("<wsdl:message name=\"{name}\">"));
                lacks(format!("<wsdl:part name=\"input\" element=\"types:{name}Param\"/>"));
                lacks(format!("<wsdl:message name=\"{name}Response\">"));
                lacks(format!("<wsdl:part name=\"output\" element=\"types:{name}Return\"/>"));
                lacks(format!("<wsdl:input name=\"{name}\" message=\"tns:{name}\"/>"));
                lacks(format!("<wsdl:output name=\"{name}Response\" message=\"tns:{name}Response\"/>"));
                lacks(format!("<wsdl:input name=\"{name}\">"));
                lacks(format!("<wsdl:output name=\"{name}Response\"><soap:body use=\"literal\"/></wsdl:output>"));
            }
            // The three faults and each declaration of the header.
            let headers = if root.contains("element=\"types:authHeader\"") && !version.is_legacy() { 2 } else { 1 };
            assert_eq!(root.matches("anyAttribute").count(), FAULTS.len() + headers, "{version}");
        }
    }

    #[test]
    fn the_header_moves_into_the_version_in_2014() {
        for (date, element, schemas) in
            [("2014-04-03", "types:authHeader", 2), ("2013-02-15", "base:authHeader", 2), ("", "base:authHeader", 1)]
        {
            let version = Version::from_date(date).unwrap_or_else(Version::unversioned);
            let text = wsdl(version, "http://a/");
            assert!(text.contains(&format!("<wsdl:part name=\"authHeader\" element=\"{element}\"/>")), "{version}");
            assert_eq!(text.matches("<xsd:schema ").count(), schemas);
        }
    }

    #[test]
    fn the_service_is_at_the_callers_address() {
        let text = wsdl(Version::newest_documented(), "http://127.0.0.1:8080/x?a=1&b=2");
        assert_eq!(text.matches("location=\"http://127.0.0.1:8080/x?a=1&amp;b=2\"").count(), 2);
        assert!(text.contains("<wsdl:port name=\"IpsApiSoapPort\" binding=\"tns:IpsApiServiceSoapBinding\">"));
        assert!(text.contains("<wsdl:port name=\"IpsApiSoap12Port\" binding=\"tns:IpsApiServiceSoap12Binding\">"));
    }

    #[test]
    fn an_unknown_date_gets_its_own_namespace() {
        let text = wsdl(Version::from_date("2015-01-01").unwrap(), "http://a/");
        assert!(text.contains("<xsd:schema targetNamespace=\"http://www.scene7.com/IpsApi/xsd/2015-01-01\""));
        assert!(!text.contains("2014-04-03"));
    }
}
