"""What kiok Git Sync costs, each figure beside the least that the same work could cost on the same machine.

`make bench`, or `python -m benchmarks [CASE...]`; docs/performance.md tells how it is measured.
"""
