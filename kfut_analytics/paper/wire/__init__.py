"""The wire: the exchange's operations, what they take and what they answer."""
