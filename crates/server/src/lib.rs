//! Routing, sessions, the message pipeline, hooks and features; no runtime, no socket.
