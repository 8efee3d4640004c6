//! The library's own log lines.

/// Logs a line at a level of `tracing`: `tell!(warn, instance = %id, "..")`. Its target is
/// `durable`, independently of the module, so that moving code does not affect filters of users.
///
/// A subscriber is user code and may panic. Then the line is lost, and the logging thread
/// continues.
macro_rules! tell {
    ($level:ident, $($line:tt)+) => {
        $crate::panics::shield(|| ::tracing::$level!(target: "durable", $($line)+))
    };
}
