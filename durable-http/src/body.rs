//! Reading the body of a request within limits.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::options::HttpOptions;
use crate::problem::{Code, Problem};

pub(crate) async fn read(
    options: &HttpOptions,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let max = options.max_body;
        Problem::new(Code::BodyTooLarge, format!("the body has more than {max} bytes"))
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > options.max_body as u64) {
        return Err(too_large());
    }
    let reading = Limited::new(body, options.max_body).collect();
    match tokio::time::timeout(options.body_time, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::InvalidRequest, "the body ended before its length")),
        Err(_) => {
            let seconds = options.body_time.as_secs();
            let detail = format!("the body did not arrive within {seconds} s");
            Err(Problem::new(Code::RequestTimeout, detail))
        }
    }
}

/// Whether the media type is `application/json`, with any parameters.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}
