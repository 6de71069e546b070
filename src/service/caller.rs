//! Who asks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::id::{AccountId, CompanyId};
use crate::model::locale::Locale;
use crate::model::role::Role;

/// An authenticated user, and what came with the request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: AccountId,
    pub email: String,
    /// Administrator of the whole server: every role in every company.
    pub is_ips_admin: bool,
    /// Roles in companies that are neither expired nor left.
    pub roles: BTreeMap<CompanyId, Role>,
    /// Language of the answer: the header's, else the account's.
    pub locale: Locale,
    /// Address, or name, of the calling program.
    pub client: Option<String>,
    /// Where the logins are counted that it tries; None where no network was used.
    pub peer: Option<IpAddr>,
    /// This server as the caller addressed it; None where HTTP was not used.
    pub address: Option<String>,
}
