//! When two failures count as the same.

/// The kind of a failure: its rule, and its text without numbers and names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind(Vec<String>);

/// The first words tell the failures of a rule apart. The rest of the text describes the individual
/// case.
const WORDS: usize = 9;

impl Kind {
    pub(crate) fn of(failure: &str) -> Self {
        let mut words =
            failure.split_whitespace().map(|word| word.trim_matches([',', ':', ';', '.']));
        let rule = words.next().unwrap_or_default().to_owned();
        let is_word = |word: &&str| word.chars().all(|it| it.is_alphabetic() || it == '\'');
        Self(
            std::iter::once(rule)
                .chain(words.filter(is_word).take(WORDS).map(str::to_owned))
                .collect(),
        )
    }

    /// The name of the rule, such as `I14`.
    pub(crate) fn rule(&self) -> &str {
        &self.0[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_do_not_tell_failures_apart() {
        let same = [
            "I3 i4: task 7 is answered twice",
            "I3 i11: task 123 is answered twice",
            "I3 @counter@2: task -1 is answered twice",
        ];
        assert_eq!(Kind::of(same[0]), Kind::of(same[1]));
        assert_ne!(Kind::of(same[0]), Kind::of("I3 i4: timer 7 fires before 2026"));
        assert_ne!(Kind::of(same[0]), Kind::of("I2 i4: task 7 is answered twice"));
        assert_eq!(Kind::of(same[0]).rule(), "I3");
    }
}
