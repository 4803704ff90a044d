"""Git without a work tree: urls, refs, credentials, the git client and bare mirrors.

This package does not depend on Django. It treats everything from rows, servers and commits as untrusted input.

    url, ref, scope     strict parsers for text that users type
    credentials         secrets, and the environment that passes them to one git process
    client, process     the only way to run git, with its environment and limits; gitpython: the library below it
    mirror, tree        a bare depth-1 mirror, and the files of a commit in it
    commit_object       the headers of a commit or tag object, and the facts about a commit that are shown
    signature, ...      verification of a commit's or tag's signature (signed_object, openpgp, allowed_signers, signer)
    errors, failure     errors, split by who must act
"""
