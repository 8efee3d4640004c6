//! The body of a request or a response, as a history records it: text if it is UTF-8, else base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A body. It is flattened into the JSON of its request or response, as `content` or as
/// `contentBase64`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    #[serde(default, rename = "content", skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, rename = "contentBase64", skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Content {
    pub(super) fn of_text(text: String) -> Self {
        Self { text: Some(text), base64: None }
    }

    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::of_text(text),
            Err(error) => Self { text: None, base64: Some(STANDARD.encode(error.as_bytes())) },
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.text.is_none() && self.base64.is_none()
    }

    /// The text; `None` if the bytes are not UTF-8, and empty if there is no body.
    pub(super) fn text(&self) -> Option<&str> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Some(text),
            (None, None) => Some(""),
            (None, Some(_)) => None,
        }
    }

    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.base64 {
            // Only this type writes the base64. What was written by hand may be invalid.
            Some(base64) if self.text.is_none() => {
                Cow::Owned(STANDARD.decode(base64).unwrap_or_default())
            }
            _ => Cow::Borrowed(self.text.as_deref().unwrap_or_default().as_bytes()),
        }
    }

    /// Whether the bytes can be read.
    pub(super) fn is_valid(&self) -> bool {
        self.base64.as_ref().is_none_or(|base64| STANDARD.decode(base64).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_are_kept_as_base64() {
        let content = Content::of_bytes(vec![0xff, 0x00, 0x80]);
        assert_eq!(serde_json::to_string(&content).unwrap(), r#"{"contentBase64":"/wCA"}"#);
        assert_eq!((content.text(), &*content.bytes()), (None, &[0xff, 0x00, 0x80][..]));
        let content = Content::of_bytes(b"hi".to_vec());
        assert_eq!(serde_json::to_string(&content).unwrap(), r#"{"content":"hi"}"#);
        assert_eq!((content.text(), &*content.bytes()), (Some("hi"), &b"hi"[..]));
    }

    #[test]
    fn base64_that_was_written_by_hand_is_checked() {
        let content: Content = serde_json::from_str(r#"{"contentBase64":"%"}"#).unwrap();
        assert!(!content.is_valid());
    }
}
