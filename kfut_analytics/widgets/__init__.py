"""The order ticket: an order placed by hand from a notebook cell, reviewed before it is sent and sent once.

``session`` holds what makes a click safe, ``render`` turns objects into HTML, ``style`` is the look, and ``ticket``
puts widgets around them.
"""

from .ticket import OrderTicket

__all__ = ["OrderTicket"]
