"""Old imports go on working."""
