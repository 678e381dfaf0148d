"""Fetching datasets, against a server on loopback that answers as the hub does, and through torchvision's classes."""

from __future__ import annotations

import argparse
import errno
import hashlib
import io
import json
import os
import socket
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torchvision
from filelock import FileLock
from huggingface_hub import constants, file_download
from layouts import lay_out

from maple_lite.cli import datasets as command
from maple_lite.datasets import open_dataset
from maple_lite.datasets.fetch import archives, available, fetch, mirror
from maple_lite.datasets.photos.catalog import CATALOG, find_missing

COMMIT = "c" * 40
SPLIT = b'{"train": [], "val": [], "test": []}'
EUROSAT = {
    "eurosat/2750/Forest/Forest_1.jpg": os.urandom(9000),
    "eurosat/2750/River/River_1.jpg": os.urandom(9000),
    "eurosat/split_zhou_EuroSAT.json": SPLIT,
}


def zipped(members: dict[str, bytes], mode: int = stat.S_IFREG) -> bytes:
    """A zip archive, not compressed, whose members have the Unix file type `mode`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode | 0o644) << 16
            opened.writestr(info, content)
    return out.getvalue()


class Hub:
    """What a test puts on the hub, how it misbehaves, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"README.md": b"no archive", "eurosat.zip": zipped(EUROSAT)}
        self.kind, self.cuts, self.gone, self.lies, self.ranges = "models", [], False, False, []
        self.repository, self.deaf = mirror.REPOSITORY, False

    def info(self) -> dict:
        """The repository as /api states it with ?blobs=True."""
        siblings = []
        for name, content in self.files.items():
            sha256 = hashlib.sha256(b"lie" if self.lies else content).hexdigest()
            lfs = {"size": len(content), "sha256": sha256, "pointerSize": 130}
            plain = {"rfilename": name, "size": len(content), "blobId": "b" * 40}
            siblings.append(plain if name.endswith(".md") else plain | {"lfs": lfs})
        return {"id": self.repository, "sha": COMMIT, "siblings": siblings}


class Answers(BaseHTTPRequestHandler):
    """The hub's answers: information, the redirection to a store of files, and parts of files."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        path, hub = self.path.split("?")[0], self.hub
        prefix = "" if hub.kind == "models" else "/datasets"
        resolve = f"{prefix}/{hub.repository}/resolve/{COMMIT}/"
        if path == f"/api/{hub.kind}/{hub.repository}":
            assert "blobs=true" in self.path.lower()
            self.answer(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif path.startswith(resolve) and not hub.gone:
            self.answer(302, b"", {"Location": f"/store/{path.removeprefix(resolve)}", "X-Repo-Commit": COMMIT})
        elif path.startswith("/store/"):
            self.part(hub.files[path.removeprefix("/store/")])
        else:
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    def part(self, content: bytes) -> None:
        """The range that is asked for, or all; cut off after as many bytes as the test says."""
        asked, whole = self.headers.get("Range"), len(content)
        self.hub.ranges.append(asked)
        asked = None if self.hub.deaf else asked
        first, last = asked.removeprefix("bytes=").split("-") if asked else ("0", "")
        start, stop = int(first), int(last) + 1 if last else whole
        headers = {"Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{whole}"
        self.answer(
            206 if asked else 200, content[start:stop], headers, self.hub.cuts.pop(0) if self.hub.cuts else None
        )

    def answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = cut is not None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch):
    """A hub on loopback, downloads in pieces of 1000 bytes, and no pauses before a new try."""
    served = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Answers,), {"hub": served}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield served
    server.shutdown()
    server.server_close()


def files_in(folder: Path) -> dict[str, bytes]:
    """{path: content} of all files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def bring(name: str, root: Path, hub: Hub, source: str = "hub") -> Path:
    return fetch.fetch(name, root, source, bar=False, endpoint=hub.endpoint)


def test_a_dataset_is_put_in_place_whole_and_nothing_else_stays(hub, tmp_path):
    assert bring("eurosat", tmp_path, hub) == tmp_path / "eurosat"
    assert files_in(tmp_path) == EUROSAT


def test_a_complete_dataset_is_left_alone_without_asking_the_hub(hub, tmp_path):
    bring("eurosat", tmp_path, hub)
    hub.ranges.clear()
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_bytes(b"mine")
    bring("eurosat", tmp_path, hub)
    assert not hub.ranges
    assert (tmp_path / "eurosat/split_zhou_EuroSAT.json").read_bytes() == b"mine"


def test_a_copy_of_the_mirror_may_be_a_dataset_repository(hub, tmp_path):
    hub.kind = "datasets"
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == EUROSAT


def test_a_cut_connection_goes_on_where_it_was_cut(hub, tmp_path):
    hub.cuts = [7000]
    bring("eurosat", tmp_path, hub)
    assert hub.ranges == [None, "bytes=7000-"]
    assert files_in(tmp_path) == EUROSAT


def test_a_stopped_download_goes_on_in_the_next_run(hub, tmp_path):
    hub.cuts = [7000] + [0] * 50
    with pytest.raises(ConnectionError, match=r"eurosat was not fetched: eurosat.zip stopped at .* goes on.*by hand"):
        bring("eurosat", tmp_path, hub)
    [part] = (tmp_path / ".fetch").glob("*.part")
    assert part.read_bytes() == hub.files["eurosat.zip"][:7000]
    hub.cuts, hub.ranges = [], []
    bring("eurosat", tmp_path, hub)
    assert hub.ranges == ["bytes=7000-"]
    assert files_in(tmp_path) == EUROSAT


def test_a_download_goes_on_as_long_as_bytes_come(hub, tmp_path, monkeypatch):
    content, calls = hub.files["eurosat.zip"], []

    def reset(url, opened, *, resume_size, **_):
        calls.append(resume_size)
        opened.write(content[resume_size : resume_size + 3000])
        raise RuntimeError("connection reset by peer")  # a kind that huggingface_hub itself gives up on

    monkeypatch.setattr(mirror, "http_get", reset)
    bring("eurosat", tmp_path, hub)
    assert calls == list(range(0, len(content), 3000))
    assert files_in(tmp_path) == EUROSAT


def test_a_server_that_ignores_ranges_is_read_from_the_start(hub, tmp_path):
    hub.cuts, hub.deaf = [7000], True
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == EUROSAT


def test_a_changed_file_of_the_hub_does_not_go_on_from_the_part_of_the_old_one(hub, tmp_path):
    hub.cuts = [7000] + [0] * 50
    with pytest.raises(ConnectionError):
        bring("eurosat", tmp_path, hub)
    changed = {name: content[::-1] for name, content in EUROSAT.items()}
    hub.files["eurosat.zip"], hub.cuts = zipped(changed), []
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path / "eurosat") == files_in_of(changed, "eurosat")


def files_in_of(members: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): content for name, content in members.items()}


def test_a_file_with_another_hash_is_deleted(hub, tmp_path):
    hub.lies = True
    with pytest.raises(ValueError, match=r"sha256 .* was deleted: .*\. Fetch it again, or put 2750 and split_zhou"):
        bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == {".fetch/eurosat.lock": b""}


def test_what_is_not_there_is_named(hub, tmp_path):
    with pytest.raises(ValueError, match=r"unknown dataset 'eurosta': did you mean 'eurosat'"):
        bring("eurosta", tmp_path, hub)
    with pytest.raises(ValueError, match=r"unknown source 'web'"):
        bring("eurosat", tmp_path, hub, "web")
    with pytest.raises(
        FileNotFoundError, match=r"get it from image-net.org, and put images/train, images/val and classnam"
    ):
        bring("imagenet", tmp_path, hub)
    with pytest.raises(
        FileNotFoundError, match=r"has no archive of dtd.*put images and split_zhou_Desc.* into .*dtd by"
    ):
        bring("dtd", tmp_path, hub)
    hub.gone = True
    with pytest.raises(FileNotFoundError, match=r"the hub lists eurosat.zip but does not have it"):
        bring("eurosat", tmp_path, hub)
    hub.repository = "someone/else"
    with pytest.raises(FileNotFoundError, match=rf"has no repository {mirror.REPOSITORY}"):
        bring("eurosat", tmp_path, hub)


def test_a_hub_that_does_not_answer_is_a_sentence(hub, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        hub.endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(
        ConnectionError, match=r"eurosat was not fetched: the hub at http.* does not answer .*by hand\.$"
    ):
        bring("eurosat", tmp_path, hub)


def test_only_the_split_file_is_read_where_the_pictures_are_there(hub, tmp_path):
    mine = tmp_path / "eurosat/2750/Forest/mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    hub.files["eurosat.zip"] = zipped({**EUROSAT, "eurosat/2750/large.jpg": bytes(5_000_000)})
    bring("eurosat", tmp_path, hub)
    split = "eurosat/split_zhou_EuroSAT.json"
    assert files_in(tmp_path) == {"eurosat/2750/Forest/mine.jpg": b"mine", split: SPLIT}
    read = sum(int(last) - int(first) + 1 for first, last in (asked[6:].split("-") for asked in hub.ranges))
    assert read < 1_500_000  # of 5 MB: the end of the archive and the split's place, in blocks of 256 kB


def test_what_a_user_has_stays_and_what_lacks_is_added(hub, tmp_path):
    split = tmp_path / "eurosat/split_zhou_EuroSAT.json"
    split.parent.mkdir()
    split.write_bytes(b"mine")
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == {**EUROSAT, "eurosat/split_zhou_EuroSAT.json": b"mine"}


def test_a_linked_folder_is_filled_where_it_lies(hub, tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere/eurosat"
    root.mkdir()
    elsewhere.mkdir(parents=True)
    (root / "eurosat").symlink_to(elsewhere)
    bring("eurosat", root, hub)
    assert (root / "eurosat").is_symlink()
    assert files_in(elsewhere.parent) == EUROSAT


@pytest.mark.parametrize("around", ["", "data/"])
def test_the_archive_s_own_folder_is_found(hub, tmp_path, around):
    bare = {name.removeprefix("eurosat/"): content for name, content in EUROSAT.items()}
    hub.files["eurosat.zip"] = zipped({f"{around}{name}": content for name, content in bare.items()})
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == EUROSAT


def test_an_archive_without_the_split_file_leaves_its_pictures_and_says_so(hub, tmp_path):
    split = "eurosat/split_zhou_EuroSAT.json"
    hub.files["eurosat.zip"] = zipped({name: content for name, content in EUROSAT.items() if name != split})
    with pytest.raises(FileNotFoundError, match=r"lacks split_zhou_EuroSAT.json; .* put split_zhou_EuroSAT.json into"):
        bring("eurosat", tmp_path, hub)
    assert len(files_in(tmp_path / "eurosat/2750")) == 2
    assert available.available(tmp_path).set_index("name").loc["eurosat", "missing"] == "split_zhou_EuroSAT.json"


def test_an_archive_of_something_else_is_refused(hub, tmp_path):
    hub.files["eurosat.zip"] = zipped({"cats/1.jpg": b"cat"})
    with pytest.raises(ValueError, match=r"does not hold 2750 and split_zhou"):
        bring("eurosat", tmp_path, hub)
    assert not (tmp_path / "eurosat").exists()


def test_room_is_asked_for_before_the_download(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: argparse.Namespace(free=30_000))
    with pytest.raises(OSError, match=r"eurosat.zip needs 39 kB in .*, where 30 kB are free: make room there, or name"):
        bring("eurosat", tmp_path, hub)
    assert not hub.ranges


def test_a_disk_that_runs_full_is_a_sentence_and_the_archive_stays(hub, tmp_path, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")

    def full(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
        with open("/dev/full", "wb") as device:
            device.write(b"x")

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "extract", full)
        with pytest.raises(OSError, match=r"the disk of .* is full: make room there"):
            bring("eurosat", tmp_path, hub)
    assert not (tmp_path / "eurosat").exists()
    assert not list(tmp_path.rglob("*.unpacked"))
    hub.ranges.clear()
    bring("eurosat", tmp_path, hub)
    assert hub.ranges == []  # the archive had come whole
    assert files_in(tmp_path) == EUROSAT


def test_a_disk_that_runs_full_while_downloading_keeps_the_part(hub, tmp_path, monkeypatch):
    real = mirror.http_get

    def full(url, opened, **options):
        hub.cuts = [7000]
        with pytest.raises(Exception, match="stop"):
            real(url, Stopping(opened), **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Stopping(io.BufferedIOBase):
        def __init__(self, opened):
            self.opened = opened

        def write(self, content):
            if self.opened.tell() >= 7000:
                raise RuntimeError("stop")
            return self.opened.write(content)

    with monkeypatch.context() as patched:
        patched.setattr(mirror, "http_get", full)
        with pytest.raises(OSError, match=r"the disk of .* is full: make room there"):
            bring("eurosat", tmp_path, hub)
    hub.cuts, hub.ranges = [], []
    bring("eurosat", tmp_path, hub)
    assert hub.ranges == ["bytes=7000-"]


def test_two_processes_do_not_fetch_the_same_dataset(hub, tmp_path):
    (tmp_path / ".fetch").mkdir()
    with (
        FileLock(tmp_path / ".fetch/eurosat.lock"),
        pytest.raises(OSError, match="another process is fetching eurosat into"),
    ):
        bring("eurosat", tmp_path, hub)


def test_a_root_that_cannot_be_written_is_a_sentence(hub, tmp_path):
    (tmp_path / "root").write_text("a file")
    with pytest.raises(OSError, match=r"eurosat was not fetched: .*root.*by hand"):
        bring("eurosat", tmp_path / "root", hub)


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/out.txt", "C:\\out.txt", "..\\out.txt"])
def test_archives_cannot_write_outside_their_folder(tmp_path, name):
    archive, inside = tmp_path / "evil.zip", tmp_path / "inside"
    archive.write_bytes(zipped({"good.txt": b"good", name: b"out"}))
    with pytest.raises(
        ValueError, match=r"evil.zip holds .*out.txt', which leads out of its folder: it was not unpacked"
    ):
        archives.unpack(archive, inside, bar=False)
    tarred(archive, tarfile.TarInfo(name))
    with pytest.raises(ValueError, match="leads out of its folder"):
        archives.unpack(archive, inside, bar=False)
    assert [path.name for path in tmp_path.rglob("*.txt")] == []


def tarred(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> None:
    """A tar archive with empty members."""
    with tarfile.open(path, mode) as opened:
        for member in members:
            opened.addfile(member)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_archives_bring_no_links_and_no_devices(tmp_path, kind):
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "good.txt"
    tarred(tmp_path / "evil.tar", tarfile.TarInfo("good.txt"), member)
    with pytest.raises(ValueError, match=r"evil.tar holds 'link', a link or a device: it was not unpacked"):
        archives.unpack(tmp_path / "evil.tar", tmp_path / "inside", bar=False)
    (tmp_path / "evil.zip").write_bytes(zipped({"link": b"/etc/passwd"}, stat.S_IFLNK))
    with pytest.raises(ValueError, match="a link or a device"):
        archives.unpack(tmp_path / "evil.zip", tmp_path / "inside", bar=False)
    assert not (tmp_path / "inside").exists()


def test_damaged_archives_are_a_sentence(tmp_path):
    good, archive = zipped(EUROSAT), tmp_path / "a.zip"
    wrong = bytearray(good)
    wrong[200] ^= 1
    for content in (good[:9000], b"text", b"", bytes(wrong)):
        archive.write_bytes(content)
        with pytest.raises(ValueError, match=r"a.zip (is neither a zip nor a tar|cannot be unpacked).*fetch again"):
            archives.unpack(archive, tmp_path / "inside", bar=False)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        member = tarfile.TarInfo("large.bin")
        member.size = 90_000
        opened.addfile(member, io.BytesIO(os.urandom(90_000)))
    archive.write_bytes(packed.getvalue()[:50_000])
    with pytest.raises(ValueError, match=r"a.zip cannot be unpacked"):
        archives.unpack(archive, tmp_path / "inside", bar=False)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar_archives_are_unpacked_too(hub, tmp_path, mode):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as opened:
        for name, data in EUROSAT.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    hub.files = {f"eurosat.{'tar' if mode == 'w' else mode.replace('w:', 'tar.')}": content.getvalue()}
    bring("eurosat", tmp_path, hub)
    assert files_in(tmp_path) == EUROSAT


@pytest.mark.parametrize("name", [name for name in CATALOG if name != fetch.BY_HAND])
def test_every_dataset_comes_as_it_is_laid_out_and_opens(hub, tmp_path, name):
    entry, there = CATALOG[name], tmp_path / "there"
    class_names, _ = lay_out(there, name)
    packed = zipped({path: content for path, content in files_in(there).items() if path.startswith(f"{entry.folder}/")})
    hub.files = {f"{entry.folder.replace('-', '')}.zip": packed}
    bring(entry.title, tmp_path / "fetched", hub)
    assert files_in(tmp_path / "fetched/" / entry.folder) == files_in(there / entry.folder)
    assert open_dataset(name, tmp_path / "fetched").class_names == class_names


MIRRORED = [  # names of the mirror's archives as a user's script has them, 2026
    *("caltech-101", "dtd", "eurosat", "fgvc_aircraft", "food101", "oxford_flowers", "oxford_pets", "stanford_cars"),
    *("sun397", "ucf101", "imagenet-adversarial", "imagenet-rendition", "imagenet-sketch", "imagenetv2"),
]


def test_the_mirror_s_fourteen_archives_belong_to_fourteen_datasets():
    files = [mirror.RemoteFile("", f"{name}.zip", 1, "") for name in MIRRORED]
    found = {name: mirror.find_archive(entry.folder, files) for name, entry in CATALOG.items()}
    assert found.pop("imagenet") is None
    assert sorted(file.name for file in found.values()) == sorted(file.name for file in files)


TORCHVISION_LAYOUT = {  # what each class leaves below its root, as its source says
    "caltech101": ["caltech101/101_ObjectCategories/ant/1.jpg", "caltech101/Annotations/ant/1.mat"],
    "oxford_pets": [
        "oxford-iiit-pet/images/a_1.jpg",
        "oxford-iiit-pet/annotations/list.txt",
        "oxford-iiit-pet/i.tar.gz",
    ],
    "oxford_flowers": ["flowers-102/jpg/image_00001.jpg", "flowers-102/imagelabels.mat", "flowers-102/102flowers.tgz"],
    "food101": ["food-101/images/pizza/1.jpg", "food-101/meta/train.json", "food-101.tar.gz"],
    "fgvc_aircraft": [
        f"fgvc-aircraft-2013b/data/{name}" for name in ("images/1.jpg", *CATALOG["fgvc_aircraft"].needs[1:])
    ],
    "sun397": ["SUN397/a/abbey/1.jpg", "SUN397.tar.gz"],
    "dtd": ["dtd/dtd/images/dotted/1.jpg", "dtd/dtd/labels/train1.txt", "dtd/dtd-r1.0.1.tar.gz"],
    "eurosat": ["eurosat/2750/Forest/1.jpg", "eurosat/EuroSAT.zip"],
}


@pytest.mark.parametrize("name", fetch.TORCHVISION)
def test_torchvision_s_folders_become_ours_and_the_split_comes_from_the_mirror(hub, tmp_path, monkeypatch, name):
    def download(root: str, download: bool) -> None:
        for path in TORCHVISION_LAYOUT[name]:
            (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / path).write_bytes(b"picture")

    monkeypatch.setattr(torchvision.datasets, fetch.TORCHVISION[name], download)
    entry = CATALOG[name]
    hub.files = {f"{entry.folder}.zip": zipped({f"{entry.folder}/{entry.split_file}": SPLIT, "other.jpg": b"other"})}
    folder = bring(name, tmp_path, hub, "torchvision")
    assert find_missing(entry, tmp_path) == []
    assert not [path for path in tmp_path.rglob("*") if mirror.ARCHIVES.search(path.name)]
    assert entry.split_file is None or (folder / entry.split_file).read_bytes() == SPLIT
    assert [path.name for path in tmp_path.iterdir()] == [entry.folder]


def test_torchvision_has_not_all_and_says_what_failed(hub, tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match=r"torchvision does not download stanford_cars: leave the source out, or choose"
    ):
        bring("stanford_cars", tmp_path, hub, "torchvision")

    def fails(root: str, download: bool) -> None:
        (Path(root) / "eurosat").mkdir()
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "EuroSAT", fails)
    with pytest.raises(OSError, match=r"eurosat was not fetched: File not found or corrupted\. Fetch it again, or put"):
        bring("eurosat", tmp_path, hub, "torchvision")
    assert files_in(tmp_path) == {".fetch/eurosat.lock": b""}


def test_torchvision_s_names_are_classes_that_download():
    for name in fetch.TORCHVISION.values():
        assert {"root", "download"} <= set(torchvision.datasets.__dict__[name].__init__.__code__.co_varnames)


def test_available_says_what_is_there(hub, tmp_path):
    bring("eurosat", tmp_path, hub)
    (tmp_path / "dtd/images").mkdir(parents=True)
    (tmp_path / "dtd/split_zhou_DescribableTextures.json").write_bytes(SPLIT)
    table = available.available(tmp_path).set_index("name")
    assert list(table.index) == list(CATALOG)
    size = sum(len(content) for content in EUROSAT.values())
    assert tuple(table.loc["eurosat"]) == ("eurosat", "ready", "", size, 2)
    assert tuple(table.loc["dtd"]) == ("dtd", "incomplete", "images", len(SPLIT), 0)
    assert tuple(table.loc["sun397"]) == ("sun397", "missing", "SUN397", 0, 0)


def use_as_hub(monkeypatch, endpoint: str) -> None:
    """Makes a server the hub of this process, as HF_ENDPOINT would at its start."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    resolve = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + resolve)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_announces_fetches_and_lists(hub, tmp_path, monkeypatch, capsys):
    use_as_hub(monkeypatch, hub.endpoint)
    monkeypatch.setenv("MAPLE_LITE_DATASETS", str(tmp_path / "data"))
    with pytest.raises(OSError, match=r"^dtd was not fetched: the mirror .* has no archive of dtd"):
        command.run(options("--fetch", "eurosat", "dtd", "EuroSAT"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["eurosat: 18 kB on the mirror", "dtd: not on the mirror", "together 18 kB"]
    assert lines[3] == f"eurosat: {tmp_path / 'data/eurosat'}"
    assert any(line.split() == ["eurosat", "eurosat", "ready", "18", "kB", "2"] for line in lines)


def test_the_command_s_mistakes_are_sentences(hub, tmp_path, monkeypatch):
    monkeypatch.delenv("MAPLE_LITE_DATASETS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="datasets is not a folder: correct root, or make it"):
        command.run(options())
    with pytest.raises(ValueError, match="unknown dataset 'mnist'"):
        command.run(options("--root", str(tmp_path), "--fetch", "mnist"))
    use_as_hub(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"nothing was fetched: the hub at http://127.0.0.1:9 does not answer .*by hand"):
        command.run(options("--root", str(tmp_path), "--fetch", "all"))


def test_a_stopped_command_says_that_it_goes_on(hub, tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    use_as_hub(monkeypatch, hub.endpoint)
    monkeypatch.setattr(mirror, "http_get", stop)
    with pytest.raises(RuntimeError, match="stopped: what has come is kept, and the same command goes on"):
        command.run(options("--root", str(tmp_path), "--fetch", "eurosat"))


@pytest.mark.parametrize(
    "count, text", [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (94_658_721, "95 MB"), (999_999, "1.0 MB")]
)
def test_in_units(count, text):
    assert archives.format_bytes(count) == text
