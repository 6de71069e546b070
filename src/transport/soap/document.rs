//! A request that lies in a file, for the command line.

use serde_json::Value;

use crate::contract::Operation;

use super::{
    decode::decode,
    envelope::{self, Endpoint},
    fault::Fault,
    text,
    xml::{self, Limits},
};

/// Reads a parameter element, alone or in an envelope of either version of SOAP.
pub fn read_document(bytes: &[u8]) -> Result<(&'static Operation, Value), Fault> {
    let unreadable = |problem: String| Fault::request_xml(problem);
    let text = text::decode(bytes, None).map_err(unreadable)?;
    let root = xml::parse(&text, &Limits::default()).map_err(unreadable)?;
    let opened = envelope::open(root, Endpoint::Plain)?;
    let target = opened.target(None)?;
    let param = opened.param.ok_or_else(|| Fault::request_xml("The body is empty"))?;
    Ok((target.operation, decode(&param, &target.operation.param, target.version)?))
}
