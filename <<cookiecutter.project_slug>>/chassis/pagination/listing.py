"""The SQL of a list: filters, orders and pages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypeVar, get_args, get_origin

import asyncpg

from chassis.database import Database
from chassis.models import Row
from chassis.models.row_encoder import row_encoder
from chassis.pagination.page import Page, PageQuery, foreign_cursor, position_of
from chassis.pagination.position import Kind, Position, kind_of
from chassis.pagination.stored_rows import Stored, StoredRows

Model = TypeVar("Model", bound=Row)

_VALUE = re.compile(r"\$(?![0-9])")
_NUMBERED = re.compile(r"\$[0-9]")
_IN_A_SET = re.compile(r"(?P<column>.+?)\s*=\s*ANY\s*\(\$\)", re.IGNORECASE | re.DOTALL)
_STATEMENTS = 1000  # texts that are kept; clients choose which filters are combined
# A cursor that a client has made itself may hold values that the columns cannot.
_NO_VALUES = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.DatetimeFieldOverflowError,
    asyncpg.InvalidBinaryRepresentationError,
    asyncpg.InvalidTextRepresentationError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.UntranslatableCharacterError,
)


@dataclass(frozen=True, eq=False)  # compared by identity, which is cheap
class _Order:
    """An order: its columns, of which the last is the key, and their kinds."""

    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    descending: bool

    @property
    def by(self) -> str:
        return ", ".join(f'"{column}"{" DESC" if self.descending else ""}' for column in self.columns)


class _Condition(NamedTuple):
    """A condition of one statement.

    Attributes:
        text: the condition, with `$` for its value if it has one.
        in_set: what is compared, if the value is a set with several members.
    """

    text: str
    in_set: str = ""


class Listing(Generic[Model]):
    """The SQL of a list, declared once: `_ITEMS = Listing(Item, "SELECT id, name FROM items", key="id")`.

    Names of columns and conditions come from the code alone. Values are parameters of the statement.

    The field `sort` of the query model has the orders, as a `Literal` of fields of the row model:
    `Literal["id", "-id", "name", "-name"]`. A minus is descending. The key breaks ties, in the same direction. Without
    the field, the order is that of the key. Nulls are last ascending and first descending, as PostgreSQL's indexes have
    them, so one index `(name, id)` serves both directions.

    Args:
        row: the model of the rows.
        select: the statement up to its FROM clause, without WHERE, ORDER BY and LIMIT.
        key: the unique column.
        filters: conditions, by the field of the query model that has the value. `$` stands for the value:
            `"price_cents >= $"`, and `"name = ANY ($)"` for a list. Another condition for each value is a mapping:
            `{True: "paid_at IS NOT NULL", False: "paid_at IS NULL"}`. A field that is None or empty adds no condition.
            A filter that is no field of the query model is an argument of `page`.

    Raises:
        ValueError: the key is no field of the row model, or a condition has no `$`; the message says what to write.
    """

    def __init__(
        self,
        row: type[Model],
        select: str,
        *,
        key: str,
        filters: Mapping[str, str | Mapping[Any, str]] = MappingProxyType({}),
    ) -> None:
        self._row, self._select, self._key, self._filters = row, select.rstrip(), key, dict(filters)
        self._page = Page[row]  # type: ignore[valid-type]
        self._encoder = row_encoder(row)
        self._name = f"Listing of {row.__name__}"
        self._orders: dict[tuple[object, ...], dict[str, _Order]] = {}
        self._text = lru_cache(_STATEMENTS)(self._write)
        if self._kind(key).nullable:
            raise ValueError(f"{self._name}: the key {key!r} may be null; use a unique column that is NOT NULL")
        for name, condition in self._filters.items():
            texts = [condition] if isinstance(condition, str) else list(condition.values())
            for text in texts:
                if _NUMBERED.search(text) or bool(_VALUE.search(text)) is not isinstance(condition, str):
                    raise ValueError(
                        f"{self._name}: the filter {name!r} is {text!r}; write $ for the value, as in "
                        f'"{name} = $", and none in the conditions of a mapping'
                    )

    async def page(self, database: Database, query: PageQuery, **fixed: Any) -> Page[Model]:
        """Select one page.

        Args:
            database: where the rows are.
            query: the query string.
            fixed: values of filters that are no fields of the query model, such as the parent of a nested resource:
                `page(database, query, order_id=order_id)`. They always add their condition.

        Returns:
            The page. Its items are made, and checked, when something reads them or the page is sent.

        Raises:
            InvalidRequestError: the cursor is not one of this list with the same filters and order.
            ValueError: a filter or an order does not fit the models; the message says what to write.
        """
        order = self._order(query, fixed)
        text, values = self._statement(order, query, fixed)
        try:
            rows = await database.fetch(text, *values)
        except asyncpg.DataError as error:
            if query.cursor and (type(error) is asyncpg.DataError or isinstance(error, _NO_VALUES)):
                raise foreign_cursor() from error
            raise
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        cursor = query.cursor_after(self._position(shown[-1], order)) if more else None
        if self._encoder:  # without validation, which would make the models
            items = StoredRows(stored=Stored(self._row, shown, self._encoder))
            return self._page.model_construct(items=items, next_cursor=cursor)
        return self._page(items=self._row.from_rows(shown), next_cursor=cursor)

    def statement(self, query: PageQuery, **fixed: Any) -> tuple[str, list[Any]]:
        """Return the statement of a page and its values, for example for EXPLAIN. It selects one row more.

        Args:
            query: the query string.
            fixed: as of `page`.

        Raises:
            InvalidRequestError: as of `page`.
            ValueError: as of `page`.
        """
        return self._statement(self._order(query, fixed), query, fixed)

    def _statement(self, order: _Order, query: PageQuery, fixed: Mapping[str, Any]) -> tuple[str, list[Any]]:
        conditions, values = self._conditions(query, fixed)
        position = position_of(query, order.kinds)
        after_null = bool(position) and position[0] is None
        values += [*position[after_null:], query.limit + 1]
        return self._text(order, conditions, bool(position), after_null), values

    def _conditions(self, query: PageQuery, fixed: Mapping[str, Any]) -> tuple[tuple[_Condition, ...], list[Any]]:
        conditions, values = [], []
        for name, condition in self._filters.items():
            value = fixed[name] if name in fixed else getattr(query, name)
            if name not in fixed and not value and (value is None or hasattr(value, "__len__")):
                continue
            if not isinstance(condition, str):
                if value not in condition:
                    raise ValueError(f"{self._name}: the filter {name!r} has no condition for {value!r}; add it")
                conditions.append(_Condition(condition[value]))
                continue
            in_set = _IN_A_SET.fullmatch(condition) if isinstance(value, list) else None
            if in_set and len(value) == 1:  # PostgreSQL takes no order from an index for `= ANY`, and does for `=`
                conditions.append(_Condition(f"{in_set['column']} = $"))
                values.append(value[0])
            else:
                conditions.append(_Condition(condition, in_set["column"] if in_set else ""))
                values.append(value)
        return tuple(conditions), values

    def _write(self, order: _Order, conditions: Sequence[_Condition], later: bool, after_null: bool) -> str:
        """Return the text of a statement. Its parameters are the values of conditions, the position and the limit."""
        numbers = count(1)
        common, one_of = [], ""
        for text, in_set in conditions:
            number = f"${next(numbers)}" if _VALUE.search(text) else ""
            if in_set and not one_of:
                # The statement without use, which is not run, tells PostgreSQL the type of the parameter.
                one_of = (
                    f"WITH typed AS ({self._select} WHERE {_VALUE.sub(number, text)}) "
                    f"SELECT page.* FROM (SELECT DISTINCT unnest({number}) AS value) AS one_of CROSS JOIN LATERAL "
                )
                common.append(f"{in_set} = one_of.value")
            else:
                common.append(f"({_VALUE.sub(number, text)})" if number else f"({text})")
        starts = _starts(order, after_null, numbers) if later else [""]
        end = f" ORDER BY {order.by} LIMIT ${next(numbers)}"
        branches = []
        for start in starts:
            where = " AND ".join(filter(None, [*common, start]))
            branches.append(f"{self._select}{' WHERE ' if where else ''}{where}{end}")
        rows = branches[0] if len(branches) == 1 else f"{' UNION ALL '.join(f'({each})' for each in branches)}{end}"
        return f"{one_of}({rows}) AS page{end}" if one_of else rows

    def _position(self, row: asyncpg.Record, order: _Order) -> Position:
        """Return the position of a row, from the database's own values, which are exact."""
        position = []
        for column, kind in zip(order.columns, order.kinds, strict=True):
            value = row[column]
            if not kind.has(value):
                raise ValueError(
                    f"{self._name}: the column {column} has a {type(value).__name__}, and the field {column} of "
                    f"{self._row.__name__} is another type: annotate it as the column is"
                )
            position.append(value)
        return tuple(position)

    def _order(self, query: PageQuery, fixed: Mapping[str, Any]) -> _Order:
        case = (type(query), *fixed)
        orders = self._orders.get(case)
        if orders is None:
            orders = self._orders[case] = self._checked(type(query), fixed)
        return orders[getattr(query, "sort", self._key)]

    def _checked(self, model: type[PageQuery], fixed: Mapping[str, Any]) -> dict[str, _Order]:
        """Return the orders of a query model, once its fields fit the filters."""
        known = model.model_fields.keys() | fixed.keys()
        if unknown := self._filters.keys() - known:
            raise ValueError(
                f"{self._name}: the filters {sorted(unknown)} are no fields of {model.__name__}: add the fields, or "
                "give the values as arguments of page()"
            )
        if unknown := fixed.keys() - self._filters.keys():
            raise ValueError(f"{self._name}: {sorted(unknown)} are no filters; add filters={{…: 'column = $'}}")
        if "sort" not in model.model_fields:
            return {self._key: self._order_by(self._key)}
        annotation = model.model_fields["sort"].annotation
        if get_origin(annotation) is not Literal:
            raise ValueError(
                f'{self._name}: {model.__name__}.sort should be a Literal, such as Literal["{self._key}", '
                f'"-{self._key}"]'
            )
        return {sort: self._order_by(sort) for sort in get_args(annotation)}

    def _order_by(self, sort: str) -> _Order:
        column = sort.removeprefix("-")
        columns = (column,) if column == self._key else (column, self._key)
        return _Order(columns, tuple(map(self._kind, columns)), sort.startswith("-"))

    def _kind(self, column: str) -> Kind:
        if column not in self._row.model_fields:
            raise ValueError(
                f"{self._name}: {column!r} is no field of {self._row.__name__}; sort by one of "
                f"{', '.join(self._row.model_fields)}"
            )
        try:
            return kind_of(self._row.model_fields[column].annotation)
        except ValueError as error:
            raise ValueError(f"{self._name}: {column}: {error}") from None


def _starts(order: _Order, after_null: bool, numbers: "count[int]") -> list[str]:
    """Return conditions for the rows after a position. Each is one range of the index; together they are all rows.

    PostgreSQL reads all rows before the position for one condition with OR.
    """
    names = [f'"{column}"' for column in order.columns]
    beyond = "<" if order.descending else ">"
    if after_null:
        nulls = f"{names[0]} IS NULL AND {names[-1]} {beyond} ${next(numbers)}"
        return [nulls, f"{names[0]} IS NOT NULL"] if order.descending else [nulls]
    values = [f"${next(numbers)}" for _ in names]
    after = f"({', '.join(names)}) {beyond} ({', '.join(values)})"
    return [after, f"{names[0]} IS NULL"] if order.kinds[0].nullable and not order.descending else [after]
