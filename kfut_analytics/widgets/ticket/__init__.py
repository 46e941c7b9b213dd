"""The order ticket and its parts."""

from .ticket import OrderTicket

__all__ = ["OrderTicket"]
