//! The one place where user code is run and dropped.
//!
//! User code is all code that is not part of the library: the bodies of functions, their futures
//! and destructors, `Display` and `serde` implementations, retry decisions, stores, wakers,
//! `tracing` subscribers, `metrics` recorders, and the payloads of panics.
//!
//! Rules:
//! 1. It runs in [`catch`], [`catch_async`], [`poll`] or [`shield`]. Its arguments and results are
//!    dropped in one of these or in a [`Guarded`]. Its panics never unwind a thread of the hub;
//!    `tests/tidy/` forbids `catch_unwind` and polling by hand everywhere else.
//! 2. A panic becomes a failure with its text and location. Its payload is dropped here, too,
//!    because the destructor may panic again.
//! 3. A panic outside these functions is a bug of the library. The threads of a hub run in
//!    [`watch`], which reports it *before* the thread unwinds.
//!
//! Only the panic hook knows the location, so our hook records it and then calls the previous hook.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use crate::protocol::FailureDetails;

/// The maximum number of bytes of a panic's text, which is written into histories.
const SAID_MAX: usize = 4096;

type Report = Box<dyn FnOnce(String)>;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static CATCHES: Catches = const { Catches::new() };
    /// Whether a panic is expected and should not be reported by a hook.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Receives a panic that no [`catch`] is going to catch.
    static WATCHER: RefCell<Option<Report>> = const { RefCell::new(None) };
}

/// Installs the hook, once in a process.
pub(crate) fn note_places() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.try_with(Cell::get).unwrap_or(false) {
                return;
            }
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            // The thread-local variables of a thread that is ending may be gone.
            let is_caught = CATCHES.try_with(|it| it.depth.get()).map_or(true, |depth| depth > 0);
            let watcher = if is_caught { None } else { WATCHER.try_with(RefCell::take).ok() };
            if let Some(report) = watcher.flatten() {
                report(text(info.payload(), place.as_deref()));
            }
            let _ = PLACE.try_with(|known| *known.borrow_mut() = place);
            let _ = CATCHES.try_with(|catches| catches.has_place.set(true));
            before(info);
        }));
    });
}

/// Runs `function`; a panic becomes a failure with its text and location.
pub(crate) fn catch<T>(function: impl FnOnce() -> T) -> Result<T, FailureDetails> {
    let _catching = Catching::begin();
    panic::catch_unwind(panic::AssertUnwindSafe(function)).map_err(describe)
}

/// Awaits a future and drops it; a panic in it is a failure. A panic while it is dropped is only
/// logged, because its result is already known or no longer needed.
pub(crate) async fn catch_async<T>(
    future: Pin<Box<dyn Future<Output = Result<T, FailureDetails>> + Send + '_>>,
) -> Result<T, FailureDetails> {
    let mut future = Guarded::new(future);
    std::future::poll_fn(|cx| poll(future.as_mut(), cx)).await.flatten()
}

/// Polls a future once; a panic is a failure, after which it must not be polled again.
pub(crate) fn poll<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, FailureDetails>> {
    match catch(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// Runs code that nothing depends on, such as a log line. A panic reaches the panic hook only. It
/// is not logged, because the logger may be what panicked.
pub(crate) fn shield(function: impl FnOnce()) {
    drop(catch(function));
}

/// Whether `function` panics, without a report.
pub(crate) fn quiet(function: impl FnOnce()) -> Result<(), FailureDetails> {
    QUIET.set(true);
    let result = catch(function);
    QUIET.set(false);
    result
}

/// Runs the work of a thread of the hub. A panic that no inner [`catch`] handles is reported before
/// the thread unwinds, so that the waiters for values that the unwinding drops find the reason.
pub(crate) fn watch(report: impl Fn(String) + Clone + 'static, work: impl FnOnce()) {
    let early = report.clone();
    WATCHER.set(Some(Box::new(early)));
    CATCHES.with(|catches| catches.has_place.set(false));
    let worked = panic::catch_unwind(panic::AssertUnwindSafe(work)).map_err(describe);
    // The report is still there if the program has replaced the hook.
    let unreported = WATCHER.take();
    if let (Err(panic), Some(_)) = (worked, unreported) {
        report(panic.message);
    }
}

/// A value with a destructor of the user: a panic during its drop is logged and contained.
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Takes the value out; the caller drops it in a guarded place.
    pub(crate) fn into_inner(mut self) -> T {
        match self.0.take() {
            Some(value) => value,
            None => unreachable!("it is taken by value only"),
        }
    }

    pub(crate) fn get(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("it is taken by value only"),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(value) => value,
            None => unreachable!("it is taken by value only"),
        }
    }
}

impl<T: Clone> Clone for Guarded<T> {
    fn clone(&self) -> Self {
        Self::new(self.get().clone())
    }
}

impl<F: ?Sized> Guarded<Pin<Box<F>>> {
    pub(crate) fn as_mut(&mut self) -> Pin<&mut F> {
        self.get_mut().as_mut()
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let Some(value) = self.0.take() else { return };
        if let Err(panic) = catch(|| drop(value)) {
            tell!(warn, "a destructor {panic}");
        }
    }
}

/// The state of a thread's [`catch`]es. These are plain cells without a destructor, because every
/// step of every orchestration passes through here.
struct Catches {
    /// Number of catches on the stack.
    depth: Cell<usize>,
    /// Whether the hook has recorded a location since the innermost catch began. A hook that the
    /// program installed later records none, and an older location must not be reported then.
    has_place: Cell<bool>,
}

impl Catches {
    const fn new() -> Self {
        Self { depth: Cell::new(0), has_place: Cell::new(false) }
    }
}

/// A [`catch`] on the stack.
struct Catching;

impl Catching {
    #[inline]
    fn begin() -> Self {
        CATCHES.with(|catches| {
            catches.has_place.set(false);
            catches.depth.set(catches.depth.get() + 1);
        });
        Self
    }
}

impl Drop for Catching {
    #[inline]
    fn drop(&mut self) {
        CATCHES.with(|catches| catches.depth.set(catches.depth.get() - 1));
    }
}

fn describe(panic: Box<dyn Any + Send>) -> FailureDetails {
    let place = CATCHES.with(|catches| catches.has_place.take()).then(|| PLACE.take()).flatten();
    let message = text(&*panic, place.as_deref());
    let _catching = Catching::begin();
    // The payload of a panic in the destructor is forgotten: dropping it may panic again.
    if let Err(another) = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
    FailureDetails::new(FailureDetails::PANIC, message)
}

fn text(panic: &(dyn Any + Send), place: Option<&str>) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something that is not text");
    let kept = &said[..said.floor_char_boundary(SAID_MAX)];
    let rest = if kept.len() < said.len() {
        format!(".. ({} bytes in all)", said.len())
    } else {
        String::new()
    };
    match place {
        Some(place) => format!("panicked at {place}: {kept}{rest}"),
        None => format!("panicked: {kept}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic::panic_any(Self);
        }
    }

    #[test]
    fn a_panic_value_whose_destructor_panics_is_caught() {
        let failure = catch(|| panic::panic_any(Bomb)).unwrap_err();
        assert!(failure.message.ends_with("something that is not text"), "{failure}");
    }

    #[test]
    fn a_guarded_value_may_panic_on_drop() {
        drop(Guarded::new(Bomb));
        assert_eq!(CATCHES.with(|catches| catches.depth.get()), 0);
    }

    #[test]
    fn the_text_of_a_panic_is_cut() {
        let said = "\u{e4}".repeat(SAID_MAX);
        let message = catch(|| panic!("{said}")).unwrap_err().message;
        assert!(message.ends_with(".. (8192 bytes in all)"), "{message}");
        assert!(message.len() < SAID_MAX + 200);
    }

    #[test]
    fn a_panic_is_reported_before_the_thread_unwinds() {
        struct Unwound(mpsc::Sender<String>);

        impl Drop for Unwound {
            fn drop(&mut self) {
                self.0.send("unwound".to_owned()).unwrap();
            }
        }

        note_places();
        let (sender, said) = mpsc::channel();
        let report = sender.clone();
        watch(
            move |panic| report.send(panic).unwrap(),
            move || {
                let _unwound = Unwound(sender);
                catch(|| panic!("this one is caught")).unwrap_err();
                panic!("this one is not");
            },
        );
        let said: Vec<_> = said.iter().collect();
        assert!(said[0].ends_with("this one is not"), "{said:?}");
        assert_eq!(said[1..], ["unwound"]);
    }
}
