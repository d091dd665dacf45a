"""Text, and words of a set."""

import re

from chassis.development.resource.types.base import (
    WORDS,
    Default,
    FieldTypeError,
    Type,
    number_in,
    of_models,
    quoted,
    refuse_arguments,
)

_USUAL, _LONGEST = 200, 10_000  # characters
_LONGEST_INDEXED = 600  # characters of up to 4 bytes: an entry of an index has at most 2,704 bytes
_MOST_WORDS, _LONGEST_WORD = 50, 40
_LONGEST_DEFAULT = 60  # so that it has room on its line
_WORD = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def text_type(arguments: list[str]) -> Type:
    """Make `str` or `str(320)`."""
    if len(arguments) > 1:
        raise FieldTypeError("should have one number in parentheses, as in str(320)")
    longest = number_in(arguments[0], 1, _LONGEST) if arguments else _USUAL
    short = longest < len("One")
    return Type(
        annotation="Text",
        rules=("min_length=1", f"max_length={longest}"),
        stored="str",
        imports=of_models("Text"),
        column="text",
        check=f"char_length({{name}}) BETWEEN 1 AND {longest}",
        broken="''",
        one='"a"' if short else '"One"',
        other='"b"' if short else '"Two"',
        wrong=(('""', ""), (f'"x" * {longest + 1}', ""), ('"\\x00"', ""), ("1", "")),
        extreme=(f'"ä" * {longest}',),
        default=lambda written: _default(written, 1, longest),
        unique=f'f"{{number % {10**longest}:0{longest}}}"' if longest < 10 else 'f"One {number:03}"',
        ordered=True,
        indexed=longest <= _LONGEST_INDEXED,
    )


def long_text_type(arguments: list[str]) -> Type:
    """Make `text`."""
    refuse_arguments(arguments)
    return Type(
        annotation="Text",
        rules=(f"max_length={_LONGEST}",),
        stored="str",
        imports=of_models("Text"),
        column="text",
        check=f"char_length({{name}}) <= {_LONGEST}",
        broken=f"repeat('x', {_LONGEST + 1})",
        one='"One"',
        other='""',
        wrong=((f'"x" * {_LONGEST + 1}', ""), ('"\\x00"', ""), ("1", "")),
        extreme=(f'"ä" * {_LONGEST}',),
        default=lambda written: _default(written, 0, _LONGEST),
        indexed=False,
    )


def _default(written: str, shortest: int, longest: int) -> Default:
    most = min(longest, _LONGEST_DEFAULT)
    if not shortest <= len(written) <= most or not written.isprintable() or set(written) & set('"\\'):
        raise FieldTypeError(
            f"should have a default of {shortest} to {most} characters that can be printed, without double quotes and "
            "backslashes"
        )
    return Default(repr(written), quoted(written), repr(written))


def enum_type(words: list[str]) -> Type:
    """Make `enum(draft,placed)`."""
    if not 2 <= len(words) <= _MOST_WORDS:
        raise FieldTypeError(f"should have 2 to {_MOST_WORDS} words in parentheses, as in enum(draft,placed)")
    for word in words:
        if not _WORD.fullmatch(word) or len(word) > _LONGEST_WORD:
            raise FieldTypeError(f"should have lower-case words of up to {_LONGEST_WORD} characters, not {word}")
    if len(set(words)) < len(words):
        raise FieldTypeError("should have each word once")

    def default(written: str) -> Default:
        if written not in words:
            raise FieldTypeError(f"should have one of its words as its default: {', '.join(words)}")
        return Default(f'"{written}"', quoted(written), f'"{written}"')

    return Type(
        annotation=WORDS,
        stored="str",  # a later release may add words
        imports={"typing": frozenset({"Literal"})},
        column="text",
        check=f"{{name}} IN ({', '.join(map(quoted, words))})",
        broken="'no such word'",
        one=f'"{words[0]}"',
        other=f'"{words[1]}"',
        wrong=(('"no such word"', ""), ('""', ""), ("1", "")),
        extreme=tuple(f'"{word}"' for word in words),
        default=default,
        words=tuple(words),
    )
