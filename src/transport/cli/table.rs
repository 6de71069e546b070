//! Tables that fit the terminal. On a narrow one they drop what matters least and cut what is long; where no terminal
//! is, nothing is cut.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Width};

use super::screen::{Paint, Screen};

/// A column, and the width of the terminal from which on it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    shown_from: u16,
    right: bool,
    /// Keeps its content whole while others shrink.
    whole: bool,
}

impl Column {
    pub const fn new(title: &'static str) -> Self {
        Self { title, shown_from: 0, right: false, whole: false }
    }

    pub const fn right(self) -> Self {
        Self { right: true, whole: true, ..self }
    }

    pub const fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    pub const fn shown_from(self, shown_from: u16) -> Self {
        Self { shown_from, ..self }
    }
}

/// A value with its colour.
#[derive(Debug, Clone)]
pub struct Value {
    text: String,
    paint: Option<Paint>,
}

impl Value {
    pub fn painted(paint: Paint, text: impl Into<String>) -> Self {
        Self { text: text.into(), paint: Some(paint) }
    }
}

impl<T: Into<String>> From<T> for Value {
    fn from(text: T) -> Self {
        Self { text: text.into(), paint: None }
    }
}

pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    wraps: bool,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new(), wraps: false }
    }

    /// Long values take several lines instead of being cut.
    pub fn wrapping(self) -> Self {
        Self { wraps: true, ..self }
    }

    pub fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        self.rows.push(values.into_iter().collect());
    }

    pub fn render(&self, screen: &Screen) -> String {
        let shown: Vec<usize> = (0..self.columns.len())
            .filter(|index| screen.width.is_none_or(|width| width >= self.columns[*index].shown_from))
            .collect();
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_truncation_indicator("…");
        if screen.style.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        match screen.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        let header = shown.iter().map(|index| Cell::new(self.columns[*index].title).add_attribute(Attribute::Bold));
        table.set_header(Row::from(header.collect::<Vec<_>>()));
        for values in &self.rows {
            let mut row = Row::from(shown.iter().map(|index| self.cell(*index, values)).collect::<Vec<_>>());
            if !self.wraps {
                row.max_height(1);
            }
            table.add_row(row);
        }
        for (place, index) in shown.iter().enumerate() {
            let (Some(column), definition) = (table.column_mut(place), self.columns[*index]) else { continue };
            column.set_padding((0, 2));
            if definition.whole {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(self.widest(*index))));
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn cell(&self, index: usize, values: &[Value]) -> Cell {
        let Value { text, paint } = values.get(index).cloned().unwrap_or_else(|| "".into());
        let cell = Cell::new(text);
        let cell = if self.columns[index].right { cell.set_alignment(CellAlignment::Right) } else { cell };
        match paint {
            None => cell,
            Some(Paint::Red) => cell.fg(Color::Red),
            Some(Paint::Green) => cell.fg(Color::Green),
            Some(Paint::Yellow) => cell.fg(Color::Yellow),
            Some(Paint::Cyan) => cell.fg(Color::Cyan),
            Some(Paint::Bold) => cell.add_attribute(Attribute::Bold),
            Some(Paint::Dim) => cell.add_attribute(Attribute::Dim),
        }
    }

    /// With the padding, as the constraint counts it.
    fn widest(&self, index: usize) -> u16 {
        let values = self.rows.iter().filter_map(|row| row.get(index)).map(|value| value.text.chars().count());
        let widest = values.chain([self.columns[index].title.chars().count()]).max().unwrap_or(0);
        u16::try_from(widest + 2).unwrap_or(u16::MAX)
    }
}

impl Value {
    /// Outside a table.
    pub fn on(&self, screen: &Screen) -> String {
        match self.paint {
            Some(paint) => screen.paint(paint, &self.text),
            None => self.text.clone(),
        }
    }
}
