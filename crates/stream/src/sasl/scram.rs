//! The messages of SCRAM: [RFC 5802 §7](https://www.rfc-editor.org/rfc/rfc5802#section-7).

use super::base64;
use super::binding::BindingKind;
use super::credentials::SALT_BYTES_MAX;
use super::failure::Failure;

/// Longest message in bytes that is looked at; a real one has some hundred.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;
/// Longest nonce in characters, the client's and the server's part together.
const NONCE_CHARS_MAX: usize = 512;

/// What the client says about channel binding, first in its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingFlag<'a> {
    /// `n`: cannot.
    Unsupported,
    /// `y`: can, but believes that the server cannot.
    NotOffered,
    /// `p=name`: does.
    Used(&'a str),
}

impl BindingFlag<'_> {
    /// The flag for a kind that the client has chosen.
    pub(crate) fn of(kind: BindingKind) -> BindingFlag<'static> {
        BindingFlag::Used(kind.name())
    }
}

/// client-first-message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authzid: Option<String>,
    pub(crate) user: String,
    pub(crate) nonce: &'a str,
    /// Everything up to and with the second comma, as sent.
    pub(crate) gs2_header: &'a str,
    /// The rest, as sent: it is signed as it is.
    pub(crate) bare: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<ClientFirst<'a>, Failure> {
        let text = checked(message)?;
        let (flag, rest) = text.split_once(',').ok_or(Failure::MalformedRequest)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Failure::MalformedRequest)?;
        let flag = match flag {
            "n" => BindingFlag::Unsupported,
            "y" => BindingFlag::NotOffered,
            _ => BindingFlag::Used(flag.strip_prefix("p=").ok_or(Failure::MalformedRequest)?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(name(
                authzid
                    .strip_prefix("a=")
                    .ok_or(Failure::MalformedRequest)?,
            )?),
        };
        // A message that starts with `m=`, an extension that must be understood, fails here: there
        // is none that we understand (RFC 5802 §5.1).
        let mut attributes = Attributes(Some(bare));
        let user = name(attributes.expect('n')?)?;
        let nonce = nonce(attributes.expect('r')?)?;
        attributes.skip_extensions()?;
        let gs2_header = &text[..text.len() - bare.len()];
        Ok(ClientFirst {
            flag,
            authzid,
            user,
            nonce,
            gs2_header,
            bare,
        })
    }
}

/// server-first-message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerFirst<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    /// The hash of what was offered, where the server protects it (XEP-0474).
    pub(crate) offer_hash: Option<&'a str>,
    /// The version of the server's TLS, where it says so (XEP-0515).
    pub(crate) tls_version: Option<&'a str>,
}

impl<'a> ServerFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<ServerFirst<'a>, Failure> {
        let mut attributes = Attributes(Some(checked(message)?));
        let nonce = nonce(attributes.expect('r')?)?;
        let salt = base64::decode(attributes.expect('s')?).ok_or(Failure::MalformedRequest)?;
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return Err(Failure::MalformedRequest);
        }
        let iterations = attributes.expect('i')?;
        if iterations.starts_with('+') {
            return Err(Failure::MalformedRequest);
        }
        let iterations = iterations.parse().map_err(|_| Failure::MalformedRequest)?;
        let (mut offer_hash, mut tls_version) = (None, None);
        while let Some((letter, value)) = attributes.next()? {
            match letter {
                'h' => offer_hash = Some(value),
                't' => tls_version = Some(value),
                _ => {}
            }
        }
        Ok(ServerFirst {
            nonce,
            salt,
            iterations,
            offer_hash,
            tls_version,
        })
    }
}

/// client-final-message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFinal<'a> {
    /// GS2 header and binding data, decoded.
    pub(crate) binding: Vec<u8>,
    pub(crate) nonce: &'a str,
    pub(crate) proof: Vec<u8>,
    pub(crate) without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<ClientFinal<'a>, Failure> {
        let text = checked(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::MalformedRequest)?;
        let proof = base64::decode(proof).ok_or(Failure::MalformedRequest)?;
        let mut attributes = Attributes(Some(without_proof));
        let binding = base64::decode(attributes.expect('c')?).ok_or(Failure::MalformedRequest)?;
        let nonce = nonce(attributes.expect('r')?)?;
        attributes.skip_extensions()?;
        Ok(ClientFinal {
            binding,
            nonce,
            proof,
            without_proof,
        })
    }
}

/// server-final-message: the server's signature, or the error that it names.
pub(crate) fn server_signature(message: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut attributes = Attributes(Some(checked(message)?));
    match attributes.next()? {
        Some(('v', signature)) => base64::decode(signature).ok_or(Failure::MalformedRequest),
        Some(('e', _)) => Err(Failure::NotAuthorized),
        _ => Err(Failure::MalformedRequest),
    }
}

/// The attributes of a message, one after the other: `x=value`, parted by commas.
struct Attributes<'a>(Option<&'a str>);

impl<'a> Attributes<'a> {
    fn next(&mut self) -> Result<Option<(char, &'a str)>, Failure> {
        let Some(text) = self.0 else {
            return Ok(None);
        };
        let (attribute, rest) = match text.split_once(',') {
            Some((attribute, rest)) => (attribute, Some(rest)),
            None => (text, None),
        };
        self.0 = rest;
        let (letter, value) = attribute.split_once('=').ok_or(Failure::MalformedRequest)?;
        match letter.as_bytes() {
            [byte] if byte.is_ascii_alphabetic() => Ok(Some((char::from(*byte), value))),
            _ => Err(Failure::MalformedRequest),
        }
    }

    fn expect(&mut self, letter: char) -> Result<&'a str, Failure> {
        match self.next()? {
            Some((found, value)) if found == letter => Ok(value),
            _ => Err(Failure::MalformedRequest),
        }
    }

    /// Optional extensions may follow, and are ignored, but they must be attributes and have values.
    fn skip_extensions(&mut self) -> Result<(), Failure> {
        while let Some((_, value)) = self.next()? {
            if value.is_empty() {
                return Err(Failure::MalformedRequest);
            }
        }
        Ok(())
    }
}

/// UTF-8 without NUL, of bounded length: what every message is.
fn checked(message: &[u8]) -> Result<&str, Failure> {
    if message.len() > MESSAGE_BYTES_MAX || message.contains(&0) {
        return Err(Failure::MalformedRequest);
    }
    std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)
}

fn nonce(text: &str) -> Result<&str, Failure> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > NONCE_CHARS_MAX || !printable {
        return Err(Failure::MalformedRequest);
    }
    Ok(text)
}

/// saslname to name: `=2C` is a comma, `=3D` an equals sign, any other `=` an error.
fn name(encoded: &str) -> Result<String, Failure> {
    let mut parts = encoded.split('=');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::MalformedRequest),
        };
        decoded.push(sign);
        decoded.push_str(rest);
    }
    match decoded.is_empty() {
        true => Err(Failure::MalformedRequest),
        false => Ok(decoded),
    }
}

/// Name to saslname.
pub(crate) fn encode_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_first_message() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=x=2Cy,n=a=3Db,r=abc,x=1").unwrap();
        assert_eq!(first.flag, BindingFlag::Used("tls-exporter"));
        assert_eq!(first.authzid.as_deref(), Some("x,y"));
        assert_eq!(first.user, "a=b");
        assert_eq!(first.nonce, "abc");
        assert_eq!(first.gs2_header, "p=tls-exporter,a=x=2Cy,");
        assert_eq!(first.bare, "n=a=3Db,r=abc,x=1");
        assert_eq!(encode_name("a=b,c"), "a=3Db=2Cc");
    }

    #[test]
    fn refuses_wrong_first_messages() {
        let wrong: [&[u8]; 21] = [
            b"",
            b"n",
            b"n,",
            b"n,,",
            b"q,,n=u,r=x",
            b"n,u,n=u,r=x",
            b"n,a=,n=u,r=x",
            b"n,,n=,r=x",
            b"n,,n=u",
            b"n,,n=u,r=",
            b"n,,r=x,n=u",
            b"n,,m=1,n=u,r=x",
            b"n,,n=u=,r=x",
            b"n,,n=u=2c,r=x",
            b"n,,n=u,r=a b",
            b"n,,n=u,r=\xc3\xa4",
            b"n,,n=u,r=x,",
            b"n,,n=u,r=x,y",
            b"n,,n=u,r=x,y=",
            b"n,,n=u\0,r=x",
            b"n,,n=\xff,r=x",
        ];
        for message in wrong {
            assert_eq!(
                ClientFirst::parse(message),
                Err(Failure::MalformedRequest),
                "{message:?}"
            );
        }
        let long = format!("n,,n=u,r={}", "x".repeat(NONCE_CHARS_MAX + 1));
        assert!(ClientFirst::parse(long.as_bytes()).is_err());
        let long = format!("n,,n={},r=x", "u".repeat(MESSAGE_BYTES_MAX));
        assert!(ClientFirst::parse(long.as_bytes()).is_err());
    }

    #[test]
    fn reads_and_refuses_server_messages() {
        let first = ServerFirst::parse(b"r=ab,s=c2FsdA==,i=4096,d=1,h=xyz=").unwrap();
        assert_eq!(
            (first.nonce, first.iterations, first.offer_hash),
            ("ab", 4096, Some("xyz="))
        );
        assert_eq!(first.salt, b"salt");
        let wrong: [&[u8]; 8] = [
            b"r=ab,s=,i=1",
            b"r=ab,s=c2FsdA,i=1",
            b"r=ab,s=c2FsdA==,i=+1",
            b"r=ab,s=c2FsdA==,i=-1",
            b"r=ab,s=c2FsdA==,i=",
            b"r=ab,s=c2FsdA==,i=4294967296",
            b"m=x,r=ab,s=c2FsdA==,i=1",
            b"e=other-error",
        ];
        for message in wrong {
            assert_eq!(
                ServerFirst::parse(message),
                Err(Failure::MalformedRequest),
                "{message:?}"
            );
        }
        assert_eq!(server_signature(b"v=c2FsdA=="), Ok(b"salt".to_vec()));
        assert_eq!(
            server_signature(b"e=invalid-proof"),
            Err(Failure::NotAuthorized)
        );
        assert_eq!(server_signature(b"v=%"), Err(Failure::MalformedRequest));
        assert_eq!(server_signature(b""), Err(Failure::MalformedRequest));
    }

    #[test]
    fn reads_and_refuses_final_messages() {
        let last = ClientFinal::parse(b"c=biws,r=abc,x=1,p=c2FsdA==").unwrap();
        assert_eq!(
            (last.binding.as_slice(), last.nonce, last.proof.as_slice()),
            (&b"n,,"[..], "abc", &b"salt"[..])
        );
        assert_eq!(last.without_proof, "c=biws,r=abc,x=1");
        let wrong: [&[u8]; 6] = [
            b"c=biws,r=abc",
            b"r=abc,c=biws,p=c2FsdA==",
            b"c=biw,r=abc,p=c2FsdA==",
            b"c=biws,r=abc,p=c2FsdA",
            b"c=biws,r=abc,p=c2FsdA==,x=1",
            b"p=c2FsdA==",
        ];
        for message in wrong {
            assert_eq!(
                ClientFinal::parse(message),
                Err(Failure::MalformedRequest),
                "{message:?}"
            );
        }
    }
}
