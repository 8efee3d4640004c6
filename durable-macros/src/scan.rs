//! The text of a source file without the function bodies that are not needed.
//!
//! Most of a file is in the bodies of functions that are `async` or have an attribute. Only the
//! items in these bodies matter, and lexing and parsing the rest would take a third of the time of
//! all expansions. So bodies without items are cut out of the text first.

/// The words with which an item may begin.
pub(crate) const ITEMS: [&str; 11] = [
    "const",
    "enum",
    "extern",
    "fn",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "use",
];

/// The text with an empty body for each function that is `async` or has an attribute other than
/// these `harmless` ones, unless there may be items in the body.
pub(crate) fn without_bodies(text: &str, harmless: &[&str]) -> String {
    cut(text, harmless).unwrap_or_else(|| text.to_owned())
}

/// What the tokens before the current one announce.
#[derive(Clone, Copy)]
enum Seen {
    Nothing,
    /// `#`
    Hash,
    /// An attribute, or `async`.
    Annotation,
    /// `fn` after an annotation, with the number of parentheses and brackets opened since.
    Fn {
        depth: usize,
    },
    /// `macro_rules`
    Macro,
}

/// The text without these bodies; `None` if a bracket is not closed.
fn cut(text: &str, harmless: &[&str]) -> Option<String> {
    let mut scan = Scan { text, at: 0 };
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    let mut seen = Seen::Nothing;
    let mut before = seen;
    while let Some(token) = scan.next() {
        seen = match (seen, token) {
            (Seen::Fn { depth: 0 }, Token::Open('{')) => {
                let begin = scan.at;
                if !scan.skip_group()? {
                    kept.push_str(&text[copied..begin]);
                    copied = scan.at - 1;
                }
                Seen::Nothing
            }
            (Seen::Fn { depth: 0 }, Token::Mark(';')) => Seen::Nothing,
            (Seen::Fn { depth }, Token::Open(_)) => Seen::Fn { depth: depth + 1 },
            (Seen::Fn { depth }, Token::Close) => Seen::Fn { depth: depth.saturating_sub(1) },
            (Seen::Fn { .. }, _) => seen,
            (_, Token::Word("macro_rules")) => Seen::Macro,
            // A macro is read as a whole.
            (Seen::Macro, Token::Open(_)) => {
                scan.skip_group()?;
                Seen::Nothing
            }
            (Seen::Macro, _) => seen,
            (_, Token::Mark('#')) => {
                before = seen;
                Seen::Hash
            }
            (Seen::Hash, Token::Open('[')) => {
                let name = Scan { ..scan }.next();
                scan.skip_group()?;
                match name {
                    Some(Token::Word(name)) if harmless.contains(&name) => before,
                    _ => Seen::Annotation,
                }
            }
            (_, Token::Word("async")) => Seen::Annotation,
            (Seen::Annotation, Token::Word("fn")) => Seen::Fn { depth: 0 },
            // As in `pub(crate) const unsafe extern "C"`.
            (Seen::Annotation, Token::Word(_) | Token::Literal) => seen,
            (Seen::Annotation, Token::Open('(')) => {
                scan.skip_group()?;
                seen
            }
            _ => Seen::Nothing,
        };
    }
    kept.push_str(&text[copied..]);
    Some(kept)
}

/// A token, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Open(char),
    Close,
    Mark(char),
    Literal,
    Lifetime,
}

/// Splits a text into tokens.
#[derive(Clone, Copy)]
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next token.
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let begin = self.at;
        let first = self.byte(0)?;
        self.at += 1;
        Some(match first {
            b'(' | b'[' | b'{' => Token::Open(first.into()),
            b')' | b']' | b'}' => Token::Close,
            b'"' => self.string(),
            b'\'' => self.quote(),
            b'0'..=b'9' => {
                self.skip_word();
                Token::Literal
            }
            _ if is_word(first) => {
                self.skip_word();
                self.prefixed(&self.text[begin..self.at])
            }
            _ => Token::Mark(first.into()),
        })
    }

    /// Skips to the end of the group that has been opened. Returns whether items may be in it;
    /// `None` if it has no end.
    fn skip_group(&mut self) -> Option<bool> {
        let mut depth = 1;
        let mut has_items = false;
        while depth > 0 {
            match self.next()? {
                Token::Open(_) => depth += 1,
                Token::Close => depth -= 1,
                Token::Word(word) => has_items = has_items || ITEMS.contains(&word),
                Token::Mark(_) | Token::Literal | Token::Lifetime => {}
            }
        }
        Some(has_items)
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Skips the next occurrence of `end`, or to the end of the text.
    fn skip_to(&mut self, end: &str) {
        let rest = &self.text[self.at..];
        self.at += rest.find(end).map_or(rest.len(), |found| found + end.len());
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.byte(0) {
            match (byte, self.byte(1)) {
                (b'/', Some(b'/')) => self.skip_to("\n"),
                (b'/', Some(b'*')) => self.skip_comment(),
                _ if byte.is_ascii_whitespace() => self.at += 1,
                _ => return,
            }
        }
    }

    /// A comment in `/*` and `*/`, which may contain others.
    fn skip_comment(&mut self) {
        let mut depth = 0;
        while let Some(byte) = self.byte(0) {
            match (byte, self.byte(1)) {
                (b'/', Some(b'*')) => depth += 1,
                (b'*', Some(b'/')) => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_word(&mut self) {
        while self.byte(0).is_some_and(is_word) {
            self.at += 1;
        }
    }

    /// A word, or a literal that begins with one: `b"..."`, `r#"..."#`.
    fn prefixed(&mut self, word: &'a str) -> Token<'a> {
        match (word, self.byte(0)) {
            ("b" | "c", Some(b'"')) => {
                self.at += 1;
                self.string()
            }
            ("b", Some(b'\'')) => {
                self.at += 1;
                self.quote()
            }
            ("r" | "br" | "cr", Some(b'"' | b'#')) => {
                let rest = &self.text[self.at..];
                let hashes = rest.len() - rest.trim_start_matches('#').len();
                if rest.as_bytes().get(hashes) == Some(&b'"') {
                    self.at += hashes + 1;
                    self.skip_to(&format!("\"{}", &rest[..hashes]));
                    Token::Literal
                } else {
                    // A raw name is no keyword.
                    self.at += hashes;
                    self.skip_word();
                    Token::Literal
                }
            }
            _ => Token::Word(word),
        }
    }

    /// The rest of a string.
    fn string(&mut self) -> Token<'a> {
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        Token::Literal
    }

    /// What a single quote begins: a character or a lifetime.
    fn quote(&mut self) -> Token<'a> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut chars = rest.char_indices();
        let first = chars.next().map_or('\'', |(_, first)| first);
        if first == '\\' {
            self.at += 2;
            self.skip_to("'");
            Token::Literal
        } else if let Some((end, '\'')) = chars.next() {
            self.at += end + 1;
            Token::Literal
        } else {
            self.skip_word();
            Token::Lifetime
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMLESS: &[&str] = &["inline", "doc"];

    #[test]
    fn bodies_that_no_rule_reads_are_cut_out() {
        for (text, kept) in [
            ("async fn f() { a(1) } fn g() { b }", "async fn f() {} fn g() { b }"),
            (
                "#[h] pub(crate) fn f(x: [u8; 2]) -> T<{ 1 }> { a }",
                "#[h] pub(crate) fn f(x: [u8; 2]) -> T<{}> { a }",
            ),
            ("#[h] #[inline] fn f() { a }", "#[h] #[inline] fn f() {}"),
            ("#[h] unsafe extern \"C\" fn f() { a }", "#[h] unsafe extern \"C\" fn f() {}"),
            ("mod m { #[h] async fn f() { a } }", "mod m { #[h] async fn f() {} }"),
            ("#[h] fn f(); fn g() { b }", "#[h] fn f(); fn g() { b }"),
        ] {
            assert_eq!(without_bodies(text, HARMLESS), kept);
        }
    }

    #[test]
    fn bodies_that_a_rule_may_read_are_kept() {
        for text in [
            "#[inline] fn f() { a }",
            "#[derive(A)] struct S { f: fn() -> u8 } fn g() { b }",
            "#[h] async fn f() { use std::fs; a }",
            "macro_rules! m { () => { #[h] async fn f() { a } } }",
            "#[h] async fn f() { a",
            "impl S { fn f(&self) { async { a } } }",
        ] {
            assert_eq!(without_bodies(text, HARMLESS), text);
        }
    }

    #[test]
    fn brackets_in_literals_and_comments_do_not_count() {
        for inside in [
            r#""}\"{""#,
            r##"r#"}"{"#"##,
            r#"b"}""#,
            r#"br"\""#,
            "'}'",
            "b'{'",
            r"'\''",
            r"'\u{7d}'",
            "'\u{e9}'",
            "x::<'a>({ 'b })",
            "// }\n",
            "/* } /* } */ } */",
            "r#fn",
            "0..1",
        ] {
            let text = format!("async fn f() {{ {inside} }} fn g() {{}}");
            assert_eq!(without_bodies(&text, HARMLESS), "async fn f() {} fn g() {}", "{inside}");
        }
    }
}
