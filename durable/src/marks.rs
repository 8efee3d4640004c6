//! Marks: places that a simulation must have met, and things that it may do at any time.
//!
//! `mark!(condition, "what happens here")` counts the runs of a simulation in which the condition
//! was true. `maybe!("what to do now")` is true now and then in a simulation, where the contract
//! allows it. At `pause!()`, other threads may run between two steps of this one: a simulation runs
//! them on the same stack, so no lock may be held. Without the feature `testing`, a mark and a
//! pause do nothing, and `maybe!` is `false`.

/// Counts the runs in which a condition was true here.
#[cfg(feature = "testing")]
macro_rules! mark {
    ($name:literal) => {
        mark!(true, $name)
    };
    ($condition:expr, $name:literal) => {
        if $condition {
            static MARK: $crate::marks::Mark = $crate::marks::Mark::new($name, file!(), line!());
            $crate::__private_0_1::inventory::submit! { $crate::marks::Placed(&MARK) }
            MARK.met();
        }
    };
}

#[cfg(not(feature = "testing"))]
macro_rules! mark {
    ($name:literal) => {};
    ($condition:expr, $name:literal) => {
        // Never called: what the condition reads counts as used.
        let _ = || $condition;
    };
}

/// Whether to do something now that may happen at any time.
#[cfg(feature = "testing")]
macro_rules! maybe {
    ($name:literal) => {{
        mark!(false, $name);
        $crate::marks::maybe($name)
    }};
}

#[cfg(not(feature = "testing"))]
macro_rules! maybe {
    ($name:literal) => {
        $crate::marks::never()
    };
}

/// Lets a simulation run other threads here.
#[cfg(feature = "testing")]
macro_rules! pause {
    () => {
        $crate::marks::pause()
    };
}

#[cfg(not(feature = "testing"))]
macro_rules! pause {
    () => {};
}

/// What `maybe!` is in production.
#[cfg(not(feature = "testing"))]
pub(crate) const fn never() -> bool {
    false
}

#[cfg(feature = "testing")]
pub use self::counted::{Mark, all};
#[cfg(feature = "testing")]
pub(crate) use self::counted::{Placed, begin, end, maybe, pause};

#[cfg(feature = "testing")]
mod counted {
    use std::cell::{Cell, RefCell};
    use std::sync::atomic::{AtomicU64, Ordering};

    thread_local! {
        /// The run of this thread's simulation.
        static RUN: Cell<Option<u64>> = const { Cell::new(None) };
        static DECIDES: RefCell<Option<Decides>> = const { RefCell::new(None) };
        /// Runs other threads during a pause.
        static OTHERS: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    /// Decides what happens now and then, by its name.
    type Decides = Box<dyn FnMut(&'static str) -> bool>;

    /// How many neighboring runs may be under way for [`Mark::runs`] to be exact.
    const AT_ONCE: usize = 32;

    /// A place that a simulation must have met.
    #[derive(Debug)]
    pub struct Mark {
        /// What happens there.
        pub name: &'static str,
        /// Where it is.
        pub file: &'static str,
        /// The line in the file.
        pub line: u32,
        runs: AtomicU64,
        /// The last runs that met the mark. Threads run neighboring seeds at the same time, so each
        /// run has a place here that depends on its number.
        last: [AtomicU64; AT_ONCE],
    }

    /// A mark in the program.
    #[derive(Debug)]
    pub(crate) struct Placed(pub(crate) &'static Mark);

    inventory::collect!(Placed);

    impl Mark {
        pub(crate) const fn new(name: &'static str, file: &'static str, line: u32) -> Self {
            let last = [const { AtomicU64::new(u64::MAX) }; AT_ONCE];
            Self { name, file, line, runs: AtomicU64::new(0), last }
        }

        /// Returns the number of runs in which the mark was met.
        pub fn runs(&self) -> u64 {
            self.runs.load(Ordering::Relaxed)
        }

        pub(crate) fn met(&self) {
            let Some(run) = RUN.get() else { return };
            let place = usize::try_from(run % AT_ONCE as u64).unwrap_or(0);
            if self.last[place].swap(run, Ordering::Relaxed) != run {
                self.runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether a simulation wants this to happen now.
    pub(crate) fn maybe(name: &'static str) -> bool {
        // Deciding may need what is decided about.
        let Some(mut decides) = DECIDES.take() else { return false };
        let does = decides(name);
        DECIDES.set(Some(decides));
        if does && let Some(mark) = all().find(|mark| mark.name == name) {
            mark.met();
        }
        does
    }

    /// Lets the simulation of this thread run other threads.
    pub(crate) fn pause() {
        if let Some(others) = OTHERS.get() {
            others();
        }
    }

    /// Returns all marks of the program.
    pub fn all() -> impl Iterator<Item = &'static Mark> {
        inventory::iter::<Placed>.into_iter().map(|placed| placed.0)
    }

    /// Begins a run on this thread.
    pub(crate) fn begin(
        run: u64,
        decides: impl FnMut(&'static str) -> bool + 'static,
        others: fn(),
    ) {
        RUN.set(Some(run));
        DECIDES.set(Some(Box::new(decides)));
        OTHERS.set(Some(others));
    }

    /// Ends the run of this thread.
    pub(crate) fn end() {
        RUN.set(None);
        DECIDES.set(None);
        OTHERS.set(None);
    }
}
