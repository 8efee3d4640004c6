//! The exit codes, one for each cause of failure.

use std::process::ExitCode;

/// The outcome of a command. Scripts can tell causes of failure apart by the exit code.
///
/// ```
/// use durable_cli::Exit;
///
/// /// Whether a script should try again.
/// fn is_temporary(exit: Exit) -> bool {
///     matches!(exit, Exit::Unreachable | Exit::TimedOut)
/// }
/// assert_eq!(Exit::NotFound as u8, 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Exit {
    /// 0: the command succeeded.
    Ok = 0,
    /// 1: the command failed for a reason that has no other code.
    Failed = 1,
    /// 2: the arguments are wrong, or a confirmation is missing.
    Usage = 2,
    /// 3: there is no such instance, entity, schedule, batch or file.
    NotFound = 3,
    /// 4: the state of the instance does not allow the command: the id is taken, the instance has
    /// ended, or it has not failed.
    Conflict = 4,
    /// 5: the instance that the command waited for has failed, was terminated or is suspended; or
    /// an instance cannot be resumed, because the code does not fit its history.
    InstanceFailed = 5,
    /// 6: the hub cannot be reached or opened.
    Unreachable = 6,
    /// 7: the hub did not answer in time, or the instance did not end in time.
    TimedOut = 7,
    /// 8: the key is missing or unknown, or its role does not permit the command; or the hub is
    /// read-only.
    Refused = 8,
    /// 130: the command was interrupted with Ctrl+C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit code of an error of the API.
pub(crate) fn of_problem(code: &str, status: u16) -> Exit {
    match (code, status) {
        ("failed" | "terminated" | "suspended", _) => Exit::InstanceFailed,
        ("read-only", _) | (_, 401 | 403) => Exit::Refused,
        (_, 404) => Exit::NotFound,
        (_, 409) => Exit::Conflict,
        ("request-timeout", _) => Exit::TimedOut,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_code() {
        for (code, status, exit) in [
            ("no-such-instance", 404, Exit::NotFound),
            ("already-exists", 409, Exit::Conflict),
            ("not-failed", 409, Exit::Conflict),
            ("terminated", 409, Exit::InstanceFailed),
            ("failed", 422, Exit::InstanceFailed),
            ("unauthorized", 401, Exit::Refused),
            ("forbidden", 403, Exit::Refused),
            ("invalid-request", 400, Exit::Failed),
        ] {
            assert_eq!(of_problem(code, status), exit, "{code}");
        }
    }
}
