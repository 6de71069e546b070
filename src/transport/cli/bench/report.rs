//! Figures, and how they are shown.

use std::time::Duration;

use serde::Serialize;

/// A figure, and the measure it is held against.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub against: Option<Against>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Against {
    pub what: String,
    pub value: f64,
    /// Ours by theirs.
    pub ratio: f64,
}

#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    pub fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { what: what.into(), value, unit, against: None });
    }

    pub fn add_against(
        &mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        measure: (impl Into<String>, f64),
    ) {
        let (measured, theirs) = measure;
        let against = Against { what: measured.into(), value: theirs, ratio: value / theirs };
        self.figures.push(Figure { what: what.into(), value, unit, against: Some(against) });
    }

    pub fn print(&self, json: bool) {
        if json {
            match serde_json::to_string_pretty(&self.figures) {
                Ok(text) => println!("{text}"),
                Err(error) => eprintln!("the figures cannot be shown: {error}"),
            }
            return;
        }
        let width = self.figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
        for Figure { what, value, unit, against } in &self.figures {
            let against = against.as_ref().map_or_else(String::new, |against| {
                format!("   {:>5.2} x {} ({})", against.ratio, against.what, shown(against.value))
            });
            println!("{what:<width$}  {:>10} {unit}{against}", shown(*value));
        }
    }
}

fn shown(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The median of some rounds.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many in a second.
pub fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// The value below which this share of `values` lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
