"""What must hold of git here, and the cases that the best engine of this kind tests.

A test says which it shows: `@pytest.mark.rule("running.separator")`, `@pytest.mark.case("refs.missing")`, with several
ids where it shows several. `scripts/rules_table.py` writes docs/git-rules.md from that, and
`tests/unit/test_git_rules.py` fails when a rule or a case has no test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold. `id` is its section, a dot and a short name."""

    id: str
    text: str

    @property
    def section(self) -> str:
        return self.id.partition(".")[0]


RULE_SECTIONS = {
    "running": "Running git",
    "paths": "Urls, refs, paths",
    "content": "Content",
    "credentials": "Credentials",
    "failure": "Failure handling",
}

CASE_SECTIONS = {
    "refs": "Refs",
    "recovery": "Recovery",
    "time": "Time",
    "depth": "Depth",
    "auth": "Authentication",
    "publish": "Publishing",
    "surface": "Surface",
}


def _rules(*pairs: tuple[str, str]) -> dict[str, Rule]:
    rules = {rule_id: Rule(rule_id, text) for rule_id, text in pairs}
    if len(rules) != len(pairs):
        raise ValueError("an id stands twice in the table")
    return rules


RULES = _rules(
    (
        "running.one-door",
        "One function starts every git command, through GitPython's `Git.execute` with a list of arguments.",
    ),
    (
        "running.no-conveniences",
        "Nothing else of GitPython is used: no clones, remotes, archives, option keywords, config writer.",
    ),
    ("running.gitpython", "GitPython is 3.2 or newer."),
    ("running.allow-lists", "What may pass is listed, never what may not: variables, protocols."),
    ("running.separator", "`--` stands before every value that comes from a user."),
    (
        "running.environment",
        "The environment is a fixed list: its own home, no configuration of the machine, no prompts, no LFS, `LC_ALL=C`.",
    ),
    (
        "running.protocols",
        "Git may use the protocols an operator allows and no other.",
    ),
    (
        "running.config",
        "Every call is configured: no hooks, monitor, own housekeeping, bundles, redirects, submodules; objects checked.",
    ),
    ("running.low-speed", "An http transfer that crawls is given up."),
    ("running.redirects", "A redirect is refused, and no credential gets to the other host."),
    ("running.askpass", "The askpass program answers only for the host that it has a credential for."),
    (
        "running.time-limit",
        "A command has a time limit (60 s), after which its whole process group gets TERM, and KILL 10 s later.",
    ),
    ("running.output-cap", "Output is capped while it is read."),
    ("running.kernel-limits", "A server that sends for ever fills neither memory nor disk."),
    ("running.redaction", "Messages hold no secret: not raw, URL-encoded or in base64."),
    ("running.version", "A git below 2.39 is warned of at the start."),
    ("paths.schemes", "Urls are https, ssh, or in scp form, which becomes ssh."),
    ("paths.no-passwords", "A password in a url is refused with the advice to put it in a connection."),
    (
        "paths.hostile-urls",
        "Other transports, leading dashes, white space, control characters are refused; nothing becomes a command.",
    ),
    (
        "paths.private-hosts",
        "Private, loopback, link-local, metadata and other special-purpose addresses are refused, however they are "
        "spelled or resolved.",
    ),
    ("paths.allowed-hosts", "`kiok.gitsync.allow.private.hosts` allows the hosts it names and no others."),
    (
        "paths.checked-twice",
        "Hosts are checked when a row is saved and at each use, and the connection goes to the address that was checked.",
    ),
    ("paths.ref-format", "Refs follow git's own rules for names."),
    ("paths.full-names", "Refs are fully qualified: a bare name is a branch, though a tag has it too."),
    ("paths.peeled-tags", "An annotated tag means the commit it is on."),
    ("paths.moves", "A tag that moves and a branch that is forced are followed."),
    ("paths.moves-recorded", "The old and the new commit are on record."),
    ("paths.subpath-form", "A subpath is relative, without `..` and empty components."),
    ("paths.subpath-components", "Paths are compared by components."),
    ("paths.subpath-in-tree", "A subpath is looked up in the commit's tree, never in a file system."),
    ("content.no-work-tree", "Nothing of a repository is checked out on the host."),
    ("content.bare-mirror", "A repository has a bare mirror, one commit deep."),
    (
        "content.nothing-runs",
        "Filters, hooks, attributes and what else a repository or mirror may bring never act.",
    ),
    ("content.case-twins", "Names that differ only in case are two files."),
    ("content.links", "Symlinks and submodules are listed as ignored and never followed."),
    ("content.limit-bytes", "A commit over `kiok.gitsync.max.tree.bytes` is refused with the figures."),
    ("content.limit-files", "A commit over `kiok.gitsync.max.files` is refused with the figures."),
    ("content.limit-file", "A file over `kiok.gitsync.max.file.bytes` fails with the figures."),
    ("content.limit-path", "A path over `kiok.gitsync.max.path.bytes` fails with the figures."),
    ("content.limit-dags", "A commit over `kiok.gitsync.max.dags` is refused with the figures."),
    ("content.limits-default", "Every limit is a property with a default."),
    ("content.private-directory", "Mirrors are in a directory that only the service may enter."),
    ("content.named-by-key", "A mirror is named by its repository's primary key, not by url or name."),
    ("content.broken-mirror", "A broken mirror (missing objects, locks, interrupted fetches) is made anew."),
    ("content.disk-bounded", "Disk stays bounded over many forced pushes."),
    ("credentials.per-sync", "A rotated secret is used at the next sync."),
    (
        "credentials.key-file",
        "An ssh key is in a private file of a private directory for one call, and gone afterwards whatever happens.",
    ),
    (
        "credentials.key-in-memory",
        "That directory is in memory where the system has such a place and nobody has planted one.",
    ),
    (
        "credentials.ssh-options",
        "ssh reads no configuration and no agent, offers the one key, and knows the connection's host keys only.",
    ),
    (
        "credentials.unknown-host",
        "An unknown host key is refused; the message shows its fingerprint and how to accept it.",
    ),
    ("credentials.passphrase", "Keys protected by a passphrase work."),
    (
        "credentials.askpass-only",
        "An http secret is in one process's environment: not in arguments, urls or git's configuration.",
    ),
    ("credentials.no-containers", "No secret is in a container's environment or an image."),
    (
        "credentials.hosts",
        "A credential with `hosts` is used with those alone, whatever a repository's url says.",
    ),
    ("credentials.http-forms", "User name and password, or a token whose user name has a default."),
    (
        "credentials.canary",
        "A marked secret is nowhere after syncs: database, logs, pages, processes, mirrors, containers, results.",
    ),
    (
        "failure.absence",
        "Only a file that is gone from a commit that was read completely is pruned: no failure prunes.",
    ),
    ("failure.classified", "Every error has a stable reason, which says whether it passes by itself."),
    ("failure.back-off", "What passes by itself is tried again with pauses that double, up to 15 minutes."),
    (
        "failure.own-retry",
        "A file or a commit that fails for a cause that may pass delays its own retry, never the check for a new commit.",
    ),
    ("failure.back-off-reset", "Somebody who asks, and an edit, end the pauses."),
    ("failure.person", "What a person must mend is stated once and looked at on each interval, cheaply."),
    ("failure.probe", "A look is one `ls-remote` of the exact ref."),
    ("failure.shared-probe", "It is shared only where url, ref and credential match."),
    (
        "failure.nothing-new",
        "Work stops there when commit, configuration and images are what was last synced.",
    ),
    ("failure.global-cap", "Only so many remotes are asked at once."),
    ("failure.host-cap", "Fewer of them at one host."),
    ("failure.slow-lane", "Servers that hang do not take the places of others."),
    ("failure.spread", "Looks are spread over a tenth of the interval."),
)

CASES = _rules(
    ("refs.missing", "A ref that is missing is an error."),
    ("refs.forward-and-back", "A branch goes forward, and back by force."),
    ("refs.switched", "Another branch is configured."),
    ("refs.tag-moves", "A tag moves, both ways."),
    ("refs.tag-stays", "A tag is not moved by later commits."),
    ("refs.tag-peeled", "An annotated tag is peeled."),
    ("refs.url-changed", "The url changes and the storage stays."),
    ("recovery.inside-another", "The root is inside another repository."),
    ("recovery.broken", "A broken repository is wiped."),
    ("recovery.vanished", "The mirror vanishes between syncs."),
    ("recovery.tampered", "A mirror that was tampered with is repaired."),
    ("recovery.crash-before-publish", "A crash before what was compiled is published."),
    ("recovery.crash-after-fetch", "A crash after the fetch."),
    ("recovery.garbage", "Garbage that was left over is removed."),
    ("time.short-limit", "A slow server and a short limit publish nothing."),
    ("time.long-limit", "A slow server and a long limit succeed."),
    ("time.quick-retries", "Until the first success it is tried again quickly."),
    ("time.failures-counted", "Repeated failures are counted."),
    ("depth.one", "One commit by default."),
    ("depth.stays", "It stays shallow over updates."),
    ("auth.wrong-user", "A wrong http user is refused."),
    ("auth.wrong-password", "A wrong password is refused."),
    ("auth.right", "The right one is let in."),
    ("auth.rotated", "A rotated secret is used at the next sync."),
    ("auth.scp-form", "ssh by the scp form."),
    ("auth.ssh-url", "ssh by the ssh:// form."),
    ("auth.source-failing", "The source of the credential fails. Here: the connection cannot be decrypted."),
    ("auth.source-recovering", "It recovers."),
    ("auth.source-slow", "It is slow. Here: the database."),
    ("publish.compile-failure", "A failure to compile publishes what it may, and is tried again."),
    ("publish.after-crash", "After a crash the same commit is compiled and published again."),
    ("publish.once", "What is published is not compiled again."),
    (
        "surface.readiness",
        "Not ready until the first sync. Here a service has many repositories, and a broken one must not take it down: "
        "`/readyz` is 503 until the store can be used, and each repository is `never` until its own first sync.",
    ),
    ("surface.restart", "Ready after a restart with what is there."),
    ("surface.error-stored", "An error is stored."),
    ("surface.error-cleared", "Success clears it."),
    (
        "surface.change-notice",
        "There is a notice of a change only when something changed. Here: the record of a sync, and a DAG's version.",
    ),
    ("surface.disk", "Disk use is bounded."),
)
