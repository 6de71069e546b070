//! Why a request was refused, in the words of the API's faults but without their numbers, which the transport knows.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::store::StoreError;

/// Who are you?
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    #[error("no credentials: send user and password in authHeader, or HTTP Basic")]
    NoCredentials,
    #[error("invalid username or password")]
    InvalidCredentials,
    #[error("the user is not valid, or the password has expired")]
    InvalidUser,
    /// The password was not looked at.
    #[error("too many logins have failed from this address or for this user; try again in {seconds} s")]
    TooManyFailures { seconds: u64 },
}

/// May you?
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such company, or none that this caller may know of.
    #[error("{field}: there is no such company, or you are not a member of it")]
    InvalidCompany { field: String },
    #[error("{field}: the user name is not valid")]
    InvalidRequestUserName { field: String },
    #[error("{field}: there is no such user in the company")]
    InvalidRequestUser { field: String },
    #[error("your role in the company does not allow {operation}; it takes one of {roles}")]
    NoOperationPermission { operation: String, roles: String },
    #[error("you may not act for another user")]
    NoImpersonationPermission,
    /// A value that reaches for what is not the caller's.
    #[error("{0}")]
    IllegalParameterValue(Invalid),
    /// A company that the caller belongs to, or has named twice in different ways, but that cannot be used so. Says nothing
    /// about companies of others.
    #[error("{field}: {why}")]
    IllegalCompany { field: String, why: String },
    /// A user of the company, whom the caller may know of, but whose account is closed.
    #[error("{field}: the account of this user is closed")]
    IllegalRequestUser { field: String },
    #[error("{field}: the group may not be used here")]
    IllegalAccessGroup { field: String },
    /// The role allows the operation, but nobody has the permission to do it to this object.
    #[error("{field}: there is no permission to {what}")]
    MissingPermission { field: String, what: String },
}

impl Denied {
    /// A handle that says itself that it is of another company than the one the call is about. It is told from the handle
    /// alone, whether or not there is such a company.
    pub fn handle_of_another(field: &str, owner: CompanyId, company: CompanyId) -> Self {
        let why = format!("the handle is of company {owner}, not of {company}");
        Self::IllegalCompany { field: field.to_owned(), why }
    }
}

/// One of several jobs that could be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// By which it alone is meant.
    pub handle: String,
    /// Name of its company.
    pub company: String,
    /// What it is, and its state.
    pub what: String,
}

/// A name that more than one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    pub name: String,
    pub candidates: Vec<Candidate>,
    /// There are others beside.
    pub more: bool,
}

impl Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jobHandle: more than one job could be meant by \"{}\"; say which by its handle: ", self.name)?;
        for (index, Candidate { handle, company, what }) in self.candidates.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{handle} ({company}: {what})")?;
        }
        if self.more { f.write_str(", and others") } else { Ok(()) }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotAuthenticated(#[from] NotAuthenticated),
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The request is well formed but cannot be carried out: a name clash, an object that is not there.
    #[error("{0}")]
    Refused(String),
    /// Nothing was done, because it is not said to which of several.
    #[error("{0}")]
    Ambiguous(Ambiguous),
    #[error("{0}")]
    Invalid(Invalid),
    #[error("{field} is missing: {rule}")]
    Missing { field: String, rule: String },
    /// More passwords are to be looked at than can be.
    #[error(
        "the server is busy: too many logins are waiting from where their users have not logged in before; try again in a few seconds"
    )]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of ours is wrong; the log says more.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        if invalid.is_trespass { Denied::IllegalParameterValue(invalid).into() } else { Self::Invalid(invalid) }
    }
}

impl Error {
    /// The same, seen from the structure that holds the field.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        match self {
            Self::Invalid(invalid) => Self::Invalid(invalid.within(outer)),
            Self::Missing { field, rule } => Self::Missing { field: format!("{outer}/{field}"), rule },
            Self::Refused(why) => Self::Refused(format!("{outer}/{why}")),
            other => other,
        }
    }

    pub fn missing(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Missing { field: field.into(), rule: rule.into() }
    }
}
