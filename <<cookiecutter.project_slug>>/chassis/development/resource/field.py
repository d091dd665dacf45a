"""A field of a resource: what its models, its statements and its column say of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from chassis.development.resource.types import make_type
from chassis.development.resource.types.base import WORDS, Default, Imports, Type, merged


@dataclass(frozen=True)
class Field:
    """A field of a resource, which is a column of its table.

    Attributes:
        name: the name of the column.
        type: its type.
        nullable: whether it may be null.
        default: its value where it is left out.
        options: some of `unique`, `index`, `filter` and `sort`.
        words_type: the name of the type of an enum's words.
    """

    name: str
    type: Type
    nullable: bool
    default: Default | None
    options: frozenset[str]
    words_type: str

    @classmethod
    def unknown(cls, name: str) -> "Field":
        """Return a field of which only the name is known."""
        return cls(name, make_type("text"), nullable=False, default=None, options=frozenset(), words_type="")

    @property
    def unique(self) -> bool:
        return "unique" in self.options

    @property
    def constrained(self) -> bool:
        """Whether it has a unique constraint.

        For a column that may be null and that lists are sorted by, there is a unique index of the other rows instead.
        PostgreSQL would take the order from the index of the constraint, where the rows with nulls are in none.
        """
        return self.unique and not (self.nullable and self.sorted)

    @property
    def filtered(self) -> bool:
        return "filter" in self.options

    @property
    def sorted(self) -> bool:
        return "sort" in self.options

    @property
    def optional(self) -> bool:
        """Whether it may be left out."""
        return self.nullable or self.default is not None

    @property
    def imports(self) -> Imports:
        """The names that the annotations of the models need."""
        needed: Imports = {"typing": frozenset({"Annotated"}), "pydantic": frozenset({"Field"})}
        return merged(self.type.imports, needed, self.default.imports if self.default else {})

    @property
    def annotation(self) -> str:
        """The annotation in the model of the request, with the default."""
        default = self.default.python if self.default else "None" if self.nullable else ""
        factory = {"[]": "list", "{}": "dict"}.get(default, "")
        rules = [
            f"default_factory={factory}" if factory else "",
            *self.type.rules,
            f"examples=[{self.type.one}]" if self.type.one else "",
        ]
        annotation = self.type.annotation.replace(WORDS, self.words_type)
        if rules := [*filter(None, rules)]:
            annotation = f"Annotated[{annotation}, Field({', '.join(rules)})]"
        if self.nullable:
            annotation += " | None"
        return f"{annotation} = {default}" if default and not factory else annotation

    @property
    def stored(self) -> str:
        """The annotation in the model of the row."""
        return f"{self.type.stored} | None" if self.nullable else self.type.stored

    def value(self, of: str) -> str:
        """Return Python source of the value for a statement.

        Args:
            of: Python source of what has the field.
        """
        value = f"{of}.{self.name}"
        if not self.type.dumped:
            return value
        return f"json.dumps({value}) if {value} is not None else None" if self.nullable else f"json.dumps({value})"

    @property
    def column(self) -> str:
        """The definition of the column, without its constraints but NOT NULL."""
        default = f" DEFAULT {self.default.sql}" if self.default else ""
        return f"{self.name} {self.type.column}{'' if self.nullable else ' NOT NULL'}{default}"

    @property
    def constraints(self) -> str:
        """The constraints of the column but NOT NULL, which PostgreSQL names by itself; empty if there are none."""
        check = self.type.check.format(name=self.name)
        found = [
            "UNIQUE" if self.constrained else "",
            f"REFERENCES {self.type.table} (id)" if self.type.table else "",
            f"CHECK ({check})" if check else "",
        ]
        return " ".join(filter(None, found))

    def later_constraints(self, table: str) -> Iterator[tuple[str, str]]:
        """Yield the name and the definition of each constraint that a migration adds to a table in use.

        The names are those that PostgreSQL gives by itself. A unique constraint is made of an index and is not here.
        """
        if self.type.check:
            yield f"{table}_{self.name}_check", f"CHECK ({self.type.check.format(name=self.name)})"
        if self.type.table:
            yield f"{table}_{self.name}_fkey", f"FOREIGN KEY ({self.name}) REFERENCES {self.type.table} (id)"
