"""Alternatives to the service with the same contract, and the two floors. See README.md."""
