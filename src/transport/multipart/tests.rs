use super::*;

const BOUNDARY: &str = "edge";

/// A part as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    head: Head,
    content: Vec<u8>,
}

/// Reads a body that comes in these pieces.
fn read_by<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Part>, Malformed> {
    let mut parser = Parser::new(BOUNDARY, Limits::DEFAULT);
    let (mut parts, mut open) = (Vec::new(), None::<Part>);
    let mut take = |parser: &mut Parser| -> Result<(), Malformed> {
        while let Some(event) = parser.next_event()? {
            match event {
                Event::Begin(head) => assert_eq!(open.replace(Part { head, content: Vec::new() }), None),
                Event::Data(bytes) => open.as_mut().unwrap().content.extend_from_slice(&bytes),
                Event::End => parts.push(open.take().unwrap()),
            }
        }
        Ok(())
    };
    for piece in pieces {
        parser.feed(piece);
        take(&mut parser)?;
    }
    parser.end();
    take(&mut parser)?;
    Ok(parts)
}

fn read(body: &[u8]) -> Result<Vec<Part>, Malformed> {
    let whole = read_by([body]);
    // However it is cut, it is the same body.
    assert_eq!(read_by(body.chunks(1)), whole, "a byte at a time");
    whole
}

fn contents(body: &str) -> Vec<String> {
    let parts = read(body.as_bytes()).unwrap_or_else(|problem| panic!("{problem}: {body:?}"));
    parts.into_iter().map(|part| String::from_utf8(part.content).unwrap()).collect()
}

/// The file name of the only part.
fn file_name(disposition: &str) -> Result<Option<String>, String> {
    let body = format!("--edge\r\nContent-Disposition: {disposition}\r\n\r\n--edge--");
    match read(body.as_bytes()) {
        Ok(mut parts) => Ok(parts.remove(0).head.file_name),
        Err(problem) => Err(problem.to_string()),
    }
}

/// What a part with this encoding and content becomes.
fn decoded(encoding: &str, content: &str) -> Result<String, Malformed> {
    let body = format!("--edge\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n--edge--\r\n");
    read(body.as_bytes()).map(|mut parts| String::from_utf8(parts.remove(0).content).unwrap())
}

#[test]
fn the_forms_that_clients_send_are_read() {
    let crlf = "--edge\r\nA: 1\r\n\r\none\r\n--edge\r\nA: 2\r\n\r\ntwo\r\n\r\n--edge--\r\n";
    assert_eq!(contents(crlf), ["one", "two\r\n"]);
    assert_eq!(contents(&crlf.replace('\r', "")), ["one", "two\n"], "lines end with LF");
    assert_eq!(contents(&crlf.replace("edge\r\n", "edge \t \r\n")), ["one", "two\r\n"], "padding");
    assert_eq!(contents(&crlf.replace("edge--\r\n", "edge-- \t")), ["one", "two\r\n"], "padding at the end");
    assert_eq!(contents(crlf.trim_end()), ["one", "two\r\n"], "the last line has no end");
    assert_eq!(contents(&format!("This is MIME.\r\n\r\n {crlf}").replace(" --", "--")), ["one", "two\r\n"]);
    assert_eq!(contents(&format!("\r\n{crlf}The end.\r\n--edg\r\n")), ["one", "two\r\n"], "an epilogue");
    assert_eq!(contents("--edge--"), Vec::<String>::new(), "no part at all");
    assert_eq!(contents("--edge\r\nA: 1\r\n\r\n--edge\r\n\r\n\r\n--edge\n\n--edge--"), ["", "", ""], "nothing in them");
    assert_eq!(contents("--edge\r\nA: 1\r\n b\r\n  \t\r\nx\r\n--edge--"), ["x"], "an empty line of spaces");
}

#[test]
fn a_boundary_that_is_closed_after_each_part_is_no_end() {
    for lines in [
        // As the reference prints it.
        "--edge\nContent-Disposition: form-data; name=\"a\"\n\n1\n--edge--\nContent-Disposition: form-data; name=\"b\"\n\n2\n--edge--",
        "--edge\nContent-Disposition: form-data; name=\"a\"\n\n1\n--edge--\n\n \ncontent-disposition: form-data; name=\"b\"\n\n2\n--edge--\n",
        "--edge\nContent-Disposition: form-data; name=\"a\"\n\n1\n--edge--\n--edge\nContent-Disposition: form-data; name=\"b\"\n\n2\n--edge--\n",
        "--edge\nContent-Disposition: form-data; name=\"a\"\n\n1\n--edge--\nsome words\n--edge\nContent-Disposition: form-data; name=\"b\"\n\n2\n--edge--\n",
    ] {
        for body in [lines.to_owned(), lines.replace('\n', "\r\n"), lines.replace('\n', " \r\n")] {
            let parts = read(body.as_bytes()).unwrap();
            let found: Vec<_> = parts
                .iter()
                .map(|part| (part.head.name.as_deref().unwrap(), String::from_utf8_lossy(part.content.trim_ascii())))
                .collect();
            assert_eq!(found, [("a", "1".into()), ("b", "2".into())], "{body:?}");
        }
    }
    // Its head may begin with what is no business of ours.
    let odd = "--edge\n\n1\n--edge--\nX-Foo: bar\nContent-Disposition: form-data; name=\"b\"\n\n2\n--edge--\n";
    assert_eq!(contents(odd), ["1", "2"]);
    for head in [
        "Content-Disposition : form-data; name=\"b\"",
        "Date: now,\n then\nContent-Type: text/plain",
        "X_Odd.1: a\nContent-Type: text/plain",
    ] {
        assert_eq!(contents(&format!("--edge\n\n1\n--edge--\n{head}\n\n2\n--edge--\n")), ["1", "2"], "{head}");
    }
    // Fields of something else are words behind the end.
    for words in
        ["X-Trailer: 1\n", "X-Trailer: 1\n\n", "X-Trailer: 1\n\nContent-Type: text/plain\n\n2", "MIME-Version: 1"]
    {
        assert_eq!(contents(&format!("--edge\n\n1\n--edge--\n{words}")), ["1"], "{words}");
    }
    // What follows and is no head is no part.
    assert_eq!(contents("--edge\n\n1\n--edge--\nwords\nContent-Type: text/plain\n\n2\n"), ["1"]);
}

#[test]
fn content_is_what_was_sent_to_the_byte() {
    for content in [
        "\r\n--edg",
        "\r\n--edgy\r\n",
        "--edges",
        "\r",
        "\r\n",
        "\n",
        "\r\r\n\r",
        "\r\n-",
        "\r\n--",
        "\r\n--edge-\r\n",
        "\r\n--edge--x",
        "\r\n--edge \r-",
        "\r\n\r\n--edge.\r\n--edge,\r\n",
        "x--edge\r\n",
        "\r\n --edge\r\n",
        "\r\n--EDGE\r\n",
    ] {
        assert_eq!(contents(&format!("--edge\r\n\r\n{content}\r\n--edge--\r\n")), [content], "{content:?}");
    }
    // Where lines end with LF, a return is content.
    assert_eq!(contents("--edge\n\nx\r\n--edge--\n"), ["x\r"]);
    assert_eq!(contents("--edge\r\n\r\nx\n--edge--\n"), ["x"], "and a return that lacks is none");
    assert_eq!(contents("--edge\r\n\r\nx\r\n\n--edge--\n"), ["x\r\n"]);
}

#[test]
fn a_body_cut_anywhere_gives_the_same_parts() {
    let mut body =
        b"words before\r\n--edge \r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n<a/>\r\n--edge--\r\n"
            .to_vec();
    body.extend(b"Content-Disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\nContent-Type: image/png\r\n");
    body.extend(b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\nGgoAAA==\r\n\r\n--edge\nContent-Transfer-Encoding: quoted-printable\n");
    body.extend(b"\n=C3=A4 =\r\n\r\n-=2d\n--edge\r\nX: y\r\n z\r\n\r\n\0\xff\r\n--edg\r\n--edge \r\r\n--edgeX\r\n\r\n--edge--\r\nafter");
    let whole = read(&body).unwrap();
    assert_eq!(whole.len(), 4);
    assert_eq!(whole[1].content, b"\x89PNG\r\n\x1a\n\0\0");
    assert_eq!(whole[2].content, "ä \r\n--".as_bytes());
    assert_eq!(whole[3].content, b"\0\xff\r\n--edg\r\n--edge \r\r\n--edgeX\r\n");
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(read_by([head, tail]).as_ref(), Ok(&whole), "cut at {cut}");
        for second in [1, 2, 7] {
            let (middle, tail) = tail.split_at(second.min(tail.len()));
            assert_eq!(read_by([head, middle, tail]).as_ref(), Ok(&whole), "cut at {cut} and {second} further");
        }
        // And one that ends there never passes for whole before its last boundary.
        let last = body.windows(8).rposition(|window| window == b"--edge--").unwrap();
        let ended = read_by([head]);
        if cut < last + 8 && ended.as_ref().is_ok_and(|parts| parts.len() != 1) {
            panic!("cut off at {cut}: {ended:?}");
        }
    }
}

/// Bytes that are nearly boundaries, in any order: what is read does not hang on how they came.
#[test]
fn odd_bodies_are_read_alike_however_they_come() {
    let tokens: [&[u8]; 16] = [
        b"--edge",
        b"--edge--",
        b"\r\n",
        b"\n",
        b"\r",
        b"--",
        b" ",
        b"Content-Disposition: form-data; name=\"a\"\r\n",
        b"x",
        b"=",
        b"Content-Transfer-Encoding: base64\n",
        b"QUJD",
        b"--edge\r\n\r\n",
        b"\r\n--edge\r\n\r\n",
        b":",
        b"\xff",
    ];
    let mut seed = 7_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut read_in_full = 0;
    for _ in 0..4000 {
        let length = 2 + random(14);
        let mut body: Vec<u8> = b"--edge\r\n".to_vec();
        body.extend((0..length).flat_map(|_| tokens[random(tokens.len())]));
        body.extend(b"\r\n--edge--");
        let whole = read_by([body.as_slice()]);
        read_in_full += usize::from(whole.is_ok());
        for size in [1, 2, 3, 5, 8] {
            assert_eq!(read_by(body.chunks(size)), whole, "{:?} by {size}", String::from_utf8_lossy(&body));
        }
    }
    assert!(read_in_full > 200, "{read_in_full} of them are bodies at all");
}

#[test]
fn encodings_for_the_way_are_undone() {
    for plain in ["7bit", "8BIT", "binary", ""] {
        assert_eq!(decoded(plain, "=41 QUJD").unwrap(), "=41 QUJD", "{plain}");
    }
    for (content, expected) in
        [("", ""), ("QQ==", "A"), ("QUI=", "AB"), ("QUJD", "ABC"), ("Q U\tJ\r\nD\nRA=\r\n=\r\n", "ABCD"), ("QR==", "A")]
    {
        assert_eq!(decoded("Base64", content).unwrap(), expected, "{content:?}");
    }
    let garbled = |encoding| Err(Malformed::Garbled { part: 1, encoding });
    for content in ["Q", "QQ", "QQ=", "QQ==QQ==", "QQ==x", "Q*==", "=", "QUJD-", "====", "QUJDQ", "Q=Q="] {
        assert_eq!(decoded("base64", content), garbled("base64"), "{content:?}");
    }
    for (content, expected) in [
        ("caf=C3=a9 =3D", "café ="),
        ("one=\r\n two= \t\r\nthree=\nfour", "one twothreefour"),
        ("kept\r\nlines ", "kept\r\nlines "),
        ("the end=", "the end"),
    ] {
        assert_eq!(decoded("quoted-printable", content).unwrap(), expected, "{content:?}");
    }
    for content in ["=4", "=XX", "= x", "=\rx", "=4\r\n1"] {
        assert_eq!(decoded("Quoted-Printable", content), garbled("quoted-printable"), "{content:?}");
    }
    for unknown in ["x-uuencode", "gzip", "base64, base64"] {
        let problem = decoded(unknown, "x").unwrap_err().to_string();
        assert!(problem.contains(&format!("{unknown:?}")) && problem.contains("part 1"), "{problem}");
    }
}

#[test]
fn names_of_files_are_read_in_every_way_they_are_written() {
    for (disposition, expected) in [
        ("form-data; name=file", None),
        ("form-data; name=\"file\"; filename=\"a b;c.png\"", Some("a b;c.png")),
        ("FORM-DATA;NAME=x;FILENAME = plain.png ; size=1", Some("plain.png")),
        (r#"form-data; filename="say \"cheese\".png""#, Some("say \"cheese\".png")),
        (r#"form-data; filename="C:\My Pictures\a.png""#, Some(r"C:\My Pictures\a.png")),
        (r#"form-data; filename="C:\\a.png""#, Some(r"C:\\a.png")),
        ("form-data; filename=\"Straße 写真.png\"", Some("Straße 写真.png")),
        ("form-data; filename=\"x.png\"; filename*=UTF-8''Stra%C3%9Fe%20%E5%86%99.png", Some("Straße 写.png")),
        ("form-data; filename*=utf-8'de'it%27s.png; filename=\"x.png\"", Some("it's.png")),
        ("form-data; filename*=\"ISO-8859-1''%A3%20rates\"", Some("£ rates")),
        ("form-data; filename=\"50%25.png\"", Some("50%25.png")),
        ("form-data; filename=\"\"", Some("")),
        ("form-data; x-filename=a; name=\"filename=b\"", None),
        ("form-data;\r\n name=a;\r\n\tfilename=\"folded.png\"", Some("folded.png")),
    ] {
        assert_eq!(file_name(disposition).unwrap().as_deref(), expected, "{disposition}");
    }
    for (disposition, word) in [
        ("form-data; filename=\"a", "closing quote"),
        ("form-data; filename=\"a\"b\"", "closing quote"),
        ("form-data; filename=\"a\\\"", "closing quote"),
        ("form-data; filename=a; filename=b", "twice"),
        ("form-data; filename", "no value"),
        ("form-data; filename=\"a\0b\"", "U+0000"),
        ("form-data; filename=\"a\u{FFFF}b\"", "U+FFFF"),
        ("form-data; filename*=UTF-8''a%0Ab", "U+000A"),
        ("form-data; filename*=UTF-8''%ff", "UTF-8"),
        ("form-data; filename*=Shift_JIS''%83", "shift_jis"),
        ("form-data; filename*=a.png", "UTF-8''"),
        ("form-data\r\nContent-Disposition: form-data", "twice"),
        (&format!("form-data{}", (0..17).map(|n| format!("; p{n}=1")).collect::<String>()), "more than 16 parameters"),
    ] {
        let problem = file_name(disposition).unwrap_err();
        assert!(problem.contains(word) && problem.contains("part 1"), "{disposition}: {problem}");
    }
    let latin = read(b"--edge\r\nContent-Disposition: form-data; filename=\"caf\xe9\"\r\n\r\n\r\n--edge--");
    assert!(latin.unwrap_err().to_string().contains("not in UTF-8"));
}

#[test]
fn what_has_no_end_has_a_bound() {
    let most = Limits::DEFAULT;
    let endless = |start: &str, filling: &str| {
        let mut parser = Parser::new(BOUNDARY, most);
        parser.feed(start.as_bytes());
        loop {
            match parser.next_event() {
                Ok(Some(_)) => {}
                Ok(None) => parser.feed(filling.as_bytes()),
                Err(problem) => return problem,
            }
        }
    };
    for filling in ["x", "\r\n", "--edg\n", "--edgeling\r\n"] {
        assert_eq!(endless("", filling), Malformed::NoPart(most.outside), "{filling:?}");
        assert_eq!(endless("--edge--\n", filling), Malformed::Junk(most.outside), "{filling:?}");
    }
    let long = Malformed::LongHead { part: 1, most: most.head };
    for filling in ["x", "A: b\n", "\t"] {
        assert_eq!(endless("--edge\r\nA: ", filling), long, "{filling:?}");
    }
    assert_eq!(endless("--edge\n\nx\n--edge", " "), Malformed::Padding(1));
    assert_eq!(endless("--edge\n\nx\n--edge--", " "), Malformed::Padding(1));
    let many: String = (0..65).map(|n| format!("X-{n}: 1\r\n")).collect();
    let problem = read(format!("--edge\r\n{many}\r\n--edge--").as_bytes()).unwrap_err();
    assert!(problem.to_string().contains("more than 64 lines"), "{problem}");
    // As much as is allowed is not too much.
    let words = "w".repeat(most.outside - "\r\n--edge\r\n".len());
    let path = "p".repeat(most.head - "A: \r\n\r\n".len());
    assert_eq!(contents(&format!("{words}\r\n--edge\r\nA: {path}\r\n\r\nx\r\n--edge--")), ["x"]);
}

#[test]
fn what_is_no_body_of_parts_is_refused_in_words() {
    for (body, problem) in [
        ("", Malformed::Empty),
        ("words", Malformed::Empty),
        ("--other\r\n\r\nx\r\n--other--", Malformed::Empty),
        ("--edge", Malformed::Empty),
        ("--edge\r\n", Malformed::CutOff(1)),
        ("--edge\r\nA: 1\r\n", Malformed::CutOff(1)),
        ("--edge\r\n\r\nx", Malformed::CutOff(1)),
        ("--edge\r\n\r\nx\r\n--edge", Malformed::CutOff(1)),
        ("--edge\r\n\r\nx\r\n--edge-", Malformed::CutOff(1)),
        ("--edge\r\n\r\nx\r\n--edge\r\n\r\n", Malformed::CutOff(2)),
    ] {
        assert_eq!(read(body.as_bytes()), Err(problem), "{body:?}");
    }
    for (head, word) in
        [("no colon", "no colon"), (": nameless", "nameless"), ("a b: c", "a b: c"), ("\u{1b}[31m", "\\u{1b}")]
    {
        let problem = read(format!("--edge\r\n{head}\r\n\r\nx\r\n--edge--").as_bytes()).unwrap_err().to_string();
        assert!(problem.contains(word) && problem.contains("part 1"), "{head}: {problem}");
    }
}

/// No more is held than was fed last and the beginning of a boundary, however much has come.
#[test]
fn long_content_takes_no_room_and_no_second_look() {
    let mut parser = Parser::new(BOUNDARY, Limits::DEFAULT);
    parser.feed(b"--edge\r\n\r\n");
    assert!(matches!(parser.next_event(), Ok(Some(Event::Begin(_)))));
    // Each line is nearly the boundary.
    let piece = b"\r\n--edg-\r\n--edge.".repeat(500);
    let mut given = 0;
    for round in 1..=200 {
        parser.feed(&piece);
        while let Some(event) = parser.next_event().unwrap() {
            let Event::Data(bytes) = event else { panic!("{event:?}") };
            given += bytes.len();
        }
        assert!(round * piece.len() - given <= "\r\n--edge".len(), "{} are held", round * piece.len() - given);
    }
}

#[test]
fn media_types_say_what_parts_them() {
    let boundary = |value: &str| MediaType::read(value.as_bytes()).map(|read| read.map(|read| read.boundary));
    for (value, expected) in [
        ("multipart/form-data; boundary=O9-ba7tie ", "O9-ba7tie"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a; b=c\"", "a; b=c"),
        ("multipart/related; type=\"application/xop+xml\"; boundary=\"uuid:1+id=1\"; start=\"<a@b>\"", "uuid:1+id=1"),
    ] {
        assert_eq!(boundary(value), Some(Ok(expected.to_owned())), "{value}");
    }
    for value in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=a; boundary=b",
        &format!("multipart/form-data; boundary={}", "b".repeat(201)),
    ] {
        assert!(boundary(value).unwrap().is_err(), "{value}");
    }
    assert_eq!(boundary("text/xml; boundary=a"), None);
    let related =
        MediaType::read(b"multipart/related; boundary=b; type=\"application/xop+xml\"; start-info=\"text/xml\"");
    let related = related.unwrap().unwrap();
    assert_eq!((related.subtype.as_str(), related.root_type.as_deref()), ("related", Some("text/xml")));
}
