//! Optimization against the `vips` command, on the same pictures, with all cores on both sides.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;

use super::report::{Report, median, rate};
use super::{BenchArgs, BenchError, failed};
use crate::clock::Stopwatch;
use crate::media::{self, Limits, Options};

pub(super) async fn measure(plan: &BenchArgs, report: &mut Report) -> Result<(), BenchError> {
    let plan = plan.clone();
    let figures = tokio::task::spawn_blocking(move || both(&plan)).await.map_err(failed("measure pictures"))??;
    let (ours, theirs, side) = figures;
    let what = format!("pictures of {side} pixels to pyramids");
    match theirs {
        Some(theirs) => report.add_against(what, ours, "pictures/s", ("vips, one process a core", theirs)),
        None => {
            eprintln!(
                "the vips command is not installed (Debian package libvips-tools): nothing to compare pictures with"
            );
            report.add(what, ours, "pictures/s");
        }
    }
    Ok(())
}

/// Pictures a second, ours and theirs.
fn both(plan: &BenchArgs) -> Result<(f64, Option<f64>, u32), BenchError> {
    let folder = plan.folder.join(format!("prepress-bench-{}-pictures", std::process::id()));
    let result = in_folder(plan, &folder);
    std::fs::remove_dir_all(&folder).map_err(failed("remove its pictures"))?;
    result
}

fn in_folder(plan: &BenchArgs, folder: &Path) -> Result<(f64, Option<f64>, u32), BenchError> {
    std::fs::create_dir_all(folder).map_err(failed("make a folder"))?;
    let pictures = pictures(plan, folder)?;
    let has_vips = Command::new("vips").arg("--version").output().is_ok();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        ours.push(round(&pictures, optimize)?);
        if has_vips {
            theirs.push(round(&pictures, vips)?);
        }
    }
    Ok((median(ours), has_vips.then(|| median(theirs)), plan.side))
}

/// The JPEGs of the sample catalogue, repeated until there are enough.
fn pictures(plan: &BenchArgs, folder: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let all = media::sample::write_catalogue(folder, plan.side.min(8192)).map_err(failed("make pictures"))?;
    let jpegs: Vec<PathBuf> = all.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jpg")).collect();
    Ok(jpegs.iter().cycle().take(plan.pictures).cloned().collect())
}

fn round(
    pictures: &[PathBuf],
    convert: impl Fn(&Path, &Path) -> Result<(), BenchError> + Sync,
) -> Result<f64, BenchError> {
    let watch = Stopwatch::start();
    pictures.par_iter().enumerate().try_for_each(|(index, source)| {
        let out = source.with_extension(format!("{index}.out.tif"));
        convert(source, &out)?;
        std::fs::remove_file(&out).map_err(failed("remove a pyramid"))
    })?;
    Ok(rate(pictures.len(), watch.elapsed()))
}

fn optimize(source: &Path, out: &Path) -> Result<(), BenchError> {
    let file = std::fs::File::create(out).map_err(failed("make a pyramid"))?;
    let (options, limits) = (Options::default(), Limits::default());
    let outputs =
        media::Outputs { pyramid: &mut BufWriter::new(file), thumbnail: &mut Vec::new(), mask: &mut std::io::empty() };
    media::optimize(source, outputs, &options, &limits, &|| false).map(|_| ()).map_err(failed("optimize a picture"))
}

fn vips(source: &Path, out: &Path) -> Result<(), BenchError> {
    let done = Command::new("vips")
        .arg("tiffsave")
        .args([source, out])
        .args([
            "--tile",
            "--pyramid",
            "--compression",
            "jpeg",
            "--Q",
            "85",
            "--tile-width",
            "256",
            "--tile-height",
            "256",
        ])
        .env("VIPS_CONCURRENCY", "1")
        .output()
        .map_err(failed("run vips"))?;
    if done.status.success() { Ok(()) } else { Err(failed("run vips")(String::from_utf8_lossy(&done.stderr))) }
}
