//! Keys as an index of PostgreSQL can hold them: a row of an index has room for about 2,700 bytes, and the longest has
//! three of ours.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Longest key that stands in an index as it is. Stored: never change it.
const WHOLE_BYTES_MAX: usize = 700;

/// Whether a key is too long to stand in an index as it is.
pub(super) fn is_long(key: &[u8]) -> bool {
    key.len() > WHOLE_BYTES_MAX
}

/// A key as it stands in an index: itself, or its beginning and a hash, which is longer than any that is itself.
///
/// These sort as the keys do, but for two long ones with the same beginning.
pub(super) fn form(key: &[u8]) -> Cow<'_, [u8]> {
    if !is_long(key) {
        return Cow::Borrowed(key);
    }
    let mut form = key[..WHOLE_BYTES_MAX].to_vec();
    form.extend_from_slice(&Sha256::digest(key));
    Cow::Owned(form)
}

/// What stands beside the form: the whole key, where that is not the same.
pub(super) fn long(key: &[u8]) -> Option<&[u8]> {
    is_long(key).then_some(key)
}

/// A bound of a range that every form of a key within the range is at or after.
pub(super) fn lower(bound: &[u8]) -> &[u8] {
    &bound[..bound.len().min(WHOLE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_sort_as_keys_do() {
        let long = |head: u8, tail: u8| [vec![head; 700], vec![tail; 5]].concat();
        let keys = [
            vec![1],
            vec![2; 699],
            vec![2; 700],
            long(2, 9),
            vec![2, 3],
            long(3, 1),
            vec![4],
        ];
        let forms: Vec<_> = keys.iter().map(|key| form(key).into_owned()).collect();
        assert!(keys.is_sorted());
        assert!(forms.is_sorted());
        assert_eq!(forms[3].len(), 732);
        assert!(lower(&keys[3]) <= forms[3].as_slice());
        assert_ne!(form(&long(2, 9)), form(&long(2, 8)));
    }
}
