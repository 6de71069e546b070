//! The SOAP side of the API: XML in, a call on [`Dispatch`], XML out.
//!
//! ```text
//! bytes -> unpack -> text -> xml -> envelope -> credentials, decode -> Request
//!                                                                        | Dispatch
//! bytes <- gzip <- envelope <- encode or fault            <-  Answer or Fault
//! ```
//!
//! Nothing here knows what an operation does. [`decode`] and [`encode`] are driven by the contract, and so are the WSDL
//! documents, which makes every version and every operation work alike.

mod address;
mod credentials;
mod decode;
mod document;
mod encode;
mod envelope;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gzip;
mod lexical;
pub mod operations;
mod related;
mod reply;
mod router;
mod text;
mod unpack;
mod wsdl;
mod xml;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::Value;

use super::budget::Charge;
use super::connections::{Crowded, Visit};
use crate::contract::{Operation, Version};
use crate::service::Caller;

pub use address::Origin;
pub use credentials::{AuthHeader, Credentials, accepted_language, basic};
pub use decode::decode;
pub use document::read_document;
pub use encode::{Encoded, Frame, encode, frame};
pub use envelope::wrap;
pub use fault::{Fault, FaultCode, Framing};
pub use gzip::GzipPolicy;
pub use router::{
    OperationName, PLAIN_PATH, SOAP_PATH, SoapState, announced, awaits_continue, closes_unread, router, weight,
    write_answer,
};
pub use text::{decode as decode_text, parameter as media_parameter, room as decoded_room};
pub use unpack::Codings;
pub use xml::{Element, Limits, parse};

/// A call as it came in, read and checked against the contract. Whether it is allowed is for the receiver to say.
#[derive(Debug)]
pub struct Request {
    pub operation: &'static Operation,
    pub version: Version,
    pub credentials: Option<Credentials>,
    /// The language of the reply: of the `authHeader`, else of `Accept-Language`.
    pub locale: Option<String>,
    /// The fields of the parameter element, by [`decode`].
    pub param: Value,
    pub app_name: Option<String>,
    pub app_version: Option<String>,
    pub origin: Origin,
}

/// What a call holds, and what it came by.
#[derive(Debug)]
pub struct Admission {
    pub charge: Charge,
    pub(crate) visit: Option<Visit>,
}

impl Admission {
    /// To be told when the login has been accepted.
    pub async fn accept(&mut self, caller: &Caller) -> Result<(), Fault> {
        self.visit
            .iter()
            .try_for_each(|visit| visit.let_in(caller))
            .map_err(|crowded: Crowded| Fault::from(crowded))?;
        Ok(self.charge.accept().await?)
    }
}

/// What a call came to. It is written as the operation's Return element by [`encode`].
pub enum Answer {
    Whole(Value),
    /// An answer of one list that is too long to be held in memory.
    Listed {
        /// The list's field.
        field: &'static str,
        /// Its items, page by page. An error cuts the reply off, so that nobody takes it for whole.
        pages: BoxStream<'static, Result<Vec<Value>, Fault>>,
    },
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Whole(value)
    }
}

/// What answers calls.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// False for an operation that this server does not have. Its parameter is then not even looked at.
    fn supports(&self, operation: &Operation) -> bool;

    /// Whose login it is that stands in the head of a request.
    async fn log_in(&self, credentials: Credentials, origin: &Origin) -> Result<Caller, Fault>;

    async fn call(&self, request: Request, admission: &mut Admission) -> Result<Answer, Fault>;
}

/// What an administrator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    pub gzip: GzipPolicy,
    pub max_body_bytes: usize,
    /// How long a call may take from its first byte to its answer.
    pub patience: Duration,
    pub xml: Limits,
    /// How clients reach this server, without a slash at the end; else it is what each of them says.
    pub public_url: Option<String>,
    /// Where this server listens: for who asks without naming it.
    pub port: u16,
    /// True if the server itself speaks TLS; a trusted proxy that does says so.
    pub https: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            gzip: GzipPolicy::default(),
            max_body_bytes: 16 << 20,
            patience: Duration::from_secs(60),
            xml: Limits::default(),
            public_url: None,
            port: 8080,
            https: false,
        }
    }
}
