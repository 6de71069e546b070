//! Where a picture lies in a view.
//!
//! Commands take effect in the order of the protocol: the crop of the source, flip, rotation (together the composite
//! picture), the region of it that is asked for, and the scale that brings the region into the view. All of it is one
//! linear map on each axis, so that only the pixels that are seen need to be looked at.

use super::super::orientation::Orientation;
use crate::serving::{Commands, Crop, Fit, FitMode};

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

/// How the source becomes the view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    /// Size of the view.
    pub width: u32,
    pub height: u32,
    /// Pixels of the view for one of the composite picture.
    pub scale: (f64, f64),
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
}

impl Axis {
    fn to_view(self, at: f64) -> f64 {
        (at - self.from.start) * self.scale + self.offset
    }

    fn of_view(self, at: f64) -> f64 {
        (at - self.offset) / self.scale + self.from.start
    }

    /// The pixels of the view, which has `length` of them, that show `seen`, and the part of `seen` they show.
    fn shown(self, seen: Span, length: u32) -> Option<(u32, u32, Span)> {
        let end = f64::from(length);
        let first = self.to_view(seen.start).round().clamp(0.0, end);
        let last = self.to_view(seen.end).round().clamp(0.0, end);
        let part = Span { start: self.of_view(first), end: self.of_view(last) }.within(seen);
        (last > first && part.len() > 0.0).then_some((first as u32, (last - first) as u32, part))
    }
}

pub(super) fn plan(source: (u32, u32), commands: &Commands) -> Plan {
    let source = (f64::from(source.0), f64::from(source.1));
    let (columns, rows) = crop(source, commands.crop);
    let degrees = commands.rotate.degrees();
    let is_straight = degrees % 90.0 == 0.0;
    let quarters = (degrees / 90.0) as u32;
    let composite = if !is_straight {
        let (sin, cos) = (degrees.to_radians().sin().abs(), degrees.to_radians().cos().abs());
        // Whole pixels, and none more for what arithmetic leaves over.
        let side = |a: f64, b: f64| (a - 1e-6).ceil().max(b);
        (side(columns.len() * cos + rows.len() * sin, 1.0), side(columns.len() * sin + rows.len() * cos, 1.0))
    } else if quarters % 2 == 1 {
        (rows.len(), columns.len())
    } else {
        (columns.len(), rows.len())
    };
    let (across, down, width, height) = view(composite, commands);
    let scale = (across.scale, down.scale);
    let kind = if is_straight {
        straight(source, (columns, rows), commands, quarters, (across, down), (width, height))
    } else {
        let middle = (across.to_view(composite.0 / 2.0), down.to_view(composite.1 / 2.0));
        let flip = turn(commands.flip.left_right, commands.flip.up_down, false);
        Kind::Askew(Askew { columns, rows, flip, angle: degrees.to_radians(), middle })
    };
    Plan { width, height, scale, kind }
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
    };
    let across = axis(columns, view.0, drawn.0, commands.align.0);
    let down = axis(rows, view.1, drawn.1, commands.align.1);
    // Larger than any limit on pictures is large enough.
    let side = |length: f64| length.min(f64::from(u32::MAX)) as u32;
    (across, down, side(view.0), side(view.1))
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
    source: (f64, f64),
    (columns, rows): (Span, Span),
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
    let (x_crop, y_crop) = if is_swapped { (rows, columns) } else { (columns, rows) };
    let (x_source, y_source) = if is_swapped { (source.1, source.0) } else { source };
    let seen = |crop: Span, source: f64, is_reversed: bool| {
        let inside = Span { start: -crop.start, end: source - crop.start }.within(Span { start: 0.0, end: crop.len() });
        if is_reversed { inside.reversed(crop.len()) } else { inside }
    };
    let x = across.shown(seen(x_crop, x_source, x_reversed), width);
    let y = down.shown(seen(y_crop, y_source, y_reversed), height);
    let (Some((x, wide, x_part)), Some((y, high, y_part))) = (x, y) else { return Kind::Nothing };
    let in_source = |part: Span, crop: Span, is_reversed: bool| {
        let part = if is_reversed { part.reversed(crop.len()) } else { part };
        part.shifted(crop.start)
    };
    let x_part = in_source(x_part, x_crop, x_reversed);
    let y_part = in_source(y_part, y_crop, y_reversed);
    let (columns, rows) = if is_swapped { (y_part, x_part) } else { (x_part, y_part) };
    let place = Place { x, y, width: wide, height: high };
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
