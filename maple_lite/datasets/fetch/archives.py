"""Unpacking archives that others made: safely, and only if the disk has room."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import NamedTuple

from maple_lite.support.progress import progress

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, BadGzipFile, EOFError, RuntimeError)
UNITS = ("B", "kB", "MB", "GB", "TB")


class Member(NamedTuple):
    """What an archive holds: its path, its bytes, whether it is a plain file or folder, and how to unpack it."""

    path: str
    size: int
    plain: bool
    extract: Callable[[], object]


def unpack(archive: str | Path, folder: str | Path, bar: bool = True) -> None:
    """Unpacks a zip or tar archive into `folder`.

    Raises ValueError, before anything is written, for an archive with a path that leads out of the folder, a link or a
    device, and for a file that is damaged or not an archive; OSError if the disk has no room for it.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _unpack(list(_of_zip(opened, folder)), archive.name, folder, bar)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened_tar:
                _unpack(list(_of_tar(opened_tar, folder)), archive.name, folder, bar)
        else:
            raise ValueError(
                f"{archive} is neither a zip nor a tar archive, or it is cut off: delete it, then fetch again."
            )
    except DAMAGED as error:  # bad checksums, encryption, a cut: each library has its own kinds
        raise ValueError(f"{archive} cannot be unpacked ({error}): delete it, then fetch again.") from error


def require_room(folder: str | Path, needed: float, purpose: str) -> None:
    """OSError unless the disk of `folder`, which exists, has `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{purpose} needs {format_bytes(needed)} in {folder}, where {format_bytes(free)} are free: make room "
            "there, or name a folder on a larger disk",
        )


def format_bytes(count: float) -> str:
    """A number of bytes for people.

    >>> format_bytes(94_658_721)
    '95 MB'
    """
    unit = 0
    while count >= 999.5 and unit < len(UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.1f} {UNITS[unit]}" if 0 < count < 9.95 and unit else f"{count:.0f} {UNITS[unit]}"


@contextmanager
def report_full_disk(folder: str | Path) -> Iterator[None]:
    """A block in which a full disk becomes an OSError that says so."""
    try:
        yield
    except OSError as error:
        if is_full_disk(error):
            raise OSError(
                f"the disk of {folder} is full: make room there, or name a folder on a larger disk"
            ) from error
        raise


def is_full_disk(error: BaseException) -> bool:
    """Whether an error says that a disk, or a share of it, has no room left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _of_zip(opened: zipfile.ZipFile, folder: Path) -> Iterator[Member]:
    """The members of a zip archive."""
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)  # of the Unix mode; 0 where the archive was not made on Unix
        plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
        yield Member(info.filename, info.file_size, plain, partial(opened.extract, info, folder))


def _of_tar(opened: tarfile.TarFile, folder: Path) -> Iterator[Member]:
    """The members of a tar archive."""
    for info in opened.getmembers():
        plain = info.isfile() or info.isdir()
        yield Member(info.name, info.size, plain, partial(opened.extract, info, folder, filter="data"))


def _unpack(members: list[Member], name: str, folder: Path, bar: bool) -> None:
    """Puts all members into `folder`, after checking that all are harmless and that there is room."""
    for member in members:
        _require_harmless(name, member)
    folder.mkdir(parents=True, exist_ok=True)
    require_room(folder, sum(member.size for member in members), f"unpacking {name}")
    with progress(len(members), f"unpacking {name}", show=bar) as shown:
        for member in members:
            member.extract()
            shown.update()


def _require_harmless(archive: str, member: Member) -> None:
    """ValueError for a member that is not a plain file or folder, or that leads out of the folder."""
    path = member.path
    if path.startswith(("/", "\\")) or re.match("[A-Za-z]:", path) or ".." in re.split(r"[/\\]", path):
        raise ValueError(
            f"{archive} holds {path!r}, which leads out of its folder: it was not unpacked, do not use it."
        )
    if not member.plain:
        raise ValueError(f"{archive} holds {path!r}, a link or a device: it was not unpacked, do not use it.")
