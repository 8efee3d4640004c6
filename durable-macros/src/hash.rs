//! A hash of a function's code, which shows whether the code of a running instance was changed.
//!
//! The hash is 64-bit FNV-1a over the tokens of signature and body. Comments and layout do not
//! matter.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub(crate) fn of(tokens: TokenStream) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    add(&mut hash, tokens);
    hash
}

fn add(hash: &mut u64, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                add_text(hash, open);
                add(hash, group.stream());
                add_text(hash, close);
            }
            TokenTree::Punct(mark) => add_text(hash, mark.as_char().encode_utf8(&mut [0; 4])),
            token => add_text(hash, &token.to_string()),
        }
    }
}

fn add_text(hash: &mut u64, text: &str) {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut sum = *hash;
    for byte in text.as_bytes() {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    // A zero byte between the texts.
    *hash = sum.wrapping_mul(PRIME);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        let hash = |text: &str| of(text.parse().unwrap());
        assert_eq!(hash("fn f() { g(1) }"), hash("fn f()  { // why\n g( 1 ) }"));
        assert_ne!(hash("fn f() { g(1) }"), hash("fn f() { g(2) }"));
        assert_ne!(hash("fn f() { (a) b }"), hash("fn f() { (a b) }"));
    }
}
