//! Videos: what they are, the frame that shows them, and their renditions.
//!
//! Each preset of a job gives one rendition: an asset that belongs to the master under `rendition:<preset>`, so that another
//! job replaces what an earlier one made by the same preset. What is made by presets that the job does not name goes
//! to the trash; a job that names none leaves all as it is, unless it brings another film. What could not be made again stays
//! as it was.
//!
//! Renditions of more than one preset are the members of an adaptive set, in the order of the job: players begin with the
//! first.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::pictures::{self, Ready, Unmade, Warning};
use super::process::{self, Parent, Processing};
use super::{Bytes, Context, Failure, Workshop, reason};
use crate::assets::blobs::{Blob, BlobError};
use crate::media::child::ChildError;
use crate::media::video::{self, Complaints, Encoding, Probe, State, VideoError, Wholeness};
use crate::model::asset::{AssetType, DerivedRole, PictureFacts, StreamFacts, VideoFacts};
use crate::model::handle;
use crate::model::id::{AssetId, PropertySetId};
use crate::model::job::ProcessingOptions;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::model::property_set::{BuiltIn, Codec, EncodingPreset, Profile};
use crate::store::assets::arrival::Filed;
use crate::store::assets::derived::Derived;
use crate::store::assets::ingest::Master;
use crate::store::assets::marking::Marking;
use crate::store::assets::parts::Part;
use crate::store::assets::sets::{Member, NewSet};
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

impl From<VideoError> for Unmade {
    fn from(error: VideoError) -> Self {
        match error {
            VideoError::Child(error) => error.into(),
            VideoError::TooLarge { width, height, limit } => Self::Refused(
                Message::new("reason-too-many-pixels").with("width", width).with("height", height).with("limit", limit),
            ),
            error => Self::Refused(reason::other(error)),
        }
    }
}

/// Finds out what a video is, and takes the frame that shows it if the options ask for one. What breaks off is refused. Blocks.
///
/// Without the tools a video is kept as it came, with a warning.
pub fn complete(
    ready: &mut Ready,
    workshop: &Workshop,
    options: &ProcessingOptions,
    stop: &dyn Fn() -> bool,
) -> Result<(), Unmade> {
    let source = source(workshop, &ready.master.blob)?;
    let wholeness = wholeness(&source, stop)?;
    ready.warnings.extend(remark(wholeness.state)?.map(Warning::Remark));
    let probe = {
        let folder = workshop.launcher.folder()?;
        video::probe(&workshop.launcher, &source, &folder, &workshop.settings.video_limits(), stop)
    };
    let probe = match probe {
        Err(VideoError::Child(error @ ChildError::Missing { .. })) => {
            ready.warnings.push(Warning::NoPicture(reason::of_child(&error)));
            // Nobody says here whether its tracks may end with zeros.
            let zeros = wholeness.is_filled_up(std::iter::empty(), 0).then(|| filled_up(wholeness));
            ready.warnings.extend(zeros.map(Warning::Remark));
            return Ok(());
        }
        probe => probe?,
    };
    if wholeness.is_filled_up(probe.codecs.iter().map(String::as_str), probe.padding) {
        return Err(Unmade::Refused(filled_up(wholeness)));
    }
    ready.master.facts.video = Some(Box::new(facts(&probe)));
    match &probe.picture {
        // Containers of videos hold sound as well.
        None => ready.master.asset_type = AssetType::Audio,
        Some(picture) => ready.master.pixels = Some((picture.width, picture.height)),
    }
    if let Some(at) = thumbnail_time(options) {
        match thumbnail(workshop, &source, &ready.master.blob, &probe, at, stop) {
            Ok((thumbnail, complaints)) => {
                ready.derived.push(thumbnail);
                ready.warnings.extend(complaints.map(Warning::Remark));
            }
            Err(Unmade::Refused(why)) => ready.warnings.push(Warning::Remark(why)),
            Err(failed) => return Err(failed),
        }
    }
    Ok(())
}

fn source(workshop: &Workshop, blob: &str) -> Result<PathBuf, Unmade> {
    pictures::absolute(workshop.blobs.path(blob)?)
}

/// Whether the file is there to its end. Its heads alone are read, with bounds, so that no child is needed for it.
fn wholeness(source: &std::path::Path, stop: &dyn Fn() -> bool) -> Result<Wholeness, Unmade> {
    let found = File::open(source).and_then(|file| video::wholeness(&file, stop));
    let failed = |error| Unmade::Failed(Failure::of_io(&error, format_args!("cannot read a stored film: {error}")));
    found.map_err(failed)?.ok_or(Unmade::Failed(Failure::Interrupted))
}

/// What is to be said of a film that is not refused for it.
fn remark(state: State) -> Result<Option<Message>, Unmade> {
    let refused = match state {
        State::Whole => return Ok(None),
        State::Lost { at } => return Ok(Some(Message::new("reason-film-lost").with("at", at))),
        State::ManyParts { at } => {
            let message = Message::new("reason-film-many-parts").with("limit", video::MOST_PARTS).with("at", at);
            return Ok(Some(message));
        }
        State::Gaps { at } => return Ok(Some(Message::new("reason-film-gaps").with("at", at))),
        State::NotEnded => return Ok(Some(Message::new("reason-film-not-ended"))),
        State::Cut { bytes, expected } => {
            Message::new("reason-film-cut").with("bytes", bytes).with("expected", expected)
        }
        State::Zeros { at } => Message::new("reason-film-zeros").with("at", at),
    };
    Err(Unmade::Refused(refused))
}

fn complained(code: &'static str, complaints: Complaints) -> Message {
    Message::new(code).with("count", complaints.count).with("first", complaints.first)
}

fn filled_up(wholeness: Wholeness) -> Message {
    Message::new("reason-film-zeros-at-end").with("bytes", wholeness.zeros)
}

fn facts(probe: &Probe) -> VideoFacts {
    VideoFacts {
        duration: probe.duration,
        bit_rate: probe.bit_rate,
        frame_rate: probe.picture.as_ref().and_then(|picture| picture.frame_rate),
        video_codec: probe.picture.as_ref().map(|picture| picture.codec.clone()),
        audio_codec: probe.sound.as_ref().map(|sound| sound.codec.clone()),
        stream: None,
    }
}

/// When the frame is shown that a job asks for, in milliseconds. A time asks for one by itself.
fn thumbnail_time(options: &ProcessingOptions) -> Option<u64> {
    let options = options.media_options.as_ref()?;
    let time = options.thumbnail_options.and_then(|options| options.thumbnail_time);
    let is_asked = options.generate_thumbnail.unwrap_or(time.is_some());
    is_asked.then(|| time.and_then(|time| u64::try_from(time).ok()).unwrap_or(0))
}

fn thumbnail(
    workshop: &Workshop,
    source: &std::path::Path,
    source_blob: &str,
    probe: &Probe,
    at: u64,
    stop: &dyn Fn() -> bool,
) -> Result<(Derived, Option<Message>), Unmade> {
    let picture = probe.picture.as_ref().ok_or(VideoError::NoPicture)?;
    let at = if probe.duration.is_some_and(|duration| at >= duration) { 0 } else { at };
    let (side, limits) = (workshop.settings.media.thumbnail_side, workshop.settings.video_limits());
    let frame = video::frame(&workshop.launcher, source, picture, at, side, &limits, stop)?;
    let blob = workshop.blobs.store(&mut frame.jpeg.as_slice(), u64::MAX, stop)?;
    let complaints = frame.complaints.map(|complaints| complained("reason-frame-complaints", complaints));
    let thumbnail = Derived {
        role: DerivedRole::Thumbnail,
        blob: blob.id,
        bytes: blob.bytes,
        pixels: (frame.width, frame.height),
        source_blob: source_blob.to_owned(),
        recipe: format!("frame at {at} ms, side {side}"),
    };
    Ok((thumbnail, complaints))
}

/// Makes the renditions that the options ask of a video that has been filed.
pub async fn make_renditions(
    context: &Context,
    workshop: &Workshop,
    parent: &Parent,
    processing: &Processing,
) -> Result<(), Failure> {
    let options = &*processing.options;
    let presets = presets(options);
    if presets.is_empty() {
        return Ok(());
    }
    let done = parent.done(context).await?;
    if process::is_over(&done) {
        return Ok(());
    }
    Work { context, workshop, parent, options, marking: processing.marking }.make(&presets, &done).await
}

/// What the keys of the parts begin with that the options have made of a video.
pub fn prefixes(options: &ProcessingOptions) -> &'static [&'static str] {
    if presets(options).is_empty() { &[] } else { &[PREFIX] }
}

/// The presets that a job names, each once. Their handles were checked when the job was submitted.
fn presets(options: &ProcessingOptions) -> Vec<PropertySetId> {
    let handles = options.media_options.iter().flat_map(|options| &options.video_encoding_presets_array);
    let mut presets = Vec::new();
    for id in handles.filter_map(|text| handle::parse_property_set("videoEncodingPresetsArray", text).ok()) {
        if !presets.contains(&id) {
            presets.push(id);
        }
    }
    presets
}

/// What the keys of renditions begin with, and of the set that they form.
const PREFIX: &str = "rendition:";
const SET: &str = "rendition:set";

fn key(preset: PropertySetId) -> String {
    format!("{PREFIX}{preset}")
}

struct Work<'a> {
    context: &'a Context,
    workshop: &'a Workshop,
    parent: &'a Parent,
    options: &'a ProcessingOptions,
    marking: Marking,
}

/// A rendition whose files are in the store.
struct Stored {
    file: Blob,
    playlist: Blob,
    made: video::Rendition,
    facts: VideoFacts,
    /// Seconds that the master should have, if the rendition has far less.
    cut_off: Option<u64>,
}

impl Work<'_> {
    async fn make(&self, presets: &[PropertySetId], done: &BTreeMap<String, Value>) -> Result<(), Failure> {
        let items = presets.len() + usize::from(presets.len() > 1) + 2;
        let found = self.parent.found_parts(self.context, u32::try_from(items).unwrap_or(u32::MAX)).await?;
        if process::unless_passed(&found).is_break() {
            return Ok(());
        }
        let mut made = Vec::new();
        for preset in presets {
            self.context.checkpoint()?;
            let asset = match done.get(&key(*preset)) {
                Some(result) => result["asset"].as_i64().map(AssetId),
                None => match self.make_one(*preset).await? {
                    ControlFlow::Continue(asset) => asset,
                    ControlFlow::Break(()) => return Ok(()),
                },
            };
            made.extend(asset);
        }
        if process::unless_passed(&self.gather(made, done).await?).is_break() {
            return Ok(());
        }
        if process::unless_passed(&self.put_away_others(presets).await?).is_break() {
            return Ok(());
        }
        self.parent.end(self.context, ItemReport::default()).await
    }

    /// Gives the rendition, if there is one, or breaks off where nothing more is made of the film.
    async fn make_one(&self, id: PropertySetId) -> Result<ControlFlow<(), Option<AssetId>>, Failure> {
        let Some(preset) = self.preset(id).await? else {
            return self.refuse(id, &handle::property_set(id), Message::new("reason-preset-gone")).await;
        };
        let name = FileName::clean("suffix", &format!("{}{}.mp4", self.parent.name, preset.suffix));
        let name = match name {
            Ok(name) => name,
            Err(invalid) => return self.refuse(id, &preset.name, reason::other(invalid)).await,
        };
        match self.encode(id, &preset).await {
            Ok(stored) => self.file(id, name, stored).await,
            Err(Unmade::Refused(why)) => self.refuse(id, &preset.name, why).await,
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }

    async fn preset(&self, id: PropertySetId) -> Result<Option<EncodingPreset>, Failure> {
        let company = self.context.run.company;
        let set = self.context.reads().built_in_set(company, id, BuiltIn::VideoEncodingPreset).await?;
        Ok(set.and_then(|set| EncodingPreset::read(&set.properties).ok()))
    }

    /// Makes a rendition and puts its files into the store.
    async fn encode(&self, id: PropertySetId, preset: &EncodingPreset) -> Result<Stored, Unmade> {
        let (workshop, blob, encoding) = (self.workshop.clone(), self.parent.blob.clone(), encoding(preset));
        let working = self.context.working_on(format!("{} {}", self.parent.file_name, preset.name));
        let asked_to_stop = self.context.stop_token().clone();
        let Parent { blob: content, file_name, .. } = self.parent;
        let step = key(id);
        let bytes = Bytes::of(content, file_name).step(&step);
        let encoded = self.workshop.work_long_on(self.context, bytes, move |abandoned| {
            let stop = || abandoned() || asked_to_stop.is_cancelled();
            let (launcher, limits) = (&workshop.launcher, workshop.settings.video_limits());
            workshop.blobs.verify(&blob, &stop)?;
            let source = source(&workshop, &blob)?;
            let folder = launcher.folder()?;
            let probe = video::probe(launcher, &source, &folder, &limits, &stop)?;
            let mut progress = |fraction| working.at(fraction);
            let made = video::encode(launcher, &source, &probe, &encoding, &folder, &limits, &stop, &mut progress)?;
            let mut file = File::open(&made.file).map_err(BlobError::Source)?;
            let file = workshop.blobs.store(&mut file, limits.file, &stop)?;
            let playlist = workshop.blobs.store(&mut made.playlist.as_bytes(), u64::MAX, &stop)?;
            let facts = VideoFacts {
                duration: Some(made.duration),
                bit_rate: Some(file.bytes * 8000 / made.duration.max(1)),
                video_codec: Some("h264".to_owned()),
                audio_codec: probe.sound.as_ref().map(|_| "aac".to_owned()),
                stream: Some(StreamFacts { peak_bit_rate: made.peak_bit_rate, codecs: made.codecs.clone() }),
                ..facts(&probe)
            };
            Ok(Stored { file, playlist, cut_off: cut_off(&probe, made.duration), made, facts })
        });
        encoded.await
    }

    async fn file(
        &self,
        preset: PropertySetId,
        name: FileName,
        stored: Stored,
    ) -> Result<ControlFlow<(), Option<AssetId>>, Failure> {
        let Stored { file, playlist, made, facts, cut_off } = stored;
        let part = Part {
            company: self.context.run.company,
            origin: self.parent.origin(self.context, &key(preset)),
            name,
            folder: None,
            master: Master {
                asset_type: AssetType::Video,
                blob: file.id.clone(),
                bytes: file.bytes,
                pixels: Some((made.width, made.height)),
                facts: PictureFacts { video: Some(Box::new(facts)), ..PictureFacts::default() },
                making: Making::default(),
            },
            built_on: None,
            marking: self.marking,
            by: self.context.run.responsible,
            at: self.context.clock.now(),
        };
        let derived = vec![Derived {
            role: DerivedRole::Playlist,
            blob: playlist.id,
            bytes: playlist.bytes,
            pixels: (made.width, made.height),
            source_blob: file.id,
            recipe: format!("segments of {} s", video::SEGMENT_SECONDS),
        }];
        let company = self.context.run.company;
        let folder = self.context.reads().folder_of_part(company, self.parent.asset, &part.origin.key, None).await?;
        let wanted = part.name.stem.clone();
        let (bytes, seconds, complaints) = (file.bytes, made.duration / 1000, made.complaints);
        let report = move |applied: &Applied| {
            let Applied::Filed(filed) = applied else { return ItemReport::default() };
            let name = filed.name();
            let is_new = matches!(filed, Filed::Added { .. } | Filed::AddedWithNumber { .. });
            let path = format!("{folder}{name}.mp4");
            let line =
                |log_type, message| LogLine::new(log_type, message).about(Some(filed.asset()), name, FileType::Video);
            let message = Message::new("upload-success")
                .with("file", path.clone())
                .with("type", AssetType::Video.as_str())
                .with("bytes", bytes);
            let mut lines = vec![line(LogType::UploadSuccess, message)];
            lines.extend(cut_off.map(|expected| {
                let why = Message::new("reason-video-cut-off").with("seconds", seconds).with("expected", expected);
                line(
                    LogType::UploadWarning,
                    Message::new("upload-warning").with("file", path.clone()).with("reason", why),
                )
            }));
            lines.extend(complaints.map(|complaints| {
                let why = complained("reason-film-complaints", complaints);
                line(LogType::UploadWarning, Message::new("upload-warning").with("file", path).with("reason", why))
            }));
            let numbered = process::numbered(&format!("{wanted}.mp4"), &wanted, filed);
            lines.extend(numbered.map(|message| line(LogType::UploadWarning, message)));
            let counters = Counters {
                success: i64::from(is_new),
                update: i64::from(!is_new),
                part: 1,
                warning: lines.len() as i64 - 1,
                ..Counters::default()
            };
            lines.extend(process::came_back(filed).map(|message| line(LogType::JobInfo, message)));
            ItemReport { result: json!({ "asset": filed.asset() }), counters, lines, ..ItemReport::default() }
        };
        let effect = Effect::Part { part: Box::new(part), derived };
        Ok(process::filed_unless_passed(&self.parent.commit(self.context, &key(preset), effect, report).await?))
    }

    /// A tool that is missing is no fault of the video.
    async fn refuse(
        &self,
        id: PropertySetId,
        preset: &str,
        why: Message,
    ) -> Result<ControlFlow<(), Option<AssetId>>, Failure> {
        let is_missing = why.code == "reason-tool-missing";
        let log_type = if is_missing { LogType::UploadWarning } else { LogType::UploadError };
        let kept = self.parent.part(self.context, &key(id)).await?;
        let message = Message::new(if kept.is_some() { "rendition-failed-kept" } else { "rendition-failed" })
            .with("file", self.parent.file_name.clone())
            .with("preset", preset)
            .with("reason", why);
        let lines = vec![self.parent.line(log_type, message)];
        let (error, warning) = (i64::from(!is_missing), i64::from(is_missing));
        let counters = Counters { error, part_error: error, warning, ..Counters::default() };
        let report = ItemReport { result: json!({ "asset": kept }), counters, lines, ..ItemReport::default() };
        self.parent.commit(self.context, &key(id), Effect::Nothing, move |_| report).await?;
        Ok(ControlFlow::Continue(kept))
    }

    /// Puts renditions into their adaptive set.
    async fn gather(&self, made: Vec<AssetId>, done: &BTreeMap<String, Value>) -> Result<Option<Applied>, Failure> {
        if made.len() < 2 || done.contains_key(SET) {
            return Ok(None);
        }
        let with_master = self.options.exclude_master_video_from_avs == Some(false);
        let master = with_master.then_some(self.parent.asset);
        let members: Vec<Member> = made.into_iter().chain(master).map(Member::of).collect();
        let wanted = format!("{}-AVS", self.parent.name);
        let set = NewSet {
            company: self.context.run.company,
            folder: self.parent.folder.clone(),
            name: wanted.clone(),
            set_type: AssetType::AssetSet,
            made_from: Some(self.parent.origin(self.context, SET)),
            pixels: None,
            members,
            marking: self.marking,
            by: self.context.run.responsible,
            at: self.context.clock.now(),
        };
        let parent = self.parent.clone();
        let report = move |applied: &Applied| {
            let Applied::Gathered(gathered) = applied else { return process::report_of_parts(&parent, applied) };
            let name = gathered.filed.name();
            let is_new = matches!(gathered.filed, Filed::Added { .. } | Filed::AddedWithNumber { .. });
            let code = if is_new { "set-created" } else { "set-updated" };
            let message = Message::new(code).with("name", name).with("count", gathered.members);
            let line = LogLine::new(LogType::JobInfo, message);
            process::lines_of_set(&wanted, line, gathered, FileType::of_master(AssetType::AssetSet))
        };
        self.parent.commit(self.context, SET, Effect::Set(Box::new(set)), report).await
    }

    async fn put_away_others(&self, presets: &[PropertySetId]) -> Result<Option<Applied>, Failure> {
        let mut keys: Vec<String> = presets.iter().copied().map(key).collect();
        if keys.len() > 1 {
            keys.push(SET.to_owned());
        }
        let effect = self.parent.keep(self.context, PREFIX, keys);
        let parent = self.parent.clone();
        let report = move |applied: &Applied| process::report_of_parts(&parent, applied);
        self.parent.commit(self.context, "others", effect, report).await
    }
}

fn encoding(preset: &EncodingPreset) -> Encoding {
    let EncodingPreset { width, height, video_bitrate, audio_bitrate, keyframe_interval, .. } = *preset;
    match preset.codec {
        Codec::H264 => Encoding {
            width,
            height,
            video_bitrate,
            audio_bitrate,
            profile: match preset.profile {
                Profile::Baseline => video::Profile::Baseline,
                Profile::Main => video::Profile::Main,
                Profile::High => video::Profile::High,
            },
            keyframe_interval,
        },
    }
}

/// The length of the master in seconds, if the rendition has less than nineteen twentieths of it: the file breaks off.
fn cut_off(probe: &Probe, made: u64) -> Option<u64> {
    probe.duration.filter(|whole| made + 1000 < *whole && made < whole - whole / 20).map(|whole| whole / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(media_options: Value) -> Option<u64> {
        let options = json!({ "mediaOptions": media_options });
        thumbnail_time(&serde_json::from_value(options).unwrap())
    }

    #[test]
    fn a_thumbnail_is_made_when_it_is_asked_for() {
        assert_eq!(at(json!({})), None);
        assert_eq!(at(json!({ "generateThumbnail": false })), None);
        assert_eq!(at(json!({ "generateThumbnail": true })), Some(0));
        let time = json!({ "thumbnailTime": 1500 });
        assert_eq!(at(json!({ "generateThumbnail": true, "thumbnailOptions": time })), Some(1500));
        assert_eq!(at(json!({ "thumbnailOptions": time })), Some(1500));
        assert_eq!(at(json!({ "generateThumbnail": false, "thumbnailOptions": time })), None);
        assert_eq!(thumbnail_time(&ProcessingOptions::default()), None);
    }

    #[test]
    fn a_preset_counts_once() {
        let options = json!({ "mediaOptions": { "videoEncodingPresetsArray": ["ps|3", "ps|1", "3"] } });
        let options: ProcessingOptions = serde_json::from_value(options).unwrap();
        assert_eq!(presets(&options), [PropertySetId(3), PropertySetId(1)]);
    }
}
