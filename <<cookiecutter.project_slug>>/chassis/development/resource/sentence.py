"""Reads the fields of a resource from the sentence in FIELDS."""

import re
from collections.abc import Iterator, Mapping, Sequence

from chassis.development.resource.field import Field
from chassis.development.resource.filters import filters_of
from chassis.development.resource.names import Names, rule_for_field
from chassis.development.resource.types import make_type, split
from chassis.development.resource.types.base import FieldTypeError, Type
from chassis.development.resource.types.others import ref_to_uuid
from chassis.pagination import PageQuery

_OPTIONS = ("unique", "index", "filter", "sort")
_WRITTEN = r"""(?P<name>[^:]*):
    (?P<type>\w*(?:\(.*?\)+(?=[?=:]|$))?)
    (?P<null>\??)
    (?:=(?P<default>"[^"]*"|.*?))?
    (?P<options>(?::(?:{options}))*)"""
_FIELD = re.compile(_WRITTEN.format(options="|".join(_OPTIONS)), re.VERBOSE | re.DOTALL)
_MISTAKEN = re.compile(_WRITTEN.format(options=r"\w*"), re.VERBOSE | re.DOTALL)  # with an option that there is not


def read_fields(sentence: str, names: Names, keys: Mapping[str, str]) -> tuple[list[Field], list[str]]:
    """Read a sentence of fields.

    Args:
        sentence: `number:str due:date?`.
        names: of the resource.
        keys: the type of the key of each table, `bigint`, `uuid`, or an empty string for another one.

    Returns:
        The fields, and all mistakes.
    """
    fields: list[Field] = []
    mistakes = []
    for written in split(sentence):
        try:
            field = _read(written, names, keys)
        except FieldTypeError as error:
            mistakes.append(f"  {written}: {error}")
            continue
        taken = {each.name for each in fields}
        if field.name in taken:
            mistakes.append(f"  {written}: is listed twice")
        else:
            mistakes += [f"  {written}: {rule}" for rule in _clashes(field, fields)]
        fields.append(field)
    return fields, mistakes


def _clashes(field: Field, fields: Sequence[Field]) -> Iterator[str]:
    """Yield the rules about names in the models that a field breaks, because other fields or all lists have them."""
    of_lists = {"sort", *PageQuery.model_fields, *dir(PageQuery)}
    of_others = {filter_.name for each in fields for filter_ in filters_of(each)}
    for filter_ in filters_of(field):
        if filter_.name in of_lists:
            yield f"has a filter, whose name {filter_.name} every list uses already; choose another name"
        if filter_.name in of_others:
            yield f"would give its filter the name {filter_.name}, as another field does; choose another name"
    if field.words_type and field.words_type in {each.words_type for each in fields}:
        yield f"would name its words {field.words_type}, as another field does; choose another name"


def _read(written: str, names: Names, keys: Mapping[str, str]) -> Field:
    found = _FIELD.fullmatch(written) or _MISTAKEN.fullmatch(written)
    if not found:
        raise FieldTypeError("should be NAME:TYPE, such as number:str; a default with spaces is in double quotes")
    kind = make_type(found["type"])
    name = f"{found['name'].removesuffix('_id')}_id" if kind.table else found["name"]
    if rule := rule_for_field(name):
        raise FieldTypeError(rule)
    if name == names.many:
        raise FieldTypeError("is the name of the table; choose another name")
    nullable = bool(found["null"])
    if kind.table:
        kind = _reference(kind, names, keys, nullable=nullable)
    text = found["default"]
    default = None if text is None else kind.default(text[1:-1] if text.startswith('"') else text)
    options = found["options"].split(":")[1:]
    for option in options:
        if option not in _OPTIONS:
            raise FieldTypeError(f"has the option {option or ':'}; there are {', '.join(_OPTIONS)}")
        if option == "index" and len(set(options)) > 1:
            raise FieldTypeError("has an index already by its other option; remove :index")
    if options and not kind.indexed:
        raise FieldTypeError(f"is too large for an index; remove {':' + ':'.join(options)}")
    if kind.listed and set(options) - {"filter"}:
        raise FieldTypeError("is a list, which can have the option :filter alone")
    if "unique" in options and not (kind.unique or kind.table):
        raise FieldTypeError("has a type that cannot be unique; remove :unique")
    if nullable and default and (kind.listed or kind.dumped):
        raise FieldTypeError("may be null and has a default; remove one of the two")
    if "unique" in options and default:
        raise FieldTypeError("cannot be unique and have a default; remove one of the two")
    words_type = f"{names.model}{name.title().replace('_', '')}" if kind.words else ""
    if words_type in {f"{names.model}Fields", f"{names.model}Query"}:
        raise FieldTypeError("would name its words as a model of the resource; choose another name")
    return Field(name, kind, nullable, default, frozenset(options), words_type)


def _reference(kind: Type, names: Names, keys: Mapping[str, str], *, nullable: bool) -> Type:
    if kind.table == names.many and not nullable:
        raise FieldTypeError(f"refers to its own table, whose first row could not exist; write ref({names.many})?")
    if kind.table not in keys:
        known = f"there are {', '.join(sorted(keys))}" if keys else "there is none yet"
        raise FieldTypeError(f"refers to {kind.table}, which no migration creates; {known}")
    if not keys[kind.table]:
        raise FieldTypeError(f"refers to {kind.table}, whose key is no column id of the type bigint or uuid")
    return ref_to_uuid(kind.table) if keys[kind.table] == "uuid" else kind
