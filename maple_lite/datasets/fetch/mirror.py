"""The mirror of the field's datasets on the Hugging Face hub: what it holds, and downloading a file of it whole.

File names, sizes and hashes are the hub's own, asked for at run time. Downloads go on where they stopped, in the same
run and in the next one. `hf_hub_download` has not done that since huggingface_hub 1.18; its `http_get` still does.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from maple_lite.datasets.fetch.archives import format_bytes, is_full_disk, report_full_disk
from maple_lite.support.progress import progress

REPOSITORY = "zhengli97/prompt_learning_dataset"
KINDS = ("model", "dataset")  # the field's mirror is kept as a "model"; a copy of it may be a dataset
PATIENCE = 30  # seconds for the hub to answer
ARCHIVES = re.compile(r"\.(zip|tar|tar\.gz|tgz|tar\.xz|tar\.bz2)$")
MB = 1_000_000
BUFFER = 1 << 18  # bytes of a remote archive that are read at once


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository on the hub, with the size and the hash that the hub states for it."""

    url: str
    name: str
    size: int
    sha256: str


def list_archives(repository: str = REPOSITORY, endpoint: str | None = None) -> list[RemoteFile]:
    """The archives of a repository on the hub, as they are now.

    `endpoint` is another server that answers as the hub does; the environment variable HF_ENDPOINT names one, too.
    Raises FileNotFoundError for a repository that does not exist, ConnectionError for a hub that does not answer.
    """
    api = HfApi(endpoint=endpoint)
    for kind in KINDS:
        try:
            info: Any = api.repo_info(repository, repo_type=kind, files_metadata=True, timeout=PATIENCE)
        except RepositoryNotFoundError:
            continue
        except Exception as error:  # no name, no route, a time-out: the hub's clients raise kinds of their own
            raise ConnectionError(f"the hub at {api.endpoint} does not answer ({_reason(error)})") from error
        url = partial(hf_hub_url, repository, repo_type=kind, revision=info.sha, endpoint=api.endpoint)
        return [
            RemoteFile(url(filename=file.rfilename), file.rfilename, file.lfs.size, file.lfs.sha256)
            for file in info.siblings or ()
            if ARCHIVES.search(file.rfilename) and file.lfs  # without it the hub states no hash
        ]
    raise FileNotFoundError(f"the hub at {api.endpoint} has no repository {repository}, or it is private")


def find_archive(folder: str, files: Iterable[RemoteFile]) -> RemoteFile | None:
    """The archive that has the name of a dataset's folder; dashes do not count: food101.zip belongs to food-101."""
    wanted = re.sub("[^a-z0-9]", "", folder.lower())
    names = {re.sub("[^a-z0-9]", "", ARCHIVES.sub("", Path(file.name).name.lower())): file for file in files}
    return names.get(wanted)


def local_path(file: RemoteFile, folder: Path) -> Path:
    """Where a download lies once it is whole; until then its part lies beside it, with ".part" after the name."""
    return folder / f"{file.sha256[:12]}-{Path(file.name).name}"


def count_bytes_left(file: RemoteFile, folder: Path) -> int:
    """Bytes of a file that are not in `folder` yet."""
    whole = local_path(file, folder)
    return 0 if whole.exists() else max(0, file.size - _size(_part(whole)))


def download(file: RemoteFile, folder: Path, bar: bool = True) -> Path:
    """The path in `folder` of a file of the hub, downloaded to its end and checked against the hub's hash.

    Raises ConnectionError if no more bytes come (those that have come stay for the next time), FileNotFoundError for a
    file that the hub no longer has, OSError for a full disk, ValueError for a wrong hash.
    """
    whole = local_path(file, folder)
    if whole.exists():
        return whole
    part = _part(whole)
    with report_full_disk(folder):
        while (before := _size(part)) < file.size:
            try:
                _go_on(file, part, bar)
            except EntryNotFoundError as error:
                raise FileNotFoundError(f"the hub lists {file.name} but does not have it") from error
            except Exception as error:  # see `list_archives`
                if is_full_disk(error):
                    raise
                if _size(part) <= before:
                    raise ConnectionError(
                        f"{file.name} stopped at {format_bytes(before)} of {format_bytes(file.size)} ({_reason(error)})"
                        "; what has come is kept, and the same command goes on from it"
                    ) from error
    _require_hash(file, part)
    os.replace(part, whole)
    return whole


def read_members(file: RemoteFile, ends: Iterable[str]) -> dict[str, bytes]:
    """{end: content} of the members of a zip archive on the hub whose path is one of `ends`, or ends with "/" and it.

    Only these and the archive's table of contents are read, not the whole archive. Each is checked against the zip's
    own checksum. Raises ConnectionError or ValueError for what cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(_Remote(file), BUFFER)) as opened:
            names = sorted(opened.namelist(), key=len)  # the least deep first
            found = {end: next((name for name in names if f"/{name}".endswith(f"/{end}")), None) for end in ends}
            return {end: opened.read(name) for end, name in found.items() if name}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file.name} on the hub is no zip archive that can be read ({error})") from error
    except Exception as error:  # see `list_archives`
        raise ConnectionError(f"{file.name} could not be read on the hub ({_reason(error)})") from error


class _Remote(io.RawIOBase):
    """A file of the hub as a stream that can seek: each read asks the hub for a range of bytes."""

    def __init__(self, file: RemoteFile) -> None:
        self.file, self.position = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.file.size}[whence]
        return self.position

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.file.size - self.position)
        if count <= 0:
            return 0
        content, last = io.BytesIO(), self.position + count - 1
        _get(self.file, content, count, _Megabytes(self.file, bar=False), range_=f"bytes={self.position}-{last}")
        buffer[:count] = content.getvalue()[:count]
        self.position += count
        return count


class _Megabytes:
    """The progress bar of a download: it is told of bytes and counts megabytes."""

    def __init__(self, file: RemoteFile, done: int = 0, bar: bool = True) -> None:
        self.bytes = done
        self.shown = progress(-(-file.size // MB), f"{Path(file.name).name}, MB", done=done // MB, show=bar)

    def update(self, count: int) -> None:
        self.bytes += count
        self.shown.update(-(-self.bytes // MB) - self.shown.n)

    def __enter__(self) -> _Megabytes:
        return self

    def __exit__(self, *error: object) -> None:
        self.shown.close()


def _go_on(file: RemoteFile, part: Path, bar: bool) -> None:
    """Adds what is missing to the part of a file; http_get connects again, up to five times, if it is cut off."""
    with part.open("ab") as opened, _Megabytes(file, opened.tell(), bar) as shown:
        _get(file, opened, file.size, shown, resume_size=opened.tell())


def _get(file: RemoteFile, into: Any, size: int, bar: Any, resume_size: int = 0, range_: str = "") -> None:
    """Writes `size` bytes of a file of the hub into an open one, as huggingface_hub has it.

    `_tqdm_bar` is what all its versions from 0.36 to 2.4 take; `tqdm_class` is newer.
    """
    headers = build_hf_headers() | ({"Range": range_} if range_ else {})
    http_get(file.url, into, resume_size=resume_size, headers=headers, expected_size=size, _tqdm_bar=bar)


def _require_hash(file: RemoteFile, part: Path) -> None:
    """ValueError unless the part has the hash that the hub states; a wrong part is deleted."""
    with part.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.sha256:
        part.unlink()
        raise ValueError(
            f"{file.name} came with the sha256 {found[:12]}…, not the hub's {file.sha256[:12]}…, and was deleted: "
            "something between here and the hub changes files"
        )


def _part(whole: Path) -> Path:
    """The path of a download that is not whole yet."""
    return whole.with_name(f"{whole.name}.part")


def _size(path: Path) -> int:
    """The number of bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    """The first line of an error, or its kind if it has no words."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
