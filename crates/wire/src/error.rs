use thiserror::Error;

/// Why bytes are not a stanza, or not a stream. The peer is always to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// No XML parser would read this.
    #[error("not well-formed: {0}")]
    IllFormed(#[from] Fault),
    /// Well-formed XML that XMPP forbids, RFC 6120 §11.1.
    #[error("forbidden in XMPP: {0}")]
    Restricted(#[from] Restricted),
    /// Well-formed as far as it was read, but larger or stranger than this end puts up with.
    #[error("beyond limits: {0}")]
    Beyond(#[from] Limit),
    /// Well-formed stanzas, but not a stream of them.
    #[error("not an XMPP stream: {0}")]
    Stream(#[from] StreamFault),
}

impl WireError {
    /// The stream error that says this, an element name of RFC 6120 §4.9.3.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            WireError::IllFormed(_) => "not-well-formed",
            WireError::Restricted(_) => "restricted-xml",
            WireError::Beyond(_) => "policy-violation",
            WireError::Stream(
                StreamFault::Root | StreamFault::Header | StreamFault::Text | StreamFault::Framing,
            ) => "bad-format",
            WireError::Stream(StreamFault::Namespace) => "invalid-namespace",
            WireError::Stream(StreamFault::Encoding) => "unsupported-encoding",
        }
    }
}

/// A clause of XML 1.0 or of Namespaces in XML 1.0 that the input breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Bytes that are not UTF-8: overlong forms, surrogates, stray bytes.
    #[error("not UTF-8")]
    Utf8,
    /// A character outside of XML 1.0 §2.2 `Char`, plain or as a reference.
    #[error("a character that XML excludes")]
    Character,
    /// A name that does not begin as names do, or a qualified name with an empty part.
    #[error("a malformed name")]
    Name,
    /// A tag that breaks the grammar of XML 1.0 §3.1.
    #[error("a malformed tag")]
    Tag,
    /// `<` in an attribute's value.
    #[error("'<' in an attribute's value")]
    LessThan,
    /// A reference without name, number or `;`.
    #[error("a malformed reference")]
    Reference,
    /// `]]>` in text.
    #[error("']]>' in text")]
    CdataEnd,
    /// `<!` that begins neither a comment nor a CDATA section nor a document type.
    #[error("malformed markup after '<!'")]
    Markup,
    /// An end tag with another name than its start tag.
    #[error("an end tag with another name than its start tag")]
    EndTag,
    /// Two attributes of one name, as written or once namespaces are applied.
    #[error("two attributes of one name")]
    DuplicateAttribute,
    /// A prefix that no declaration binds.
    #[error("an unbound prefix")]
    UnboundPrefix,
    /// `xml`, `xmlns` or their namespaces bound to something else.
    #[error("a reserved prefix or namespace")]
    ReservedNamespace,
    /// `xmlns:p=''`, which only Namespaces in XML 1.1 knows.
    #[error("a prefix bound to no namespace")]
    EmptyNamespace,
    /// The input ends inside of an element, or holds none.
    #[error("the element is not complete")]
    Truncated,
    /// Bytes after the end of the element.
    #[error("bytes after the element")]
    Trailing,
    /// A malformed XML declaration.
    #[error("a malformed XML declaration")]
    Declaration,
}

/// What RFC 6120 §11.1 forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Restricted {
    /// `<!-- … -->`
    #[error("a comment")]
    Comment,
    /// `<? … ?>`, an XML declaration inside of the stream too.
    #[error("a processing instruction")]
    ProcessingInstruction,
    /// `<!DOCTYPE …>`
    #[error("a document type")]
    Doctype,
    /// `&name;` other than the five of XML 1.0 §4.6.
    #[error("an entity reference")]
    Entity,
}

/// What is beyond our limits, see [`Limits`](crate::Limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Limit {
    /// `stanza_bytes_max`; what lies behind that many bytes was not read.
    #[error("the stanza is too large")]
    StanzaBytes,
    /// `header_bytes_max`
    #[error("the stream header is too large")]
    HeaderBytes,
    /// `depth_max`
    #[error("elements are nested too deeply")]
    Depth,
    /// `attributes_max`
    #[error("too many attributes")]
    Attributes,
    /// `prefixes_max`
    #[error("too many namespace prefixes")]
    Prefixes,
    /// `elements_max`
    #[error("too many elements")]
    Elements,
    /// An element, attribute or prefix name beyond ASCII. Parsers follow different editions of
    /// XML 1.0 here, so that what one accepts cuts another's stream.
    #[error("a name beyond ASCII")]
    NonAsciiName,
    /// A namespace name with a character that no URI has. Parsers join namespace and name by such a
    /// character: expat refuses a namespace that holds the one that its user chose.
    #[error("a namespace name that is not a URI")]
    NamespaceName,
}

/// What makes well-formed input something else than a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamFault {
    /// The root element is not called `stream`.
    #[error("the root element is not <stream/>")]
    Root,
    /// The root element is not in the namespace of streams.
    #[error("the root element is not in the namespace of streams")]
    Namespace,
    /// A stream header inside of the stream.
    #[error("a stream header inside of the stream")]
    Header,
    /// Text between stanzas.
    #[error("text between stanzas")]
    Text,
    /// An encoding other than UTF-8.
    #[error("an encoding other than UTF-8")]
    Encoding,
    /// A message that the transport's framing forbids; only who reads messages can tell (RFC 7395 §3.2).
    #[error("a message that the framing forbids")]
    Framing,
}
