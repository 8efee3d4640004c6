//! What a panic in a user's function said, and where.
//!
//! The place is known to the panic hook only, so a hook of ours notes it and then does whatever the
//! hook before it did.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::pin::Pin;
use std::sync::Once;
use std::task::Poll;

use crate::protocol::FailureDetails;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the hook, once in a process.
pub(crate) fn note_places() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PLACE.set(info.location().map(|at| format!("{}:{}", at.file(), at.line())));
            before(info);
        }));
    });
}

/// Runs `function`; a panic becomes a failure that says what and where.
pub(crate) fn catch<T>(function: impl FnOnce() -> T) -> Result<T, FailureDetails> {
    PLACE.set(None);
    panic::catch_unwind(panic::AssertUnwindSafe(function)).map_err(|panic| describe(&*panic))
}

/// Awaits a future; a panic in it is a failure.
pub(crate) async fn catch_async<T>(
    mut future: Pin<Box<dyn Future<Output = Result<T, FailureDetails>> + Send + '_>>,
) -> Result<T, FailureDetails> {
    std::future::poll_fn(move |cx| match catch(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn describe(panic: &(dyn Any + Send)) -> FailureDetails {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("something that is not text");
    let message = match PLACE.take() {
        Some(place) => format!("panicked at {place}: {said}"),
        None => format!("panicked: {said}"),
    };
    FailureDetails::new(FailureDetails::PANIC, message)
}
