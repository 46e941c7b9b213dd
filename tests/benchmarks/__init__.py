"""Benchmarks: plain scripts, ``python -m tests.benchmarks.decode`` and so on; figures are ratios within one run."""
