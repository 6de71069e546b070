//! The darkest black of a profile, as Adobe's paper on black point compensation finds it, and LittleCMS after it.
//!
//! It is a neutral one, and told by its lightness alone.

use moxcms::{ColorProfile, DataColorSpace, Lab, ProfileClass, ProfileVersion, RenderingIntent};

use super::device::{Numbers, Way};

/// What the perceptual black of profiles of version 4 is defined as.
const PERCEPTUAL: f32 = 3.1373;

/// A black beyond that is none.
const LIGHTEST: f32 = 50.0;

const RAMP: usize = 256;

/// L* of the black that pictures in this profile have.
pub(super) fn of_source(profile: &ColorProfile, intent: RenderingIntent) -> f32 {
    if let Some(defined) = defined(profile, intent) {
        return defined;
    }
    let is_press = profile.profile_class == ProfileClass::OutputDevice && profile.color_space == DataColorSpace::Cmyk;
    if is_press && intent == RenderingIntent::RelativeColorimetric {
        return of_press(profile);
    }
    darkest_colorant(profile, intent)
}

/// L* of the black that a picture can have which comes to this profile.
pub(super) fn of_target(profile: &ColorProfile, intent: RenderingIntent) -> f32 {
    if let Some(defined) = defined(profile, intent) {
        return defined;
    }
    let table = match intent {
        RenderingIntent::Saturation => &profile.lut_b_to_a_saturation,
        RenderingIntent::RelativeColorimetric => &profile.lut_b_to_a_colorimetric,
        RenderingIntent::Perceptual => &profile.lut_b_to_a_perceptual,
        RenderingIntent::AbsoluteColorimetric => return 0.0,
    };
    if table.is_none() {
        return of_source(profile, intent);
    }
    let is_relative = intent == RenderingIntent::RelativeColorimetric;
    let guess = if is_relative { of_source(profile, intent) } else { 0.0 };
    let Some(there_and_back) = RoundTrip::new(profile, intent) else { return 0.0 };
    let ramp = ramp(&there_and_back);
    let (least, most) = (ramp[0], ramp[RAMP - 1]);
    if least >= most {
        return 0.0;
    }
    if is_relative && is_straight(&ramp) {
        return guess;
    }
    // The curve is flat as far as the black point, bends, and goes straight on to white: the bend is fitted.
    let (from, to) = if is_relative { (0.1, 0.5) } else { (0.03, 0.25) };
    let shares = ramp.iter().enumerate().map(|(at, out)| (lightness(at), f64::from((out - least) / (most - least))));
    let shadows: Vec<(f64, f64)> = shares.filter(|(_, share)| (from..to).contains(share)).collect();
    root_of_parabola(&shadows).unwrap_or(0.0) as f32
}

/// Where nothing needs to be found out.
fn defined(profile: &ColorProfile, intent: RenderingIntent) -> Option<f32> {
    let known = matches!(
        profile.profile_class,
        ProfileClass::InputDevice | ProfileClass::DisplayDevice | ProfileClass::OutputDevice | ProfileClass::ColorSpace
    );
    if !known || intent == RenderingIntent::AbsoluteColorimetric {
        return Some(0.0);
    }
    let is_new = profile.version() >= ProfileVersion::V4_0 && profile.version() != ProfileVersion::Unknown;
    (is_new && intent != RenderingIntent::RelativeColorimetric).then(|| {
        let by_colorants = profile.is_matrix_shaper();
        if by_colorants { darkest_colorant(profile, RenderingIntent::RelativeColorimetric) } else { PERCEPTUAL }
    })
}

/// What black becomes when it is printed, whatever limit there is on inks.
fn of_press(profile: &ColorProfile) -> f32 {
    if profile.lut_a_to_b_perceptual.is_none() {
        return 0.0;
    }
    let there_and_back = RoundTrip::new(profile, RenderingIntent::Perceptual);
    there_and_back.map_or(0.0, |trip| trip.go(0.0).clamp(0.0, LIGHTEST))
}

/// All inks, or no light.
fn darkest_colorant(profile: &ColorProfile, intent: RenderingIntent) -> f32 {
    const LIGHT: f32 = 95.0;
    let table = match intent {
        RenderingIntent::Saturation => &profile.lut_a_to_b_saturation,
        RenderingIntent::Perceptual => &profile.lut_a_to_b_perceptual,
        RenderingIntent::RelativeColorimetric | RenderingIntent::AbsoluteColorimetric => {
            &profile.lut_a_to_b_colorimetric
        }
    };
    let darkest: Numbers = match profile.color_space {
        DataColorSpace::Cmyk => [1.0; 4],
        DataColorSpace::Rgb => [0.0; 4],
        _ => return 0.0,
    };
    if table.is_none() && !profile.is_matrix_shaper() {
        return 0.0;
    }
    let Some(way) = Way::to_seen(profile, intent) else { return 0.0 };
    match way.look(darkest).l {
        // A negative, in which all inks are white.
        light if light > LIGHT => 0.0,
        l => l.clamp(0.0, LIGHTEST),
    }
}

/// From what is seen to the device, and what is seen then.
struct RoundTrip {
    there: Way,
    back: Way,
}

impl RoundTrip {
    fn new(profile: &ColorProfile, intent: RenderingIntent) -> Option<Self> {
        let there = Way::from_seen(profile, intent)?;
        Some(Self { there, back: Way::to_seen(profile, RenderingIntent::RelativeColorimetric)? })
    }

    /// L* of what becomes of a neutral.
    fn go(&self, l: f32) -> f32 {
        self.back.look(self.there.find(Lab::new(l, 0.0, 0.0))).l
    }
}

fn lightness(at: usize) -> f64 {
    at as f64 * 100.0 / (RAMP - 1) as f64
}

/// What becomes of all neutrals from black to white; never darker than what was darker.
fn ramp(there_and_back: &RoundTrip) -> [f32; RAMP] {
    let mut ramp: [f32; RAMP] = std::array::from_fn(|at| there_and_back.go(lightness(at) as f32));
    for at in (1..RAMP - 1).rev() {
        ramp[at] = ramp[at].min(ramp[at + 1]);
    }
    ramp
}

/// Whether all but the shadows stay nearly what they are.
fn is_straight(ramp: &[f32; RAMP]) -> bool {
    let (least, most) = (ramp[0], ramp[RAMP - 1]);
    ramp.iter().enumerate().all(|(at, out)| {
        let l = lightness(at) as f32;
        l <= least + 0.2 * (most - least) || (l - out).abs() < 4.0
    })
}

/// Where the parabola that fits the points best crosses zero, going up.
fn root_of_parabola(points: &[(f64, f64)]) -> Option<f64> {
    const NOTHING: f64 = 1e-10;
    if points.len() < 4 {
        return None;
    }
    let sum = |power: i32| points.iter().map(|(x, _)| x.powi(power)).sum::<f64>();
    let weighed = |power: i32| points.iter().map(|(x, y)| y * x.powi(power)).sum::<f64>();
    let powers: [f64; 5] = std::array::from_fn(|power| sum(power as i32));
    let rows: [[f64; 3]; 3] = std::array::from_fn(|row| std::array::from_fn(|column| powers[row + column]));
    let [c, b, a] = solved(rows, std::array::from_fn(|row| weighed(row as i32)))?;
    let root = if a.abs() < NOTHING {
        if b.abs() < NOTHING {
            return None;
        }
        -c / b
    } else {
        let under_root = b * b - 4.0 * a * c;
        if under_root <= 0.0 {
            return None;
        }
        (-b + under_root.sqrt()) / (2.0 * a)
    };
    Some(root.clamp(0.0, f64::from(LIGHTEST)))
}

/// Three equations, by the rule of Cramer.
fn solved(rows: [[f64; 3]; 3], right: [f64; 3]) -> Option<[f64; 3]> {
    let determinant = |[a, b, c]: [[f64; 3]; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    let whole = determinant(rows);
    if whole.abs() < 1e-4 {
        return None;
    }
    Some(std::array::from_fn(|column| {
        let mut replaced = rows;
        for (row, right) in replaced.iter_mut().zip(right) {
            row[column] = right;
        }
        determinant(replaced) / whole
    }))
}
