"""Prices: imported by a command, and cached in Redis."""
