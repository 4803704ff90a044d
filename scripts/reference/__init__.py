"""Tables of the pages in docs/reference, from the code. `scripts/reference_tables.py` writes them."""
