//! [XEP-0084: User Avatar](https://xmpp.org/extensions/xep-0084.html), and the picture of a vCard
//! ([XEP-0153](https://xmpp.org/extensions/xep-0153.html)), which holds the same.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};
use waxwing_wire::{Element, Node};

use super::xep_0054_vcard::NS as NS_VCARD;

/// Node of the pictures themselves, and namespace of one.
pub const NODE_DATA: &str = "urn:xmpp:avatar:data";

/// Node that says which picture is shown, and namespace of what says so.
pub const NODE_METADATA: &str = "urn:xmpp:avatar:metadata";

/// Namespace of what presence says of the picture of a vCard.
pub const NS_UPDATE: &str = "vcard-temp:x:update";

/// Feature of an account whose pictures are the same in both places (XEP-0398).
pub const NS_CONVERSION: &str = "urn:xmpp:pep-vcard-conversion:0";

/// What pictures begin with, and of which type they are then.
const TYPES: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
];

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    bytes: Vec<u8>,
    kind: &'static str,
}

impl Picture {
    /// These bytes, if they begin as a picture of a known type does. What somebody says of the type counts for nothing
    /// (XEP-0153 §5).
    fn new(bytes: Vec<u8>) -> Option<Picture> {
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let found = TYPES.iter().find(|(start, _)| bytes.starts_with(start));
        let kind = match found {
            Some((_, kind)) => kind,
            None if is_webp => "image/webp",
            None => return None,
        };
        Some(Picture { bytes, kind })
    }

    fn decoded(text: &str) -> Option<Picture> {
        let text: String = text.split_ascii_whitespace().collect();
        Picture::new(BASE64.decode(text).ok()?)
    }

    /// What an item of the data's node holds (§5.1 of XEP-0084).
    pub fn of_data(data: &Element) -> Option<Picture> {
        data.is(NODE_DATA, "data")
            .then(|| Picture::decoded(&data.text()))
            .flatten()
    }

    /// What a vCard holds (§4.5 of XEP-0153).
    pub fn of_vcard(card: &Element) -> Option<Picture> {
        let photo = card.child(NS_VCARD, "PHOTO")?;
        Picture::decoded(&photo.child(NS_VCARD, "BINVAL")?.text())
    }

    /// The hash, by which it is named everywhere: SHA-1, in hexadecimal digits.
    pub fn id(&self) -> String {
        let mut id = String::new();
        for byte in Sha1::digest(&self.bytes) {
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    /// What an item of the data's node holds.
    pub fn to_data(&self) -> Element {
        Element::new(NODE_DATA, "data").with_text(&BASE64.encode(&self.bytes))
    }

    /// What says that it is shown.
    pub fn to_metadata(&self) -> Element {
        let info = Element::new(NODE_METADATA, "info")
            .with_attr("bytes", self.bytes.len().to_string())
            .with_attr("id", self.id())
            .with_attr("type", self.kind);
        Element::new(NODE_METADATA, "metadata").with_child(info)
    }

    /// The vCard with this picture, or with none, whatever picture it had.
    pub fn put(picture: Option<&Picture>, card: &Element) -> Element {
        let mut card = card.clone();
        card.retain(|node| !matches!(node, Node::Element(child) if child.is(NS_VCARD, "PHOTO")));
        if let Some(picture) = picture {
            let named = |name, text: &str| Element::new(NS_VCARD, name).with_text(text);
            card.push(
                Element::new(NS_VCARD, "PHOTO")
                    .with_child(named("TYPE", picture.kind))
                    .with_child(named("BINVAL", &BASE64.encode(&picture.bytes))),
            );
        }
        card
    }
}

/// Which picture is shown that is in the data's node: of those that are told, one that is not elsewhere (§3 of XEP-0398).
pub fn shown(metadata: &Element) -> Option<&str> {
    let infos = metadata.children();
    let mut here = infos.filter(|one| one.is(NODE_METADATA, "info") && one.attr("url").is_none());
    here.find_map(|info| info.attr("id"))
}

/// Whether no picture is to be shown.
pub fn shows_nothing(metadata: &Element) -> bool {
    metadata
        .children()
        .all(|child| child.is(NODE_METADATA, "stop"))
}

/// What presence says of the picture; an empty hash for none.
pub fn update(hash: &str) -> Element {
    let photo = Element::new(NS_UPDATE, "photo");
    let photo = match hash {
        "" => photo,
        hash => photo.with_text(hash),
    };
    Element::new(NS_UPDATE, "x").with_child(photo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::parse(text).unwrap()
    }

    #[test]
    fn a_picture_goes_into_a_vcard_and_out_again() {
        let data = element("<data xmlns='urn:xmpp:avatar:data'>iVBORw0K\n Ggo=</data>");
        let picture = Picture::of_data(&data).unwrap();
        assert_eq!(picture.id(), "4caece539b039b16e16206ea2478f8c5ffb2ca05");
        let card = element(
            "<vCard xmlns='vcard-temp'><PHOTO><EXTVAL>x</EXTVAL></PHOTO><FN>A</FN></vCard>",
        );
        assert_eq!(Picture::of_vcard(&card), None);
        let card = Picture::put(Some(&picture), &card);
        assert_eq!(Picture::of_vcard(&card), Some(picture.clone()));
        assert_eq!(card.children().count(), 2);
        assert_eq!(
            Picture::put(None, &card),
            element("<vCard xmlns='vcard-temp'><FN>A</FN></vCard>")
        );
        let metadata = picture.to_metadata();
        assert_eq!(shown(&metadata), Some(picture.id().as_str()));
        assert!(!shows_nothing(&metadata));
    }

    #[test]
    fn what_is_no_picture() {
        for text in ["", "!", "aGVsbG8="] {
            let data = Element::new(NODE_DATA, "data").with_text(text);
            assert_eq!(Picture::of_data(&data), None, "{text}");
        }
        let elsewhere = element(
            "<metadata xmlns='urn:xmpp:avatar:metadata'><info id='1' url='https://a.example'/></metadata>",
        );
        assert_eq!(shown(&elsewhere), None);
        assert!(!shows_nothing(&elsewhere));
        assert!(shows_nothing(&Element::new(NODE_METADATA, "metadata")));
    }
}
