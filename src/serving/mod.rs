//! The image-serving protocol: commands that say how a picture is to look (`wid=300&fmt=png-alpha&bgc=ffffff`), read
//! from text into values. What they do to pixels is `media::serve`.
//!
//! Sources: the image-serving HTTP protocol reference (basic syntax, command macros, and the page of each command).
//! Commands are separated by `&`, names mind no case, values are percent-encoded, the last command of a name counts, and
//! `&.text` is a comment. `$name$` stands for the commands of a named image format.
//!
//! A value outside its range is an error that names the command. A command that is not known here, or has no meaning for
//! a single picture, is noted and left out.

mod color;
mod commands;
mod script;
mod values;

pub use color::Color;
pub use commands::{
    Angle, BuiltInProfile, Commands, Compression, Crop, FileFormat, Fit, FitMode, Flip, IccTarget, Intent, Output,
    PixelType, Quality, Region, ResMode, UnsharpMask,
};
pub use script::{BadCommand, Resolved, Script, resolve};

#[cfg(test)]
mod tests;
