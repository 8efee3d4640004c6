//! What the attributes say to a user: every rule broken once, every feature used once.
//!
//! One rule a file under `ui/<attribute>/fail`, each with what the compiler prints beside it; the
//! `.stderr` files are reviewed as user interface. After a deliberate change they are written anew
//! with `TRYBUILD=overwrite cargo test -p tests --test ui`.

#[test]
fn attributes_say_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/*/pass/*.rs");
    cases.compile_fail("ui/*/fail/*.rs");
}
