"""Certificates made with openssl, and a PostgreSQL that shows one.

Belongs here: authorities, certificates, the server. Does not belong here: what a client makes of them.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from odyssey_assets.errors import UnreachableError
from odyssey_assets.target.account import server_account
from odyssey_assets.target.embedded import EmbeddedServer, ensure_running
from odyssey_assets_tests.conftest import FAST_SETTINGS, state_folder

OPENSSL = shutil.which("openssl")
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


def _openssl(folder: Path, *arguments: str) -> None:
    assert OPENSSL
    subprocess.run([OPENSSL, *arguments], cwd=folder, check=True, capture_output=True)


def make_authority(folder: Path, name: str) -> Path:
    """The authority's certificate; its key is beside it."""
    _openssl(folder, "req", "-x509", *_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")
    return folder / f"{name}.crt"


def make_certificate(folder: Path, authority: str, file: str, name: str) -> tuple[Path, Path]:
    """A certificate for a name, signed by the authority, and its key."""
    extension = ["-addext", f"subjectAltName=DNS:{name}"]
    _openssl(folder, "req", *_KEY[:-2], "-subj", f"/CN={name}", *extension, "-keyout", f"{file}.key", "-out", "csr")
    signing = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial", "-copy_extensions", "copy"]
    _openssl(folder, "x509", "-req", "-in", "csr", *signing, "-days", "2", "-out", f"{file}.crt")
    (folder / f"{file}.key").chmod(0o600)
    return folder / f"{file}.crt", folder / f"{file}.key"


@contextmanager
def server_with_tls(folder: Path, bin_dir: Path) -> Iterator[EmbeddedServer]:
    """A server for ``localhost`` with a certificate of the authority ``ours``, and clients known by theirs."""
    authority = make_authority(folder, "ours")
    certificate, key = make_certificate(folder, "ours", "server", "localhost")
    account = server_account(folder / "not there")
    if account is not None:
        os.chown(key, account.uid, account.gid)
    settings = {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key), "ssl_ca_file": str(authority)}
    with state_folder() as state_dir:
        try:
            yield ensure_running(state_dir, {**FAST_SETTINGS, **settings}, bin_dir=bin_dir)
        except UnreachableError as error:
            if "SSL is not supported by this build" not in str(error):
                raise
            pytest.skip("this PostgreSQL was built without OpenSSL")
