"""Git without a work tree: urls, refs, credentials, one door to the git command, bare mirrors.

Knows no Django. Everything a row, a server or a commit says is untrusted input here.

    url, ref, subpath   text typed by users, parsed once, strictly
    credentials         secrets, and the environment that hands them to one git process
    client, process     the one door: every git command, its environment, its limits; gitpython: what it stands on
    mirror, tree        a bare depth-1 mirror, and a commit's files read from it
    signature, ...      whose signature a commit or tag carries (signed_object, openpgp, allowed_signers, signer)
    errors, failure     what can go wrong, split by who must act
"""
