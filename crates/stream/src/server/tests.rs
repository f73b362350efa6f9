//! The server against typed XML: what it says, by table.

mod errors;
mod header;
mod login;
mod rig;
