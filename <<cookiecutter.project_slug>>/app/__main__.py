"""`python -m app` serves the API; `python -m app --help` lists the other commands."""

from app.service import SERVICE
from chassis.command_line import main

if __name__ == "__main__":
    main(SERVICE)
