//! Writes Photoshop files with layers, as the specification of the format has them, for tests of what reads them.

use std::io::Write;

/// Left, top, width, height.
pub type Frame = (i32, i32, u32, u32);

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Packing {
    Raw,
    PackBits,
    Zip,
    Predicted,
}

#[derive(Debug, Clone)]
pub struct Channel {
    pub id: i16,
    /// Columns and rows.
    pub size: (u32, u32),
    /// One byte a sample, whatever the depth.
    pub samples: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Mask {
    pub frame: Frame,
    pub outside: u8,
    pub is_off: bool,
}

#[derive(Debug, Clone)]
pub struct LayerOf {
    pub name: String,
    pub frame: Frame,
    pub channels: Vec<Channel>,
    pub packing: Packing,
    pub blend: [u8; 4],
    pub opacity: u8,
    pub is_hidden: bool,
    pub id: Option<u32>,
    pub mask: Option<Mask>,
    pub text: Option<String>,
    /// 1 is the upper edge of a group, 3 the lower one.
    pub section: Option<u32>,
}

impl LayerOf {
    pub fn bare(name: &str) -> Self {
        Self {
            name: name.into(),
            frame: (0, 0, 0, 0),
            channels: Vec::new(),
            packing: Packing::Raw,
            blend: *b"norm",
            opacity: 255,
            is_hidden: false,
            id: None,
            mask: None,
            text: None,
            section: None,
        }
    }

    /// A layer whose sample of channel n at a place is what `paint` says; channel -1 is its transparency.
    pub fn painted(name: &str, frame: Frame, ids: &[i16], paint: impl Fn(i16, u32, u32) -> u8) -> Self {
        let (_, _, width, height) = frame;
        let channel = |id: &i16| Channel {
            id: *id,
            size: (width, height),
            samples: (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| paint(*id, x, y)).collect(),
        };
        Self { frame, channels: ids.iter().map(channel).collect(), ..Self::bare(name) }
    }

    pub fn group(name: &str, members: Vec<Self>) -> Vec<Self> {
        let edge = |name: &str, section| Self { section: Some(section), ..Self::bare(name) };
        [vec![edge("</Layer group>", 3)], members, vec![edge(name, 1)]].concat()
    }
}

pub struct Psd {
    pub is_large: bool,
    pub depth: u16,
    /// 1 is gray, 3 RGB, 4 CMYK.
    pub mode: u16,
    pub size: (u32, u32),
    /// From the bottom.
    pub layers: Vec<LayerOf>,
}

impl Psd {
    pub fn rgb(size: (u32, u32), layers: Vec<LayerOf>) -> Self {
        Self { is_large: false, depth: 8, mode: 3, size, layers }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let colors: u16 = [0, 1, 0, 3, 4][usize::from(self.mode)];
        let mut file = b"8BPS".to_vec();
        file.extend([0, if self.is_large { 2 } else { 1 }, 0, 0, 0, 0, 0, 0]);
        file.extend(colors.to_be_bytes());
        file.extend(self.size.1.to_be_bytes());
        file.extend(self.size.0.to_be_bytes());
        file.extend(self.depth.to_be_bytes());
        file.extend(self.mode.to_be_bytes());
        file.extend([0; 8]);
        let mut info = self.layer_info();
        let mut section = Vec::new();
        if self.depth == 16 {
            // No layers where those of 8 bits are, and no mask for all of them.
            self.length(&mut section, 0);
            section.extend([0; 4]);
            info.resize(info.len().next_multiple_of(4), 0);
            section.extend(if self.is_large { *b"8B64Lr16" } else { *b"8BIMLr16" });
            self.length(&mut section, info.len());
            section.extend(info);
        } else {
            info.resize(info.len().next_multiple_of(2), 0);
            self.length(&mut section, info.len());
            section.extend(info);
            section.extend([0; 4]);
        }
        self.length(&mut file, section.len());
        file.extend(section);
        // The merged picture is white.
        file.extend([0, 0]);
        let samples = self.size.0 as usize * self.size.1 as usize * usize::from(colors) * usize::from(self.depth / 8);
        file.resize(file.len() + samples, 255);
        file
    }

    fn length(&self, out: &mut Vec<u8>, length: usize) {
        if self.is_large {
            out.extend((length as u64).to_be_bytes());
        } else {
            out.extend((length as u32).to_be_bytes());
        }
    }

    fn layer_info(&self) -> Vec<u8> {
        let mut records = (self.layers.len() as i16).to_be_bytes().to_vec();
        let mut pixels = Vec::new();
        for layer in &self.layers {
            let (left, top, width, height) = layer.frame;
            for side in [top, left, top + height as i32, left + width as i32] {
                records.extend(side.to_be_bytes());
            }
            records.extend((layer.channels.len() as u16).to_be_bytes());
            for channel in &layer.channels {
                let data = self.channel(channel, layer.packing);
                records.extend(channel.id.to_be_bytes());
                self.length(&mut records, data.len());
                pixels.extend(data);
            }
            records.extend(b"8BIM");
            records.extend(layer.blend);
            records.extend([layer.opacity, 0, if layer.is_hidden { 2 } else { 0 }, 0]);
            let extra = extra(layer);
            records.extend((extra.len() as u32).to_be_bytes());
            records.extend(extra);
        }
        records.extend(pixels);
        records
    }

    fn channel(&self, Channel { size: (width, height), samples, .. }: &Channel, packing: Packing) -> Vec<u8> {
        let wide = self.depth == 16;
        let rows: Vec<Vec<u8>> = if samples.is_empty() {
            Vec::new()
        } else {
            samples.chunks(*width as usize).map(|row| deep(row, wide, packing)).collect()
        };
        assert_eq!(rows.len(), *height as usize);
        match packing {
            Packing::Raw => [vec![0, 0], rows.concat()].concat(),
            Packing::PackBits => {
                let packed: Vec<Vec<u8>> = rows.iter().map(|row| pack_bits(row)).collect();
                let length = |row: &Vec<u8>| match self.is_large {
                    true => (row.len() as u32).to_be_bytes().to_vec(),
                    false => (row.len() as u16).to_be_bytes().to_vec(),
                };
                [vec![0, 1], packed.iter().flat_map(length).collect(), packed.concat()].concat()
            }
            Packing::Zip | Packing::Predicted => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&rows.concat()).unwrap();
                let code = if packing == Packing::Zip { 2 } else { 3 };
                [vec![0, code], encoder.finish().unwrap()].concat()
            }
        }
    }
}

/// A row as it is before it is compressed.
fn deep(row: &[u8], wide: bool, packing: Packing) -> Vec<u8> {
    let samples: Vec<u16> = row.iter().map(|sample| u16::from(*sample) * if wide { 257 } else { 1 }).collect();
    let before = std::iter::once(&0).chain(&samples);
    let stored: Vec<u16> = match packing {
        Packing::Predicted => samples.iter().zip(before).map(|(sample, left)| sample.wrapping_sub(*left)).collect(),
        _ => samples,
    };
    stored.iter().flat_map(|sample| if wide { sample.to_be_bytes().to_vec() } else { vec![*sample as u8] }).collect()
}

/// Runs of three and more bytes as runs, the rest as it is.
fn pack_bits(row: &[u8]) -> Vec<u8> {
    let (mut packed, mut rest) = (Vec::new(), row);
    while !rest.is_empty() {
        let run = rest.iter().take(128).take_while(|byte| **byte == rest[0]).count();
        if run > 2 {
            packed.extend([(1 - run as i16) as u8, rest[0]]);
            rest = &rest[run..];
        } else {
            let is_run = |at: &usize| rest[*at..].len() > 2 && rest[*at..*at + 3].iter().all(|byte| *byte == rest[*at]);
            let end = (1..rest.len()).find(is_run).unwrap_or(rest.len()).min(128);
            packed.push(end as u8 - 1);
            packed.extend(&rest[..end]);
            rest = &rest[end..];
        }
    }
    packed
}

fn extra(layer: &LayerOf) -> Vec<u8> {
    let mut out = Vec::new();
    match &layer.mask {
        None => out.extend([0; 4]),
        Some(Mask { frame: (left, top, width, height), outside, is_off }) => {
            out.extend(20_u32.to_be_bytes());
            for side in [*top, *left, top + *height as i32, left.wrapping_add(*width as i32)] {
                out.extend(side.to_be_bytes());
            }
            out.extend([*outside, if *is_off { 2 } else { 0 }, 0, 0]);
        }
    }
    // No blending ranges.
    out.extend([0; 4]);
    let short: Vec<u8> = layer.name.bytes().take(31).map(|byte| if byte.is_ascii() { byte } else { b'?' }).collect();
    out.push(short.len() as u8);
    out.extend(&short);
    out.resize(out.len() + (4 - (short.len() + 1) % 4) % 4, 0);
    let mut block = |key: &[u8; 4], mut data: Vec<u8>| {
        data.resize(data.len().next_multiple_of(2), 0);
        out.extend(b"8BIM");
        out.extend(key);
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(data);
    };
    let wide = |text: &str| -> Vec<u8> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let count = (units.len() as u32).to_be_bytes().to_vec();
        [count, units.iter().flat_map(|unit| unit.to_be_bytes()).collect()].concat()
    };
    block(b"luni", wide(&layer.name));
    if let Some(id) = layer.id {
        block(b"lyid", id.to_be_bytes().to_vec());
    }
    if let Some(section) = layer.section {
        block(b"lsct", section.to_be_bytes().to_vec());
    }
    if let Some(text) = &layer.text {
        // Version, transform, versions of the text and of its descriptor; an object TxLr with one item.
        let mut data = vec![0, 1];
        data.extend([0; 48]);
        data.extend([0, 50, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        data.extend(b"TxLr\0\0\0\x01\0\0\0\0Txt TEXT");
        data.extend(wide(&format!("{text}\0")));
        block(b"TySh", data);
    }
    out
}
