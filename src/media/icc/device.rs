//! What single colours of a device look like by its profile, and which of its colours look so.
//!
//! The library converts pictures from one profile to another; black points need the colour that stands between them.

use moxcms::{
    ColorProfile, Cube, DataColorSpace, Hypercube, Lab, LutDataType, LutMultidimensionalType, LutStore, LutType,
    LutWarehouse, RenderingIntent, ToneCurveEvaluator, ToneReprCurve, Xyz,
};

/// Up to four numbers from 0 to 1; what a step does not use is 0.
pub(super) type Numbers = [f32; 4];

type Curve = Box<dyn ToneCurveEvaluator + Send + Sync>;

/// One direction through a profile.
pub(super) struct Way {
    steps: Vec<Step>,
    connection: Connection,
}

enum Step {
    Curves(Vec<Curve>),
    Matrix { rows: [[f32; 3]; 3], offset: [f32; 3] },
    Grid(Grid),
}

struct Grid {
    points: [u8; 4],
    inputs: u8,
    outputs: u8,
    values: Vec<f32>,
}

/// How a profile writes what is seen.
#[derive(Clone, Copy)]
enum Connection {
    Xyz,
    Lab,
    /// As tables of 16 bits have it, which end at 65280.
    OldLab,
}

const OLD_LAB: f32 = 65535.0 / 65280.0;

impl Way {
    /// From the numbers of the device. None if the profile does not say it.
    pub fn to_seen(profile: &ColorProfile, intent: RenderingIntent) -> Option<Self> {
        match table_to_seen(profile, intent) {
            Some(LutWarehouse::Lut(table)) => Self::of_table(profile, table),
            Some(LutWarehouse::Multidimensional(table)) => {
                let steps = [
                    curves(&table.a_curves)?,
                    grid(table)?,
                    curves(&table.m_curves)?,
                    matrix(table),
                    curves(&table.b_curves)?,
                ];
                Some(Self { steps: steps.into_iter().flatten().collect(), connection: Connection::of(profile, None)? })
            }
            None => Self::of_colorants(profile),
        }
    }

    /// To the numbers of the device. None if the profile does not say it by a table.
    pub fn from_seen(profile: &ColorProfile, intent: RenderingIntent) -> Option<Self> {
        match table_from_seen(profile, intent)? {
            LutWarehouse::Lut(table) => Self::of_table(profile, table),
            LutWarehouse::Multidimensional(table) => {
                let steps = [
                    curves(&table.b_curves)?,
                    matrix(table),
                    curves(&table.m_curves)?,
                    grid(table)?,
                    curves(&table.a_curves)?,
                ];
                Some(Self { steps: steps.into_iter().flatten().collect(), connection: Connection::of(profile, None)? })
            }
        }
    }

    fn of_table(profile: &ColorProfile, table: &LutDataType) -> Option<Self> {
        let (inputs, outputs) = (table.num_input_channels, table.num_output_channels);
        let grid = Grid { points: [table.num_clut_grid_points; 4], inputs, outputs, values: values(&table.clut_table) };
        let steps = vec![
            Step::Curves(tables(&table.input_table, table.num_input_table_entries, inputs)?),
            Step::Grid(grid.checked()?),
            Step::Curves(tables(&table.output_table, table.num_output_table_entries, outputs)?),
        ];
        Some(Self { steps, connection: Connection::of(profile, Some(table.lut_type))? })
    }

    fn of_colorants(profile: &ColorProfile) -> Option<Self> {
        /// As XYZ is written in profiles.
        const ONE: f64 = 1.0 + 32767.0 / 32768.0;
        if !profile.is_matrix_shaper() {
            return None;
        }
        let all = [&profile.red_trc, &profile.green_trc, &profile.blue_trc];
        let all = all.into_iter().map(|curve| curve.as_ref()?.make_linear_evaluator().ok());
        let rows = profile.colorant_matrix().v.map(|row| row.map(|part| (part / ONE) as f32));
        let steps = vec![Step::Curves(all.collect::<Option<_>>()?), Step::Matrix { rows, offset: [0.0; 3] }];
        Some(Self { steps, connection: Connection::Xyz })
    }

    /// How the numbers look.
    pub fn look(&self, numbers: Numbers) -> Lab {
        self.connection.read(self.go(numbers))
    }

    /// The numbers that look so.
    pub fn find(&self, look: Lab) -> Numbers {
        self.go(self.connection.write(look))
    }

    fn go(&self, numbers: Numbers) -> Numbers {
        self.steps.iter().fold(numbers, |numbers, step| step.go(numbers))
    }
}

impl Step {
    fn go(&self, numbers: Numbers) -> Numbers {
        let mut out = [0.0; 4];
        match self {
            Self::Curves(curves) => {
                for ((out, curve), number) in out.iter_mut().zip(curves).zip(numbers) {
                    *out = curve.evaluate_value(number.clamp(0.0, 1.0));
                }
            }
            Self::Matrix { rows, offset } => {
                for ((out, row), offset) in out.iter_mut().zip(rows).zip(offset) {
                    *out = row.iter().zip(numbers).fold(*offset, |sum, (factor, number)| sum + factor * number);
                }
            }
            Self::Grid(grid) => out = grid.at(numbers.map(|number| number.clamp(0.0, 1.0))).unwrap_or(out),
        }
        out
    }
}

impl Grid {
    /// If it has as many values as it says, of a kind that is known here.
    fn checked(self) -> Option<Self> {
        let known = matches!(self.inputs, 3 | 4) && matches!(self.outputs, 3 | 4);
        let points = &self.points[..usize::from(self.inputs).min(4)];
        let wanted =
            points.iter().try_fold(usize::from(self.outputs), |all, points| all.checked_mul(usize::from(*points)))?;
        (known && points.iter().all(|points| *points > 1) && self.values.len() == wanted).then_some(self)
    }

    fn at(&self, [x, y, z, w]: Numbers) -> Option<Numbers> {
        let (values, outputs) = (&self.values, usize::from(self.outputs));
        let three = |[a, b, c]: [f32; 3]| [a, b, c, 0.0];
        if self.inputs == 3 {
            let cube = Cube::new_cube(values, [self.points[0], self.points[1], self.points[2]], outputs).ok()?;
            return Some(if outputs == 3 {
                three(cube.trilinear_vec3(x, y, z).v)
            } else {
                cube.trilinear_vec4(x, y, z).v
            });
        }
        let cube = Hypercube::new_hypercube(values, self.points, outputs).ok()?;
        Some(if outputs == 3 { three(cube.quadlinear_vec3(x, y, z, w).v) } else { cube.quadlinear_vec4(x, y, z, w).v })
    }
}

impl Connection {
    fn of(profile: &ColorProfile, table: Option<LutType>) -> Option<Self> {
        match (profile.pcs, table) {
            (DataColorSpace::Xyz, _) => Some(Self::Xyz),
            (DataColorSpace::Lab, Some(LutType::Lut16)) => Some(Self::OldLab),
            (DataColorSpace::Lab, _) => Some(Self::Lab),
            _ => None,
        }
    }

    fn read(self, [x, y, z, _]: Numbers) -> Lab {
        let lab = |unit: f32| {
            Lab::new(x * unit * 100.0, (y * unit).mul_add(255.0, -128.0), (z * unit).mul_add(255.0, -128.0))
        };
        match self {
            Self::Xyz => Lab::from_xyz(Xyz::new(x, y, z)),
            Self::Lab => lab(1.0),
            Self::OldLab => lab(OLD_LAB),
        }
    }

    fn write(self, look: Lab) -> Numbers {
        let lab =
            |unit: f32| [look.l / 100.0 / unit, (look.a + 128.0) / 255.0 / unit, (look.b + 128.0) / 255.0 / unit, 0.0];
        match self {
            Self::Xyz => {
                let Xyz { x, y, z } = look.to_xyz();
                [x, y, z, 0.0]
            }
            Self::Lab => lab(1.0),
            Self::OldLab => lab(OLD_LAB),
        }
    }
}

/// What leads from the device to what is seen under an intent, which may be that of another.
pub(super) fn table_to_seen(profile: &ColorProfile, intent: RenderingIntent) -> Option<&LutWarehouse> {
    let table = match intent {
        RenderingIntent::Saturation => &profile.lut_a_to_b_saturation,
        RenderingIntent::RelativeColorimetric | RenderingIntent::AbsoluteColorimetric => {
            &profile.lut_a_to_b_colorimetric
        }
        RenderingIntent::Perceptual => &profile.lut_a_to_b_perceptual,
    };
    table.as_ref().or(profile.lut_a_to_b_perceptual.as_ref())
}

/// What leads from what is seen to the device under an intent, which may be that of another.
pub(super) fn table_from_seen(profile: &ColorProfile, intent: RenderingIntent) -> Option<&LutWarehouse> {
    let table = match intent {
        RenderingIntent::Saturation => &profile.lut_b_to_a_saturation,
        RenderingIntent::RelativeColorimetric | RenderingIntent::AbsoluteColorimetric => {
            &profile.lut_b_to_a_colorimetric
        }
        RenderingIntent::Perceptual => &profile.lut_b_to_a_perceptual,
    };
    table.as_ref().or(profile.lut_b_to_a_perceptual.as_ref())
}

/// None in it if there are none, which is no step.
fn curves(curves: &[ToneReprCurve]) -> Option<Option<Step>> {
    let curves: Option<Vec<Curve>> = curves.iter().map(|curve| curve.make_linear_evaluator().ok()).collect();
    curves.map(|curves| (!curves.is_empty()).then_some(Step::Curves(curves)))
}

fn grid(table: &LutMultidimensionalType) -> Option<Option<Step>> {
    let Some(clut) = &table.clut else { return Some(None) };
    let [a, b, c, d, ..] = table.grid_points;
    let (inputs, outputs) = (table.num_input_channels, table.num_output_channels);
    Grid { points: [a, b, c, d], inputs, outputs, values: values(clut) }.checked().map(|grid| Some(Step::Grid(grid)))
}

fn matrix(table: &LutMultidimensionalType) -> Option<Step> {
    let rows = table.matrix.v.map(|row| row.map(|part| part as f32));
    // Where there is none, the library puts one that changes nothing.
    Some(Step::Matrix { rows, offset: table.bias.v.map(|part| part as f32) }).filter(|_| table.m_curves.len() == 3)
}

/// The curves of a table, one behind the other.
fn tables(store: &LutStore, entries: u16, channels: u8) -> Option<Vec<Curve>> {
    let all = words(store);
    let curves = all.chunks_exact(usize::from(entries).max(2)).take(usize::from(channels));
    let curves: Option<Vec<Curve>> =
        curves.map(|curve| ToneReprCurve::Lut(curve.to_vec()).make_linear_evaluator().ok()).collect();
    curves.filter(|curves| curves.len() == usize::from(channels))
}

fn words(store: &LutStore) -> Vec<u16> {
    match store {
        LutStore::Store8(bytes) => bytes.iter().map(|byte| u16::from(*byte) * 257).collect(),
        LutStore::Store16(words) => words.clone(),
    }
}

fn values(store: &LutStore) -> Vec<f32> {
    match store {
        LutStore::Store8(bytes) => bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect(),
        LutStore::Store16(words) => words.iter().map(|word| f32::from(*word) / 65535.0).collect(),
    }
}
