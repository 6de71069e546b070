//! `prepress user`.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::failure::{Exit, Failure, warn};
use super::place::PlaceArgs;
use super::screen::{Paint, Screen};
use super::table::{Column, Table, Value};
use super::times::Times;
use crate::daemon;
use crate::model::handle;
use crate::model::locale::Locale;
use crate::model::role::Role;
use crate::service::admin::{AddUser, ListedUser, UserAdded};
use crate::service::password;

/// More than any password that is accepted.
const LONGEST_INPUT: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user to a company, or give one that is there another role
    Add(AddArgs),
    /// List users and their roles
    #[command(alias = "ls")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password; logins with the old one end at once
    Password {
        /// Whose
        email: String,
        /// Read the password from standard input instead of making one up
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// Mail address: the login, and where reports go
    email: String,
    /// Name of the company
    #[arg(long)]
    company: String,
    /// What the user may do there
    #[arg(long, value_parser = role, default_value = "IpsUser")]
    role: Role,
    #[arg(long, default_value = "")]
    first_name: String,
    #[arg(long, default_value = "")]
    last_name: String,
    /// Language of mails, such as en or de-AT
    #[arg(long, value_parser = locale)]
    locale: Option<Locale>,
    /// Read the password from standard input instead of making one up
    #[arg(long)]
    password_stdin: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.iter().find(|role| role.as_str().eq_ignore_ascii_case(text));
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn locale(text: &str) -> Result<Locale, String> {
    Locale::parse_known(text).map_err(|invalid| invalid.rule)
}

pub async fn run(command: UserCommand, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let place = place.open().await?;
    match command {
        UserCommand::Add(args) => {
            let (email, company, role) = (args.email.trim().to_owned(), args.company.clone(), args.role);
            let user = AddUser {
                email: email.clone(),
                first_name: args.first_name,
                last_name: args.last_name,
                company: args.company,
                role,
                password: args.password_stdin.then(read_password).transpose()?,
                locale: args.locale,
            };
            match place.services.add_user(user).await? {
                UserAdded::New { password, .. } => {
                    screen.line(format!("Added {} to {company} as {role}.", screen.paint(Paint::Bold, &email)))?;
                    show_password(screen, password)?;
                }
                UserAdded::Joined { .. } => {
                    screen.line(format!("{} was a user already, and is now {role} in {company}.", email))?;
                }
            }
        }
        UserCommand::List { json } => {
            let users = place.services.users().await?;
            if json {
                screen.json(&users.iter().map(view).collect::<Vec<_>>())?;
            } else {
                screen.line(table(&users, place.times()).render(screen))?;
            }
        }
        UserCommand::Password { email, password_stdin } => {
            let (given, made) = match password_stdin {
                true => (read_password()?, None),
                false => {
                    let made = password::generate()?;
                    (made.clone(), Some(made))
                }
            };
            place.services.set_password(&email, given).await?;
            screen.line(format!("The password of {} is changed.", screen.paint(Paint::Bold, &email)))?;
            show_password(screen, made)?;
            forget_login(place.data(), &email, screen)?;
        }
    }
    Ok(Exit::Done)
}

/// What the first start wrote down of this login is true no longer.
fn forget_login(data: &Path, email: &str, screen: &Screen) -> Result<(), Failure> {
    let path = daemon::admin_login(data);
    match daemon::forget_login(data, email) {
        Ok(false) => Ok(()),
        Ok(true) => screen.line(format!("{} held the old one, and is removed.", path.display())),
        Err(error) => {
            warn(&format!("{} holds the old password, and cannot be removed: {error}", path.display()));
            Ok(())
        }
    }
}

fn show_password(screen: &Screen, made: Option<String>) -> Result<(), Failure> {
    let Some(password) = made else { return Ok(()) };
    screen.facts([("password", password)])?;
    screen.line(screen.paint(Paint::Dim, "  It is shown this once and kept only as a hash."))
}

/// The first line of standard input.
fn read_password() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprintln!("Type the password and press Enter (it is shown as you type):");
    }
    let unreadable = |error: io::Error| Failure::new(format!("cannot read the password: {error}"));
    let mut text = String::new();
    if stdin.is_terminal() {
        stdin.read_line(&mut text).map_err(unreadable)?;
    } else {
        stdin.lock().take(LONGEST_INPUT).read_to_string(&mut text).map_err(unreadable)?;
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::new("there was no password on standard input").hint("echo 'the password' | prepress user …")),
    }
}

fn table(users: &[ListedUser], times: Times) -> Table {
    let columns = [
        Column::new("EMAIL"),
        Column::new("NAME").shown_from(100),
        Column::new("ROLES"),
        Column::new("PASSWORD SET").whole(),
        Column::new("ADDED").whole().shown_from(90),
    ];
    let mut table = Table::new(columns).wrapping();
    for ListedUser { account, memberships } in users {
        let admin = account.is_ips_admin.then(|| "IpsAdmin everywhere".to_owned());
        let roles = memberships.iter().map(|member| format!("{} in {}", member.role, member.company.name));
        let roles: Vec<String> = admin.into_iter().chain(roles).collect();
        let email = match account.is_valid {
            true => account.email.clone().into(),
            false => Value::painted(Paint::Dim, format!("{} (closed)", account.email)),
        };
        table.row([
            email,
            format!("{} {}", account.first_name, account.last_name).trim().into(),
            roles.join("\n").into(),
            times.relative(account.password_changed_at).into(),
            times.relative(account.created_at).into(),
        ]);
    }
    table
}

fn view(user: &ListedUser) -> Json {
    let ListedUser { account, memberships } = user;
    let membership = |member: &crate::store::accounts::Membership| {
        json!({
            "company": {"id": member.company.id, "name": member.company.name},
            "role": member.role,
        })
    };
    json!({
        "id": account.id,
        "handle": handle::account(account.id, &account.email),
        "email": account.email,
        "firstName": account.first_name,
        "lastName": account.last_name,
        "isIpsAdmin": account.is_ips_admin,
        "isValid": account.is_valid,
        "locale": account.locale,
        "createdAt": account.created_at,
        "passwordChangedAt": account.password_changed_at,
        "memberships": memberships.iter().map(membership).collect::<Vec<_>>(),
    })
}
