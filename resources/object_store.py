"""Objects under keys, on a folder or on S3: put if absent, replace, read, list in key order."""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from resources.failpoints import failpoint

KEY_LIMIT = 1024
COPY_BYTES = 1 << 20
SPOOL_BYTES = 8 << 20
ATTEMPTS = 8
CONNECT_SECONDS = 10
READ_SECONDS = 60
TEMPORARY = (".", ".tmp")
"""Beginning and end of the name of a file that is being written; such a file is never listed."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing tells of an object; ``version`` changes whenever its bytes do."""

    key: str
    size: int
    arrived_at: datetime
    version: str


@dataclass
class Staged:
    """Bytes that wait to be given a key: SHA-256 (hex), size, and where they wait."""

    sha256: str
    size: int
    file: BinaryIO
    path: Path | None = None
    synced: bool = False

    def sync(self) -> None:
        """Make the bytes themselves durable, which takes longest; safe beside other work, in a thread."""
        if self.path and not self.synced:
            failpoint("store.before_fsync")
            os.fsync(self.file.fileno())
            failpoint("store.fsynced")
            self.synced = True


class ObjectStore(Protocol):
    """What lake and inbox need of a store."""

    def staged(self, stream: BinaryIO) -> AbstractContextManager[Staged]:
        """The bytes of ``stream``, copied and hashed in one pass; they are gone at the end of the block."""
        ...

    def put_staged(self, key: str, staged: Staged) -> bool:
        """Give staged bytes their key, durably; False, and nothing changed, if the key exists."""
        ...

    def put_if_absent(self, key: str, stream: BinaryIO) -> bool:
        """Store the bytes durably; False, and nothing changed, if the key exists."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store or replace the object in one step."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The object for reading; seekable. Raises FileNotFoundError."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with ``prefix``, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""
        ...

    def purge(self, key: str) -> None:
        """Remove the object and every version that the store kept of it."""
        ...

    def unfinished(self) -> Iterator[str]:
        """Keys of what is being written now, or was when its writer died; never listed."""
        ...

    def everything(self) -> Iterator[tuple[str, BinaryIO]]:
        """Every stored byte: each object, and each version that the store kept; the caller closes the streams."""
        ...


def read(store: ObjectStore, key: str) -> bytes | None:
    """The whole object, or None if there is none."""
    try:
        with store.open(key) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def open_store(url: str) -> ObjectStore:
    """The store at ``url``: a folder, or ``s3://bucket/prefix``."""
    if url.startswith("s3://"):
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return S3Store(bucket, prefix)
    return FolderStore(Path(url))


def checked(key: str) -> str:
    """``key`` if it is safe as a path.

    Raises:
        ValueError: it is absolute, climbs, holds NUL, or is too long.
    """
    parts = key.split("/")
    if not key or "\0" in key or len(key.encode()) > KEY_LIMIT or any(p in ("", ".", "..") for p in parts):
        raise ValueError(
            "an object key must be a relative path without empty, '.' or '..' parts, up to 1024 bytes"
        )
    return key


class FolderStore:
    """A folder. A write is a temporary file beside everything, fsync, link or rename, fsync of the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    @contextmanager
    def staged(self, stream: BinaryIO) -> Iterator[Staged]:
        _make_folder(self._root)
        handle, name = tempfile.mkstemp(dir=self._root, prefix=TEMPORARY[0], suffix=TEMPORARY[1])
        try:
            failpoint("store.file_made")
            with os.fdopen(handle, "wb") as file:
                sha256, size = spooled_sha256(stream, file)
                file.flush()
                failpoint("store.bytes_written")
                yield Staged(sha256, size, file, Path(name))
        finally:
            Path(name).unlink(missing_ok=True)
        failpoint("store.temporary_removed")

    def put_staged(self, key: str, staged: Staged) -> bool:
        path = self._path(key)
        if path.exists():
            return False
        _make_folder(path.parent)
        staged.sync()
        assert staged.path  # noqa: S101 - staged here
        staged.path.chmod(0o444)
        failpoint("store.before_link")
        try:
            os.link(staged.path, path)
        except FileExistsError:
            return False
        failpoint("store.linked")
        _sync_folder(path.parent)
        failpoint("store.link_synced")
        return True

    def put_if_absent(self, key: str, stream: BinaryIO) -> bool:
        if self._path(key).exists():
            return False
        with self.staged(stream) as staged:
            return self.put_staged(key, staged)

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with self.staged(io.BytesIO(data)) as staged:
            _make_folder(path.parent)
            staged.sync()
            assert staged.path  # noqa: S101 - staged here
            failpoint("store.before_rename")
            staged.path.replace(path)
            failpoint("store.renamed")
            _sync_folder(path.parent)
            failpoint("store.rename_synced")

    def open(self, key: str) -> BinaryIO:
        return self._path(key).open("rb")

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        # Only the folder part of the prefix is walked; links are not followed.
        below = prefix.rpartition("/")[0]
        try:
            start = self._root / checked(below) if below else self._root
        except ValueError:
            return  # no key starts like this
        found = []
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if not (Path(folder) / name).is_symlink()]
            for name in names:
                path = Path(folder) / name
                key = path.relative_to(self._root).as_posix()
                temporary = name.startswith(TEMPORARY[0]) and name.endswith(TEMPORARY[1])
                if key.startswith(prefix) and not temporary and not path.is_symlink():
                    found.append(key)
        for key in sorted(found):
            with suppress(FileNotFoundError):
                stat = (self._root / key).stat()
                # ctime: a copied file can carry an old mtime, but it arrived, or changed, when it did.
                yield ObjectInfo(
                    key,
                    stat.st_size,
                    datetime.fromtimestamp(stat.st_ctime, UTC),
                    f"{stat.st_size}-{stat.st_ctime_ns}",
                )

    def delete(self, key: str) -> None:
        path = self._path(key)
        failpoint("store.before_delete")
        path.unlink(missing_ok=True)
        failpoint("store.deleted")

    def purge(self, key: str) -> None:
        path = self._path(key)
        failpoint("remove.before_unlink")
        path.unlink(missing_ok=True)
        failpoint("remove.unlinked")
        if path.parent.is_dir():
            _sync_folder(path.parent)
            failpoint("remove.unlink_synced")

    def unfinished(self) -> Iterator[str]:
        for path in self._root.rglob(f"{TEMPORARY[0]}*{TEMPORARY[1]}"):
            yield path.relative_to(self._root).as_posix()

    def everything(self) -> Iterator[tuple[str, BinaryIO]]:
        # Also what a listing passes over: unfinished files hold bytes, too.
        for path in sorted(self._root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):
                    yield path.relative_to(self._root).as_posix(), path.open("rb")


def _make_folder(folder: Path) -> None:
    """Make ``folder`` durably: a new folder is a name in the folder above it."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        failpoint("store.folder_made")
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def aws_config() -> Any:
    """How AWS is asked: what is slow, lost or refused for the moment is asked for again, within bounds."""
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )


class S3Store:
    """A bucket and prefix, through boto3; credentials and endpoint come from the usual AWS settings."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""

    @cached_property
    def _client(self) -> Any:
        # Imported here: a home on folders never pays for it.
        import boto3

        return boto3.client("s3", config=aws_config())

    @contextmanager
    def staged(self, stream: BinaryIO) -> Iterator[Staged]:
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            file = cast("BinaryIO", spool)
            yield Staged(*spooled_sha256(stream, file), file)

    def put_staged(self, key: str, staged: Staged) -> bool:
        staged.file.seek(0)
        return self.put_if_absent(key, staged.file)

    def put_if_absent(self, key: str, stream: BinaryIO) -> bool:
        from botocore.exceptions import ClientError

        start, attempt = stream.tell(), 1
        while True:
            try:
                failpoint("s3.before_put_if_absent")
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + checked(key), Body=stream, IfNoneMatch="*"
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    return False
                # 409 says that a delete came in between: the object may be gone, so ask again.
                if status != 409 or attempt == ATTEMPTS:
                    raise
                stream.seek(start)
                attempt += 1
            else:
                failpoint("s3.put_if_absent_done")
                return True

    def put(self, key: str, data: bytes) -> None:
        failpoint("s3.before_put")
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + checked(key), Body=data)
        failpoint("s3.put_done")

    def open(self, key: str) -> BinaryIO:
        from botocore.exceptions import ClientError

        spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
        try:
            self._client.download_fileobj(self._bucket, self._prefix + checked(key), spool)
        except ClientError as error:
            spool.close()
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise FileNotFoundError(key) from None
            raise
        spool.seek(0)
        return cast("BinaryIO", spool)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        for page in pages:
            for item in page.get("Contents", ()):
                yield ObjectInfo(
                    item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"], item["ETag"]
                )

    def delete(self, key: str) -> None:
        failpoint("s3.before_delete")
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + checked(key))
        failpoint("s3.deleted")

    def _versions(self, prefix: str) -> Iterator[tuple[str, str, bool]]:
        """Key, version id, and whether it is a delete marker."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        for page in pages:
            for kind in ("Versions", "DeleteMarkers"):
                for item in page.get(kind, ()):
                    yield item["Key"], item["VersionId"], kind == "DeleteMarkers"

    def purge(self, key: str) -> None:
        whole = self._prefix + checked(key)
        for found, version, _ in list(self._versions(key)):
            if found == whole:
                self._client.delete_object(Bucket=self._bucket, Key=whole, VersionId=version)
                failpoint("remove.version_deleted")

    def unfinished(self) -> Iterator[str]:
        return iter(())  # an upload that breaks off leaves nothing

    def everything(self) -> Iterator[tuple[str, BinaryIO]]:
        for key, version, gone in self._versions(""):
            if not gone:
                spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
                self._client.download_fileobj(self._bucket, key, spool, ExtraArgs={"VersionId": version})
                spool.seek(0)
                yield key.removeprefix(self._prefix), cast("BinaryIO", spool)


def spooled_sha256(stream: BinaryIO, spool: BinaryIO) -> tuple[str, int]:
    """Copy ``stream`` to ``spool``; return the SHA-256 (hex) and the size in bytes."""
    found, size = hashlib.sha256(), 0
    while block := stream.read(COPY_BYTES):
        found.update(block)
        size += len(block)
        spool.write(block)
    return found.hexdigest(), size
