"""gpg and ssh-keygen as programs: users' settings are ignored, and a failed program is not trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gitsync.git.client import GitClient
from gitsync.git.errors import GitPersonError, GitReason, GitTransientError
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties, verify
from tests.support.servers.process_list import command_lines
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import SshKey, signed_commit
from tests.support.verification import OpenPgpKeys, Verification
from tests.support.waiting import wait_until


class TestNothingOfTheMachineCounts:
    def test_a_key_in_the_machines_own_keyrings_does_not_count(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.false_ada))
        public = openpgp.home.public(openpgp.false_ada)
        # The user's, the one a variable names, and that of git's private home.
        for home in (
            tmp_path / "user" / ".gnupg",
            tmp_path / "named",
            verification.client.settings.home / ".gnupg",
        ):
            home.mkdir(mode=0o700, parents=True)
            subprocess.run(
                ["gpg", f"--homedir={home}", "--batch", "--no-autostart", "--quiet", "--import"],
                input=public.encode(),
                check=True,
                capture_output=True,
            )
            (home / "gpg.conf").write_text(f"trust-model always\nkeyring {home}/pubring.kbx\n")
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        monkeypatch.setenv("GNUPGHOME", str(tmp_path / "named"))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.ada)))
        assert "not among the trusted keys" in message

    def test_programs_that_a_hostile_configuration_names_are_not_run(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        ssh_eve: SshKey,
        verification: Verification,
        tmp_path: Path,
    ) -> None:
        mark = tmp_path / "mark"
        program = tmp_path / "obliging"
        program.write_text(
            f"#!/bin/sh\ntouch {mark}\n"
            f"echo '[GNUPG:] GOODSIG {openpgp.ada} Ada'\n"
            f"""echo 'Good "git" signature for ada with ED25519 key {ssh_ada.fingerprint}'\n"""
        )
        program.chmod(0o755)
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        for options in (openpgp.home.options(openpgp.false_ada), ssh_eve.options()):
            signed_commit(work_repo, options)
            commit = verification.fetch()
            configuration = verification.mirror.git_directory / "config"
            configuration.write_text(
                configuration.read_text()
                + f'[gpg]\n\tprogram = {program}\n\tformat = ssh\n[gpg "openpgp"]\n\tprogram = {program}\n'
                + f'[gpg "ssh"]\n\tprogram = {program}\n\tallowedSignersFile = {tmp_path}/none\n'
            )
            with pytest.raises(GitPersonError) as caught:
                verify(verification.client, verification.mirror.git_directory, "commit", keys, commit=commit)
            assert caught.value.reason is GitReason.SIGNATURE_REFUSED
            assert not mark.exists()

    def test_many_verifications_leave_no_process_and_no_directory(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        for number in range(3):
            signed_commit(work_repo, openpgp.home.options(openpgp.ada), f"dag: g{number}\n")
            verification.commit(keys)
            signed_commit(work_repo, ssh_ada.options(), f"dag: s{number}\n")
            verification.commit(keys)
        verification.is_clean()
        assert list(temporary.iterdir()) == []

    def test_files_of_a_killed_process_are_removed_by_the_next(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        left = verification.client.settings.home / "verify" / f"call-{namespace}-1-1-abc"
        left.mkdir(parents=True)
        verification.commit(TrustedKeys(allowed_signers=ssh_ada.signer("ada")))
        assert not left.exists()


class TestWhatIsMissing:
    @pytest.mark.parametrize("program", ["gpg", "ssh-keygen"])
    def test_a_program_that_is_not_installed_is_named_with_its_package(
        self,
        program: str,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        signed_commit(work_repo, openpgp.home.options(openpgp.ada) if program == "gpg" else ssh_ada.options())
        bare = tmp_path / "bin"
        bare.mkdir()
        for name in ("git", "sh", "setpriv", "env"):
            found = shutil.which(name)
            assert found
            (bare / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(bare))
        message = verification.refusal(lambda: verification.commit(keys), GitReason.GIT_MISSING)
        assert program in message
        assert {"gpg": "package gpg", "ssh-keygen": "package openssh-client"}[program] in message

    @pytest.mark.parametrize("status", [0, 2])
    @pytest.mark.parametrize("program", ["gpg", "ssh-keygen"])
    def test_a_silent_program_is_not_trusted_and_is_run_again_later(
        self,
        program: str,
        status: int,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        signed_commit(work_repo, openpgp.home.options(openpgp.ada) if program == "gpg" else ssh_ada.options())
        mute = tmp_path / "bin" / program
        mute.parent.mkdir()
        mute.write_text(
            f'#!/bin/sh\ncase "$*" in *--import*) exec {shutil.which(program)} "$@" ;; esac\nexit {status}\n'
        )
        mute.chmod(0o755)
        monkeypatch.setenv("PATH", f"{mute.parent}:{os.environ['PATH']}")
        with pytest.raises(GitTransientError):
            verification.commit(keys)
        verification.is_clean()

    def test_a_program_that_hangs_is_ended_in_time_with_all_it_started(
        self,
        work_repo: WorkRepo,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        commit = verification.fetch()
        nap = f"61.{os.getpid()}"
        hanging = tmp_path / "bin" / "ssh-keygen"
        hanging.parent.mkdir()
        hanging.write_text(f"#!/bin/sh\nsleep {nap}\n")
        hanging.chmod(0o755)
        monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
        hurried = GitClient(
            replace(verification.client.settings, timeout_seconds=1.0, kill_after_seconds=1.0)
        )
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        with pytest.raises(GitTransientError) as caught:
            verify(hurried, verification.mirror.git_directory, "commit", keys, commit=commit)
        assert caught.value.reason is GitReason.TIMEOUT
        verification.is_clean()
        wait_until(lambda: not [line for line in command_lines() if nap in line], "the program has ended")

    @pytest.mark.parametrize("damage", ["altered", "cut off"])
    def test_a_damaged_key_next_to_a_good_one_is_reported_by_property(
        self, damage: str, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        first, blank, *body, _crc, last = openpgp.home.public(openpgp.expired).splitlines()
        if damage == "altered":
            body[1] = body[1][::-1]
        else:
            body = body[:3]
        damaged = openpgp.home.public(openpgp.ada) + "\n".join([first, blank, *body, last])
        keys = trusted_keys_from_properties({"openpgpKeys": damaged})
        message = verification.refusal(lambda: verification.commit(keys), GitReason.SIGNATURE_KEYS_UNUSABLE)
        assert "'openpgpKeys'" in message
        assert "gpg cannot import it" in message

    def test_a_secret_key_is_refused_before_anything_reads_it(self, openpgp: OpenPgpKeys) -> None:
        with pytest.raises(GitPersonError, match="contains a private key") as caught:
            trusted_keys_from_properties({"openpgpKeys": openpgp.home.secret(openpgp.ada)})
        assert caught.value.reason is GitReason.SIGNATURE_KEYS_UNUSABLE
