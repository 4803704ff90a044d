"""The API, `/api/v1/`: for programs what the admin is for people. A module for each resource.

`tokens` says who asks, `callers` what they may, `problems` what an error looks like, `pages` how lists are cut, `wire`
what values look like, `tickets` what a request that takes its time is known by, `document` the OpenAPI document.
`service` puts them together. Nothing is decided here: each operation calls what the admin's pages call.
"""
