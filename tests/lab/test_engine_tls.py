"""The engine over TLS: with its own certificate for a run, and with one that is given."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
import websockets
from pydantic import ValidationError

from lab.engine import EngineSettings
from tests.lab.engine_client import KEY, running
from tests.paced_loop import run_paced


async def greeting(url: str, trusted: Path) -> str:
    context = ssl.create_default_context(cafile=str(trusted))
    address = url.replace("127.0.0.1", "localhost")
    async with websockets.connect(f"{address}?model=any", additional_headers=KEY, ssl=context) as socket:
        return str(await socket.recv())


def test_a_certificate_is_made_for_the_run_and_clients_find_it_in_a_file(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(self_signed=tmp_path / "ca.pem") as engine:
            assert engine.url.startswith("wss://127.0.0.1:")
            assert "session.created" in await greeting(engine.url, tmp_path / "ca.pem")

    run_paced(call())


def test_a_certificate_that_is_given_is_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))

    async def call() -> None:
        async with running(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem") as engine:
            assert "session.created" in await greeting(engine.url, tmp_path / "ca.pem")

    run_paced(call())


@pytest.mark.parametrize(
    "files", [{"tls_cert": "a"}, {"tls_key": "a"}, {"tls_cert": "a", "tls_key": "b", "self_signed": "c"}]
)
def test_half_a_certificate_or_two_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="certificate"):
        EngineSettings.model_validate(files)


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(OSError, match="PEM"):
        running(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "cert.pem")
