"""The sections of a report: each a function from `Sources` to a `Section`.

What cannot be had, such as prices in an archive, is said in its place and does not stop the rest.
"""
