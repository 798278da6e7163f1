"""Uploads to a real S3-compatible server (moto's), which also fails, stalls and dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recordings.facts import SpoolBlock
from recordings.part import CallManifest, make_part
from recordings.spool import DONE, MADE
from recordings.upload import open_store, upload
from tests.mortal import mortal
from tests.recordings.failing_proxy import FailingProxy
from tests.recordings.kept import FACTS, block, kept, spooled

BUCKET = "calls"
URL = f"s3://{BUCKET}/kept"
ROOT = Path(__file__).parents[2]
WHERE = "2026-11-23/c-1"


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server
    server.stop()


class Bucket:
    """The server's bucket, by way of a proxy. What is in it is asked of the server itself."""

    def __init__(self, server: ThreadedMotoServer, proxy: FailingProxy) -> None:
        host, port = server.get_host_and_port()
        self.proxy = proxy
        self._client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def files(self) -> dict[str, bytes]:
        listed = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: self._client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in listed}

    def manifest(self) -> CallManifest:
        return CallManifest.model_validate_json(self.files()[f"kept/{WHERE}/manifest.json"])

    def unfinished(self) -> int:
        """How many uploads have begun and never ended."""
        return len(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))

    def empty(self) -> None:
        for key in self.files():
            self._client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def bucket(server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with FailingProxy(*server.get_host_and_port()) as proxy:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        bucket = Bucket(server, proxy)
        yield bucket
        bucket.empty()


def one(epoch: int = 1, since_ms: int = 0) -> list[SpoolBlock]:
    facts = FACTS.model_copy(update={"since_call_ms": since_ms})
    return [block(1, until_ms=3000, last=True, facts=facts, part=f"p{epoch}")]


def making(spool: Path, folder: Path) -> list[str]:
    """The command line that makes and uploads what is in a spool."""
    parts = sorted(each for each in spool.iterdir() if each.suffix in (DONE, MADE))
    return mortal([sys.executable, "-m", "recordings", "--to", URL, str(folder), *map(str, parts)])


def made(spool: Path, folder: Path) -> int:
    """The exit code of the process that does so."""
    return subprocess.run(making(spool, folder), cwd=ROOT, check=False, timeout=300).returncode


def test_a_part_is_uploaded_joined_and_gone_from_the_disk(bucket: Bucket, tmp_path: Path) -> None:
    spooled(one(), tmp_path / "spool" / "me")
    assert made(tmp_path / "spool" / "me", tmp_path) == 0
    assert sorted(bucket.files()) == [
        f"kept/{WHERE}/{name}"
        for name in ("manifest.json", "part-000001-000000000-p1.flac", "part-000001-000000000-p1.json",
                     "part-000001-000000000-p1.peaks.json")
    ]  # fmt: skip
    assert [part.epoch for part in bucket.manifest().parts] == [1]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_parts_of_several_processes_are_joined_though_each_has_only_its_own(bucket: Bucket, tmp_path: Path) -> None:
    for epoch in (2, 1):
        part = kept(one(epoch, 5000 * epoch), tmp_path / str(epoch), epoch=epoch)
        upload(open_store(URL), part.path, tmp_path / str(epoch))
    assert [part.epoch for part in bucket.manifest().parts] == [1, 2]


def test_an_upload_that_nobody_has_noted_is_done_again(bucket: Bucket, tmp_path: Path) -> None:
    path = spooled(one(), tmp_path / "spool" / "me")
    part = make_part(path, tmp_path)
    assert part is not None
    path.with_suffix(MADE).write_text(str(part))
    path.unlink()
    upload(open_store(URL), part, tmp_path)
    before = bucket.files()
    assert made(tmp_path / "spool" / "me", tmp_path) == 0
    assert bucket.files() == before
    assert not path.with_suffix(MADE).exists()


@pytest.mark.parametrize(
    "fault", ["cuts", *(pytest.param(each, marks=pytest.mark.faults) for each in ("refuses", "answers 503"))]
)
def test_while_the_store_fails_the_recording_waits_on_the_disk(bucket: Bucket, tmp_path: Path, fault: str) -> None:
    bucket.proxy.fault = fault
    spool = tmp_path / "spool" / "me"
    spooled(one(), spool)
    assert made(spool, tmp_path) == 1
    assert [each.suffix for each in spool.iterdir()] == [MADE]
    assert (tmp_path / WHERE / "part-000001-000000000-p1.flac").exists()
    assert bucket.files() == {}
    bucket.proxy.fault = ""
    assert made(spool, tmp_path) == 0
    assert len(bucket.files()) == 4
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_connection_that_is_lost_in_the_middle_is_tried_again_at_once(bucket: Bucket, tmp_path: Path) -> None:
    bucket.proxy.losses = 3
    part = kept(one(), tmp_path)
    upload(open_store(URL), part.path, tmp_path)
    assert bucket.proxy.losses == 0
    assert len(bucket.files()) == 4


def test_a_part_of_which_nothing_can_be_made_is_kept_for_a_person_and_holds_up_no_other(
    bucket: Bucket, tmp_path: Path
) -> None:
    spool = tmp_path / "spool" / "me"
    spooled(one(), spool)
    spooled([block(1, until_ms=10.0**12, last=True, part="bad")], spool)
    assert made(spool, tmp_path) == 0
    assert [each.name for each in spool.iterdir()] == ["bad.bad"]
    assert len(bucket.files()) == 4


def test_an_upload_whose_process_is_killed_in_the_middle_is_done_whole_by_the_next(
    bucket: Bucket, tmp_path: Path
) -> None:
    spool = tmp_path / "spool" / "me"
    path = spooled(one(), spool)
    part = make_part(path, tmp_path)
    assert part is not None
    path.with_suffix(MADE).write_text(str(part))
    path.unlink()
    (sound,) = part.parent.glob("*.flac")
    samples = os.urandom(12 << 20)  # more than the store is sent in one request
    sound.write_bytes(samples)
    bucket.proxy.room = 7 << 20
    with subprocess.Popen(making(spool, tmp_path), cwd=ROOT) as child:
        assert bucket.proxy.full.wait(60)
        child.kill()
    assert bucket.files() == {}
    assert [each.suffix for each in spool.iterdir()] == [MADE]
    bucket.proxy.room = 1 << 40
    assert made(spool, tmp_path) == 0
    assert len(bucket.files()) == 4
    assert bucket.files()[f"kept/{WHERE}/{sound.name}"] == samples
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert bucket.unfinished()  # until the bucket's lifecycle aborts it
