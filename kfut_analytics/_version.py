"""The version, in one place for the build and for the user agent."""

__version__ = "0.1.0"
