//! Accounts and their memberships.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::companies::{Company, company};
use super::rows::{constant, get, instant, optional_instant};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::id::{AccountId, CompanyId};
use crate::model::locale::Locale;
use crate::model::network::Network;
use crate::model::role::Role;
use crate::store::numbers::next_number;
use crate::store::sql::{self, Cells, Row};

/// Networks that are remembered of an account.
const MOST_NETWORKS: i64 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    /// PHC string.
    pub password_hash: String,
    pub is_valid: bool,
    pub is_ips_admin: bool,
    pub locale: Option<Locale>,
    pub created_at: DateTime<Utc>,
    pub password_changed_at: DateTime<Utc>,
    pub password_expires_at: Option<DateTime<Utc>>,
}

/// A company that an account belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    pub company: Company,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub account: Account,
    /// In companies where the account is an active member.
    pub roles: BTreeMap<CompanyId, Role>,
    /// When the account last logged in from the network that was asked about.
    pub seen_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub password_hash: String,
    pub is_ips_admin: bool,
    pub locale: Option<Locale>,
    pub password_expires_at: Option<DateTime<Utc>>,
    pub membership: Option<(CompanyId, Role)>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    #[error("a user with the address {0} already exists")]
    EmailTaken(String),
    #[error("there is no such user")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reads {
    /// Nobody can log in yet.
    pub async fn has_no_account(&self) -> Result<bool, StoreError> {
        sql::query("SELECT NOT EXISTS (SELECT 1 FROM account)")
            .fetch_one(&mut *self.reader().await?)
            .await
            .map(|row| row.get(0))
            .map_err(StoreError::doing("look for accounts"))
    }

    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        sql::query("SELECT * FROM account WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read an account"))?
            .map(|row| account(&row))
            .transpose()
    }

    pub async fn account_with_email(&self, email: &str) -> Result<Option<Account>, StoreError> {
        sql::query("SELECT * FROM account WHERE email = $1")
            .bind(email)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for an account by its address"))?
            .map(|row| account(&row))
            .transpose()
    }

    /// What a login is checked against: the account, and its roles in companies that have not expired at `at`. One
    /// statement, because every request asks.
    pub async fn login(
        &self,
        email: &str,
        from: Option<Network>,
        at: DateTime<Utc>,
    ) -> Result<Option<Login>, StoreError> {
        let rows = sql::query(
            "SELECT a.*, c.id AS member_of, m.role, n.seen_at FROM account a
             LEFT JOIN account_network n ON n.account_id = a.id AND n.network = $3
             LEFT JOIN (membership m JOIN company c ON c.id = m.company_id AND (c.expires_at IS NULL OR c.expires_at > $2))
                 ON m.account_id = a.id AND m.is_active = 1
             WHERE a.email = $1",
        )
        .bind(email)
        .bind(at.timestamp_millis())
        .bind(from.map(|network| network.to_string()))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for a login"))?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut roles = BTreeMap::new();
        for row in &rows {
            if let Some(company) = get::<Option<i64>>(row, "member_of")? {
                roles.insert(CompanyId(company), constant(row, "role")?);
            }
        }
        Ok(Some(Login { account: account(first)?, roles, seen_at: optional_instant(first, "seen_at")? }))
    }

    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        sql::query("SELECT * FROM account ORDER BY email")
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list accounts"))?
            .iter()
            .map(account)
            .collect()
    }

    /// Active memberships in companies that have not expired at `at`, by company number.
    pub async fn memberships(&self, account: AccountId, at: DateTime<Utc>) -> Result<Vec<Membership>, StoreError> {
        sql::query(
            "SELECT c.*, m.role FROM membership m JOIN company c ON c.id = m.company_id
             WHERE m.account_id = $1 AND m.is_active = 1 AND (c.expires_at IS NULL OR c.expires_at > $2)
             ORDER BY c.id",
        )
        .bind(account.0)
        .bind(at.timestamp_millis())
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list the memberships of an account"))?
        .iter()
        .map(|row| Ok(Membership { company: company(row)?, role: constant(row, "role")? }))
        .collect()
    }

    /// Whether the account is an active member of the company, expired or not.
    pub async fn is_member(&self, account: AccountId, company: CompanyId) -> Result<bool, StoreError> {
        sql::query(
            "SELECT EXISTS (SELECT 1 FROM membership WHERE account_id = $1 AND company_id = $2 AND is_active = 1)",
        )
        .bind(account.0)
        .bind(company.0)
        .fetch_one(&mut *self.reader().await?)
        .await
        .map(|row| row.get(0))
        .map_err(StoreError::doing("look for a membership"))
    }
}

impl Store {
    /// Notes where an account has logged in from. The oldest of too many are forgotten.
    pub async fn note_network(&self, id: AccountId, from: Network, at: DateTime<Utc>) -> Result<(), StoreError> {
        let failed = || StoreError::doing("note where a user has logged in from");
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "INSERT INTO account_network (account_id, network, seen_at) VALUES ($1, $2, $3)
                     ON CONFLICT (account_id, network) DO UPDATE SET seen_at = excluded.seen_at",
                )
                .bind(id.0)
                .bind(from.to_string())
                .bind(at.timestamp_millis())
                .execute(&mut *tx)
                .await
                .map_err(failed())?;
                sql::query(
                    "DELETE FROM account_network WHERE account_id = $1 AND network IN
                         (SELECT network FROM account_network WHERE account_id = $1
                          ORDER BY seen_at DESC, network LIMIT 1000 OFFSET $2)",
                )
                .bind(id.0)
                .bind(MOST_NETWORKS)
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(failed())
            })
        })
        .await
    }

    pub async fn add_account(&self, new: NewAccount) -> Result<AccountId, AccountError> {
        self.write(move |tx| Box::pin(async move { add(tx, &new).await })).await
    }

    /// Makes an account a member, or gives it another role.
    pub async fn set_membership(&self, company: CompanyId, account: AccountId, role: Role) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { join(tx, company, account, role).await })).await
    }

    pub async fn set_password(
        &self,
        account: AccountId,
        password_hash: String,
        at: DateTime<Utc>,
    ) -> Result<(), AccountError> {
        self.write(move |tx| {
            Box::pin(async move {
                let changed = sql::query(
                    "UPDATE account SET password_hash = $2, password_changed_at = $3, password_expires_at = NULL
                     WHERE id = $1",
                )
                .bind(account.0)
                .bind(password_hash)
                .bind(at.timestamp_millis())
                .execute(tx)
                .await
                .map_err(StoreError::doing("set a password"))?;
                if changed.rows_affected() == 1 { Ok(()) } else { Err(AccountError::NotFound) }
            })
        })
        .await
    }
}

async fn add(tx: &mut Transaction, new: &NewAccount) -> Result<AccountId, AccountError> {
    let row = sql::query(concat!(
        "INSERT INTO account (id, email, first_name, last_name, password_hash, is_ips_admin, locale, created_at,
                              password_changed_at, password_expires_at)
         VALUES (",
        next_number!("account"),
        ", $1, $2, $3, $4, $5, $6, $7, $7, $8)
         ON CONFLICT (email) DO NOTHING RETURNING id"
    ))
    .bind(&new.email)
    .bind(&new.first_name)
    .bind(&new.last_name)
    .bind(&new.password_hash)
    .bind(new.is_ips_admin)
    .bind(new.locale.as_ref().map(Locale::as_str))
    .bind(new.at.timestamp_millis())
    .bind(new.password_expires_at.map(|at| at.timestamp_millis()))
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("write an account"))?
    .ok_or_else(|| AccountError::EmailTaken(new.email.clone()))?;
    let account = AccountId(row.get(0));
    if let Some((company, role)) = new.membership {
        join(tx, company, account, role).await?;
    }
    Ok(account)
}

async fn join(tx: &mut Transaction, company: CompanyId, account: AccountId, role: Role) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO membership (company_id, account_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (company_id, account_id) DO UPDATE SET role = excluded.role, is_active = 1",
    )
    .bind(company.0)
    .bind(account.0)
    .bind(role.as_str())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write a membership"))
}

fn account(row: &Row) -> Result<Account, StoreError> {
    let locale: Option<&str> = get(row, "locale")?;
    Ok(Account {
        id: AccountId(get(row, "id")?),
        email: get(row, "email")?,
        first_name: get(row, "first_name")?,
        last_name: get(row, "last_name")?,
        password_hash: get(row, "password_hash")?,
        is_valid: get(row, "is_valid")?,
        is_ips_admin: get(row, "is_ips_admin")?,
        locale: locale.map(Locale::parse).transpose().map_err(|e| StoreError::corrupt("a locale", e))?,
        created_at: instant(row, "created_at")?,
        password_changed_at: instant(row, "password_changed_at")?,
        password_expires_at: optional_instant(row, "password_expires_at")?,
    })
}
