//! See [`crate::fuzzing`].

use super::credentials::AuthHeader;
use super::envelope::{self, Endpoint};
use super::xml::{self, Limits};
use super::{decode, text};

/// A request as it comes in, up to what its operation is given.
pub fn request(bytes: &[u8]) {
    for endpoint in [Endpoint::Soap, Endpoint::Plain] {
        let Ok(text) = text::decode(bytes, None) else { return };
        let Ok(root) = xml::parse(&text, &Limits::default()) else { return };
        let Ok(opened) = envelope::open(root, endpoint) else { continue };
        let _ = AuthHeader::read(&opened.headers);
        let Ok(target) = opened.target(Some("getAssets")) else { continue };
        if let Some(param) = opened.param {
            let _ = decode(&param, &target.operation.param, target.version);
        }
    }
}
