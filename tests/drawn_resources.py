"""Draws arguments of `make resource` and `make field`, for tests of what they write."""

from dataclasses import dataclass, field
from random import Random

_WORDS = ["draft", "placed", "paid", "in-transit", "sent_back", "cancelled"]
_SCALARS = {  # with a default
    "str": '"two words, or: three"',
    "str(3)": "abc",
    "str(600)": "abc",
    "int": "-7",
    "bigint": "9007199254740991",
    "decimal(12,2)": "0.5",
    "decimal(4,4)": "0.25",
    "decimal(9,0)": "7",
    "decimal(38,10)": "0",
    "float": "0.25",
    "bool": "true",
    "date": "2026-02-28",
    "datetime": "2026-02-28T12:30:00.5+05:30",
    "uuid": "0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c",
}
_UNIQUE = {"str", "str(3)", "int", "bigint", "decimal(12,2)", "date", "datetime", "uuid"}


@dataclass
class Drawing:
    """Draws resources for one service.

    Args:
        random: decides.

    """

    random: Random
    _tables: list[str] = field(default_factory=lambda: ["items"])
    _parents: list[str] = field(default_factory=lambda: ["items"])
    _count: int = 0

    def resource(self) -> dict[str, str]:
        """Return the arguments of `make resource` for one more resource."""
        name = f"thing{len(self._tables)}"
        plural = f"{name}_set" if self._happens(0.1) else f"{name}s"
        arguments = {"NAME": name, "PLURAL": plural}
        if self._happens(0.4):
            arguments["KEY"] = "uuid"
        if nested := self._happens(0.3):
            arguments["PARENT"] = self.random.choice(self._parents)
        arguments["WITHOUT"] = " ".join(each for each in ("list", "put", "patch", "delete") if self._happens(0.15))
        arguments["FIELDS"] = " ".join(self._field(plural) for _ in range(self.random.randint(1, 8)))
        self._tables.append(plural)
        if not nested:
            self._parents.append(plural)
        return arguments

    def added_fields(self) -> str:
        """Return one or two fields for `make field`."""
        return " ".join(self._field("", optional=True) for _ in range(self.random.randint(1, 2)))

    def _field(self, table: str, *, optional: bool = False) -> str:
        self._count += 1
        name = f"field{self._count}"
        kind = self.random.choice([*_SCALARS, "enum", "enum", "text", "json", "list", "list", "ref", "ref", "ref"])
        written, default = self._type(kind, table)
        nullable = self._happens(0.35) or written == f"ref({table})"
        has_default = bool(default) and self._happens(0.3)
        if optional and not (nullable or has_default):
            nullable, has_default = not default, bool(default)
        if kind in {"list", "json"} and has_default:
            nullable = False
        options = self._options(kind)
        if kind in {*_UNIQUE, "ref"} and not has_default and self._happens(0.15):
            options.insert(0, "unique")
        if not options and kind not in {"list", "json", "text"} and self._happens(0.1):
            options.append("index")
        end = "".join(f":{option}" for option in options)
        return f"{name}:{written}{'?' if nullable else ''}{f'={default}' if has_default else ''}{end}"

    def _options(self, kind: str) -> list[str]:
        possible = {"text": [], "json": [], "list": ["filter"]}.get(kind, ["filter", "sort"])
        return [option for option in possible if self._happens(0.3)]

    def _type(self, kind: str, table: str) -> tuple[str, str]:
        """Return what is written for a type, and a default; empty if it has none."""
        if kind == "enum":
            words = self.random.sample(_WORDS, self.random.randint(2, len(_WORDS)))
            return f"enum({','.join(words)})", words[-1]
        if kind == "list":
            return f"list({self._type(self.random.choice([*_SCALARS, 'enum']), table)[0]})", "[]"
        if kind == "ref":
            return f"ref({self.random.choice([*self._tables, table] if table else self._tables)})", ""
        return kind, {"text": "", "json": "{}"}.get(kind, _SCALARS.get(kind, ""))

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability
