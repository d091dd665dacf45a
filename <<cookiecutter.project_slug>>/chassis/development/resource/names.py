"""What a resource and its fields may be called, and what follows from it."""

import builtins
import keyword
import re
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from chassis.conditional import Versioned
from chassis.development.resource.fields import TYPES

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_RESOURCE, _LONGEST_FIELD = 20, 26  # so that no line of its files is too long
# What the files of a resource use themselves, as a name or as a model's.
_USED = frozenset(
    {"annotated", "body", "database", "date", "datetime", "field", "id", "if_match", "number", "page", "page_query"}
    | {"query", "row", "text", "timestamp", "uuid", "versioned", "whole_number"}
)
_RESERVED = RESERVED_WORDS | {
    "collation",
    "concurrently",
    "lateral",
    "system_user",
    "tablesample",
}  # since PostgreSQL 9
_SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
_OWN_COLUMNS = frozenset({"created_at", "id", "updated_at", "version"})


@dataclass(frozen=True)
class Names:
    """The names of a resource.

    Attributes:
        one: `line_item`, of a variable.
        plural: where it does not follow from that: `people`.
    """

    one: str
    plural: str = ""

    @property
    def many(self) -> str:
        """`line_items`, of the table and the folder."""
        if self.plural:
            return self.plural
        if re.search("[^aeiou]y$", self.one):
            return f"{self.one[:-1]}ies"
        return f"{self.one}es" if re.search("(s|x|z|ch|sh)$", self.one) else f"{self.one}s"

    @property
    def model(self) -> str:
        """`LineItem`."""
        return self.one.title().replace("_", "")

    @property
    def path(self) -> str:
        """`line-items`, in addresses and scopes."""
        return self.many.replace("_", "-")

    @property
    def words(self) -> str:
        """`line item`, in sentences."""
        return self.one.replace("_", " ")

    @property
    def several(self) -> str:
        """`line items`, in sentences."""
        return self.many.replace("_", " ")

    @property
    def a(self) -> str:
        """`a line item`, in sentences."""
        return f"{'an' if self.one[0] in 'aeio' else 'a'} {self.words}"


def rule_for_resource(names: Names) -> str | None:
    """The rule that the names of a resource break, or None."""
    for name in [names.one, *filter(None, [names.plural])]:
        if mistake := _rule_for_any(name, _LONGEST_RESOURCE):
            return mistake
    if names.many == names.one:
        return "should have another word for several of them than for one"
    if not names.plural and names.one.endswith("s") and not names.one.endswith(("ss", "us", "is")):
        return "should be one thing, not several: invoice, from which invoices follows; else say PLURAL=…, too"
    if names.one in _USED or hasattr(builtins, names.one):
        return "is a name that Python or the files of every resource use themselves; choose another word for it"
    if names.many in _RESERVED:
        return f"would have a table that is called {names.many}, a reserved word of SQL; choose another word for it"
    return None


def rule_for_field(name: str) -> str | None:
    """The rule that the name of a field breaks, or None."""
    if mistake := _rule_for_any(name, _LONGEST_FIELD):
        return mistake
    if name in _OWN_COLUMNS:
        return "is there already: every resource has id, created_at, updated_at and version"
    if name in _RESERVED:
        return "is a reserved word of SQL; say more, as in sort_order or user_name"
    if name in _SYSTEM_COLUMNS:
        return "is a column that PostgreSQL gives every table; choose another word for it"
    if name in TYPES:
        return "is the name of a type; say which it is, as in due_date"
    if hasattr(Versioned, name) or name.startswith("model_"):
        return "is a name that pydantic's models use themselves; choose another word for it"
    return None


def _rule_for_any(name: str, longest: int) -> str | None:
    if not _SNAKE_CASE.fullmatch(name) or len(name) > longest:
        return f"should be snake_case: lower-case words, a letter first, at most {longest} characters, as in line_item"
    return "is a reserved word of Python; choose another word for it" if keyword.iskeyword(name) else None
