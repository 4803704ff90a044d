"""HTTP API under `/api/v1/`: what the admin offers to people, for programs. Each resource has a module.

`auth` authenticates and authorizes by token, `problems` defines error responses, `messages` translates validation errors,
`pages` orders, counts and paginates lists, `schemas` and `patterns` define values, `operations` issues tokens for
long-running requests, `document` completes the OpenAPI document. `service` puts them together. The API holds no business
logic: each operation calls the same functions as the admin's pages.
"""
