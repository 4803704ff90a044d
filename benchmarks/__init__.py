"""Benchmarks of kiok Git Sync: each figure is compared with the least that the same work costs on the same machine.

Run them with `make bench` or `python -m benchmarks [CASE...]`. docs/performance.md explains the measurements.
"""
