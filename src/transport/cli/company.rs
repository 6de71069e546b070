//! `prepress company`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::failure::{Exit, Failure};
use super::place::PlaceArgs;
use super::schedule::instant;
use super::screen::{Paint, Screen};
use super::table::{Column, Table, Value};
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::overwrite::SameName;
use crate::store::companies::Company;

#[derive(Debug, Subcommand)]
pub enum CompanyCommand {
    /// Add a company
    Add {
        /// Its name; clients find it by getCompanyInfo
        name: String,
        /// Its number, the 47 of the handle c|47 (default: the next free one)
        #[arg(long)]
        id: Option<i64>,
        /// When it expires: 2027-12-31, 2027-12-31T12:00 (both in the zone of the data) or 2027-12-31T12:00Z (default: never)
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say when a company expires: then its users are refused and its schedules fire no more; nothing of it is removed
    Expire {
        /// Its name
        name: String,
        /// When: 2027-12-31, 2027-12-31T12:00 (both in the zone of the data) or 2027-12-31T12:00Z (default: now)
        #[arg(long, value_name = "TIME", conflicts_with = "never")]
        at: Option<String>,
        /// It does not expire, or is open again
        #[arg(long)]
        never: bool,
    },
    /// Say what becomes of files whose names assets with other content have, in uploads that overwrite nothing
    SameName {
        /// Its name
        name: String,
        /// skip: they are left out, and log, mail and exit code say so; number: they are stored as NAME-1;
        /// default: as the configuration says (ingest.same_name)
        #[arg(value_name = "WHAT", value_parser = same_name)]
        same_name: SameNameSetting,
    },
    /// List companies
    #[command(alias = "ls")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(command: CompanyCommand, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    let place = place.open().await?;
    match command {
        CompanyCommand::Expire { name, at, never } => {
            let now = place.services.clock().now();
            let at = at.map(|text| instant(&text, place.times().zone)).transpose()?;
            let company = place.services.set_expiry(&name, (!never).then(|| at.unwrap_or(now))).await?;
            // Jobs may have waited for it to be open again.
            place.ring();
            let when = match company.expires_at {
                None => "does not expire".to_owned(),
                Some(at) if at <= now => format!("has expired, at {}", place.times().local(at)),
                Some(at) => format!("expires at {}", place.times().local(at)),
            };
            screen.line(format!("The company {} {when}.", screen.paint(Paint::Bold, &company.name)))?;
        }
        CompanyCommand::SameName { name, same_name: SameNameSetting(same_name) } => {
            let company = place.services.set_same_name(&name, same_name).await?;
            let what = match same_name.unwrap_or(place.config.ingest.same_name) {
                SameName::Skip => "is left out",
                SameName::Number => "gets a number",
            };
            let why = if same_name.is_none() { ", as the configuration says" } else { "" };
            let company = screen.paint(Paint::Bold, &company.name);
            screen
                .line(format!("A file of {company} that has the name of an asset with other content {what}{why}."))?;
        }
        CompanyCommand::Add { name, id, expires, json } => {
            let expires = expires.map(|text| instant(&text, place.times().zone)).transpose()?;
            let company = place.services.add_company(&name, id.map(CompanyId), expires).await?;
            make_ingest(&place.config.ingest_root().join(&company.root_path))?;
            if json {
                screen.json(&view(&company))?;
                return Ok(Exit::Done);
            }
            screen.line(format!("Added the company {}.", screen.paint(Paint::Bold, &company.name)))?;
            let ingest = place.config.ingest_root().join(&company.root_path);
            screen.facts([
                ("handle", handle::company(company.id)),
                ("uploads from", ingest.display().to_string()),
                ("next", format!("prepress user add EMAIL --company '{}' --role IpsUser", company.name)),
            ])?;
        }
        CompanyCommand::List { json } => {
            let companies = place.services.companies().await?;
            if json {
                screen.json(&companies.iter().map(view).collect::<Vec<_>>())?;
            } else if companies.is_empty() {
                screen.line("There is no company yet. Add one: prepress company add NAME")?;
            } else {
                screen.line(table(&companies, place.config.ingest.same_name, place.times()).render(screen))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// None: as the configuration says.
#[derive(Debug, Clone, Copy)]
pub struct SameNameSetting(Option<SameName>);

fn same_name(text: &str) -> Result<SameNameSetting, String> {
    if text == "default" {
        return Ok(SameNameSetting(None));
    }
    text.parse()
        .map(|same_name| SameNameSetting(Some(same_name)))
        .map_err(|_| "must be skip, number or default".to_owned())
}

/// Makes the folder that the company's producers put files in. Made by root, it belongs to whom the folder above belongs
/// to, with the same rights, as if the daemon had made it.
fn make_ingest(folder: &Path) -> Result<(), Failure> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    let make = || {
        fs::create_dir_all(folder)?;
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        for made in missing.iter().rev() {
            let above = fs::metadata(made.parent().unwrap_or(made))?;
            std::os::unix::fs::chown(made, Some(above.uid()), Some(above.gid()))?;
            fs::set_permissions(made, above.permissions())?;
        }
        Ok(())
    };
    make().map_err(|error: std::io::Error| {
        let what = format!("the company was added, but its ingest folder {} cannot be made: {error}", folder.display());
        Failure::new(what).hint("make it yourself, where the daemon can read it")
    })
}

fn table(companies: &[Company], usual: SameName, times: super::times::Times) -> Table {
    let columns = [
        Column::new("HANDLE").whole(),
        Column::new("NAME"),
        Column::new("ROOT FOLDER").shown_from(60),
        Column::new("SAME NAME").whole(),
        Column::new("ADDED").whole(),
        Column::new("EXPIRES").whole(),
    ];
    let mut table = Table::new(columns);
    for company in companies {
        let expires = match company.expires_at {
            None => Value::painted(Paint::Dim, "never"),
            Some(at) if at <= times.now => Value::painted(Paint::Red, times.relative(at)),
            Some(at) => times.relative(at).into(),
        };
        let same_name = match company.same_name {
            None => Value::painted(Paint::Dim, format!("{} (default)", usual.as_str())),
            Some(same_name) => same_name.as_str().into(),
        };
        table.row([
            handle::company(company.id).into(),
            company.name.clone().into(),
            company.root_path.clone().into(),
            same_name,
            times.relative(company.created_at).into(),
            expires,
        ]);
    }
    table
}

fn view(company: &Company) -> Json {
    json!({
        "id": company.id,
        "handle": handle::company(company.id),
        "name": company.name,
        "rootPath": company.root_path,
        "createdAt": company.created_at,
        "expiresAt": company.expires_at,
        "sameName": company.same_name,
    })
}
