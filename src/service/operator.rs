//! Whoever may read and write the database file needs no password: the command line acts as an account of its choice.

use super::{Caller, Error, Services};
use crate::model::locale::Locale;
use crate::store::accounts::Account;

/// What jobs from the command line have as their client.
const CLIENT: &str = "command line";

impl Services {
    /// Looks at and controls everything, in the name of the first administrator, or of the first user if there is none.
    pub async fn operator(&self) -> Result<Caller, Error> {
        let accounts = self.store.accounts().await?;
        let first = |admin: bool| {
            accounts.iter().filter(|account| account.is_valid && account.is_ips_admin == admin).min_by_key(|a| a.id)
        };
        let account = first(true).or_else(|| first(false));
        let account = account.ok_or_else(|| Error::Refused("there is no user yet".to_owned()))?;
        Ok(Caller { is_ips_admin: true, ..self.acting_as(account).await? })
    }

    /// Submits in the name of a user, with that user's rights.
    pub async fn act_as(&self, email: &str) -> Result<Caller, Error> {
        let account = self.store.account_with_email(email.trim()).await?.filter(|account| account.is_valid);
        let account = account.ok_or_else(|| Error::Refused(format!("there is no user {email}")))?;
        self.acting_as(&account).await
    }

    async fn acting_as(&self, account: &Account) -> Result<Caller, Error> {
        let memberships = self.store.memberships(account.id, self.clock.now()).await?;
        Ok(Caller {
            account: account.id,
            email: account.email.clone(),
            is_ips_admin: account.is_ips_admin,
            roles: memberships.iter().map(|membership| (membership.company.id, membership.role)).collect(),
            locale: account.locale.clone().unwrap_or_else(Locale::english),
            client: Some(CLIENT.to_owned()),
            peer: None,
            address: None,
        })
    }
}
