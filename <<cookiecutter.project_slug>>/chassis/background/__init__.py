"""Background work: a supervisor runs the coroutine functions of `Service.background` beside requests."""
