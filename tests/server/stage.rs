//! Executors that do what a test asks for: an upload logs that it took in the picture `shoe`, and a job whose name begins
//! with `Held` then goes on until it is stopped or the stage is cleared; one that begins with `Held fast` only until the
//! latter.

use std::sync::Arc;

use async_trait::async_trait;
use prepress::executors::{Context, Executor, Failure, Item, Registry};
use prepress::model::asset::AssetType;
use prepress::model::job::JobSpec;
use prepress::model::log::{FileType, LogLine, LogType, Message};
use prepress::model::outcome::Counters;
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;
use tokio::sync::watch;

/// Lets go of the held jobs when it is told to, or dropped.
pub struct Stage(watch::Sender<bool>);

struct Cast(watch::Receiver<bool>);

struct Part {
    uploads: bool,
    cleared: watch::Receiver<bool>,
}

impl Stage {
    pub fn set() -> (Self, Arc<dyn Registry>) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Arc::new(Cast(receiver)))
    }

    pub fn clear(&self) {
        self.0.send_replace(true);
    }
}

impl Registry for Cast {
    fn executor(&self, spec: &JobSpec) -> Box<dyn Executor> {
        let uploads = matches!(spec, JobSpec::UploadUrls(_) | JobSpec::UploadDirectory(_));
        Box::new(Part { uploads, cleared: self.0.clone() })
    }
}

#[async_trait]
impl Executor for Part {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        context.plan(3).await?;
        if self.uploads {
            take_in_a_shoe(context).await?;
        }
        if context.run.job_name.trim_start().starts_with("Held") {
            self.hold(context).await?;
        }
        context.checkpoint()
    }
}

impl Part {
    async fn hold(&self, context: &Context) -> Result<(), Failure> {
        let working = context.working_on("boot.jpg");
        working.at(0.5);
        context.say(Message::new("progress-uploading"));
        let mut cleared = self.cleared.clone();
        let heeds = !context.run.job_name.trim_start().starts_with("Held fast");
        tokio::select! {
            () = context.stop_token().cancelled(), if heeds => Err(Failure::Interrupted),
            _ = cleared.wait_for(|cleared| *cleared) => Ok(()),
        }
    }
}

async fn take_in_a_shoe(context: &Context) -> Result<(), Failure> {
    let shoe = context.reads().asset_named(context.run.company, "shoe").await?;
    let words = Message::new("upload-success").with("file", "Acme/shoe.jpg").with("type", "Image").with("bytes", 1000);
    let line = LogLine::new(LogType::UploadSuccess, words).about(
        shoe.map(|shoe| shoe.id),
        "shoe",
        FileType::of_master(AssetType::Image),
    );
    let counters = Counters { success: 1, ..Counters::default() };
    let report = move |_: &_| ItemReport { counters, lines: vec![line], ..ItemReport::default() };
    context.commit(Item("shoe.jpg".to_owned()), Effect::Nothing, report).await?;
    Ok(())
}
