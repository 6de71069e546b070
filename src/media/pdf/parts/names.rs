//! The names that operators have, found without reading the operators between: most of what draws a page are numbers.

use memchr::{memchr, memchr_iter, memchr2_iter, memmem};

use super::super::stretches::is_regular;
use super::Part;

/// What operators name, in their order. None where that cannot be told in this way: where pictures or comments stand among the operators,
/// or names are written in numbers. What stands in a string may look like an operator, so some of it may be none.
pub fn of(content: &[u8]) -> Option<Vec<(Part, &[u8])>> {
    let has_comments = memchr(b'%', content).is_some();
    if has_comments || memmem::find_iter(content, b"BI").any(|at| is_word(content, at, 2)) {
        return None;
    }
    let mut found = Vec::new();
    for at in memchr_iter(b'/', content) {
        let rest = content.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|byte| !is_regular(*byte)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end)?;
        if name.contains(&b'#') {
            return None;
        }
        let (operator, behind) = operator(behind);
        let part = match operator {
            b"Do" => Part::Object,
            b"Tf" if is_written_with(behind) => Part::Font,
            b"sh" => Part::Shading,
            b"scn" | b"SCN" => Part::Pattern,
            b"gs" => Part::State,
            b"cs" | b"CS" => Part::ColorSpace,
            _ => continue,
        };
        found.push((part, name));
    }
    Some(found)
}

/// The operator behind a name and, as for the size of a font, some numbers; and what follows it.
fn operator(behind: &[u8]) -> (&[u8], &[u8]) {
    const MOST_NUMBERS: usize = 2;
    let mut rest = behind;
    for _ in 0..=MOST_NUMBERS {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| !is_regular(*byte)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end).unwrap_or_default();
        let is_number = !word.is_empty() && word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+'));
        if !is_number {
            return (word, behind);
        }
        rest = behind;
    }
    (b"", rest)
}

/// Whether anything is written before another font is chosen.
fn is_written_with(behind: &[u8]) -> bool {
    let end = memmem::find_iter(behind, b"Tf").find(|at| is_word(behind, *at, 2)).unwrap_or(behind.len());
    let until = behind.get(..end).unwrap_or_default();
    let ends_string = |at: usize| {
        // Two end a dictionary.
        until[at] == b')'
            || until.get(at + 1) != Some(&b'>') && at.checked_sub(1).is_none_or(|before| until[before] != b'>')
    };
    // It may come back with the state that is kept.
    let is_kept = memmem::find_iter(until, b"q").any(|at| is_word(until, at, 1));
    is_kept || memchr2_iter(b')', b'>', until).any(ends_string)
}

/// Whether so many bytes are a word of their own.
fn is_word(content: &[u8], at: usize, length: usize) -> bool {
    let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !is_regular(*byte));
    is_apart(at.checked_sub(1).and_then(|before| content.get(before))) && is_apart(content.get(at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_name_is_found() {
        let content =
            b"q /G1 gs 1 0 0 1 0 0 cm/X1 Do Q BT /F1 12 Tf 1 0 0 1 9 9 Tm (a) Tj /F2 -9.5 Tf /F3 1 Tf[<20>]TJ ET\n\
            /CS0 cs 0.5 /P1 scn /S1\nsh /Span<</MCID 0>>BDC EMC /P2 SCN";
        let names: Vec<_> =
            of(content).unwrap().into_iter().map(|(part, name)| (part, str::from_utf8(name).unwrap())).collect();
        let wanted = [
            (Part::State, "G1"),
            (Part::Object, "X1"),
            (Part::Font, "F1"),
            (Part::Font, "F3"),
            (Part::ColorSpace, "CS0"),
            (Part::Pattern, "P1"),
            (Part::Shading, "S1"),
            (Part::Pattern, "P2"),
        ];
        assert_eq!(names, wanted);
        assert_eq!(of(b"BI /W 1 /H 1 ID x EI /X Do"), None);
        assert_eq!(of(b"/A#42 Do"), None);
        assert_eq!(of(b"/X %c\nDo"), None);
        assert_eq!(of(b"/F 1 Tf/Span<</MCID 0>>BDC").unwrap(), []);
        assert_eq!(of(b"/F 1 Tf q/G 1 Tf(a)Tj Q(b)Tj").unwrap().len(), 2);
        assert_eq!(of(b"/F 1 Tf<20>Tj").unwrap().len(), 1);
        assert_eq!(of(b"/").unwrap(), []);
    }
}
