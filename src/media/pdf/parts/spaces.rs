//! Whether a colour space can be read (ISO 32000-2, 8.6). hayro takes one that cannot for gray.

use std::collections::BTreeMap;

use hayro::hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::Resources;
use moxcms::{ColorProfile, ToneReprCurve, Xyzd};

/// How deep spaces are followed that are made of others.
const DEEPEST: u32 = 8;

/// Bytes of a table of colours, or of a profile, in the file, beyond which nobody looks into it: a table has 1,024 colours at most,
/// and the profile that is looked for is small.
const LONGEST_TABLE: usize = 1 << 12;
const LONGEST_PROFILE: usize = 1 << 13;

/// What was found of tables and profiles, which many pictures and forms share.
#[derive(Debug, Default)]
pub struct Looked {
    tables: BTreeMap<ObjectIdentifier, u64>,
    profiles: BTreeMap<ObjectIdentifier, bool>,
}

impl Looked {
    /// How many components colours have in a space; None of one that cannot be read.
    pub fn components(&mut self, space: &Object<'_>, resources: &Resources<'_>) -> Option<u64> {
        self.within(space, resources, DEEPEST)
    }

    fn within(&mut self, space: &Object<'_>, resources: &Resources<'_>, depth: u32) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        match space {
            Object::Name(name) => match device(name.as_ref()) {
                Some(count) => Some(count),
                None => self.within(&resources.get_color_space(name)?, resources, depth),
            },
            Object::Array(space) => {
                let parts: Vec<Object<'_>> = space.iter::<Object<'_>>().take(5).collect();
                let Some(Object::Name(family)) = parts.first() else { return None };
                self.of_family(family.as_ref(), &parts[1..], resources, depth)
            }
            _ => None,
        }
    }

    fn of_family(&mut self, family: &[u8], parts: &[Object<'_>], resources: &Resources<'_>, depth: u32) -> Option<u64> {
        match (family, parts) {
            (b"CalGray", [Object::Dict(_), ..]) => Some(1),
            (b"CalRGB" | b"Lab", [Object::Dict(_), ..]) => Some(3),
            (b"CalCMYK", _) => Some(4),
            (b"ICCBased", [Object::Stream(profile), ..]) => {
                profile.dict().get::<u32>("N").filter(|count| matches!(count, 1 | 3 | 4)).map(u64::from)
            }
            (b"Indexed" | b"I", [base, Object::Number(highest), table, ..]) => {
                let colors = u64::try_from(highest.as_i64()).ok()?.saturating_add(1).min(256);
                let needed = colors * self.within(base, resources, depth)?;
                (self.bytes_of(table)? >= needed).then_some(1)
            }
            (b"Separation", [_, instead, function, ..]) => {
                self.within(instead, resources, depth)?;
                is_function(function).then_some(1)
            }
            (b"DeviceN", [Object::Array(inks), instead, function, ..]) => {
                self.within(instead, resources, depth)?;
                is_function(function).then(|| inks.iter::<Name<'_>>().count() as u64)
            }
            (b"Pattern", _) => Some(0),
            (name, []) => device(name),
            _ => None,
        }
    }

    /// How long a table of colours is, or that it is long.
    fn bytes_of(&mut self, table: &Object<'_>) -> Option<u64> {
        match table {
            Object::String(text) => Some(text.as_bytes().len() as u64),
            Object::Stream(table) if table.raw_data().len() > LONGEST_TABLE => Some(u64::MAX),
            Object::Stream(table) => {
                let look = || table.decoded_data().map_or(0, |data| data.len() as u64); // bounded: by LONGEST_TABLE
                Some(*self.tables.entry(table.obj_id()).or_insert_with(look))
            }
            _ => None,
        }
    }

    /// Whether the colours of a picture are in a space that cannot be read; what is coded by itself brings one along, and a stencil
    /// has none.
    pub fn is_wrong_for(&mut self, picture: &Stream<'_>, resources: &Resources<'_>) -> bool {
        let dict = picture.dict();
        let is_stencil = dict.get::<bool>("ImageMask").or_else(|| dict.get::<bool>("IM")).unwrap_or(false);
        let says_one = dict.contains_key("ColorSpace") || dict.contains_key("CS");
        if is_stencil || !says_one || brings_one(dict) {
            return false;
        }
        let space = dict.get::<Object<'_>>("ColorSpace").or_else(|| dict.get::<Object<'_>>("CS"));
        space.is_none_or(|space| self.components(&space, resources).is_none())
    }

    /// The spaces that colours of devices are to be taken for, where they are others.
    pub fn defaults(&mut self, resources: &Resources<'_>) -> Devices {
        let spaces = &resources.color_spaces;
        let mut is_other = |name: &str, plain: &[u8]| match spaces.get::<Object<'_>>(name) {
            None => false,
            Some(Object::Name(same)) => device(same.as_ref()) != device(plain),
            Some(Object::Array(space)) => !self.is_srgb(&space),
            Some(_) => false,
        };
        Devices {
            gray: is_other("DefaultGray", b"DeviceGray"),
            rgb: is_other("DefaultRGB", b"DeviceRGB"),
            cmyk: is_other("DefaultCMYK", b"DeviceCMYK"),
        }
    }

    /// Whether a profile is the one that colours of devices are shown by.
    fn is_srgb(&mut self, space: &Array<'_>) -> bool {
        let Some(profile) = space.iter::<Object<'_>>().nth(1).and_then(Object::into_stream) else { return false };
        if profile.dict().get::<u32>("N") != Some(3) || profile.raw_data().len() > LONGEST_PROFILE {
            return false;
        }
        *self.profiles.entry(profile.obj_id()).or_insert_with(|| {
            let data = profile.decoded_data().unwrap_or_default(); // bounded: by LONGEST_PROFILE
            ColorProfile::new_from_slice(&data).is_ok_and(|profile| shows_srgb(&profile))
        })
    }
}

/// Whether a picture is coded by something that has a space of its own.
fn brings_one(dict: &Dict<'_>) -> bool {
    let is_jpx = |name: &Name<'_>| name.as_ref() == b"JPXDecode";
    match dict.get::<Object<'_>>("Filter").or_else(|| dict.get::<Object<'_>>("F")) {
        Some(Object::Name(name)) => is_jpx(&name),
        Some(Object::Array(names)) => names.iter::<Name<'_>>().any(|name| is_jpx(&name)),
        _ => false,
    }
}

/// By its primaries, as they are adapted to D50, and its curve at three places (IEC 61966-2-1).
fn shows_srgb(profile: &ColorProfile) -> bool {
    const PRIMARIES: [[f64; 3]; 3] = [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]];
    /// How bright a colour is, and how near that has to be.
    const CURVE: [(f64, f64, f64); 3] = [(0.1, 0.010, 0.002), (0.5, 0.214, 0.004), (0.9, 0.787, 0.004)];
    const NEAR: f64 = 0.006;
    let near = |one: f64, other: f64| (one - other).abs() < NEAR;
    let is_curve = |curve: &ToneReprCurve| {
        CURVE.into_iter().all(|(color, bright, near)| at(curve, color).is_some_and(|is| (is - bright).abs() < near))
    };
    let has =
        |Xyzd { x, y, z }: Xyzd, [wide, bright, deep]: [f64; 3]| near(x, wide) && near(y, bright) && near(z, deep);
    let [red, green, blue] = PRIMARIES;
    let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc];
    has(profile.red_colorant, red)
        && has(profile.green_colorant, green)
        && has(profile.blue_colorant, blue)
        && curves.into_iter().all(|curve| curve.as_ref().is_some_and(is_curve))
}

/// How bright a colour is by a curve. That of sRGB is straight below a twenty-fifth, where nobody asks.
fn at(curve: &ToneReprCurve, color: f64) -> Option<f64> {
    match curve {
        ToneReprCurve::Lut(table) => match table.as_slice() {
            [] => Some(color),
            [gamma] => Some(color.powf(f64::from(*gamma) / 256.0)),
            table => {
                let place = color * (table.len() - 1) as f64;
                let sample =
                    |at: f64| table.get(at as usize).map_or(0.0, |sample| f64::from(*sample) / f64::from(u16::MAX));
                let (below, above) = (sample(place.floor()), sample(place.ceil()));
                Some(below + (above - below) * place.fract())
            }
        },
        ToneReprCurve::Parametric(numbers) => match numbers.as_slice() {
            [gamma] => Some(color.powf(f64::from(*gamma))),
            [gamma, factor, offset, ..] => {
                Some((f64::from(*factor) * color + f64::from(*offset)).powf(f64::from(*gamma)))
            }
            _ => None,
        },
    }
}

fn device(name: &[u8]) -> Option<u64> {
    match name {
        b"DeviceGray" | b"G" | b"CalGray" => Some(1),
        b"DeviceRGB" | b"RGB" | b"CalRGB" => Some(3),
        b"DeviceCMYK" | b"CMYK" | b"CalCMYK" => Some(4),
        // Of none: what is painted in it has colours of its own.
        b"Pattern" => Some(0),
        _ => None,
    }
}

fn is_function(function: &Object<'_>) -> bool {
    let has_type = |dict: &Dict<'_>| dict.get::<u32>("FunctionType").is_some_and(|kind| matches!(kind, 0 | 2..=4));
    match function {
        Object::Dict(dict) => has_type(dict),
        Object::Stream(stream) => has_type(stream.dict()),
        _ => false,
    }
}

/// Kinds of colours of devices (8.6.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Devices {
    pub gray: bool,
    pub rgb: bool,
    pub cmyk: bool,
}

impl Devices {
    /// Those that colours in a space come to in the end: its own, its base, or what stands in for it.
    pub fn of(space: &Object<'_>, resources: &Resources<'_>) -> Self {
        Self::within(space, resources, DEEPEST)
    }

    fn within(space: &Object<'_>, resources: &Resources<'_>, depth: u32) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::default() };
        match space {
            Object::Name(name) => match device(name.as_ref()) {
                Some(count) => Self { gray: count == 1, rgb: count == 3, cmyk: count == 4 },
                None => resources
                    .get_color_space(name)
                    .map_or_else(Self::default, |space| Self::within(&space, resources, depth)),
            },
            Object::Array(space) => {
                let parts: Vec<Object<'_>> = space.iter::<Object<'_>>().take(3).collect();
                match parts.as_slice() {
                    [Object::Name(family), base, ..] if matches!(family.as_ref(), b"Indexed" | b"I" | b"Pattern") => {
                        Self::within(base, resources, depth)
                    }
                    [Object::Name(family), _, instead] if matches!(family.as_ref(), b"Separation" | b"DeviceN") => {
                        Self::within(instead, resources, depth)
                    }
                    [only @ Object::Name(_)] => Self::within(only, resources, depth),
                    _ => Self::default(),
                }
            }
            _ => Self::default(),
        }
    }

    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    pub fn has_any_of(self, others: Self) -> bool {
        self.gray && others.gray || self.rgb && others.rgb || self.cmyk && others.cmyk
    }

    pub fn or(self, others: Self) -> Self {
        Self { gray: self.gray || others.gray, rgb: self.rgb || others.rgb, cmyk: self.cmyk || others.cmyk }
    }
}
