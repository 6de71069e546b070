//! Sets by scripts: automatedSetGenerationJob, and what autoSetCreationOptions adds to uploads and reprocessing.
//!
//! Each set is an item. A script is read when it is run: what it said when the job was submitted is past.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Context, Executor, Failure, Item, Workshop, options, reason};
use crate::model::arrangement::{LeftOut, MOST_MEMBERS, Why, natural};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::{AutoSetCreationOptions, AutomatedSetGenerationJob};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::name::clean_folder;
use crate::model::outcome::Counters;
use crate::model::property_set::{BuiltIn, NoSet, SetScript};
use crate::store::assets::growth::{Became, Grown, Growth, SetMarks};
use crate::store::assets::marking::Marking;
use crate::store::candidates::Candidate;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// automatedSetGenerationJob.
pub struct SetGeneration {
    pub order: AutomatedSetGenerationJob,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for SetGeneration {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        context.say(Message::new("progress-sets"));
        let assets = self.assets()?;
        let dest_folder = self.order.dest_folder.as_deref().map(str::trim).filter(|folder| !folder.is_empty());
        let generation = Generation {
            workshop: self.workshop.clone(),
            place: Place::Folder(dest_folder.map(str::to_owned)),
            // What it does not ask to mark it leaves alone.
            marking: Marking { ready: self.order.ready_for_publish.then_some(true), preserve: Some(false) },
            counts_sets: true,
        };
        let mut problems = unusable(context, &assets).await?;
        problems.extend(options::lines(LogType::UploadWarning, options::without_effect(&context.run.spec)));
        generation.run(context, &self.order.auto_set_creation_options, assets, problems).await?;
        context.checkpoint()
    }
}

impl SetGeneration {
    /// Each asset once.
    fn assets(&self) -> Result<Vec<AssetId>, Failure> {
        let handles = self.order.asset_handle_array.iter();
        let assets = handles.map(|text| handle::parse_asset("assetHandleArray", text));
        let mut assets = assets.collect::<Result<Vec<_>, _>>().map_err(|e| Failure::because(reason::other(e)))?;
        let mut seen = HashSet::new();
        assets.retain(|asset| seen.insert(*asset));
        Ok(assets)
    }
}

/// Assets that are asked for and can join no set.
async fn unusable(context: &Context, assets: &[AssetId]) -> Result<Vec<LogLine>, Failure> {
    let found = context.reads().set_candidates(context.run.company, assets, false).await?;
    let found: HashSet<AssetId> = found.iter().map(|candidate| candidate.id).collect();
    let left: Vec<AssetId> = assets.iter().copied().filter(|asset| !found.contains(asset)).collect();
    let known = context.reads().assets_numbered(context.run.company, &left).await?;
    let line = |asset: &AssetId| match known.iter().find(|known| known.id == *asset && !known.is_given_up) {
        None => not_made(&asset.to_string(), Message::new("reason-asset-unknown")),
        Some(known) if known.in_trash => not_made(&known.name, Message::new("reason-asset-in-trash")),
        Some(known) => {
            let message = Message::new("reason-not-for-type").with("type", known.master.asset_type.as_str());
            not_made(&known.name, message)
        }
    };
    Ok(left.iter().map(line).collect())
}

/// A job that makes assets, and then sets of those it has made.
pub struct ThenSets {
    pub first: Box<dyn Executor>,
    pub scripts: AutoSetCreationOptions,
    pub marking: Marking,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for ThenSets {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        self.first.run(context).await?;
        context.say(Message::new("progress-sets"));
        let assets = context.reads().assets_filed(context.run.fence.instance).await?;
        let generation = Generation {
            workshop: self.workshop.clone(),
            place: Place::BesideFirst,
            marking: self.marking,
            counts_sets: false,
        };
        generation.run(context, &self.scripts, assets, Vec::new()).await?;
        context.checkpoint()
    }
}

/// Where sets are made for which neither the job nor the script names a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The folder of the job, which comes before that of the script, or the root.
    Folder(Option<String>),
    /// The folder of the member whose name comes first.
    BesideFirst,
}

struct Generation {
    workshop: Workshop,
    place: Place,
    marking: Marking,
    /// Whether sets are counted: the counters of an upload are about files.
    counts_sets: bool,
}

/// What a script makes of the names it was given.
struct Plan {
    script: Arc<SetScript>,
    sets: BTreeMap<String, Vec<Candidate>>,
    /// Assets that it is meant for and that belong to no set.
    problems: Vec<(String, Message)>,
}

impl Generation {
    async fn run(
        &self,
        context: &Context,
        scripts: &AutoSetCreationOptions,
        assets: Vec<AssetId>,
        mut problems: Vec<LogLine>,
    ) -> Result<(), Failure> {
        let company = context.reads().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let root = company.ok_or_else(gone)?.root_path;
        let (scripts, lines) = self.scripts(context, scripts).await?;
        problems.extend(lines);
        let candidates = context.reads().set_candidates(context.run.company, &assets, true).await?;
        let plans = self.plans(scripts, candidates).await?;
        for plan in &plans {
            problems.extend(plan.problems.iter().map(|(name, why)| not_made(name, why.clone())));
        }
        let done = context.done_items().await?;
        let told = tell(context, &done, problems).await?;
        let sets: usize = plans.iter().map(|plan| plan.sets.len()).sum();
        let before = done.keys().filter(|key| !key.starts_with("/set")).count();
        context.plan(before + sets + told).await?;
        for plan in plans {
            for (name, members) in plan.sets {
                context.checkpoint()?;
                let _working = context.working_on(&name);
                let folder = self.folder(&root, &plan.script, &members)?;
                self.make(context, &plan.script, name, folder, members).await?;
            }
        }
        Ok(())
    }

    /// The scripts that can be run, and lines about those that cannot.
    async fn scripts(
        &self,
        context: &Context,
        options: &AutoSetCreationOptions,
    ) -> Result<(Vec<Arc<SetScript>>, Vec<LogLine>), Failure> {
        let (mut scripts, mut lines, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for text in &options.auto_sets_array {
            let id = handle::parse_property_set("autoSetsArray", text);
            let id = id.map_err(|e| Failure::because(reason::other(e)))?;
            if !seen.insert(id) {
                continue;
            }
            let set = context.reads().built_in_set(context.run.company, id, BuiltIn::SetScript).await?;
            match set.map(|set| SetScript::read(&set.properties)) {
                Some(Ok(script)) => scripts.push(Arc::new(script)),
                Some(Err(invalid)) => lines.push(not_made(text, reason::other(invalid))),
                None => lines.push(not_made(text, Message::new("reason-script-gone"))),
            }
        }
        Ok((scripts, lines))
    }

    /// Matches names, on a thread that may take its time.
    async fn plans(&self, scripts: Vec<Arc<SetScript>>, candidates: Vec<Candidate>) -> Result<Vec<Plan>, Failure> {
        let plan = self.workshop.work(move |abandoned| {
            let mut plans = Vec::new();
            for script in scripts {
                let mut plan = Plan { script, sets: BTreeMap::new(), problems: Vec::new() };
                for candidate in &candidates {
                    if abandoned() {
                        return Err(Failure::Interrupted);
                    }
                    plan.take(candidate);
                }
                plans.push(plan);
            }
            Ok(plans)
        });
        plan.await?
    }

    fn folder(&self, root: &str, script: &SetScript, members: &[Candidate]) -> Result<String, Failure> {
        let ordered = match &self.place {
            Place::Folder(job) => job.as_deref().or(script.folder.as_deref()).unwrap_or_default(),
            Place::BesideFirst => match &script.folder {
                Some(folder) => folder,
                None => {
                    let by_name =
                        |one: &&Candidate, other: &&Candidate| -> Ordering { natural(&one.name, &other.name) };
                    return Ok(members.iter().min_by(by_name).map(|first| first.folder.clone()).unwrap_or_default());
                }
            },
        };
        clean_folder("destFolder", handle::strip_root(root, ordered)).map_err(|e| Failure::because(reason::other(e)))
    }

    async fn make(
        &self,
        context: &Context,
        script: &Arc<SetScript>,
        name: String,
        folder: String,
        members: Vec<Candidate>,
    ) -> Result<(), Failure> {
        let growth = Growth {
            company: context.run.company,
            name: name.clone(),
            folder,
            script: script.clone(),
            assets: members.iter().map(|candidate| candidate.id).collect(),
            marking: self.marking,
            by: context.run.responsible,
            at: context.clock.now(),
        };
        let told = Told { name, set_type: script.kind.asset_type(), counts_sets: self.counts_sets };
        let item = Item(format!("/set {}\n{}", script.name, told.name));
        context.commit(item, Effect::Grow(Box::new(growth)), move |applied| told.report(applied)).await?;
        Ok(())
    }
}

impl Plan {
    fn take(&mut self, candidate: &Candidate) {
        if candidate.is_derived && !self.script.include_derived {
            return;
        }
        match self.script.set_of(&candidate.name) {
            None => {}
            Some(Ok(set)) => self.sets.entry(set).or_default().push(candidate.clone()),
            Some(Err(NoSet::NoBaseName)) => {
                let why = Message::new("reason-no-base-name").with("script", self.script.name.clone());
                self.problems.push((candidate.name.clone(), why));
            }
            Some(Err(NoSet::BadName(invalid))) => self.problems.push((candidate.name.clone(), reason::other(invalid))),
        }
    }
}

/// What the log says of a set.
struct Told {
    name: String,
    set_type: AssetType,
    counts_sets: bool,
}

impl Told {
    fn report(self, applied: &Applied) -> ItemReport {
        let Applied::Grown(grown) = applied else { return ItemReport::default() };
        let mut counters = Counters::default();
        let mut lines = Vec::new();
        match grown {
            Grown::Set { became, members, left_out, marks, .. } => {
                let (name, count) = (self.name.clone(), *members);
                let (log_type, message) = match became {
                    Became::New => {
                        let message = Message::new("set-created").with("name", name).with("count", count);
                        (LogType::AutomatedSetGenerationSuccess, message)
                    }
                    Became::Changed => {
                        let message = Message::new("set-updated").with("name", name).with("count", count);
                        (LogType::AutomatedSetGenerationSuccess, message)
                    }
                    Became::Same => {
                        (LogType::JobInfo, Message::new("set-unchanged").with("name", name).with("count", count))
                    }
                };
                counters.success = i64::from(self.counts_sets && *became == Became::New);
                counters.update = i64::from(self.counts_sets && *became == Became::Changed);
                lines.push(self.line(log_type, message));
                lines.extend(self.marks(*marks).map(|message| self.line(LogType::JobInfo, message)));
                lines.extend(left_out.iter().map(|left| self.left_out(left)));
            }
            Grown::Empty(left_out) => {
                lines.extend(left_out.iter().map(|left| self.left_out(left)));
            }
            Grown::NameTaken => lines.push(not_made(&self.name, Message::new("reason-set-name-taken"))),
            Grown::InTrash => lines.push(not_made(&self.name, Message::new("reason-asset-in-trash"))),
        }
        counters.error =
            lines.iter().filter(|line| line.log_type == LogType::AutomatedSetGenerationError).count() as i64;
        ItemReport { counters, lines, ..ItemReport::default() }
    }

    fn line(&self, log_type: LogType, message: Message) -> LogLine {
        LogLine::new(log_type, message).about(None, self.name.clone(), FileType::of_master(self.set_type))
    }

    fn marks(&self, marks: SetMarks) -> Option<Message> {
        let message = |code| Message::new(code).with("name", self.name.clone());
        match marks {
            SetMarks::AsBefore => None,
            SetMarks::Kept => Some(message("set-marks-kept")),
            SetMarks::Marked(count) => Some(message("set-marked").with("count", count)),
            SetMarks::Unmarked => Some(message("set-unmarked")),
        }
    }

    fn left_out(&self, left: &LeftOut) -> LogLine {
        let why = match &left.why {
            Why::NoRow => Message::new("reason-no-row"),
            Why::NoColumn => Message::new("reason-no-column"),
            Why::Taken { row, column, by } => {
                Message::new("reason-cell-taken").with("row", *row).with("column", *column).with("asset", by.clone())
            }
            Why::TooMany => Message::new("reason-set-full").with("limit", MOST_MEMBERS),
        };
        let message = Message::new("set-left-out")
            .with("asset", left.name.clone())
            .with("name", self.name.clone())
            .with("reason", why);
        self.line(LogType::AutomatedSetGenerationError, message)
    }
}

/// What the keys of items with problems begin with. A later attempt may find others: a script that was deleted since, or an asset.
const PROBLEMS: &str = "/sets";

/// Commits those lines that no attempt before has told; gives how many items they are in by now.
async fn tell(context: &Context, done: &HashMap<String, Value>, problems: Vec<LogLine>) -> Result<usize, Failure> {
    let earlier: Vec<&Value> =
        done.iter().filter(|(key, _)| key.starts_with(PROBLEMS)).map(|(_, result)| result).collect();
    let told: HashSet<&str> =
        earlier.iter().flat_map(|result| result.as_array()).flatten().filter_map(Value::as_str).collect();
    let problems: Vec<LogLine> =
        problems.into_iter().filter(|line| !told.contains(fingerprint(line).as_str())).collect();
    if problems.is_empty() {
        return Ok(earlier.len());
    }
    let key = match earlier.len() {
        0 => PROBLEMS.to_owned(),
        attempts => format!("{PROBLEMS} {attempts}"),
    };
    let result = json!(problems.iter().map(fingerprint).collect::<Vec<_>>());
    let report = ItemReport { result, ..ItemReport::of_problems(problems) };
    context.commit(Item(key), Effect::Nothing, move |_| report).await?;
    Ok(earlier.len() + 1)
}

/// What tells a line from others.
fn fingerprint(line: &LogLine) -> String {
    let Message { code, params } = &line.message;
    json!([code, params]).to_string()
}

fn not_made(name: &str, why: Message) -> LogLine {
    let message = Message::new("set-error").with("name", name).with("reason", why);
    LogLine::new(LogType::AutomatedSetGenerationError, message).about(None, name, FileType::NoType)
}
