//! The layers of a file laid on each other, for files that were saved without their merged picture: opacity, fill, masks, clipping
//! and the blend modes that look at each colour by itself. Opacity and masks of groups work on each of their layers by itself: where
//! layers lie on each other under a mask that lets half through, more is seen than of the group as one. What only Photoshop draws is
//! left out. Both is said.

use std::ops::Range;

use super::super::super::error::MediaError;
use super::super::super::memory::{Held, Share};
use super::super::super::raster::Layout;
use super::super::Source;
use super::super::gather::Pieces;
use super::pixels::{LayerRows, Opening, Wanted};
use super::records::read;
use super::{Blend, Frame, has_alpha, unread};

/// How many times the pixels that a picture may have are laid on each other at most.
const MOST_LAID: u64 = 16;

/// Bytes that are kept of the file for each channel of a layer.
const BUFFER: u64 = 1 << 14;

/// The canvas, row by row. Its colours are light, inks their complements; alpha comes last.
pub(in super::super) struct Flattened<'a> {
    size: (u32, u32),
    layout: Layout,
    layers: Vec<Laid<'a>>,
    share: Share,
    _held: Held,
    next: u32,
}

struct Laid<'a> {
    colors: LayerRows<'a>,
    /// None where it covers its whole frame.
    alpha: Option<LayerRows<'a>>,
    columns: Range<usize>,
    rows: Range<i64>,
    /// From 0 to 1.
    opacity: f32,
    blend: Blend,
    is_clipped: bool,
}

impl<'a> Flattened<'a> {
    pub fn open(source: Source<'a>) -> Result<Self, MediaError> {
        let (content, limits, share, cancel) =
            (source.content.clone(), source.limits, source.share.clone(), source.cancel);
        let (header, records) = read(source)?;
        let layout = header.layer_layout().ok_or_else(|| unread(&header))?;
        let canvas = Frame { left: 0, top: 0, width: header.width, height: header.height };
        let channels: usize = records.iter().map(|record| record.channels.len() + record.group_masks.len()).sum();
        let held = share.hold(channels as u64 * BUFFER)?;
        let opening = Opening { content: &content, limits, share: share.clone(), cancel };
        let mut layers = Vec::new();
        let (mut is_base_hidden, mut laid) = (false, 0_u64);
        for record in &records {
            let layer = &record.layer;
            let seen = layer.frame.and_then(|own| on_canvas(own, canvas));
            if !layer.is_clipped {
                is_base_hidden = layer.is_hidden || seen.is_none();
            }
            let (Some(own), Some(seen)) = (layer.frame, seen) else { continue };
            if layer.is_hidden || layer.is_clipped && is_base_hidden {
                continue;
            }
            laid = laid.saturating_add(u64::from(seen.width) * u64::from(seen.height));
            let most = limits.max_pixels.saturating_mul(MOST_LAID);
            if laid > most {
                let what = format!("a {} file whose layers have more than {most} pixels in all", header.format);
                return Err(MediaError::unsupported(header.format, what));
            }
            limits.check_size(own.width.into(), own.height.into())?;
            let rows = |layout, wanted| LayerRows::open(&opening, &header, record, seen, layout, wanted);
            // What a layer is clipped to is in the same groups.
            let group_masks = if layer.is_clipped { &[][..] } else { &record.group_masks };
            let alpha = if has_alpha(record, own) || !group_masks.is_empty() {
                Some(rows(Layout::Gray, Wanted::Alpha)?.masked_by(&opening, &header, group_masks)?)
            } else {
                None
            };
            let left = seen.left as usize;
            layers.push(Laid {
                colors: rows(layout, Wanted::Colors)?,
                alpha,
                columns: left..left + seen.width as usize,
                rows: seen.top.into()..seen.bottom(),
                opacity: f32::from(layer.opacity) / 255.0 * f32::from(record.fill) / 255.0,
                blend: layer.blend,
                is_clipped: layer.is_clipped,
            });
        }
        let size = (header.width, header.height);
        Ok(Self { size, layout, layers, share, _held: held, next: 0 })
    }

    fn row(&mut self, pixels: &mut [u8]) -> Result<(), MediaError> {
        let width = self.size.0 as usize;
        let colors = self.layout.samples();
        let y = i64::from(self.next);
        let is_ink = self.layout == Layout::Cmyk;
        let mut canvas = vec![0_f32; width * (colors + 1)]; // bounded: by the width, which has been checked
        let mut base = vec![0_f32; width]; // bounded: by the width, which has been checked
        for layer in &mut self.layers {
            if !layer.is_clipped {
                base.fill(0.0);
            }
            if !layer.rows.contains(&y) {
                continue;
            }
            let (mut stored, mut covered) = (Vec::new(), Vec::new());
            layer.colors.append(1, &mut stored)?;
            if let Some(alpha) = &mut layer.alpha {
                alpha.append(1, &mut covered)?;
            }
            for (at, x) in layer.columns.clone().enumerate() {
                let covers = covered.get(at).map_or(1.0, |alpha| f32::from(*alpha) / 255.0) * layer.opacity;
                let covers = if layer.is_clipped { covers * base[x] } else { covers };
                if !layer.is_clipped {
                    base[x] = covers;
                }
                if covers == 0.0 {
                    continue;
                }
                let light = |sample: u8| f32::from(if is_ink { 255 - sample } else { sample }) / 255.0;
                let below = &mut canvas[x * (colors + 1)..][..colors + 1];
                let backdrop = below[colors];
                let both = covers + backdrop - covers * backdrop;
                for (below, sample) in below.iter_mut().zip(&stored[at * colors..][..colors]) {
                    let sample = light(*sample);
                    let mixed = (1.0 - backdrop) * sample + backdrop * blended(layer.blend, *below, sample);
                    *below = ((1.0 - covers) * backdrop * *below + covers * mixed) / both;
                }
                below[colors] = both;
            }
        }
        for (pixel, canvas) in pixels.chunks_exact_mut(colors + 1).zip(canvas.chunks_exact(colors + 1)) {
            for (at, (sample, light)) in pixel.iter_mut().zip(canvas).enumerate() {
                let byte = (light.clamp(0.0, 1.0) * 255.0).round() as u8;
                *sample = if is_ink && at < colors { 255 - byte } else { byte };
            }
        }
        Ok(())
    }
}

/// What of a layer lies on the canvas.
fn on_canvas(own: Frame, canvas: Frame) -> Option<Frame> {
    let within = |from: i32, length: u32, most: u32| {
        let end = (i64::from(from) + i64::from(length)).clamp(0, most.into());
        let start = i64::from(from).clamp(0, end);
        Some((i32::try_from(start).ok()?, u32::try_from(end - start).ok().filter(|length| *length > 0)?))
    };
    let (left, width) = within(own.left, own.width, canvas.width)?;
    let (top, height) = within(own.top, own.height, canvas.height)?;
    Some(Frame { left, top, width, height })
}

impl Pieces for Flattened<'_> {
    fn width(&self) -> u32 {
        self.size.0
    }

    fn height(&self) -> u32 {
        self.size.1
    }

    fn layout(&self) -> Layout {
        match self.layout {
            Layout::Gray => Layout::GrayAlpha,
            Layout::Cmyk => Layout::CmykAlpha,
            _ => Layout::Rgba,
        }
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let stride = u64::from(self.size.0) * self.layout().samples() as u64;
        for _ in 0..wanted.min(self.size.1 - self.next) {
            let start = pixels.len();
            self.share.lengthen(pixels, stride)?;
            self.row(&mut pixels[start..])?;
            self.next += 1;
        }
        Ok(())
    }
}

/// Modes that mix the colours of a pixel with each other are laid on as normal.
fn blended(mode: Blend, below: f32, above: f32) -> f32 {
    let multiply = below * above;
    let screen = below + above - multiply;
    let hard = |below: f32, above: f32| {
        if above <= 0.5 { 2.0 * below * above } else { 1.0 - 2.0 * (1.0 - below) * (1.0 - above) }
    };
    let burn = |below: f32, above: f32| match above {
        _ if below >= 1.0 => 1.0,
        above if above <= 0.0 => 0.0,
        above => 1.0 - ((1.0 - below) / above).min(1.0),
    };
    let dodge = |below: f32, above: f32| match above {
        _ if below <= 0.0 => 0.0,
        above if above >= 1.0 => 1.0,
        above => (below / (1.0 - above)).min(1.0),
    };
    let vivid = |below: f32, above: f32| {
        if above <= 0.5 { burn(below, 2.0 * above) } else { dodge(below, 2.0 * above - 1.0) }
    };
    match &mode.0 {
        b"dark" => below.min(above),
        b"lite" => below.max(above),
        b"mul " => multiply,
        b"scrn" => screen,
        b"idiv" => burn(below, above),
        b"div " => dodge(below, above),
        b"lbrn" => (below + above - 1.0).max(0.0),
        b"lddg" => (below + above).min(1.0),
        b"over" => hard(above, below),
        b"hLit" => hard(below, above),
        b"sLit" => match above <= 0.5 {
            true => 2.0 * multiply + below * below * (1.0 - 2.0 * above),
            false => 2.0 * below * (1.0 - above) + below.sqrt() * (2.0 * above - 1.0),
        },
        b"vLit" => vivid(below, above),
        b"lLit" => (below + 2.0 * above - 1.0).clamp(0.0, 1.0),
        b"pLit" => match above <= 0.5 {
            true => below.min(2.0 * above),
            false => below.max(2.0 * above - 1.0),
        },
        b"hMix" => f32::from(below + above >= 1.0),
        b"diff" => (below - above).abs(),
        b"smud" => below + above - 2.0 * multiply,
        b"fsub" => (below - above).max(0.0),
        b"fdiv" => {
            if above <= 0.0 {
                1.0
            } else {
                (below / above).min(1.0)
            }
        }
        _ => above,
    }
}
