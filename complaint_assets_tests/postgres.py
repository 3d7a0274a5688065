"""A real Postgres server of one's own, on loopback, for as long as a test needs it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BIN = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "only-on-loopback"  # noqa: S105 - of a server that lives as long as a test


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of the server, with its owner's password; skips the test where there is no Postgres."""
    if not (BIN / "initdb").exists():
        pytest.skip("Debian's postgresql is not installed")
    as_root = os.geteuid() == 0
    if as_root and shutil.which("runuser") is None:
        pytest.skip("Postgres must not run as root, and there is no runuser")
    who = ["runuser", "-u", "postgres", "--"] if as_root else []
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if as_root:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    data = folder / "data"
    start = [*who, BIN / "initdb", "-N", "-A", "scram-sha-256", "-U", "owner", f"--pwfile={secret}", "-D", data]
    subprocess.run(start, check=True, capture_output=True, cwd="/")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*who, BIN / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", folder / "log", "start"], check=True, capture_output=True, cwd="/"
    )
    try:
        yield f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)
