//! The Waxwing server.

fn main() {}
