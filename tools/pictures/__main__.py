"""`make pictures`: draws docs/pictures anew, of a service that runs: a terminal, the page at /docs, the dashboard."""

import asyncio

from tools import demo
from tools.pictures import dashboard, page, terminal


def main() -> None:
    """Takes five minutes, most of which the dashboard shows."""
    with demo.running(demo.scaffold()):
        terminal.draw()
        page.draw()
    asyncio.run(dashboard.draw())


if __name__ == "__main__":
    main()
