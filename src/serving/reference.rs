//! Every command that the reference of the image-serving protocol has (command reference), for telling what is not supported
//! here from what is no command at all.

/// In small letters; those that are carried out here among them.
const COMMANDS: &[&str] = &[
    "align",
    "anchor",
    "anchorn",
    "bfc",
    "bgc",
    "bgcolor",
    "blendmode",
    "cache",
    "clippath",
    "clippathe",
    "clipxpath",
    "clipxpathe",
    "color",
    "crop",
    "cropn",
    "croppathe",
    "defaultimage",
    "dpr",
    "effect",
    "effectmask",
    "extend",
    "extendn",
    "fit",
    "flip",
    "fmt",
    "hei",
    "hide",
    "icc",
    "iccembed",
    "id",
    "imageset",
    "jpegsize",
    "layer",
    "locale",
    "map",
    "mask",
    "maskuse",
    "network",
    "op_blur",
    "op_brightness",
    "op_colorbalance",
    "op_colorize",
    "op_contrast",
    "op_grow",
    "op_growmask",
    "op_growmaskr",
    "op_hue",
    "op_invert",
    "op_noise",
    "op_saturation",
    "op_sharpen",
    "op_usm",
    "op_usmr",
    "opac",
    "origin",
    "originn",
    "pathattr",
    "pathembed",
    "perspective",
    "perspectiven",
    "pos",
    "posn",
    "printres",
    "pscan",
    "qlt",
    "quantize",
    "rect",
    "req",
    "res",
    "resmode",
    "rgn",
    "rotate",
    "scale",
    "scl",
    "size",
    "sizen",
    "src",
    "template",
    "text",
    "textangle",
    "textattr",
    "textflowpath",
    "textflowxpath",
    "textpath",
    "textps",
    "type",
    "wid",
    "xmpembed",
];

/// What `req` may ask for, in small letters.
const REQUESTS: &[&str] = &[
    "catalogprops",
    "exists",
    "imageprops",
    "imageset",
    "img",
    "loadcache",
    "map",
    "mask",
    "mbrset",
    "message",
    "props",
    "resolve",
    "savetofile",
    "set",
    "targets",
    "tmb",
    "userdata",
    "validate",
    "xlate",
    "xmp",
];

/// Formats that `fmt` may name and that are not made here.
const FORMATS: &[&str] = &[
    "eps",
    "f4m",
    "heic",
    "jpeg2000",
    "jpeg2000-alpha",
    "jpegxr",
    "jpegxr-alpha",
    "m3u8",
    "pdf",
    "swf",
    "swf-alpha",
    "swf3",
    "swf3-alpha",
];

/// Why a command has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The protocol has it; here it is not carried out.
    NotSupported,
    /// The protocol knows no such command.
    Unknown,
    /// Commands are taken apart before they are decoded: an encoded `=` or `&` separates nothing.
    Encoded,
    /// What is made has no place for it.
    NoPlace,
}

/// What is to be said of a command that is not carried out, by its name in small letters.
pub fn why_not(name: &str) -> Why {
    if COMMANDS.contains(&name) || name.starts_with('$') {
        Why::NotSupported
    } else if name.contains("%3d") || name.contains("%26") {
        Why::Encoded
    } else {
        Why::Unknown
    }
}

/// The same of a request.
pub fn why_no_request(value: &str) -> Why {
    let asked = value.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    if REQUESTS.contains(&asked.as_str()) { Why::NotSupported } else { Why::Unknown }
}

/// Why a format is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFormat {
    NotSupported,
    /// Builds with this cargo feature make it.
    OtherBuild {
        feature: &'static str,
    },
}

/// Why a format that the protocol has is not made, if it is not.
pub fn missing_format(name: &str) -> Option<MissingFormat> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "avif" | "avif-alpha" => (!cfg!(feature = "avif")).then_some(MissingFormat::OtherBuild { feature: "avif" }),
        name => FORMATS.contains(&name).then_some(MissingFormat::NotSupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_name_each_once() {
        for list in [COMMANDS, REQUESTS, FORMATS] {
            assert!(list.is_sorted() && list.windows(2).all(|pair| pair[0] != pair[1]));
            assert!(list.iter().all(|name| name.to_ascii_lowercase() == **name));
        }
    }

    #[test]
    fn what_is_not_carried_out_has_its_reason() {
        for (name, why) in [
            ("layer", Why::NotSupported),
            ("textps", Why::NotSupported),
            ("$price", Why::NotSupported),
            ("widht", Why::Unknown),
            ("", Why::Unknown),
            ("wid%3d200", Why::Encoded),
            ("wid%3d200%26fmt%3dpng", Why::Encoded),
        ] {
            assert_eq!(why_not(name), why, "{name}");
        }
        assert_eq!(why_no_request("tmb"), Why::NotSupported);
        assert_eq!(why_no_request("saveToFile,x"), Why::NotSupported);
        assert_eq!(why_no_request("picture"), Why::Unknown);
    }
}
