"""Shared by the DAGs of this repository. It defines no DAG, so it is listed as "not a DAG"."""

REGIONS = ("eu", "us", "apac")
