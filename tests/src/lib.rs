//! Conversation, simulation and live tests.
