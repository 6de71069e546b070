//! `prepress preset`: set scripts and video encoding presets, which jobs name by their handles.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value as Json, json};

use super::failure::{Exit, Failure};
use super::place::{Place, PlaceArgs};
use super::screen::{Paint, Screen};
use super::table::{Column, Table};
use crate::model::handle;
use crate::model::id::CompanyId;
use crate::model::property_set::{self, BuiltIn, Property};
use crate::service::property_sets::{
    CreatePropertySetParam, DeletePropertySetParam, GetPropertySetsParam, PropertySetInfo, UpdatePropertySetParam,
};
use crate::store::companies::Company;

#[derive(Debug, Subcommand)]
pub enum PresetCommand {
    /// Say which properties presets of a kind have
    Properties {
        /// Of this kind only
        kind: Option<Kind>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a preset
    Add(AddArgs),
    /// Change some properties of a preset; an empty value takes one away
    Change {
        /// Its name, or its handle, such as ps|12
        preset: String,
        #[command(flatten)]
        values: ValueArgs,
    },
    /// List presets
    #[command(alias = "ls")]
    List {
        /// Of this company only
        #[arg(long)]
        company: Option<String>,
        /// Of this kind only
        #[arg(long)]
        kind: Option<Kind>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a preset
    Show {
        /// Its name, or its handle, such as ps|12
        preset: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a preset; jobs that name it say so in their log
    #[command(alias = "rm")]
    Remove {
        /// Its name, or its handle, such as ps|12
        preset: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Groups assets into sets by their names (autoSetCreationOptions)
    SetScript,
    /// Says how a video is encoded (mediaOptions)
    Video,
}

impl Kind {
    const ALL: [Self; 2] = [Self::SetScript, Self::Video];

    const fn built_in(self) -> BuiltIn {
        match self {
            Self::SetScript => BuiltIn::SetScript,
            Self::Video => BuiltIn::VideoEncodingPreset,
        }
    }

    /// As it is typed.
    const fn word(self) -> &'static str {
        match self {
            Self::SetScript => "set-script",
            Self::Video => "video",
        }
    }
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// What it is for
    kind: Kind,
    /// Name of the company
    #[arg(long)]
    company: String,
    #[command(flatten)]
    values: ValueArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ValueArgs {
    /// Properties, such as match='(.*)-[0-9]+'; `prepress preset properties` says which there are
    #[arg(value_name = "NAME=VALUE", value_parser = property)]
    values: Vec<Property>,
    /// A JSON object of names and values; what is given beside it comes before it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

fn property(text: &str) -> Result<Property, String> {
    let (name, value) = text.split_once('=').ok_or("must be a name and a value, as in suffix=-SET")?;
    Ok(Property { name: name.trim().to_owned(), value: value.to_owned() })
}

impl ValueArgs {
    fn read(self) -> Result<Vec<Property>, Failure> {
        let mut values = self.values;
        let given: Vec<String> = values.iter().map(|property| property.name.clone()).collect();
        let file = self.file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        values.extend(file.into_iter().filter(|property| !given.contains(&property.name)));
        if values.is_empty() {
            return Err(Failure::new("there are no properties").hint("see: prepress preset properties"));
        }
        Ok(values)
    }
}

fn read_file(path: &Path) -> Result<Vec<Property>, Failure> {
    let refuse = |why: String| Failure::new(format!("cannot read the properties in {}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let object: Map<String, Json> = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let property = |(name, value): (String, Json)| match value {
        Json::String(value) => Ok(Property { name, value }),
        Json::Number(_) | Json::Bool(_) => Ok(Property { name, value: value.to_string() }),
        _ => Err(refuse(format!("the value of {name} must be a text, a number, true or false"))),
    };
    object.into_iter().map(property).collect()
}

/// A preset with what belongs to it.
struct Shown {
    kind: Kind,
    company: Company,
    set: PropertySetInfo,
}

pub async fn run(command: PresetCommand, place: &PlaceArgs, screen: &Screen) -> Result<Exit, Failure> {
    match command {
        PresetCommand::Properties { kind, json } => properties(kind, json, screen)?,
        PresetCommand::Add(args) => add(args, &place.open().await?, screen).await?,
        PresetCommand::Change { preset, values } => {
            let (place, property_array) = (place.open().await?, values.read()?);
            let set_handle = find(&place, &preset).await?.set.set_handle;
            let param =
                UpdatePropertySetParam { set_handle: set_handle.clone(), replace_properties: None, property_array };
            place.services.update_property_set(&place.operator().await?, param).await?;
            show(&find(&place, &set_handle).await?, screen)?;
        }
        PresetCommand::List { company, kind, json } => {
            let place = place.open().await?;
            let presets = presets(&place, company.as_deref(), kind).await?;
            if json {
                screen.json(&presets.iter().map(view).collect::<Vec<_>>())?;
            } else if presets.is_empty() {
                screen.line("There is no preset yet. What they are made of: prepress preset properties")?;
            } else {
                screen.line(table(&presets).render(screen))?;
            }
        }
        PresetCommand::Show { preset, json } => {
            let preset = find(&place.open().await?, &preset).await?;
            if json { screen.json(&view(&preset))? } else { show(&preset, screen)? }
        }
        PresetCommand::Remove { preset } => {
            let place = place.open().await?;
            let preset = find(&place, &preset).await?;
            let name = preset.name().to_owned();
            let param = DeletePropertySetParam { set_handle: preset.set.set_handle };
            place.services.delete_property_set(&place.operator().await?, param).await?;
            screen.line(format!("Removed {} {}.", preset.kind.word(), screen.paint(Paint::Bold, name)))?;
        }
    }
    Ok(Exit::Done)
}

fn properties(kind: Option<Kind>, json: bool, screen: &Screen) -> Result<(), Failure> {
    let kinds = Kind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one));
    if json {
        let view = |kind: Kind| {
            let rules = kind
                .built_in()
                .rules()
                .iter()
                .map(|rule| json!({"name": rule.name, "required": rule.required, "meaning": rule.meaning}));
            json!({
                "kind": kind.word(), "type": kind.built_in(), "purpose": kind.built_in().purpose(),
                "properties": rules.collect::<Vec<_>>(),
            })
        };
        return screen.json(&kinds.map(view).collect::<Vec<_>>());
    }
    for kind in kinds {
        let built_in = kind.built_in();
        screen.heading(&format!("{} (type {built_in}): {}", kind.word(), built_in.purpose()))?;
        let mut table =
            Table::new([Column::new("PROPERTY").whole(), Column::new(""), Column::new("MEANING")]).wrapping();
        for rule in built_in.rules() {
            let need = if rule.required { "needed" } else { "" };
            table.row([rule.name.into(), need.into(), rule.meaning.into()]);
        }
        screen.line(table.render(screen))?;
    }
    Ok(())
}

async fn add(args: AddArgs, place: &Place, screen: &Screen) -> Result<(), Failure> {
    let company = company(place, &args.company).await?;
    let set_type = place.services.store().built_in_type(args.kind.built_in()).await?;
    let param = CreatePropertySetParam {
        type_handle: handle::property_set_type(set_type.id),
        primary_owner_handle: handle::company(company.id),
        secondary_owner_handle: None,
        property_array: args.values.read()?,
        permission_array: Vec::new(),
    };
    let added = place.services.create_property_set(&place.operator().await?, param).await?;
    let preset = find(place, &added.set_handle).await?;
    if args.json {
        return screen.json(&view(&preset));
    }
    let name = screen.paint(Paint::Bold, preset.name());
    screen.line(format!("Added the {} {name} to {}. Jobs name it by its handle:", args.kind.word(), company.name))?;
    screen.line(format!("  {}", preset.set.set_handle))
}

async fn company(place: &Place, name: &str) -> Result<Company, Failure> {
    let found = place.services.companies().await?.into_iter().find(|company| company.name == name);
    found.ok_or_else(|| Failure::new(format!("there is no company named {name}")).hint("see: prepress company list"))
}

async fn presets(place: &Place, wanted: Option<&str>, kind: Option<Kind>) -> Result<Vec<Shown>, Failure> {
    let companies = match wanted {
        Some(name) => vec![company(place, name).await?],
        None => place.services.companies().await?,
    };
    let mut found = Vec::new();
    for company in companies {
        for one in Kind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one)) {
            let sets = of_company(place, company.id, one).await?;
            found.extend(sets.into_iter().map(|set| Shown { kind: one, company: company.clone(), set }));
        }
    }
    Ok(found)
}

async fn of_company(place: &Place, company: CompanyId, kind: Kind) -> Result<Vec<PropertySetInfo>, Failure> {
    let set_type = place.services.store().built_in_type(kind.built_in()).await?;
    let param = GetPropertySetsParam {
        type_handle: handle::property_set_type(set_type.id),
        primary_owner_handle: handle::company(company),
        secondary_owner_handle: None,
    };
    Ok(place.services.get_property_sets(&place.operator().await?, param).await?.set_array)
}

/// The preset with this handle, or the only one with this name.
async fn find(place: &Place, text: &str) -> Result<Shown, Failure> {
    // A bare number is a name: as a handle it would be that of who knows what.
    let id = handle::parse_property_set("the preset", text).ok().filter(|_| text.starts_with("ps|"));
    let id = id.map(handle::property_set);
    let mut found = presets(place, None, None).await?;
    found.retain(|preset| match &id {
        Some(handle) => preset.set.set_handle == *handle,
        None => preset.name() == text,
    });
    match (found.pop(), found.is_empty()) {
        (Some(preset), true) => Ok(preset),
        (Some(_), false) => {
            Err(Failure::new(format!("several presets are named {text}"))
                .hint("say which by its handle, such as ps|12"))
        }
        (None, _) => Err(Failure::new(format!("there is no preset {text}")).hint("see: prepress preset list")),
    }
}

fn show(preset: &Shown, screen: &Screen) -> Result<(), Failure> {
    let Shown { kind, company, set } = preset;
    screen.line(screen.paint(Paint::Bold, preset.name()))?;
    let head = [("handle", &set.set_handle), ("company", &company.name)].map(|(name, text)| (name, text.clone()));
    let values = set.property_array.iter().filter(|property| property.name != property_set::NAME);
    let values = values.map(|property| (property.name.as_str(), property.value.clone()));
    screen.facts(head.into_iter().chain([("kind", kind.word().to_owned())]).chain(values))
}

impl Shown {
    fn name(&self) -> &str {
        let name = self.set.property_array.iter().find(|property| property.name == property_set::NAME);
        name.map_or("", |property| property.value.as_str())
    }
}

fn table(presets: &[Shown]) -> Table {
    let mut table = Table::new([
        Column::new("HANDLE").whole(),
        Column::new("KIND").whole(),
        Column::new("NAME"),
        Column::new("COMPANY"),
        Column::new("PROPERTIES").shown_from(80),
    ]);
    for preset in presets {
        let values = preset.set.property_array.iter().filter(|property| property.name != property_set::NAME);
        let values: Vec<String> =
            values.map(|property| format!("{}={}", property.name, one_line(&property.value))).collect();
        table.row([
            preset.set.set_handle.clone().into(),
            preset.kind.word().into(),
            preset.name().into(),
            preset.company.name.clone().into(),
            values.join(" ").into(),
        ]);
    }
    table
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

fn view(preset: &Shown) -> Json {
    let values = preset.set.property_array.iter();
    let values: Map<String, Json> = values.map(|p| (p.name.clone(), Json::from(p.value.clone()))).collect();
    json!({
        "handle": preset.set.set_handle,
        "kind": preset.kind.word(),
        "type": preset.kind.built_in(),
        "company": {"id": preset.company.id, "name": preset.company.name},
        "name": preset.name(),
        "properties": values,
    })
}
