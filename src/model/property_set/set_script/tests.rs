use super::super::properties;
use super::*;

fn script(extra: &[(&str, &str)]) -> Result<SetScript, Invalid> {
    let sound = properties(&[("name", "Colours"), ("setType", "ImageSet"), ("match", r"(\w+-\w+)-\w+")]);
    SetScript::read(&sound.merge(properties(extra)).unwrap())
}

fn set_of(script: &SetScript, asset: &str) -> String {
    match script.set_of(asset) {
        None => "none".into(),
        Some(Ok(name)) => name,
        Some(Err(NoSet::NoBaseName)) => "no base name".into(),
        Some(Err(NoSet::BadName(_))) => "bad name".into(),
    }
}

#[test]
fn the_base_name_comes_from_a_group_an_expression_or_a_pattern() {
    let by_group = script(&[("suffix", "-SET")]).unwrap();
    assert_eq!(set_of(&by_group, "0123-RED-01"), "0123-RED-SET");
    assert_eq!(set_of(&by_group, "0123-RED"), "none");
    assert_eq!(set_of(&by_group, "Кружка-синяя-2"), "Кружка-синяя-SET");
    let by_expression = script(&[("match", ".*"), ("baseName", "([0-9]+)-.*"), ("prefix", "Set ")]).unwrap();
    assert_eq!(set_of(&by_expression, "0123-RED-01"), "Set 0123");
    assert_eq!(set_of(&by_expression, "shoe-RED-01"), "no base name");
    let by_pattern = script(&[("match", "([0-9]+)_([A-Z]*)_.*"), ("baseName", "$2-$1")]).unwrap();
    assert_eq!(set_of(&by_pattern, "0123_RED_01"), "RED-0123");
    assert_eq!(set_of(&by_pattern, "0123__01"), "-0123", "a group may be empty");
    let long = script(&[("match", "(.*)"), ("suffix", &"s".repeat(200))]).unwrap();
    assert_eq!(set_of(&long, &"n".repeat(30)), "bad name");
}

#[test]
fn lines_are_joined_by_and_and_alternatives_by_or() {
    let all = script(&[("match", "(.*)-.*\n.*[0-9]")]).unwrap();
    assert_eq!(["a-1", "a-b", "a1"].map(|name| set_of(&all, name)), ["a", "none", "none"]);
    let any = script(&[("match", "(.*)-front\n| (.*)-back\n.*[0-9].*\n")]).unwrap();
    assert_eq!(["a-front", "a-back", "a1-back"].map(|name| set_of(&any, name)), ["a", "none", "a1"]);
    // The groups are those of the first line that has some.
    let later = script(&[("match", "[a-z].*\n(.*)-([0-9])"), ("baseName", "$2$1")]).unwrap();
    assert_eq!(set_of(&later, "shoe-7"), "7shoe");
}

#[test]
fn an_expression_is_for_the_whole_name_even_when_a_part_would_match_sooner() {
    let whole = script(&[("match", "(a|ab)")]).unwrap();
    assert_eq!(["a", "ab", "abc", "xa"].map(|name| set_of(&whole, name)), ["a", "ab", "none", "none"]);
    assert_eq!(set_of(&whole, "A"), "none");
    assert_eq!(set_of(&script(&[("match", "(?i)(a)")]).unwrap(), "A"), "A");
}

#[test]
fn the_sequence_ranks_members() {
    let script = script(&[("sequence", ".*_main, .*_alt[0-9]{1,2}\n.*_a\\,b")]).unwrap();
    let ranks = ["x_main", "x_alt12", "x_a,b", "x_other"].map(|name| script.rank(name));
    assert_eq!(ranks, [0, 1, 2, 3]);
}

#[test]
fn cells_are_numbers_in_a_row_and_a_column() {
    let spin = script(&[
        ("setType", "MultiAxisSpinSet"),
        ("match", r"(\w+)-\w+-\w+"),
        ("row", r"\w+-R?([0-9]+)-\w+"),
        ("column", r"\w+-\w+-(\d+)"),
    ])
    .unwrap();
    assert_eq!(spin.cell("spin-01-12"), Some(Ok(Cell { row: 1, column: 12 })));
    assert_eq!(spin.cell("spin-R2-3"), Some(Ok(Cell { row: 2, column: 3 })));
    assert_eq!(spin.cell("spin-x-12"), Some(Err(CellError::NoRow)));
    assert_eq!(spin.cell("spin-1-x"), Some(Err(CellError::NoColumn)));
    assert_eq!(spin.cell("spin-1-99999999999"), Some(Err(CellError::NoColumn)));
    assert_eq!(spin.kind.asset_type(), AssetType::AssetSet);
    assert_eq!(script(&[]).unwrap().cell("spin-1-1"), None);
}

#[test]
fn a_bad_value_is_named_with_its_rule() {
    let spin = ("setType", "MultiAxisSpinSet");
    let many = "a\n".repeat(MOST_EXPRESSIONS + 1);
    let long = "a".repeat(LONGEST_EXPRESSION + 1);
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    // What is changed of a sound script, the property that is named, and what is said of it.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: &[Case] = &[
        (&[("name", " ")], "name", "missing"),
        (&[("setType", "RoundSet")], "setType", "MultiAxisSpinSet"),
        (&[("setType", "")], "setType", "missing"),
        (&[("match", "(")], "match", "unclosed group"),
        (&[("match", "a)|(b")], "match", "unopened group"),
        (&[("match", "(?=a)b")], "match", "look-around"),
        (&[("match", r"(a)\1")], "match", "backreferences"),
        (&[("match", r"(\w{200}){200}")], "match", "too large"),
        (&[("match", &long)], "match", "1000 bytes"),
        (&[("match", &many)], "match", "50 lines"),
        (&[("match", &deep)], "match", "nest"),
        (&[("match", "a-.*")], "baseName", "is needed"),
        (&[("match", "(a)-.*\n|b-.*")], "baseName", "is needed"),
        (&[("baseName", "a.*")], "baseName", "group"),
        (&[("baseName", "$2")], "baseName", "group 2"),
        (&[("baseName", "$0")], "baseName", "group 0"),
        (&[("sequence", ".*_main,[")], "sequence", "unclosed"),
        (&[("sequence", &many)], "sequence", "50 expressions"),
        (&[("row", "(.*)")], "row", "MultiAxisSpinSet"),
        (&[spin], "row", "missing"),
        (&[spin, ("row", "(.)")], "column", "missing"),
        (&[spin, ("row", "(.)"), ("column", ".")], "column", "group"),
        (&[spin, ("row", "(.)"), ("column", "(.)"), ("sequence", "a")], "sequence", "no meaning"),
        (&[("prefix", "a/")], "prefix", "/"),
        (&[("suffix", "%")], "suffix", "%"),
        (&[("folder", "../x")], "folder", ".."),
        (&[("includeDerived", "maybe")], "includeDerived", "true or false"),
        (&[("colour", "red")], "colour", "not a property"),
    ];
    for (extra, field, said) in cases {
        let invalid = script(extra).expect_err(field);
        assert_eq!(invalid.field, *field, "{extra:?}: {invalid}");
        assert!(invalid.rule.contains(said), "{extra:?}: {invalid}");
    }
}

#[test]
fn an_expression_cannot_run_away() {
    let script = script(&[("match", "(a|a)*(a*)*b|((a+)+)+c|(.*)x")]).unwrap();
    assert_eq!(set_of(&script, &"a".repeat(220)), "none");
}
