"""Strings that YAML reads as something else, or as its syntax."""

# What YAML 1.1 or 1.2 reads as a boolean, null, a number or a date. `true` is missing, as manifests have it.
MISREAD = ["no", "on", "yes", "off", "y", "n", "No", "ON", "null", "Null", "~", "1e3", "4e7", "0x1f", "0o17", "017"]
MISREAD += ["1_000", "4711", "12:30:45", "1.5", ".inf", ".nan", "2001-01-01"]
# What is YAML's syntax, or ends a line.
SYNTAX = [
    "-",
    "- a",
    "? a",
    "a: b",
    "a #b",
    "{",
    "[a",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "'",
    '"',
    "\\",
    "a\nb",
]
SYNTAX += [" a ", "\t", "---", "{{ a }}", "$(A)", "ä", "\u2028"]
WORDS = [*MISREAD, *SYNTAX]
LABEL_KEYS = ["no", "y", "1e3", "4711", "017", "example.com/on"]
