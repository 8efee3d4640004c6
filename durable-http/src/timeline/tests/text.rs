//! Timelines as text.

use durable::RuntimeStatus;
use expect_test::{expect, expect_file};

use super::history::History;
use super::{View, completed, fan_out, of, waits};
use crate::timeline::{TextOptions, Timeline, text};

/// The text, whose lines fit in the width.
fn shown(timeline: &Timeline, options: TextOptions) -> String {
    let shown = text(timeline, &options);
    for line in shown.lines() {
        assert!(line.chars().count() <= options.width, "{line}");
    }
    shown
}

fn stuck() -> History {
    let mut history = History::new();
    history.start(0).task(0, 0, "validate").done(0, 60).timer(1, 60, 7200);
    history.task(2, 60, "charge").attempt_failed(2, 300, 1, 700);
    history.attempt_failed(2, 900, 2, 1900).raise(1000, "Aproval");
    history
}

#[test]
fn a_timeline_fits_in_80_columns() {
    let waits = waits(&[1, 2], &["approval"], &["Aproval"]);
    let timeline = of(&stuck(), Some(&waits), 1700, &View::default());
    expect_file!["text/stuck.txt"].assert_eq(&shown(&timeline, TextOptions::default()));
    let ascii = TextOptions { ascii: true, width: 60, ..TextOptions::default() };
    expect![[r#"
        order  checkout  Running
        started 1970-01-01 00:00:00 +00:00, for 28 m 20 s

                       00:00     00:10     00:20
        checkout       ============================        runs 28 m
        validate       #                                     1 m 0 s
        timer           -------------------------------   waits 27 m
        charge          xxxxX,,,,,xxxxX,,,,,,,,,,,,,,,o    attempt 3
        event Aproval                  *                      unread
        event approval                 ............       waits 11 m

        = running   # completed   - timer   x ran and failed
        , waiting for a retry   X failed attempt   o next attempt
        * event   . waiting
    "#]]
    .assert_eq(&shown(&timeline, ascii));
}

#[test]
fn merged_lanes_show_how_many_ran_at_once() {
    let few = View { max_bars: 30, ..View::default() };
    let timeline = of(&fan_out(50), None, 20, &few);
    expect_file!["text/merged.txt"].assert_eq(&shown(&timeline, TextOptions::default()));
}

#[test]
fn names_cannot_control_a_terminal() {
    let mut history = completed();
    history.status = RuntimeStatus::Completed;
    let mut timeline = of(&history, None, 20, &View::default());
    timeline.lanes[1].name = "\u{1b}[31m\u{202e}red\n".to_owned();
    let shown = shown(&timeline, TextOptions::default());
    assert!(shown.contains("?[31m?red?"), "{shown}");
}
