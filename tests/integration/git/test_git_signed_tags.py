"""Signatures made by the real gpg and ssh-keygen on real tags: which count, and which do not."""

from __future__ import annotations

import pytest

from gitsync.git.errors import GitError, GitReason
from gitsync.git.signature import TrustedKeys, verify
from gitsync.git.signer import SignatureKind
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import SshKey, raw_object, signed_commit, signed_tag
from tests.support.verification import OpenPgpKeys, Verification


class TestTags:
    @pytest.mark.parametrize("kind", SignatureKind)
    def test_a_signed_tag_names_its_signer_and_its_commit_need_not_be_signed(
        self,
        kind: SignatureKind,
        work_repo: WorkRepo,
        ssh_ada: SshKey,
        openpgp: OpenPgpKeys,
        verification: Verification,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        options = openpgp.home.options(openpgp.ada) if kind is SignatureKind.OPENPGP else ssh_ada.options()
        work_repo.publish({"a.yaml": "1"})
        signed_tag(work_repo, options, "v1")
        assert verification.tag(keys).kind is kind
        verification.is_clean()
        with pytest.raises(GitError) as caught:
            verify(
                verification.client,
                verification.mirror.git_directory,
                "commit",
                keys,
                commit=verification.fetch("tag:v1"),
            )
        assert caught.value.reason is GitReason.SIGNATURE_MISSING

    @pytest.mark.parametrize("annotated", [True, False])
    def test_an_unsigned_tag_is_refused_though_its_commit_is_signed(
        self, annotated: bool, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        commit = signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        work_repo.tag("v1", annotated=annotated)
        message = verification.refusal(
            lambda: verification.tag(openpgp.trust(openpgp.ada)), GitReason.SIGNATURE_MISSING
        )
        tag = work_repo.git("rev-parse", "v1")
        assert (f"tag 'v1' ({tag})" if annotated else f"commit {commit} without a tag object") in message
        assert "git tag -s" in message

    def test_a_branch_has_no_tag_to_verify(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        message = verification.refusal(
            lambda: verification.tag(openpgp.trust(openpgp.ada), "main"), GitReason.SIGNATURE_MISSING
        )
        assert "a branch or a lightweight tag" in message

    def test_a_tag_by_another_key_is_refused_with_its_id(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        tag = signed_tag(work_repo, openpgp.home.options(openpgp.false_ada), "v1")
        message = verification.refusal(lambda: verification.tag(openpgp.trust(openpgp.ada)))
        assert message.startswith(f"tag 'v1' ({tag}) is refused")
        assert openpgp.false_ada in message

    def test_an_old_signed_tag_under_a_new_name_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        tag = signed_tag(work_repo, openpgp.home.options(openpgp.ada), "v1")
        work_repo.push(f"{tag}:refs/tags/v2")
        keys = openpgp.trust(openpgp.ada)
        assert verification.tag(keys, "tag:v1").fingerprint == openpgp.ada
        message = verification.refusal(lambda: verification.tag(keys, "tag:v2"))
        assert "tag 'v1'" in message
        assert "the ref 'v2'" in message

    def test_the_outermost_of_nested_tags_must_be_signed(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        keys, options = openpgp.trust(openpgp.ada), openpgp.home.options(openpgp.ada)
        work_repo.tag("inner", annotated=True)
        signed_tag(work_repo, options, "v1", target="inner")
        assert verification.tag(keys).fingerprint == openpgp.ada
        signed_tag(work_repo, options, "inner")
        work_repo.tag("v1", annotated=True, at="inner")
        verification.refusal(lambda: verification.tag(keys), GitReason.SIGNATURE_MISSING)

    def test_a_tag_with_text_after_its_signature_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        good = raw_object(work_repo, signed_tag(work_repo, openpgp.home.options(openpgp.ada), "v1"))
        tag = work_repo.git(
            "hash-object", "-t", "tag", "-w", "--stdin", stdin=good + b"and more that nobody signed\n"
        )
        work_repo.push(f"+{tag}:refs/tags/v1")
        message = verification.refusal(lambda: verification.tag(openpgp.trust(openpgp.ada)))
        assert "it has text after its signature" in message
