"""A process that has imported the libraries and forks one for each call of ``complaints``.

Importing Dagster and its company takes two seconds of every command, and the tests give hundreds. What is
imported beforehand are libraries and the pure modules of the project, which know no settings and have done nothing
yet. The rest is imported by the forked process, which is as new as one started from a shell.
"""

import contextlib
import importlib
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class WarmCommands:
    """Runs ``complaints`` in processes that are forked from a warm one, until ``end``."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self._socket = str(self._folder / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "complaint_assets_tests.warm", self._socket],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"warm\n", "the warm process did not start"

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``complaints`` with ``arguments`` in ``environment``, from the repository's folder.

        Raises:
            TimeoutError: it is still at work after ``timeout`` seconds.
        """
        said = Path(tempfile.mkdtemp(dir=self._folder))
        with Client(self._socket) as connection:
            connection.send((list(arguments), dict(environment), str(said)))
            if not connection.poll(timeout):
                raise TimeoutError(f"complaints {' '.join(arguments)}: still at work after {timeout} s")
            code = connection.recv()
        out, errors = ((said / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return subprocess.CompletedProcess(list(arguments), code, out, errors)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _serve(socket: str) -> None:
    """Answer calls until killed; each by a process of its own."""
    import alembic.command  # noqa: F401
    import boto3  # noqa: F401
    import dagster._core.storage.event_log.sqlite
    import dagster._core.storage.runs.sqlite
    import dagster._core.storage.schedules.sqlite  # noqa: F401
    import dagster_duckdb_pandas  # noqa: F401
    import deltalake  # noqa: F401
    import ibis.backends.duckdb  # noqa: F401
    import pandera.pandas  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import typer  # noqa: F401

    import complaint_assets.logic
    import complaint_assets.schemas

    for package in (complaint_assets.logic, complaint_assets.schemas):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("_kernel"):  # once imported, they would be used for small batches, too
                importlib.import_module(module.name)
    assert not any(name.startswith("resources") or name.endswith("_kernel") for name in sys.modules)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the answering processes
    with Listener(socket, backlog=64) as listener:
        print("warm", flush=True)  # noqa: T201 (this is how the caller learns of it)
        while True:
            connection = listener.accept()
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(connection)
            connection.close()


def _answer(connection: Connection) -> None:
    """Fork the command, wait for it, and tell its exit code."""
    arguments, environment, said = connection.recv()
    child = os.fork()
    if not child:
        connection.close()
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(f"{said}/{name}", os.O_CREAT | os.O_WRONLY), number)
        sys.argv = ["complaints", *arguments]
        from complaint_assets.cli import main

        try:
            main()
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):  # the caller may have given up
        connection.send(os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
