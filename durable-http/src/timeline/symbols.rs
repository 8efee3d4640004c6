//! The characters of a timeline as text.

use super::{Phase, PointKind};

/// A set of characters, with Unicode or without.
#[derive(Debug)]
pub(super) struct Symbols {
    is_ascii: bool,
    /// Between a name and a count.
    pub(super) times: char,
    /// For the middle of a name that is too long.
    pub(super) gap: &'static str,
}

static UNICODE: Symbols = Symbols { is_ascii: false, times: '\u{d7}', gap: "\u{2026}" };
static ASCII: Symbols = Symbols { is_ascii: true, times: 'x', gap: ".." };

impl Symbols {
    pub(super) fn of(ascii: bool) -> &'static Self {
        if ascii { &ASCII } else { &UNICODE }
    }

    fn pick(&self, unicode: char, ascii: char) -> char {
        if self.is_ascii { ascii } else { unicode }
    }

    /// The height of a cell in which this many ran at once.
    pub(super) fn height(&self, at_once: u32, most: u32) -> Option<char> {
        if self.is_ascii {
            return Some('#');
        }
        let eighths = u64::from(at_once) * 8 / u64::from(most.max(1));
        char::from_u32(0x2580 + u32::try_from(eighths.clamp(1, 8)).unwrap_or(8))
    }

    /// The text without characters that control a terminal or change the direction of what follows.
    pub(super) fn clean(&self, text: &str) -> String {
        let is_plain = |it: char| {
            let changes_direction = matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            !it.is_control()
                && !changes_direction
                && (!self.is_ascii || it.is_ascii() || it == self.times)
        };
        text.chars().map(|it| if is_plain(it) { it } else { '?' }).collect()
    }
}

/// The character of a phase, and what it means.
pub(super) fn of_phase(symbols: &Symbols, phase: Phase) -> (char, &'static str) {
    match phase {
        Phase::Waiting => (symbols.pick('\u{2591}', '.'), "waiting"),
        Phase::Running => (symbols.pick('\u{2593}', '='), "running"),
        Phase::Completed => (symbols.pick('\u{2588}', '#'), "completed"),
        Phase::Failed => (symbols.pick('\u{2592}', 'x'), "ran and failed"),
        Phase::RetryWait => (symbols.pick('\u{2508}', ','), "waiting for a retry"),
        Phase::Timer => (symbols.pick('\u{2500}', '-'), "timer"),
        Phase::Held => (symbols.pick('\u{2550}', '+'), "lock held"),
        Phase::Suspended => (symbols.pick('\u{2016}', '~'), "suspended"),
        Phase::Abandoned => (symbols.pick('\u{b7}', ':'), "dropped"),
    }
}

/// The character of a point, and what it means.
pub(super) fn of_point(symbols: &Symbols, kind: PointKind) -> (char, &'static str) {
    match kind {
        PointKind::FailedAttempt => (symbols.pick('\u{d7}', 'X'), "failed attempt"),
        PointKind::NextAttempt => (symbols.pick('\u{25cb}', 'o'), "next attempt"),
        PointKind::Fired => (symbols.pick('\u{25cf}', 'O'), "fired"),
        PointKind::Due => (symbols.pick('\u{25cb}', 'o'), "due"),
        PointKind::Cancelled => (symbols.pick('\u{2297}', '%'), "timer dropped"),
        PointKind::Arrived => (symbols.pick('\u{25c6}', '*'), "event"),
        PointKind::Sent => (symbols.pick('\u{25b8}', '>'), "sent"),
        PointKind::Patch => (symbols.pick('\u{25b4}', '^'), "patch"),
        PointKind::Note => (symbols.pick('\u{25aa}', '\''), "note"),
        PointKind::ContinuedAsNew => (symbols.pick('\u{21bb}', '@'), "continued as new"),
        PointKind::Suspended => (symbols.pick('\u{2759}', '|'), "suspended"),
        PointKind::Resumed => (symbols.pick('\u{25b9}', '}'), "resumed"),
        PointKind::Rewound => (symbols.pick('\u{21ba}', '<'), "rewound"),
        PointKind::Terminated => (symbols.pick('\u{25a0}', '!'), "terminated"),
    }
}
