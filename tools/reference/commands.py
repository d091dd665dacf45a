"""commands.md: the targets of the service's Makefile, and the command line `python -m app`."""

import ast
import re
from collections.abc import Iterator

from tools.reference.completeness import GenerationError, check_complete
from tools.reference.markdown import page, table
from tools.reference.source import CHASSIS, SERVICE, keywords, module

# Heading: the targets below it.
_TARGETS = {
    "Run and develop": "help run shell db db-stop resource field remove-example openapi format clean",
    "Test and check": "check test lint fuzz chart secrets audit licenses",
    "Migrate the database": "migration migrate rolling-upgrade",
    "Build and deploy": "image image-test image-archive publish deploy",
    "Update dependencies and the template": "lock update",
}
_VARIABLES = {
    "PYTHON": "Python that creates the environment.",
    "VENV": "Folder of the environment.",
    "TAG": "Tag of the image.",
    "HELM": "Helm's command.",
    "CONTAINER_TOOL": "Command that builds images: `docker` or `podman`.",
}
_DEFAULTS = {"TAG": "`git describe --always --dirty`"}
_ENVIRONMENT = [
    ("`DATABASE_URL`", "run, shell, test, migrate, image-test", "PostgreSQL to use in place of the embedded one."),
    ("`POSTGRES_VERSION`", "run, shell, db, test", "Major version of the embedded PostgreSQL."),
    (
        "`NAME`, `FIELDS`, `PLURAL`, `KEY`, `PARENT`, `WITHOUT`",
        "resource",
        "Name in the singular, fields, and what is not as usual; `make resource` alone prints it all.",
    ),
    ("`RESOURCE`, `FIELDS`, `PLURAL`", "field", "Name of the resource in the singular; fields to add."),
    ("`NAME`", "migration", "What the migration does."),
    ("`EXAMPLES`, `HEADS`", "fuzz", "Number of examples per operation, and of broken heads."),
    ("`FROM`", "rolling-upgrade", "Commit or branch whose code runs on the present schema."),
    ("`OSV_URL`", "audit", "Address to ask in place of osv.dev."),
    ("`ENV`, `PROFILE`, `NAMESPACE`", "deploy", "Environment (a file in `deploy/`), size, and namespace."),
    (
        "`SIGNER`, `SIGNER_ISSUER`",
        "deploy",
        "Identity that has to have signed the image, and its issuer.",
    ),
    ("`FORWARD_ONLY`", "deploy", "`true` skips the deployment if the release is of a later commit."),
    (
        "`UPGRADE`, `FRESH`",
        "lock",
        "`UPGRADE=1` upgrades all packages; `FRESH` names those that may be new.",
    ),
    ("`REF`, `TEMPLATE`, `FROM`, `ANSWERS`", "update", "Release to update to; where the service comes from."),
]
_MAKE = "A target that fails ends `make` with the status 2. The target's own message is above make's."
_COMMANDS = {
    "serve": "Serves the API and the internal port until SIGTERM or Ctrl-C.",
    "migrate": "Applies the migrations of the chassis, then those of the service. Several may run at the same time. "
    "On a database that is ahead of the code it changes nothing and succeeds.",
    "openapi": "Prints the OpenAPI document. It reads no settings.",
}
_STATUSES = [
    ("0", "The command succeeded. For `serve`: a signal ended it, and the shutdown was complete."),
    ("1", "The command failed. stderr has one message; see below. A traceback means an error in the code."),
    ("2", "The arguments are wrong. stderr has the usage."),
    (
        "130, 143",
        (
            "For `serve`: a second Ctrl-C or SIGTERM ended it at once, without a complete shutdown. For a command of "
            "the service: Ctrl-C or SIGTERM has cancelled it."
        ),
    ),
    ("other", "A command of the service returned this status."),
]
# How a message begins (a part of the source): what it means.
_MESSAGES = {
    "The service cannot start:": "Settings are missing or invalid. Each line names one; see [settings](settings.md).",
    "Cannot listen on": "The address is in use, or is not an address of this machine. Change `HOST`, `PORT` or "
    "`INTERNAL_PORT`, or end the other process.",
    "The database cannot be reached:": "`migrate` could not connect. Check the database and `DATABASE_URL`.",
    "The migration": "A statement failed, or a revision has no SQL yet. After a failure, the message has PostgreSQL's "
    "text and the statement.",
    "There is no revision": "`--down-to` names no revision. The message lists all.",
    "The database is at": "`--down-to` names a later revision, or this code does not know the database's revision.",
}


def commands_page() -> str:
    """Return the page.

    Raises:
        GenerationError: a target, a variable or a command is not described, or a message no longer exists.
    """
    here = "of tools/reference/commands.py"
    targets, variables, commands = _targets(), _variables(), dict(_commands())
    check_complete("make target", targets, " ".join(_TARGETS.values()).split(), f"_TARGETS {here}")
    check_complete("make variable", variables, _VARIABLES, f"_VARIABLES {here}")
    check_complete("command", commands, _COMMANDS, f"_COMMANDS {here}")
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted(CHASSIS.rglob("*.py")))
    if gone := [message for message in _MESSAGES if f'"{message}' not in sources]:
        raise GenerationError(f"Remove the messages that no longer exist from _MESSAGES {here}: {gone}.")
    blocks = ["## make", "`make` without a target lists the targets of the service's [Makefile](../../../Makefile)."]
    for heading, names in _TARGETS.items():
        rows = [[f"`make {name}`", _sentence(targets[name])] for name in names.split()]
        blocks += [f"### {heading}", table(["command", "what it does"], rows)]
    shown = [[f"`{name}`", _DEFAULTS.get(name, f"`{variables[name]}`"), text] for name, text in _VARIABLES.items()]
    return page(
        "Commands",
        "This page lists the commands of a service: those of `make`, and those of `python -m app`.",
        *blocks,
        "### Variables of all targets",
        "Set a variable behind the target, `make image TAG=1.0.0`, or in the environment.",
        table(["variable", "default", "meaning"], shown),
        "### Variables of single targets",
        table(["variable", "target", "meaning"], _ENVIRONMENT),
        "### Exit status of make",
        _MAKE,
        "## python -m app",
        "In an image, this is the command of the container. On your machine, use `.venv/bin/python -m app`. All "
        "commands but `openapi` read the [settings](settings.md).",
        table(
            ["command", "what it does"],
            [[f"`python -m app{usage}`", _COMMANDS[name]] for name, usages in commands.items() for usage in usages],
        ),
        _options(),
        "The functions in `Service.commands` are further commands: see [how to add one](../how-to/add-a-command.md).",
        "`python -m app --help` lists the commands, and `python -m app migrate --help` its options.",
        "### Exit status of python -m app",
        table(["status", "meaning"], _STATUSES),
        "### Error messages of python -m app",
        table(["message begins with", "meaning"], [[f"`{message}`", text] for message, text in _MESSAGES.items()]),
    )


def _targets() -> dict[str, str]:
    text = (SERVICE / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z-]+):.*?## (.*)$", text, re.MULTILINE))


def _variables() -> dict[str, str]:
    text = (SERVICE / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Z_]+) \?= (.*)$", text, re.MULTILINE))


def _calls(method: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield object, first argument and keyword arguments of each call of a method in the command line's module."""
    for node in ast.walk(module("command_line")):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=attribute), args=[ast.Constant(value=str(name))]) if (
                attribute == method
            ):
                yield ast.unparse(owner), name, {key: str(value) for key, value in keywords(node, {}).items()}


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command with its usages; the default command has the usage without a name, too."""
    for _, name, options in _calls("add_parser"):
        yield name, ["", f" {name}"] if "the default" in options["help"] else [f" {name}"]


def _options() -> str:
    rows = [
        [f"`python -m app migrate {name} {options['metavar']}`", _sentence(options["help"])]
        for _, name, options in _calls("add_argument")
    ]
    return table(["option", "meaning"], rows)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
