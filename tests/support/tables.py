"""All tables of the application at once: emptied, their rows put aside, put back."""

from __future__ import annotations

import sqlalchemy as sa

from core.database import Base


def empty(engine: sa.Engine) -> None:
    """Remove every row; ids start at 1 again. Deleting few rows is quicker than truncating."""
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join([*_deletes(), *_numbering()]))


def keep(engine: sa.Engine, schema: str) -> None:
    """Copy the rows of all tables into a new schema of this name."""
    copies = [
        f"CREATE TABLE {schema}.{table.name} AS SELECT {_columns(table)} FROM public.{table.name}"
        for table in Base.metadata.sorted_tables
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join([f"CREATE SCHEMA {schema}", *copies]))


def put_back(engine: sa.Engine, schema: str) -> None:
    """The rows kept there, and no others."""
    copies = [
        f"INSERT INTO public.{table.name} ({_columns(table)}) TABLE {schema}.{table.name}"
        for table in Base.metadata.sorted_tables
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join([*_deletes(), *copies, *_numbering()]))


def _columns(table: sa.Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)


def _deletes() -> list[str]:
    return [f"DELETE FROM public.{table.name}" for table in reversed(Base.metadata.sorted_tables)]


def _numbering() -> list[str]:
    """The next id of every table that numbers its rows is the first free one."""
    return [
        f"SELECT setval(pg_get_serial_sequence('public.{table.name}', '{column.name}'),"
        f" coalesce(max({column.name}), 0) + 1, false) FROM public.{table.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.identity is not None
    ]
