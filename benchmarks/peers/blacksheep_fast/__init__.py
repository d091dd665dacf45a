"""BlackSheep with orjson, as in its documentation."""
