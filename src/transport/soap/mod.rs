//! The SOAP side of the API: XML in, a call on [`Dispatch`], XML out.

mod credentials;
mod decode;
mod encode;
mod envelope;
mod fault;
mod gzip;
mod lexical;
mod text;
mod xml;
pub use fault::{Fault, FaultCode, Framing};
