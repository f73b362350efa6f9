//! Media types: which are believed, and which a browser may show.

/// Most bytes of a media type without parameters (RFC 6838 §4.2).
pub const BYTES_MAX: usize = 255;
/// What is not known to be anything.
pub const UNKNOWN: &str = "application/octet-stream";

/// What browsers show without running anything of it. Everything else is only to be saved.
const SHOWN: &[&str] = &[
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/wav",
    "audio/webm",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/jxl",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/webm",
];

/// What is called what it is besides pictures and sounds: no browser takes it for a page, a script or a style sheet.
const KEPT: &[&str] = &[
    "application/gzip",
    "application/pdf",
    "application/pgp-encrypted",
    "application/zip",
    "text/vcard",
];

/// Type and subtype in lower case, without parameters; `None` where the text is no media type (RFC 9110 §8.3.1).
#[must_use]
pub fn essence(text: &str) -> Option<String> {
    let bare = text.split(';').next()?.trim_ascii();
    let (kind, subtype) = bare.split_once('/')?;
    let is_token = |part: &str| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty() && part.bytes().all(token)
    };
    let is_type = bare.len() <= BYTES_MAX && is_token(kind) && is_token(subtype);
    is_type.then(|| bare.to_ascii_lowercase())
}

/// How a file is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner<'a> {
    /// `Content-Type`.
    pub content_type: &'a str,
    /// Whether a browser may show it.
    pub is_inline: bool,
}

/// How a file of this type, as [`essence`] gives it, is served so that nothing of it ever runs. What could be a page, a
/// script or a style sheet is called by no name under which a browser would use it as that.
#[must_use]
pub fn manner(essence: &str) -> Manner<'_> {
    let is_inline = SHOWN.contains(&essence);
    let kind = essence.split('/').next().unwrap_or_default();
    // Pictures in XML have scripts.
    let is_media = matches!(kind, "audio" | "image" | "video") && !essence.ends_with("+xml");
    let content_type = match essence {
        "text/plain" => "text/plain; charset=utf-8",
        _ if is_inline || is_media || KEPT.contains(&essence) => essence,
        _ => UNKNOWN,
    };
    Manner {
        content_type,
        is_inline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read() {
        for (text, expected) in [
            ("image/jpeg", Some("image/jpeg")),
            (" Image/JPEG ; q=\"1;2\"", Some("image/jpeg")),
            ("text/plain;charset=utf-8", Some("text/plain")),
            (
                "application/vnd.oasis.opendocument.text",
                Some("application/vnd.oasis.opendocument.text"),
            ),
            ("", None),
            ("image", None),
            ("image/", None),
            ("/jpeg", None),
            ("image/jpeg/png", None),
            ("image /jpeg", None),
            ("image/jp\r\neg", None),
            ("im\u{E4}ge/jpeg", None),
        ] {
            assert_eq!(essence(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(essence(&format!("a/{}", "b".repeat(BYTES_MAX))), None);
    }

    /// Whatever a browser could run is to be saved, and is called by a name that it runs nothing of.
    #[test]
    fn nothing_runs() {
        for active in [
            "text/html",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/xml",
            "text/javascript",
            "application/javascript",
            "application/wasm",
            "text/css",
            "application/json",
            "text/cache-manifest",
            "application/x-shockwave-flash",
            "multipart/x-mixed-replace",
            "message/rfc822",
            "audio/x+xml",
        ] {
            let manner = manner(active);
            assert_eq!((manner.content_type, manner.is_inline), (UNKNOWN, false));
        }
        for shown in SHOWN {
            assert!(manner(shown).is_inline);
        }
        let pdf = manner("application/pdf");
        assert_eq!(
            (pdf.content_type, pdf.is_inline),
            ("application/pdf", false)
        );
        let text = manner("text/plain");
        assert_eq!(text.content_type, "text/plain; charset=utf-8");
        assert!(SHOWN.is_sorted() && KEPT.is_sorted());
    }
}
