"""The article's experiment again, and the service beside what could have been picked instead: docs/benchmarks.md."""
