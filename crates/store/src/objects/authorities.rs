//! The authorities that certificates of servers are looked at by.

use std::io::{self, Read};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Where Debian and most others keep the authorities that the machine trusts.
pub(crate) const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Most bytes of a file of authorities: all that there are in the world have a tenth.
const AUTHORITIES_BYTES_MAX: u64 = 4 << 20;

/// Reads a file of them; otherwise what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<RootCertStore, String> {
    let unusable = |reason: &str| {
        let path = path.display();
        format!("the authorities in {path} cannot be used: {reason}")
    };
    let failed = |error: io::Error| unusable(&error.to_string());
    // A FIFO would be waited for.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unusable("it is no file"));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut pem = Vec::new();
    let read = file.take(AUTHORITIES_BYTES_MAX + 1).read_to_end(&mut pem);
    if read.map_err(failed)? as u64 > AUTHORITIES_BYTES_MAX {
        let reason = format!("it has more than {AUTHORITIES_BYTES_MAX} bytes");
        return Err(unusable(&reason));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| unusable("its PEM is damaged"))?;
        // Some that machines trust are older than what rustls takes.
        let _too_old = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate of an authority"));
    }
    Ok(roots)
}
