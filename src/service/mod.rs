//! What a caller may ask: every function authorises, validates, and calls the store. No XML, no HTTP, no SQL.
//!
//! Parameters and results are serde structures in the shape of the API contract (camelCase field names, arrays without
//! their `items` wrapper); the transports translate them. Handles are written in the newer shape.

mod caller;
mod error;

pub use caller::Caller;
pub use error::{Denied, Error, NotAuthenticated};
