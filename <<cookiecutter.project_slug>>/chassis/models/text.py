"""Text that clients send."""

from typing import Annotated

from pydantic import StringConstraints

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A string without the NUL character, which PostgreSQL cannot store."""
