//! Instances that end the process: how a hub recognises them, and opens in spite of them.
//!
//! A stack overflow, an abort or a kill for lack of memory cannot be caught. An instance that causes
//! one runs again whenever the hub is opened, and would end the process for ever.
//!
//! **Invariant:** an instance that ends the process within [`GRACE`](probation::GRACE) of each
//! start, without a recorded result in between, runs in at most [`TRIES`](note::TRIES) openings
//! together with all others and in [`ALONE`](note::ALONE) openings alone. Every later opening sets
//! it aside, before any code of it runs. No other instance is set aside, unless something else ended
//! the process at the moment that it ran alone, that many times. The numbers count openings: a
//! process that is killed before an instance has really begun counts as well.
//!
//! How it holds:
//! 1. Whatever causes an instance to run is durable: a running activity, a message, a due time.
//!    So everything that can end the process again is known when the hub is opened.
//! 2. Before it runs any of it, the opening hub stores a *note*: the instances that are about to
//!    run, the state of each, and the number of its attempts so far. An orderly shutdown removes the
//!    note. The number counts as long as the instance has no new result in its history.
//! 3. An instance with too many attempts is *held back* (DURABLE0105). When all others run, the
//!    thread `durable-recovery` lets the instances held back run one by one, later in groups, each
//!    group under a note of its own. If a group ends the process, its members run alone after that.
//! 4. An instance that has ended the process alone is *set aside* (DURABLE0106) until a client
//!    resumes it. Of an entity, only the operation is, after
//!    [`ALONE_OF_OPERATION`](note::ALONE_OF_OPERATION) openings: it fails, and the entity continues.
//!
//! Steps and commits know nothing of this: the cost is one commit per opening.
//!
//! Read next: `held.rs` (what is held back), `note.rs` (the note and the decision), `probation.rs`
//! (the thread).

pub(crate) mod held;
pub(crate) mod note;
pub(crate) mod probation;
