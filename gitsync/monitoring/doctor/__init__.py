"""`manage.py doctor`: checks of an installation, part by part, each with a remedy if it fails.

Each check covers one part, has a time limit and is independent of the others (`examination`). `table.CHECKS` lists all
checks.
"""
