"""`manage.py doctor`: whether an installation is as it should be, part by part, and what to do where it is not.

Each check looks at one part, is bounded in time and knows nothing of the others (`examination`); the table of all is
`table.CHECKS`.
"""
