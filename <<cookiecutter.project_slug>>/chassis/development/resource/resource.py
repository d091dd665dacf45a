"""A resource that is to be written."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.development.resource.field import Field
from chassis.development.resource.filters import Filter, filters_of
from chassis.development.resource.names import Names

OPERATIONS = ("list", "put", "patch", "delete")
"""The operations that can be left out."""

_LONGEST_NAME = 63  # in PostgreSQL
_ID_TYPES = {"bigint": "Id", "uuid": "Uuid"}


@dataclass(frozen=True)
class Other:
    """Another resource of the service, to which this one refers.

    Attributes:
        names: its names; the singular is that of its path.
        path: the path of one of its rows, such as `/v1/orders/{order_id}`.
        module: the module of the handler that reads one of its rows.
        read: the name of that handler.
        takes: the parameters of that handler.
        key: the type of its key, `bigint` or `uuid`.
        deleted: whether its rows can be deleted.
        nested: whether it is in the path of a parent.
    """

    names: Names
    path: str
    module: str
    read: str
    takes: frozenset[str]
    key: str
    deleted: bool
    nested: bool

    @classmethod
    def itself(cls, names: Names, key: str, path: str, *, deleted: bool) -> "Other":
        """Return a resource as one that refers to itself."""
        of_one = f"{path}/{{{names.one}_id}}"
        return cls(names, of_one, f"app.{names.many}.handlers", f"read_{names.one}", frozenset(), key, deleted, False)


@dataclass(frozen=True)
class Index:
    """An index, with the name that PostgreSQL would give it, or with that of the column of its condition.

    Attributes:
        table: the table.
        columns: its columns.
        method: how it is made: `btree`, or `gin` for lists.
        nulls_of: the column that is null in the rows that it has; empty for an index of all rows.
        unique: whether it is unique. It then has only the rows in which its column is not null.
    """

    table: str
    columns: tuple[str, ...]
    method: str = "btree"
    nulls_of: str = ""
    unique: bool = False

    @property
    def kind(self) -> str:
        """What stands after CREATE."""
        return "UNIQUE INDEX" if self.unique else "INDEX"

    @property
    def name(self) -> str:
        if self.unique:
            return f"{self.table}_{self.columns[0]}_key"
        if self.nulls_of:
            return f"{self.table}_{self.nulls_of}_null_idx"
        name = "_".join([self.table, *self.columns, "idx"])
        return name if len(name) <= _LONGEST_NAME else f"{self.table}_{self.columns[-2]}_list_idx"

    @property
    def on(self) -> str:
        """What stands after ON."""
        method = "" if self.method == "btree" else f"USING {self.method} "
        return f"{self.table} {method}({', '.join(self.columns)}){self.condition and f' WHERE {self.condition}'}"

    @property
    def condition(self) -> str:
        """The condition of the rows that it has; empty for all rows."""
        if self.unique:
            return f"{self.columns[0]} IS NOT NULL"
        return f"{self.nulls_of} IS NULL" if self.nulls_of else ""


@dataclass(frozen=True)
class Resource:
    """A resource that is to be written.

    Attributes:
        names: its names.
        fields: its fields.
        key: the type of its key, `bigint` or `uuid`.
        parent: the resource in whose path it is, if any.
        others: the resources to which fields refer, by table.
        without: operations that it does not have.
        arguments: what `make resource` was given, as in a shell.
    """

    names: Names
    fields: Sequence[Field]
    key: str
    parent: Other | None
    others: dict[str, Other]
    without: frozenset[str]
    arguments: str

    def has(self, *operations: str) -> bool:
        """Return True if it has one of these operations."""
        return bool(set(operations) - self.without)

    @property
    def parent_id(self) -> str:
        """The column and the path parameter of the parent; empty without one."""
        return f"{self.parent.names.one}_id" if self.parent else ""

    @property
    def collection(self) -> str:
        """The path of the list."""
        return f"{self.parent.path if self.parent else '/v1'}/{self.names.path}"

    @property
    def id_type(self) -> str:
        """The annotation of the key in a path."""
        return _ID_TYPES[self.key]

    @property
    def parent_id_type(self) -> str:
        """The annotation of the parent's key in a path; empty without one."""
        return _ID_TYPES[self.parent.key] if self.parent else ""

    @property
    def filters(self) -> list[Filter]:
        """The filters of the list."""
        return [each for field in self.fields for each in filters_of(field)]

    @property
    def sorts(self) -> list[str]:
        """The values of the parameter `sort`; a minus stands for descending."""
        columns = ["id", *(field.name for field in self.fields if field.sorted)]
        return [f"{sign}{column}" for column in columns for sign in ("", "-")]

    @property
    def indexes(self) -> list[Index]:
        """The indexes that the migration makes beside those of the key and of unique columns."""
        found = []
        if self.parent:
            found.append(Index(self.names.many, (self.parent_id, *(["id"] if self.has("list") else []))))
        return found + [index for field in self.fields for index in self.indexes_of(field)]

    def indexes_of(self, field: Field) -> list[Index]:
        """Return the indexes that a field needs beside that of a unique constraint."""
        table, above = self.names.many, [self.parent_id] if self.parent else []
        in_list = self.has("list") and (field.filtered or field.sorted)
        found = []
        if field.unique and not field.constrained:
            found.append(Index(table, (field.name,), unique=True))
        if in_list and field.type.listed:
            found.append(Index(table, (field.name,), "gin"))
        elif in_list and (self.parent or not field.constrained):  # otherwise, the constraint's index serves it
            found.append(Index(table, (*above, field.name, "id")))
        if in_list and field.filtered and field.nullable:
            found.append(Index(table, (*above, "id"), nulls_of=field.name))
        referred = field.type.table and not field.unique and not (in_list and not self.parent)
        if referred or "index" in field.options:
            found.append(Index(table, (field.name,)))  # of a reference: for deletions of what it refers to
        return found
