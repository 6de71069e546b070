//! Drawn shapes: rectangles, ellipses, lines, polygons and strokes, and the borders of links.

use std::f64::consts::PI;

use hayro::hayro_syntax::object::{Array, Dict, Name, Object};
use hayro::kurbo::{Affine, BezPath, Circle, Ellipse, Point, Rect, RoundedRect, Shape, Vec2};

use super::border::{Border, Style};
use super::content::{Canvas, Color, through};
use super::fonts::Fonts;
use super::{Appearance, MOST_POINTS, inner_rect, number, points, points_of, rect, text};

/// The size of what a line ends in, by its width (as poppler has it).
const ENDING: f64 = 6.0;

/// Of the caption of a line.
const CAPTION: f64 = 9.0;

/// How a shape is painted.
pub struct Pen {
    pub border: Border,
    pub line: Color,
    pub inside: Color,
}

impl Pen {
    fn of(annotation: &Dict<'_>) -> Self {
        Self {
            border: Border::of(annotation).unwrap_or_default(),
            line: Color::of(annotation, "C").unwrap_or(Color::BLACK),
            inside: Color::of(annotation, "IC").unwrap_or(Color::Transparent),
        }
    }

    pub fn has_line(&self) -> bool {
        self.border.width > 0.0 && self.line.is_visible()
    }

    /// A canvas with its colours; None where nothing of it could be seen.
    fn canvas(&self, annotation: &Dict<'_>) -> Option<Canvas> {
        if !self.has_line() && !self.inside.is_visible() {
            return None;
        }
        let mut canvas = Canvas::new(annotation, Fonts::standard("Helv"), "Normal");
        self.prepare(&mut canvas);
        Some(canvas)
    }

    pub fn prepare(&self, canvas: &mut Canvas) {
        canvas.fill_color(self.inside);
        canvas.stroke_color(self.line);
        canvas.line_style(&self.border);
    }

    fn paint(&self, canvas: &mut Canvas, shape: &impl Shape) {
        canvas.path(shape);
        canvas.paint(self.inside.is_visible(), self.has_line());
    }
}

pub fn square(annotation: &Dict<'_>) -> Option<Appearance> {
    boxed(annotation, |place| place)
}

pub fn circle(annotation: &Dict<'_>) -> Option<Appearance> {
    boxed(annotation, Ellipse::from_rect)
}

/// A shape that is as large as its rectangle, within which its line is.
fn boxed<S: Shape>(annotation: &Dict<'_>, shape: impl Fn(Rect) -> S) -> Option<Appearance> {
    let (pen, outer) = (Pen::of(annotation), inner_rect(annotation)?);
    let mut canvas = pen.canvas(annotation)?;
    let width = pen.border.width;
    let middle = shape(within(outer, width / 2.0));
    if canvas.is_translucent() && pen.has_line() && pen.inside.is_visible() {
        // What is inside does not show through the line.
        canvas.path(&shape(within(outer, width)));
        canvas.paint(true, false);
        pen_line(&mut canvas, &middle);
    } else {
        pen.paint(&mut canvas, &middle);
    }
    canvas.finish()
}

/// A rectangle that is smaller on all sides, as far as it can be.
pub fn within(rect: Rect, by: f64) -> Rect {
    rect.inset(-by.min(rect.width() / 2.0).min(rect.height() / 2.0))
}

pub fn link(annotation: &Dict<'_>) -> Option<Appearance> {
    let border = Border::of(annotation).filter(|border| border.width > 0.0)?;
    let line = Color::of(annotation, "C").unwrap_or(Color::BLACK);
    let pen = Pen { border, line, inside: Color::Transparent };
    let mut canvas = pen.canvas(annotation)?;
    let inner = within(rect(annotation)?, pen.border.width / 2.0);
    let radius = pen.border.radii.0.min(pen.border.radii.1);
    if pen.border.style == Style::Underline {
        pen.paint(&mut canvas, &through(&[Point::new(inner.x0, inner.y0), Point::new(inner.x1, inner.y0)], false));
    } else if radius > 0.0 {
        pen.paint(&mut canvas, &RoundedRect::from_rect(inner, radius));
    } else {
        pen.paint(&mut canvas, &inner);
    }
    canvas.finish()
}

pub fn ink(annotation: &Dict<'_>) -> Option<Appearance> {
    let pen = Pen { inside: Color::Transparent, ..Pen::of(annotation) };
    let mut canvas = pen.canvas(annotation)?;
    let (mut path, mut room) = (BezPath::new(), MOST_POINTS);
    for stroke in annotation.get::<Array<'_>>("InkList")?.iter::<Array<'_>>().take(MOST_POINTS) {
        let points = points(&stroke);
        let points = points.get(..room).unwrap_or(&points);
        room -= points.len();
        path.extend(through(points, false));
        if let [only] = points {
            path.line_to(*only);
        }
    }
    if path.is_empty() {
        return None;
    }
    // A stroke of one point is a dot.
    canvas.operate(&[1.0], "J");
    canvas.operate(&[1.0], "j");
    pen.paint(&mut canvas, &path);
    canvas.finish()
}

pub fn polygon(annotation: &Dict<'_>) -> Option<Appearance> {
    let pen = Pen::of(annotation);
    let mut canvas = pen.canvas(annotation)?;
    let path = outline(annotation).map(|mut path| {
        path.close_path();
        path
    });
    pen.paint(&mut canvas, &path.or_else(|| corners(annotation, true))?);
    canvas.finish()
}

fn corners(annotation: &Dict<'_>, is_closed: bool) -> Option<BezPath> {
    let points = points_of(annotation, "Vertices");
    (points.len() > 1).then(|| through(&points, is_closed))
}

/// The entry /Path (table 181): points, and curves to points.
fn outline(annotation: &Dict<'_>) -> Option<BezPath> {
    let mut path = BezPath::new();
    for part in annotation.get::<Array<'_>>("Path")?.iter::<Array<'_>>().take(MOST_POINTS) {
        match (&*points(&part), path.elements().is_empty()) {
            ([to], true) => path.move_to(*to),
            ([to], false) => path.line_to(*to),
            ([first, second, to], false) => path.curve_to(*first, *second, *to),
            _ => return None,
        }
    }
    (path.elements().len() > 1).then_some(path)
}

pub fn poly_line(annotation: &Dict<'_>) -> Option<Appearance> {
    let pen = Pen::of(annotation);
    let mut canvas = pen.canvas(annotation)?;
    let mut points = points_of(annotation, "Vertices");
    if points.len() < 2 {
        canvas.path(&outline(annotation)?);
        canvas.paint(false, pen.has_line());
        return canvas.finish();
    }
    let endings = Endings::of(annotation);
    let both = [endings.first, endings.last].map(|ending| Some(ending).filter(|_| pen.has_line()));
    let mut tips = Vec::new();
    for (at_end, ending) in both.into_iter().enumerate() {
        if at_end == 1 {
            points.reverse();
        }
        if let ([tip, next, ..], Some(ending)) = (&mut *points, ending) {
            let size = ending_size(&pen, tip.distance(*next));
            tips.push((ending, *tip, (*tip - *next).atan2(), size));
            *tip += shortened(ending, *tip, *next, size);
        }
    }
    canvas.path(&through(&points, false));
    canvas.paint(false, pen.has_line());
    for (ending, tip, angle, size) in tips {
        ending.paint(&mut canvas, &pen, tip, angle, size);
    }
    canvas.finish()
}

/// Where a line starts so as not to show in its ending.
fn shortened(ending: Ending, tip: Point, next: Point, size: f64) -> Vec2 {
    let whole = next - tip;
    if ending.is_filled() && whole.hypot() > 0.0 { whole.normalize() * size } else { Vec2::ZERO }
}

fn ending_size(pen: &Pen, length: f64) -> f64 {
    (ENDING * pen.border.width).min(length / 2.0)
}

pub fn line(annotation: &Dict<'_>) -> Option<Appearance> {
    let pen = Pen::of(annotation);
    let mut canvas = pen.canvas(annotation).filter(|_| pen.has_line())?;
    let [from, to] = *points_of(annotation, "L") else { return None };
    let length = from.distance(to);
    // From where the line starts, along it.
    let upright = Affine::translate(from.to_vec2()) * Affine::rotate((to - from).atan2());
    let leader = Leader::of(annotation);
    let (first, last) = (Point::new(0.0, leader.height), Point::new(length, leader.height));
    let (endings, size) = (Endings::of(annotation), ending_size(&pen, length));
    let start = first + shortened(endings.first, first, last, size);
    let end = last + shortened(endings.last, last, first, size);
    let caption = Caption::of(annotation, &mut canvas, length - 2.0 * size);
    let mut path = BezPath::new();
    match caption.as_ref().filter(|caption| caption.is_inline) {
        Some(caption) => {
            let half = caption.width / 2.0 + 2.0;
            path.extend(through(&[start, Point::new(length / 2.0 - half, leader.height)], false));
            path.extend(through(&[Point::new(length / 2.0 + half, leader.height), end], false));
        }
        None => path.extend(through(&[start, end], false)),
    }
    for x in [0.0, length] {
        if leader.begin != leader.end {
            path.extend(through(&[Point::new(x, leader.begin), Point::new(x, leader.end)], false));
        }
    }
    pen_line(&mut canvas, &(upright * path));
    let angle = (to - from).atan2();
    endings.first.paint(&mut canvas, &pen, upright * first, angle + PI, size);
    endings.last.paint(&mut canvas, &pen, upright * last, angle, size);
    if let Some(caption) = caption {
        caption.write(&mut canvas, upright, Point::new(length / 2.0, leader.height), pen.border.width);
    }
    canvas.finish()
}

fn pen_line(canvas: &mut Canvas, path: &impl Shape) {
    canvas.path(path);
    canvas.paint(false, true);
}

/// The lines from the points of a line annotation to the line itself (table 178).
struct Leader {
    /// How far the line is from the points.
    height: f64,
    begin: f64,
    end: f64,
}

impl Leader {
    fn of(annotation: &Dict<'_>) -> Self {
        let length = |key| number(annotation, key).unwrap_or(0.0);
        let (leader, extension, offset) = (length("LL"), length("LLE").max(0.0), length("LLO").max(0.0));
        let side = if leader < 0.0 { -1.0 } else { 1.0 };
        // Without leader lines there are no extensions of them.
        if leader == 0.0 {
            return Self { height: 0.0, begin: 0.0, end: 0.0 };
        }
        let height = leader + side * offset;
        Self { height, begin: side * offset, end: height + side * extension }
    }
}

/// The contents of a line annotation, written at the line.
struct Caption {
    glyphs: Vec<super::fonts::Glyph>,
    width: f64,
    is_inline: bool,
}

impl Caption {
    fn of(annotation: &Dict<'_>, canvas: &mut Canvas, room: f64) -> Option<Self> {
        if annotation.get::<bool>("Cap") != Some(true) {
            return None;
        }
        let glyphs = text::line(&mut canvas.fonts, &text::of(annotation, "Contents")?);
        let width = text::width(&glyphs) * CAPTION;
        let is_top = annotation.get::<Name<'_>>("CP").as_deref() == Some(b"Top");
        Some(Self { glyphs, width, is_inline: !is_top && width + 4.0 < room })
    }

    fn write(&self, canvas: &mut Canvas, upright: Affine, middle: Point, line_width: f64) {
        let rise = if self.is_inline { -0.35 * CAPTION } else { line_width + 0.25 * CAPTION };
        let at = Point::new(middle.x - self.width / 2.0, middle.y + rise);
        let place = Rect::new(at.x, at.y - CAPTION, at.x + self.width, at.y + CAPTION);
        canvas.include(upright.transform_rect_bbox(place));
        canvas.save();
        canvas.transform(upright);
        canvas.fill_color(Color::BLACK);
        canvas.text(&self.glyphs, at, CAPTION);
        canvas.restore();
    }
}

/// What a line ends in (table 179).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    None,
    Square,
    Circle,
    Diamond,
    OpenArrow,
    ClosedArrow,
    Butt,
    OpenArrowBack,
    ClosedArrowBack,
    Slash,
}

pub struct Endings {
    pub first: Ending,
    pub last: Ending,
}

impl Endings {
    /// /LE: two names, or one for callouts, which have one where they start.
    pub fn of(annotation: &Dict<'_>) -> Self {
        let mut names = match annotation.get::<Object<'_>>("LE") {
            Some(Object::Array(names)) => names.iter::<Name<'_>>().take(2).collect(),
            Some(Object::Name(name)) => vec![name],
            _ => Vec::new(),
        }
        .into_iter()
        .map(|name| Ending::named(&name));
        let mut next = || names.next().unwrap_or(Ending::None);
        Self { first: next(), last: next() }
    }
}

impl Ending {
    fn named(name: &[u8]) -> Self {
        match name {
            b"Square" => Self::Square,
            b"Circle" => Self::Circle,
            b"Diamond" => Self::Diamond,
            b"OpenArrow" => Self::OpenArrow,
            b"ClosedArrow" => Self::ClosedArrow,
            b"Butt" => Self::Butt,
            b"ROpenArrow" => Self::OpenArrowBack,
            b"RClosedArrow" => Self::ClosedArrowBack,
            b"Slash" => Self::Slash,
            _ => Self::None,
        }
    }

    /// Whether the line must not show in it.
    const fn is_filled(self) -> bool {
        matches!(self, Self::Square | Self::Circle | Self::Diamond | Self::ClosedArrow)
    }

    /// Paints it where a line ends that goes in the direction `angle`.
    pub fn paint(self, canvas: &mut Canvas, pen: &Pen, tip: Point, angle: f64, size: f64) {
        let is_closed = self.is_filled() || self == Self::ClosedArrowBack;
        let Some(shape) = self.shape(size) else { return };
        if size <= 0.0 || !pen.has_line() {
            return;
        }
        canvas.path(&(Affine::translate(tip.to_vec2()) * Affine::rotate(angle) * shape));
        canvas.paint(is_closed && pen.inside.is_visible(), true);
    }

    /// Its shape at the end of a line that comes from the left to the origin.
    fn shape(self, size: f64) -> Option<BezPath> {
        let half = size / 2.0;
        let at = |x: f64, y: f64| Point::new(x * size, y * size);
        let wing = (PI / 6.0).tan();
        let slash = Vec2::from_angle(PI / 3.0) * half;
        Some(match self {
            Self::None => return None,
            Self::Square => Rect::new(-size, -half, 0.0, half).to_path(0.01),
            Self::Circle => Circle::new((-half, 0.0), half).to_path(0.01),
            Self::Diamond => through(&[at(0.0, 0.0), at(-0.5, 0.5), at(-1.0, 0.0), at(-0.5, -0.5)], true),
            Self::OpenArrow => through(&[at(-1.0, wing), at(0.0, 0.0), at(-1.0, -wing)], false),
            Self::ClosedArrow => through(&[at(-1.0, wing), at(0.0, 0.0), at(-1.0, -wing)], true),
            Self::OpenArrowBack => through(&[at(1.0, wing), at(0.0, 0.0), at(1.0, -wing)], false),
            Self::ClosedArrowBack => through(&[at(1.0, wing), at(0.0, 0.0), at(1.0, -wing)], true),
            Self::Butt => through(&[at(0.0, 0.5), at(0.0, -0.5)], false),
            Self::Slash => through(&[(-slash).to_point(), slash.to_point()], false),
        })
    }
}
