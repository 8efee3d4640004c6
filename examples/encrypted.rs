//! Encryption at rest: the values of an orchestration are encrypted before they reach the folder, and
//! stay readable when the key changes.
//!
//! ```sh
//! cargo run -p examples --bin encrypted
//! ```

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use durable::prelude::*;
use durable::protocol::InstanceId;
use durable::store::{EncodedPayload, EncodedStore, PayloadCodec, SledStore, Store, StoreError};

/// AES-256-GCM with a random nonce of 12 bytes before each ciphertext.
struct Keys {
    by_name: BTreeMap<String, Aes256Gcm>,
    /// The name of the key for new values.
    newest: String,
}

impl Keys {
    /// A program would read its keys from a secret store. The last one encrypts.
    fn new(keys: &[(&str, [u8; 32])]) -> Self {
        let by_name =
            keys.iter().map(|(name, key)| ((*name).to_owned(), Aes256Gcm::new(key.into())));
        let newest = keys.last().map(|(name, _)| (*name).to_owned()).unwrap_or_default();
        Self { by_name: by_name.collect(), newest }
    }

    fn key(&self, name: &str) -> Result<&Aes256Gcm, StoreError> {
        let missing = || StoreError::backend("cannot use a key", format!("`{name}` is missing"));
        self.by_name.get(name).ok_or_else(missing)
    }
}

/// Keys never appear in log lines.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys").field(&self.by_name.keys()).finish()
    }
}

impl PayloadCodec for Keys {
    fn encode(&self, text: &str, instance: &InstanceId) -> Result<EncodedPayload, StoreError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        // Authenticating the id keeps a value from being moved to another instance.
        let payload = Payload { msg: text.as_bytes(), aad: instance.as_str().as_bytes() };
        let encrypted = self.key(&self.newest)?.encrypt(&nonce, payload);
        let encrypted = encrypted.map_err(|_| StoreError::backend("cannot encrypt", "too long"))?;
        let data = STANDARD.encode([nonce.as_slice(), &encrypted].concat());
        Ok(EncodedPayload::new(&self.newest, data))
    }

    fn decode(&self, payload: &EncodedPayload, id: &InstanceId) -> Result<String, StoreError> {
        let key = self.key(&payload.key)?;
        let damaged = || StoreError::backend("cannot decrypt", "the value was changed or moved");
        let bytes = STANDARD.decode(&payload.data).map_err(|_| damaged())?;
        let (nonce, msg) = bytes.split_at_checked(12).ok_or_else(damaged)?;
        let encrypted = Payload { msg, aad: id.as_str().as_bytes() };
        let text = key.decrypt(Nonce::from_slice(nonce), encrypted).map_err(|_| damaged())?;
        String::from_utf8(text).map_err(|_| damaged())
    }
}

#[activity]
async fn charge(card: String) -> Result<String> {
    Ok(format!("charged the card that ends in {}", &card[card.len() - 4..]))
}

#[orchestrator]
async fn checkout(ctx: &OrchestrationContext, card: String) -> Result<String> {
    let receipt = charge(card).await?;
    ctx.wait_for_external_event::<()>("Shipped").await?;
    Ok(receipt)
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (("2026-10", [1; 32]), ("2026-11", [2; 32]));

    let store = EncodedStore::new(SledStore::open(folder.path())?, Keys::new(&[old]));
    let hub = TaskHub::builder().store(store).open().await?;
    let run = hub.start(checkout("4929 1234 5678 9010".to_owned()).instance_id("order-17")).await?;
    let execution = run.status().await?.execution_id;
    hub.shutdown().await?;

    println!("in the folder:");
    let stored = SledStore::open(folder.path())?;
    for event in stored.history(&InstanceId::new("order-17")?, execution, 0)? {
        if let durable::protocol::EventKind::ExecutionStarted(started) = event.kind {
            println!("  {}", started.input);
        }
    }
    drop(stored);

    // The old key is kept to read with; what is written from now on uses the new one.
    let store = EncodedStore::new(SledStore::open(folder.path())?, Keys::new(&[old, new]));
    let hub = TaskHub::builder().store(store).open().await?;
    let run = hub.instance("order-17")?;
    run.raise_event("Shipped", &()).await?;
    run.wait_for_completion().await?;
    println!("decrypted: {}", run.details().await?.output_as::<String>()?.unwrap_or_default());
    hub.shutdown().await?;
    Ok(())
}
