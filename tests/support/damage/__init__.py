"""Random good repositories, random damage to one file of each, and an independent judge of what damage proves.

`good` makes files, `kinds` damages one, `oracle` says whether a damaged file is valid and shows no intention to be a
DAG (or names other DAGs than before), by other means than the product.
"""
