//! One reader, the one that `READER` names, fed by libFuzzer. All are in one program, so that it is built once.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static READER: LazyLock<prepress::fuzzing::Reader> = LazyLock::new(|| {
    let wanted = std::env::var("READER").unwrap_or_default();
    let readers = prepress::fuzzing::readers();
    let names: Vec<&str> = readers.iter().map(|(name, _)| *name).collect();
    let found = readers.iter().find(|(name, _)| *name == wanted).map(|(_, read)| *read);
    found.unwrap_or_else(|| panic!("READER must be one of {}, not {wanted:?}", names.join(", ")))
});

fuzz_target!(|bytes: &[u8]| (*READER)(bytes));
