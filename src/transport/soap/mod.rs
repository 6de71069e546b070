//! The SOAP side of the API: XML in, a call on [`Dispatch`], XML out.

mod decode;
mod encode;
mod fault;
mod lexical;
mod text;
mod xml;
pub use fault::{Fault, FaultCode, Framing};
