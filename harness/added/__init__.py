"""What experiments add to a baked service."""
