//! Objects as the source of PDF (ISO 32000-2, 7.3).

use std::io::Write;

use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, ObjRef, Object, ObjectIdentifier};

/// Nothing that a program writes is deeper.
const DEEPEST: u32 = 64;

/// Writes dictionaries, and keeps in mind what they refer to.
#[derive(Default)]
pub struct Source {
    pub bytes: Vec<u8>,
    pub references: Vec<ObjectIdentifier>,
}

impl Source {
    /// The entries of a dictionary, without those that are named here and without the signs around them.
    pub fn open_dict(&mut self, dict: &Dict<'_>, except: &[&[u8]]) {
        self.entries(dict, except, DEEPEST);
    }

    /// One entry of a dictionary, if it is there.
    pub fn open_entry(&mut self, dict: &Dict<'_>, key: &[u8]) {
        if let Some((_, value)) = dict.entries().find(|(name, _)| name.as_ref() == key) {
            self.name(key);
            self.bytes.push(b' ');
            self.value(&value, DEEPEST);
        }
    }

    /// What another source has.
    pub fn append(&mut self, other: Self) {
        self.bytes.extend(other.bytes);
        self.references.extend(other.references);
    }

    /// Any object but a stream, which cannot stand within another.
    pub fn object(&mut self, object: &Object<'_>) {
        self.nested(object, DEEPEST);
    }

    pub fn reference(&mut self, id: impl Into<ObjRef>) {
        let reference: ObjRef = id.into();
        self.references.push(reference.into());
        self.say(format_args!("{} {} R", reference.obj_number, reference.gen_number));
    }

    fn entries(&mut self, dict: &Dict<'_>, except: &[&[u8]], depth: u32) {
        for (key, value) in dict.entries() {
            if !except.contains(&key.as_ref()) {
                self.name(key.as_ref());
                self.bytes.push(b' ');
                self.value(&value, depth);
            }
        }
    }

    fn value(&mut self, value: &MaybeRef<Object<'_>>, depth: u32) {
        match value {
            MaybeRef::Ref(reference) => self.reference(*reference),
            MaybeRef::NotRef(object) => self.nested(object, depth),
        }
    }

    fn nested(&mut self, object: &Object<'_>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return self.bytes.extend(b"null") };
        match object {
            Object::Null(_) | Object::Stream(_) => self.bytes.extend(b"null"),
            Object::Boolean(value) => self.say(format_args!("{value}")),
            // As many digits as it takes, without an exponent.
            Object::Number(number) => self.say(format_args!("{}", number.as_f64())),
            Object::String(string) => self.string(string.as_bytes()),
            Object::Name(name) => self.name(name.as_ref()),
            Object::Array(array) => self.array(array, depth),
            Object::Dict(dict) => {
                self.bytes.extend(b"<<");
                self.entries(dict, &[], depth);
                self.bytes.extend(b">>");
            }
        }
    }

    fn array(&mut self, array: &Array<'_>, depth: u32) {
        self.bytes.push(b'[');
        for value in array.raw_iter() {
            self.value(&value, depth);
            self.bytes.push(b' ');
        }
        self.bytes.push(b']');
    }

    fn name(&mut self, name: &[u8]) {
        self.bytes.push(b'/');
        for byte in name {
            if byte.is_ascii_graphic() && !b"#()<>[]{}/%".contains(byte) {
                self.bytes.push(*byte);
            } else {
                self.say(format_args!("#{byte:02x}"));
            }
        }
    }

    fn string(&mut self, string: &[u8]) {
        self.bytes.push(b'<');
        string.iter().for_each(|byte| self.say(format_args!("{byte:02x}")));
        self.bytes.push(b'>');
    }

    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        // To memory, where writing does not fail.
        let _ = self.bytes.write_fmt(text);
    }
}
