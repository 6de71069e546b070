//! Reads `ips-api.table`, whose own head explains its form.

use std::collections::{BTreeMap, HashMap};

use super::{
    Contract, Field, FieldType, Header, KnownEdition, Occurs, Operation, Range, Scalar, Structure, schema::StructureId,
    version::Edition,
};

/// A line of the table that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line} of the API table: {problem}")]
pub struct TableError {
    pub line: usize,
    pub problem: String,
}

type Result<T> = std::result::Result<T, TableError>;

/// A line without its comment, cut into words.
struct Line {
    number: usize,
    indented: bool,
    words: Vec<&'static str>,
}

impl Line {
    fn error<T>(&self, problem: impl Into<String>) -> Result<T> {
        Err(TableError { line: self.number, problem: problem.into() })
    }

    fn word(&self, index: usize, what: &str) -> Result<&'static str> {
        self.words.get(index).copied().map_or_else(|| self.error(format!("has no {what}")), Ok)
    }

    fn range(&self, index: usize) -> Result<Range> {
        if self.words.len() > index + 1 {
            return self.error(format!("has more than {} words", index + 1));
        }
        match self.words.get(index) {
            None => Ok(Range::ALL),
            Some(text) => Range::parse(text).map_or_else(|| self.error(format!("{text} is no range of versions")), Ok),
        }
    }
}

/// A line at the margin and the indented lines under it.
struct Block {
    head: Line,
    body: Vec<Line>,
}

fn blocks(text: &'static str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    for (index, content) in text.lines().enumerate() {
        let content = content.split('#').next().unwrap_or_default();
        let words: Vec<_> = content.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let line = Line { number: index + 1, indented: content.starts_with(' '), words };
        match (line.indented, blocks.last_mut()) {
            (false, _) => blocks.push(Block { head: line, body: Vec::new() }),
            (true, Some(block)) => block.body.push(line),
            (true, None) => return line.error("is indented under nothing"),
        }
    }
    Ok(blocks)
}

pub(super) fn parse(text: &'static str) -> Result<Contract> {
    let blocks = blocks(text)?;
    let structure_ids = structure_ids(&blocks)?;
    let mut contract = Contract {
        editions: Vec::new(),
        headers: Vec::new(),
        constants: BTreeMap::new(),
        structures: Vec::new(),
        structure_ids,
        operations: Vec::new(),
        operation_index: HashMap::new(),
    };
    for block in &blocks {
        contract.take(block)?;
    }
    Ok(contract)
}

/// Structures may name those that come later, and themselves.
fn structure_ids(blocks: &[Block]) -> Result<HashMap<&'static str, StructureId>> {
    let mut ids = HashMap::new();
    for block in blocks.iter().filter(|block| block.head.words[0] == "type") {
        let name = block.head.word(1, "name")?;
        if ids.insert(name, StructureId(ids.len())).is_some() {
            return block.head.error(format!("type {name} is there twice"));
        }
    }
    Ok(ids)
}

impl Contract {
    fn take(&mut self, block: &Block) -> Result<()> {
        let head = &block.head;
        match head.words[0] {
            "version" => self.editions.push(known_edition(head)?),
            "header" => self.headers.push(Header {
                is_sequence: head.word(1, "shape")? == "sequence",
                range: head.range(2)?,
                fields: self.rows("authHeader", block.body.iter())?,
            }),
            "constants" => {
                let values = block.body.iter().flat_map(|line| line.words.iter().copied()).collect();
                self.constants.insert(head.word(1, "name")?, values);
            }
            "type" => {
                let structure = self.rows(head.word(1, "name")?, block.body.iter())?;
                self.structures.push(structure);
            }
            "operation" => {
                let operation = self.read_operation(block)?;
                if self.operation_index.insert(operation.name, self.operations.len()).is_some() {
                    return head.error(format!("operation {} is there twice", operation.name));
                }
                self.operations.push(operation);
            }
            other => return head.error(format!("begins with {other}, which means nothing here")),
        }
        Ok(())
    }

    fn read_operation(&self, block: &Block) -> Result<Operation> {
        let name = block.head.word(1, "name")?;
        let (mut roles, mut param, mut result) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows: Option<&mut Vec<&Line>> = None;
        for line in &block.body {
            match (line.words[0], &mut rows) {
                ("roles", _) => roles.extend(&line.words[1..]),
                ("param", _) if line.words.len() == 1 => rows = Some(&mut param),
                ("return", _) if line.words.len() == 1 => rows = Some(&mut result),
                (_, Some(rows)) => rows.push(line),
                (_, None) => return line.error("is a field outside of param and return"),
            }
        }
        Ok(Operation {
            name,
            group: block.head.word(2, "group")?,
            roles,
            range: block.head.range(3)?,
            param: self.rows(&format!("{name}Param"), param)?,
            result: self.rows(&format!("{name}Return"), result)?,
        })
    }

    fn rows<'a>(&self, name: &str, lines: impl IntoIterator<Item = &'a Line>) -> Result<Structure> {
        let rows = lines.into_iter().map(|line| self.row(line)).collect::<Result<_>>()?;
        Ok(Structure::new(name.to_owned(), rows))
    }

    fn row(&self, line: &Line) -> Result<Field> {
        let spec = line.word(1, "type")?;
        let cut = spec.find(['?', '*', '+', '{']).unwrap_or(spec.len());
        let (kind, occurs) = spec.split_at(cut);
        let Some(kind) = self.kind(kind) else { return line.error(format!("{kind} is no type")) };
        let Some(occurs) = read_occurs(occurs) else { return line.error(format!("{occurs} is no occurrence")) };
        Ok(Field { name: line.words[0], kind, occurs, range: line.range(2)? })
    }

    fn kind(&self, name: &str) -> Option<FieldType> {
        let scalar = match name {
            "string" => Scalar::String,
            "int" => Scalar::Int,
            "long" => Scalar::Long,
            "float" => Scalar::Float,
            "double" => Scalar::Double,
            "boolean" => Scalar::Boolean,
            "dateTime" => Scalar::DateTime,
            "base64" => Scalar::Base64,
            _ => return self.structure_ids.get(name).map(|&id| FieldType::Structure(id)),
        };
        Some(FieldType::Scalar(scalar))
    }
}

fn known_edition(line: &Line) -> Result<KnownEdition> {
    let name = line.word(1, "name")?;
    let Some(edition) = Edition::parse(name) else { return line.error(format!("{name} is no version")) };
    match line.word(2, "standing")? {
        "documented" => Ok(KnownEdition { edition, documented: true }),
        "seen" => Ok(KnownEdition { edition, documented: false }),
        other => line.error(format!("{other} is neither documented nor seen")),
    }
}

fn read_occurs(text: &str) -> Option<Occurs> {
    match text {
        "" => Some(Occurs { min: 1, max: Some(1) }),
        "?" => Some(Occurs { min: 0, max: Some(1) }),
        "*" => Some(Occurs { min: 0, max: None }),
        "+" => Some(Occurs { min: 1, max: None }),
        _ => {
            let (min, max) = text.strip_prefix('{')?.strip_suffix('}')?.split_once(',')?;
            Some(Occurs { min: min.parse().ok()?, max: Some(max.parse().ok()?) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &'static str) -> TableError {
        parse(text).err().unwrap_or_else(|| panic!("{text:?} should not be readable"))
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(problem("type A\n  x strang\n").to_string(), "line 2 of the API table: strang is no type");
        assert_eq!(problem("\n  x string\n").line, 2);
        assert_eq!(problem("type A\n  x string 2014..x\n").line, 2);
        assert_eq!(problem("type A\n  x string{1}\n").line, 2);
        assert_eq!(problem("type A\n  x string .. more\n").line, 2);
        assert_eq!(problem("type A\ntype A\n").line, 2);
        assert_eq!(problem("table A\n").line, 1);
        assert_eq!(problem("operation a b\n  x string\n").line, 2);
    }
}
