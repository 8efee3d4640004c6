//! The guides of this crate.

// These modules exist in the documentation only, and their examples run as tests. Each page is a file
// of `docs`, so that it can be read on a forge too.

#[doc = include_str!("../docs/http.md")]
pub mod http {}

#[doc = include_str!("../docs/services.md")]
pub mod services {}

#[cfg(feature = "client")]
#[doc = include_str!("../docs/client.md")]
pub mod client {}

#[cfg(feature = "webhooks")]
#[doc = include_str!("../docs/webhooks.md")]
pub mod webhooks {}
