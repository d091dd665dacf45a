"""Streams, uploads and WebSockets that experiments add to a baked service."""
