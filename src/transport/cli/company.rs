//! `prepress company`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Common, Failure, setup, text};
use crate::model::id::CompanyId;

#[derive(Debug, Subcommand)]
pub enum CompanyCommand {
    /// Add a company, with its root folder and publish contexts
    Add {
        /// Its name; also that of its root folder
        name: String,
        /// Its number in handles (c|NUMBER) [default: the next free one]
        #[arg(long, value_name = "NUMBER")]
        id: Option<i64>,
    },
    /// List all companies
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(common: &Common, command: CompanyCommand) -> Result<ExitCode, Failure> {
    let (config, services) = setup::services(common).await?;
    match command {
        CompanyCommand::Add { name, id } => {
            let company = services.add_company(&name, id.map(CompanyId), None).await?;
            let ingest = config.ingest_root().join(&company.root_path);
            std::fs::create_dir_all(&ingest).map_err(|e| {
                Failure::new(format!(
                    "the company was added, but its ingest folder {} cannot be made: {e}",
                    ingest.display()
                ))
            })?;
            println!("Added {} as c|{}.", company.name, company.id);
            println!("Upload jobs read below {}", ingest.display());
        }
        CompanyCommand::List { json } => {
            let companies = services.companies().await?;
            if json {
                let list: Vec<_> = companies
                    .iter()
                    .map(|c| serde_json::json!({"id": c.id, "name": c.name, "rootPath": c.root_path, "expires": c.expires_at}))
                    .collect();
                println!("{}", serde_json::Value::from(list));
                return Ok(ExitCode::SUCCESS);
            }
            let mut table = text::table(&["id", "name", "root folder", "expires"]);
            for company in companies {
                let expires = company.expires_at.map_or_else(|| "never".to_owned(), |at| text::time(at, config.zone()));
                table.add_row([format!("c|{}", company.id), company.name, company.root_path, expires]);
            }
            text::print(&table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
