"""List of regions that DAGs of this repository share. It defines no DAG, so it is listed as "not a DAG"."""

REGIONS = ("eu", "us", "apac")
