"""The arguments of a command, from the signature of its function.

    async def import_prices(file: Path, database: Database, since: date | None = None, dry_run: bool = False) -> None:

A parameter whose type the service gives is no argument. Of the others, one without a default is a positional argument,
one with a default an option, and `bool = False` a flag: `import-prices FILE [--since SINCE] [--dry-run]`.
"""

import inspect
import re
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from chassis.resources.injection import Injector, name_of

CommandFunction: TypeAlias = Callable[..., Awaitable[int | None]]

_SEVERAL = (list, tuple, set, frozenset, Sequence, Collection)
_LARGEST_STATUS = 255
_KEYWORDS = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class ArgumentsError(ValueError):
    """The arguments of a command are wrong. The message names the argument and the rule."""


class Argument:
    """An argument of the command line, from a parameter.

    Args:
        parameter: the parameter.
        hint: its annotation.
        help: what the argument is.

    Raises:
        PydanticSchemaGenerationError: the annotation is no type that a text can be validated as.
        TypeError: the same.
    """

    def __init__(self, parameter: inspect.Parameter, hint: Any, help: str) -> None:  # noqa: A002
        self.name = parameter.name
        self._dest = f"argument {parameter.name}"  # no name of argparse's own, such as `command`
        self._default = parameter.default
        self._help = help
        kind = _without_none(hint)
        self._several = get_origin(kind) in _SEVERAL or kind in _SEVERAL
        item = _item_of(kind) if self._several else hint
        if _is_structure(_without_none(item)):
            raise TypeError("a text on the command line cannot be validated as it")
        self._choices, self._flag = _choices(_without_none(item)), kind is bool
        self._whole = TypeAdapter(hint) if self._several else None
        self._item: TypeAdapter[Any] = TypeAdapter(item)

    def add_to(self, parser: ArgumentParser) -> None:
        """Add the argument to the parser of its command."""
        shown = self.name.strip("_").replace("_", "-")
        options: dict[str, Any] = {"help": self._shown_help()}
        if self._default is inspect.Parameter.empty:
            options |= {"metavar": shown, "nargs": "+"} if self._several else {"metavar": shown}
            parser.add_argument(self._dest, **options, **self._conversion())
            return
        options |= {"dest": self._dest, "default": SUPPRESS}
        if self._flag and self._default is False:
            parser.add_argument(f"--{shown}", action="store_true", **options)
        elif self._flag and self._default is True:
            parser.add_argument(f"--{shown}", action=BooleanOptionalAction, **options)
        else:
            options |= {"action": "append"} if self._several else {}
            parser.add_argument(f"--{shown}", metavar=shown.upper(), **options, **self._conversion())

    def value(self, parsed: Namespace, parser: ArgumentParser) -> dict[str, Any]:
        """Return the argument's value by the name of its parameter; nothing if it has its default."""
        if not hasattr(parsed, self._dest):
            return {}
        value = getattr(parsed, self._dest)
        if self._choices:
            value = [self._choices[each] for each in value] if self._several else self._choices[value]
        if self._whole:
            try:
                value = self._whole.validate_python(value)
            except ValidationError as error:
                option = "" if self._default is inspect.Parameter.empty else "--"
                parser.error(f"argument {option}{self.name.strip('_').replace('_', '-')}: {_rule(error)}")
        return {self.name: value}

    def _conversion(self) -> dict[str, Any]:
        return {"choices": [*self._choices]} if self._choices else {"type": self._convert}

    def _convert(self, text: str) -> Any:
        try:
            return self._item.validate_strings(text)
        except ValidationError as error:
            raise ArgumentTypeError(_rule(error).replace("%", "%%")) from None

    def _shown_help(self) -> str:
        default = self._default.value if isinstance(self._default, Enum) else self._default
        text = self._help
        if default not in (inspect.Parameter.empty, None, False, True, "", (), []):
            text = f"{text} (default: {default})".strip()
        return text.replace("%", "%%")


class Command:
    """A command of a service: a function, its name and its arguments.

    Args:
        function: the coroutine function.
        injector: knows the types that the service gives.

    Attributes:
        name: the function's name with dashes.
        summary: the first line of the function's docstring.
        function: the same.
        given: the types of the parameters that the service gives, by name.

    Raises:
        TypeError: the function is no coroutine function, or a parameter is neither given by its type nor an argument;
            the message names the function, the parameter and the types that there are.
    """

    def __init__(self, function: CommandFunction, injector: Injector) -> None:
        if not inspect.iscoroutinefunction(inspect.unwrap(function)):
            raise TypeError(f"{name_of(function)}: a command is a coroutine function, write `async def`")
        described = inspect.getdoc(function) or ""
        self.name = function.__name__.strip("_").replace("_", "-")
        self.summary = described.partition("\n")[0]
        self.function = function
        hints, arguments = get_type_hints(function, include_extras=True), _described_arguments(described)
        self.given: dict[str, type] = {}
        self._arguments: list[Argument] = []
        for name, parameter in inspect.signature(function).parameters.items():
            where = f"{name_of(function)}: the parameter {name!r}"
            if parameter.kind not in _KEYWORDS:
                raise TypeError(f"{where} is not given by its name")
            if name not in hints:
                raise TypeError(f"{where} has no annotation, which says what it is given")
            if hints[name] in injector.types:
                self.given[name] = hints[name]
                continue
            if name == "help":
                raise TypeError(f"{where} has the name of an option of all commands")
            try:
                self._arguments.append(Argument(parameter, hints[name], arguments.get(name, "")))
            except (PydanticSchemaGenerationError, TypeError):
                given = ", ".join(sorted({*map(_words, injector.types)}))
                raise TypeError(
                    f"{where} is neither an argument of the command line nor given, as there is no "
                    f"{_words(hints[name])}. There is: {given}."
                ) from None

    def add_to(self, parser: ArgumentParser) -> None:
        """Add the arguments to the command's parser."""
        for argument in self._arguments:
            argument.add_to(parser)

    def arguments(self, parsed: Namespace, parser: ArgumentParser) -> dict[str, Any]:
        """Return the arguments that were given, by the names of their parameters.

        Args:
            parsed: the result of the command's parser.
            parser: the command's parser, whose `error` is called with what is wrong.
        """
        found: dict[str, Any] = {}
        for argument in self._arguments:
            found |= argument.value(parsed, parser)
        return found

    async def run(self, arguments: dict[str, Any]) -> int:
        """Call the function and return the exit status: 0 for None; for `sys.exit` in it, what that says.

        Args:
            arguments: those of the command line and those that the service gives, by name.

        Raises:
            TypeError: the function returned neither None nor a status from 0 to 255.
        """
        try:
            result: Any = await self.function(**arguments)
        except SystemExit as error:
            result = error.code
            if isinstance(result, str):
                sys.stderr.write(f"{result}\n")
                return 1
        if result is None:
            return 0
        if not isinstance(result, int) or not 0 <= result <= _LARGEST_STATUS:
            raise TypeError(f"{name_of(self.function)}: it returned neither None nor a status from 0 to 255")
        return int(result)

    def parsed(self, argv: Sequence[str]) -> dict[str, Any]:
        """Parse the arguments as the command line does.

        Raises:
            ArgumentsError: they are wrong.
        """
        parser = _Parser(prog=self.name, description=self.summary, add_help=False)
        self.add_to(parser)
        return self.arguments(parser.parse_args(argv), parser)


def commands_of(functions: Sequence[CommandFunction], injector: Injector, built_in: Collection[str]) -> list[Command]:
    """Return the commands of a service.

    Args:
        functions: the functions.
        injector: knows the types that the service gives.
        built_in: the names of the commands of every service.

    Raises:
        TypeError: a signature is no command's, as for `Command`.
        ValueError: two commands have one name.
    """
    known: dict[str, Command] = {}
    for function in functions:
        command = Command(function, injector)
        if command.name in built_in:
            raise ValueError(f"{name_of(function)} has the name of the built-in command `{command.name}`: rename it")
        if other := known.get(command.name):
            names = f"{name_of(other.function)} and {name_of(function)}"
            raise ValueError(f"Two commands have the name `{command.name}`: {names}. Rename one of them.")
        known[command.name] = command
    return [*known.values()]


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentsError(message)


def _rule(error: ValidationError) -> str:
    """Return the rule that a text breaks, without the text, as argparse's messages begin: in lower case."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
    rule = found.removeprefix("Value error, ")
    return f"{rule[:1].lower()}{rule[1:]}"


def _without_none(hint: Any) -> Any:
    """Return an annotation without its metadata and without None, so that `Annotated[X | None, …]` is X."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in {Union, UnionType}:
        kinds = [each for each in get_args(hint) if each is not NoneType]
        if len(kinds) == 1:
            return _without_none(kinds[0])
    return hint


def _item_of(several: Any) -> Any:
    items = [each for each in get_args(several) if each is not Ellipsis]
    if len(items) > 1:
        raise TypeError("the items of a list on the command line have one type")
    return items[0] if items else str


def _is_structure(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    structures = (BaseModel, dict, *_SEVERAL)
    if not isinstance(origin, type) or issubclass(origin, str | bytes):
        return False
    return is_dataclass(origin) or issubclass(origin, structures)


def _choices(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Literal:
        return {str(each): each for each in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(each.value): each for each in kind}
    return {}


def _described_arguments(docstring: str) -> dict[str, str]:
    """Return what the section Args of a docstring says about each parameter."""
    _, _, section = f"\n{docstring}".partition("\nArgs:\n")
    section = re.split(r"\n\n|\n(?=\S)", section)[0]
    found = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".") for name, text in found}


def _words(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)
