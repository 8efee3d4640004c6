//! Instances that crash the process: how a hub recognizes them, and opens in spite of them.
//!
//! A stack overflow, an abort or a kill by the out-of-memory killer cannot be caught. An instance that
//! causes one runs again whenever the hub is opened, and would crash the process again and again.
//!
//! **What counts as evidence.** If the process ends while several suspects run, each of them, or
//! something else, may be the cause: that only decides what is tried next. If it ends while one
//! suspect runs, this one is *accused*; only [`ALONE`](note) such ends in a row are proof. If it ends
//! while no suspect runs, none of them is the cause: all of them are cleared.
//!
//! **Invariant:** an instance that crashes the process within [`GRACE`](probation::GRACE) of each start,
//! without a recorded result in between, runs in `TRIES` openings together with all others, and in
//! `ALONE` openings as the only suspect (in a few more if it first shares a group). Every later
//! opening sets it aside, before any code of it runs. Nothing fails and nothing is dropped because
//! of a suspicion.
//!
//! How it holds:
//! 1. Whatever causes an instance to run is durable: a running activity, a message, a due time.
//!    So everything that can crash the process again is known when the hub is opened.
//! 2. Before it runs any of it, the opening hub stores a *note* of what is about to run, with the
//!    number of openings in which each instance ran without a new result in its history. An orderly
//!    shutdown removes all notes. This is the only cost while nothing is suspected: one commit per
//!    opening. Steps and commits know nothing of notes.
//! 3. After `TRIES` openings, an instance is a *suspect* and is held back (DURABLE0105). When all
//!    others run, the thread `durable-recovery` lets the suspects run in growing groups. Each trial
//!    has a note, which is stored immediately before the trial begins. Of an entity, each operation
//!    has a trial, once it can begin. An instance that is not tried is not blamed.
//! 4. If a group crashes the process, its members run in smaller groups after that, and finally alone.
//! 5. The accused suspect runs first, but only after a *quiet* time, in which a note says that no
//!    suspect has begun. Its trial lasts about as long as it took to crash the process before.
//! 6. What is set aside (DURABLE0106) does not run until a client resumes it. Of an entity, all
//!    messages stay; a client may also skip the operation.
//!
//! **Why no innocent instance is set aside.** Let something else end the process, at times of its
//! choice. The length of the quiet time is random, and evenly distributed up to
//! [`QUIET`](probation::QUIET) = 16 times the length of the trial, so whatever moment it picks, it
//! hits the trial of the accused in at most one of 16 openings. In all others it hits the quiet time
//! or comes after the trial, and both clear the accused. An innocent instance that is accused once is
//! set aside if four more hits follow without a miss: with a probability of at most 16^-4, about
//! 1 in 65,000. The worst case needs kills as slow as the trials. With a kill every 200 ms, the trial
//! of an instance that was accused after at most 0.2 s takes 0.4 s and the quiet time up to 6.4 s, so
//! one kill in 32 hits: about 1 in a million accusations, with at least two kills for each.
//!
//! Read next: `held.rs` (what is held back), `note.rs` (the note and the decision), `probation.rs`
//! (the thread), `takeover.rs` (hubs that several processes share).

pub(crate) mod held;
pub(crate) mod note;
pub(crate) mod probation;
pub(crate) mod takeover;
