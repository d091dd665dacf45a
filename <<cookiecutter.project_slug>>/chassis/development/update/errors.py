"""What stops an update."""


class UpdateError(Exception):
    """The update cannot be made, and the service is as it was. The message says what to do."""
