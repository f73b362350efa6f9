//! What a conversation needs of a network.

use std::fmt::Debug;

use bytes::Bytes;
use waxwing_stream::sasl::TlsBinding;

/// Streams to a server, in memory or over sockets.
pub trait Network {
    /// One connection.
    type Link: Copy + Eq + Debug;

    /// Opens a connection.
    ///
    /// # Errors
    /// Why there is none.
    fn connect(&mut self, transport: Transport) -> Result<Self::Link, String>;

    /// Writes bytes, inside TLS where that is up. A connection that is gone takes them too.
    fn write(&mut self, link: Self::Link, bytes: &[u8]);

    /// Does the client's side of a TLS handshake.
    ///
    /// # Errors
    /// Why it failed.
    fn start_tls(&mut self, link: Self::Link) -> Result<TlsBinding, String>;

    /// Closes a connection; nothing more happens to it.
    fn close(&mut self, link: Self::Link);

    /// The next thing that happens.
    fn next(&mut self, wait: Wait) -> Happened<Self::Link>;

    /// The time, in microseconds.
    fn now_micros(&self) -> u64;

    /// Ends the server, in order or not, and starts it again. All connections are gone.
    ///
    /// # Errors
    /// Why it did not start.
    fn restart(&mut self, in_order: bool) -> Result<(), String>;

    /// Runs an admin command, such as `disable` or `set-role restricted`, on an account.
    ///
    /// # Errors
    /// What the server says.
    fn operate(&mut self, command: &str, account: &str) -> Result<(), String>;

    /// Whether [`Happened::Nothing`] means that nothing will come; otherwise only that nothing came.
    fn is_exact(&self) -> bool;
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// STARTTLS.
    StartTls,
    /// Nothing: the server's plain listener on a loopback address.
    Plain,
    /// Nothing: the listener for external components on a loopback address.
    Component,
}

/// How long to wait for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As long as an answer may take.
    Answer,
    /// A moment: nothing need come.
    Moment,
    /// Until this time, in microseconds.
    Until(u64),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened<L> {
    /// Bytes came, out of TLS where that is up.
    Received(L, Bytes),
    /// The server has closed the connection.
    Disconnected(L),
    /// Nothing, as long as was waited.
    Nothing,
}
