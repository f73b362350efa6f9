//! Outgoing connections: names, addresses, TLS, proxies.
