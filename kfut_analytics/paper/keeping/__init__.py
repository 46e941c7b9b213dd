"""Accounts that outlive their process: an exchange in a file."""
