"""What `faults`, `benchmarks`, `e2e`, `tools` and `tests` share. It imports none of them: see tests/test_workshop.py.

Each module imports only what it needs, because they run in different environments: `faults` in a baked service's,
`benchmarks` in their own, and all others in the template's.
"""
