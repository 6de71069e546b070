//! What of the content of a page changes how things are put on it. Most of what draws a page dense with paths are the numbers of
//! their points, which need not be read to tell what is painted.

/// Of operands before an operator; hayro reads no more of content where there are more.
const MOST_OPERANDS: usize = 32;
/// So many bytes hold fewer operands than that.
const FEW: usize = 2 * MOST_OPERANDS;

/// The stretches of content that matter, in their order: each begins with the operands of an operator. From the first string, array,
/// dictionary, picture or comment on, and from what is no content, all of it does.
pub const fn of(content: &[u8]) -> Stretches<'_> {
    Stretches { left: content }
}

pub struct Stretches<'c> {
    left: &'c [u8],
}

/// What a byte begins, or goes on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// White space, or part of a number.
    Quiet,
    Name,
    Letter,
    Other,
}

/// Of each byte.
const SIGNS: [Sign; 256] = {
    let mut signs = [Sign::Other; 256];
    let mut byte = 0;
    while byte < signs.len() {
        signs[byte] = match byte as u8 {
            b'0'..=b'9' | b'.' | b'-' | b'+' => Sign::Quiet,
            b'a'..=b'z' | b'A'..=b'Z' => Sign::Letter,
            b'/' => Sign::Name,
            byte if is_space(byte) => Sign::Quiet,
            _ => Sign::Other,
        };
        byte += 1;
    }
    signs
};

impl<'c> Iterator for Stretches<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        let mut at = 0;
        loop {
            at += self.left.get(at..)?.iter().position(|byte| SIGNS[usize::from(*byte)] != Sign::Quiet)?;
            let before = at.checked_sub(1).map_or(b' ', |before| self.left[before]);
            let word = self.word(at);
            let is_plain = match SIGNS[usize::from(self.left[at])] {
                Sign::Name => !word.contains(&b'#'),
                Sign::Letter => {
                    !is_regular(before) && is_operator(word) && (at < FEW || words(&self.left[..at]) <= MOST_OPERANDS)
                }
                Sign::Quiet | Sign::Other => false,
            };
            if !is_plain {
                return self.take(self.left.len());
            }
            let is_name = word.first() == Some(&b'/');
            at += word.len();
            if is_name {
                continue;
            }
            if matters(word) {
                return self.take(at);
            }
            self.take(at);
            at = 0;
        }
    }
}

impl<'c> Stretches<'c> {
    /// From here to what ends it; the sign that begins a name is none of the rest of it.
    fn word(&self, at: usize) -> &'c [u8] {
        let rest = self.left.get(at..).unwrap_or_default();
        let length = rest.iter().skip(1).position(|byte| !is_regular(*byte)).map_or(rest.len(), |length| length + 1);
        rest.get(..length).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Option<&'c [u8]> {
        let (stretch, left) = self.left.split_at_checked(length)?;
        self.left = left;
        Some(stretch)
    }
}

/// Operators that change the graphics state, or paint. Those that write have strings before them.
const fn matters(word: &[u8]) -> bool {
    match word {
        [one] => {
            matches!(one, b'q' | b'Q' | b'g' | b'G' | b'k' | b'K' | b'B' | b'b' | b'f' | b'F' | b'S' | b's')
        }
        b"rg" | b"RG" | b"cs" | b"CS" | b"scn" | b"SCN" | b"gs" | b"Tf" | b"Tr" | b"Do" | b"sh" | b"B*" | b"b*"
        | b"f*" => true,
        _ => false,
    }
}

/// Pictures are more than words, and some words are no operators.
fn is_operator(word: &[u8]) -> bool {
    if let [one] = word {
        return one.is_ascii_alphabetic();
    }
    word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'*')
        && !matches!(word, b"BI" | b"true" | b"false" | b"null")
}

fn words(content: &[u8]) -> usize {
    content.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()).count()
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// Neither white space nor a sign that ends words (ISO 32000-2, 7.2.3).
pub const fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use hayro::hayro_syntax::content::UntypedIter;
    use hayro::hayro_syntax::object::Object;

    use super::*;

    /// Each operator that matters, with how many operands it has and the name among them.
    fn read(content: &[u8]) -> Vec<(Vec<u8>, usize, Option<Vec<u8>>)> {
        let (mut operators, mut found) = (UntypedIter::new(content), Vec::new());
        while let Some(instruction) = operators.next() {
            let operator: &[u8] = instruction.operator;
            if matters(operator) || matches!(operator, b"Tj" | b"TJ" | b"BI") {
                let name = instruction.operands().find_map(|operand| match operand {
                    Object::Name(name) => Some(name.as_ref().to_vec()),
                    _ => None,
                });
                found.push((operator.to_vec(), instruction.operands().count(), name));
            }
        }
        found
    }

    #[test]
    fn stretches_have_all_operators_that_matter() {
        let paths =
            b"q 1 0 0 1 5 5 cm /G1 gs 0.5 .5 -.5 rg\n10 20 m 30 40 l +1. 2 3 4 5 6 c h f* 1 2 3 4 re/X1 Do B Q n S s";
        let found: Vec<&[u8]> = of(paths).collect();
        assert!(found.iter().all(|stretch| stretch.len() < 22), "{found:?}");
        let many = "1 ".repeat(40) + "m 1 0 0 rg";
        let others: [&[u8]; 16] = [
            paths,
            b"1 0 0 rg (a) Tj 0 g f",
            b"0 g [<20> -5 (b)] TJ /A#42 gs f",
            b"f BI /W 1 /H 1 /BPC 8 /CS /G ID x EI f Q",
            b"1-2 m 3 w f",
            b"1 0 0 rgx f 1g f",
            b"/X %c\nDo f % f\n f",
            b"f true f null f",
            b"q q q",
            b"/ gs f /a/b gs",
            b"1 2 3",
            b"",
            b"\0\x0cf\rf",
            b"f) f } f",
            b"/GS0 gs/Span<</MCID 0>>BDC f EMC f",
            many.as_bytes(),
        ];
        for content in others {
            let together: Vec<_> = of(content).flat_map(read).collect();
            assert_eq!(together, read(content), "{}", String::from_utf8_lossy(content));
        }
    }
}
