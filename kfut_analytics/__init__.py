"""Kraken Futures in JupyterLab."""

from ._version import __version__ as __version__
