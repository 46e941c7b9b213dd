"""The tables that an archive tells about itself."""

from __future__ import annotations

from .columns import Table, columns_of

ARCHIVE = Table(
    "archive",
    columns_of("""
series | str | | what is held under one name: a table of the account, or a contract's candles or funding rates |
rows | int | | rows |
files | int | | Parquet files |
bytes | int | | size of the files |
first | time | UTC | first row |
last | time | UTC | last row |
complete_from | time | UTC | from when on nothing is missing; missing where that is the beginning |
complete_until | time | UTC | up to when it was asked for |
gaps | int | | times between that are not held |
"""),
    index="series",
)

ARCHIVE_GAPS = Table(
    "archive_gaps",
    columns_of("""
series | str | | what is held under one name |
start | time | UTC | from when on nothing is held |
end | time | UTC | from when on it is held again |
"""),
)

TABLES = (ARCHIVE, ARCHIVE_GAPS)
