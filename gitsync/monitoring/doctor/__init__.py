"""`manage.py doctor`: checks of an installation, part by part, each with a remedy if it fails.

Each check covers one part, has a time limit and is independent of the others. `runner` runs them and lists all of them
(`CHECKS`).
"""
