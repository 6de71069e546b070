//! What a publish says of what it published, as the manifest has it.

use serde_json::Value;

use super::id::AssetId;

/// What is said of a name.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a str,
    /// None: it is not there any more.
    pub file: Option<Listed<'a>>,
}

/// Something that is published.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Size and SHA-256; None, where there is no file.
    pub content: Option<(u64, &'a str)>,
    pub asset: AssetId,
    pub asset_name: &'a str,
    /// What else is said of it.
    pub detail: Option<&'a Value>,
}
