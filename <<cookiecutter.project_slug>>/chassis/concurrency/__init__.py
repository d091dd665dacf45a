"""Waiting with bounds: deadlines, a FIFO semaphore, transactions that are retried, rows in chunks."""
