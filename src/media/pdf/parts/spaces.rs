//! Whether a colour space can be read (ISO 32000-2, 8.6). hayro takes one that cannot for gray.

use hayro::hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro::hayro_syntax::page::Resources;

/// How deep spaces are followed that are made of others.
const DEEPEST: u32 = 8;

/// Bytes of a table of colours that is compressed, beyond which nobody asks how long it is.
const LONGEST_TABLE: usize = 1 << 16;

/// How many components colours have in a space; None of one that cannot be read.
pub fn components(space: &Object<'_>, resources: &Resources<'_>) -> Option<u64> {
    within(space, resources, DEEPEST)
}

fn within(space: &Object<'_>, resources: &Resources<'_>, depth: u32) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    match space {
        Object::Name(name) => match device(name.as_ref()) {
            Some(count) => Some(count),
            None => within(&resources.get_color_space(name)?, resources, depth),
        },
        Object::Array(space) => {
            let parts: Vec<Object<'_>> = space.iter::<Object<'_>>().take(5).collect();
            let Some(Object::Name(family)) = parts.first() else { return None };
            of_family(family.as_ref(), &parts[1..], resources, depth)
        }
        _ => None,
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

fn of_family(family: &[u8], parts: &[Object<'_>], resources: &Resources<'_>, depth: u32) -> Option<u64> {
    match (family, parts) {
        (b"CalGray", [Object::Dict(_), ..]) => Some(1),
        (b"CalRGB" | b"Lab", [Object::Dict(_), ..]) => Some(3),
        (b"ICCBased", [Object::Stream(profile), ..]) => {
            profile.dict().get::<u32>("N").filter(|count| matches!(count, 1 | 3 | 4)).map(u64::from)
        }
        (b"Indexed" | b"I", [base, Object::Number(highest), table, ..]) => {
            let colors = u64::try_from(highest.as_i64()).ok()?.saturating_add(1).min(256);
            let needed = colors * within(base, resources, depth)?;
            (bytes_of(table)? >= needed).then_some(1)
        }
        (b"Separation", [_, instead, function, ..]) => {
            within(instead, resources, depth)?;
            is_function(function).then_some(1)
        }
        (b"DeviceN", [Object::Array(inks), instead, function, ..]) => {
            within(instead, resources, depth)?;
            is_function(function).then(|| inks.iter::<Name<'_>>().count() as u64)
        }
        (b"Pattern", _) => Some(0),
        (name, []) => device(name),
        _ => None,
    }
}

/// How long a table of colours is, or that it is long.
fn bytes_of(table: &Object<'_>) -> Option<u64> {
    match table {
        Object::String(text) => Some(text.as_bytes().len() as u64),
        Object::Stream(table) if table.raw_data().len() > LONGEST_TABLE => Some(u64::MAX),
        Object::Stream(table) => Some(table.decoded_data().ok()?.len() as u64), // bounded: by LONGEST_TABLE, as far as it can grow
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

/// Whether the colours of a picture are in a space that cannot be read; what is coded by itself brings one along, and a stencil has none.
pub fn is_wrong_for(picture: &Stream<'_>, resources: &Resources<'_>) -> bool {
    let dict = picture.dict();
    let is_stencil = dict.get::<bool>("ImageMask").or_else(|| dict.get::<bool>("IM")).unwrap_or(false);
    let brings_one = || {
        let filters = dict.get::<Object<'_>>("Filter").or_else(|| dict.get::<Object<'_>>("F"));
        let is_jpx = |name: &Name<'_>| name.as_ref() == b"JPXDecode";
        match filters {
            Some(Object::Name(name)) => is_jpx(&name),
            Some(Object::Array(names)) => names.iter::<Name<'_>>().any(|name| is_jpx(&name)),
            _ => false,
        }
    };
    let says_one = dict.contains_key("ColorSpace") || dict.contains_key("CS");
    if is_stencil || !says_one || brings_one() {
        return false;
    }
    let space = dict.get::<Object<'_>>("ColorSpace").or_else(|| dict.get::<Object<'_>>("CS"));
    space.is_none_or(|space| components(&space, resources).is_none())
}

/// The spaces that colours of devices are to be taken for, where they are others (8.6.5.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    pub gray: bool,
    pub rgb: bool,
    pub cmyk: bool,
}

impl Defaults {
    pub fn of(resources: &Resources<'_>) -> Self {
        let spaces = &resources.color_spaces;
        let is_other = |name: &str, plain: &[u8]| match spaces.get::<Object<'_>>(name) {
            None => false,
            Some(Object::Name(same)) => device(same.as_ref()) != device(plain),
            Some(Object::Array(space)) => !is_srgb(&space),
            Some(_) => false,
        };
        Self {
            gray: is_other("DefaultGray", b"DeviceGray"),
            rgb: is_other("DefaultRGB", b"DeviceRGB"),
            cmyk: is_other("DefaultCMYK", b"DeviceCMYK"),
        }
    }

    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether colours in this space are others.
    pub fn is_about(self, space: &[u8]) -> bool {
        match device(space) {
            Some(1) => self.gray,
            Some(3) => self.rgb,
            Some(4) => self.cmyk,
            _ => false,
        }
    }
}

/// Whether a profile is the one that colours of devices are shown by: by its name, which stands near its beginning.
fn is_srgb(space: &Array<'_>) -> bool {
    const NEAR: usize = 4096;
    let Some(profile) = space.iter::<Object<'_>>().nth(1).and_then(Object::into_stream) else { return false };
    if profile.dict().get::<u32>("N") != Some(3) || profile.raw_data().len() > LONGEST_TABLE {
        return false;
    }
    let Ok(profile) = profile.decoded_data() else { return false };
    let beginning = &profile[..profile.len().min(NEAR)];
    let wide: Vec<u8> = "sRGB".bytes().flat_map(|letter| [0, letter]).collect();
    memchr::memmem::find(beginning, b"sRGB").is_some() || memchr::memmem::find(beginning, &wide).is_some()
}
