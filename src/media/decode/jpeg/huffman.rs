//! Huffman codes as JPEG defines them: how many code words there are of each length, and what they stand for.

/// Code words this long are found in one step.
const FAST: u32 = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// Code words of 1 to 16 bits.
    counts: [u8; 16],
    symbols: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub bits: u16,
    pub len: u32,
}

impl Code {
    /// The next code of a DHT segment, with the byte that says what it is for. None if there is none that is whole.
    pub fn take(body: &mut &[u8]) -> Option<(u8, Self)> {
        let (head, rest) = body.split_first_chunk::<17>()?;
        let [purpose, counts @ ..] = *head;
        let count = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest.split_at_checked(count)?;
        *body = rest;
        let code = Self { counts, symbols: symbols.to_vec() };
        (code.room() >= 0).then_some((purpose, code))
    }

    /// How many words of 16 bits could be added; negative if there are too many words already.
    fn room(&self) -> i64 {
        let used = (0..16).map(|index| i64::from(self.counts[index]) << (15 - index)).sum::<i64>();
        (1 << 16) - used
    }

    /// The code with words for all symbols up to `last`; those it has stay as they are. None if there is no room.
    pub fn completed(&self, last: u8) -> Option<Self> {
        let mut code = self.clone();
        code.symbols.extend((0..=last).filter(|symbol| !self.symbols.contains(symbol)));
        let added = code.symbols.len() - self.symbols.len();
        code.counts[15] = code.counts[15].checked_add(added as u8)?;
        // A word of ones only is not allowed.
        (added == 0 || code.room() >= 1).then_some(code)
    }

    /// As a DHT segment, for the purpose given.
    pub fn segment(&self, purpose: u8) -> Vec<u8> {
        let length = (2 + 17 + self.symbols.len()) as u16;
        let mut segment = vec![0xff, 0xc4];
        segment.extend(length.to_be_bytes());
        segment.push(purpose);
        segment.extend(self.counts);
        segment.extend(&self.symbols);
        segment
    }

    fn words(&self) -> impl Iterator<Item = (u8, Word)> {
        let lengths = (1..=16).flat_map(|len| std::iter::repeat_n(len, usize::from(self.counts[len as usize - 1])));
        let mut next = Word { bits: 0, len: 0 };
        let mut count = 0_u32;
        self.symbols.iter().copied().zip(lengths).map(move |(symbol, len)| {
            count <<= len - next.len;
            next = Word { bits: count as u16, len };
            count += 1;
            (symbol, next)
        })
    }

    /// The word of each symbol up to `last`.
    pub fn words_up_to(&self, last: u8) -> Vec<Word> {
        let mut words = vec![Word { bits: 0, len: 0 }; usize::from(last) + 1]; // bounded: by 8 bits
        for (symbol, word) in self.words().filter(|(symbol, _)| *symbol <= last) {
            words[usize::from(symbol)] = word;
        }
        words
    }
}

/// A code arranged for reading.
pub(super) struct Lookup {
    /// By the first bits: the length of the word above its symbol, or 0 if the word is longer.
    fast: Vec<u16>,
    /// Longer words, in order: where they end among all numbers of 16 bits, length and symbol.
    slow: Vec<(u32, u16)>,
}

impl Lookup {
    pub fn new(code: &Code) -> Self {
        let mut lookup = Self { fast: vec![0; 1 << FAST], slow: Vec::new() };
        for (symbol, word) in code.words() {
            let entry = (word.len as u16) << 8 | u16::from(symbol);
            if word.len <= FAST {
                let first = usize::from(word.bits) << (FAST - word.len);
                lookup.fast[first..first + (1 << (FAST - word.len))].fill(entry);
            } else {
                lookup.slow.push(((u32::from(word.bits) + 1) << (16 - word.len), entry));
            }
        }
        lookup
    }

    /// Length and symbol of the word that `bits` starts with; the length is 0 if there is none.
    #[inline(always)]
    pub fn find(&self, bits: u64) -> (u32, u8) {
        let entry = match self.fast[(bits >> (64 - FAST)) as usize] {
            0 => self.find_long(bits),
            entry => entry,
        };
        (u32::from(entry >> 8), entry as u8)
    }

    #[cold]
    fn find_long(&self, bits: u64) -> u16 {
        let first = (bits >> 48) as u32;
        let place = self.slow.partition_point(|(end, _)| *end <= first);
        self.slow.get(place).map_or(0, |(_, entry)| *entry)
    }
}

/// Bits that [`Skips`] looks at in one step.
const WINDOW: u32 = 12;

/// A code for the numbers of a block behind its mean, arranged for those who only want to get past them: often several
/// are passed in one step.
pub(super) struct Skips(Vec<Skip>);

/// The words, each with its digits, that the next bits hold as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skip {
    /// Their bits; 0 if the first word is longer than what is looked at.
    pub bits: u8,
    /// The numbers that they stand for, and one for the end of the block.
    pub numbers: u8,
    /// The last of them ends the block.
    pub ends: bool,
}

impl Skips {
    pub fn new(words: &Lookup) -> Self {
        Self((0..1 << WINDOW).map(|window: u64| Skip::of(words, window << (64 - WINDOW))).collect())
    }

    #[inline(always)]
    pub fn find(&self, bits: u64) -> Skip {
        self.0[(bits >> (64 - WINDOW)) as usize]
    }
}

impl Skip {
    fn of(words: &Lookup, window: u64) -> Self {
        let mut skip = Self::default();
        while !skip.ends {
            let (len, symbol) = words.find(window << skip.bits);
            let bits = u32::from(skip.bits) + len + u32::from(symbol & 0x0f);
            if len == 0 || bits > WINDOW {
                break;
            }
            skip.ends = ends_block(symbol);
            (skip.bits, skip.numbers) = (bits as u8, skip.numbers + numbers(symbol));
        }
        skip
    }
}

/// Whether the rest of the block is zero.
pub(super) const fn ends_block(symbol: u8) -> bool {
    const SIXTEEN_ZEROS: u8 = 0xf0;
    symbol & 0x0f == 0 && symbol != SIXTEEN_ZEROS
}

/// The numbers that a symbol stands for: zeros, and one with digits or the last zero.
pub(super) const fn numbers(symbol: u8) -> u8 {
    if ends_block(symbol) { 1 } else { (symbol >> 4) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code for brightness that most files bring: twelve symbols, of 2 to 9 bits.
    const USUAL: &[u8] = &[0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

    fn code(mut body: &[u8]) -> Option<Code> {
        Code::take(&mut body).map(|(_, code)| code)
    }

    #[test]
    fn every_word_is_found() {
        let mut long = vec![0; 17];
        (long[1], long[11], long[16]) = (1, 3, 4);
        long.extend([9, 1, 2, 3, 4, 5, 6, 7]);
        for body in [USUAL, &long] {
            let code = code(body).unwrap();
            let lookup = Lookup::new(&code);
            for (symbol, word) in code.words() {
                let bits = u64::from(word.bits) << (64 - word.len);
                assert_eq!(lookup.find(bits), (word.len, symbol));
                assert_eq!(lookup.find(bits | u64::MAX >> word.len), (word.len, symbol));
            }
            assert_eq!(lookup.find(u64::MAX), (0, 0));
        }
    }

    #[test]
    fn several_words_are_skipped_at_once() {
        // 00: a digit. 01: three zeros and two digits. 100: the end. 101: sixteen zeros. 110 and so on: five digits.
        let mut body = vec![0; 17];
        (body[2], body[3]) = (2, 3);
        body.extend([0x01, 0x32, 0x00, 0xf0, 0x05]);
        let skips = Skips::new(&Lookup::new(&code(&body).unwrap()));
        let find = |bits: &str| {
            let bits = bits.replace(' ', "");
            let next = u64::from_str_radix(&bits, 2).unwrap() << (64 - bits.len());
            let Skip { bits, numbers, ends } = skips.find(next);
            (bits, numbers, ends)
        };
        assert_eq!(find("00 1 01 11 100 11"), (10, 6, true), "up to the end of the block");
        assert_eq!(find("101 00 0 101 110"), (9, 33, false), "a word whose digits are out of sight");
        assert_eq!(find("111"), (0, 0, false), "no word");
        assert_eq!(find("00 0 00 0 00 0 00 1"), (12, 4, false));
    }

    #[test]
    fn missing_symbols_are_added_where_there_is_room() {
        assert_eq!(code(USUAL).unwrap().completed(11), code(USUAL));
        let mut few = vec![0; 17];
        few[2] = 3;
        few.extend([5, 4, 6]);
        let completed = code(&few).unwrap().completed(11).unwrap();
        let words = completed.words_up_to(11);
        assert_eq!(words[5], Word { bits: 0, len: 2 });
        assert_eq!(words[0], Word { bits: 0b1100_0000_0000_0000, len: 16 });
        let mut full = vec![0; 17];
        full[1] = 2;
        full.extend([0, 1]);
        assert!(code(&full).unwrap().completed(1).is_some() && code(&full).unwrap().completed(11).is_none());
    }

    #[test]
    fn more_words_than_fit_are_no_code() {
        let mut crowded = vec![0; 17];
        crowded[1] = 3;
        crowded.extend([0, 1, 2]);
        assert_eq!(code(&crowded), None);
        assert_eq!(code(&USUAL[..20]), None);
    }
}
