//! Pictures to pyramids, format by format, against the `vips` command.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::{BenchError, failed};
use super::contest::OURSELVES;
use super::{Contest, MediaArgs, Opponent, text};
use crate::media::child::{Launcher, Pool, PoolLimits, RUNNING_BINARY};
use crate::media::errand::Optimize;
use crate::media::{self, Limits, Options, Picture};

/// Formats, and how vips saves them.
const FORMATS: [(&str, &str); 6] = [
    ("JPEG", "jpg[Q=90]"),
    ("progressive JPEG", "jpg[Q=90,interlace]"),
    ("PNG", "png[compression=6]"),
    ("TIFF", "tif[compression=lzw]"),
    ("tiled TIFF", "tif[tile,compression=deflate,predictor=horizontal]"),
    ("WebP", "webp[Q=90]"),
];

/// What vips is told of the pyramid.
const PYRAMID: &str = "--tile --pyramid --compression jpeg --Q 85 --tile-width 256 --tile-height 256";

pub(super) fn contests(plan: &MediaArgs, folder: &Path, originals: &[PathBuf]) -> Result<Vec<Contest>, BenchError> {
    let mut contests = Vec::new();
    for (number, (format, suffix)) in FORMATS.into_iter().enumerate() {
        let mut sources = Vec::new();
        for (index, original) in originals.iter().enumerate() {
            let source = folder.join(format!("{number}-{index}"));
            sources.push(vips(&["copy", text(original)], &source, suffix)?);
        }
        let sources = sources.iter().cycle().take(plan.pictures.into());
        let side = plan.side;
        contests.push(contest(format!("{format}s of {side} pixels to pyramids"), "pictures/s", sources, |_| 1.0)?);
    }
    for (kind, side, count) in [("", plan.side, plan.pictures), ("small ", SMALL, plan.pictures.saturating_mul(8))] {
        let mut sources = Vec::new();
        for (index, original) in originals.iter().enumerate() {
            let scale = (f64::from(side) / f64::from(plan.side)).to_string();
            let source = folder.join(format!("pool-{side}-{index}.jpg"));
            run(&["resize", text(original), &format!("{}[Q=90]", text(&source)), &scale])?;
            sources.push(source);
        }
        contests.push(against_ourselves(&format!("{kind}JPEGs of {side} pixels"), &sources, count.into()));
    }
    if plan.large > 0 {
        let first = &originals[0];
        let scale = (f64::from(plan.large) * 1e6 / pixels(&probe(first)?)).sqrt().to_string();
        let large = folder.join("large.jpg");
        run(&["resize", text(first), &format!("{}[Q=90]", text(&large)), &scale])?;
        let what = format!("a JPEG of {} megapixels to a pyramid", plan.large);
        contests.push(contest(what, "megapixels/s", [large].iter(), |picture| pixels(picture) / 1e6)?);
    }
    Ok(contests)
}

/// RGB pictures of the sample catalogue.
pub(super) fn originals(catalogue: &[PathBuf]) -> Vec<PathBuf> {
    let is_spin = |path: &&PathBuf| path.parent().is_some_and(|parent| parent.ends_with("Spin"));
    catalogue.iter().filter(is_spin).take(4).cloned().collect()
}

/// Longer side of pictures that are soon made.
const SMALL: u32 = 400;

/// Pictures through workers, as the daemon has them made, against the same in one process.
fn against_ourselves(pictures: &str, sources: &[PathBuf], count: usize) -> Contest {
    let batches = rayon::current_num_threads().min(count);
    let batch = |options: &[&str]| {
        let task = |first: usize| {
            let own = sources.iter().cycle().skip(first).step_by(batches).take(count / batches);
            let told = ["batch"].iter().chain(options).map(|word| (*word).to_owned());
            told.chain(own.map(|source| text(source).to_owned())).collect()
        };
        (0..batches).map(task).collect()
    };
    Contest {
        what: format!("{pictures} to pyramids through the pool"),
        unit: "pictures/s",
        amount: (count / batches * batches) as f64,
        ours: batch(&["--pool"]),
        theirs: vec![Opponent { program: OURSELVES, package: "prepress", but: " in one process", tasks: batch(&[]) }],
    }
}

fn contest<'a>(
    what: String,
    unit: &'static str,
    sources: impl Iterator<Item = &'a PathBuf>,
    amount: impl Fn(&Picture) -> f64,
) -> Result<Contest, BenchError> {
    let (mut total, mut ours, mut theirs) = (0.0, Vec::new(), Vec::new());
    for (index, source) in sources.enumerate() {
        total += amount(&probe(source)?);
        let target = |whose| source.with_extension(format!("{index}.{whose}.tif"));
        ours.push(vec!["optimize".to_owned(), text(source).to_owned(), text(&target("ours")).to_owned()]);
        let mut told = vec!["tiffsave".to_owned(), text(source).to_owned(), text(&target("theirs")).to_owned()];
        told.extend(PYRAMID.split(' ').map(str::to_owned));
        theirs.push(told);
    }
    let vips = Opponent { program: "vips", package: "libvips-tools", but: " without a thumbnail", tasks: theirs };
    Ok(Contest { what, unit, amount: total, ours, theirs: vec![vips] })
}

/// Makes the pyramid and the thumbnail, of which the latter is thrown away.
pub(super) fn optimize(source: &Path, pyramid: &Path) -> Result<(), BenchError> {
    let mut file = BufWriter::new(File::create(pyramid).map_err(failed("make a pyramid"))?);
    let outputs = media::Outputs { pyramid: &mut file, thumbnail: &mut Vec::new(), mask: &mut std::io::empty() };
    media::optimize(source, outputs, &Options::default(), &Limits::default(), &|| false)
        .map(|_| ())
        .map_err(failed("optimize a picture"))
}

/// Makes pyramids and thumbnails one after the other, and throws them away.
pub(super) fn batch(pictures: &[PathBuf], by_worker: bool) -> Result<(), BenchError> {
    let folder = tempfile::tempdir().map_err(failed("make a folder"))?;
    let draft = || tempfile::tempfile_in(folder.path()).map_err(failed("make a file"));
    let limits = PoolLimits {
        places: 1,
        picture: Limits { scratch: folder.path().to_owned(), ..Limits::default() },
        file: u64::MAX,
        cpu: FOREVER,
        wall: FOREVER,
        idle: FOREVER,
    };
    let crew = Pool::new(Launcher::new(Path::new(RUNNING_BINARY), folder.path()), limits.clone()).crew();
    for picture in pictures {
        let (mut pyramid, mut thumbnail, mut mask) = (draft()?, draft()?, draft()?);
        let outputs = media::Outputs { pyramid: &mut pyramid, thumbnail: &mut thumbnail, mask: &mut mask };
        let source = File::open(picture).map_err(failed("open a picture"))?;
        if by_worker {
            Optimize::send(&crew, &source, None, outputs, &Options::default(), &|| false)
                .map_err(failed("have a picture optimized"))?;
        } else {
            media::optimize(source, outputs, &Options::default(), &limits.picture, &|| false)
                .map_err(failed("optimize a picture"))?;
        }
    }
    Ok(())
}

/// Longer than any benchmark.
const FOREVER: Duration = Duration::from_secs(86_400);

fn probe(source: &Path) -> Result<Picture, BenchError> {
    media::probe(source, &Limits::default()).map_err(failed("look at a picture"))
}

fn pixels(picture: &Picture) -> f64 {
    f64::from(picture.width) * f64::from(picture.height)
}

/// What vips makes of a command, saved as `target` with `suffix`.
fn vips(command: &[&str], target: &Path, suffix: &str) -> Result<PathBuf, BenchError> {
    let saved = format!("{}.{suffix}", target.display());
    run(&[command, &[&saved]].concat())?;
    Ok(saved.split('[').next().unwrap_or(&saved).into())
}

fn run(args: &[&str]) -> Result<(), BenchError> {
    let needs = "run the vips command (Debian package libvips-tools), which pictures are compared with";
    let done = Command::new("vips").args(args).output().map_err(failed(needs))?;
    if done.status.success() { Ok(()) } else { Err(failed("run vips")(String::from_utf8_lossy(&done.stderr))) }
}
