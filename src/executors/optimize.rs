//! optimizeImagesJob: makes the pyramids and thumbnails that are missing, or were made from another master or in another
//! way than they would be now. Pages are drawn with their documents: those that would be made in another way have a line.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::context::ROUNDS;
use super::pictures::{self, Made, Unmade};
use super::recipe::{self, Recipes};
use super::{Bytes, Context, Executor, Failure, Item, Workshop};
use crate::model::asset::{AssetType, DerivedRole};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::pictures::{PagesOf, PictureState};

pub struct OptimizeImages {
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for OptimizeImages {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let recipes = Recipes::load(context.reads(), context.run.company, &self.workshop).await?;
        let all = context.reads().pictures(context.run.company).await?;
        let done = context.done_items().await?;
        let (fresh, stale): (Vec<PictureState>, Vec<PictureState>) =
            all.into_iter().partition(|one| one.recipe.as_deref() == Some(&recipes.of(&one.making)));
        self.log_fresh(context, fresh.len()).await?;
        self.log_stale_pages(context).await?;
        let to_do: Vec<PictureState> = stale.into_iter().filter(|one| !done.contains_key(&key(one))).collect();
        // Two more for the lines about what is fresh, and about pages.
        context.plan(done.len().max(2) + to_do.len()).await?;
        context.say(Message::new("progress-optimizing"));
        stream::iter(to_do)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|picture| self.optimize(context, &recipes, picture))
            .buffer_unordered(self.workshop.settings.parallel * 2)
            .try_collect::<()>()
            .await?;
        context.checkpoint()
    }
}

fn key(picture: &PictureState) -> String {
    picture.id.to_string()
}

impl OptimizeImages {
    /// As the first attempt found it: later ones would count what the run itself has made.
    async fn log_fresh(&self, context: &Context, count: usize) -> Result<(), Failure> {
        let line = LogLine::new(LogType::JobInfo, Message::new("optimize-fresh").with("count", count));
        let report = ItemReport { lines: vec![line], ..ItemReport::default() };
        context.commit(Item("/fresh".to_owned()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }

    /// A line for each document with such pages, and for each page that nothing can draw again.
    async fn log_stale_pages(&self, context: &Context) -> Result<(), Failure> {
        let current = recipe::by_settings(&self.workshop.settings);
        let pages = context.reads().pages_drawn(context.run.company).await?;
        let mut of_documents: BTreeMap<PagesOf, usize> = BTreeMap::new();
        let mut lines = Vec::new();
        for page in pages.into_iter().filter(|page| page.recipe.as_ref() != Some(&current)) {
            match page.document {
                Some(document) => *of_documents.entry(document).or_default() += 1,
                None => {
                    let message = Message::new("page-stale-alone").with("asset", page.name.clone());
                    let line = LogLine::new(LogType::UploadWarning, message);
                    lines.push(line.about(Some(page.id), page.name, FileType::of_master(AssetType::Image)));
                }
            }
        }
        lines.extend(of_documents.into_iter().map(|(document, count)| {
            let PagesOf { id, name, file_name, in_trash } = document;
            let message = Message::new("pages-stale")
                .with("file", file_name)
                .with("count", count)
                .with("document", if in_trash { "trash" } else { "there" });
            LogLine::new(LogType::UploadWarning, message).about(Some(id), name, FileType::of_master(AssetType::Pdf))
        }));
        let report = ItemReport::of_problems(lines);
        context.commit(Item("/pages".to_owned()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }

    /// Makes it, and makes it again if somebody has given the picture another master, or another crop, meanwhile.
    async fn optimize(&self, context: &Context, recipes: &Recipes, mut picture: PictureState) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let asset = picture.id;
            if !matches!(self.make(context, recipes, picture).await?, Some(Applied::Overtaken(_))) {
                return Ok(());
            }
            context.checkpoint()?;
            let now = context.reads().picture(context.run.company, asset).await?;
            match now.filter(|now| now.recipe.as_deref() != Some(&recipes.of(&now.making))) {
                Some(now) => picture = now,
                // Whoever has replaced or removed it has made what there is to make, and told of it.
                None => {
                    let report = ItemReport::default();
                    context.commit(Item(asset.to_string()), Effect::Nothing, move |_| report).await?;
                    return Ok(());
                }
            }
        }
        let report = failure(&picture, Message::new("reason-asset-changing"));
        context.commit(Item(key(&picture)), Effect::Nothing, move |_| report).await.map(|_| ())
    }

    async fn make(
        &self,
        context: &Context,
        recipes: &Recipes,
        picture: PictureState,
    ) -> Result<Option<Applied>, Failure> {
        let (workshop, progress, asset) = (self.workshop.clone(), context.clone(), picture.clone());
        let recipes = recipes.clone();
        let made = self.workshop.work_on(context, Bytes::of(&picture.blob, &picture.file_name), move |stop| {
            let _working = progress.working_on(&asset.name);
            pictures::remake(&workshop, &recipes, &asset.blob, &asset.file_name, &asset.making, stop)
        });
        let item = Item(key(&picture));
        match made.await {
            Ok(made) => {
                let effect = Effect::Derive {
                    company: context.run.company,
                    asset: picture.id,
                    source_blob: picture.blob.clone(),
                    making: Some(Box::new(picture.making.clone())),
                    derived: made.derived.clone(),
                };
                context.commit(item, effect, move |_| success(&picture, &made)).await
            }
            Err(Unmade::Refused(why)) => {
                let report = failure(&picture, why);
                context.commit(item, Effect::Nothing, move |_| report).await
            }
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }
}

fn success(picture: &PictureState, made: &Made) -> ItemReport {
    let bytes = made.derived.iter().find(|file| file.role == DerivedRole::Pyramid).map_or(0, |file| file.bytes);
    let message = Message::new("optimize-success")
        .with("asset", picture.name.clone())
        .with("width", made.pixels.0)
        .with("height", made.pixels.1)
        .with("bytes", bytes);
    let line = LogLine::new(LogType::ReoptimizeSuccess, message);
    ItemReport {
        result: Value::Null,
        counters: Counters { success: 1, ..Counters::default() },
        lines: vec![line.about(Some(picture.id), picture.name.clone(), FileType::OptimizedImage)],
        ..ItemReport::default()
    }
}

fn failure(picture: &PictureState, why: Message) -> ItemReport {
    let message = Message::new("optimize-failure").with("asset", picture.name.clone()).with("reason", why);
    let line = LogLine::new(LogType::ReoptimizeFailure, message);
    let file_type = FileType::of_master(AssetType::Image);
    ItemReport {
        result: Value::Null,
        counters: Counters { error: 1, ..Counters::default() },
        lines: vec![line.about(Some(picture.id), picture.name.clone(), file_type)],
        ..ItemReport::default()
    }
}
