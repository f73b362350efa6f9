//! Classes of bytes, and searches that look at eight bytes at a time.

/// Begins a name; `:` does not, since names here are qualified.
pub(crate) const NAME_START: u8 = 1;
/// Goes on in a name.
pub(crate) const NAME: u8 = 2;
/// Whitespace of XML 1.0 §2.3.
pub(crate) const SPACE: u8 = 4;
/// May stand in a URI, RFC 3986 §2, or is beyond ASCII (an IRI).
pub(crate) const URI: u8 = 8;

pub(crate) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 {
            table[byte] |= NAME_START | NAME | URI;
        }
        if b.is_ascii_digit() || b == b'-' || b == b'.' {
            table[byte] |= NAME | URI;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            table[byte] |= SPACE;
        }
        if matches!(
            b,
            b':' | b'/'
                | b'?'
                | b'#'
                | b'['
                | b']'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'~'
                | b'%'
        ) {
            table[byte] |= URI;
        }
        byte += 1;
    }
    table
}

pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Whether XML 1.0 §2.2 `Char` has this code point.
pub(crate) fn is_xml_char(code: u32) -> bool {
    matches!(code, 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x1_0000..=0x10_FFFF)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

// Both set the high bit of each byte that fits, and perhaps of bytes above one that fits, never of
// one below: the lowest bit is always right, and only that is used.
const fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGHS
}

const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

#[inline(always)]
fn find(
    bytes: &[u8],
    from: usize,
    word_of: impl Fn(u64) -> u64,
    byte_of: impl Fn(u8) -> bool,
) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = word_of(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && !byte_of(bytes[at]) {
        at += 1;
    }
    at
}

/// The lead byte of U+F000 to U+FFFF, among them the excluded U+FFFE and U+FFFF.
pub(crate) const LEAD_EF: u8 = 0xEF;

/// Where text needs a look: markup, reference, `]`, control character, [`LEAD_EF`]; or the end.
pub(crate) fn find_in_text(bytes: &[u8], from: usize) -> usize {
    find(
        bytes,
        from,
        |w| equal(w, b'<') | equal(w, b'&') | equal(w, b']') | equal(w, LEAD_EF) | below_space(w),
        |b| b < 0x20 || matches!(b, b'<' | b'&' | b']' | LEAD_EF),
    )
}

/// Where an attribute's value needs a look: its quote, `<`, reference, control character,
/// [`LEAD_EF`]; or the end.
pub(crate) fn find_in_value(bytes: &[u8], from: usize, quote: u8) -> usize {
    find(
        bytes,
        from,
        |w| equal(w, quote) | equal(w, b'<') | equal(w, b'&') | equal(w, LEAD_EF) | below_space(w),
        |b| b < 0x20 || b == quote || matches!(b, b'<' | b'&' | LEAD_EF),
    )
}

/// Where `byte` is; or the end.
pub(crate) fn find_byte(bytes: &[u8], from: usize, byte: u8) -> usize {
    find(bytes, from, |w| equal(w, byte), |b| b == byte)
}

/// Where a start tag ends or a value in it begins: `>`, `"`, `'`; or the end.
pub(crate) fn find_in_tag(bytes: &[u8], from: usize) -> usize {
    find(
        bytes,
        from,
        |w| equal(w, b'>') | equal(w, b'"') | equal(w, b'\''),
        |b| matches!(b, b'>' | b'"' | b'\''),
    )
}
