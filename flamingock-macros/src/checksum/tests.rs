use super::*;

fn form(text: &str) -> String {
    let tokens = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    String::from_utf8(normal_form(tokens)).unwrap()
}

fn same(a: &str, b: &str) {
    // As rustfmt meets it: inside a body.
    assert_eq!(form(&format!("{{ first(); {a} }}")), form(&format!("{{ first(); {b} }}")), "\n{a}\n{b}");
}

fn differ(a: &str, b: &str) {
    assert_ne!(form(&format!("{{ first(); {a} }}")), form(&format!("{{ first(); {b} }}")), "\n{a}\n{b}");
}

#[test]
fn a_checksum_names_its_version() {
    let sum = checksum([("apply", form("fn a() {}").into_bytes())]);
    assert_eq!(sum.len(), 3 + 64);
    assert!(sum.starts_with("v1:") && sum[3..].bytes().all(|digit| digit.is_ascii_hexdigit()));
}

#[test]
fn the_checksum_of_version_1_never_changes() {
    // An applied change keeps the checksum that it was applied with: a failure here means `v2:`.
    let text = "async fn apply(db: &mut PgConnection,) -> ChangeResult {
        /* why */ use b::{c, a}; for x in [1, 2,] { db.run(\"a, b\", x).await?; } Ok(())
    }";
    assert_eq!(
        checksum([("apply", form(text).into_bytes())]),
        "v1:8cc1bb26cd24ff4107035fceaa8c0cd466527d7e40e42ef69bcb013b23c28ee5"
    );
}

#[test]
fn the_role_of_a_method_counts() {
    let part = || form("fn a() {}").into_bytes();
    assert_ne!(checksum([("apply", part())]), checksum([("rollback", part())]));
    assert_ne!(checksum([("apply", part())]), checksum([("apply", part()), ("rollback", part())]));
}

#[test]
fn comments_and_layout_do_not_count() {
    same("a(b) ; // why\n c()", "a(b); /* how */ c()");
    same("/// doc\n struct A { #[doc = \"x\"] a: u8 }", "struct A { a: u8 }");
    same("mod a { //! doc\n fn f() { g(); } }", "mod a { fn f() { g(); } }");
}

#[test]
fn lint_attributes_do_not_count() {
    same("#[allow(clippy::x, reason = \"y\")] fn f() { g(); }", "fn f() { g(); }");
    same("#[expect(unused)] let a = b; f()", "let a = b; f()");
    same("mod a { #![deny(x)] fn f() { g(); } }", "mod a { fn f() { g(); } }");
    differ("#[cfg(unix)] f()", "f()");
}

#[test]
fn trailing_commas_do_not_count() {
    same("f(a, b,)", "f(a, b)");
    same("[a, b,]", "[a, b]");
    same("f(a,)", "f(a)");
    same("f::<A>(a,)(b,)?", "f::<A>(a)(b)?");
    same("println!(a,)", "println!(a)");
    same("S { a: 1, b, }", "S { a: 1, b }");
    same("Vec::<A<B, C,>,>::new()", "Vec::<A<B, C>>::new()");
    same("|a, b,| a + b", "|a, b| a + b");
    same("fn f<T>(t: T,) where T: A, { g(t); }", "fn f<T>(t: T) where T: A { g(t); }");
    same("enum E { A, B(u8,), }", "enum E { A, B(u8,) }");
}

#[test]
fn commas_that_mean_something_count() {
    differ("(a,)", "(a)");
    differ("return (a,)", "return (a)");
    differ("|x| -> (A,) { x }", "|x| -> (A) { x }");
    differ("[1, -2]", "[1 - 2]");
    differ("vec![a, *b]", "vec![a * b]");
    differ("f(a, b)", "f(a b)");
}

#[test]
fn braces_around_a_lone_expression_do_not_count() {
    same(
        "match x { A => { f(b) } B => { g() }, C => h(), }",
        "match x { A => f(b), B => g(), C => { h() } }",
    );
    same(
        "match x { A => { match y { C => 1, D => 2 } } B => 3 }",
        "match x { A => match y { C => 1, D => 2, }, B => 3, }",
    );
    same("match x { A => unsafe { y } B => 3 }", "match x { A => unsafe { y }, B => 3, }");
    same("match x { A => { B::<C, D>::e() } }", "match x { A => B::<C, D>::e(), }");
    same("f(|x| { g(x) })", "f(|x| g(x))");
    same("f(move || { { g() } })", "f(move || g())");
}

#[test]
fn braces_of_imports_do_not_count() {
    same("pub use a::{b}; f()", "pub use a::b; f()");
    same("pub use {a}; f()", "pub use a; f()");
}

#[test]
fn what_moves_into_or_out_of_a_block_counts() {
    differ(
        "for t in tables { for c in t { x(); } for i in y { z(); } }",
        "for t in tables { for c in t { x(); } } for i in y { z(); }",
    );
    differ("if a { if b { x(); } if c { y(); } }", "if a { if b { x(); } } if c { y(); }");
    differ("if a { if b { x } else { y } }", "if a { if b { x } } else { y }");
    differ("loop { if a { break; } if b { c(); } }", "loop { if a { break; } } if b { c(); }");
    differ("while a { if b { c(); } }", "while a {} if b { c(); }");
    differ("let a = { if b { c } else { d } };", "let a = if b { c } else { d };");
    differ("match x { A => { a + b }.abs() }", "match x { A => a + b.abs() }");
    differ("f(|x| { a + x }.abs())", "f(|x| a + x.abs())");
}

#[test]
fn braces_around_statements_count() {
    differ("{ f(); g() }", "f(); g()");
    differ("match x { A => { f(); } }", "match x { A => f() }");
    differ("loop {}", "loop");
}

#[test]
fn leading_pipes_do_not_count() {
    same(
        "match x { | A | B => 1, | C => { f(); } | D => 2 }",
        "match x { A | B => 1, C => { f(); } D => 2 }",
    );
}

#[test]
fn doubled_parentheses_do_not_count() {
    same("f(((a + b)) * c)", "f((a + b) * c)");
    differ("(a + b) * c", "a + b * c");
    differ("f((a, b))", "f(a, b)");
    differ("f(())", "f()");
}

#[test]
fn semicolons_that_rustfmt_adds_or_removes_do_not_count() {
    same("if a { return }", "if a { return; }");
    same("if a { return f(x) } g()", "if a { return f(x); } g()");
    same("loop { f(); break; }", "loop { f(); break }");
    same("for x in y { f(x); }; g()", "for x in y { f(x); } g()");
    same("f();; g()", "f(); g()");
    same("for x in y {} let f = |a| { b }; f()", "for x in y {} let f = |a| b; f()");
    differ("f(); g();", "f(); g()");
    differ("[0; 2]", "[0, 2]");
}

#[test]
fn the_order_and_grouping_of_imports_do_not_count() {
    same("use b::c; use a::{e, d}; f()", "use a::{d, e}; use b::{c}; f()");
    same("use a::{self, b}; f()", "use a; use a::b; f()");
    differ("use a::b; f()", "use a::c; f()");
    differ("use a::b as c; f()", "use a::b as d; f()");
    differ("use ::a::b; f()", "use a::b; f()");
    differ("use a::*; f()", "use a::b; f()");
}

#[test]
fn the_delimiters_of_vec_do_not_count() {
    same("vec!(1, 2)", "vec![1, 2]");
    same("vec!{1}", "vec![1]");
}

#[test]
fn a_space_within_tuple_indices_does_not_count() {
    same("x.0.1", "x.0 .1");
    differ("0.1", "0 .1");
}

#[test]
fn what_the_code_says_counts() {
    differ("f(a)", "f(b)");
    differ("f(\"a\")", "f(\"b\")");
    differ("f(\"a, b\")", "f(\"a,b\")");
    differ("a.await?", "a.await");
    differ("f(1)", "f(-1)");
    differ("x < y", "x > y");
    differ("ab", "a b");
}

#[test]
fn any_tokens_have_a_normal_form_that_layout_does_not_change() {
    // Words of which bodies are made, in any order.
    const WORDS: [&str; 40] = [
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        ";",
        "|",
        "=>",
        "->",
        "::",
        ".",
        "#",
        "!",
        "&",
        "<",
        ">",
        "=",
        "use",
        "as",
        "self",
        "for",
        "while",
        "loop",
        "match",
        "return",
        "where",
        "vec",
        "let",
        "a",
        "b",
        "0",
        "1.0",
        "'c'",
        "\"s\"",
        "'l",
        "#[doc = \"d\"]",
        "_",
        "*",
    ];
    bolero::check!().with_type::<Vec<u8>>().for_each(|words| {
        let words: Vec<&str> = words.iter().map(|word| WORDS[usize::from(*word) % WORDS.len()]).collect();
        let Ok(tokens) = words.join(" ").parse() else { return };
        let as_written = normal_form(tokens);
        let spread = words.join(" /* why */\n\t").parse().expect("it was understood on one line");
        assert_eq!(normal_form(spread), as_written);
    });
}
