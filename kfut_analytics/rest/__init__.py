"""The REST venue: the exchange's Derivatives API v3, its history and its charts, as canonical frames."""
