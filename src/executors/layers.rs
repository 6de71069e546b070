//! The layers of Photoshop files, which become assets, and the template that puts them together again.
//!
//! | item | what it commits |
//! |---|---|
//! | `keys` | what each layer is known by ([`keys`]), which the layers that are made since would answer otherwise, and how many items follow |
//! | `layer:7` | the layer that Photoshop knows as 7: its asset, its pyramid and thumbnail, its words |
//! | `layers` | layers that the file no longer has go to the trash |
//! | `template` | the template of the layers, or none |
//! | `end` | nothing more: a later attempt need not look at the file |
//!
//! The master of a layer is the file: layers can be made from it again at any time, and cost no file of their own.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::ROUNDS;
use super::layer_keys::{LayerKey, Shown, keys};
use super::pictures::{self, Made, Source, Unmade};
use super::process::{self, Parent, Processing};
use super::{Bytes, Context, Failure, Workshop, reason};
use crate::media::child::borrowed;
use crate::media::errand::ReadLayers;
use crate::media::{Layer, Layers};
use crate::model::asset::{AssetType, LayerFacts, PictureFacts};
use crate::model::id::AssetId;
use crate::model::job::{Anchor, LayerNaming, PhotoshopLayerOptions, PhotoshopProcess, ProcessingOptions};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::making::{Crop, LayerShown, Making, kept_crop};
use crate::model::name::{self, FileName};
use crate::model::outcome::Counters;
use crate::store::assets::ingest::Master;
use crate::store::assets::pages::{Area, PageText, PageWord};
use crate::store::assets::parts::Part;
use crate::store::assets::sets::{Member, NewSet};
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// Items beside those of layers: `keys`, `layers`, `template` and `end`.
const ITEMS_BESIDE: u32 = 4;

/// Folders for groups in groups: as many levels as IPS shows.
const DEEPEST_FOLDER: usize = 5;

/// The item of what the layers are known by.
const KEYS: &str = "keys";

/// What the options ask of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    naming: LayerNaming,
    anchor: Anchor,
    template: bool,
    text: bool,
    extended: bool,
}

impl Plan {
    /// Layers are made only where an order says so.
    fn of(options: &ProcessingOptions) -> Option<Self> {
        let asked = options.photoshop_options?;
        let PhotoshopLayerOptions { layer_naming, anchor, create_template, extract_text, extend_layers } =
            asked.layer_options.unwrap_or_default();
        (asked.process == Some(PhotoshopProcess::MaintainLayers)).then(|| Self {
            naming: layer_naming.unwrap_or(LayerNaming::AppendName),
            anchor: anchor.unwrap_or(Anchor::Center),
            template: create_template.unwrap_or(false),
            text: extract_text.unwrap_or(false),
            extended: extend_layers.unwrap_or(false),
        })
    }
}

/// What the keys of the parts begin with that the options have made of a Photoshop file.
pub fn prefixes(options: &ProcessingOptions) -> &'static [&'static str] {
    if Plan::of(options).is_some() { &["layer:", "template"] } else { &[] }
}

/// How layers are made, as far as the options say.
pub fn recipe(options: &ProcessingOptions) -> String {
    Plan::of(options).map_or_else(String::new, |plan| {
        let Plan { naming: _, anchor, template: _, text, extended } = plan;
        let made = json!(Making::asked(options, None));
        format!("anchor {}, text {text}, extended {extended}, {made}", anchor.as_str())
    })
}

/// Makes what the options ask of a Photoshop file that has been filed.
pub async fn make_layers(
    context: &Context,
    workshop: &Workshop,
    parent: &Parent,
    processing: &Processing,
) -> Result<(), Failure> {
    let Some(plan) = Plan::of(&processing.options) else { return Ok(()) };
    let done = parent.done(context).await?;
    if process::is_over(&done) {
        return Ok(());
    }
    let work = Work { context, workshop, parent, processing, plan };
    match work.make(&done).await {
        Ok(ControlFlow::Continue(lines)) => work.end(lines).await,
        Ok(ControlFlow::Break(())) => Ok(()),
        Err(Unmade::Refused(why)) => {
            let keeps = context.reads().has_parts(context.run.company, parent.asset).await?;
            let code = if keeps { "layers-failed-kept" } else { "layers-failed" };
            let message = work.message(code).with("reason", why);
            work.end(vec![parent.line(LogType::UploadError, message)]).await
        }
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

struct Work<'a> {
    context: &'a Context,
    workshop: &'a Workshop,
    parent: &'a Parent,
    processing: &'a Processing,
    plan: Plan,
}

/// A layer whose files are in the store.
struct Drawn {
    made: Made,
    making: Making,
    /// The crop that was set on the layer that is there.
    built_on: Option<Crop>,
    /// It is drawn whole, as it may be another one.
    gives_up_crop: bool,
}

/// The assets of layers by their keys; none where one could not be made.
type Assets = HashMap<String, Option<AssetId>>;

impl Work<'_> {
    /// Gives what the log is to say at the end, or breaks off where nothing more is made of the file.
    async fn make(&self, done: &BTreeMap<String, Value>) -> Result<ControlFlow<(), Vec<LogLine>>, Unmade> {
        let found = self.read().await?;
        let keys = match noted_keys(done) {
            Some(keys) if keys.len() == found.layers.len() => keys,
            _ => match self.commit_keys(&found).await? {
                ControlFlow::Continue(keys) => keys,
                ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
            },
        };
        let mut assets = assets_of(done);
        let has_pixels = |at: &usize| found.layers[*at].frame.is_some();
        let shown: Vec<usize> = (0..keys.len()).filter(has_pixels).collect();
        let shown_keys: Vec<String> = shown.iter().map(|at| keys[*at].key.clone()).collect();
        let missing: Vec<usize> = shown.iter().copied().filter(|at| !assets.contains_key(&keys[*at].key)).collect();
        let (layers, all_keys) = (&found.layers, &keys);
        let mut drawn = stream::iter(missing)
            .take_while(|_| std::future::ready(!self.context.stop_token().is_cancelled()))
            .map(|at| async move { (at, self.draw(&all_keys[at], &layers[at]).await) })
            .buffered(self.workshop.settings.parallel);
        while let Some((at, outcome)) = drawn.next().await {
            let (key, layer) = (&keys[at], &layers[at]);
            match self.give(key, layer, outcome, &found).await? {
                ControlFlow::Continue(asset) => assets.insert(key.key.clone(), asset),
                ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
            };
        }
        self.context.checkpoint()?;
        let members = shown.iter().filter_map(|at| assets.get(&keys[*at].key).copied().flatten()).collect();
        // A layer that could not be drawn is still one of the file's.
        let ended = self.commit_end_of_layers(shown_keys).await?;
        if process::unless_passed(&ended).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let ended = self.commit_template(members, &found).await?;
        Ok(process::unless_passed(&ended).map_continue(|()| self.remarks(&found)))
    }

    /// What the layers are known by, noted before the first of them is made.
    async fn commit_keys(&self, found: &Layers) -> Result<ControlFlow<(), Vec<LayerKey>>, Failure> {
        let known = self.context.reads().known_layers(self.context.run.company, self.parent.asset).await?;
        let shown = |layer: &Layer| Shown { number: layer.number, id: layer.id, facts: self.facts(layer, found) };
        let keys = keys(&found.layers.iter().map(shown).collect::<Vec<_>>(), &known);
        let shown = found.layers.iter().filter(|layer| layer.frame.is_some()).count();
        let more_items = u32::try_from(shown).unwrap_or(u32::MAX).saturating_add(ITEMS_BESIDE);
        let report = ItemReport { result: json!(keys), more_items, ..ItemReport::default() };
        let noted = self.parent.commit(self.context, KEYS, self.parent.begin(self.context), move |_| report).await?;
        Ok(process::unless_passed(&noted).map_continue(|()| keys))
    }

    fn message(&self, code: &'static str) -> Message {
        Message::new(code).with("file", self.parent.file_name.clone())
    }

    async fn read(&self) -> Result<Layers, Unmade> {
        let (workshop, blob) = (self.workshop.clone(), self.parent.blob.clone());
        let Parent { blob: content, file_name, format, .. } = self.parent;
        let format = *format;
        let bytes = Bytes::of(content, file_name).step("layers");
        let read = self.workshop.work_on(self.context, bytes, move |stop| {
            workshop.blobs.verify(&blob, stop)?;
            let file = workshop.blobs.read(&blob)?;
            let found = workshop.crew.send(ReadLayers { format }, &borrowed([&file]), stop)?;
            let (count, most) = (found.layers.len(), workshop.settings.media.max_pages);
            if count > most as usize {
                let why = Message::new("reason-too-many-layers").with("layers", count).with("limit", most);
                return Err(Unmade::Refused(why));
            }
            Ok(found)
        });
        read.await
    }

    /// Colours and sharpening are for layers as for the picture; crops, masks and the knockout are about the whole. The crop that
    /// was set on a layer itself is kept as that of any asset.
    fn making(&self, layer: &Layer, set: Option<Crop>) -> Making {
        let options = &self.processing.options;
        let Making { colors, unsharp, .. } = Making::asked(options, None);
        let shown = LayerShown { number: layer.number, extended: self.plan.extended };
        Making { layer: Some(shown), colors, unsharp, crop: kept_crop(options, set), ..Making::default() }
    }

    /// Gives a layer that was drawn, and draws it again if somebody has set another crop on it meanwhile; or breaks off where
    /// nothing more is made of the file.
    async fn give(
        &self,
        key: &LayerKey,
        layer: &Layer,
        mut drawn: Result<Drawn, Unmade>,
        found: &Layers,
    ) -> Result<ControlFlow<(), Option<AssetId>>, Unmade> {
        for _ in 0..ROUNDS {
            let applied = match drawn {
                Ok(drawn) => self.commit_layer(&key.key, layer, drawn, found).await?,
                Err(Unmade::Refused(why)) => {
                    return Ok(ControlFlow::Continue(self.commit_failure(&key.key, layer, why).await?));
                }
                Err(failed) => return Err(failed),
            };
            if !matches!(applied, Some(Applied::Overtaken(_))) {
                return Ok(process::filed_unless_passed(&applied));
            }
            drawn = self.draw(key, layer).await;
        }
        let why = Message::new(reason::CHANGED_MEANWHILE);
        Ok(ControlFlow::Continue(self.commit_failure(&key.key, layer, why).await?))
    }

    async fn draw(&self, key: &LayerKey, layer: &Layer) -> Result<Drawn, Unmade> {
        let (workshop, recipes) = (self.workshop.clone(), self.processing.recipes.clone());
        let built_on = self.context.reads().crop_before(self.context.run.company, self.parent.asset, &key.key).await;
        let built_on = built_on.map_err(Failure::from)?;
        // It may be another one than the crop was set on.
        let gives_up_crop = !key.is_certain && kept_crop(&self.processing.options, built_on).is_some();
        let making = self.making(layer, built_on.filter(|_| key.is_certain));
        let (blob, format) = (self.parent.blob.clone(), self.parent.format);
        let own = making.clone();
        let working = self.context.working_on(self.parent.file_name.clone());
        let Parent { blob: content, file_name, .. } = self.parent;
        let step = format!("layer {}", layer.number);
        let bytes = Bytes::of(content, file_name).step(&step);
        let made = self.workshop.work_on(self.context, bytes, move |stop| {
            let _working = working;
            pictures::make(&workshop, &recipes, Source { blob: &blob, format }, &making, stop)
        });
        Ok(Drawn { made: made.await?, making: own, built_on, gives_up_crop })
    }

    async fn commit_layer(
        &self,
        key: &str,
        layer: &Layer,
        drawn: Drawn,
        found: &Layers,
    ) -> Result<Option<Applied>, Failure> {
        let part = self.part(key, layer, &drawn, found);
        let Drawn { made, gives_up_crop, .. } = drawn;
        let (company, planned) = (part.company, part.folder.as_deref());
        let FileName { stem: wanted, extension, .. } = part.name.clone();
        let folder = self.context.reads().folder_of_part(company, part.origin.order.parent, key, planned).await?;
        let text = self.words(layer, &made);
        let Made { derived, notes, .. } = made;
        let effect = Effect::Page { part: Box::new(part), derived, text: Box::new(text) };
        let (file, shown) = (self.parent.file_name.clone(), shown(layer));
        let report = move |applied: &Applied| {
            let Applied::Filed(filed) = applied else { return ItemReport::default() };
            let message = |code| Message::new(code).with("file", file.clone()).with("layer", shown.clone());
            let numbered = process::numbered(&format!("{wanted}.{extension}"), &wanted, filed);
            let name = FileName { stem: filed.name().to_owned(), extension, changed: false };
            let processed = Message::new("layer-processed")
                .with("file", format!("{folder}{}", name.with_extension()))
                .with("layer", behind_the_path(&shown));
            let notes = notes.iter().map(|note| message("layer-note").with("reason", reason::other(note)));
            let given_up = gives_up_crop.then(|| message("layer-crop-given-up"));
            process::report_of_part(filed, processed, notes.chain(given_up).chain(numbered).collect())
        };
        self.parent.commit(self.context, key, effect, report).await
    }

    async fn commit_failure(&self, key: &str, layer: &Layer, why: Message) -> Result<Option<AssetId>, Failure> {
        let kept = self.parent.part(self.context, key).await?;
        let code = if kept.is_some() { "layer-failed-kept" } else { "layer-failed" };
        let message = self.message(code).with("layer", shown(layer)).with("reason", why);
        let report = ItemReport {
            result: json!({ "asset": kept }),
            counters: Counters { error: 1, part_error: 1, ..Counters::default() },
            lines: vec![self.parent.line(LogType::UploadError, message)],
            ..ItemReport::default()
        };
        self.parent.commit(self.context, key, Effect::Nothing, move |_| report).await?;
        Ok(kept)
    }

    fn part(&self, key: &str, layer: &Layer, drawn: &Drawn, found: &Layers) -> Part {
        let Drawn { made, making, built_on, .. } = drawn;
        let facts = LayerFacts { cut: made.cut, ..self.facts(layer, found) };
        Part {
            company: self.context.run.company,
            origin: self.parent.origin(self.context, key),
            name: self.name(layer),
            folder: (self.plan.naming == LayerNaming::Folders).then(|| self.folder(layer)),
            master: Master {
                asset_type: AssetType::Image,
                blob: self.parent.blob.clone(),
                bytes: self.parent.bytes,
                pixels: Some(made.pixels),
                facts: PictureFacts { layer: Some(Box::new(facts)), ..pictures::facts(&made.picture) },
                making: making.clone(),
            },
            built_on: *built_on,
            marking: self.processing.marking,
            by: self.context.run.responsible,
            at: self.context.clock.now(),
        }
    }

    /// The number of a layer stands for a name that Photoshop has given it.
    fn name(&self, layer: &Layer) -> FileName {
        let Parent { name: file, file_name, .. } = self.parent;
        let extension = file_name.rsplit_once('.').map_or("psd", |(_, extension)| extension);
        let own = if is_default(&layer.name) { layer.number.to_string() } else { layer.name.clone() };
        let stem = match self.plan.naming {
            LayerNaming::LayerName | LayerNaming::Folders => own,
            LayerNaming::AppendNumber => format!("{file}_{}", layer.number),
            LayerNaming::AppendName => format!("{file}_{own}"),
        };
        let numbered =
            || FileName { stem: format!("{file}_{}", layer.number), extension: extension.to_owned(), changed: true };
        // A name of which nothing is left, or too much.
        FileName::clean("layer", &format!("{stem}.{extension}")).unwrap_or_else(|_| numbered())
    }

    /// A folder called as the file, beside it, with folders for its groups.
    fn folder(&self, layer: &Layer) -> String {
        let own = format!("{}/{}", self.parent.folder, self.parent.name);
        let groups = layer.groups.iter().take(DEEPEST_FOLDER);
        let parts =
            groups.filter_map(|group| FileName::clean("group", &format!("{group}.x")).ok()).map(|name| name.stem);
        let below = parts.fold(own.clone(), |path, part| format!("{path}/{part}"));
        name::clean_folder("folder", &below).or_else(|_| name::clean_folder("folder", &own)).unwrap_or_default()
    }

    fn facts(&self, layer: &Layer, found: &Layers) -> LayerFacts {
        let own = layer.frame.unwrap_or_default();
        let (left, top, width, height) = if self.plan.extended {
            (0, 0, found.width, found.height)
        } else {
            (own.left, own.top, own.width, own.height)
        };
        LayerFacts {
            left,
            top,
            width,
            height,
            anchor: self.plan.anchor,
            opacity: ((u32::from(layer.opacity) * 100 + 127) / 255) as u8,
            blend_mode: layer.blend.name().to_owned(),
            is_hidden: layer.is_hidden,
            is_clipped: layer.is_clipped,
            groups: layer.groups.clone(),
            text: layer.text.clone().filter(|_| self.plan.text),
            name: Some(layer.name.clone()),
            cut: (0, 0),
            own: Some((own.left, own.top, own.width, own.height)),
            id: layer.id,
        }
    }

    /// A layer does not say where each word stands: all of them stand where the layer is.
    fn words(&self, layer: &Layer, made: &Made) -> PageText {
        let area = Area { x: 0, y: 0, width: made.pixels.0, height: made.pixels.1 };
        let text = layer.text.as_deref().filter(|_| self.plan.text).unwrap_or_default();
        let word = |word: &str| PageWord { word: word.to_owned(), area };
        PageText { words: text.split_whitespace().map(word).collect(), links: Vec::new() }
    }

    async fn commit_end_of_layers(&self, keys: Vec<String>) -> Result<Option<Applied>, Failure> {
        let effect = self.parent.keep(self.context, "layer:", keys);
        let parent = self.parent.clone();
        let report = move |applied: &Applied| process::report_of_parts(&parent, applied);
        self.parent.commit(self.context, "layers", effect, report).await
    }

    async fn commit_template(&self, layers: Vec<AssetId>, found: &Layers) -> Result<Option<Applied>, Failure> {
        const KEY: &str = "template";
        let (company, parent) = (self.context.run.company, self.parent.asset);
        let count = layers.len();
        let wanted = format!("{}-template", self.parent.name);
        let effect = if self.plan.template && count > 0 {
            Effect::Set(Box::new(NewSet {
                company,
                folder: self.parent.folder.clone(),
                name: wanted.clone(),
                set_type: AssetType::Template,
                made_from: Some(self.parent.origin(self.context, KEY)),
                pixels: Some((found.width, found.height)),
                members: layers.into_iter().map(Member::of).collect(),
                marking: self.processing.marking,
                by: self.context.run.responsible,
                at: self.context.clock.now(),
            }))
        } else {
            self.parent.without_set(self.context, KEY)
        };
        let folder = self.context.reads().folder_of_part(company, parent, KEY, None).await?;
        let parent = self.parent.clone();
        let report = move |applied: &Applied| {
            let Applied::Gathered(gathered) = applied else { return process::report_of_parts(&parent, applied) };
            let path = format!("{folder}{}", gathered.filed.name());
            let message = Message::new("template-processed").with("file", path).with("layers", gathered.members);
            let line = LogLine::new(LogType::UploadSuccess, message);
            process::lines_of_set(&wanted, line, gathered, FileType::Template)
        };
        self.parent.commit(self.context, KEY, effect, report).await
    }

    /// What is not made of the layers, in a line.
    fn remarks(&self, found: &Layers) -> Vec<LogLine> {
        let bare = found.layers.iter().filter(|layer| layer.frame.is_none()).count();
        let message = match (found.layers.len(), bare) {
            (0, _) => Some(self.message("layers-none")),
            (_, 0) => None,
            (_, count) => Some(self.message("layers-without-pixels").with("layers", count)),
        };
        message.map(|message| self.parent.line(LogType::UploadWarning, message)).into_iter().collect()
    }

    async fn end(&self, lines: Vec<LogLine>) -> Result<(), Failure> {
        let report = ItemReport::of_problems_of_parts(lines);
        self.parent.end(self.context, report).await
    }
}

/// Background, Layer 1, Layer 2: what Photoshop calls a layer that nobody has named.
fn is_default(name: &str) -> bool {
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    matches!(name.trim(), "" | "Background") || name.trim().strip_prefix("Layer ").is_some_and(number)
}

fn shown(layer: &Layer) -> String {
    if layer.name.trim().is_empty() { layer.number.to_string() } else { layer.name.clone() }
}

/// A name as it may stand behind the words "was processed", before the last of which clients find the path.
fn behind_the_path(name: &str) -> String {
    name.replace("was processed", "was\u{a0}processed")
}

/// What an earlier attempt knew the layers by, before it made the first.
fn noted_keys(done: &BTreeMap<String, Value>) -> Option<Vec<LayerKey>> {
    done.get(KEYS).and_then(|keys| Vec::deserialize(keys).ok())
}

/// Layers of earlier attempts, with their assets.
fn assets_of(done: &BTreeMap<String, Value>) -> Assets {
    let layers = done.iter().filter(|(key, _)| key.starts_with("layer:"));
    layers.map(|(key, result)| (key.clone(), result.get("asset").and_then(Value::as_i64).map(AssetId))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_gave_are_known() {
        for name in ["", "Background", "Layer 1", "Layer 22"] {
            assert!(is_default(name), "{name}");
        }
        for name in ["Price Tag", "Layer", "Layer 1 copy", "Layer one", "background"] {
            assert!(!is_default(name), "{name}");
        }
    }
}
