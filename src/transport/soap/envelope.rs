//! The wrapping of a request and of its reply: SOAP 1.1, SOAP 1.2, or none.

use crate::contract::{Contract, Operation, Version};

use super::{
    fault::{Fault, Framing},
    xml::{Element, shorten},
};

pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Which door a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Soap,
    /// Takes a `Request` element, a bare parameter element, or an envelope all the same.
    Plain,
}

/// A request out of its wrapping.
#[derive(Debug)]
pub struct Opened {
    pub framing: Framing,
    pub headers: Vec<Element>,
    /// The parameter element; none if the body is empty.
    pub param: Option<Element>,
}

/// What is asked for, and in which version.
#[derive(Debug)]
pub struct Target {
    pub operation: &'static Operation,
    pub version: Version,
}

/// Takes a document out of its wrapping.
pub fn open(root: Element, endpoint: Endpoint) -> Result<Opened, Fault> {
    match (root.name.as_str(), endpoint) {
        ("Envelope", _) => open_envelope(root),
        ("Request", Endpoint::Plain) => {
            let (headers, params): (Vec<_>, Vec<_>) =
                root.children.into_iter().partition(|child| !child.name.ends_with("Param"));
            Ok(Opened { framing: Framing::Plain, headers, param: only(params, "Request")? })
        }
        (name, Endpoint::Plain) if name.ends_with("Param") => {
            Ok(Opened { framing: Framing::Plain, headers: Vec::new(), param: Some(root) })
        }
        (name, Endpoint::Soap) => Err(Fault::request_xml(format!(
            "The root element is {}; it must be a SOAP 1.1 or SOAP 1.2 Envelope",
            shorten(name, 60)
        ))),
        (name, Endpoint::Plain) => Err(Fault::request_xml(format!(
            "The root element is {}; it must be a Request, a SOAP Envelope or the Param element of an operation",
            shorten(name, 60)
        ))),
    }
}

fn open_envelope(root: Element) -> Result<Opened, Fault> {
    let framing = match root.namespace() {
        SOAP_11 => Framing::Soap11,
        SOAP_12 => Framing::Soap12,
        other => {
            return Err(Fault::request_xml(format!(
                "The Envelope is in the namespace {:?}; it must be {SOAP_11} or {SOAP_12}",
                shorten(other, 120)
            )));
        }
    };
    let (mut headers, mut body) = (Vec::new(), None);
    for part in root.children {
        match part.name.as_str() {
            "Header" => headers.extend(part.children),
            "Body" if body.is_some() => return Err(Fault::request_xml("The Envelope has more than one Body")),
            "Body" => body = Some(part.children),
            // Other parts are left alone, as SOAP 1.1 has it.
            _ => {}
        }
    }
    let body = body.ok_or_else(|| Fault::request_xml("The Envelope has no Body"))?;
    Ok(Opened { framing, headers, param: only(body, "Body")? })
}

fn only(elements: Vec<Element>, parent: &str) -> Result<Option<Element>, Fault> {
    let mut elements = elements.into_iter();
    let first = elements.next();
    match elements.next() {
        None => Ok(first),
        Some(_) => Err(Fault::request_xml(format!("The {parent} must hold one operation, and holds several"))),
    }
}

impl Opened {
    /// Finds the operation by the parameter element or, if the body is empty, by the SOAP action; and the version by the
    /// element's namespace.
    pub fn target(&self, action: Option<&str>) -> Result<Target, Fault> {
        match &self.param {
            Some(param) => {
                let Some(version) = Version::from_namespace(param.namespace()) else {
                    return Err(foreign(param));
                };
                let name = param.name.strip_suffix("Param").ok_or_else(|| {
                    Fault::request_xml(format!(
                        "The body element is {}; it must be named after an operation, such as submitJobParam",
                        shorten(&param.name, 60)
                    ))
                })?;
                Ok(Target { operation: find(name)?, version })
            }
            None => {
                let name = action.filter(|name| !name.is_empty()).ok_or_else(|| {
                    Fault::request_xml("The body is empty and no SOAP action says which operation is meant")
                })?;
                let said = self.headers.iter().find_map(|header| Version::from_namespace(header.namespace()));
                let version = said.filter(|version| !version.is_legacy()).unwrap_or_else(Version::newest_documented);
                Ok(Target { operation: find(name)?, version })
            }
        }
    }
}

fn foreign(param: &Element) -> Fault {
    let name = shorten(&param.name, 60);
    let expected = Version::newest_documented().namespace();
    match param.namespace() {
        "" => Fault::request_xml(format!(
            "The element {name} has no namespace; it needs one of this API, such as {expected}"
        )),
        other => Fault::request_xml(format!(
            "The element {name} is in the namespace {:?}, which is not one of this API; {expected} is",
            shorten(other, 120)
        )),
    }
}

fn find(name: &str) -> Result<&'static Operation, Fault> {
    Contract::get()
        .operation(name)
        .ok_or_else(|| Fault::request_xml(format!("There is no operation {} in this API", shorten(name, 60))))
}

/// The operation a SOAP action names: real clients send it bare, in quotes, or at the end of an address.
pub fn action_name(action: &str) -> &str {
    let bare = action.trim().trim_matches(|char| char == '"' || char == '\'');
    bare.rsplit(['/', '#']).next().unwrap_or(bare)
}

/// The most bytes of a reply document around the content of its body.
pub const ROOM: usize = 256;

/// A whole reply document around the content of its body.
pub fn wrap(framing: Framing, body: &str) -> String {
    let (before, after) = around(framing);
    format!("{before}{body}{after}")
}

/// What stands before and after the content of the body.
pub fn around(framing: Framing) -> (String, &'static str) {
    const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let namespace = match framing {
        Framing::Soap11 => SOAP_11,
        Framing::Soap12 => SOAP_12,
        Framing::Plain => return (DECLARATION.to_owned(), ""),
    };
    let before = format!("{DECLARATION}<soapenv:Envelope xmlns:soapenv=\"{namespace}\"><soapenv:Body>");
    (before, "</soapenv:Body></soapenv:Envelope>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::soap::xml;

    fn open(text: &str, endpoint: Endpoint) -> Result<Opened, Fault> {
        super::open(xml::parse(text, &xml::Limits::default()).unwrap(), endpoint)
    }

    fn refusal(text: &str, endpoint: Endpoint) -> String {
        match open(text, endpoint) {
            Err(fault) => fault.reason,
            Ok(opened) => opened.target(None).unwrap_err().reason,
        }
    }

    const PARAM: &str = "<getActiveJobsParam xmlns='http://www.scene7.com/IpsApi/xsd/2014-04-03'/>";

    #[test]
    fn envelopes_of_both_versions_and_any_prefix_are_opened() {
        for (namespace, framing) in [(SOAP_11, Framing::Soap11), (SOAP_12, Framing::Soap12)] {
            for prefix in ["soap", "SOAP-ENV", "env"] {
                let text = format!(
                    "<{prefix}:Envelope xmlns:{prefix}='{namespace}'><{prefix}:Header><authHeader/><other/></{prefix}:Header>\
                     <{prefix}:Body>{PARAM}</{prefix}:Body></{prefix}:Envelope>"
                );
                let opened = open(&text, Endpoint::Soap).unwrap();
                assert_eq!((opened.framing, opened.headers.len()), (framing, 2));
                let target = opened.target(Some("submitJob")).unwrap();
                assert_eq!(target.operation.name, "getActiveJobs", "the body goes before the action");
                assert_eq!(target.version, Version::newest_documented());
            }
        }
    }

    #[test]
    fn plain_requests_are_opened_with_mixed_versions() {
        let opened = open(
            &format!(
                "<Request xmlns='http://www.scene7.com/IpsApi/xsd/2017-10-29-beta'><authHeader/>{PARAM}</Request>"
            ),
            Endpoint::Plain,
        )
        .unwrap();
        assert_eq!((opened.framing, opened.headers.len()), (Framing::Plain, 1));
        assert_eq!(opened.target(None).unwrap().version, Version::newest_documented());
        assert_eq!(open(PARAM, Endpoint::Plain).unwrap().framing, Framing::Plain);
        let enveloped = format!("<s:Envelope xmlns:s='{SOAP_11}'><s:Body>{PARAM}</s:Body></s:Envelope>");
        assert_eq!(open(&enveloped, Endpoint::Plain).unwrap().framing, Framing::Soap11);
    }

    #[test]
    fn an_empty_body_goes_by_the_action() {
        let opened = open(
            &format!(
                "<s:Envelope xmlns:s='{SOAP_11}'><s:Header><authHeader xmlns='http://www.scene7.com/IpsApi/xsd/2013-02-15'/>\
                 </s:Header><s:Body/></s:Envelope>"
            ),
            Endpoint::Soap,
        )
        .unwrap();
        let target = opened.target(Some("getSystemProperties")).unwrap();
        assert_eq!(target.operation.name, "getSystemProperties");
        assert_eq!(target.version.to_string(), "2013-02-15");
        assert!(opened.target(None).unwrap_err().reason.contains("no SOAP action"));
        assert!(opened.target(Some("nothing")).unwrap_err().reason.contains("no operation nothing"));
    }

    #[test]
    fn what_is_no_request_is_refused_by_name() {
        let body = |body: &str| format!("<s:Envelope xmlns:s='{SOAP_11}'><s:Body>{body}</s:Body></s:Envelope>");
        for (text, endpoint, reason) in [
            ("<html/>".to_owned(), Endpoint::Soap, "root element is html"),
            ("<html/>".to_owned(), Endpoint::Plain, "root element is html"),
            (PARAM.to_owned(), Endpoint::Soap, "must be a SOAP 1.1 or SOAP 1.2 Envelope"),
            ("<Envelope/>".to_owned(), Endpoint::Soap, "must be http://schemas.xmlsoap.org"),
            (format!("<Envelope xmlns='{SOAP_12}'/>"), Endpoint::Soap, "no Body"),
            (body(&PARAM.repeat(2)), Endpoint::Soap, "holds several"),
            (body("<submitJobParam/>"), Endpoint::Soap, "has no namespace"),
            (body("<submitJobParam xmlns='http://example.com/'/>"), Endpoint::Soap, "http://example.com/"),
            (body("<a xmlns='http://www.scene7.com/IpsApi/xsd'/>"), Endpoint::Soap, "body element is a;"),
            (body("<noJobParam xmlns='http://www.scene7.com/IpsApi/xsd'/>"), Endpoint::Soap, "no operation noJob"),
            (body(""), Endpoint::Soap, "body is empty"),
            ("<Request/>".to_owned(), Endpoint::Plain, "body is empty"),
        ] {
            let found = refusal(&text, endpoint);
            assert!(found.contains(reason), "{text}: {found}");
        }
    }

    #[test]
    fn actions_are_read_in_every_form() {
        for action in [
            "submitJob",
            "\"submitJob\"",
            " 'submitJob' ",
            "\"http://www.scene7.com/IpsApi/submitJob\"",
            "urn:x#submitJob",
        ] {
            assert_eq!(action_name(action), "submitJob");
        }
        assert_eq!(action_name("\"\""), "");
    }
}
