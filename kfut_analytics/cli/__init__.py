"""The ``kfut`` command. Importing it loads typer only; each command imports what it needs.

Standard output holds the result and nothing else; messages, warnings and progress go to standard error. With
``--json`` the result is one JSON object: times in ISO 8601 (UTC), plain numbers, and ``null`` for what is not known.

Exit codes: 0 all went well; 1 an error; 2 wrong usage; 3 ``check`` found a problem, ``scan`` found something secret,
or ``sync --verify`` found damage; 130 interrupted with Ctrl-C.
"""

from .app import main

__all__ = ["main"]
