"""The reference that the product is judged by: what the store must hold after a series of commits.

    authoring     files, and what their author knows they contain
    model         from commits to what the store must hold; a pure function
    reading       what the store holds, in the same shape
    differences   where the two differ, in words

Nothing here imports what the product compiles or plans with.
"""
