//! The pages of `docs`, so that their examples are compiled and run with the other examples.

#[doc = include_str!("../docs/determinism.md")]
struct Determinism;

#[doc = include_str!("../docs/observability.md")]
struct Observability;

#[doc = include_str!("../docs/errors/DURABLE0001.md")]
struct Durable0001;

#[doc = include_str!("../docs/errors/DURABLE0002.md")]
struct Durable0002;

#[doc = include_str!("../docs/errors/DURABLE0003.md")]
struct Durable0003;

#[doc = include_str!("../docs/errors/DURABLE0004.md")]
struct Durable0004;

#[doc = include_str!("../docs/errors/DURABLE0005.md")]
struct Durable0005;

#[doc = include_str!("../docs/errors/DURABLE0006.md")]
struct Durable0006;

#[doc = include_str!("../docs/errors/DURABLE0010.md")]
struct Durable0010;

#[doc = include_str!("../docs/errors/DURABLE0011.md")]
struct Durable0011;

#[doc = include_str!("../docs/errors/DURABLE0021.md")]
struct Durable0021;

#[doc = include_str!("../docs/errors/DURABLE0022.md")]
struct Durable0022;

#[doc = include_str!("../docs/errors/DURABLE0023.md")]
struct Durable0023;

#[doc = include_str!("../docs/errors/DURABLE0024.md")]
struct Durable0024;

#[doc = include_str!("../docs/errors/DURABLE0025.md")]
struct Durable0025;

#[doc = include_str!("../docs/errors/DURABLE0026.md")]
struct Durable0026;

#[doc = include_str!("../docs/errors/DURABLE0027.md")]
struct Durable0027;

#[doc = include_str!("../docs/errors/DURABLE0028.md")]
struct Durable0028;

#[doc = include_str!("../docs/errors/DURABLE0101.md")]
struct Durable0101;

#[doc = include_str!("../docs/errors/DURABLE0102.md")]
struct Durable0102;

#[doc = include_str!("../docs/errors/DURABLE0103.md")]
struct Durable0103;

#[doc = include_str!("../docs/errors/DURABLE0104.md")]
struct Durable0104;
