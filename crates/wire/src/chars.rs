//! Classes of bytes, and searches that look at eight bytes at a time.

/// Begins a name; `:` does not, since names here are qualified. All beyond ASCII do: such names are
/// refused, but not as ill-formed.
pub(crate) const NAME_START: u8 = 1;
/// Goes on in a name, ASCII only.
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
        if b.is_ascii_alphabetic() || b == b'_' {
            table[byte] |= NAME_START | NAME | URI;
        }
        if b >= 0x80 {
            table[byte] |= NAME_START | URI;
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

// These set the high bit of each byte that fits, perhaps of bytes above one that fits, and perhaps of
// bytes beyond ASCII, but of no ASCII byte below the first that fits. The lowest high bit is right in
// searches that stop at bytes beyond ASCII anyway.
const fn equal(word: u64, byte: u8) -> u64 {
    (word ^ (ONES * byte as u64)).wrapping_sub(ONES)
}

const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20)
}

// As `equal`, but never for bytes beyond ASCII.
const fn strictly_equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference
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
        let found = word_of(u64::from_le_bytes(*chunk)) & HIGHS;
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

/// Where text needs a look: markup, reference, `]`, control character, beyond ASCII; or the end.
#[inline]
pub(crate) fn find_in_text(bytes: &[u8], from: usize) -> usize {
    find(
        bytes,
        from,
        |w| equal(w, b'<') | equal(w, b'&') | equal(w, b']') | below_space(w) | w,
        |b| !(0x20..0x80).contains(&b) || matches!(b, b'<' | b'&' | b']'),
    )
}

/// Where an attribute's value needs a look: its quote, `<`, reference, control character, beyond
/// ASCII; or the end.
#[inline]
pub(crate) fn find_in_value(bytes: &[u8], from: usize, quote: u8) -> usize {
    find(
        bytes,
        from,
        |w| equal(w, quote) | equal(w, b'<') | equal(w, b'&') | below_space(w) | w,
        |b| !(0x20..0x80).contains(&b) || b == quote || matches!(b, b'<' | b'&'),
    )
}

/// Where `byte` is; or the end.
#[inline]
pub(crate) fn find_byte(bytes: &[u8], from: usize, byte: u8) -> usize {
    find(bytes, from, |w| strictly_equal(w, byte), |b| b == byte)
}

/// Where a start tag ends or a value in it begins: `>`, `"`, `'`; or the end.
#[inline]
pub(crate) fn find_in_tag(bytes: &[u8], from: usize) -> usize {
    find(
        bytes,
        from,
        |w| strictly_equal(w, b'>') | strictly_equal(w, b'"') | strictly_equal(w, b'\''),
        |b| matches!(b, b'>' | b'"' | b'\''),
    )
}
