//! Why a request was refused, in the words of the API's faults but without their numbers, which the transport knows.

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
}

/// May you?
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such company, or none that this caller may know of; or it has expired.
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
    #[error("{0}")]
    IllegalParameterValue(Invalid),
    #[error("{field}: belongs to another company")]
    IllegalCompany { field: String },
    #[error("{field}: the user may not be used here")]
    IllegalRequestUser { field: String },
    #[error("{field}: the group may not be used here")]
    IllegalAccessGroup { field: String },
    #[error("the permission is missing: {0}")]
    MissingPermission(String),
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
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("{field} is missing: {rule}")]
    Missing { field: String, rule: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of ours is wrong; the log says more.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    pub fn missing(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Missing { field: field.into(), rule: rule.into() }
    }
}
