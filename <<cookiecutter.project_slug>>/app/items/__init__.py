"""Items: the example resource. Copy the folder to begin your own."""
