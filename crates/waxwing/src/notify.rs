//! Messages to systemd (sd_notify(3)): one datagram to the socket that it names.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Tells systemd about the state, if it asked for that.
pub(crate) fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let send = || -> std::io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        let name = path.to_string_lossy();
        match name.strip_prefix('@') {
            Some(name) => {
                use std::os::linux::net::SocketAddrExt;
                let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                socket.send_to_addr(state.as_bytes(), &address)?;
            }
            None => {
                socket.send_to(state.as_bytes(), &path)?;
            }
        }
        Ok(())
    };
    if let Err(error) = send() {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// How often systemd wants to hear from us: half of its time-out.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros / 2))
}
