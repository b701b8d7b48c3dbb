//! What is no program is refused before anything of it runs, in words that say where the fault is; and what is one, runs
//! however deep it is nested and however long it takes.

use super::interpreter::{parse, run};

/// A program with two functions and two slots, the first function with this body.
fn with_body(level: u8, body: &str) -> String {
    program(level, body, r#"["new",0,0,null],["next",0]"#)
}

/// One with these operations.
fn with_main(main: &str) -> String {
    program(3, "", main)
}

fn program(level: u8, body: &str, main: &str) -> String {
    format!(
        r#"{{"id":"x","kind":"gen","level":{level},"profile":"","slots":2,"funcs":[{{"ints":2,"gens":2,"body":[{body}]}},{{"ints":0,"gens":0,"body":[]}}],"main":[{main}]}}"#
    )
}

#[track_caller]
fn assert_refused(line: &str, words: &str) {
    match parse(line) {
        Ok(_) => panic!("this was read: {line}"),
        Err(wrong) => assert!(wrong.contains(words), "{wrong:?} does not say {words:?}: {line}"),
    }
}

#[test]
fn what_is_not_json_or_of_another_shape_is_refused() {
    let whole = with_main(r#"["next",0]"#);
    assert!(parse(&whole).is_ok());
    // However much of it is missing.
    for end in whole.char_indices().map(|(end, _)| end) {
        assert!(parse(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    for line in ["[]", "null", "1", "\"\"", "{}", r#"{"id":"x"}"#] {
        assert!(parse(line).is_err(), "{line}");
    }
    for name in ["id", "kind", "level", "slots", "funcs", "main", "ints", "gens", "body"] {
        assert_refused(&whole.replacen(&format!("\"{name}\""), "\"other\"", 1), &format!("there is no {name:?}"));
        for other in ["[[]]", "{}", "-1", "1.5", "true", "99999999999999999999", "\"word\""] {
            let Some(start) = whole.find(&format!("\"{name}\":")).map(|at| at + name.len() + 3) else { continue };
            let len =
                if whole[start..].starts_with(['[', '{']) { continue } else { whole[start..].find(',').unwrap_or(0) };
            let line = format!("{}{other}{}", &whole[..start], &whole[start + len..]);
            assert!(parse(&line).is_err() || name == "id", "{line}");
        }
    }
    assert_refused(&format!("{whole}]"), "trailing");
    assert_refused(&whole.replace(r#""slots":2"#, r#""slots":1001"#), "not from 0 to 1000: 1001");
    assert_refused(&whole.replace(r#""level":3"#, r#""level":4"#), "the level is not 1, 2 or 3");
    assert_refused(&whole.replace(r#""gen""#, r#""async""#), r#"there is no kind "async""#);
}

#[test]
fn operations_that_cannot_be_are_refused() {
    for (operation, words) in [
        (r#"["next"]"#, "operation 0: \"next\" is unknown, or not followed by 0 things"),
        (r#"["next",0,0]"#, "\"next\" is unknown, or not followed by 1 things"),
        (r#"["next",2]"#, "there is no slot 2: they are 2"),
        (r#"["next",-1]"#, "there is no slot -1"),
        (r#"["next","s0"]"#, "no number of 64 bits: \"s0\""),
        (r#"["new",0,2,null]"#, "there is no function 2: they are 2"),
        (r#"["new",0,0,"p"]"#, "no number of 64 bits: \"p\""),
        (r#"["send",0,1.0]"#, "no number of 64 bits: 1.0"),
        (r#"["send",0,9223372036854775808]"#, "no number of 64 bits"),
        (r#"["throw",0,"E4",1]"#, "there is no exception \"E4\""),
        (r#"["throw",0,"ValueError",1]"#, "programs do not raise ValueError"),
        (r#"["throw",0,"Exception",1]"#, "there is no exception \"Exception\""),
        (r#"["throw",0,"E0"]"#, "\"throw\" is unknown, or not followed by 1 things"),
        (r#"["jump",0]"#, "\"jump\" is unknown"),
        (r#"[0,0]"#, "it does not begin with a word: [0,0]"),
        (r#""next""#, "no list: \"next\""),
        (r#"["next",0],["drop",0,1]"#, "operation 1: \"drop\""),
    ] {
        assert_refused(&with_main(operation), words);
    }
}

#[test]
fn statements_that_cannot_be_are_refused() {
    for (statement, words) in [
        (r#"["jump",1,2]"#, "function 0: jump 1: \"jump\" is unknown"),
        (r#"["log"]"#, "\"log\" is unknown, or not followed by 0 things"),
        (r#"["log","1",2]"#, "no number of 64 bits: \"1\""),
        (r#"["log",1,"x2"]"#, "log 1: there is no x2: they are 2"),
        (r#"["log",1,"x99999999999999999999"]"#, "there is no x99999999999999999999"),
        (r#"["log",1,"x"]"#, "\"x\" is no variable for values"),
        (r#"["log",1,"a0"]"#, "\"a0\" is no variable for values"),
        (r#"["log",1,true]"#, "no list: true"),
        (r#"["log",1,["mul",1,2]]"#, "\"mul\" is unknown"),
        (r#"["log",1,["add",1]]"#, "\"add\" is unknown, or not followed by 1 things"),
        (r#"["set",1,null,2]"#, "null cannot be set"),
        (r#"["set",1,"x3",2]"#, "there is no x3"),
        (r#"["yield",1,2,"p"]"#, "\"p\" is no variable for values"),
        (r#"["yield",1,2,3]"#, "no text: 3"),
        (r#"["yfrom",1,["call",2,0],null]"#, "there is no function 2"),
        (r#"["yfrom",1,["list",0],null]"#, "no list: 0"),
        (r#"["yfrom",1,["list",[[]]],null]"#, "it does not begin with a word: []"),
        (r#"["yfrom",1,["var","x0"],null]"#, "\"x0\" names no generator"),
        (r#"["yfrom",1,["all",[]],null]"#, "\"all\" is unknown"),
        (r#"["raise",1,"RuntimeError",null]"#, "programs do not raise RuntimeError"),
        (r#"["reraise",1]"#, "reraise 1: there is no handler around it"),
        (r#"["try",1,[["reraise",2]],[[["E0"],null,[]]],null]"#, "try 1: reraise 2: there is no handler"),
        (r#"["try",1,[],[[["E0"],null,[]]],[["reraise",2]]]"#, "reraise 2: there is no handler"),
        (r#"["try",1,[],[],null]"#, "it has neither a handler nor a finally block"),
        (r#"["try",1,[],[[[],null,[]]],null]"#, "a handler names no exception"),
        (r#"["try",1,[],[[["E9"],null,[]]],null]"#, "there is no exception \"E9\""),
        (r#"["try",1,[],[[["E0"],null]],null]"#, "no handler: [[\"E0\"],null]"),
        (r#"["if",1,["ge",1,2],[],[]]"#, "\"ge\" is unknown"),
        (r#"["if",1,["eq",1],[],[]]"#, "\"eq\" is unknown, or not followed by 1 things"),
        (r#"["if",1,["none",1],[],null]"#, "no list: null"),
        (r#"["loop",1,null,[]]"#, "no number of 64 bits: null"),
        (r#"["new",1,"s0",0,null]"#, "\"s0\" is a slot"),
        (r#"["new",1,"a2",0,null]"#, "there is no a2: they are 2"),
        (r#"["drive",1,"run","a0",null,null,"raw"]"#, "there is no operation \"run\""),
        (r#"["drive",1,"next","a0",1,null,"raw"]"#, "null belongs here, not 1"),
        (r#"["drive",1,"throw","a0","E0",null,"raw"]"#, "no list: \"E0\""),
        (r#"["drive",1,"throw","a0",["E0"],null,"raw"]"#, "no exception: [\"E0\"]"),
        (r#"["drive",1,"next","a0",null,null,"loud"]"#, "there is no mode \"loud\""),
        (r#"["del",1,"s2"]"#, "there is no s2: they are 2"),
        (r#"["state",1,null]"#, "no text: null"),
        (r#"["state",1,"a0"],["state",2,"b0"]"#, "state 2: \"b0\" names no generator"),
    ] {
        assert_refused(&with_body(3, statement), words);
    }
}

#[test]
fn a_program_keeps_to_its_level() {
    let (own, shared) = (r#"["state",1,"a0"]"#, r#"["yfrom",1,["var","s0"],null]"#);
    assert_refused(&with_body(1, own), "a0 belongs to level 2, and this program says 1");
    assert_refused(&with_body(2, shared), "s0 belongs to level 3, and this program says 2");
    assert!(parse(&with_body(2, own)).is_ok() && parse(&with_body(3, shared)).is_ok());
}

/// `inner` inside of `depth` times `before` and `after`.
fn nested(depth: usize, before: &str, inner: &str, after: &str) -> String {
    before.repeat(depth) + inner + &after.repeat(depth)
}

#[test]
fn what_is_nested_too_deep_is_refused_and_what_is_not_fits_its_stack() {
    // The blocks that take most of a stack, with an expression in the innermost that takes what is left to it.
    let nests = [
        (r#"["try",1,["#, r#"],[],[]]"#),
        (r#"["if",1,["none",null],["#, r#"],[]]"#),
        (r#"["loop",1,1,["#, r#"]]"#),
        (r#"["try",1,[],[],["#, r#"]]"#),
    ];
    for (before, after) in nests {
        for (blocks, terms) in [(58, 1), (29, 59), (0, 117)] {
            let sum = nested(terms, r#"["add",1,"#, "1", "]");
            let yields = format!(r#"["yield",1,{sum},null],["yfrom",1,["call",1,{sum}],"x0"],["yield",1,"x0","x1"]"#);
            let body = nested(blocks, before, &yields, after);
            let trace = run(parse(&with_body(1, &body)).expect("it is read"), false).expect("it runs");
            let value = terms + 1;
            let expected = format!("[\"op\",1,\"next\",\"s0\",\"yielded\",{value}]");
            assert!(String::from_utf8_lossy(&trace).contains(&expected), "{}", String::from_utf8_lossy(&trace));
        }
        for depth in [62, 100_000] {
            assert_refused(&with_body(1, &nested(depth, before, "", after)), "recursion limit");
        }
    }
    assert_refused(
        &with_body(1, &format!(r#"["log",1,{}]"#, nested(123, r#"["add",1,"#, "1", "]"))),
        "recursion limit",
    );
    assert_refused(&"[".repeat(1_000_000), "recursion limit");
}

#[test]
fn a_run_that_does_not_end_is_given_up() {
    // The `try`, the loop, and each of its turns: so many statements are run, and not one more.
    for (turns, ends) in [(199_998, true), (199_999, false)] {
        let turns = format!(r#"["loop",2,{turns},[["set",3,"x0",["add","x0",1]]]]"#);
        let body = format!(r#"["try",1,[{turns}],[[["BaseException"],null,[]]],[]]"#);
        let trace = run(parse(&with_body(1, &body)).expect("it is read"), false).expect("it is run");
        let trace = String::from_utf8_lossy(&trace);
        // As CPython's tracer has it: nothing catches this, and finally blocks are entered.
        let run = [
            r#"["prog","x"]"#,
            r#"["op",0,"new","s0","gen",0]"#,
            r#"["start",0,0]"#,
            r#"["fin",0,1]"#,
            r#"["exit",0]"#,
        ];
        let returned = r#"["op",1,"next","s0","returned",null]"#;
        let rest = if ends {
            &[returned, r#"["dropped",0]"#, r#"["op",2,"drop","s0","end"]"#, r#"["end","x",7]"#][..]
        } else {
            &[r#"["limit"]"#, r#"["end","x",5]"#]
        };
        assert!(trace.lines().eq(run.iter().chain(rest).copied()), "{trace}");
    }
}
