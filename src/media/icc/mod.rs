//! Conversions from one profile to another, with black point compensation.
//!
//! The darkest that a press prints is a dark gray, and a screen shows it as such, unless blacks are brought together: light is
//! scaled so that the black of the source becomes that of the target, and white stays white. The library has no such step. It
//! is made part of one of the profiles: of the curves of one that is made of curves and colorants, as both blacks are neutral;
//! else of the table of the source, which has a node wherever the library looks it up, so that nothing is lost by it.

mod black;
mod device;

use std::sync::Arc;

use moxcms::{
    ColorProfile, DataColorSpace, Lab, Layout, LutDataType, LutStore, LutType, LutWarehouse, Matrix3d, RenderingIntent,
    ToneReprCurve, Transform8BitExecutor, TransformOptions, Xyz,
};

use serde::{Deserialize, Serialize};

use super::decode::guarded;
use super::error::MediaError;
use super::format::Format;
use device::{Way, table_from_seen, table_to_seen};

/// What becomes of black where source and target have different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Blacks {
    /// The darkest of the one becomes the darkest of the other.
    #[default]
    Compensated,
    Kept,
}

impl Blacks {
    /// By what settings and commands say.
    pub const fn compensated(compensated: bool) -> Self {
        if compensated { Self::Compensated } else { Self::Kept }
    }
}

/// From the pixels of one profile and layout to those of another.
pub(super) fn link(
    (source, from): (&ColorProfile, Layout),
    (target, to): (&ColorProfile, Layout),
    intent: RenderingIntent,
    blacks: Blacks,
) -> Result<Arc<Transform8BitExecutor>, MediaError> {
    guarded(Format::IccProfile, || {
        let plain = || source.create_transform_8bit(from, target, to, options(intent));
        let linked = match blacks {
            Blacks::Kept => plain(),
            Blacks::Compensated => compensated((source, from), (target, to), intent).map_or_else(plain, Ok),
        };
        linked.map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    })
}

fn options(rendering_intent: RenderingIntent) -> TransformOptions {
    TransformOptions { rendering_intent, ..TransformOptions::default() }
}

/// None if there is nothing to compensate, or no way to.
fn compensated(
    (source, from): (&ColorProfile, Layout),
    (target, to): (&ColorProfile, Layout),
    intent: RenderingIntent,
) -> Option<Arc<Transform8BitExecutor>> {
    let scale = Scale::between(black::of_source(source, intent), black::of_target(target, intent))?;
    let (mut scaled, mut aimed) = (source.clone(), target.clone());
    match (table_to_seen(source, intent), table_from_seen(target, intent)) {
        (_, None) => aimed = with_curves(target, |light| scale.undo(light))?,
        (None, Some(_)) => scaled = with_curves(source, |light| scale.apply(light))?,
        (Some(_), Some(_)) => scaled = with_table(source, intent, &scale)?,
    }
    // Under other intents the library has a scale of its own, which would come on top.
    scaled.lut_a_to_b_colorimetric = table_to_seen(&scaled, intent).cloned();
    aimed.lut_b_to_a_colorimetric = table_from_seen(&aimed, intent).cloned();
    scaled.create_transform_8bit(from, &aimed, to, options(RenderingIntent::RelativeColorimetric)).ok()
}

/// From the light that is seen to that which is to be seen, as a share of white.
struct Scale {
    factor: f32,
}

impl Scale {
    /// That makes the one black the other, by their L*. None if they are the same.
    fn between(source: f32, target: f32) -> Option<Self> {
        /// No sample of 8 bits tells them apart.
        const SAME: f32 = 0.01;
        let light = |l: f32| Lab::new(l, 0.0, 0.0).to_xyz().y / Lab::new(100.0, 0.0, 0.0).to_xyz().y;
        let factor = (1.0 - light(target)) / (1.0 - light(source));
        ((source - target).abs() >= SAME).then_some(Self { factor })
    }

    fn apply(&self, light: f32) -> f32 {
        light * self.factor + (1.0 - self.factor)
    }

    fn undo(&self, light: f32) -> f32 {
        (light - (1.0 - self.factor)) / self.factor
    }

    fn look(&self, look: Lab) -> Lab {
        let (white, seen) = (Lab::new(100.0, 0.0, 0.0).to_xyz(), look.to_xyz());
        // Darker than black has a colour only by calculation.
        let scaled = |light: f32, white: f32| (self.apply(light / white) * white).max(0.0);
        Lab::from_xyz(Xyz::new(scaled(seen.x, white.x), scaled(seen.y, white.y), scaled(seen.z, white.z)))
    }
}

/// A profile of curves and colorants whose light is another.
fn with_curves(profile: &ColorProfile, light: impl Fn(f32) -> f32) -> Option<ColorProfile> {
    const POINTS: u16 = 4096;
    if !profile.is_matrix_shaper() {
        return None;
    }
    let mut profile = profile.clone();
    // The numbers of a standard would be taken before the curves.
    profile.cicp = None;
    for curve in [&mut profile.red_trc, &mut profile.green_trc, &mut profile.blue_trc] {
        let own = curve.as_ref()?.make_linear_evaluator().ok()?;
        let at = |point: u16| light(own.evaluate_value(f32::from(point) / f32::from(POINTS - 1)));
        let points = (0..POINTS).map(|point| (at(point).clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16);
        *curve = Some(ToneReprCurve::Lut(points.collect()));
    }
    Some(profile)
}

/// The colours of `source` with looks that are scaled, as a table.
fn with_table(source: &ColorProfile, intent: RenderingIntent, scale: &Scale) -> Option<ColorProfile> {
    // As many points as the library looks up between these colours and others.
    let (inputs, points) = match source.color_space {
        DataColorSpace::Cmyk => (4, 17),
        DataColorSpace::Rgb => (3, 33),
        _ => return None,
    };
    let way = Way::to_seen(source, intent)?;
    let mut profile = ColorProfile::default();
    profile.color_space = source.color_space;
    profile.profile_class = source.profile_class;
    profile.pcs = DataColorSpace::Lab;
    profile.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(LutDataType {
        num_input_channels: inputs as u8,
        num_output_channels: 3,
        num_clut_grid_points: points as u8,
        matrix: Matrix3d::IDENTITY,
        num_input_table_entries: 2,
        num_output_table_entries: 2,
        input_table: LutStore::Store16([0, u16::MAX].repeat(inputs)), // bounded: three or four
        clut_table: LutStore::Store16(looks(&way, scale, inputs, points)),
        output_table: LutStore::Store16([0, u16::MAX].repeat(3)),
        lut_type: LutType::Lut16,
    }));
    Some(profile)
}

/// Of all nodes, the last ink changing fastest.
fn looks(way: &Way, scale: &Scale, inputs: usize, points: usize) -> Vec<u16> {
    /// What ends the range of tables of 16 bits.
    const MOST: f32 = 65280.0;
    let nodes = points.pow(inputs as u32);
    let mut looks = Vec::with_capacity(nodes * 3); // bounded: by the nodes that the library looks up
    for node in 0..nodes {
        let mut numbers = [0.0; 4];
        let mut rest = node;
        for number in numbers[..inputs].iter_mut().rev() {
            *number = (rest % points) as f32 / (points - 1) as f32;
            rest /= points;
        }
        let Lab { l, a, b } = scale.look(way.look(numbers));
        let parts = [l / 100.0, (a + 128.0) / 255.0, (b + 128.0) / 255.0];
        looks.extend(parts.map(|part| (part * MOST).round() as u16));
    }
    looks
}
