"""Repeats the article's experiment, and compares the service with its alternatives. See docs/benchmarks.md."""
