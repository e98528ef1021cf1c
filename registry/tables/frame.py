"""What every table is made of: the one metadata, the kinds of columns, and words a column may hold."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, MetaData, Text

metadata = MetaData()

Key = Text().with_variant(Text(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger
Hash = LargeBinary(16)


def one_of(column: str, *allowed: str, name: str) -> CheckConstraint:
    """The promise that the column holds one of these words."""
    return CheckConstraint(either(column, *allowed), name=name)


def either(column: str, *words: str) -> str:
    """SQL that is true of a column with one of these words: of a list of three SQLite makes a table, row by row, which
    takes longer than to store the row."""
    return "(" + " OR ".join(f"{column} = '{word}'" for word in words) + ")"
