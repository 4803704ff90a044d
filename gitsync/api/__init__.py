"""HTTP API under `/api/v1/`: what the admin offers to people, for programs. Each resource has a module.

`auth` authenticates and authorizes by token, `problems` defines error responses, `pages` paginates lists, `schemas`
defines the schemas of values, `operation_tokens` issues operation tokens for long-running requests, `document` completes
the OpenAPI document. `service` puts them together. The API holds no business logic: each operation calls the same functions
as the admin's pages.
"""
