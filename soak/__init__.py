"""`make soak`: the real service under random pushes and faults for minutes, compared with the reference model throughout.

    service     its own PostgreSQL, and worker clusters that are restarted when they end
    authors     random pushes to each repository
    ledger      the states that the store may have for a repository, given its pushes and their order
    faults      killed or frozen processes, database restarts, killed containers
    vitals      memory and open descriptors of every process over time, and whether they grow
    run         the whole soak
    document    the result as the section of docs/reliability.md

Run it as `python -m soak`. It is a development tool and not a part of the service.
"""
