"""The local archive of an account's history: fetched once, kept in plain Parquet files, readable without us.

`layout` says what lies where, `ranges` is the arithmetic of what is held, `rows`, `manifest`, `store` and `lock` keep
it, `sync`, `selection`, `picture` and `plan` bring it up to date, `history` and `venue` read from it, `verify` and
`log_import` look after it, `archive` is what a notebook calls, `dataset` works on many accounts.
"""
