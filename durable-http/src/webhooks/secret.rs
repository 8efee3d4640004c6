//! Signatures of Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// The valid lengths of a secret in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The error for a webhook secret that was refused. It does not contain the secret.
///
/// ```
/// use durable_http::{InvalidSecret, InvalidWebhook, Webhook};
///
/// let error = Webhook::new("billing", "https://billing.example/hook", "12345").unwrap_err();
/// assert!(error.to_string().contains("billing"));
/// # let _: Option<(InvalidSecret, InvalidWebhook)> = None;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// It does not begin with `whsec_`.
    #[error("it does not begin with `whsec_`; write it as `whsec_` and the base64 of its bytes")]
    NoPrefix,
    /// The rest is not base64.
    #[error(
        "what follows `whsec_` is not base64; write it as `whsec_` and the base64 of its bytes"
    )]
    NotBase64,
    /// It has fewer than 24 or more than 64 bytes.
    #[error("it has {0} bytes; use 24 to 64 random bytes")]
    Length(usize),
}

/// A secret that signs deliveries.
#[derive(Clone)]
pub(super) struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret::NoPrefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret::NotBase64)?;
        let invalid = InvalidSecret::Length(bytes.len());
        if !LENGTHS.contains(&bytes.len()) {
            return Err(invalid);
        }
        // HMAC accepts keys of any length.
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| invalid)
    }

    /// The signature of a delivery that is sent at `timestamp`, in seconds since 1970.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = self.0.clone().chain_update(format!("{id}.{timestamp}.{body}"));
        format!("v1,{}", STANDARD.encode(signed.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the reference implementations of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_the_reference_implementations() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_prefix_is_base64_and_has_24_to_64_bytes() {
        let of = |len: usize| Secret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; len])));
        for len in [24, 32, 64] {
            assert_eq!(format!("{:?}", of(len).unwrap()), "Secret(..)");
        }
        for len in [0, 23, 65] {
            assert_eq!(of(len).unwrap_err(), InvalidSecret::Length(len));
        }
        let refused = |text: &str| Secret::parse(text).unwrap_err();
        assert_eq!(refused("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), InvalidSecret::NoPrefix);
        assert_eq!(refused("whsec_a secret of ours"), InvalidSecret::NotBase64);
    }
}
