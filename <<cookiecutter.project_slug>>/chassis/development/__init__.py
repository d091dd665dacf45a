"""What a developer's machine needs and the image does not: it is left out there."""
