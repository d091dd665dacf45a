"""The error of updates."""


class UpdateError(Exception):
    """The update failed and the service is unchanged. The message says what to do."""
