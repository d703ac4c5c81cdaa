"""All tables of the application at once: emptied, their rows put aside, put back."""

from __future__ import annotations

import sqlalchemy as sa

from core.database import Base


def empty(engine: sa.Engine) -> None:
    """Remove every row; ids start at 1 again. Deleting few rows is quicker than truncating."""
    numbering = ", ".join(f"setval({sequence}, 1, false)" for *_, sequence in _numbered())
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join([*_deletes(), f"SELECT {numbering}"]))


def keep(engine: sa.Engine, schema: str) -> str:
    """Copy the rows of all tables into a new schema of this name; what `put_back` takes."""
    every = Base.metadata.sorted_tables
    copies = [
        f"CREATE TABLE {schema}.{table.name} AS SELECT {_columns(table)} FROM public.{table.name}"
        for table in every
    ]
    filled = " UNION ALL ".join(
        f"SELECT '{table.name}' WHERE EXISTS (SELECT FROM {schema}.{table.name})" for table in every
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join([f"CREATE SCHEMA {schema}", *copies]))
        names = set(connection.exec_driver_sql(filled).scalars())
        numbers = connection.exec_driver_sql(_numbers(schema)).all()
    back = [
        f"INSERT INTO public.{table.name} ({_columns(table)}) TABLE {schema}.{table.name}"
        for table in every
        if table.name in names
    ]
    numbering = ", ".join(f"setval('{sequence}', {free}, false)" for sequence, free in numbers)
    return "; ".join([*_deletes(), *back, f"SELECT {numbering}"])


def put_back(engine: sa.Engine, kept: str) -> None:
    """The rows kept, and no others."""
    with engine.begin() as connection:
        connection.exec_driver_sql(kept)


def _columns(table: sa.Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)


def _deletes() -> list[str]:
    return [f"DELETE FROM public.{table.name}" for table in reversed(Base.metadata.sorted_tables)]


def _numbers(schema: str) -> str:
    """Of every table that numbers its rows: the sequence, and the first number that is free."""
    return " UNION ALL ".join(
        f"SELECT {sequence}, coalesce(max({column}), 0) + 1 FROM {schema}.{table}"
        for table, column, sequence in _numbered()
    )


def _numbered() -> list[tuple[str, str, str]]:
    """Tables that number their rows: name, column, and what finds the sequence."""
    return [
        (table.name, column.name, f"pg_get_serial_sequence('public.{table.name}', '{column.name}')")
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.identity is not None
    ]
