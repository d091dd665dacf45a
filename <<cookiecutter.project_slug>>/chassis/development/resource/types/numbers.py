"""Numbers, and booleans."""

import re
from collections.abc import Callable
from decimal import Decimal

from chassis.development.resource.types.base import (
    Default,
    FieldTypeError,
    Type,
    number_in,
    of_models,
    refuse_arguments,
)

_MOST_DIGITS = 100


def _sql(number: str) -> str:
    """Return a constant: squawk takes a minus for an operator, whose result it does not know."""
    return f"'{number}'" if number.startswith("-") else number


def whole_number_type(annotation: str, least: int, most: int) -> Callable[[list[str]], Type]:
    """Return what makes `int` or `bigint`."""

    def default(written: str) -> Default:
        if not re.fullmatch("-?(0|[1-9][0-9]{0,18})", written) or not least <= int(written) <= most:
            raise FieldTypeError(f"should have a default from {least} to {most}, in plain digits")
        return Default(written, _sql(written), written)

    def make(arguments: list[str]) -> Type:
        refuse_arguments(arguments)
        return Type(
            annotation=annotation,
            stored="int",
            imports=of_models(annotation),
            column="bigint",
            one="1",
            other="2",
            wrong=(('"1"', ""), ("1.5", ""), (str(most + 1), ""), (str(least - 1), "")),
            extreme=(str(least), str(most)),
            default=default,
            unique="number",
            ordered=True,
        )

    return make


def decimal_type(arguments: list[str]) -> Type:
    """Make `decimal(12,2)`."""
    if len(arguments) != 2:
        raise FieldTypeError("should have its digits and its decimal places in parentheses, as in decimal(12,2)")
    digits = number_in(arguments[0], 1, _MOST_DIGITS)
    places = number_in(arguments[1], 0, digits)
    whole = digits - places
    one, other = (f"{Decimal(each).scaleb(0 if whole else -places):.{places}f}" for each in (1, 2))
    most = f"{'9' * whole or '0'}{'.' * bool(places)}{'9' * places}"

    whole_part = f"(0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
    fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""

    def default(written: str) -> Default:
        if not re.fullmatch(f"-?{whole_part}{fraction}", written):
            raise FieldTypeError(f"should have a default of up to {whole} digits and {places} decimal places")
        text = f"{Decimal(written):.{places}f}"
        return Default(f'Decimal("{text}")', _sql(text), f'"{text}"', {"decimal": frozenset({"Decimal"})})

    too_precise = f'"0.{"0" * places}1"'
    return Type(
        annotation="DecimalString",
        rules=(f"max_digits={digits}", f"decimal_places={places}"),
        stored="DecimalString",
        imports=of_models("DecimalString"),
        column=f"numeric({digits}, {places})",
        one=f'"{one}"',
        other=f'"{other}"',
        wrong=(("1", ""), ('"1e0"', ""), ('"NaN"', ""), (f'"1{"0" * whole}"', ""), (too_precise, "")),
        extreme=(f'"{most}"', f'"-{most}"'),
        default=default,
        unique=f'f"{{number:.{places}f}}"' if whole > 2 else "",
        ordered=True,
    )


def float_type(arguments: list[str]) -> Type:
    """Make `float`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", written):
            raise FieldTypeError("should have a default in plain digits, such as 0.5")
        return Default(repr(float(written)), _sql(written), repr(float(written)))

    return Type(
        annotation="Number",
        stored="float",
        imports=of_models("Number"),
        column="double precision",
        one="1.5",
        other="2.5",
        wrong=(('"1.5"', ""), ("True", "")),
        extreme=("1.7976931348623157e308", "-5e-324"),
        default=default,
        ordered=True,
    )


def bool_type(arguments: list[str]) -> Type:
    """Make `bool`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        if written not in {"true", "false"}:
            raise FieldTypeError("should have the default true or false")
        return Default(written.title(), written, written.title())

    return Type(
        annotation="bool",
        stored="bool",
        column="boolean",
        one="False",
        other="True",
        wrong=(('"yes"', ""), ("1", "")),
        default=default,
    )
