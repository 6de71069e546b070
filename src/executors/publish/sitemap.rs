//! createVideoSitemapJob: `sitemap.xml` in the tree of published videos (sitemaps.org protocol 0.9 with Google's video
//! extension 1.1).
//!
//! It names each video once: by its adaptive set if that is published, else by its master, else by its largest rendition.
//! The pages that show the videos are not known here, so that an entry is about the address of the video itself. It is
//! written when it would say something new, or when the job wants it in any case (forceUpdate).

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::SecondsFormat;

use super::trees::{Placed, Trees};
use super::{PAGE, video};
use crate::executors::{Context, Executor, Failure, Item, Workshop, reason};
use crate::model::asset::AssetType;
use crate::model::id::AssetId;
use crate::model::job::CreateVideoSitemapJob;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{AssetState, ContextState, Publication};

pub struct VideoSitemap {
    pub order: CreateVideoSitemapJob,
    pub workshop: Workshop,
}

const SITEMAP: &str = "sitemap.xml";

/// Most entries of a site map (sitemaps.org).
const MOST_ENTRIES: usize = 50_000;

/// What durations may be, in seconds, and the longest title in characters (Google's video extension).
const DURATIONS: std::ops::RangeInclusive<u64> = 1..=28_800;
const LONGEST_TITLE: usize = 100;

#[async_trait]
impl Executor for VideoSitemap {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        const ITEM: &str = "sitemap";
        if context.done_items().await?.contains_key(ITEM) {
            return Ok(());
        }
        let settings = &self.workshop.settings;
        let no_address = || Failure::because(Message::new("reason-no-video-root-url"));
        let root = settings.video_root_url.as_deref().ok_or_else(no_address)?.trim_end_matches('/').to_owned();
        let company = context.reads().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let company_root = company.ok_or_else(gone)?.root_path;
        let kind = video::RULE.kind;
        let state = context.reads().context_state(context.run.company, kind, None).await?;
        let none = || Failure::because(Message::new("reason-no-default-context").with("kind", kind.as_str()));
        let (entries, count) = entries(context, &state.ok_or_else(none)?).await?;
        let trees = Trees::of(&settings.publish_root, kind, &company_root)?;
        let text = document(&format!("{root}/{}", video::address(&company_root)), &entries);
        let force = self.order.force_update == Some(true);
        let path = trees.link().join(SITEMAP).display().to_string();
        let mount = self.workshop.mounts.written(trees.folder());
        let outcome = mount.work(move |stop| {
            if !force && trees.has_guest(SITEMAP, &text)? {
                return Ok(Outcome::Unchanged);
            }
            Ok::<_, Failure>(Outcome::Placed(trees.place_guest(SITEMAP, &text, stop)?))
        });
        let report = report(outcome.await??, count, &path);
        context.commit(Item(ITEM.to_owned()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Placed(Placed),
    Unchanged,
}

fn report(outcome: Outcome, count: usize, path: &str) -> ItemReport {
    let message = match outcome {
        Outcome::Placed(Placed::Done | Placed::OverAnother) => {
            Message::new("sitemap-written").with("count", count.min(MOST_ENTRIES)).with("path", path.to_owned())
        }
        Outcome::Unchanged => Message::new("sitemap-unchanged"),
        Outcome::Placed(Placed::NoTree) => Message::new("sitemap-nothing"),
    };
    let mut lines = vec![LogLine::new(LogType::JobInfo, message)];
    let left_out = count.saturating_sub(MOST_ENTRIES);
    if left_out > 0 {
        let message = Message::new("sitemap-too-long").with("limit", MOST_ENTRIES).with("count", left_out);
        lines.push(LogLine::new(LogType::VideoPublishWarning, message));
    }
    let is_other_gone = matches!(outcome, Outcome::Placed(Placed::OverAnother));
    if is_other_gone {
        let message = Message::new("sitemap-overwritten").with("path", path.to_owned());
        lines.push(LogLine::new(LogType::VideoPublishWarning, message));
    }
    let counters = Counters {
        success: i64::from(is_other_gone || matches!(outcome, Outcome::Placed(Placed::Done))),
        warning: i64::from(left_out > 0) + i64::from(is_other_gone),
        ..Counters::default()
    };
    ItemReport { counters, lines, ..ItemReport::default() }
}

/// A video as the site map tells of it.
#[derive(Debug, PartialEq)]
struct Entry {
    title: String,
    /// Path in the tree.
    path: String,
    thumbnail: Option<String>,
    /// Milliseconds.
    duration: Option<u64>,
    published_at: String,
}

/// What is published, in the order of the masters' numbers: as many entries as a site map may have, and how many there are. Of the
/// assets that are published only the numbers are in memory as a whole, and of a page of them all that is known.
async fn entries(context: &Context, state: &ContextState) -> Result<(Vec<Entry>, usize), Failure> {
    let (store, company) = (context.reads(), context.run.company);
    let mut published: Vec<(AssetId, AssetId)> = Vec::new();
    let mut after = AssetId(0);
    loop {
        context.checkpoint()?;
        let page = store.next_published_assets(state.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        published.extend(store.with_masters(company, &page).await?);
    }
    published.sort_unstable();
    let (mut entries, mut count) = (Vec::new(), 0);
    let groups: Vec<&[(AssetId, AssetId)]> = published.chunk_by(|one, other| one.0 == other.0).collect();
    for page in groups.chunks(PAGE) {
        context.checkpoint()?;
        // A title and a length come from the master, whether or not it is published itself.
        let mut assets: Vec<AssetId> = page.iter().flat_map(|group| group.iter().flat_map(|of| [of.0, of.1])).collect();
        assets.sort_unstable();
        assets.dedup();
        let found = store.publish_states(company, state.id, &assets).await?;
        let states: HashMap<AssetId, AssetState> = found.into_iter().map(|asset| (asset.id, asset)).collect();
        let mut rows: BTreeMap<AssetId, Vec<Publication>> = BTreeMap::new();
        for row in store.publications_of(state.id, &assets).await? {
            rows.entry(row.asset).or_default().push(row);
        }
        for group in page {
            let parts: Vec<&AssetState> = group.iter().filter_map(|(_, asset)| states.get(asset)).collect();
            let master = group.first().and_then(|(master, _)| states.get(master));
            let entry = entry(master, &parts, &rows);
            count += usize::from(entry.is_some());
            entries.extend(entry.filter(|_| count <= MOST_ENTRIES));
        }
    }
    Ok((entries, count))
}

/// The entry of a master and what was made of it; None if none of it can be played.
fn entry(
    master: Option<&AssetState>,
    group: &[&AssetState],
    rows: &BTreeMap<AssetId, Vec<Publication>>,
) -> Option<Entry> {
    let rank = |asset: &AssetState| match asset.asset_type {
        AssetType::VideoCaption => None,
        AssetType::Video => Some((0, asset.pixels)),
        AssetType::MasterVideo => Some((1, None)),
        _ => Some((2, None)),
    };
    let best = group.iter().copied().filter(|asset| rank(asset).is_some()).max_by_key(|asset| rank(asset))?;
    // What plays stands at the top of the tree.
    let row = rows.get(&best.id)?.iter().find(|row| !row.file_name.contains('/'))?;
    let thumbnails = rows.get(&master.map_or(best.id, |master| master.id));
    let thumbnail = thumbnails.into_iter().flatten().find(|row| row.file_name.starts_with("thumbnails/"));
    let duration = |asset: &AssetState| asset.video.as_ref().and_then(|video| video.duration);
    let of_members = || best.members.iter().find_map(|member| duration(&member.asset));
    Some(Entry {
        title: master.unwrap_or(best).name.clone(),
        path: row.file_name.clone(),
        thumbnail: thumbnail.map(|row| row.file_name.clone()),
        duration: master.and_then(duration).or_else(|| duration(best)).or_else(of_members),
        published_at: row.published_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

/// `root` is the address of the company's tree.
fn document(root: &str, entries: &[Entry]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" \
         xmlns:video=\"http://www.google.com/schemas/sitemap-video/1.1\">\n",
    );
    for entry in entries {
        let address = escape(&format!("{root}/{}", video::address(&entry.path)));
        let title = escape(&entry.title.chars().take(LONGEST_TITLE).collect::<String>());
        text += &format!("<url><loc>{address}</loc><video:video>");
        if let Some(path) = &entry.thumbnail {
            let thumbnail = escape(&format!("{root}/{}", video::address(path)));
            text += &format!("<video:thumbnail_loc>{thumbnail}</video:thumbnail_loc>");
        }
        text += &format!("<video:title>{title}</video:title><video:description>{title}</video:description>");
        text += &format!("<video:content_loc>{address}</video:content_loc>");
        let seconds = entry.duration.map(|duration| ((duration + 500) / 1000).max(1));
        if let Some(seconds) = seconds.filter(|seconds| DURATIONS.contains(seconds)) {
            text += &format!("<video:duration>{seconds}</video:duration>");
        }
        let date = &entry.published_at;
        text += &format!("<video:publication_date>{date}</video:publication_date></video:video></url>\n");
    }
    text += "</urlset>\n";
    text
}

/// Text of an XML element. Names hold no control characters.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
