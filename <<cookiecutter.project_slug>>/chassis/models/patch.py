"""Bodies of PATCH requests (JSON Merge Patch, RFC 7396)."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from chassis.models.base import Body

Fields = TypeVar("Fields", bound=Body)

_REQUIRED = {"default", "default_factory", "validate_default"}


class Patch(Generic[Fields]):
    """The body of a PATCH: the fields that the client sends are changed, and the others are left alone.

        async def patch_item(item_id: Id, if_match: IfMatch, body: Patch[ItemFields], database: Database) -> Item: ...

    Each field has the rules of the model, and a null is refused unless the field's annotation has `None`. Defaults are
    not applied. A field whose value is an object or an array is replaced as a whole; RFC 7396 would merge objects.
    Validators of the whole model (`model_validator`, `model_post_init`) do not run, because they would see only some of
    the fields: a rule about several fields needs a CHECK constraint in the database.

    The statement names the columns, and takes the values from the JSON text:

        UPDATE items SET (name, price_cents) =
            (SELECT name, price_cents FROM jsonb_populate_record(items, $2::jsonb))
        WHERE id = $1

    Attributes:
        changes: the fields that the client sent, in the order of the model, with their validated values.
    """

    def __init__(self, sent: Body) -> None:
        self._sent = sent
        self.changes: Mapping[str, Any] = MappingProxyType(
            {name: getattr(sent, name) for name in type(sent).model_fields if name in sent.model_fields_set}
        )

    def to_json(self) -> str:
        """Return the changes as JSON text, for PostgreSQL's `jsonb_populate_record`."""
        return self._sent.model_dump_json(include=set(self.changes), by_alias=False)

    def __repr__(self) -> str:
        return f"Patch({dict(self.changes)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arguments = get_args(source)
        if not (arguments and isinstance(arguments[0], type) and issubclass(arguments[0], Body)):
            raise TypeError("Patch: say of which body model it has the fields, as in Patch[ItemFields]")
        return core_schema.no_info_after_validator_function(cls, handler.generate_schema(_partial(arguments[0])))


@cache
def _partial(model: type[Body]) -> type[Body]:
    """Return a model with the same fields, none of which is required or has a default.

    It is a subclass, so that it has the field validators and the configuration, too.
    """
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        parts = field.asdict()
        attributes = {key: value for key, value in parts["attributes"].items() if key not in _REQUIRED}
        # A factory, unlike a default, is not in the JSON schema. `Patch` never shows its value.
        optional = Field(**attributes, default_factory=lambda: None)
        annotation, metadata = parts["annotation"], parts["metadata"]
        fields[name] = Annotated[(annotation, *metadata, optional)]
    partial = create_model(
        f"{model.__name__}Patch",
        __base__=model,
        __module__=model.__module__,
        __doc__=f"The fields to change, as in {model.__name__}; the others are left alone.",
        **fields,
    )
    partial.__pydantic_decorators__.model_validators.clear()
    partial.model_post_init = Body.model_post_init  # type: ignore[method-assign]
    partial.model_rebuild(force=True)
    return partial
