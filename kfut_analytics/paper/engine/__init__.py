"""The engine: accounts, orders, books, margin, and time moving on."""
