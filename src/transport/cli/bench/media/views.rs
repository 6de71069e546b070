//! Views of pyramids as exports make them, against `vipsthumbnail`.

use std::path::{Path, PathBuf};

use super::super::{BenchError, failed};
use super::{Contest, MediaArgs, Opponent, pictures, text};
use crate::media::serve::Renderer;
use crate::media::{Blacks, Limits};
use crate::serving;

const MODIFIER: &str = "wid=800&hei=800&fit=constrain&fmt=jpeg&qlt=85";

/// Views that one process makes, so that its start counts for little.
const AT_ONCE: usize = 12;

pub(super) fn contest(plan: &MediaArgs, folder: &Path, originals: &[PathBuf]) -> Result<Contest, BenchError> {
    let mut pyramids = Vec::new();
    for (index, original) in originals.iter().enumerate() {
        let pyramid = folder.join(format!("view-{index}.tif"));
        pictures::optimize(original, &pyramid)?;
        pyramids.push(text(&pyramid).to_owned());
    }
    let batch =
        |number: usize| -> Vec<String> { pyramids.iter().cycle().skip(number).take(AT_ONCE).cloned().collect() };
    let batches = usize::from(plan.pictures).div_ceil(2).max(2);
    let ours = |number| [vec!["views".to_owned()], batch(number)].concat();
    let theirs = |number| {
        let saving = format!("{}-{number}-%s.jpg[Q=85,strip]", folder.join("thumbnail").display());
        [vec!["--size".to_owned(), "800".to_owned(), "-o".to_owned(), saving], batch(number)].concat()
    };
    Ok(Contest {
        what: format!("views of 800 pixels from pyramids of {}", plan.side),
        unit: "conversions/s",
        amount: (batches * AT_ONCE) as f64,
        ours: (0..batches).map(ours).collect(),
        theirs: vec![Opponent {
            program: "vipsthumbnail",
            package: "libvips-tools",
            but: "",
            tasks: (0..batches).map(theirs).collect(),
        }],
    })
}

/// Makes a view of each pyramid beside it.
pub(super) fn render(pyramids: &[PathBuf]) -> Result<(), BenchError> {
    let resolved = serving::resolve(MODIFIER, None, &|_| None).map_err(failed("read the commands"))?;
    let renderer = Renderer::new(resolved.commands, None, Blacks::default()).map_err(failed("read the profile"))?;
    for pyramid in pyramids {
        let view = renderer.render(pyramid, &Limits::default(), &|| false).map_err(failed("render a view"))?;
        let target = pyramid.with_extension(format!("{}.jpg", std::process::id()));
        std::fs::write(target, view.bytes).map_err(failed("write a view"))?;
    }
    Ok(())
}
