"""Fault experiments on real processes: `make faults`."""
