//! Randomness as an argument.

use std::fmt;

use crate::sasl::{Hash, Secret};

/// What a stream needs of randomness: 32 secret bytes from the outside, stretched by HMAC-SHA-256
/// in counter mode. The same seed gives the same stream ids, nonces and resources, so a simulation
/// repeats; a different one for every stream is the caller's duty.
pub struct Seed {
    key: Secret,
    counter: u64,
}

impl Seed {
    /// Takes 32 bytes of a cryptographic random source.
    pub fn new(bytes: [u8; 32]) -> Seed {
        Seed {
            key: Secret::copy(&bytes),
            counter: 0,
        }
    }

    /// Fills `out` with bytes that nobody without the seed can foretell.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(Hash::Sha256.output_bytes()) {
            let block = Hash::Sha256.hmac(self.key.bytes(), &[&self.counter.to_be_bytes()]);
            self.counter += 1;
            chunk.copy_from_slice(&block.bytes()[..chunk.len()]);
        }
    }

    /// A token of 18 random bytes in 24 characters of base64url: for ids, nonces and resources.
    pub(crate) fn token(&mut self) -> String {
        use base64::Engine as _;
        let mut bytes = [0; 18];
        self.fill(&mut bytes);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A random UUID (RFC 4122 §4.4), as the name of a guest.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let (a, rest) = hex.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        [a, b, c, d, e].join("-")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[seed, hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_same_again_and_never_twice() {
        let mut one = Seed::new([1; 32]);
        let mut two = Seed::new([1; 32]);
        let mut long = [0; 80];
        one.fill(&mut long);
        let mut again = [0; 80];
        two.fill(&mut again);
        assert_eq!(long, again);
        assert_ne!(long[..32], long[32..64]);
        assert_ne!(one.token(), one.token());
        assert_ne!(Seed::new([2; 32]).token(), Seed::new([1; 32]).token());
        assert_eq!(one.token().len(), 24);
        for _ in 0..20 {
            let uuid = one.uuid();
            let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
        assert_ne!(one.uuid(), one.uuid());
        assert_eq!(format!("{one:?}"), "[seed, hidden]");
    }
}
