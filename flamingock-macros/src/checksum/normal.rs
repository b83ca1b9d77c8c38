use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::uses;

/// The tokens without what rustfmt adds, removes or reorders, and without documentation and lint attributes.
///
/// Spaces between the characters of an operator do not count either: rustfmt turns `& &a` into `&&a`.
pub(crate) fn normal_form(tokens: TokenStream) -> Vec<u8> {
    let mut form = Form::default();
    form.sequence(Delimiter::None, Within::Anything, tokens);
    form.bytes
}

#[derive(Default)]
struct Form {
    bytes: Vec<u8>,
}

impl Form {
    fn token(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    /// The content of a group.
    fn sequence(&mut self, delimiter: Delimiter, within: Within, tokens: TokenStream) {
        let tokens = visible(tokens);
        let sequence = Sequence::new(delimiter, within, &tokens);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if let Some(after) = sequence.after_remark(at) {
                at = after;
                continue;
            }
            if sequence.begins_statement(at)
                && let Some((paths, after)) = uses::paths(&tokens[at..])
            {
                paths.iter().for_each(|path| self.token(path));
                at += after;
                continue;
            }
            if !sequence.is_redundant(at) {
                match token {
                    TokenTree::Group(group) => self.group(group, &sequence, at),
                    // `x.0.0`, or `x.0 .0` as some write it.
                    TokenTree::Literal(index)
                        if sequence.previous(at).is_some_and(|dot| is_punct(dot, '.')) =>
                    {
                        self.token(&index.to_string().replace('.', "\0.\0"));
                    }
                    other => self.token(&other.to_string()),
                }
            }
            at += 1;
        }
    }

    fn group(&mut self, group: &Group, around: &Sequence<'_>, at: usize) {
        let delimiter = group.delimiter();
        let within = if around.is_called(at) { Within::Call } else { Within::Anything };
        let (open, close) = match delimiter {
            // rustfmt writes `vec![..]` whatever it finds.
            _ if around.is_vec(at) => ("[", "]"),
            _ if around.is_droppable(at) && is_lone(group) => {
                // What is left stands among the arms, like an expression that had no braces.
                let within = if around.has_arms() { Within::Arms } else { within };
                return self.sequence(delimiter, within, unwrapped(group));
            }
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        self.token(open);
        self.sequence(delimiter, within, group.stream());
        self.token(close);
    }
}

/// Whether the delimiters of a group say nothing: braces around a lone expression, and doubled parentheses.
fn is_lone(group: &Group) -> bool {
    let tokens = visible(group.stream());
    match group.delimiter() {
        Delimiter::Brace => {
            let sequence = Sequence::new(Delimiter::Brace, Within::Anything, &tokens);
            let is_statement = |at: usize| is_punct(&tokens[at], ';') && !sequence.is_redundant(at);
            !tokens.is_empty() && !(0..tokens.len()).any(is_statement)
        }
        Delimiter::Parenthesis => match &tokens[..] {
            [TokenTree::Group(inner)] => {
                let has_comma = inner.stream().into_iter().any(|token| is_punct(&token, ','));
                inner.delimiter() == Delimiter::Parenthesis && !inner.stream().is_empty() && !has_comma
            }
            _ => false,
        },
        Delimiter::Bracket | Delimiter::None => false,
    }
}

/// What is in a group, or in the braces that are all that is in it.
fn unwrapped(group: &Group) -> TokenStream {
    match &visible(group.stream())[..] {
        [TokenTree::Group(inner)] if is_braces(inner) && is_lone(inner) => unwrapped(inner),
        _ => group.stream(),
    }
}

/// Attributes that change nothing of what the code does.
const REMARKS: [&str; 6] = ["allow", "deny", "doc", "expect", "forbid", "warn"];

/// Words before an expression, a pattern or a type, which may be a tuple.
const EXPRESSION_FOLLOWS: [&str; 12] =
    ["as", "break", "else", "for", "if", "in", "let", "match", "mut", "return", "while", "yield"];

/// What a group belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// A call, a signature or a macro: its parentheses are no tuple.
    Call,
    /// The arms of a `match`, as one of their expressions.
    Arms,
    Anything,
}

/// The tokens of one group, to be judged by what stands around them.
struct Sequence<'a> {
    delimiter: Delimiter,
    within: Within,
    tokens: &'a [TokenTree],
    /// Whether they have a `=>`.
    has_arrow: bool,
}

impl<'a> Sequence<'a> {
    fn new(delimiter: Delimiter, within: Within, tokens: &'a [TokenTree]) -> Self {
        let is_arrow = |at: usize| is_arrow_end(tokens, at);
        let has_arrow = (0..tokens.len()).any(is_arrow);
        Self { delimiter, within, tokens, has_arrow }
    }

    /// Whether they are the arms of a `match`, or look so.
    fn has_arms(&self) -> bool {
        self.delimiter == Delimiter::Brace && (self.has_arrow || self.within == Within::Arms)
    }

    fn previous(&self, at: usize) -> Option<&TokenTree> {
        self.tokens[..at].last()
    }

    /// Whether rustfmt may have added this token, or may remove it.
    fn is_redundant(&self, at: usize) -> bool {
        match &self.tokens[at] {
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' => self.is_redundant_comma(at),
                ';' => self.is_redundant_semicolon(at),
                '|' => self.is_leading_pipe(at),
                _ => false,
            },
            _ => false,
        }
    }

    /// A trailing comma, or one between the arms of a `match`.
    fn is_redundant_comma(&self, at: usize) -> bool {
        match self.tokens.get(at + 1) {
            None => !self.is_tuple_of_one(at),
            // Of generics, and of a closure's parameters.
            Some(TokenTree::Punct(next)) if matches!(next.as_char(), '>' | '|') => true,
            Some(TokenTree::Group(next)) if is_braces(next) && self.statement_has(at, &["where"]) => true,
            Some(_) => self.has_arms(),
        }
    }

    /// The comma that makes `(x,)` a tuple.
    fn is_tuple_of_one(&self, at: usize) -> bool {
        let may_be_tuple = self.delimiter == Delimiter::Parenthesis && self.within != Within::Call;
        may_be_tuple && !self.tokens[..at].iter().any(|token| is_punct(token, ','))
    }

    /// An empty statement, the semicolon after a loop, or the one that rustfmt puts after `return x`.
    fn is_redundant_semicolon(&self, at: usize) -> bool {
        if self.delimiter == Delimiter::Bracket {
            return false;
        }
        let is_last = self.delimiter == Delimiter::Brace && at + 1 == self.tokens.len();
        match self.previous(at) {
            None => true,
            Some(previous) if is_punct(previous, ';') => true,
            Some(TokenTree::Group(group)) if is_braces(group) => {
                self.is_loop(at - 1) || is_last && self.statement_has(at, &["return", "break", "continue"])
            }
            Some(_) => is_last && self.statement_has(at, &["return", "break", "continue"]),
        }
    }

    /// The `|` before the first pattern of an arm.
    fn is_leading_pipe(&self, at: usize) -> bool {
        self.has_arrow
            && self.delimiter == Delimiter::Brace
            && match self.previous(at) {
                None => true,
                Some(TokenTree::Group(group)) => {
                    is_braces(group) && at >= 2 && is_arrow_end(self.tokens, at - 2)
                }
                Some(previous) => is_punct(previous, ','),
            }
    }

    /// Whether the statement that ends before `at` has one of these words.
    fn statement_has(&self, at: usize, words: &[&str]) -> bool {
        let statement = self.tokens[..at].iter().rev().take_while(|token| !is_punct(token, ';'));
        statement.into_iter().any(|token| is_word(token, words))
    }

    /// Whether the braces at `at` are the body of a loop.
    fn is_loop(&self, at: usize) -> bool {
        let is_boundary = |token: &TokenTree| {
            is_punct(token, ';') || matches!(token, TokenTree::Group(group) if is_braces(group))
        };
        let head = self.tokens[..at].iter().rev().take_while(|token| !is_boundary(token));
        head.into_iter().any(|token| is_word(token, &["loop", "while", "for"]))
    }

    fn begins_statement(&self, at: usize) -> bool {
        match self.previous(at) {
            None => self.delimiter == Delimiter::Brace,
            Some(TokenTree::Group(group)) => is_braces(group),
            Some(previous) => is_punct(previous, ';'),
        }
    }

    /// Whether rustfmt adds and removes the delimiters at `at` where they say nothing: parentheses, and braces
    /// after `=>`, after `|..|` and in `use`. Other braces, as of a loop or an `if`, always mean something.
    fn is_droppable(&self, at: usize) -> bool {
        let next = self.tokens.get(at + 1);
        let is_next = |one: char| next.is_some_and(|next| is_punct(next, one));
        match &self.tokens[..=at] {
            [.., TokenTree::Group(group)] if !is_braces(group) => true,
            // What goes on after the braces is about all that is in them: `{ a + b }.abs()`.
            [.., equals, arrow, _] if is_punct(equals, '=') && is_punct(arrow, '>') => {
                !is_next('.') && !is_next('?')
            }
            [.., pipe, _] if is_punct(pipe, '|') => next.is_none() || is_next(',') || is_next(';'),
            [.., first, second, _] if is_punct(first, ':') => is_punct(second, ':'),
            [.., word, _] => is_word(word, &["use"]),
            _ => false,
        }
    }

    /// Where documentation or a lint attribute ends, with `#[..]` or `#![..]`, if it begins here.
    fn after_remark(&self, at: usize) -> Option<usize> {
        let [hash, rest @ ..] = &self.tokens[at..] else { return None };
        if !is_punct(hash, '#') {
            return None;
        }
        let (rest, group_at) = match rest {
            [bang, rest @ ..] if is_punct(bang, '!') => (rest, at + 2),
            _ => (rest, at + 1),
        };
        let TokenTree::Group(group) = rest.first()? else { return None };
        let first = group.stream().into_iter().next();
        let is_remark = first.is_some_and(|word| is_word(&word, &REMARKS));
        (group.delimiter() == Delimiter::Bracket && is_remark).then_some(group_at + 1)
    }

    /// Whether parentheses here belong to a call, a signature or a macro: no tuple is meant.
    fn is_called(&self, at: usize) -> bool {
        match self.previous(at) {
            Some(TokenTree::Ident(name)) => !EXPRESSION_FOLLOWS.iter().any(|keyword| name == keyword),
            Some(TokenTree::Group(group)) => !is_braces(group),
            Some(TokenTree::Punct(punct)) => match punct.as_char() {
                '?' | '!' => true,
                // Of generics, not of an arrow.
                '>' => {
                    !matches!(&self.tokens[..at - 1], [.., before] if is_punct(before, '=') || is_punct(before, '-'))
                }
                _ => false,
            },
            Some(TokenTree::Literal(_)) | None => false,
        }
    }

    /// Whether this is the group of `vec!`.
    fn is_vec(&self, at: usize) -> bool {
        matches!(&self.tokens[..at], [.., TokenTree::Ident(name), bang] if name == "vec" && is_punct(bang, '!'))
    }
}

/// The tokens without the invisible groups around what a `macro_rules!` macro was given.
fn visible(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                all.extend(visible(group.stream()))
            }
            token => all.push(token),
        }
    }
    all
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_word(token: &TokenTree, wanted: &[&str]) -> bool {
    matches!(token, TokenTree::Ident(word) if wanted.iter().any(|it| word == it))
}

fn is_braces(group: &Group) -> bool {
    group.delimiter() == Delimiter::Brace
}

/// Whether the token at `at` is the `>` of `=>`.
fn is_arrow_end(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && is_punct(&tokens[at - 1], '=') && is_punct(&tokens[at], '>')
}
