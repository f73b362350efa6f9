//! What a file is called: for people alone, never a path.

use std::fmt::Write as _;

/// Most bytes of a name.
pub const NAME_BYTES_MAX: usize = 200;
/// Most bytes of its ending, with the dot, that are kept where the name is too long.
const ENDING_BYTES_MAX: usize = 20;
/// What is called by nothing that can be shown.
const NAMELESS: &str = "file";

/// What is kept of a name that a client gives: its last part, without what does not show or turns the direction of writing (an
/// ending must not stand in the middle), and not too long.
#[must_use]
pub fn kept(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let kept = cut(shown.trim());
    match kept.chars().all(|c| c == '.') {
        true => NAMELESS.to_owned(),
        false => kept,
    }
}

/// As much of a name as is kept, with its ending.
fn cut(shown: &str) -> String {
    if shown.len() <= NAME_BYTES_MAX {
        return shown.to_owned();
    }
    let ending = shown.rfind('.').map_or("", |at| &shown[at..]);
    let ending = if ending.len() <= ENDING_BYTES_MAX {
        ending
    } else {
        ""
    };
    let mut end = NAME_BYTES_MAX - ending.len();
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", shown[..end].trim_end())
}

/// Control characters, and those that order or join others (Unicode's bidirectional controls, separators, zero widths).
fn is_hidden(c: char) -> bool {
    let orders = matches!(
        c,
        '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    );
    c.is_control() || orders
}

/// A name as a part of an address: everything but unreserved characters is percent-encoded (RFC 3986 §2.3).
#[must_use]
pub fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `Content-Disposition` of a file (RFC 6266 §4): with an ASCII name for clients that know no other.
#[must_use]
pub fn disposition(name: &str, is_inline: bool) -> String {
    let kind = if is_inline { "inline" } else { "attachment" };
    let plain = |c: char| c == ' ' || c.is_ascii_graphic() && !"\"\\%".contains(c);
    let ascii: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let encoded = encoded(name);
    format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        for (given, expected) in [
            ("a.jpg", "a.jpg"),
            ("tr\u{E8}s cool.jpg", "tr\u{E8}s cool.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("C:\\a.txt", "a.txt"),
            ("a/", "file"),
            ("", "file"),
            (".", "file"),
            ("..", "file"),
            (" ... ", "file"),
            ("..a", "..a"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("a\0.png", "a.png"),
            ("invoice\u{202E}gpj.exe", "invoicegpj.exe"),
        ] {
            assert_eq!(kept(given), expected, "{given:?}");
        }
    }

    #[test]
    fn long_names_keep_their_endings() {
        let long = format!("{}.jpeg", "\u{E9}".repeat(300));
        let name = kept(&long);
        assert!(name.len() <= NAME_BYTES_MAX && name.len() > NAME_BYTES_MAX - 4);
        assert!(name.ends_with("\u{E9}.jpeg"));
        let name = kept(&format!("a.{}", "b".repeat(300)));
        assert_eq!(name.len(), NAME_BYTES_MAX);
        assert_eq!(
            kept(&format!("{}{}", ".".repeat(200), "b".repeat(100))),
            NAMELESS
        );
    }

    #[test]
    fn names_in_addresses_and_headers() {
        assert_eq!(encoded("tr\u{E8}s cool.jpg"), "tr%C3%A8s%20cool.jpg");
        assert_eq!(encoded("a~b_c-d.e"), "a~b_c-d.e");
        assert_eq!(
            disposition("tr\u{E8}s \"cool\".jpg", false),
            "attachment; filename=\"tr_s _cool_.jpg\"; filename*=UTF-8''tr%C3%A8s%20%22cool%22.jpg"
        );
        assert_eq!(
            disposition("a.png", true),
            "inline; filename=\"a.png\"; filename*=UTF-8''a.png"
        );
    }
}
