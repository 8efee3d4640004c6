//! Style sheet, scripts and icon, compiled into the program.
//!
//! Their URL contains a hash of all of them, so a browser may keep them forever, and scripts can
//! import each other by relative names.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Response, StatusCode};

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    Asset { name: "style.css", kind: STYLE, bytes: include_bytes!("../assets/style.css") },
    Asset { name: "dom.js", kind: SCRIPT, bytes: include_bytes!("../assets/dom.js") },
    Asset { name: "ui.js", kind: SCRIPT, bytes: include_bytes!("../assets/ui.js") },
    Asset { name: "live.js", kind: SCRIPT, bytes: include_bytes!("../assets/live.js") },
    Asset { name: "list.js", kind: SCRIPT, bytes: include_bytes!("../assets/list.js") },
    Asset { name: "events.js", kind: SCRIPT, bytes: include_bytes!("../assets/events.js") },
    Asset { name: "act.js", kind: SCRIPT, bytes: include_bytes!("../assets/act.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("../assets/icon.svg") },
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    // FNV-1a, which is the same on every machine.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in ASSETS.iter().flat_map(|asset| asset.bytes) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
});

/// The part of the assets' URL that changes whenever an asset changes.
pub(crate) fn version() -> &'static str {
    &VERSION
}

/// `None` if there is no such asset.
pub(crate) fn answer(asked: &str, name: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let tag = format!("\"{}\"", version());
    // An outdated page asks with another hash, and must not keep this version under it.
    let is_current = asked == version();
    let cached = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let answer = Response::builder()
        .header(CONTENT_TYPE, asset.kind)
        .header(CACHE_CONTROL, cached)
        .header("x-content-type-options", "nosniff")
        .header(ETAG, &tag);
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|it| it.trim() == tag));
    let answer = if is_known {
        answer.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        answer.body(Body::from(asset.bytes))
    };
    answer.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_styles_are_within_the_budget() {
        let sizes = ASSETS.iter().filter(|it| it.name != "icon.svg").map(|it| it.bytes.len());
        let total: usize = sizes.sum();
        assert!(total <= 60_000, "{total} bytes");
    }
}
