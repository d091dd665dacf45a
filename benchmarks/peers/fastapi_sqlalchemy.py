"""FastAPI with SQLAlchemy, as in the full-stack FastAPI template: SQLModel, psycopg, plain functions in threads."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import BigInteger, DateTime, Identity
from sqlmodel import Field, Session, SQLModel, col, create_engine, select


class ItemBase(SQLModel):
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    price_cents: int = Field(ge=0, lt=2**53, sa_type=BigInteger)


def now() -> datetime:
    return datetime.now(UTC)


class Item(ItemBase, table=True):
    __tablename__ = "items"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    version: int = Field(default=1, sa_type=BigInteger)


class ItemPublic(ItemBase):
    id: int
    created_at: datetime
    updated_at: datetime


class ItemsPublic(SQLModel):
    items: list[ItemPublic]
    next_cursor: str | None


# As many connections as there are threads for plain functions. With fewer, 64 clients block the server until SQLAlchemy
# times out after 30 s: requests with a connection wait for a thread to write their answer, all threads for connections.
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"), pool_size=40)


def get_db() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
app = FastAPI()


@app.post("/v1/items", status_code=201, response_model=ItemPublic)
def create_item(session: SessionDep, item_in: ItemBase) -> Item:
    item = Item.model_validate(item_in)
    session.add(item)
    session.commit()
    session.refresh(item)
    return item


@app.get("/v1/items", response_model=ItemsPublic)
def read_items(session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: int = 0) -> object:
    found = session.exec(select(Item).where(col(Item.id) > cursor).order_by(col(Item.id)).limit(limit + 1)).all()
    return {"items": found[:limit], "next_cursor": str(found[limit - 1].id) if len(found) > limit else None}


@app.get("/v1/items/{item_id}", response_model=ItemPublic)
def read_item(session: SessionDep, item_id: int) -> Item:
    item = session.get(Item, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    return item


@app.put("/v1/items/{item_id}", response_model=ItemPublic)
def update_item(session: SessionDep, item_id: int, item_in: ItemBase) -> Item:
    item = session.get(Item, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    item.sqlmodel_update(item_in.model_dump(), update={"updated_at": now(), "version": item.version + 1})
    session.add(item)
    session.commit()
    session.refresh(item)
    return item
