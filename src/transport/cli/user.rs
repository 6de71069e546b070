//! `prepress user`.

use std::io::Read;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Common, Failure, setup, text};
use crate::model::role::Role;
use crate::service::Services;
use crate::service::admin::{AddUser, UserAdded};
use crate::service::password;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user to a company, or give one another role there
    Add {
        /// Mail address: the login, and where mail goes
        email: String,
        #[arg(long, value_name = "NAME")]
        company: String,
        /// A role of the API, such as IpsUser or IpsCompanyAdmin
        #[arg(long)]
        role: Role,
        #[arg(long, default_value = "")]
        first_name: String,
        #[arg(long, default_value = "")]
        last_name: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all users and their roles
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password
    Password {
        email: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
}

pub async fn run(common: &Common, command: UserCommand) -> Result<ExitCode, Failure> {
    let (_, services) = setup::services(common).await?;
    match command {
        UserCommand::Add { email, company, role, first_name, last_name, password_stdin } => {
            let password = password_stdin.then(read_password).transpose()?;
            let user = AddUser {
                email: email.clone(),
                first_name,
                last_name,
                company: company.clone(),
                role,
                password,
                locale: None,
            };
            match services.add_user(user).await? {
                UserAdded::Joined { .. } => println!("{email} is {role} in {company} now."),
                UserAdded::New { account, password } => {
                    println!("Added {email} as u|{account}|{email}, {role} in {company}.");
                    if let Some(password) = password {
                        println!("Password: {password}");
                        println!("It is not shown again; set another with: prepress user password {email}");
                    }
                }
            }
        }
        UserCommand::List { json } => list(&services, json).await?,
        UserCommand::Password { email, password_stdin } => {
            let (password, made) =
                if password_stdin { (read_password()?, false) } else { (password::generate()?, true) };
            services.set_password(&email, password.clone()).await?;
            println!("The password of {email} is set; logins with the old one have ended.");
            if made {
                println!("Password: {password}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The first line of standard input.
fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| Failure::new(format!("cannot read the password: {e}")))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => {
            Err(Failure::new("standard input holds no password")
                .hint("echo PASSWORD | prepress user … --password-stdin"))
        }
    }
}

async fn list(services: &Services, json: bool) -> Result<(), Failure> {
    let users = services.users().await?;
    if json {
        let list: Vec<_> = users
            .iter()
            .map(|user| {
                let roles: serde_json::Map<_, _> =
                    user.memberships.iter().map(|m| (m.company.name.clone(), m.role.as_str().into())).collect();
                serde_json::json!({"id": user.account.id, "email": user.account.email, "isValid": user.account.is_valid,
                                   "isIpsAdmin": user.account.is_ips_admin, "roles": roles})
            })
            .collect();
        println!("{}", serde_json::Value::from(list));
        return Ok(());
    }
    let mut table = text::table(&["email", "name", "roles", "login"]);
    for user in users {
        let account = user.account;
        let mut roles: Vec<String> =
            user.memberships.iter().map(|m| format!("{} in {}", m.role, m.company.name)).collect();
        if account.is_ips_admin {
            roles.insert(0, "IpsAdmin".to_owned());
        }
        let name = format!("{} {}", account.first_name, account.last_name);
        let login = if account.is_valid { "allowed" } else { "refused" };
        table.add_row([account.email, name.trim().to_owned(), roles.join(", "), login.to_owned()]);
    }
    Ok(text::print(&table)?)
}
