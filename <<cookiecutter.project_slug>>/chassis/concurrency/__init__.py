"""Waiting with bounds: one timer for many equal deadlines, and a FIFO semaphore whose waiters time out."""
