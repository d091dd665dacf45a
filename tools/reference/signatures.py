"""Renders signatures as Python."""

import griffe

_LONGEST_LINE = 100
_DECORATORS = (
    "abstractmethod",
    "asynccontextmanager",
    "classmethod",
    "contextmanager",
    "property",
    "pytest",
    "staticmethod",
)


def signature(found: griffe.Object) -> str:
    """Return the signature of a class or a function with its decorators, or the definition of a constant."""
    match found:
        case griffe.Class():
            return _class(found)
        case griffe.Function():
            decorators = [f"@{each.value}" for each in found.decorators if str(each.value).startswith(_DECORATORS)]
            prefix = "async def" if "async" in found.labels else "def"
            returns = f" -> {found.returns}" if found.returns is not None else ""
            return "\n".join([*decorators, _call(f"{prefix} {found.name}", found.parameters, returns)])
        case griffe.Attribute() if "property" in found.labels:
            return f"@property\ndef {found.name}(self) -> {found.annotation}"
        case griffe.Attribute():
            annotation = f": {found.annotation}" if found.annotation is not None else ""
            return f"{found.name}{annotation}" + (f" = {found.value}" if found.value is not None else "")
    return found.name


def _class(found: griffe.Class) -> str:
    bases = f"({', '.join(map(str, found.bases))})" if found.bases else ""
    header = f"class {found.name}{bases}"
    constructor = griffe.Parameters(*[each for each in found.parameters if each.name != "self"])
    return f"{header}\n\n{_call(found.name, constructor)}" if len(constructor) else header


def _call(start: str, parameters: griffe.Parameters, end: str = "") -> str:
    parts = _parts(parameters)
    line = f"{start}({', '.join(parts)}){end}"
    if len(line) <= _LONGEST_LINE:
        return line
    return "\n".join([f"{start}(", *(f"    {part}," for part in parts), f"){end}"])


def _parts(parameters: griffe.Parameters) -> list[str]:
    parts: list[str] = []
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    for each in parameters:
        if each.kind is griffe.ParameterKind.keyword_only and not any(part.startswith("*") for part in parts):
            parts.append("*")
        annotation = f": {each.annotation}" if each.annotation is not None else ""
        equals = " = " if annotation else "="
        default = f"{equals}{each.default}" if each.default is not None and each.kind not in stars else ""
        parts.append(f"{stars.get(each.kind, '')}{each.name}{annotation}{default}")
    return parts
