"""`make resource NAME=invoice FIELDS="number:str due:date"`: writes a resource, for its team to go on with."""
