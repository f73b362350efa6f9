//! The server against typed XML: what it says, by table.

mod bind2;
mod errors;
mod fast;
mod header;
mod login;
mod rig;
mod sasl2;
mod upgrade;
