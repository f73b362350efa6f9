//! Stream negotiation for both sides, without I/O.
