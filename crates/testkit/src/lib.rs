//! Simulated network, clock and store; conversation runner; scripted peers.
