"""`make resource NAME=invoice FIELDS="number:str due:date"`: generates a resource."""
