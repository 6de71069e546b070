//! Photoshop files of modes that few send, and such as were saved without their merged picture.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::decode::{Pixels as Decoded, decode};
use super::super::*;
use super::support::*;

const WIDTH: usize = 16;
const HEIGHT: usize = 8;

/// A layer of one colour: its frame (top, left, bottom, right), colours and alpha, opacity, blend mode, fill, and whether it is clipped.
#[derive(Clone, Copy)]
struct Painted {
    frame: [i32; 4],
    color: [u8; 4],
    opacity: u8,
    blend: [u8; 4],
    fill: u8,
    is_clipped: bool,
    /// Of the edge of a group: 3 of the lower one, 1 of the upper one.
    section: u8,
    /// Its frame, what it is there, and outside of it.
    mask: Option<([i32; 4], u8, u8)>,
    /// What Photoshop knows it by; 0 for none.
    id: u8,
}

const PLAIN: Painted = Painted {
    frame: [0, 0, 8, 16],
    color: [0, 0, 0, 255],
    opacity: 255,
    blend: *b"norm",
    fill: 255,
    is_clipped: false,
    section: 0,
    mask: None,
    id: 0,
};

impl Painted {
    /// Layers in a group that has a mask.
    fn masked_group(layers: &[Self], mask: ([i32; 4], u8, u8)) -> Vec<Self> {
        let edge = |section, mask| Self { frame: [0; 4], section, mask, ..PLAIN };
        [&[edge(3, None)], layers, &[edge(1, Some(mask))]].concat()
    }

    fn record(&self) -> (Vec<u8>, Vec<u8>) {
        let area = |[top, left, bottom, right]: [i32; 4]| ((bottom - top) * (right - left)) as usize;
        let mut record: Vec<u8> = self.frame.iter().flat_map(|side| side.to_be_bytes()).collect();
        let mut channels = Vec::new();
        if self.section == 0 {
            channels.extend([0, 1, 2, 3].map(|at| ([0_i16, 1, 2, -1][at], self.color[at], area(self.frame))));
        }
        channels.extend(self.mask.map(|(frame, inside, _)| (-2, inside, area(frame))));
        record.extend((channels.len() as u16).to_be_bytes());
        let mut pixels = Vec::new();
        for (channel, sample, count) in channels {
            record.extend(channel.to_be_bytes());
            record.extend((2 + count as u32).to_be_bytes());
            pixels.extend([0, 0]);
            pixels.extend(vec![sample; count]);
        }
        record.extend(b"8BIM");
        record.extend(self.blend);
        record.extend([self.opacity, u8::from(self.is_clipped), 0, 0]);
        let mut extra = Vec::new();
        match self.mask {
            None => extra.extend([0; 4]),
            Some((frame, _, outside)) => {
                extra.extend(20_u32.to_be_bytes());
                extra.extend(frame.iter().flat_map(|side| side.to_be_bytes()));
                extra.extend([outside, 0, 0, 0]);
            }
        }
        // No blending ranges, and no name.
        extra.extend([0; 8]);
        extra.extend([&b"8BIMiOpa"[..], &4_u32.to_be_bytes(), &[self.fill, 0, 0, 0]].concat());
        if self.section > 0 {
            extra.extend([&b"8BIMlsct"[..], &4_u32.to_be_bytes(), &[0, 0, 0, self.section]].concat());
        }
        if self.id > 0 {
            extra.extend([&b"8BIMlyid"[..], &4_u32.to_be_bytes(), &[0, 0, 0, self.id]].concat());
        }
        record.extend((extra.len() as u32).to_be_bytes());
        record.extend(extra);
        (record, pixels)
    }
}

struct Document {
    channels: u16,
    depth: u16,
    mode: u16,
    colors: Vec<u8>,
    resources: Vec<u8>,
    layers: Vec<Painted>,
    merged: Vec<u8>,
}

impl Document {
    fn write(&self, shop: &Workshop, name: &str) -> PathBuf {
        let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0".to_vec();
        bytes.extend(self.channels.to_be_bytes());
        bytes.extend((HEIGHT as u32).to_be_bytes());
        bytes.extend((WIDTH as u32).to_be_bytes());
        bytes.extend(self.depth.to_be_bytes());
        bytes.extend(self.mode.to_be_bytes());
        bytes.extend((self.colors.len() as u32).to_be_bytes());
        bytes.extend(&self.colors);
        bytes.extend((self.resources.len() as u32).to_be_bytes());
        bytes.extend(&self.resources);
        let mut info = Vec::new();
        if !self.layers.is_empty() {
            info.extend((self.layers.len() as i16).to_be_bytes());
            let (records, pixels): (Vec<_>, Vec<_>) = self.layers.iter().map(Painted::record).unzip();
            info.extend(records.concat());
            info.extend(pixels.concat());
            info.resize(info.len().next_multiple_of(4), 0);
        }
        bytes.extend((info.len() as u32 + 8).to_be_bytes());
        bytes.extend((info.len() as u32).to_be_bytes());
        bytes.extend(info);
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(0_u16.to_be_bytes());
        bytes.extend(&self.merged);
        let made = shop.file(name);
        fs::write(&made, bytes).unwrap();
        made
    }
}

fn resource(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"8BIM".to_vec();
    bytes.extend(id.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// As Photoshop writes it: its version, and whether the merged picture is real.
fn version(has_merged: bool) -> Vec<u8> {
    resource(1057, &[0, 0, 0, 1, u8::from(has_merged), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
}

fn read(source: &Path) -> (Picture, Vec<u8>) {
    let limits = Limits::default();
    let (decoded, _) = decode(&source.into(), &limits, &never).unwrap();
    let Decoded::Flow(mut rows) = decoded.pixels else { panic!("they flow") };
    let pixels = rows.read(HEIGHT as u32).unwrap().to_vec();
    (decoded.picture, pixels)
}

fn plain(mode: u16, channels: u16, depth: u16, merged: Vec<u8>) -> Document {
    Document { channels, depth, mode, colors: Vec::new(), resources: version(true), layers: Vec::new(), merged }
}

#[test]
fn bitmaps_indices_lab_light_and_inks_are_read() {
    let shop = Workshop::new();
    let area = WIDTH * HEIGHT;
    let plane = |sample: u8| vec![sample; area];
    // Bits that are set are black.
    let (_, pixels) = read(&plain(0, 1, 1, vec![0b1010_0000; area / 8]).write(&shop, "bits.psd"));
    assert_eq!(pixels[..8], [0, 255, 0, 255, 255, 255, 255, 255]);
    // A table: index 7 is orange, index 9 lets everything through.
    let mut colors = vec![0; 768];
    (colors[7], colors[256 + 7], colors[512 + 7]) = (250, 120, 10);
    let mut indices = plane(7);
    indices[1] = 9;
    let resources = [version(true), resource(1047, &[0, 9])].concat();
    let indexed = Document { colors, resources, ..plain(2, 1, 8, indices) };
    let (picture, pixels) = read(&indexed.write(&shop, "indexed.psd"));
    assert_eq!((&pixels[..8], picture.has_alpha), ([250, 120, 10, 255, 0, 0, 0, 0].as_slice(), true));
    // As LittleCMS has L* 54.29, a* 80.8, b* 69.9: red.
    let lab = [plane(138), plane(128 + 81), plane(128 + 70)].concat();
    let (picture, pixels) = read(&plain(9, 3, 8, lab).write(&shop, "lab.psd"));
    assert!(pixels[0] >= 252 && pixels[1] <= 12 && pixels[2] <= 12, "{:?}", &pixels[..3]);
    assert_eq!(picture.notes, [Note::LabConverted]);
    // Half the light is brighter than half of the numbers.
    let light: Vec<u8> = std::iter::repeat_n(0.5_f32.to_be_bytes(), area).flatten().collect();
    let (picture, pixels) = read(&plain(1, 1, 32, light).write(&shop, "light.psd"));
    assert_eq!((pixels[0], picture.notes), (188, vec![Note::LightCut]));
    // Three inks: what is left of white.
    let inks = [plane(255), plane(55), plane(0)].concat();
    let (picture, pixels) = read(&plain(7, 3, 8, inks).write(&shop, "inks.psd"));
    assert_eq!((&pixels[..4], picture.notes), ([0, 200, 255, 0].as_slice(), vec![Note::MultichannelTaken]));
}

/// Layers, and what the left and the right of the picture are then.
type Case = (&'static str, Vec<Painted>, [u8; 4], [u8; 4]);

#[test]
fn layers_are_laid_on_each_other_where_no_merged_picture_is() {
    let shop = Workshop::new();
    let ground = || Painted { color: [200, 100, 50, 255], ..PLAIN };
    let right = [0, 8, 8, 16];
    let left_half = [0, 0, 8, 8];
    let bright = Painted { color: [200, 200, 200, 255], ..PLAIN };
    let clipped = Painted { color: [90, 80, 70, 255], is_clipped: true, ..PLAIN };
    let cases: [Case; 12] = [
        ("alone", vec![Painted { frame: right, color: [9, 8, 7, 255], ..PLAIN }], [0, 0, 0, 0], [9, 8, 7, 255]),
        (
            "above",
            vec![ground(), Painted { frame: right, color: [9, 8, 7, 255], ..PLAIN }],
            [200, 100, 50, 255],
            [9, 8, 7, 255],
        ),
        (
            "half",
            vec![ground(), Painted { frame: right, opacity: 128, ..PLAIN }],
            [200, 100, 50, 255],
            [100, 50, 25, 255],
        ),
        ("fill", vec![ground(), Painted { frame: right, fill: 128, ..PLAIN }], [200, 100, 50, 255], [100, 50, 25, 255]),
        (
            "multiply",
            vec![ground(), Painted { frame: right, color: [128, 128, 128, 255], blend: *b"mul ", ..PLAIN }],
            [200, 100, 50, 255],
            [100, 50, 25, 255],
        ),
        (
            "screen",
            vec![ground(), Painted { frame: right, color: [128, 128, 128, 255], blend: *b"scrn", ..PLAIN }],
            [200, 100, 50, 255],
            [228, 178, 153, 255],
        ),
        (
            "difference",
            vec![ground(), Painted { frame: right, color: [255, 255, 255, 255], blend: *b"diff", ..PLAIN }],
            [200, 100, 50, 255],
            [55, 155, 205, 255],
        ),
        (
            "beside the canvas",
            vec![Painted { frame: [-2, 8, 20, 30], color: [1, 2, 3, 255], ..PLAIN }],
            [0, 0, 0, 0],
            [1, 2, 3, 255],
        ),
        // Seen only where the one below it is.
        (
            "clipped",
            vec![
                Painted { frame: right, color: [1, 1, 1, 255], ..PLAIN },
                Painted { color: [90, 80, 70, 255], is_clipped: true, ..PLAIN },
            ],
            [0, 0, 0, 0],
            [90, 80, 70, 255],
        ),
        // The mask of a group works on all in it and on nothing below.
        (
            "group",
            [
                vec![ground()],
                Painted::masked_group(&[bright, Painted { color: [9, 8, 7, 255], ..PLAIN }], (left_half, 255, 0)),
            ]
            .concat(),
            [9, 8, 7, 255],
            [200, 100, 50, 255],
        ),
        (
            "half a group",
            [vec![ground()], Painted::masked_group(&[PLAIN], (left_half, 128, 255))].concat(),
            [100, 50, 25, 255],
            [0, 0, 0, 255],
        ),
        (
            "clipped in a group",
            Painted::masked_group(&[bright, clipped], (left_half, 255, 0)),
            [90, 80, 70, 255],
            [0, 0, 0, 0],
        ),
    ];
    for (name, layers, left, right) in cases {
        let blank = vec![255; WIDTH * HEIGHT * 3];
        let document = Document { resources: version(false), layers, ..plain(3, 3, 8, blank) };
        let (picture, pixels) = read(&document.write(&shop, &format!("{name}.psd")));
        assert_eq!(picture.notes, [Note::LayersFlattened], "{name}");
        for (place, expected) in [(0, left), (WIDTH - 1, right), (WIDTH * HEIGHT - 1, right)] {
            let seen = &pixels[place * 4..][..4];
            let near = seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= 1);
            assert!(near, "{name} at {place}: {seen:?}, not {expected:?}");
        }
    }
    // Without layers the merged picture is all there is, whatever is said of it.
    let bare = Document { resources: version(false), ..plain(3, 3, 8, vec![77; WIDTH * HEIGHT * 3]) };
    let (picture, pixels) = read(&bare.write(&shop, "bare.psd"));
    assert_eq!((picture.notes, pixels), (vec![Note::NotMerged], vec![77; WIDTH * HEIGHT * 3]));
    // Each layer costs what of it lies on the canvas, and all of them together are bounded.
    let blank = || vec![255; WIDTH * HEIGHT * 3];
    let limits = Limits { max_pixels: (WIDTH * HEIGHT) as u64, ..Limits::default() };
    for (count, is_read) in [(16, true), (17, false)] {
        let layers = (0..count).map(|_| ground()).collect();
        let document = Document { resources: version(false), layers, ..plain(3, 3, 8, blank()) };
        let source = document.write(&shop, "many.psd");
        let found = decode(&(&source).into(), &limits, &never);
        let said = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said.contains("layers have more than"), !is_read, "{count}: {said}");
    }
    // What cannot be laid so is told of.
    let lab = Document { resources: version(false), ..plain(9, 3, 8, vec![128; WIDTH * HEIGHT * 3]) };
    assert!(read(&lab.write(&shop, "lab.psd")).0.notes.contains(&Note::NotMerged));
}

/// What was cut and filled up with zeros is damaged, or has the layers that it had.
#[test]
fn zeros_make_no_layers() {
    let shop = Workshop::new();
    let layer = |id| Painted { id, color: [id, 0, 0, 255], ..PLAIN };
    let layers = [vec![layer(1)], Painted::masked_group(&[layer(2), layer(3)], ([0, 0, 4, 8], 255, 0))].concat();
    let document = Document { layers, ..plain(3, 4, 8, vec![9; 4 * WIDTH * HEIGHT]) };
    let whole = fs::read(document.write(&shop, "whole.psd")).unwrap();
    let ids = |path: &Path| -> Result<Vec<Option<u32>>, MediaError> {
        let found = super::super::layers(path, &Limits::default(), &never)?;
        Ok(found.layers.iter().map(|layer| layer.id).collect())
    };
    let wanted = ids(&shop.file("whole.psd")).unwrap();
    assert_eq!(wanted, [Some(1), Some(2), Some(3)]);
    let records = whole.windows(8).position(|at| at == b"8BIMnorm").unwrap()..whole.len();
    let mut refused = 0;
    for from in records {
        let filled = [&whole[..from], &vec![0; whole.len() - from]].concat();
        let at = shop.file("filled.psd");
        fs::write(&at, filled).unwrap();
        match ids(&at) {
            Ok(found) => assert_eq!(found, wanted, "zeros from byte {from}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 200, "{refused}");
}
