//! Text as it stands on a line: Hebrew and Arabic go from right to left, and Arabic letters are joined.
//!
//! A short form of the Unicode bidirectional algorithm, without embeddings, which values of fields do not have.

use super::fonts::{Fonts, Glyph};

/// Arabic letters whose joined forms follow one another in Unicode: the first letter, the first form, and how many
/// forms each has (alone, at the end, at the start, in the middle).
const FORMS: [(u32, u32, &[u32]); 9] = [
    (0x621, 0xfe80, &[1, 2, 2, 2, 2, 4, 2, 4, 2, 4, 4, 4, 4, 4, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4]),
    (0x641, 0xfed1, &[4, 4, 4, 4, 4, 4, 4, 2, 2, 4]),
    (0x67e, 0xfb56, &[4]),
    (0x686, 0xfb7a, &[4]),
    (0x698, 0xfb8a, &[2]),
    (0x6a9, 0xfb8e, &[4]),
    (0x6af, 0xfb92, &[4]),
    (0x6cc, 0xfbfc, &[4]),
    // Lengthens the line between letters, and looks the same everywhere.
    (0x640, 0x640, &[0]),
];

/// The first form of a letter, and how many it has.
fn forms(letter: char) -> Option<(u32, u32)> {
    FORMS.iter().find_map(|(first, form, counts)| {
        let at = usize::try_from(u32::from(letter).checked_sub(*first)?).ok()?;
        let count = *counts.get(at)?;
        Some((form + counts.iter().take(at).sum::<u32>(), count))
    })
}

fn joins_next(letter: char) -> bool {
    forms(letter).is_some_and(|(_, count)| count == 4 || count == 0)
}

fn joins_last(letter: char) -> bool {
    forms(letter).is_some_and(|(_, count)| count != 1)
}

/// Vowels and other signs above and below letters.
const fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}')
}

/// Arabic letters in their joined forms.
pub fn joined(text: &str) -> String {
    let mut joined = String::new();
    let mut before: Option<char> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_mark(letter) {
            joined.push(letter);
            continue;
        }
        let is_joined = before.is_some_and(joins_next) && joins_last(letter);
        if let Some(form) = letters.peek().and_then(|next| lam_alef(letter, *next)) {
            before = letters.next();
            joined.extend(char::from_u32(form + u32::from(is_joined)));
            continue;
        }
        let mut rest = letters.clone();
        let joins = joins_next(letter) && rest.find(|next| !is_mark(*next)).is_some_and(joins_last);
        let form = forms(letter).filter(|(_, count)| *count > 0).and_then(|(first, count)| {
            char::from_u32(first + (u32::from(is_joined) + 2 * u32::from(joins)).min(count - 1))
        });
        joined.push(form.unwrap_or(letter));
        before = Some(letter);
    }
    joined
}

/// Lam and alef are one letter.
const fn lam_alef(letter: char, next: char) -> Option<u32> {
    match (letter, next) {
        ('\u{644}', '\u{622}') => Some(0xfef5),
        ('\u{644}', '\u{623}') => Some(0xfef7),
        ('\u{644}', '\u{625}') => Some(0xfef9),
        ('\u{644}', '\u{627}') => Some(0xfefb),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Left,
    Right,
    Number,
    None,
}

fn direction(letter: char) -> Direction {
    match letter {
        '0'..='9' | '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' => Direction::Number,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => Direction::Left,
        letter if letter.is_alphanumeric() => Direction::Right,
        _ => Direction::None,
    }
}

/// A line in the order in which it is drawn, from the left.
pub fn visual(line: &[Glyph], fonts: &mut Fonts) -> Vec<Glyph> {
    let mut glyphs = line.to_vec();
    let directions: Vec<Direction> = line.iter().map(|glyph| direction(glyph.letter)).collect();
    if !directions.contains(&Direction::Left) {
        return glyphs;
    }
    let levels = levels(&directions);
    for (glyph, level) in glyphs.iter_mut().zip(&levels) {
        if *level == 1 {
            *glyph = fonts.glyph(mirrored(glyph.letter)).unwrap_or(*glyph);
        }
    }
    for level in [2, 1] {
        let mut start = 0;
        for run in levels.chunk_by(|one, other| (*one >= level) == (*other >= level)) {
            let end = start + run.len();
            if let (true, Some(part)) = (run.first() >= Some(&level), glyphs.get_mut(start..end)) {
                part.reverse();
            }
            start = end;
        }
    }
    glyphs
}

/// How deep each letter is: 0 and 2 go to the right, 1 to the left.
fn levels(directions: &[Direction]) -> Vec<u8> {
    let is_strong = |direction: &&Direction| matches!(direction, Direction::Left | Direction::Right);
    let base = u8::from(directions.iter().find(is_strong) == Some(&Direction::Left));
    let (mut levels, mut last) = (Vec::new(), base == 1);
    for direction in directions {
        levels.push(match direction {
            Direction::Left => Some(1),
            Direction::Right => Some(2 * base),
            Direction::Number => Some(if last { 2 } else { 2 * base }),
            Direction::None => None,
        });
        if is_strong(&direction) {
            last = *direction == Direction::Left;
        }
    }
    // What has no direction has that of both sides, or else that of the line. Numbers are on the side of what is
    // around them.
    let side = |at: Option<usize>| match at.and_then(|at| Some((directions.get(at)?, levels.get(at)?))) {
        Some((Direction::Number, Some(2))) => 1,
        Some((_, Some(level))) => *level,
        _ => base,
    };
    let mut before = None;
    let mut afters: Vec<Option<usize>> = Vec::new();
    let mut after = None;
    for at in (0..levels.len()).rev() {
        afters.push(after);
        if levels.get(at).is_some_and(Option::is_some) {
            after = Some(at);
        }
    }
    let mut resolved = Vec::new();
    for (at, (level, after)) in levels.iter().zip(afters.iter().rev()).enumerate() {
        resolved.push(level.unwrap_or_else(|| if side(before) == side(*after) { side(before) } else { base }));
        if level.is_some() {
            before = Some(at);
        }
    }
    resolved
}

const fn mirrored(letter: char) -> char {
    match letter {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_order_of_their_scripts() {
        let cases = [
            ("abc 12", "abc 12"),
            ("אבג", "גבא"),
            ("אב 12 גד", "דג 12 בא"),
            ("אב (x) ג", "ג (x) בא"),
            ("אב (x) 12 ג", "ג 12 (x) בא"),
            ("a אב b", "a בא b"),
            ("אב.", ".בא"),
            ("a אב 12", "a 12 בא"),
        ];
        for (logical, drawn) in cases {
            let mut fonts = Fonts::standard("Helv");
            let glyphs = fonts.glyphs(logical);
            let line: String = visual(&glyphs, &mut fonts).iter().map(|glyph| glyph.letter).collect();
            assert_eq!(line, drawn);
        }
    }

    #[test]
    fn arabic_letters_are_joined() {
        // Seen, lam with alef, meem: the greeting.
        assert_eq!(joined("سلام"), "\u{feb3}\u{fefc}\u{fee1}");
        assert_eq!(joined("بب ب"), "\u{fe91}\u{fe90} \u{fe8f}");
        assert_eq!(joined("دار"), "\u{fea9}\u{fe8d}\u{fead}");
        assert_eq!(joined("abc"), "abc");
    }
}
