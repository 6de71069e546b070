//! The clipping path that Photoshop writes into JPEG, TIFF and its own files.
//!
//! Image resource 2999 names the path that clips, and resources 2000 to 2997 are the paths. A path is a list of records of
//! 26 bytes: the length of a subpath, then its knots, each of three points (where the curve comes from, the knot, where it
//! goes). Points are fractions of the picture's height and width in 8.24 fixed point.

use std::f32::consts::FRAC_1_SQRT_2;

use super::super::orientation::Orientation;

/// Most knots of a path: far more than anyone draws.
const MOST_KNOTS: usize = 10_000;

const NAME_OF_CLIPPING_PATH: u16 = 2999;
const PATHS: std::ops::RangeInclusive<u16> = 2000..=2997;

/// Whether an image resource tells of paths.
pub(crate) fn is_of_path(resource: u16) -> bool {
    resource == NAME_OF_CLIPPING_PATH || PATHS.contains(&resource)
}

/// A point as fractions of the width and the height.
type Point = (f32, f32);

/// Closed curves; what an odd number of them surrounds is inside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClippingPath {
    subpaths: Vec<Vec<Knot>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Knot {
    from: Point,
    at: Point,
    to: Point,
}

impl ClippingPath {
    /// Finds the path in a block of image resources. None when there is none, or it surrounds nothing.
    pub fn read(resources: &[u8]) -> Option<Self> {
        let all: Vec<Resource<'_>> = Resources(resources).collect();
        let named = all.iter().find(|one| one.id == NAME_OF_CLIPPING_PATH)?;
        let length = usize::from(*named.data.first()?);
        let name = named.data.get(1..=length)?;
        let path = all.iter().find(|one| PATHS.contains(&one.id) && one.name == name)?;
        let subpaths = subpaths(path.data);
        (!subpaths.is_empty()).then_some(Self { subpaths })
    }

    /// The path of a picture that is turned upright.
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        let turn = |point: &mut Point| *point = orientation.seen_point(*point);
        for knot in self.subpaths.iter_mut().flatten() {
            [&mut knot.from, &mut knot.at, &mut knot.to].into_iter().for_each(turn);
        }
        self
    }

    /// Its inside, as alpha for a picture of this size.
    pub(super) fn coverage(&self, width: u32, height: u32) -> Coverage {
        let scale = |(x, y): Point| (x * width as f32, y * height as f32);
        let mut edges = Vec::new();
        for knots in &self.subpaths {
            for (knot, next) in knots.iter().zip(knots.iter().cycle().skip(1)) {
                let curve = [knot.at, knot.to, next.from, next.at].map(scale);
                flatten(curve, &mut edges);
            }
        }
        edges.retain(|edge| edge.top < edge.bottom);
        edges.sort_by(|a, b| b.top.total_cmp(&a.top));
        Coverage { width, waiting: edges, active: Vec::new(), sums: vec![0.0; width as usize] } // bounded: a row, whose length has been checked
    }
}

struct Resource<'a> {
    id: u16,
    name: &'a [u8],
    data: &'a [u8],
}

/// Goes through image resources; a damaged one ends it.
struct Resources<'a>(&'a [u8]);

impl<'a> Iterator for Resources<'a> {
    type Item = Resource<'a>;

    fn next(&mut self) -> Option<Resource<'a>> {
        let rest = self.0.strip_prefix(b"8BIM")?;
        let (id, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(*rest.first()?);
        let name = rest.get(1..=length)?;
        // A length and a name together fill an even number of bytes, and so does the data.
        let rest = rest.get((length + 1).next_multiple_of(2)..)?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = u32::from_be_bytes(*size) as usize;
        let data = rest.get(..size)?;
        self.0 = rest.get(size.next_multiple_of(2)..).unwrap_or_default();
        Some(Resource { id: u16::from_be_bytes(*id), name, data })
    }
}

/// The data of an image resource, if it is among `resources`.
pub(crate) fn resource(resources: &[u8], id: u16) -> Option<&[u8]> {
    Resources(resources).find(|one| one.id == id).map(|one| one.data)
}

fn subpaths(records: &[u8]) -> Vec<Vec<Knot>> {
    let mut subpaths: Vec<Vec<Knot>> = Vec::new();
    let mut knots = 0;
    for record in records.as_chunks::<26>().0 {
        let number = |at: usize| i32::from_be_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        // Points are stored with the vertical part first.
        let point = |at: usize| (fraction(number(at + 4)), fraction(number(at)));
        match record[1] {
            // An open subpath surrounds what it would when closed.
            0 | 3 => subpaths.push(Vec::new()),
            1 | 2 | 4 | 5 if knots < MOST_KNOTS => {
                knots += 1;
                let knot = Knot { from: point(2), at: point(10), to: point(18) };
                if let Some(subpath) = subpaths.last_mut() {
                    subpath.push(knot);
                }
            }
            // How the fill rule begins, and the clipboard.
            _ => {}
        }
    }
    subpaths.retain(|subpath| subpath.len() > 1);
    subpaths
}

fn fraction(fixed: i32) -> f32 {
    fixed as f32 / (1 << 24) as f32
}

/// A straight piece of the outline, in pixels.
#[derive(Debug, Clone, Copy)]
struct Edge {
    top: f32,
    bottom: f32,
    /// Where it is at the height 0.
    x: f32,
    slope: f32,
}

impl Edge {
    fn new(from: (f32, f32), to: (f32, f32)) -> Self {
        let (upper, lower) = if from.1 <= to.1 { (from, to) } else { (to, from) };
        let slope = if lower.1 > upper.1 { (lower.0 - upper.0) / (lower.1 - upper.1) } else { 0.0 };
        Self { top: upper.1, bottom: lower.1, x: upper.0 - slope * upper.1, slope }
    }
}

/// Cuts a curve into straight pieces that lie within a tenth of a pixel of it.
fn flatten([a, b, c, d]: [(f32, f32); 4], edges: &mut Vec<Edge>) {
    let bend = |p: (f32, f32), q: (f32, f32), r: (f32, f32)| (p.0 - 2.0 * q.0 + r.0).hypot(p.1 - 2.0 * q.1 + r.1);
    let worst = bend(a, b, c).max(bend(b, c, d));
    let pieces = (worst * FRAC_1_SQRT_2 * 7.5).sqrt().ceil().clamp(1.0, 64.0) as u32;
    let mut last = a;
    for piece in 1..=pieces {
        let t = piece as f32 / pieces as f32;
        let s = 1.0 - t;
        let mix =
            |a: f32, b: f32, c: f32, d: f32| s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d;
        let next = if piece == pieces { d } else { (mix(a.0, b.0, c.0, d.0), mix(a.1, b.1, c.1, d.1)) };
        edges.push(Edge::new(last, next));
        last = next;
    }
}

/// How much of each pixel is inside, row by row from the top.
pub(super) struct Coverage {
    width: u32,
    /// By their tops, the highest last.
    waiting: Vec<Edge>,
    active: Vec<Edge>,
    /// Of the lines of a row, for each pixel.
    sums: Vec<f32>,
}

/// Lines across each row of pixels.
const LINES: u32 = 8;

impl Coverage {
    /// Writes row `y` as alpha. Rows are asked for in their order.
    pub fn row(&mut self, y: u32, alpha: &mut [u8]) {
        let (top, bottom) = (y as f32, (y + 1) as f32);
        while let Some(edge) = self.waiting.pop_if(|edge| edge.top < bottom) {
            self.active.push(edge);
        }
        self.active.retain(|edge| edge.bottom > top);
        self.sums.fill(0.0);
        let mut crossings = Vec::with_capacity(self.active.len()); // bounded: by the edges there are
        for line in 0..LINES {
            let at = top + (line as f32 + 0.5) / LINES as f32;
            let crossed = self.active.iter().filter(|edge| edge.top <= at && at < edge.bottom);
            crossings.clear();
            crossings.extend(crossed.map(|edge| (edge.x + edge.slope * at).clamp(0.0, self.width as f32)));
            crossings.sort_by(f32::total_cmp);
            for [from, to] in crossings.as_chunks::<2>().0 {
                fill(&mut self.sums, *from, *to);
            }
        }
        for (alpha, sum) in alpha.iter_mut().zip(&self.sums) {
            *alpha = (sum / LINES as f32 * 255.0 + 0.5).min(255.0) as u8;
        }
    }
}

/// Adds the part of each pixel that lies between two places on a line.
fn fill(sums: &mut [f32], from: f32, to: f32) {
    let (first, last) = (from as usize, (to as usize).min(sums.len().saturating_sub(1)));
    if first >= sums.len() {
        return;
    }
    if first == last {
        sums[first] += to - from;
        return;
    }
    sums[first] += (first + 1) as f32 - from;
    sums[first + 1..last].iter_mut().for_each(|sum| *sum += 1.0);
    sums[last] += to - last as f32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f32, top: f32, right: f32, bottom: f32) -> Vec<Knot> {
        let corner = |at: Point| Knot { from: at, at, to: at };
        [(left, top), (right, top), (right, bottom), (left, bottom)].map(corner).to_vec()
    }

    fn rows(path: &ClippingPath, width: u32, height: u32) -> Vec<Vec<u8>> {
        let mut coverage = path.coverage(width, height);
        let row = |y| {
            let mut alpha = vec![255; width as usize];
            coverage.row(y, &mut alpha);
            alpha
        };
        (0..height).map(row).collect()
    }

    #[test]
    fn what_is_surrounded_twice_is_outside() {
        let path = ClippingPath { subpaths: vec![square(0.0, 0.0, 1.0, 1.0), square(0.25, 0.25, 0.75, 0.75)] };
        let all = rows(&path, 4, 4);
        assert_eq!(all, [vec![255; 4], vec![255, 0, 0, 255], vec![255, 0, 0, 255], vec![255; 4]]);
    }

    #[test]
    fn pixels_on_the_outline_are_inside_in_part() {
        let path = ClippingPath { subpaths: vec![square(0.125, -3.0, 2.0, 0.625)] };
        let expected = [[128, 255, 255, 255], [128, 255, 255, 255], [64, 128, 128, 128], [0; 4]];
        for (row, expected) in rows(&path, 4, 4).iter().zip(expected) {
            assert!(row.iter().zip(expected).all(|(alpha, expected)| alpha.abs_diff(expected) <= 1), "{row:?}");
        }
    }

    #[test]
    fn damaged_resources_hold_no_path() {
        for bytes in [&b"8BIM"[..], b"8BIM\x0b\xb7\0\0\xff\xff\xff\xff", b"8BIM\x0b\xb7\x09", b"", b"nonsense"] {
            assert_eq!(ClippingPath::read(bytes), None);
        }
    }
}
