//! What a client can do to an instance.
