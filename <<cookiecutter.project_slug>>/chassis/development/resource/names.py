"""Names of resources and fields: the rules for them, and the names derived from them."""

import builtins
import keyword
import re
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from chassis.conditional import Versioned
from chassis.development.resource.types import NAMES as TYPES

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_RESOURCE, _LONGEST_FIELD = 20, 26  # so that no line of the generated files is too long
# Names that the generated files use, of variables or of models.
_USED = frozenset(
    {"annotated", "body", "client", "database", "date", "datetime", "decimal", "decimal_string", "field", "id"}
    | {"if_match", "integer", "json", "listing", "literal", "number", "page", "page_query", "patch", "path", "query"}
    | {"row", "stored_json", "text", "timestamp", "uuid", "versioned", "whole_number"}
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
        one: the singular, as in variables: `line_item`.
        plural: the plural if it is irregular: `people`.
    """

    one: str
    plural: str = ""

    @property
    def many(self) -> str:
        """The plural, as in the table and the folder: `line_items`."""
        if self.plural:
            return self.plural
        if re.search("[^aeiou]y$", self.one):
            return f"{self.one[:-1]}ies"
        return f"{self.one}es" if re.search("(s|x|z|ch|sh)$", self.one) else f"{self.one}s"

    @property
    def model(self) -> str:
        """The name of the model: `LineItem`."""
        return self.one.title().replace("_", "")

    @property
    def path(self) -> str:
        """The plural in paths and scopes: `line-items`."""
        return self.many.replace("_", "-")

    @property
    def words(self) -> str:
        """The singular in sentences: `line item`."""
        return self.one.replace("_", " ")

    @property
    def several(self) -> str:
        """The plural in sentences: `line items`."""
        return self.many.replace("_", " ")

    @property
    def a(self) -> str:
        """The singular with its article: `a line item`."""
        return f"{'an' if self.one[0] in 'aeio' else 'a'} {self.words}"


def rule_for_resource(names: Names) -> str | None:
    """Return the rule that the names of a resource break, or None."""
    for name in [names.one, *filter(None, [names.plural])]:
        if mistake := _rule_for_any(name, _LONGEST_RESOURCE):
            return mistake
    if names.many == names.one:
        return "should differ from its plural; set another PLURAL"
    if not names.plural and names.one.endswith("s") and not names.one.endswith(("ss", "us", "is")):
        return "should be singular, such as invoice; if it is, set PLURAL=… as well"
    if names.one in _USED or hasattr(builtins, names.one):
        return "is a name that Python or the generated files use; choose another name"
    if names.many in _RESERVED:
        return f"would name its table {names.many}, a reserved word of SQL; choose another name"
    return None


def rule_for_field(name: str) -> str | None:
    """Return the rule that the name of a field breaks, or None."""
    if mistake := _rule_for_any(name, _LONGEST_FIELD):
        return mistake
    if name in _OWN_COLUMNS:
        return "already exists: every resource has id, created_at, updated_at and version"
    if name in _RESERVED:
        return "is a reserved word of SQL; choose a more specific name, such as sort_order or user_name"
    if name in _SYSTEM_COLUMNS:
        return "is a system column of PostgreSQL; choose another name"
    if name in TYPES:
        return "is the name of a type; choose a more specific name, such as due_date"
    if hasattr(Versioned, name) or name.startswith("model_"):
        return "is a name that pydantic models use; choose another name"
    return None


def _rule_for_any(name: str, longest: int) -> str | None:
    if not _SNAKE_CASE.fullmatch(name) or len(name) > longest:
        return f"should be snake_case: lower-case words, a letter first, at most {longest} characters, as in line_item"
    return "is a reserved word of Python; choose another name" if keyword.iskeyword(name) else None
