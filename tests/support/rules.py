"""Rules for the use of git, and the cases that git-sync, the best tested engine of this kind, tests.

A test names the rules that it proves: `@pytest.mark.rule("running.separator")`, `@pytest.mark.case("refs.missing")`, with
several ids if it proves several. `scripts/rules_table.py` writes docs/git-rules.md from the markers, and
`tests/unit/test_git_rules.py` fails if a rule or a case has no test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule or a case. `id` is its section, a dot and a short name."""

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
        raise ValueError("an id is in the table twice")
    return rules


RULES = _rules(
    (
        "running.one-door",
        "One function starts every git command, through GitPython's `Git.execute` with a list of arguments.",
    ),
    (
        "running.no-conveniences",
        "No other part of GitPython is used: no clones, remotes, archives, option keywords, config writer.",
    ),
    ("running.gitpython", "GitPython is 3.2 or newer."),
    ("running.allow-lists", "Allowed variables and protocols are listed, never forbidden ones."),
    ("running.separator", "`--` precedes every value that comes from a user."),
    (
        "running.environment",
        "The environment is a fixed list: a home of its own, no configuration of the machine, no prompts, no LFS, "
        "`LC_ALL=C`.",
    ),
    (
        "running.protocols",
        "Git may use the protocols that an operator allows and no others.",
    ),
    (
        "running.config",
        "Every call sets its configuration: no hooks, monitor, automatic maintenance, bundles, redirects, submodules; "
        "objects are checked.",
    ),
    ("running.low-speed", "An http transfer that is too slow is aborted."),
    ("running.redirects", "A redirect is refused, and no credential reaches the other host."),
    ("running.askpass", "The askpass program answers only for the host to which its credential belongs."),
    (
        "running.time-limit",
        "A command has a time limit (60 s), after which its whole process group gets TERM, and KILL 10 s later.",
    ),
    ("running.output-cap", "The size of output is limited while it is read."),
    ("running.kernel-limits", "A server that sends without end fills neither memory nor disk."),
    ("running.redaction", "Messages contain no secret: not raw, URL-encoded or in base64."),
    ("running.version", "A git below 2.39 causes a warning at the start."),
    ("paths.schemes", "Urls are https, ssh, or in scp form, which becomes ssh."),
    ("paths.no-passwords", "A password in a url is refused, with the advice to put it in a connection."),
    (
        "paths.hostile-urls",
        "Other transports, leading dashes, white space and control characters are refused; "
        "no part of a url becomes a command.",
    ),
    (
        "paths.private-hosts",
        "Private, loopback, link-local, metadata and other special-purpose addresses are refused, however they are "
        "spelled or resolved.",
    ),
    (
        "paths.allowed-hosts",
        "`kiok.gitsync.allow.private.hosts` allows the hosts that it names and no others.",
    ),
    (
        "paths.checked-twice",
        "Hosts are checked when a row is saved and at each use, and the connection goes to the address that was checked.",
    ),
    ("paths.ref-format", "Refs follow git's own rules for names."),
    (
        "paths.full-names",
        "Refs are fully qualified: a bare name is a branch, even if a tag has the same name.",
    ),
    ("paths.peeled-tags", "An annotated tag means the commit that it points to."),
    ("paths.moves", "A moved tag and a force-pushed branch are followed."),
    ("paths.moves-recorded", "The old and the new commit are recorded."),
    ("paths.subpath-form", "A subpath is relative, without `..` and empty components."),
    ("paths.subpath-components", "Paths are compared by components."),
    ("paths.subpath-in-tree", "A subpath is looked up in the commit's tree, never in a file system."),
    ("content.no-work-tree", "Nothing of a repository is checked out on the host."),
    ("content.bare-mirror", "A repository has a bare mirror, one commit deep."),
    (
        "content.nothing-runs",
        "Filters, hooks, attributes and other active content of a repository or mirror never take effect.",
    ),
    ("content.case-twins", "Names that differ only in case are two files."),
    ("content.links", "Symlinks and submodules are listed as ignored and never followed."),
    ("content.limit-bytes", "A commit over `kiok.gitsync.max.tree.bytes` is refused with the figures."),
    ("content.limit-files", "A commit over `kiok.gitsync.max.files` is refused with the figures."),
    ("content.limit-file", "A file over `kiok.gitsync.max.file.bytes` fails with the figures."),
    ("content.limit-path", "A path over `kiok.gitsync.max.path.bytes` fails with the figures."),
    ("content.limit-dags", "A commit over `kiok.gitsync.max.dags` is refused with the figures."),
    ("content.limits-default", "Every limit is a property with a default."),
    ("content.private-directory", "Mirrors are in a directory that only the service can enter."),
    ("content.named-by-key", "A mirror is named by its repository's primary key, not by url or name."),
    ("content.broken-mirror", "A broken mirror (missing objects, locks, interrupted fetches) is recreated."),
    ("content.disk-bounded", "Disk use stays bounded over many forced pushes."),
    ("credentials.per-sync", "A rotated secret is used at the next sync."),
    (
        "credentials.key-file",
        "An ssh key is in a private file of a private directory for one call, and is always removed afterwards.",
    ),
    (
        "credentials.key-in-memory",
        "That directory is in memory if the system has such a file system and no other user planted a directory there.",
    ),
    (
        "credentials.ssh-options",
        "ssh uses no configuration and no agent, offers the one key, and knows only the connection's host keys.",
    ),
    (
        "credentials.unknown-host",
        "An unknown host key is refused; the message shows its fingerprint and how to accept it.",
    ),
    ("credentials.passphrase", "Keys protected by a passphrase work."),
    (
        "credentials.askpass-only",
        "An http secret is only in one process's environment: not in arguments, urls or git's configuration.",
    ),
    ("credentials.no-containers", "No secret is in a container's environment or an image."),
    (
        "credentials.hosts",
        "A credential with `hosts` is used only with those hosts, for any url of a repository.",
    ),
    ("credentials.http-forms", "User name and password, or a token whose user name has a default."),
    (
        "credentials.canary",
        "A marked secret is found nowhere after syncs: database, logs, pages, processes, mirrors, containers, results.",
    ),
    (
        "failure.absence",
        "Only DAGs of a file that is gone from a completely read commit are pruned: no failure prunes.",
    ),
    ("failure.classified", "Every error has a stable reason, which says whether it is transient."),
    ("failure.back-off", "Transient failures are retried with pauses that double, up to 15 minutes."),
    (
        "failure.own-retry",
        "A transient failure of a file or a commit delays its own retry, never the check for a new commit.",
    ),
    ("failure.back-off-reset", "A request and an edit end the pauses."),
    (
        "failure.person",
        "A failure that a person must fix is reported once and polled on each interval, at low cost.",
    ),
    ("failure.probe", "A poll is one `ls-remote` of the exact ref."),
    ("failure.shared-probe", "Its result is shared only if url, ref and credential match."),
    (
        "failure.nothing-new",
        "Work stops there if commit, configuration and images are those of the last sync.",
    ),
    ("failure.global-cap", "The number of remotes that are polled at the same time is limited."),
    ("failure.host-cap", "A lower limit applies to each host."),
    ("failure.slow-lane", "Servers that hang do not occupy the slots of others."),
    ("failure.spread", "Polls are spread over a tenth of the interval."),
)

CASES = _rules(
    ("refs.missing", "A ref that is missing is an error."),
    ("refs.forward-and-back", "A branch moves forward, and back by a forced push."),
    ("refs.switched", "Another branch is configured."),
    ("refs.tag-moves", "A tag moves, both ways."),
    ("refs.tag-stays", "A tag is not moved by later commits."),
    ("refs.tag-peeled", "An annotated tag is peeled to its commit."),
    ("refs.url-changed", "The url changes and the storage stays."),
    ("recovery.inside-another", "The root is inside another repository."),
    ("recovery.broken", "A broken repository is wiped."),
    ("recovery.vanished", "The mirror vanishes between syncs."),
    ("recovery.tampered", "A mirror that was tampered with is repaired."),
    ("recovery.crash-before-publish", "A crash before the compiled DAGs are published."),
    ("recovery.crash-after-fetch", "A crash after the fetch."),
    ("recovery.garbage", "Leftover files are removed."),
    ("time.short-limit", "A slow server and a short limit publish nothing."),
    ("time.long-limit", "A slow server and a long limit succeed."),
    ("time.quick-retries", "Until the first success retries are quick."),
    ("time.failures-counted", "Repeated failures are counted."),
    ("depth.one", "One commit by default."),
    ("depth.stays", "The mirror stays shallow over updates."),
    ("auth.wrong-user", "A wrong http user is refused."),
    ("auth.wrong-password", "A wrong password is refused."),
    ("auth.right", "The right password is accepted."),
    ("auth.rotated", "A rotated secret is used at the next sync."),
    ("auth.scp-form", "ssh with a url in scp form."),
    ("auth.ssh-url", "ssh with a url in ssh:// form."),
    ("auth.source-failing", "The source of the credential fails. Here: the connection cannot be decrypted."),
    ("auth.source-recovering", "The source of the credential recovers."),
    ("auth.source-slow", "The source of the credential is slow. Here: the database."),
    ("publish.compile-failure", "A failure to compile publishes the good DAGs, and is retried."),
    ("publish.after-crash", "After a crash the same commit is compiled and published again."),
    ("publish.once", "A published commit is not compiled again."),
    (
        "surface.readiness",
        "Not ready until the first sync. Here a service has many repositories, and a broken one must not take it down: "
        "`/readyz` is 503 until the store can be used, and each repository is `never` until its own first sync.",
    ),
    ("surface.restart", "Ready after a restart with the existing data."),
    ("surface.error-stored", "An error is stored."),
    ("surface.error-cleared", "A success clears the error."),
    (
        "surface.change-notice",
        "A change is reported only if something changed. Here: the record of a sync, and a DAG's version.",
    ),
    ("surface.disk", "Disk use is bounded."),
)
