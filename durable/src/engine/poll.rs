//! One poll of an orchestrator, which detects every future that is not durable.
//!
//! Durable futures never touch the waker. Any other future that returns `Pending` must have cloned
//! or woken the waker in that same poll, so a waker that notes being cloned identifies a foreign
//! future at once. Orchestrators are polled outside of any async runtime, so that a future that
//! needs one panics instead of running undetected.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::definition::OrchestratorFuture;
use crate::panics;
use crate::protocol::{FailureDetails, Json};

thread_local! {
    static TOUCHED: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

static TRAP: RawWakerVTable = RawWakerVTable::new(clone, touch, touch, drop);

fn clone(data: *const ()) -> RawWaker {
    touch(data);
    RawWaker::new(data, &TRAP)
}

fn touch(_: *const ()) {
    TOUCHED.with_borrow_mut(|touched| {
        touched.get_or_insert_with(Backtrace::force_capture);
    });
}

fn drop(_: *const ()) {}

/// The result of a poll.
pub(super) enum Polled {
    Pending,
    Ready(Result<Json, FailureDetails>),
    Panicked(FailureDetails),
    /// A future that is not durable was awaited; the text says where.
    Foreign(String),
}

/// Polls an orchestrator until it is done or cannot make progress.
///
/// One poll is enough unless a part of the orchestrator wakes a part that was polled earlier in the
/// same pass, which `again` reports.
pub(super) fn to_quiescence(
    future: &mut OrchestratorFuture,
    mut again: impl FnMut() -> bool,
) -> Polled {
    loop {
        let polled = poll(future);
        if !matches!(polled, Polled::Pending) || !again() {
            return polled;
        }
    }
}

/// Polls an orchestrator once.
fn poll(future: &mut OrchestratorFuture) -> Polled {
    TOUCHED.with(|touched| *touched.borrow_mut() = None);
    let waker = trap();
    let mut context = Context::from_waker(&waker);
    let polled = panics::poll(future.as_mut(), &mut context);
    if let Some(backtrace) = TOUCHED.with(RefCell::take) {
        return Polled::Foreign(match place(&backtrace.to_string()) {
            Some(place) => format!("awaited at           {place}"),
            None => "location unknown: this program was built without line tables".to_owned(),
        });
    }
    match polled {
        Poll::Pending => Polled::Pending,
        Poll::Ready(Ok(result)) => Polled::Ready(result),
        Poll::Ready(Err(panic)) if needs_a_runtime(&panic) => Polled::Foreign(panic.message),
        Poll::Ready(Err(panic)) => Polled::Panicked(panic),
    }
}

/// A waker that records the call stack of the first use.
///
/// Safe code can see *that* a waker was cloned (`Wake` on an `Arc` and its reference count), but
/// has no hook at the moment of cloning, and only the call stack of that moment shows the await.
#[expect(unsafe_code, reason = "only a waker vtable of our own can observe a clone")]
fn trap() -> Waker {
    // SAFETY: the functions of the table never read the data pointer, and `TRAP` is static, so the
    // contract of `RawWakerVTable` holds for any number of clones on any thread.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TRAP)) }
}

/// Whether a panic is tokio's complaint that it is polled outside of its runtime.
fn needs_a_runtime(panic: &FailureDetails) -> bool {
    panic.message.contains("there is no reactor running")
        || panic.message.contains("from the context of a Tokio")
}

/// The innermost frame of a backtrace that is neither in a library nor in this crate.
fn place(backtrace: &str) -> Option<String> {
    let mut symbol = "";
    for line in backtrace.lines().map(str::trim) {
        match line.strip_prefix("at ") {
            Some(place) if is_users(symbol, place) => {
                let place = place.rsplit_once(':').map_or(place, |(place, _column)| place);
                return Some(place.strip_prefix("./").unwrap_or(place).to_owned());
            }
            Some(_) => {}
            None => symbol = line.split_once(": ").map_or(line, |(_index, symbol)| symbol),
        }
    }
    None
}

fn is_users(symbol: &str, place: &str) -> bool {
    let ours =
        symbol.trim_start_matches('<').starts_with("durable::") && !symbol.contains("::tests::");
    let library = ["/rustc/", "/registry/src/", "/git/checkouts/", "/library/"];
    // The C library may have line tables where the program has none.
    !ours && place.contains(".rs:") && !library.iter().any(|folder| place.contains(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_innermost_one_in_code_of_the_user() {
        let backtrace = "   3: durable::engine::poll::touch
             at ./durable/src/engine/poll.rs:31:5
   4: other::time::Sleep::poll
             at /home/ada/.cargo/registry/src/index/other-1.0.0/src/time.rs:440:9
   5: shop::orders::ship::{{closure}}
             at ./src/orders.rs:42:36
   6: shop::orders::order::{{closure}}
             at ./src/orders.rs:17:9";
        assert_eq!(place(backtrace).as_deref(), Some("src/orders.rs:42"));
    }

    #[test]
    fn without_line_tables_no_place_is_named() {
        let backtrace = "   4: shop::orders::ship::{{closure}}
   5: std::sys::thread::Thread::new::thread_start
   6: start_thread
             at ./nptl/pthread_create.c:442:8
   7: __clone3
             at ./misc/../sysdeps/unix/sysv/linux/x86_64/clone3.S:81:0";
        assert_eq!(place(backtrace), None);
    }
}
