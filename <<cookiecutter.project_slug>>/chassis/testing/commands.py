"""Commands in a test's own process."""

from chassis.resources.injection import Injector
from chassis.server.command_arguments import Command, CommandFunction


async def run_command(function: CommandFunction, injector: Injector, *argv: str) -> int:
    """Run a command as `python -m app` does: `await run_command(import_prices, injector, "prices.csv", "--dry-run")`.

    Args:
        function: the function of the command.
        injector: what its parameters are given by their types.
        argv: its arguments on the command line.

    Returns:
        The exit status.

    Raises:
        ValueError: the arguments are wrong; the message is that of the command line.
        Exception: what the function raises, as it is.
    """
    command = Command(function, injector)
    values = command.parsed(argv)
    return await command.run(injector.arguments(command.given) | values)
