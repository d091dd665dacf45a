"""HTTP: from a request to a handler, and from a result or an error to a response."""
