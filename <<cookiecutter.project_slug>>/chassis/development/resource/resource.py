"""A resource that is to be written."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.development.resource.fields import Field
from chassis.development.resource.filters import Filter, filters_of
from chassis.development.resource.names import Names

OPERATIONS = ("list", "put", "patch", "delete")
"""The operations that can be left out."""

_LONGEST_NAME = 63  # in PostgreSQL


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
    """An index, with the name that PostgreSQL would give it."""

    table: str
    columns: tuple[str, ...]
    method: str = "btree"

    @property
    def name(self) -> str:
        name = "_".join([self.table, *self.columns, "idx"])
        return name if len(name) <= _LONGEST_NAME else f"{self.table}_{self.columns[-2]}_list_idx"

    @property
    def on(self) -> str:
        """What stands after ON."""
        method = "" if self.method == "btree" else f"USING {self.method} "
        return f"{self.table} {method}({', '.join(self.columns)})"


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
        """The annotation of the key."""
        return "UUID" if self.key == "uuid" else "Id"

    @property
    def parent_id_type(self) -> str:
        """The annotation of the parent's key."""
        return "UUID" if self.parent and self.parent.key == "uuid" else "Id"

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
        """Return the index that a field needs, if any."""
        in_list = self.has("list") and field.options & {"filter", "sort"}
        if field.type.listed:
            return [Index(self.names.many, (field.name,), "gin")] if in_list else []
        if field.unique and not (in_list and self.parent):
            return []  # that of the constraint serves as well
        found = [Index(self.names.many, (*filter(None, [self.parent_id]), field.name, "id"))] if in_list else []
        if "index" in field.options or (field.type.table and not (in_list and not self.parent) and not field.unique):
            found.append(Index(self.names.many, (field.name,)))  # of a reference: for deletions of what it refers to
        return found
