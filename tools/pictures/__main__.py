"""`make pictures`: generates docs/pictures from the order desk: a terminal, the page at /docs, the dashboard."""

import asyncio

from tools import demo
from tools.pictures import dashboard, page, terminal


def main() -> None:
    """Generate all pictures. Takes five minutes, most of them for the load that the dashboard shows."""
    with demo.shown("order-desk"):
        terminal.draw()
        page.draw()
    asyncio.run(dashboard.draw())


if __name__ == "__main__":
    main()
