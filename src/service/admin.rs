//! What the command line does to companies and users. Whoever may write the database may do all of it.

use chrono::{DateTime, Utc};

use super::{Error, Services, password};
use crate::model::handle;
use crate::model::id::{AccountId, CompanyId};
use crate::model::invalid::Invalid;
use crate::model::locale::Locale;
use crate::model::name;
use crate::model::overwrite::SameName;
use crate::model::role::Role;
use crate::store::accounts::{Account, AccountError, Membership, NewAccount};
use crate::store::companies::{AddCompanyError, Company, NewCompany};

/// Longest mail address, in bytes.
const LONGEST_EMAIL: usize = 254;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddUser {
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    /// Name of the company.
    pub company: String,
    pub role: Role,
    /// None has one made.
    pub password: Option<String>,
    pub locale: Option<Locale>,
}

/// What became of a user to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserAdded {
    /// The password is there if it was made here.
    New { account: AccountId, password: Option<String> },
    /// The user was there, and has become a member, or has another role.
    Joined { account: AccountId },
}

#[derive(Debug, Clone, PartialEq)]
pub struct ListedUser {
    pub account: Account,
    pub memberships: Vec<Membership>,
}

/// The login made for an empty database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAdmin {
    pub email: String,
    pub password: String,
}

impl FirstAdmin {
    /// With a password that nobody knows yet.
    pub fn generate(email: &str) -> Result<Self, Error> {
        Ok(Self { email: email.to_owned(), password: password::generate()? })
    }
}

impl Services {
    /// Nobody can log in yet.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.store.has_no_account().await?)
    }

    /// Adds an administrator of the whole server.
    pub async fn add_first_admin(&self, admin: &FirstAdmin) -> Result<(), Error> {
        check_email(&admin.email)?;
        if !self.is_empty().await? {
            return Err(Error::Refused("there are users already, so that no first administrator is made".to_owned()));
        }
        let new = NewAccount {
            email: admin.email.clone(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: self.hash(admin.password.clone()).await?,
            is_ips_admin: true,
            locale: None,
            password_expires_at: None,
            membership: None,
            at: self.clock.now(),
        };
        self.store.add_account(new).await.map_err(account_refused)?;
        Ok(())
    }

    async fn hash(&self, password: String) -> Result<String, Error> {
        password::hash(password, self.settings().passwords).await
    }

    /// From `expires_at` on everything is refused to the users of the company, and its schedules fire no more. None: never.
    pub async fn set_expiry(&self, company: &str, expires_at: Option<DateTime<Utc>>) -> Result<Company, Error> {
        let found = self.store.company_named(company.trim()).await?;
        let found = found.ok_or_else(|| Error::Refused(format!("there is no company named \"{company}\"")))?;
        self.store.set_expiry(found.id, expires_at).await?;
        Ok(Company { expires_at, ..found })
    }

    /// What becomes of files whose names assets with other content have, in uploads that overwrite nothing. None: what the
    /// configuration says.
    pub async fn set_same_name(&self, company: &str, same_name: Option<SameName>) -> Result<Company, Error> {
        let found = self.store.company_named(company.trim()).await?;
        let found = found.ok_or_else(|| Error::Refused(format!("there is no company named \"{company}\"")))?;
        self.store.set_same_name(found.id, same_name).await?;
        Ok(Company { same_name, ..found })
    }

    /// The root folder has the company's name, less what a folder name may not hold.
    pub async fn add_company(
        &self,
        company: &str,
        id: Option<CompanyId>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<Company, Error> {
        let company = company.trim();
        if company.chars().any(char::is_control) {
            return Err(Invalid::new("name", "must not contain control characters").into());
        }
        if handle::parse_company("name", company).is_ok() {
            return Err(Invalid::new(
                "name",
                "must not be a number or a handle: commands take those for companies too",
            )
            .into());
        }
        let root_path = name::clean_folder("name", &company.replace(['/', '\\'], ""))?;
        if root_path.is_empty() {
            return Err(Invalid::new("name", "must not be empty").into());
        }
        if id == Some(CompanyId::SYSTEM) || id.is_some_and(|id| id.0 < 0) {
            return Err(Invalid::new("id", "must be 1 or more; 0 is the server's own company").into());
        }
        let new = NewCompany { id, name: company.to_owned(), root_path, expires_at, at: self.clock.now() };
        self.store.add_company(new).await.map_err(|error| match error {
            AddCompanyError::Store(error) => error.into(),
            AddCompanyError::IdTaken(_) | AddCompanyError::NameTaken(_) => Error::Refused(error.to_string()),
        })
    }

    pub async fn companies(&self) -> Result<Vec<Company>, Error> {
        Ok(self.store.companies().await?)
    }

    pub async fn add_user(&self, user: AddUser) -> Result<UserAdded, Error> {
        check_email(&user.email)?;
        let company = self.store.company_named(&user.company).await?;
        let company =
            company.ok_or_else(|| Error::Refused(format!("there is no company named \"{}\"", user.company)))?;
        if let Some(account) = self.store.account_with_email(&user.email).await? {
            if user.password.is_some() {
                let email = &user.email;
                return Err(Error::Refused(format!("{email} is a user already; set the password with: user password")));
            }
            self.store.set_membership(company.id, account.id, user.role).await?;
            return Ok(UserAdded::Joined { account: account.id });
        }
        let (given, made) = match user.password {
            Some(given) => (given, None),
            None => {
                let made = password::generate()?;
                (made.clone(), Some(made))
            }
        };
        password::check("password", &given, self.settings().passwords)?;
        let new = NewAccount {
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            password_hash: self.hash(given).await?,
            is_ips_admin: false,
            locale: user.locale,
            password_expires_at: None,
            membership: Some((company.id, user.role)),
            at: self.clock.now(),
        };
        let account = self.store.add_account(new).await.map_err(account_refused)?;
        Ok(UserAdded::New { account, password: made })
    }

    pub async fn users(&self) -> Result<Vec<ListedUser>, Error> {
        let mut users = Vec::new();
        for account in self.store.accounts().await? {
            let memberships = self.store.memberships(account.id, self.clock.now()).await?;
            users.push(ListedUser { account, memberships });
        }
        Ok(users)
    }

    /// Logins with the old password end at once.
    pub async fn set_password(&self, email: &str, password: String) -> Result<(), Error> {
        password::check("password", &password, self.settings().passwords)?;
        let account = self.store.account_with_email(email.trim()).await?;
        let account = account.ok_or_else(|| Error::Refused(format!("there is no user {email}")))?;
        let hash = self.hash(password).await?;
        self.store.set_password(account.id, hash, self.clock.now()).await.map_err(account_refused)
    }
}

fn account_refused(error: AccountError) -> Error {
    match error {
        AccountError::Store(error) => error.into(),
        AccountError::EmailTaken(_) | AccountError::NotFound => Error::Refused(error.to_string()),
    }
}

/// The address also stands in a handle, between bars.
fn check_email(email: &str) -> Result<(), Invalid> {
    let sound = email.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    });
    let strange = email.chars().any(|c| c.is_whitespace() || c.is_control() || "|<>,;\"\\()[]:".contains(c));
    if !sound || strange {
        return Err(Invalid::new("email", "must be a mail address such as ada@example.com"));
    }
    if email.len() > LONGEST_EMAIL {
        return Err(Invalid::new("email", format!("must have at most {LONGEST_EMAIL} bytes, not {}", email.len())));
    }
    Ok(())
}
