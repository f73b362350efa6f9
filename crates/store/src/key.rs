//! Keys that sort as bytes the way their values sort, and ranges of them.
//!
//! | type | bytes |
//! |---|---|
//! | unsigned integer, [`LogId`] | big-endian |
//! | signed integer | big-endian with the sign bit flipped |
//! | `bool` | 0 or 1 |
//! | text, bytes, [`Owner`] | each 0 as `00 FF`, then `00 00` |
//! | tuple | its parts, one after another |
//!
//! So the bytes of a tuple's first parts are a prefix of all keys that begin with them.

use std::marker::PhantomData;

use crate::log::LogId;
use crate::owner::Owner;

/// A type that is a key, or a part of one.
pub trait Key: Sized {
    /// Appends the ordered encoding.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads one part off the front; `None` where the bytes are not of this type.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

/// What can stand for a key of type `K`: `str` for `String`, a tuple of such for a tuple.
pub trait AsKey<K> {
    /// Appends the ordered encoding of the `K` that it stands for.
    fn encode_as(&self, out: &mut Vec<u8>);
}

/// The first parts of a tuple key `K`, as a tuple: `("a",)` for `(String, u64)`.
pub trait AsPrefix<K> {
    /// Appends the ordered encoding of these parts.
    fn encode_prefix(&self, out: &mut Vec<u8>);
}

/// The encoding of a whole key.
pub(crate) fn encoded<K, Q: AsKey<K> + ?Sized>(key: &Q) -> Vec<u8> {
    let mut out = Vec::new();
    key.encode_as(&mut out);
    out
}

/// A whole key from its encoding; `None` where bytes are missing or left over.
pub(crate) fn decoded<K: Key>(mut bytes: &[u8]) -> Option<K> {
    let key = K::decode(&mut bytes)?;
    bytes.is_empty().then_some(key)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&[0, 0]);
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xFF);
        }
    }
}

fn decode_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        match take(bytes, 1)?[0] {
            0 => match take(bytes, 1)?[0] {
                0 => return Some(out),
                0xFF => out.push(0),
                _ => return None,
            },
            byte => out.push(byte),
        }
    }
}

macro_rules! key_as_itself {
    ($($key:ty),*) => {$(
        impl AsKey<$key> for $key {
            fn encode_as(&self, out: &mut Vec<u8>) {
                self.encode(out);
            }
        }
    )*};
}

macro_rules! unsigned_key {
    ($($key:ty),*) => {$(
        impl Key for $key {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                let bytes = take(bytes, size_of::<$key>())?;
                Some(<$key>::from_be_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

unsigned_key!(u8, u16, u32, u64);
key_as_itself!(u8, u16, u32, u64, i64, bool, String, Vec<u8>, LogId, Owner);

impl Key for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.cast_unsigned() ^ (1 << 63)).encode(out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some((u64::decode(bytes)? ^ (1 << 63)).cast_signed())
    }
}

impl Key for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match u8::decode(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Key for String {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(decode_bytes(bytes)?).ok()
    }
}

impl Key for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        decode_bytes(bytes)
    }
}

impl Key for LogId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u64::decode(bytes).map(Self)
    }
}

impl Key for Owner {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_bytes(&decode_bytes(bytes)?)
    }
}

impl AsKey<String> for str {
    fn encode_as(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl AsKey<Vec<u8>> for [u8] {
    fn encode_as(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }
}

impl<K, Q: AsKey<K> + ?Sized> AsKey<K> for &Q {
    fn encode_as(&self, out: &mut Vec<u8>) {
        (**self).encode_as(out);
    }
}

macro_rules! tuple_key {
    ($($key:ident $stand_in:ident $at:tt),+) => {
        impl<$($key: Key),+> Key for ($($key,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$at.encode(out);)+
            }
            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($key::decode(bytes)?,)+))
            }
        }
        impl<$($key, $stand_in: AsKey<$key>),+> AsKey<($($key,)+)> for ($($stand_in,)+) {
            fn encode_as(&self, out: &mut Vec<u8>) {
                $(self.$at.encode_as(out);)+
            }
        }
    };
}

tuple_key!(A X 0, B Y 1);
tuple_key!(A X 0, B Y 1, C Z 2);
tuple_key!(A X 0, B Y 1, C Z 2, D W 3);

macro_rules! tuple_prefix {
    ($($key:ident $stand_in:ident $at:tt),+; $($rest:ident),+) => {
        impl<$($key, $stand_in: AsKey<$key>,)+ $($rest),+> AsPrefix<($($key,)+ $($rest,)+)> for ($($stand_in,)+) {
            fn encode_prefix(&self, out: &mut Vec<u8>) {
                $(self.$at.encode_as(out);)+
            }
        }
    };
}

tuple_prefix!(A X 0; B);
tuple_prefix!(A X 0; B, C);
tuple_prefix!(A X 0, B Y 1; C);
tuple_prefix!(A X 0; B, C, D);
tuple_prefix!(A X 0, B Y 1; C, D);
tuple_prefix!(A X 0, B Y 1, C Z 2; D);

/// A range of encoded keys: from `start`, up to and without `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
}

impl ByteRange {
    pub(crate) fn exactly(key: Vec<u8>) -> Self {
        Self {
            end: Some(following(key.clone())),
            start: key,
        }
    }

    fn prefix(prefix: Vec<u8>) -> Self {
        Self {
            end: successor(&prefix),
            start: prefix,
        }
    }

    /// Whether no key can be in it. `BTreeMap::range` panics on some of these.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Longest bound, for the limit on keys.
    pub(crate) fn bytes(&self) -> usize {
        self.start.len().max(self.end.as_ref().map_or(0, Vec::len))
    }
}

/// The least bytes that are greater than `key`.
fn following(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The least bytes that are greater than everything with this prefix; `None` where there is no such.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

/// A range of keys of a table or of an index.
pub struct KeyRange<K> {
    pub(crate) bytes: ByteRange,
    key: PhantomData<fn() -> K>,
}

impl<K> Clone for KeyRange<K> {
    fn clone(&self) -> Self {
        Self::new(self.bytes.clone())
    }
}

impl<K> std::fmt::Debug for KeyRange<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes.fmt(f)
    }
}

impl<K> KeyRange<K> {
    const fn new(bytes: ByteRange) -> Self {
        Self {
            bytes,
            key: PhantomData,
        }
    }

    /// Every key.
    #[must_use]
    pub const fn all() -> Self {
        Self::new(ByteRange {
            start: Vec::new(),
            end: None,
        })
    }

    /// Exactly this key.
    #[must_use]
    pub fn exactly<Q: AsKey<K> + ?Sized>(key: &Q) -> Self {
        Self::new(ByteRange::exactly(encoded(key)))
    }

    /// The tuples that begin with these parts: `KeyRange::prefix(&("a",))`.
    #[must_use]
    pub fn prefix<P: AsPrefix<K> + ?Sized>(parts: &P) -> Self {
        let mut bytes = Vec::new();
        parts.encode_prefix(&mut bytes);
        Self::new(ByteRange::prefix(bytes))
    }

    /// The part of it from `key` on.
    #[must_use]
    pub fn from<Q: AsKey<K> + ?Sized>(self, key: &Q) -> Self {
        self.starting(encoded(key))
    }

    /// The part of it after `key`: where a forward scan goes on.
    #[must_use]
    pub fn after<Q: AsKey<K> + ?Sized>(self, key: &Q) -> Self {
        self.starting(following(encoded(key)))
    }

    /// The part of it before `key`: where a backward scan goes on.
    #[must_use]
    pub fn before<Q: AsKey<K> + ?Sized>(mut self, key: &Q) -> Self {
        let key = encoded(key);
        if self.bytes.end.as_ref().is_none_or(|end| key < *end) {
            self.bytes.end = Some(key);
        }
        self
    }

    fn starting(mut self, start: Vec<u8>) -> Self {
        if start > self.bytes.start {
            self.bytes.start = start;
        }
        self
    }
}

impl KeyRange<String> {
    /// The texts that begin with `text`.
    #[must_use]
    pub fn starting_with(text: &str) -> Self {
        let mut bytes = Vec::new();
        escape(text.as_bytes(), &mut bytes);
        Self::new(ByteRange::prefix(bytes))
    }
}
