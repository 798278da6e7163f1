"""The compose file: what it names is there, and its variables are settings. Needs the extra `[deploy]`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import SECRETS, Settings

yaml = pytest.importorskip("yaml")
FOLDER = Path(__file__).parents[2] / "deploy/compose"


def composed() -> Any:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def test_each_variable_is_a_setting() -> None:
    for name in ("one", "two"):
        service = composed()["services"][name]
        names = [each.removesuffix("_FILE").removeprefix("TIELINE_").lower() for each in service["environment"]]
        assert set(names) <= set(Settings.model_fields)


def test_encryption_is_added_to_each_process() -> None:
    added, made = yaml.safe_load((FOLDER / "encryption.yaml").read_text()), composed()
    assert set(added["services"]) == {name for name, each in made["services"].items() if "build" in each}
    for service in added["services"].values():
        assert service["environment"] == {"TIELINE_ENCRYPTION_KEY_FILE": "/run/secrets/encryption_key"}
        assert service["secrets"] == list(added["secrets"])
    assert "encryption_key" in SECRETS


def test_what_it_names_is_there() -> None:
    made = composed()
    for service in made["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in made["volumes"] or source == "./bots" or (FOLDER / source).is_file(), volume
        assert set(service.get("secrets", ())) <= set(made["secrets"])
        assert "latest" not in service["image"]
    assert (FOLDER / made["services"]["one"]["build"]["context"] / "deploy/image/Containerfile").is_file()


def test_a_process_has_time_for_its_drain() -> None:
    service = composed()["services"]["one"]
    lame_duck_s = Settings.model_fields["lame_duck_s"].default
    assert (
        int(service["stop_grace_period"].removesuffix("s"))
        >= int(service["environment"]["TIELINE_DRAIN_S"]) + lame_duck_s + 30
    )


def test_the_secrets_are_made_once_and_are_different(tmp_path: Path) -> None:
    script = shutil.copy(FOLDER / "secrets.sh", tmp_path)
    environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-test"}

    def made() -> dict[str, str]:
        subprocess.run(["sh", script], env=environment, check=True, capture_output=True)
        return {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}

    first = made()
    assert first == made()
    assert {f"./secrets/{name}" for name in first} == {each["file"] for each in composed()["secrets"].values()}
    assert first["openai_api_key"] == "sk-test"
    assert first["postgres_password"] in first["database_url"]
    assert len(set(first.values())) == len(first)
    assert min(len(first[each]) for each in ("vaic_token", "ops_token", "postgres_password")) == 64


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_understands_its_configuration(tmp_path: Path) -> None:
    token = tmp_path / "ops_token"
    token.write_text("token")
    text = (FOLDER / "prometheus.yml").read_text().replace("/run/secrets/ops_token", str(token))
    text = text.replace("/etc/prometheus/tieline.rules.yml", str(FOLDER.parent / "prometheus/tieline.rules.yml"))
    (tmp_path / "prometheus.yml").write_text(text)
    subprocess.run(["promtool", "check", "config", str(tmp_path / "prometheus.yml")], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_a_container_that_is_not_there_keeps_the_other_from_nothing() -> None:
    given = {name: str(value) for name, value in composed()["services"]["haproxy"]["environment"].items()}
    given |= {"TIELINE_BIND": "127.0.0.1:8050", "TIELINE_ONE": "one.invalid:8050", "TIELINE_TWO": "127.0.0.1:8051"}
    command = ["haproxy", "-c", "-f", str(FOLDER.parent / "haproxy/haproxy.cfg")]
    said = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "disabling server" in said.stderr
