//! The order of a set that a script puts together.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use super::property_set::{Cell, CellError, SetScript};

/// Most members of a set that a script puts together.
pub const MOST_MEMBERS: usize = 1000;

/// Something with a name, which decides about its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    pub id: T,
    pub name: String,
    /// It is in the trash: it stays where it is among the others for when it comes back, and takes no cell and no room until then.
    pub is_away: bool,
}

/// A set in its order, and what could not be taken into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrangement<T> {
    pub members: Vec<Placed<T>>,
    /// How many of them are there.
    pub present: usize,
    pub left_out: Vec<LeftOut>,
}

/// A member, with its row and column from 0 in spins with two axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<T> {
    pub id: T,
    pub cell: Option<Cell>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub name: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    NoRow,
    NoColumn,
    /// Another member has the cell.
    Taken {
        row: u32,
        column: u32,
        by: String,
    },
    TooMany,
}

/// Adds to the members of a set, each where the script's order has it among them. Those that are there stay, in the order that
/// they are in and as often as they are in it: somebody may have put them so.
pub fn arrange<T: Copy>(script: &SetScript, members: Vec<Named<T>>, added: Vec<Named<T>>) -> Arrangement<T> {
    let mut left_out = Vec::new();
    let mut taken: HashMap<Cell, String> = HashMap::new();
    let mut placed: Vec<Place<T>> = Vec::new();
    for named in members {
        // Without a cell of its own it stands behind the grid.
        let cell = script.cell(&named.name).transpose().ok().flatten();
        let cell = cell.filter(|cell| !named.is_away && !taken.contains_key(cell));
        taken.extend(cell.map(|cell| (cell, named.name.clone())));
        placed.push(Place { cell, rank: script.rank(&named.name), named });
    }
    let mut present = placed.iter().filter(|place| !place.named.is_away).count();
    for named in in_order(added) {
        let why = match script.cell(&named.name).transpose() {
            Ok(Some(cell)) if taken.contains_key(&cell) => {
                Some(Why::Taken { row: cell.row, column: cell.column, by: taken[&cell].clone() })
            }
            Ok(_) if present >= MOST_MEMBERS => Some(Why::TooMany),
            Ok(cell) => {
                present += 1;
                taken.extend(cell.map(|cell| (cell, named.name.clone())));
                let place = Place { cell, rank: script.rank(&named.name), named: named.clone() };
                let behind = placed.iter().rposition(|other| other.order(&place) == Ordering::Less);
                placed.insert(behind.map_or(0, |before| before + 1), place);
                None
            }
            Err(CellError::NoRow) => Some(Why::NoRow),
            Err(CellError::NoColumn) => Some(Why::NoColumn),
        };
        left_out.extend(why.map(|why| LeftOut { name: named.name, why }));
    }
    // The players of a grid go by the cells.
    placed.sort_by_key(|place| (place.cell.is_none(), place.cell));
    let cells: Vec<Cell> = placed.iter().filter_map(|place| place.cell).collect();
    let rows: BTreeSet<u32> = cells.iter().map(|cell| cell.row).collect();
    let columns: BTreeSet<u32> = cells.iter().map(|cell| cell.column).collect();
    let index = |all: &BTreeSet<u32>, number: u32| u32::try_from(all.range(..number).count()).unwrap_or(u32::MAX);
    let dense = |cell: Cell| Cell { row: index(&rows, cell.row), column: index(&columns, cell.column) };
    let members = placed.iter().map(|place| Placed { id: place.named.id, cell: place.cell.map(dense) }).collect();
    Arrangement { members, present, left_out }
}

/// A member on its way to its place.
struct Place<T> {
    cell: Option<Cell>,
    /// By the sequence of the script.
    rank: usize,
    named: Named<T>,
}

impl<T> Place<T> {
    fn order(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank).then_with(|| natural(&self.named.name, &other.named.name))
    }
}

fn in_order<T>(mut all: Vec<Named<T>>) -> Vec<Named<T>> {
    all.sort_by(|one, other| natural(&one.name, &other.name));
    all
}

/// Alphanumeric order: digits count by their value, letters without their case. Names that are the same so far go by their
/// characters, so that no two names are equal.
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| one.cmp(other));
        };
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let (number, other_number) = (digits(&mut left), digits(&mut right));
            number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number))
        } else {
            (left, right) = (&left[a.len_utf8()..], &right[b.len_utf8()..]);
            a.to_lowercase().cmp(b.to_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits off the front of a text, and gives them without leading zeros.
fn digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    number.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::property_set::{Properties, Property};

    fn script(values: &[(&str, &str)]) -> SetScript {
        let all = [("name", "S"), ("match", "(.*)-.*")].into_iter().chain(values.iter().copied());
        let property = |(name, value): (&str, &str)| Property { name: name.to_owned(), value: value.to_owned() };
        SetScript::read(&Properties::new(all.map(property).collect()).unwrap()).unwrap()
    }

    fn named(names: &[&'static str]) -> Vec<Named<&'static str>> {
        names.iter().map(|name| Named { id: *name, name: (*name).to_owned(), is_away: false }).collect()
    }

    fn order(arrangement: &Arrangement<&'static str>) -> Vec<&'static str> {
        arrangement.members.iter().map(|placed| placed.id).collect()
    }

    #[test]
    fn numbers_count_by_their_value() {
        let mut names = vec!["b-1", "a-10", "a-9", "A-2", "a-02", "a", "a-2b", "a-99999999999999999999999", "a-1"];
        names.sort_by(|a, b| natural(a, b));
        let expected = ["a", "a-1", "A-2", "a-02", "a-2b", "a-9", "a-10", "a-99999999999999999999999", "b-1"];
        assert_eq!(names, expected);
        assert_eq!(natural("a-1", "a-1"), Ordering::Equal);
        assert_eq!(natural("a-01", "a-1"), Ordering::Less);
    }

    #[test]
    fn what_is_added_is_sorted_between_what_is_there() {
        let script = script(&[("setType", "ImageSet")]);
        let grown = arrange(&script, named(&["0123-RED-01", "0123-RED-03"]), named(&["0123-RED-10", "0123-RED-02"]));
        assert_eq!(order(&grown), ["0123-RED-01", "0123-RED-02", "0123-RED-03", "0123-RED-10"]);
    }

    #[test]
    fn what_users_have_arranged_stays() {
        let script = script(&[("setType", "ImageSet")]);
        let there = named(&["x-3", "x-1", "foreign", "x-3", "x-9"]);
        let grown = arrange(&script, there, named(&["x-10", "x-2", "a"]));
        assert_eq!(order(&grown), ["a", "x-3", "x-1", "foreign", "x-2", "x-3", "x-9", "x-10"]);
        let script =
            self::script(&[("setType", "MultiAxisSpinSet"), ("row", r".*-R(\d+)C.*"), ("column", r".*-R\d+C(\d+)")]);
        let grown = arrange(&script, named(&["cover", "s-R1C2"]), named(&["s-R1C1"]));
        assert_eq!((order(&grown), grown.left_out), (vec!["s-R1C1", "s-R1C2", "cover"], vec![]));
    }

    #[test]
    fn a_sequence_comes_before_the_alphabet() {
        let script = script(&[("setType", "SpinSet"), ("sequence", ".*_main,.*_alt[0-9]+")]);
        let set = arrange(&script, Vec::new(), named(&["x-z", "x-a_alt10", "x-b_alt2", "x-c_main", "x-b"]));
        assert_eq!(order(&set), ["x-c_main", "x-a_alt10", "x-b_alt2", "x-b", "x-z"]);
    }

    #[test]
    fn a_grid_has_a_member_a_cell() {
        let script =
            script(&[("setType", "MultiAxisSpinSet"), ("row", r".*-R(\d+)C.*"), ("column", r".*-R\d+C(\d+)[a-z]?")]);
        let there = named(&["s-R1C30", "s-R5C10"]);
        let grown = arrange(&script, there, named(&["s-R1C10", "s-R05C10", "s-C1", "s-R1Cx", "s-R1C30a"]));
        assert_eq!(order(&grown), ["s-R1C10", "s-R1C30", "s-R5C10"]);
        let cells: Vec<(u32, u32)> =
            grown.members.iter().filter_map(|placed| placed.cell.map(|cell| (cell.row, cell.column))).collect();
        assert_eq!(cells, [(0, 0), (0, 1), (1, 0)], "rows and columns are counted");
        let left: Vec<(&str, &Why)> = grown.left_out.iter().map(|left| (left.name.as_str(), &left.why)).collect();
        let taken = |row, column, by: &str| Why::Taken { row, column, by: by.to_owned() };
        let expected = [
            ("s-C1", &Why::NoRow),
            ("s-R1C30a", &taken(1, 30, "s-R1C30")),
            ("s-R1Cx", &Why::NoColumn),
            ("s-R05C10", &taken(5, 10, "s-R5C10")),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn who_is_away_takes_no_cell_and_no_room() {
        let script =
            script(&[("setType", "MultiAxisSpinSet"), ("row", r".*-R(\d+)C.*"), ("column", r".*-R\d+C(\d+)[a-z]?")]);
        let mut there = named(&["s-R1C1", "s-R1C2", "s-R2C1"]);
        there[1].is_away = true;
        let grown = arrange(&script, there, named(&["s-R1C2b"]));
        assert_eq!((order(&grown), grown.present), (vec!["s-R1C1", "s-R1C2b", "s-R2C1", "s-R1C2"], 3));
        let cells: Vec<Option<(u32, u32)>> =
            grown.members.iter().map(|placed| placed.cell.map(|cell| (cell.row, cell.column))).collect();
        assert_eq!(cells, [Some((0, 0)), Some((0, 1)), Some((1, 0)), None]);
        assert_eq!(grown.left_out, []);
    }

    #[test]
    fn a_set_has_an_end() {
        let script = script(&[("setType", "ImageSet")]);
        let many: Vec<Named<usize>> =
            (0..=MOST_MEMBERS).map(|id| Named { id, name: format!("x-{id}"), is_away: false }).collect();
        let set = arrange(&script, Vec::new(), many);
        assert_eq!(set.members.len(), MOST_MEMBERS);
        assert_eq!(set.left_out, [LeftOut { name: format!("x-{MOST_MEMBERS}"), why: Why::TooMany }]);
    }
}
