//! From a description to a signed link, and back.
//!
//! A token is `base64url(0x01 | MAC | JSON of the description)`. The MAC is HMAC-SHA256 over a
//! constant and the JSON. A token that was changed in any byte is refused, because base64 is
//! decoded strictly: each token has one text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::CallbackUrl;

/// The version of the format.
const VERSION: u8 = 1;
/// Domain separation: a MAC of this kind is not valid for other data signed with the same secret.
const DOMAIN: &[u8] = b"durable callback link 1\0";
const MAC_LEN: usize = 32;
/// The minimum length of a secret, in bytes.
const MIN_SECRET: usize = 32;

/// The error for a secret of [`CallbackKeys`] that is shorter than 32 bytes.
///
/// ```
/// use durable_http::{CallbackKeys, WeakSecret};
///
/// let keys: Result<CallbackKeys, WeakSecret> = CallbackKeys::new("https://shop.example", "short");
/// assert!(keys.unwrap_err().to_string().starts_with("the secret of callback links has 5 bytes"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of callback links has {len} bytes; use 32 random bytes or more")]
pub struct WeakSecret {
    len: usize,
}

/// The secrets that sign callback links, and the address of the hub's routes.
///
/// ```
/// # use durable::prelude::*;
/// use durable_http::{CallbackKeys, CallbackUrl, Callbacks, HttpOptions};
///
/// #[activity]
/// async fn ask(keys: State<CallbackKeys>, approver: &str, approve: &CallbackUrl) -> Result<()> {
///     println!("to {approver}: follow {}", keys.link(approve));
///     Ok(())
/// }
///
/// #[orchestrator]
/// async fn approval(ctx: &OrchestrationContext, approver: String) -> Result<()> {
///     let approve = ctx.callback_url("approve").prompt("Approve the order?");
///     ask(&approver, &approve).await?;
///     Ok(ctx.wait_for_external_event("approve").await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let secret = [7; 32];
/// // The secret: 32 random bytes from the configuration of the program.
/// let keys = CallbackKeys::new("https://shop.example/hub", secret)?;
/// let hub = TaskHub::builder().in_memory().state(keys.clone()).open().await?;
/// let routes = durable_http::router(&hub, HttpOptions::new().callbacks(keys));
/// # drop(routes);
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CallbackKeys {
    url: String,
    /// The first one signs.
    secrets: Vec<Hmac<Sha256>>,
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKeys")
            .field("url", &self.url)
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

impl CallbackKeys {
    /// Creates keys for links that begin with `url`, the address at which [`router`](crate::router)
    /// is mounted, and that are signed with this secret.
    ///
    /// # Errors
    /// The secret has fewer than 32 bytes.
    pub fn new(url: impl Into<String>, secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        let url = url.into();
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, secrets: vec![key(secret.as_ref())?] })
    }

    /// Also accepts links that were signed with this secret. To rotate secrets, sign with the new
    /// secret and accept the old one until its last link has expired.
    ///
    /// ```
    /// use durable_http::CallbackKeys;
    ///
    /// # let (new, old) = ([1; 32], [2; 32]);
    /// let keys = CallbackKeys::new("https://shop.example", new)?.accept(old)?;
    /// # Ok::<(), durable_http::WeakSecret>(())
    /// ```
    ///
    /// # Errors
    /// The secret has fewer than 32 bytes.
    pub fn accept(mut self, secret: impl AsRef<[u8]>) -> Result<Self, WeakSecret> {
        self.secrets.push(key(secret.as_ref())?);
        Ok(self)
    }

    /// Returns the link. Its holder can raise the event, so pass it only to the person who should
    /// answer.
    ///
    /// The link's length grows with the payload and the prompt. Keep them short, because some mail
    /// programs break links of more than 2,000 characters.
    pub fn link(&self, callback: &CallbackUrl) -> String {
        format!("{}{}/{}", self.url, super::BASE, self.token(callback))
    }

    fn token(&self, callback: &CallbackUrl) -> String {
        // A structure of texts and JSON always has a JSON form.
        let body = serde_json::to_vec(callback).unwrap_or_default();
        let mut token = vec![VERSION];
        if let Some(secret) = self.secrets.first() {
            token.extend(mac(secret, &body).finalize().into_bytes());
        }
        token.extend(body);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The content of the token, if one of the secrets has signed it.
    pub(super) fn verify(&self, token: &str) -> Option<CallbackUrl> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (version, rest) = token.split_first()?;
        let (given, body) = rest.split_at_checked(MAC_LEN)?;
        // `verify_slice` compares in constant time.
        let is_signed =
            self.secrets.iter().any(|secret| mac(secret, body).verify_slice(given).is_ok());
        (*version == VERSION && is_signed).then(|| serde_json::from_slice(body).ok())?
    }
}

fn key(secret: &[u8]) -> Result<Hmac<Sha256>, WeakSecret> {
    let too_short = WeakSecret { len: secret.len() };
    if secret.len() < MIN_SECRET {
        return Err(too_short);
    }
    // HMAC takes secrets of any length.
    Hmac::new_from_slice(secret).map_err(|_| too_short)
}

fn mac(secret: &Hmac<Sha256>, body: &[u8]) -> Hmac<Sha256> {
    secret.clone().chain_update(DOMAIN).chain_update(body)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use durable::InstanceId;
    use durable::protocol::{ExecutionId, Json};
    use uuid::Uuid;

    use super::*;

    fn callback() -> CallbackUrl {
        CallbackUrl {
            instance_id: InstanceId::new("order-1").unwrap(),
            execution_id: ExecutionId::from_u128(1),
            event: "approve".to_owned(),
            payload: Json::parse(r#"{"by":"Ada"}"#).unwrap(),
            prompt: Some("Approve a sofa?".to_owned()),
            expires_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            made_at: DateTime::UNIX_EPOCH,
            nonce: Uuid::from_u128(2),
        }
    }

    fn keys(byte: u8) -> CallbackKeys {
        CallbackKeys::new("https://shop.example/", [byte; 32]).unwrap()
    }

    #[test]
    fn a_token_is_read_back_and_its_link_is_below_the_address() {
        let link = keys(1).link(&callback());
        let token = link.strip_prefix("https://shop.example/callbacks/").unwrap();
        assert_eq!(keys(1).verify(token), Some(callback()));
    }

    #[test]
    fn a_token_that_is_changed_anywhere_is_refused() {
        let keys = keys(1);
        let token = keys.token(&callback());
        for place in 0..token.len() {
            for other in *b"Aa0-_.=%\xc3" {
                let mut changed = token.clone().into_bytes();
                if changed[place] == other {
                    continue;
                }
                changed[place] = other;
                let changed = String::from_utf8_lossy(&changed);
                assert_eq!(keys.verify(&changed), None, "{changed}");
            }
            assert_eq!(keys.verify(&token[..place]), None, "cut to {place}");
        }
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                assert_eq!(keys.verify(&URL_SAFE_NO_PAD.encode(changed)), None, "{place} {bit}");
            }
        }
        assert_eq!(keys.verify(&format!("{token}A")), None);
        assert_eq!(keys.verify(""), None);
    }

    #[test]
    fn a_rotated_secret_is_accepted_until_it_is_removed() {
        let token = keys(1).token(&callback());
        let rotated = keys(2).accept([1; 32]).unwrap();
        assert_eq!(rotated.verify(&token), Some(callback()));
        assert_eq!(keys(2).verify(&token), None);
        assert_eq!(
            keys(2).verify(&rotated.token(&callback())),
            Some(callback()),
            "signs with the new"
        );
    }

    #[test]
    fn a_short_secret_is_refused_and_no_secret_is_printed() {
        let refused = CallbackKeys::new("https://shop.example", "secret").unwrap_err();
        assert_eq!(refused, WeakSecret { len: 6 });
        let secret = "0123456789abcdef0123456789abcdef";
        let keys = CallbackKeys::new("https://shop.example", secret).unwrap();
        assert_eq!(
            format!("{keys:?}"),
            r#"CallbackKeys { url: "https://shop.example", secrets: 1 }"#
        );
    }
}
