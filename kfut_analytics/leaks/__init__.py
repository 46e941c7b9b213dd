"""Secrets and account ids in files that are about to be shared: what they look like, and where they hide."""

from .files import Looked, look, strip
from .shapes import Leak

__all__ = ["Leak", "Looked", "look", "strip"]
