"""Compilers, one for each format of a DAG file."""
