//! The image-serving protocol: commands that say how a picture is to look (`wid=300&fmt=png-alpha&bgc=ffffff`), read
//! from text into values. What they do to pixels is `media::serve`.
//!
//! Sources: the image-serving HTTP protocol reference (basic syntax, command macros, and the page of each command).
//! Commands are separated by `&`, names mind no case, values are percent-encoded, the last command of a name counts, and
//! `&.text` is a comment. `$name$` stands for the commands of a named image format.
//!
//! A value outside its range is an error that names the command. A command that is not carried out is noted and left out,
//! with what it is: one that the reference has and this program has not, or none at all.
//!
//! The text is taken apart at `&` and `=` before anything in it is decoded (basic syntax, HTTP decoding; HTTP encoding): an encoded
//! one is a sign of a value. `wid%3D200` is no command, and is told as such.
//!
//! There is one layer, which is the picture. `crop`, `size`, `scale`, `res`, `flip`, `rotate`, `extend` and `bgColor` make the
//! composite picture of it, in this order (layer transforms); the `op_` commands change its colours; `rgn`, `scl`, `wid`, `hei`, `fit` and
//! `align` bring it into the view, of which `rect` is a part.

mod adjust;
mod color;
mod commands;
mod palette;
mod place;
mod reference;
mod script;
mod values;

pub use adjust::{Adjustments, Colorize, Norm};
pub use color::Color;
pub use commands::{
    Angle, BuiltInProfile, Commands, Compression, Crop, FileFormat, Fill, Fit, FitMode, Flip, IccTarget, Intent,
    Output, PixelType, Quality, Region, Request, ResMode, UnsharpMask,
};
pub use palette::{MOST_COLORS, Palette, Quantize};
pub use place::{Extend, LayerSize, Rect, Sides};
pub use reference::Why;
pub use script::{BadCommand, Ignored, Resolved, Script, resolve};

#[cfg(test)]
mod tests;
