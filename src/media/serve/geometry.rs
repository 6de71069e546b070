//! Where a picture lies in a view.
//!
//! Commands take effect in the order of the protocol (layer transforms, view transform for images): the crop of the source, its
//! size as a layer, flip, rotation, what is added around it (together the composite picture), the region of it that is asked
//! for, the scale that brings the region into the view, and the part of the view that is wanted. All of it is one linear map on each
//! axis, so that only the pixels that are seen need to be looked at.

use std::ops::Range;

use super::super::error::MediaError;
use super::super::orientation::Orientation;
use super::super::picture::Resolution;
use crate::serving::{Commands, Crop, Extend, Fit, FitMode, LayerSize, Rect, Sides};

/// A part of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub start: f64,
    pub end: f64,
}

impl Span {
    pub fn len(self) -> f64 {
        self.end - self.start
    }

    fn shifted(self, by: f64) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }

    fn scaled(self, by: f64) -> Self {
        Self { start: self.start * by, end: self.end * by }
    }

    /// The same on an axis of this length that runs the other way.
    fn reversed(self, length: f64) -> Self {
        Self { start: length - self.end, end: length - self.start }
    }

    fn within(self, other: Self) -> Self {
        Self { start: self.start.clamp(other.start, other.end), end: self.end.clamp(other.start, other.end) }
    }
}

/// Pixels of the view that show something of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Place {
    pub fn columns(self) -> Range<u32> {
        self.x..self.x + self.width
    }

    pub fn rows(self) -> Range<u32> {
        self.y..self.y + self.height
    }
}

/// How the source becomes the view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    /// Size of the view.
    pub width: u32,
    pub height: u32,
    /// Pixels of the view for one of the composite picture.
    pub scale: (f64, f64),
    /// Where the composite picture lies. Beside it is the background of the view.
    pub area: Place,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Nothing of the picture is seen.
    Nothing,
    /// A part of the source, in pixels of its full resolution, turned, goes to a place of the view.
    Straight { columns: Span, rows: Span, turn: Orientation, place: Place },
    /// The picture lies askew.
    Askew(Askew),
}

/// A rotation by no multiple of a right angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Askew {
    /// The crop, which may reach beyond the source: its place and size.
    pub columns: Span,
    pub rows: Span,
    /// Pixels of the layer for one of the source.
    pub factor: (f64, f64),
    /// What is rotated: the crop, flipped.
    pub flip: Orientation,
    /// Clockwise, in radians.
    pub angle: f64,
    /// Middle of the composite picture in the view.
    pub middle: (f64, f64),
}

/// A part of the composite picture's axis, and the pixels of the view it is brought to.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: Span,
    offset: f64,
    scale: f64,
    /// Pixels of the view beyond which there is background only.
    clip: Span,
}

impl Axis {
    fn to_view(self, at: f64) -> f64 {
        (at - self.from.start) * self.scale + self.offset
    }

    fn of_view(self, at: f64) -> f64 {
        (at - self.offset) / self.scale + self.from.start
    }

    /// The pixels of the view, which has `length` of them, that `seen` comes to, and how many they are.
    fn pixels(self, seen: Span, length: u32) -> (u32, u32) {
        let end = f64::from(length);
        let (low, high) = (self.clip.start.round().clamp(0.0, end), self.clip.end.round().clamp(0.0, end));
        let first = self.to_view(seen.start).round().clamp(low, high);
        let last = self.to_view(seen.end).round().clamp(low, high);
        (first as u32, (last - first).max(0.0) as u32)
    }

    /// The same, and the part of `seen` that they show.
    fn shown(self, seen: Span, length: u32) -> Option<(u32, u32, Span)> {
        let (first, count) = self.pixels(seen, length);
        let (start, end) = (f64::from(first), f64::from(first) + f64::from(count));
        let part = Span { start: self.of_view(start), end: self.of_view(end) }.within(seen);
        (count > 0 && part.len() > 0.0).then_some((first, count, part))
    }

    /// On a view that is `scale` times larger and begins at `start`.
    fn of_part(self, start: f64, scale: f64) -> Self {
        Self {
            from: self.from,
            offset: self.offset * scale - start,
            scale: self.scale * scale,
            clip: self.clip.scaled(scale).shifted(-start),
        }
    }
}

/// How the layer becomes the composite picture.
#[derive(Debug, Clone, Copy)]
struct Layer {
    source: (f64, f64),
    /// The crop of the source, which may reach beyond it.
    columns: Span,
    rows: Span,
    /// Pixels of the layer for one of the source.
    factor: (f64, f64),
    /// Where the layer lies in the composite picture.
    corner: (f64, f64),
    composite: (f64, f64),
}

/// An axis of the composite picture and that of the source which lies along it.
#[derive(Debug, Clone, Copy)]
struct Along {
    source: f64,
    crop: Span,
    is_reversed: bool,
    factor: f64,
    corner: f64,
    composite: f64,
}

impl Along {
    /// What the composite picture has of the source.
    fn seen(self) -> Span {
        let inside = Span { start: -self.crop.start, end: self.source - self.crop.start };
        let inside = inside.within(Span { start: 0.0, end: self.crop.len() });
        let inside = if self.is_reversed { inside.reversed(self.crop.len()) } else { inside };
        inside.scaled(self.factor).shifted(self.corner).within(Span { start: 0.0, end: self.composite })
    }

    fn in_source(self, part: Span) -> Span {
        let part = part.shifted(-self.corner).scaled(1.0 / self.factor);
        let part = if self.is_reversed { part.reversed(self.crop.len()) } else { part };
        part.shifted(self.crop.start)
    }
}

/// `density` is what the picture says of its resolution.
pub(super) fn plan(source: (u32, u32), density: Option<Resolution>, commands: &Commands) -> Result<Plan, MediaError> {
    let source = (f64::from(source.0), f64::from(source.1));
    let (columns, rows) = crop(source, commands.crop);
    let layer = layer((columns.len(), rows.len()), density, commands.layer_size());
    let factor = (layer.0 / columns.len(), layer.1 / rows.len());
    let degrees = commands.rotate.degrees();
    let is_straight = degrees % 90.0 == 0.0;
    let quarters = (degrees / 90.0) as u32;
    let turned = if !is_straight {
        let (sin, cos) = (degrees.to_radians().sin().abs(), degrees.to_radians().cos().abs());
        // Whole pixels, and none more for what arithmetic leaves over.
        let side = |a: f64, b: f64| (a - 1e-6).ceil().max(b);
        (side(layer.0 * cos + layer.1 * sin, 1.0), side(layer.0 * sin + layer.1 * cos, 1.0))
    } else if quarters % 2 == 1 {
        (layer.1, layer.0)
    } else {
        layer
    };
    let margins = margins(turned, commands.extend);
    let composite = (turned.0 + margins.left + margins.right, turned.1 + margins.top + margins.bottom);
    if composite.0 < 1.0 || composite.1 < 1.0 {
        return Err(MediaError::NotDrawn { why: "extend: it takes away more than there is of the picture".to_owned() });
    }
    let (across, down, width, height) = view(composite, commands);
    let scale = (across.scale, down.scale);
    let area = area((across, down), composite, (width, height));
    let kind = if is_straight {
        let layer = Layer { source, columns, rows, factor, corner: (margins.left, margins.top), composite };
        straight(layer, commands, quarters, (across, down), (width, height))
    } else {
        let middle = (across.to_view(margins.left + turned.0 / 2.0), down.to_view(margins.top + turned.1 / 2.0));
        let flip = turn(commands.flip.left_right, commands.flip.up_down, false);
        Kind::Askew(Askew { columns, rows, factor, flip, angle: degrees.to_radians(), middle })
    };
    Ok(Plan { width, height, scale, area, kind })
}

/// The size of the layer, of a source of this size.
fn layer(source: (f64, f64), density: Option<Resolution>, size: Option<LayerSize>) -> (f64, f64) {
    let factor = match size {
        None => return source,
        Some(LayerSize::Within { width, height }) => {
            let across = width.map(|width| f64::from(width) / source.0);
            let down = height.map(|height| f64::from(height) / source.1);
            match (across, down) {
                (Some(across), Some(down)) => across.min(down),
                (across, down) => across.or(down).unwrap_or(1.0),
            }
        }
        Some(LayerSize::Times(factor)) => factor,
        Some(LayerSize::Resolution(wanted)) => density.map_or(1.0, |density| wanted / density.x),
    };
    ((source.0 * factor).round().max(1.0), (source.1 * factor).round().max(1.0))
}

/// What is added on each side of what was turned, in whole pixels.
fn margins(turned: (f64, f64), extend: Option<Extend>) -> Sides<f64> {
    match extend {
        None => Sides { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 },
        Some(Extend::Pixels(Sides { left, top, right, bottom })) => {
            Sides { left: left as f64, top: top as f64, right: right as f64, bottom: bottom as f64 }
        }
        Some(Extend::Normalized(Sides { left, top, right, bottom })) => Sides {
            left: (left * turned.0).round(),
            top: (top * turned.1).round(),
            right: (right * turned.0).round(),
            bottom: (bottom * turned.1).round(),
        },
    }
}

/// The pixels of the view that show the composite picture, whatever of it is transparent.
fn area((across, down): (Axis, Axis), composite: (f64, f64), (width, height): (u32, u32)) -> Place {
    let (x, wide) = across.pixels(Span { start: 0.0, end: composite.0 }, width);
    let (y, high) = down.pixels(Span { start: 0.0, end: composite.1 }, height);
    Place { x, y, width: wide, height: high }
}

/// The part of the source, which may reach beyond it, in whole pixels.
fn crop(source: (f64, f64), crop: Option<Crop>) -> (Span, Span) {
    let span = |start: f64, length: f64| {
        let start = start.round();
        Span { start, end: start + length.round().max(1.0) }
    };
    match crop {
        None => (span(0.0, source.0), span(0.0, source.1)),
        Some(Crop::Pixels(region)) => {
            (span(region.x as f64, region.width.into()), span(region.y as f64, region.height.into()))
        }
        Some(Crop::Normalized { x, y, width, height }) => {
            (span(x * source.0, width * source.0), span(y * source.1, height * source.1))
        }
    }
}

/// How each axis of the composite picture is brought into the view, and the size of the view.
fn view(composite: (f64, f64), commands: &Commands) -> (Axis, Axis, u32, u32) {
    let (columns, rows) = match commands.rgn {
        None => (Span { start: 0.0, end: composite.0 }, Span { start: 0.0, end: composite.1 }),
        Some(region) => {
            let span = |start: i64, length: u32| Span { start: start as f64, end: start as f64 + f64::from(length) };
            (span(region.x, region.width), span(region.y, region.height))
        }
    };
    let size = (columns.len(), rows.len());
    let scale = scale(size, commands);
    let drawn = ((size.0 * scale.0).round().max(1.0), (size.1 * scale.1).round().max(1.0));
    let wanted = (commands.wid.map(f64::from), commands.hei.map(f64::from));
    let mode = commands.fit.filter(|_| commands.scl.is_none()).map(|fit| fit.mode);
    let view = match mode {
        Some(FitMode::Constrain) => drawn,
        Some(FitMode::Wrap) => (drawn.0.max(wanted.0.unwrap_or(0.0)), drawn.1.max(wanted.1.unwrap_or(0.0))),
        _ => (wanted.0.unwrap_or(drawn.0), wanted.1.unwrap_or(drawn.1)),
    };
    let axis = |from: Span, view: f64, drawn: f64, align: f64| Axis {
        from,
        offset: ((view - drawn) * (1.0 + align) / 2.0).trunc(),
        scale: drawn / from.len(),
        clip: Span { start: 0.0, end: view },
    };
    let across = axis(columns, view.0, drawn.0, commands.align.0);
    let down = axis(rows, view.1, drawn.1, commands.align.1);
    // Larger than any limit on pictures is large enough.
    let side = |length: f64| length.min(f64::from(u32::MAX)) as u32;
    match commands.rect {
        None => (across, down, side(view.0), side(view.1)),
        Some(Rect { x, y, width, height, scale }) => {
            (across.of_part(x as f64, scale), down.of_part(y as f64, scale), width, height)
        }
    }
}

fn scale(size: (f64, f64), commands: &Commands) -> (f64, f64) {
    if let Some(factor) = commands.scl {
        return (1.0 / factor, 1.0 / factor);
    }
    let (across, down) = match (commands.wid, commands.hei) {
        (None, None) => return (1.0, 1.0),
        (Some(width), None) => {
            let scale = f64::from(width) / size.0;
            (scale, scale)
        }
        (None, Some(height)) => {
            let scale = f64::from(height) / size.1;
            (scale, scale)
        }
        (Some(width), Some(height)) => {
            let (across, down) = (f64::from(width) / size.0, f64::from(height) / size.1);
            match commands.fit.map(|fit| fit.mode) {
                None | Some(FitMode::Fit | FitMode::Constrain) => (across.min(down), across.min(down)),
                Some(FitMode::Crop | FitMode::Wrap) => (across.max(down), across.max(down)),
                Some(FitMode::Stretch) => (across, down),
                Some(FitMode::Hfit) => (across, across),
                Some(FitMode::Vfit) => (down, down),
            }
        }
    };
    match commands.fit {
        // A size alone says how large; a fit only says so if it may enlarge.
        Some(Fit { upscale: false, .. }) => (across.min(1.0), down.min(1.0)),
        _ => (across, down),
    }
}

fn straight(
    layer: Layer,
    commands: &Commands,
    quarters: u32,
    (across, down): (Axis, Axis),
    (width, height): (u32, u32),
) -> Kind {
    let (lr, ud) = (commands.flip.left_right, commands.flip.up_down);
    // Which way each axis of the composite picture runs along its axis of the crop.
    let (is_swapped, x_reversed, y_reversed) = match quarters {
        0 => (false, lr, ud),
        1 => (true, !ud, lr),
        2 => (false, !lr, !ud),
        _ => (true, ud, !lr),
    };
    let Layer { source, columns, rows, factor, corner, composite } = layer;
    let of_columns = (source.0, columns, factor.0);
    let of_rows = (source.1, rows, factor.1);
    let along = |(source, crop, factor): (f64, Span, f64), is_reversed, corner, composite| Along {
        source,
        crop,
        is_reversed,
        factor,
        corner,
        composite,
    };
    let (x, y) = if is_swapped { (of_rows, of_columns) } else { (of_columns, of_rows) };
    let x = along(x, x_reversed, corner.0, composite.0);
    let y = along(y, y_reversed, corner.1, composite.1);
    let shown = (across.shown(x.seen(), width), down.shown(y.seen(), height));
    let (Some((left, wide, x_part)), Some((top, high, y_part))) = shown else { return Kind::Nothing };
    let (x_part, y_part) = (x.in_source(x_part), y.in_source(y_part));
    let (columns, rows) = if is_swapped { (y_part, x_part) } else { (x_part, y_part) };
    let place = Place { x: left, y: top, width: wide, height: high };
    Kind::Straight { columns, rows, turn: turn(x_reversed, y_reversed, is_swapped), place }
}

/// The turn that makes the view's axes run so along those of the source.
fn turn(x_reversed: bool, y_reversed: bool, is_swapped: bool) -> Orientation {
    match (is_swapped, x_reversed, y_reversed) {
        (false, false, false) => Orientation::Upright,
        (false, true, false) => Orientation::MirroredAcross,
        (false, true, true) => Orientation::UpsideDown,
        (false, false, true) => Orientation::MirroredDown,
        (true, false, false) => Orientation::Transposed,
        (true, true, false) => Orientation::QuarterRight,
        (true, true, true) => Orientation::Transversed,
        (true, false, true) => Orientation::QuarterLeft,
    }
}
