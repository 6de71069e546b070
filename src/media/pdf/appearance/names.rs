//! The names of glyphs, by the Adobe Glyph List (ISO 32000-2, 9.10.2 and annex D).

/// Names in the order of their letters, the first of which is that of the number.
const NAMES: [(u32, &str); 5] = [
    (
        0x20,
        "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus \
    comma hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal \
    greater question at A B C D E F G H I J K L M N O P Q R S T U V W X Y Z bracketleft backslash bracketright \
    asciicircum underscore grave a b c d e f g h i j k l m n o p q r s t u v w x y z braceleft bar braceright \
    asciitilde",
    ),
    (
        0xA1,
        "exclamdown cent sterling currency yen brokenbar section dieresis copyright ordfeminine guillemotleft \
    logicalnot uni00AD registered macron degree plusminus twosuperior threesuperior acute mu paragraph \
    periodcentered cedilla onesuperior ordmasculine guillemotright onequarter onehalf threequarters questiondown \
    Agrave Aacute Acircumflex Atilde Adieresis Aring AE Ccedilla Egrave Eacute Ecircumflex Edieresis Igrave \
    Iacute Icircumflex Idieresis Eth Ntilde Ograve Oacute Ocircumflex Otilde Odieresis multiply Oslash Ugrave \
    Uacute Ucircumflex Udieresis Yacute Thorn germandbls agrave aacute acircumflex atilde adieresis aring ae \
    ccedilla egrave eacute ecircumflex edieresis igrave iacute icircumflex idieresis eth ntilde ograve oacute \
    ocircumflex otilde odieresis divide oslash ugrave uacute ucircumflex udieresis yacute thorn ydieresis",
    ),
    (
        0x100,
        "Amacron amacron Abreve abreve Aogonek aogonek Cacute cacute Ccircumflex ccircumflex Cdotaccent cdotaccent \
    Ccaron ccaron Dcaron dcaron Dcroat dcroat Emacron emacron Ebreve ebreve Edotaccent edotaccent Eogonek \
    eogonek Ecaron ecaron Gcircumflex gcircumflex Gbreve gbreve Gdotaccent gdotaccent Gcommaaccent gcommaaccent \
    Hcircumflex hcircumflex Hbar hbar Itilde itilde Imacron imacron Ibreve ibreve Iogonek iogonek Idotaccent \
    dotlessi IJ ij Jcircumflex jcircumflex Kcommaaccent kcommaaccent kgreenlandic Lacute lacute Lcommaaccent \
    lcommaaccent Lcaron lcaron Ldot ldot Lslash lslash Nacute nacute Ncommaaccent ncommaaccent Ncaron ncaron \
    napostrophe Eng eng Omacron omacron Obreve obreve Ohungarumlaut ohungarumlaut OE oe Racute racute \
    Rcommaaccent rcommaaccent Rcaron rcaron Sacute sacute Scircumflex scircumflex Scedilla scedilla Scaron \
    scaron Tcommaaccent tcommaaccent Tcaron tcaron Tbar tbar Utilde utilde Umacron umacron Ubreve ubreve Uring \
    uring Uhungarumlaut uhungarumlaut Uogonek uogonek Wcircumflex wcircumflex Ycircumflex ycircumflex Ydieresis \
    Zacute zacute Zdotaccent zdotaccent Zcaron zcaron longs",
    ),
    (
        0x386,
        "Alphatonos uni0387 Epsilontonos Etatonos Iotatonos uni038B Omicrontonos uni038D Upsilontonos Omegatonos \
    iotadieresistonos Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho \
    uni03A2 Sigma Tau Upsilon Phi Chi Psi Omega Iotadieresis Upsilondieresis alphatonos epsilontonos etatonos \
    iotatonos upsilondieresistonos alpha beta gamma delta epsilon zeta eta theta iota kappa lambda uni03BC nu xi \
    omicron pi rho uni03C2 sigma tau upsilon phi chi psi omega iotadieresis upsilondieresis omicrontonos \
    upsilontonos omegatonos",
    ),
    (
        0x401,
        "afii10023 afii10051 afii10052 afii10053 afii10054 afii10055 afii10056 afii10057 afii10058 afii10059 \
    afii10060 afii10061 uni040D afii10062 afii10145 afii10017 afii10018 afii10019 afii10020 afii10021 afii10022 \
    afii10024 afii10025 afii10026 afii10027 afii10028 afii10029 afii10030 afii10031 afii10032 afii10033 \
    afii10034 afii10035 afii10036 afii10037 afii10038 afii10039 afii10040 afii10041 afii10042 afii10043 \
    afii10044 afii10045 afii10046 afii10047 afii10048 afii10049 afii10065 afii10066 afii10067 afii10068 \
    afii10069 afii10070 afii10072 afii10073 afii10074 afii10075 afii10076 afii10077 afii10078 afii10079 \
    afii10080 afii10081 afii10082 afii10083 afii10084 afii10085 afii10086 afii10087 afii10088 afii10089 \
    afii10090 afii10091 afii10092 afii10093 afii10094 afii10095 afii10096 afii10097 uni0450 afii10071 afii10099 \
    afii10100 afii10101 afii10102 afii10103 afii10104 afii10105 afii10106 afii10107 afii10108 afii10109 uni045D \
    afii10110 afii10193",
    ),
];

/// Letters of the standard encodings that are elsewhere.
const OTHERS: [(char, &str); 33] = [
    ('ƒ', "florin"),
    ('ˆ', "circumflex"),
    ('ˇ', "caron"),
    ('˘', "breve"),
    ('˙', "dotaccent"),
    ('˚', "ring"),
    ('˛', "ogonek"),
    ('˜', "tilde"),
    ('˝', "hungarumlaut"),
    ('–', "endash"),
    ('—', "emdash"),
    ('‘', "quoteleft"),
    ('’', "quoteright"),
    ('‚', "quotesinglbase"),
    ('“', "quotedblleft"),
    ('”', "quotedblright"),
    ('„', "quotedblbase"),
    ('†', "dagger"),
    ('‡', "daggerdbl"),
    ('•', "bullet"),
    ('…', "ellipsis"),
    ('‰', "perthousand"),
    ('‹', "guilsinglleft"),
    ('›', "guilsinglright"),
    ('⁄', "fraction"),
    ('€', "Euro"),
    ('™', "trademark"),
    ('−', "minus"),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('≤', "lessequal"),
    ('≥', "greaterequal"),
    ('≠', "notequal"),
];

/// What a glyph for `letter` is called.
pub fn name(letter: char) -> String {
    let number = u32::from(letter);
    let listed = NAMES.iter().find_map(|(first, names)| {
        names.split_ascii_whitespace().nth(usize::try_from(number.checked_sub(*first)?).ok()?)
    });
    match listed.or_else(|| OTHERS.iter().find(|(other, _)| *other == letter).map(|(_, name)| *name)) {
        Some(name) => name.to_owned(),
        None if number <= 0xffff => format!("uni{number:04X}"),
        None => format!("u{number:X}"),
    }
}

/// The letter of the glyph called `name`.
pub fn letter(name: &str) -> Option<char> {
    let listed = NAMES.iter().find_map(|(first, names)| {
        let at = names.split_ascii_whitespace().position(|other| other == name)?;
        char::from_u32(first + u32::try_from(at).ok()?)
    });
    let other = || OTHERS.iter().find(|(_, other)| *other == name).map(|(letter, _)| *letter);
    let number = |mark| u32::from_str_radix(name.strip_prefix(mark)?, 16).ok();
    let numbered = || char::from_u32(number("uni").or_else(|| number("u"))?);
    listed.or_else(other).or_else(numbered)
}
