use crate::chars::{NAME, SPACE, is};
use crate::error::{Fault, Limit, Restricted, StreamFault, WireError};
use crate::escape::{Place, escape_value, unescape};
use crate::limits::Limits;
use crate::name::Name;
use crate::ns;
use crate::parser::{Parser, Sink, Tag};
use crate::scope::{Outer, Scope, Span};
use crate::stanza::Stanza;
use crate::view::View;
use bytes::Bytes;

/// The start tag of a stream, RFC 6120 §4.2: what it says, unescaped, unprepared, unjudged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Attribute `to`.
    pub to: Option<String>,
    /// Attribute `from`.
    pub from: Option<String>,
    /// Attribute `id`.
    pub id: Option<String>,
    /// Attribute `version`.
    pub version: Option<String>,
    /// Attribute `xml:lang`.
    pub lang: Option<String>,
    /// The namespace that stanzas without declaration are in; empty for none.
    pub default_ns: Name,
    /// Prefixes and their namespaces, in order, that of the streams' namespace among them.
    pub prefixes: Vec<(Name, Name)>,
}

/// What is kept of a header to read the rest of its stream.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The root's name as written, which its end tag must have too.
    pub(crate) qname: Box<str>,
    pub(crate) default_ns: Name,
    pub(crate) prefixes: Vec<(Name, Name)>,
    /// Whether the root is one tag: a stream that ends at once.
    pub(crate) closed: bool,
}

/// Prefixes that a header may bind: which of them a stanza uses is kept in the bits of a word.
const PREFIXES_MAX: usize = 64;

/// Reads a header: perhaps an XML declaration, perhaps whitespace, one start tag, nothing after it.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<(Header, Frame), WireError> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)?;
    let rest = after_declaration(text)?.trim_start_matches([' ', '\t', '\r', '\n']);
    let mut parser = Parser::new(rest.as_bytes(), Outer::bare(""), limits, Root::default());
    if parser.root_tag()? != rest.len() {
        return Err(Fault::Trailing.into());
    }
    if let Some(limit) = parser.beyond {
        return Err(limit.into());
    }
    let Root {
        header,
        qname,
        ns,
        local,
        ..
    } = parser.sink;
    if ns != ns::STREAMS {
        return Err(StreamFault::Namespace.into());
    }
    if local != "stream" {
        return Err(StreamFault::Root.into());
    }
    if header.prefixes.len() > PREFIXES_MAX {
        return Err(Limit::Prefixes.into());
    }
    let frame = Frame {
        qname: qname.into(),
        default_ns: header.default_ns.clone(),
        prefixes: header.prefixes.clone(),
        closed: rest.ends_with("/>"),
    };
    Ok((header, frame))
}

/// The default namespace and the prefixes that a stanza's start tag leaves to its children. The tag
/// is one that the parser has accepted.
pub(crate) fn bindings(tag: &[u8], default_ns: &Name) -> (Name, Vec<(Name, Name)>) {
    let root = Root {
        header: Header {
            default_ns: default_ns.clone(),
            ..Header::default()
        },
        ..Root::default()
    };
    let mut parser = Parser::new(tag, Outer::bare(default_ns), &crate::stanza::CHECKED, root);
    let read = parser.root_tag();
    debug_assert!(read.is_ok(), "the same parser has accepted this tag");
    (parser.sink.header.default_ns, parser.sink.header.prefixes)
}

#[derive(Default)]
struct Root {
    header: Header,
    qname: String,
    local: String,
    ns: String,
}

impl Sink for Root {
    fn start(&mut self, scope: &Scope<'_>, tag: &Tag<'_>) {
        self.qname = scope.text(tag.name.whole).to_owned();
        self.local = scope.text(tag.name.local()).to_owned();
        self.ns = scope.name(tag.ns).to_owned();
        for attr in tag.attrs {
            let value = unescape(scope.text(attr.value), Place::Value).into_owned();
            if attr.declares {
                match attr.name.prefix() {
                    None => self.header.default_ns = ns::name(&value),
                    Some(_) => {
                        let prefix = Name::copied(scope.text(attr.name.local()));
                        self.header.prefixes.push((prefix, ns::name(&value)));
                    }
                }
                continue;
            }
            let slot = match scope.text(attr.name.whole) {
                "to" => &mut self.header.to,
                "from" => &mut self.header.from,
                "id" => &mut self.header.id,
                "version" => &mut self.header.version,
                "xml:lang" => &mut self.header.lang,
                _ => continue,
            };
            *slot = Some(value);
        }
    }

    fn text(&mut self, _: &Scope<'_>, _: Span, _: bool) {}

    fn end(&mut self, _: usize, _: usize, _: u32) {}
}

/// Reads over an XML declaration, XML 1.0 §2.8, if there is one.
fn after_declaration(text: &str) -> Result<&str, WireError> {
    let Some(rest) = text.strip_prefix("<?xml") else {
        // A declaration must be the very first, anything else that begins so is an instruction.
        return if text.trim_start().starts_with("<?") {
            Err(Restricted::ProcessingInstruction.into())
        } else {
            Ok(text)
        };
    };
    match rest.bytes().next() {
        Some(b) if is(b, NAME) || b == b':' => return Err(Restricted::ProcessingInstruction.into()),
        _ => {}
    }
    let (inside, after) = rest.split_once("?>").ok_or(Fault::Declaration)?;
    let (version, inside) = pseudo_attribute(inside, "version")?.ok_or(Fault::Declaration)?;
    let minor = version.strip_prefix("1.").ok_or(Fault::Declaration)?;
    if minor.is_empty() || !minor.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Declaration.into());
    }
    let inside = match pseudo_attribute(inside, "encoding")? {
        Some((encoding, inside)) if encoding.eq_ignore_ascii_case("utf-8") => inside,
        Some(_) => return Err(StreamFault::Encoding.into()),
        None => inside,
    };
    let inside = match pseudo_attribute(inside, "standalone")? {
        Some(("yes" | "no", inside)) => inside,
        Some(_) => return Err(Fault::Declaration.into()),
        None => inside,
    };
    if inside.bytes().all(|b| is(b, SPACE)) {
        Ok(after)
    } else {
        Err(Fault::Declaration.into())
    }
}

/// `name='value'` after whitespace, and what follows; `None` if something else comes.
fn pseudo_attribute<'a>(text: &'a str, name: &str) -> Result<Option<(&'a str, &'a str)>, Fault> {
    let space = |c: char| c.is_ascii() && is(c as u8, SPACE);
    let trimmed = text.trim_start_matches(space);
    let Some(rest) = trimmed
        .strip_prefix(name)
        .filter(|_| trimmed.len() < text.len())
    else {
        return Ok(None);
    };
    let rest = rest
        .trim_start_matches(space)
        .strip_prefix('=')
        .ok_or(Fault::Declaration)?;
    let rest = rest.trim_start_matches(space);
    let quote = rest
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''))
        .ok_or(Fault::Declaration)?;
    rest[1..]
        .split_once(quote)
        .map(Some)
        .ok_or(Fault::Declaration)
}

/// The most bytes that a header may have come to without an end.
pub(crate) fn admit(bytes: usize, limits: &Limits) -> Result<(), Limit> {
    if bytes > limits.header_bytes_max {
        Err(Limit::HeaderBytes)
    } else {
        Ok(())
    }
}

/// An element with declarations for those of the outer prefixes that it uses: by bit, inserted
/// behind the root's name. No declaration is there twice: a prefix that the root binds itself
/// never means the outer one.
pub(crate) fn declare(
    prefixes: &[(Name, Name)],
    element: &[u8],
    name_end: usize,
    used: u64,
) -> Bytes {
    let (head, rest) = element.split_at(name_end);
    let mut out = Vec::with_capacity(element.len() + 128);
    out.extend_from_slice(head);
    for (index, (prefix, ns)) in prefixes.iter().enumerate() {
        if used & (1 << (index & 63)) != 0 {
            out.extend_from_slice(b" xmlns:");
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(b"='");
            escape_value(&mut out, ns);
            out.push(b'\'');
        }
    }
    out.extend_from_slice(rest);
    Bytes::from(out)
}

impl Frame {
    pub(crate) fn outer(&self) -> Outer<'_> {
        Outer {
            default_ns: &self.default_ns,
            prefixes: &self.prefixes,
        }
    }

    /// A stanza with declarations for those of the header's prefixes that it uses.
    pub(crate) fn declare(&self, stanza: &[u8], name_end: usize, used: u64) -> Bytes {
        declare(&self.prefixes, stanza, name_end, used)
    }

    /// The root of a stanza as a stanza without content; `None` if its start tag is beyond limits.
    pub(crate) fn root(&self, stanza: &[u8], limits: &Limits) -> Result<Option<Stanza>, WireError> {
        let mut parser = Parser::new(stanza, self.outer(), limits, View::new());
        let end = match parser.root_tag() {
            Ok(end) => end,
            Err(WireError::IllFormed(Fault::Truncated)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if parser.beyond.is_some() {
            return Ok(None);
        }
        let tag = &stanza[..end];
        let tag = tag
            .strip_suffix(b"/>")
            .or(tag.strip_suffix(b">"))
            .unwrap_or(tag);
        let tag = [tag, b"/>"].concat();
        let tag = self.declare(
            &tag,
            parser.sink.qname.end as usize,
            parser.scope.outer_used,
        );
        match Stanza::parse_in(tag, &self.default_ns, limits) {
            Ok(root) => Ok(Some(root)),
            Err(WireError::Beyond(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
