"""`make soak`: the real service under random pushes and faults for minutes, held to the reference model all the while.

    service     PostgreSQL of its own, worker clusters as processes, what is started again when it ends
    authors     who pushes what to which repository
    ledger      what the store may hold of a repository, given what was pushed and in which order
    faults      what goes wrong: processes killed or frozen, the database restarted, containers killed
    vitals      memory and open descriptors of every process over time, and whether they grow
    run         the whole of it
    document    the result as JSON, as text and as the section of docs/reliability.md

Run as `python -m soak`; a tool of development, no part of the service.
"""
