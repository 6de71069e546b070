//! Who may do what where. A company that a caller is not in and one that does not exist are the same to the caller.

use super::{Caller, Denied, Error, Services};
use crate::model::handle;
use crate::model::id::{AccountId, CompanyId};
use crate::model::role::Role;
use crate::store::accounts::{Account, Membership};
use crate::store::companies::Company;

/// An operation of the API, and the roles that may call it. IpsAdmin always may.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    pub roles: &'static [Role],
}

/// Every role but WebServiceUser, which no operation names.
pub const EVERYBODY: &[Role] = &[
    Role::IpsUser,
    Role::IpsAdmin,
    Role::IpsCompanyAdmin,
    Role::TrialSiteAdmin,
    Role::TrialSiteUser,
    Role::ImagePortalAdmin,
    Role::ImagePortalUser,
    Role::ImagePortalContrib,
    Role::ImagePortalContribUser,
];

/// Who may change assets and folders.
pub const EDITORS: &[Role] = &[
    Role::IpsUser,
    Role::IpsAdmin,
    Role::IpsCompanyAdmin,
    Role::ImagePortalAdmin,
    Role::ImagePortalContrib,
    Role::ImagePortalContribUser,
];

/// Who may change a company, and see it as one of its users does.
pub const ADMINISTRATORS: &[Role] =
    &[Role::IpsAdmin, Role::IpsCompanyAdmin, Role::TrialSiteAdmin, Role::ImagePortalAdmin];

impl Operation {
    fn check(&self, role: Role) -> Result<(), Denied> {
        if role == Role::IpsAdmin || self.roles.contains(&role) { Ok(()) } else { Err(self.denied()) }
    }

    fn denied(&self) -> Denied {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.as_str()).collect();
        Denied::NoOperationPermission { operation: self.name.to_owned(), roles: roles.join(", ") }
    }
}

impl Caller {
    pub fn role_in(&self, company: CompanyId) -> Option<Role> {
        if self.is_ips_admin { Some(Role::IpsAdmin) } else { self.roles.get(&company).copied() }
    }

    /// For operations that belong to no company: the role in one of the caller's companies must allow them.
    pub fn may(&self, operation: &Operation) -> Result<(), Denied> {
        let allowed = self.is_ips_admin || self.roles.values().any(|role| operation.check(*role).is_ok());
        if allowed { Ok(()) } else { Err(operation.denied()) }
    }
}

impl Services {
    /// The company that `text`, the value of `field`, is the handle of, if the caller may do the operation there.
    pub async fn in_company(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        text: &str,
    ) -> Result<Company, Error> {
        let id = handle::parse_company(field, text)?;
        let company = self.store.company(id).await?;
        self.admit(caller, operation, field, company).await
    }

    /// The same, where administrators of the server are let into a company that has expired as well: somebody has to see, and
    /// to end, what is left in it.
    pub(super) async fn in_any_company(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        text: &str,
    ) -> Result<Company, Error> {
        let company = self.store.company(handle::parse_company(field, text)?).await?;
        self.admit_to_any(caller, operation, field, company).await
    }

    /// The same, found by name.
    pub(super) async fn in_company_named(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        name: &str,
    ) -> Result<Company, Error> {
        let company = self.store.company_named(name).await?;
        self.admit(caller, operation, field, company).await
    }

    /// [`Services::in_any_company`] by name.
    pub(super) async fn in_any_company_named(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        name: &str,
    ) -> Result<Company, Error> {
        let company = self.store.company_named(name).await?;
        self.admit_to_any(caller, operation, field, company).await
    }

    async fn admit_to_any(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        company: Option<Company>,
    ) -> Result<Company, Error> {
        match company {
            Some(company) if caller.is_ips_admin => Ok(company),
            company => self.admit(caller, operation, field, company).await,
        }
    }

    /// Lets the caller do the operation in the company. That it has expired is told only to who belongs to it.
    async fn admit(
        &self,
        caller: &Caller,
        operation: &Operation,
        field: &str,
        company: Option<Company>,
    ) -> Result<Company, Error> {
        let invalid = || Denied::InvalidCompany { field: field.to_owned() };
        let company = company.ok_or_else(invalid)?;
        match company.expires_at.filter(|_| !self.is_open(&company)) {
            None => {
                operation.check(caller.role_in(company.id).ok_or_else(invalid)?)?;
                Ok(company)
            }
            Some(at) if caller.is_ips_admin || self.store.is_member(caller.account, company.id).await? => {
                let why = format!("the company expired at {}", super::time_text(at));
                Err(Denied::IllegalCompany { field: field.to_owned(), why }.into())
            }
            Some(_) => Err(invalid().into()),
        }
    }

    pub(super) fn is_open(&self, company: &Company) -> bool {
        company.expires_at.is_none_or(|expires| expires > self.clock.now())
    }

    /// Checks `accessUserHandle` and `accessGroupHandle`: an administrator may look as another user of the company does.
    /// Users of a company see the same folders and assets, so that nothing else follows from it; there are no groups.
    pub(super) async fn check_impersonation(
        &self,
        caller: &Caller,
        company: &Company,
        user: Option<&str>,
        group: Option<&str>,
    ) -> Result<(), Error> {
        if group.is_some_and(|group| !group.is_empty()) {
            return Err(Denied::IllegalAccessGroup { field: "accessGroupHandle".to_owned() }.into());
        }
        let Some(user) = user.filter(|user| !user.is_empty()) else { return Ok(()) };
        let account = handle::parse_account("accessUserHandle", user)?;
        if account == caller.account {
            return Ok(());
        }
        if !caller.role_in(company.id).is_some_and(|role| ADMINISTRATORS.contains(&role)) {
            return Err(Denied::NoImpersonationPermission.into());
        }
        self.member(company, "accessUserHandle", account).await?;
        Ok(())
    }

    /// The account, which must be open and a member of the company.
    pub(super) async fn member(&self, company: &Company, field: &str, id: AccountId) -> Result<Account, Error> {
        let field = || field.to_owned();
        let account = match self.store.account(id).await? {
            Some(account) if self.store.is_member(id, company.id).await? => account,
            _ => return Err(Denied::InvalidRequestUser { field: field() }.into()),
        };
        if account.is_valid { Ok(account) } else { Err(Denied::IllegalRequestUser { field: field() }.into()) }
    }

    /// Those of `memberships` that the caller may know of.
    pub(super) fn shared(caller: &Caller, memberships: Vec<Membership>) -> Vec<Membership> {
        memberships.into_iter().filter(|membership| caller.role_in(membership.company.id).is_some()).collect()
    }
}
