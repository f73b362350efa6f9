//! `waxwing certificate local`.

use serde_json::json;

use crate::authority::{self, AuthorityError, Origin};
use crate::cli::LocalCertificate;
use crate::domain::Domain;
use crate::{Outcome, say, say_json};

/// Makes a certificate, and an authority where there is none.
pub(crate) fn local(order: &LocalCertificate) -> Outcome {
    let mut domains: Vec<Domain> = Vec::new();
    for text in &order.domain {
        match Domain::new(text) {
            Ok(domain) if domains.contains(&domain) => {}
            Ok(domain) => domains.push(domain),
            Err(error) => return Outcome::Misused(error.to_string()),
        }
    }
    let made = authority::make(&authority::Order {
        dir: &order.dir,
        domains: &domains,
        replace: order.replace,
        replace_authority: order.replace_authority,
    });
    let files = match made {
        Ok(files) => files,
        Err(error @ (AuthorityError::File { .. } | AuthorityError::Certificate(_))) => {
            return Outcome::Failed(error.to_string());
        }
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let domains: Vec<_> = domains.into_iter().map(|domain| domain.name).collect();
    let is_new = files.origin == Origin::New;
    let (authority, certificate, key) = (
        files.authority.display().to_string(),
        files.certificate.display().to_string(),
        files.key.display().to_string(),
    );
    if order.output.json {
        say_json(&json!({
            "domains": domains,
            "names": files.names,
            "authority": authority,
            "authority_is_new": is_new,
            "certificate": certificate,
            "key": key,
        }));
        return Outcome::Done;
    }
    let about = match files.origin {
        Origin::New => "new, for these names only; clients have to be told to trust it",
        Origin::Kept => "as it was",
        Origin::KeptUnbounded => {
            "as it was, of an earlier version: it may sign for any name, and --replace-authority makes one that may not"
        }
    };
    say(&format!("names        {}", files.names.join(", ")));
    say(&format!("authority    {authority} ({about})"));
    say(&format!("certificate  {certificate}"));
    say(&format!("key          {key}"));
    Outcome::Done
}
