"""The command that imports prices."""

import asyncio
import csv
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.prices.models import Price
from chassis.database import Database
from chassis.errors import ServiceError

log = structlog.get_logger()


class PricesError(ServiceError):
    """The file has lines that are no prices."""


async def import_prices(file: Path, database: Database, *, dry_run: bool = False) -> None:
    """Set the prices of SKUs from a file; either all of them, or none if a line is wrong

    Args:
        file: lines of a SKU and a price: `LAMP,19.99`.
        dry_run: check the file, and change nothing.
    """
    prices = await asyncio.to_thread(_read, file)
    if not dry_run:
        await database.execute(
            "INSERT INTO prices (sku, price) SELECT * FROM unnest($1::text[], $2::numeric[]) "
            "ON CONFLICT (sku) DO UPDATE SET price = excluded.price WHERE prices.price <> excluded.price",
            list(prices),
            [price.price for price in prices.values()],
        )
    log.info("prices_imported", prices=len(prices), dry_run=dry_run)


def _read(file: Path) -> dict[str, Price]:
    prices, mistakes = dict[str, Price](), list[str]()
    for number, line in enumerate(csv.reader(file.read_text("utf-8-sig").splitlines()), 1):
        try:
            price = Price.model_validate(dict(zip(("sku", "price"), line, strict=True)))
        except ValidationError as error:
            mistakes += [f"line {number}, {each['loc'][0]}: {each['msg']}" for each in error.errors()]
        except ValueError:
            mistakes.append(f"line {number}: {len(line)} values, not a SKU and a price")
        else:
            prices[price.sku] = price  # of a SKU with several lines, the last one
    if mistakes:
        raise PricesError("\n".join([f"{file} has mistakes, so nothing was imported:", *mistakes]))
    return prices
