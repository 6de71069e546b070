//! Commands that say how large the layer is and what surrounds it (`size`, `scale`, `res`, `extend`, `extendN`), and which part of
//! the finished view is wanted (`rect`). Without a `layer` command they belong to layer 0, which is the picture.

use serde::{Deserialize, Serialize};

use super::commands::LONGEST_SIDE;
use super::script::BadCommand;
use super::values::Values;

/// How the size of the layer follows from that of its source, after the crop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum LayerSize {
    /// `size`: as large as it can be within these sides, of which not both are free.
    Within { width: Option<u32>, height: Option<u32> },
    /// `scale`: as many times larger.
    Times(f64),
    /// `res`: at so many pixels an inch, if those of the source are known.
    Resolution(f64),
}

/// What is added to the sides of the layer after it was turned, or taken away where it is below 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Extend {
    Pixels(Sides<i64>),
    /// Relative to the layer.
    Normalized(Sides<f64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sides<T> {
    pub left: T,
    pub top: T,
    pub right: T,
    pub bottom: T,
}

/// A part of the view, after it was made larger by `scale`; it may reach beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    pub x: i64,
    pub y: i64,
    pub width: u32,
    pub height: u32,
    pub scale: f64,
}

/// Beyond the largest picture.
const FARTHEST: i64 = 1_000_000;

/// None: both sides are free.
pub(super) fn size(name: &str, value: &str) -> Result<Option<LayerSize>, BadCommand> {
    const FORM: &str = "two whole numbers of pixels: width,height, of which one may be 0";
    let values = Values::new(name, value, 2, 2, FORM)?;
    let side = |at| {
        let side = values.needed(values.whole(at, 0, LONGEST_SIDE, "width and height")?, FORM)?;
        Ok((side > 0).then_some(side as u32))
    };
    let (width, height) = (side(0)?, side(1)?);
    Ok((width.is_some() || height.is_some()).then_some(LayerSize::Within { width, height }))
}

pub(super) fn extend(name: &str, value: &str) -> Result<Extend, BadCommand> {
    const FORM: &str = "four whole numbers of pixels: left,top,right,bottom";
    let values = Values::new(name, value, 4, 4, FORM)?;
    let side = |at| values.needed(values.whole(at, -FARTHEST, FARTHEST, "each side")?, FORM);
    Ok(Extend::Pixels(Sides { left: side(0)?, top: side(1)?, right: side(2)?, bottom: side(3)? }))
}

pub(super) fn extend_normalized(name: &str, value: &str) -> Result<Extend, BadCommand> {
    const FORM: &str = "four numbers relative to the picture: left,top,right,bottom";
    const FARTHEST: f64 = 1000.0;
    let values = Values::new(name, value, 4, 4, FORM)?;
    let side = |at| values.needed(values.real(at, -FARTHEST, FARTHEST, "each side")?, FORM);
    Ok(Extend::Normalized(Sides { left: side(0)?, top: side(1)?, right: side(2)?, bottom: side(3)? }))
}

pub(super) fn rect(name: &str, value: &str) -> Result<Rect, BadCommand> {
    const FORM: &str = "four whole numbers of pixels, x,y,width,height, and a scale, which may be left out";
    let values = Values::new(name, value, 4, 5, FORM)?;
    let offset = |at| values.needed(values.whole(at, -FARTHEST, FARTHEST, "x and y")?, FORM);
    let side = |at| Ok(values.needed(values.whole(at, 1, LONGEST_SIDE, "width and height")?, FORM)? as u32);
    let scale = values.real(4, 0.0, 1_000_000.0, "the scale")?.unwrap_or(1.0);
    if scale == 0.0 {
        return Err(values.bad("the scale must be above 0"));
    }
    Ok(Rect { x: offset(0)?, y: offset(1)?, width: side(2)?, height: side(3)?, scale })
}
