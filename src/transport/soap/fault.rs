//! The faults of the API: three elements, seventeen codes, and their XML.

use crate::contract::UNVERSIONED_NAMESPACE;
use crate::transport::budget::Busy;
use crate::transport::connections::Crowded;

use super::xml::escape_into;

/// Why a call was refused. The number and the element of each are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultCode {
    NoCredentials,
    InvalidCredentials,
    InvalidUser,
    InvalidCompany,
    InvalidRequestUsername,
    InvalidRequestUser,
    NoOperationPermission,
    NoImpersonationPermission,
    IllegalParameterValue,
    IllegalCompany,
    IllegalRequestUser,
    IllegalAccessGroup,
    MissingPermission,
    Exception,
    InvalidParameter,
    MissingParameter,
    InvalidRequestXml,
}

impl FaultCode {
    pub const ALL: [FaultCode; 17] = [
        FaultCode::NoCredentials,
        FaultCode::InvalidCredentials,
        FaultCode::InvalidUser,
        FaultCode::InvalidCompany,
        FaultCode::InvalidRequestUsername,
        FaultCode::InvalidRequestUser,
        FaultCode::NoOperationPermission,
        FaultCode::NoImpersonationPermission,
        FaultCode::IllegalParameterValue,
        FaultCode::IllegalCompany,
        FaultCode::IllegalRequestUser,
        FaultCode::IllegalAccessGroup,
        FaultCode::MissingPermission,
        FaultCode::Exception,
        FaultCode::InvalidParameter,
        FaultCode::MissingParameter,
        FaultCode::InvalidRequestXml,
    ];

    pub fn number(self) -> u32 {
        match self {
            FaultCode::NoCredentials => 10000,
            FaultCode::InvalidCredentials => 10001,
            FaultCode::InvalidUser => 10002,
            FaultCode::InvalidCompany => 20000,
            FaultCode::InvalidRequestUsername => 20001,
            FaultCode::InvalidRequestUser => 20002,
            FaultCode::NoOperationPermission => 20003,
            FaultCode::NoImpersonationPermission => 20004,
            FaultCode::IllegalParameterValue => 20005,
            FaultCode::IllegalCompany => 20006,
            FaultCode::IllegalRequestUser => 20007,
            FaultCode::IllegalAccessGroup => 20008,
            FaultCode::MissingPermission => 20009,
            FaultCode::Exception => 30000,
            FaultCode::InvalidParameter => 30001,
            FaultCode::MissingParameter => 30002,
            FaultCode::InvalidRequestXml => 30003,
        }
    }

    /// The element that carries the code.
    pub fn element(self) -> &'static str {
        match self.number() / 10000 {
            1 => "authenticationFault",
            2 => "authorizationFault",
            _ => "ipsApiFault",
        }
    }
}

/// A call that was refused, and why, in words for whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {}: {reason}", .code.element(), .code.number())]
pub struct Fault {
    pub code: FaultCode,
    pub reason: String,
    /// It may be tried again in a while: the reply has status 503 and says when.
    pub is_busy: bool,
}

impl From<Busy> for Fault {
    fn from(busy: Busy) -> Fault {
        Fault { is_busy: true, ..Fault::exception(busy.to_string()) }
    }
}

impl From<Crowded> for Fault {
    fn from(crowded: Crowded) -> Fault {
        Fault { is_busy: true, ..Fault::exception(crowded.to_string()) }
    }
}

/// The envelope a fault travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Soap11,
    Soap12,
    /// No envelope: the element is the document.
    Plain,
}

impl Fault {
    pub fn new(code: FaultCode, reason: impl Into<String>) -> Fault {
        Fault { code, reason: reason.into(), is_busy: false }
    }

    /// Something went wrong that is not the caller's doing, or that has no code of its own.
    pub fn exception(reason: impl Into<String>) -> Fault {
        Fault::new(FaultCode::Exception, reason)
    }

    /// A field has a value it may not have. `rule` continues the sentence: "must be …".
    pub fn invalid(field: &str, rule: impl AsRef<str>) -> Fault {
        Fault::new(FaultCode::InvalidParameter, format!("{field} {}", rule.as_ref()))
    }

    pub fn missing(field: &str) -> Fault {
        Fault::new(FaultCode::MissingParameter, format!("{field} is missing"))
    }

    /// The document is not a request this service understands.
    pub fn request_xml(reason: impl Into<String>) -> Fault {
        Fault::new(FaultCode::InvalidRequestXml, reason)
    }

    pub fn no_credentials() -> Fault {
        Fault::new(
            FaultCode::NoCredentials,
            "No credentials: send user and password in an authHeader or by HTTP Basic authentication",
        )
    }

    pub fn unsupported(operation: &str) -> Fault {
        Fault::exception(format!("The operation {operation} is not supported by this server"))
    }

    /// The fault element alone, which is also how the upload servlet answers.
    pub fn to_element(&self) -> String {
        let element = self.code.element();
        let mut xml =
            format!("<tns:{element} xmlns:tns=\"{UNVERSIONED_NAMESPACE}\"><tns:code>{}</tns:code>", self.code.number());
        xml.push_str("<tns:reason>");
        escape_into(&self.reason, &mut xml);
        xml.push_str("</tns:reason></tns:");
        xml.push_str(element);
        xml.push('>');
        xml
    }

    /// What stands in the body of the reply, or is the whole document of a plain one.
    pub fn to_body(&self, framing: Framing) -> String {
        let (element, detail) = (self.code.element(), self.to_element());
        match framing {
            Framing::Soap11 => format!(
                "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{element}</faultstring>\
                 <detail>{detail}</detail></soapenv:Fault>"
            ),
            Framing::Soap12 => format!(
                "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Receiver</soapenv:Value></soapenv:Code>\
                 <soapenv:Reason><soapenv:Text xml:lang=\"en\">{element}</soapenv:Text></soapenv:Reason>\
                 <soapenv:Detail>{detail}</soapenv:Detail></soapenv:Fault>"
            ),
            Framing::Plain => detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_xml() {
        for (code, (element, number)) in FaultCode::ALL.into_iter().zip(
            (10000..=10002)
                .map(|number| ("authenticationFault", number))
                .chain((20000..=20009).map(|number| ("authorizationFault", number)))
                .chain((30000..=30003).map(|number| ("ipsApiFault", number))),
        ) {
            let detail = format!(
                "<tns:{element} xmlns:tns=\"http://www.scene7.com/IpsApi/xsd\"><tns:code>{number}</tns:code>\
                 <tns:reason>why &lt;not&gt;</tns:reason></tns:{element}>"
            );
            let fault = Fault::new(code, "why <not>");
            assert_eq!(fault.to_body(Framing::Plain), detail);
            assert_eq!(
                fault.to_body(Framing::Soap11),
                format!(
                    "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{element}</faultstring>\
                     <detail>{detail}</detail></soapenv:Fault>"
                )
            );
            assert_eq!(
                fault.to_body(Framing::Soap12),
                format!(
                    "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Receiver</soapenv:Value></soapenv:Code>\
                     <soapenv:Reason><soapenv:Text xml:lang=\"en\">{element}</soapenv:Text></soapenv:Reason>\
                     <soapenv:Detail>{detail}</soapenv:Detail></soapenv:Fault>"
                )
            );
        }
    }

    #[test]
    fn a_fault_reads_well_in_a_log() {
        assert_eq!(
            Fault::missing("submitJobParam/jobName").to_string(),
            "ipsApiFault 30002: submitJobParam/jobName is missing"
        );
    }
}
