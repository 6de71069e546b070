//! Brings the pixels of a pyramid into a view.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{Filter, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::super::decode::Cancel;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::orientation::Orientation;
use super::super::pyramid::Pyramid;
use super::super::raster::{Layout, Raster};
use super::geometry::{Askew, Kind, Place, Plan, Span};
use crate::serving::ResMode;

/// What bounds the work.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub limits: &'a Limits,
    pub cancel: Cancel<'a>,
}

/// The view, in the colours of the pyramid. What shows nothing of the picture is transparent.
pub(super) fn draw(pyramid: &Pyramid, plan: &Plan, mode: ResMode, bounds: Bounds<'_>) -> Result<Raster, MediaError> {
    bounds.limits.check_size(plan.width.into(), plan.height.into())?;
    // The view, once more while it is turned, and what it is encoded from.
    let samples = with_alpha(pyramid.layout()).samples().max(4) as u64;
    bounds.limits.check_memory(u64::from(plan.width) * u64::from(plan.height) * samples * 3)?;
    match plan.kind {
        Kind::Nothing => blank(plan, with_alpha(pyramid.layout()), bounds.limits),
        Kind::Straight { columns, rows, turn, place } => {
            let size = turn.seen_size(place.width, place.height);
            let part = cut(pyramid, columns, rows, size, mode, bounds)?;
            put(turned(part, turn)?, place, plan, bounds.limits)
        }
        Kind::Askew(askew) => rotate(pyramid, plan, askew, mode, bounds),
    }
}

/// A part of the source, resized.
fn cut(
    pyramid: &Pyramid,
    columns: Span,
    rows: Span,
    size: (u32, u32),
    mode: ResMode,
    Bounds { limits, cancel }: Bounds<'_>,
) -> Result<Raster, MediaError> {
    let scale = (f64::from(size.0) / columns.len(), f64::from(size.1) / rows.len());
    let level = pyramid.level_for(scale.0, scale.1);
    let (full, reduced) = (pyramid.size(), pyramid.size_of(level));
    let (across, down) = (f64::from(reduced.0) / f64::from(full.0), f64::from(reduced.1) / f64::from(full.1));
    let columns = Span { start: columns.start * across, end: columns.end * across };
    let rows = Span { start: rows.start * down, end: rows.end * down };
    let wide = needed(columns, size.0, reduced.0);
    let high = needed(rows, size.1, reduced.1);
    let region = pyramid.region(level, wide.clone(), high.clone(), limits, cancel)?;
    let crop = (
        Span { start: columns.start - f64::from(wide.start), end: columns.end - f64::from(wide.start) },
        Span { start: rows.start - f64::from(high.start), end: rows.end - f64::from(high.start) },
    );
    resize(&region, crop, size, mode)
}

/// The pixels of a level that a part of it is made from: those beside it count as far as the filter reaches.
fn needed(part: Span, pixels: u32, length: u32) -> std::ops::Range<u32> {
    const REACH: f64 = 3.0;
    let reach = REACH * (part.len() / f64::from(pixels)).max(1.0) + 1.0;
    let start = (part.start - reach).floor().max(0.0) as u32;
    let end = ((part.end + reach).ceil() as u32).min(length);
    start.min(length.saturating_sub(1))..end.max(1)
}

fn resize(
    source: &Raster,
    (columns, rows): (Span, Span),
    size: (u32, u32),
    mode: ResMode,
) -> Result<Raster, MediaError> {
    let is_same = |part: Span, pixels: u32| (part.len() - f64::from(pixels)).abs() < 1e-9 && part.start.fract() == 0.0;
    if is_same(columns, size.0) && is_same(rows, size.1) {
        return copy(source, columns.start as usize, rows.start as usize, size);
    }
    let failed = |error: &dyn std::fmt::Display| MediaError::corrupt(Format::Tiff, format!("resizing failed: {error}"));
    let kind = match source.layout() {
        Layout::Gray => PixelType::U8,
        Layout::GrayAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
        Layout::CmykAlpha => return Err(failed(&"inks get their alpha behind it")),
    };
    let (width, height) = (f64::from(source.width()), f64::from(source.height()));
    let from = ImageRef::new(source.width(), source.height(), source.pixels(), kind).map_err(|e| failed(&e))?;
    let mut to = Image::new(size.0, size.1, kind);
    let columns = Span { start: columns.start.max(0.0), end: columns.end.min(width) };
    let rows = Span { start: rows.start.max(0.0), end: rows.end.min(height) };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter(mode)))
        .crop(columns.start, rows.start, columns.len(), rows.len())
        .use_alpha(source.layout().has_alpha());
    Resizer::new().resize(&from, &mut to, &options).map_err(|e| failed(&e))?;
    raster(size.0, size.1, source.layout(), to.into_vec())
}

fn copy(source: &Raster, x: usize, y: usize, (width, height): (u32, u32)) -> Result<Raster, MediaError> {
    let samples = source.layout().samples();
    let rows = source.pixels().chunks_exact(source.stride()).skip(y).take(height as usize);
    let rows = rows.map(|row| &row[x * samples..(x + width as usize) * samples]);
    raster(width, height, source.layout(), rows.collect::<Vec<_>>().concat())
}

/// The sharpest of the cubic filters, as editors of pictures use it for reducing.
fn sharp_cubic(x: f64) -> f64 {
    const A: f64 = -1.0;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}

fn filter(mode: ResMode) -> FilterType {
    match mode {
        ResMode::Bilin => FilterType::Bilinear,
        ResMode::Bicub => FilterType::CatmullRom,
        ResMode::Sharp2 => FilterType::Lanczos3,
        ResMode::Bisharp => Filter::new("bisharp", sharp_cubic, 2.0).map_or(FilterType::CatmullRom, FilterType::Custom),
    }
}

fn turned(source: Raster, turn: Orientation) -> Result<Raster, MediaError> {
    if turn == Orientation::Upright {
        return Ok(source);
    }
    let (width, height) = turn.seen_size(source.width(), source.height());
    raster(width, height, source.layout(), turn.rows(&source, 0..height).into_owned())
}

/// Puts what is seen at its place in the view.
fn put(part: Raster, place: Place, plan: &Plan, limits: &Limits) -> Result<Raster, MediaError> {
    if (part.width(), part.height()) == (plan.width, plan.height) {
        return Ok(part);
    }
    let layout = with_alpha(part.layout());
    let mut view = blank(plan, layout, limits)?.into_pixels();
    let (samples, from) = (layout.samples(), part.layout().samples());
    let rows = view.chunks_exact_mut(plan.width as usize * samples).skip(place.y as usize);
    for (row, source) in rows.zip(part.pixels().chunks_exact(part.stride())) {
        let row = &mut row[place.x as usize * samples..][..place.width as usize * samples];
        for (to, pixel) in row.chunks_exact_mut(samples).zip(source.chunks_exact(from)) {
            to[samples - 1] = u8::MAX;
            to[..from].copy_from_slice(pixel);
        }
    }
    raster(plan.width, plan.height, layout, view)
}

/// Resizes the crop and looks up every pixel of the view in it. Edges are as soft as a pixel is wide.
fn rotate(
    pyramid: &Pyramid,
    plan: &Plan,
    askew: Askew,
    mode: ResMode,
    bounds: Bounds<'_>,
) -> Result<Raster, MediaError> {
    let Askew { columns, rows, factor, flip, angle, middle } = askew;
    let (full, scale) = (pyramid.size(), plan.scale.0.max(plan.scale.1));
    let scales = (scale * factor.0, scale * factor.1);
    let size = |length: f64| length.round().max(1.0).min(f64::from(u32::MAX)) as u32;
    let (width, height) = (size(columns.len() * scales.0), size(rows.len() * scales.1));
    bounds.limits.check_size(width.into(), height.into())?;
    bounds
        .limits
        .check_memory(u64::from(width) * u64::from(height) * 8 + u64::from(plan.width) * u64::from(plan.height) * 8)?;
    let inside = |crop: Span, length: u32| Span {
        start: crop.start.clamp(0.0, f64::from(length)),
        end: crop.end.clamp(0.0, f64::from(length)),
    };
    let (wide, high) = (inside(columns, full.0), inside(rows, full.1));
    let area = Place { x: 0, y: 0, width, height };
    let upright = Plan { width, height, scale: scales, area, kind: Kind::Nothing };
    let layout = with_alpha(pyramid.layout());
    let flat = if wide.len() <= 0.0 || high.len() <= 0.0 {
        blank(&upright, layout, bounds.limits)?
    } else {
        let at = |part: Span, crop: Span, scale: f64, most: u32| {
            let start = ((part.start - crop.start) * scale).round().clamp(0.0, f64::from(most));
            let end = ((part.end - crop.start) * scale).round().clamp(0.0, f64::from(most));
            (start as u32, (end - start).max(1.0) as u32)
        };
        let ((x, across), (y, down)) = (at(wide, columns, scales.0, width), at(high, rows, scales.1, height));
        let part = cut(pyramid, wide, high, (across, down), mode, bounds)?;
        put(part, Place { x, y, width: across, height: down }, &upright, bounds.limits)?
    };
    let flat = turned(flat, flip)?;
    let mut view = blank(plan, layout, bounds.limits)?.into_pixels();
    let samples = layout.samples();
    let (sin, cos) = angle.sin_cos();
    let half = (f64::from(flat.width()) / 2.0, f64::from(flat.height()) / 2.0);
    // From pixels of the view to those of what lies flat, which has the larger of the two scales.
    let finer = (scale / plan.scale.0, scale / plan.scale.1);
    view.par_chunks_exact_mut(plan.width as usize * samples).enumerate().for_each(|(row, pixels)| {
        let down = (row as f64 + 0.5 - middle.1) * finer.1;
        // What was taken away around it does not come back.
        if !plan.area.rows().contains(&(row as u32)) {
            return;
        }
        let columns = plan.area.columns();
        let inside = pixels.chunks_exact_mut(samples).enumerate();
        for (column, pixel) in inside.skip(columns.start as usize).take(columns.len()) {
            let across = (column as f64 + 0.5 - middle.0) * finer.0;
            let x = cos * across + sin * down + half.0 - 0.5;
            let y = cos * down - sin * across + half.1 - 0.5;
            sample(&flat, x, y, pixel);
        }
    });
    raster(plan.width, plan.height, layout, view)
}

/// The colour between four pixels. Beyond the edge everything is transparent.
fn sample(source: &Raster, x: f64, y: f64, out: &mut [u8]) {
    let (left, top) = (x.floor(), y.floor());
    let (right, lower) = (x - left, y - top);
    let (from, samples) = (source.layout().samples(), out.len());
    let mut sums = [0.0; 4];
    let mut alpha = 0.0;
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - right) * (1.0 - lower)),
        (1.0, 0.0, right * (1.0 - lower)),
        (0.0, 1.0, (1.0 - right) * lower),
        (1.0, 1.0, right * lower),
    ] {
        let (column, row) = (left + dx, top + dy);
        let is_inside =
            column >= 0.0 && row >= 0.0 && column < f64::from(source.width()) && row < f64::from(source.height());
        if is_inside && weight > 0.0 {
            let at = row as usize * source.stride() + column as usize * from;
            let pixel = &source.pixels()[at..at + from];
            let weight = weight * if from == samples { f64::from(pixel[samples - 1]) } else { 255.0 };
            alpha += weight;
            for (sum, sample) in sums.iter_mut().zip(&pixel[..samples - 1]) {
                *sum += weight * f64::from(*sample);
            }
        }
    }
    if alpha > 0.0 {
        for (to, sum) in out.iter_mut().zip(sums) {
            *to = (sum / alpha).round() as u8;
        }
    }
    out[samples - 1] = alpha.round() as u8;
}

fn with_alpha(layout: Layout) -> Layout {
    match layout {
        Layout::Gray | Layout::GrayAlpha => Layout::GrayAlpha,
        Layout::Rgb | Layout::Rgba => Layout::Rgba,
        Layout::Cmyk | Layout::CmykAlpha => Layout::CmykAlpha,
    }
}

fn blank(plan: &Plan, layout: Layout, limits: &Limits) -> Result<Raster, MediaError> {
    let bytes = u64::from(plan.width) * u64::from(plan.height) * layout.samples() as u64;
    raster(plan.width, plan.height, layout, Share::of(limits).bytes(bytes)?)
}

pub(super) fn raster(width: u32, height: u32, layout: Layout, pixels: Vec<u8>) -> Result<Raster, MediaError> {
    let refuse = || MediaError::corrupt(Format::Tiff, format!("a view of {width} x {height} pixels cannot be made"));
    Raster::new(width, height, layout, pixels).ok_or_else(refuse)
}
