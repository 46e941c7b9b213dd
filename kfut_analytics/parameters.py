"""Parameters of notebooks that run by a schedule: papermill saves them with the notebook, so no secret may be one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import ArgumentError

_NAMES = re.compile(r"secret|passw|passphrase|token|credential|private|api_?key|(^|_)(key|otp|pin)$", re.IGNORECASE)
_VALUES = re.compile(r"(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{40,}={0,2}")
"""API keys and secrets are long base64 text."""


def refuse_secrets(parameters: Mapping[str, Any]) -> None:
    """Stop if a parameter is, or looks like, a secret.

    Parameters
    ----------
    parameters
        By name; in a notebook ``globals()``, so that parameters it does not know are seen, too. Names that begin with
        an underscore, and values that are no text, are not looked at.

    Raises
    ------
    ArgumentError
        Naming the parameter, never its value.

    Examples
    --------
    >>> refuse_secrets({"env": "live", "start": "-30d"})
    >>> refuse_secrets({"api_secret": "c2VjcmV0"})
    Traceback (most recent call last):
        ...
    kfut_analytics.errors.ArgumentError: parameter 'api_secret' looks like a secret, and parameters are saved...
    """
    for name, value in parameters.items():
        if name.startswith("_") or not isinstance(value, (str, bytes)) or not value:
            continue
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if _NAMES.search(name) or any(_VALUES.fullmatch(word) for word in text.split()):
            raise ArgumentError(
                f"parameter {name!r} looks like a secret, and parameters are saved with the notebook: leave it out and "
                "put keys into the environment or the keyring instead. If it was one, delete the saved notebook and "
                "revoke the key"
            )
