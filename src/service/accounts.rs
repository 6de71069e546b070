//! Users: checkLogin, getUserInfo, getCompanyMembership.

use serde::{Deserialize, Serialize};

use super::access::{EVERYBODY, Operation};
use super::companies::CompanyInfo;
use super::login::Source;
use super::{Caller, Denied, Error, NotAuthenticated, Services, time_text};
use crate::model::handle;
use crate::model::role::Role;
use crate::store::accounts::{Account, Login, Membership};

const CHECK_LOGIN: Operation = Operation { name: "checkLogin", roles: EVERYBODY };
const GET_USER_INFO: Operation = Operation { name: "getUserInfo", roles: EVERYBODY };
const GET_COMPANY_MEMBERSHIP: Operation = Operation { name: "getCompanyMembership", roles: EVERYBODY };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckLoginParam {
    pub company_handle: Option<String>,
    pub email: String,
    pub password: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckLoginReturn {
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetUserInfoParam {
    pub user_handle: Option<String>,
    pub email: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUserInfoReturn {
    pub user_info: User,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_handle: String,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub is_valid: bool,
    pub is_ips_admin: bool,
    /// The same as `role`: versions differ in the name.
    pub default_role: String,
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_expires: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetCompanyMembershipParam {
    pub user_handle: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompanyMembershipReturn {
    pub membership_array: Vec<CompanyMembership>,
    /// What the oldest version has in the place of the memberships.
    pub company_array: Vec<CompanyInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyMembership {
    pub company: CompanyInfo,
    pub role: String,
    pub is_active: bool,
}

impl Services {
    /// Says whether the login is good, and with a company, whether it is good there. One whose companies have all expired
    /// is good nowhere; who has only such a login is told so, rather than that a role is wrong.
    pub async fn check_login(&self, caller: &Caller, param: CheckLoginParam) -> Result<CheckLoginReturn, Error> {
        if !caller.roles.is_empty() {
            caller.may(&CHECK_LOGIN)?;
        }
        let company = match &param.company_handle {
            Some(text) => Some(self.in_company(caller, &CHECK_LOGIN, "companyHandle", text).await?),
            None => None,
        };
        let email = param.email.trim();
        // Who asks about its own login has just given its password, and guesses nothing.
        let counted = !email.eq_ignore_ascii_case(&caller.email);
        let source = Source { peer: caller.peer, client: caller.client.as_deref(), counted };
        let valid = match self.log_in(email, param.password, source).await {
            Ok(Login { account, .. }) if account.is_ips_admin => true,
            Ok(Login { roles, .. }) => match company {
                Some(company) => roles.contains_key(&company.id),
                None => !roles.is_empty(),
            },
            // Nobody has looked at the password: that is no answer to whether it is right.
            Err(error @ Error::NotAuthenticated(NotAuthenticated::TooManyFailures { .. })) => return Err(error),
            Err(Error::NotAuthenticated(_)) => false,
            Err(error) => return Err(error),
        };
        Ok(CheckLoginReturn { status: if valid { "ValidLogin" } else { "InvalidLogin" }.to_owned() })
    }

    pub async fn get_user_info(&self, caller: &Caller, param: GetUserInfoParam) -> Result<GetUserInfoReturn, Error> {
        caller.may(&GET_USER_INFO)?;
        let (account, memberships) = match (&param.user_handle, &param.email) {
            (Some(text), _) => self.visible_user(caller, text).await?,
            (None, Some(email)) => {
                let invalid = || Denied::InvalidRequestUserName { field: "email".to_owned() };
                let account = self.store.account_with_email(email.trim()).await?.ok_or_else(invalid)?;
                self.visible(caller, account).await?.ok_or_else(invalid)?
            }
            (None, None) => {
                let invalid = || Denied::InvalidRequestUser { field: "userHandle".to_owned() };
                let account = self.store.account(caller.account).await?.ok_or_else(invalid)?;
                self.visible(caller, account).await?.ok_or_else(invalid)?
            }
        };
        Ok(GetUserInfoReturn { user_info: user(account, &memberships) })
    }

    /// An administrator of the server belongs to every company.
    pub async fn get_company_membership(
        &self,
        caller: &Caller,
        param: GetCompanyMembershipParam,
    ) -> Result<GetCompanyMembershipReturn, Error> {
        caller.may(&GET_COMPANY_MEMBERSHIP)?;
        let own = handle::account(caller.account, &caller.email);
        let (account, mut memberships) =
            self.visible_user(caller, param.user_handle.as_deref().unwrap_or(&own)).await?;
        if account.is_ips_admin {
            let companies = self.store.companies().await?.into_iter();
            memberships = companies
                .filter(|company| self.is_open(company) && caller.role_in(company.id).is_some())
                .map(|company| Membership { company, role: Role::IpsAdmin })
                .collect();
        }
        let membership_array: Vec<CompanyMembership> = memberships
            .iter()
            .map(|membership| CompanyMembership {
                company: CompanyInfo::of(&membership.company),
                role: membership.role.to_string(),
                is_active: true,
            })
            .collect();
        let company_array = membership_array.iter().map(|membership| membership.company.clone()).collect();
        Ok(GetCompanyMembershipReturn { membership_array, company_array })
    }

    async fn visible_user(&self, caller: &Caller, text: &str) -> Result<(Account, Vec<Membership>), Error> {
        let invalid = || Denied::InvalidRequestUser { field: "userHandle".to_owned() };
        let id = handle::parse_account("userHandle", text)?;
        let account = self.store.account(id).await?.ok_or_else(invalid)?;
        Ok(self.visible(caller, account).await?.ok_or_else(invalid)?)
    }

    /// The account with those of its memberships that the caller may know of: users see one another when they share a
    /// company.
    async fn visible(&self, caller: &Caller, account: Account) -> Result<Option<(Account, Vec<Membership>)>, Error> {
        let memberships = self.store.memberships(account.id, self.clock.now()).await?;
        let shared = Self::shared(caller, memberships);
        let visible = caller.is_ips_admin || account.id == caller.account || !shared.is_empty();
        Ok(visible.then_some((account, shared)))
    }
}

fn user(account: Account, memberships: &[Membership]) -> User {
    let role = if account.is_ips_admin {
        Role::IpsAdmin
    } else {
        // Without a company it means nothing, but some versions require one.
        memberships.first().map_or(Role::IpsUser, |membership| membership.role)
    };
    User {
        user_handle: handle::account(account.id, &account.email),
        first_name: account.first_name,
        last_name: account.last_name,
        email: account.email,
        is_valid: account.is_valid,
        is_ips_admin: account.is_ips_admin,
        default_role: role.to_string(),
        role: role.to_string(),
        password_expires: account.password_expires_at.map(time_text),
    }
}
