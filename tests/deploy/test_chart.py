"""The chart for Kubernetes, offline: linted, rendered, and held against the API's schemas and our own settings.

Needs the extra `[deploy]` (make deploy-check).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import SECRETS, Settings

helm = pytest.importorskip("helm_python")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
yaml = pytest.importorskip("yaml")

CHART = Path(__file__).parents[2] / "deploy/helm/tieline"
# The oldest that Chart.yaml admits, and the newest whose schemas there are.
VERSIONS = ("1.30.0", kubernetes_validate.latest_version())
# Kinds of operators, whose schemas are not Kubernetes' own.
FOREIGN = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
# Secrets that not every deployment has: by extraEnv, that of encryption by a value of its own.
NOT_EVERYWHERE = {"openai_client_secret", "trace_key", "otlp_headers", "encryption_key"}
EVERYTHING: Mapping[str, Any] = {
    "autoscaling": {"enabled": True},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "ingress": {"enabled": True, "host": "bot.example", "tlsSecret": "tls", "className": "nginx", "vaicReports": True},
    "encryption": {"enabled": True},
    "bots": {"files": {"linden/bot.toml": '[bot]\nname = "linden"\n', "routes.toml": ""}},
    "networkPolicy": {"callsFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
    "settings": {"drain_s": 900, "lame_duck_s": 10, "drain_mode": "move"},
}


def rendered(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(dict(values))
        texts = chart.render(dict(values), name="calls", namespace="voice")
    documents = (each for name, text in texts.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text))
    return [each for each in documents if each]


def one(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = (each for each in rendered(values) if each["kind"] == kind)
    return found


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_lints_the_chart(values: Mapping[str, Any]) -> None:
    said = helm.lint(str(CHART), dict(values), strict=True)
    # Severity 1 is advice: the chart has no icon.
    assert [each for each in said["messages"] if each["severity"] > 1] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_what_is_rendered_is_what_kubernetes_takes(values: Mapping[str, Any], version: str) -> None:
    documents = [each for each in rendered(values) if each["kind"] not in FOREIGN]
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    assert {each["kind"] for each in documents} >= {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_each_variable_is_a_setting(values: Mapping[str, Any]) -> None:
    (container,) = one("Deployment", values)["spec"]["template"]["spec"]["containers"]
    names = [each["name"].removesuffix("_FILE").removeprefix("TIELINE_").lower() for each in container["env"]]
    assert set(names) <= set(Settings.model_fields)
    assert len(names) == len(set(names))
    assert set(SECRETS) - NOT_EVERYWHERE <= set(names)


def test_the_key_of_encryption_is_a_file_of_the_secret() -> None:
    pod = one("Deployment", {"encryption": {"enabled": True}})["spec"]["template"]["spec"]
    environment = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    folder, _, name = environment["TIELINE_ENCRYPTION_KEY_FILE"].rpartition("/")
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "secrets")
    assert (folder, name) == (mount["mountPath"], "encryption_key")


def test_of_the_ops_port_only_reports_are_let_in_from_outside() -> None:
    (rule,) = one("Ingress", EVERYTHING)["spec"]["rules"]
    ports = {each["path"]: each["backend"]["service"]["port"]["name"] for each in rule["http"]["paths"]}
    assert ports == {"/vaic/cdr": "ops", "/": "calls"}
    assert {each["pathType"] for each in rule["http"]["paths"] if each["path"] != "/"} == {"Exact"}
    assert {each["name"] for each in one("Service", EVERYTHING)["spec"]["ports"]} == {"calls", "ops"}
    assert {each["name"] for each in one("Service", {})["spec"]["ports"]} == {"calls"}


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_no_secret_is_a_plain_setting(secret: str) -> None:
    with pytest.raises(helm.HelmError):
        rendered({"settings": {secret: "in plain sight"}})


@pytest.mark.parametrize(("settings", "drain_s"), [({}, 605), ({"drain_s": 900, "lame_duck_s": 10}, 910)])
def test_a_pod_has_time_for_its_drain(settings: Mapping[str, Any], drain_s: int) -> None:
    pod = one("Deployment", {"settings": dict(settings)})["spec"]["template"]["spec"]
    hook_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= drain_s + hook_s + 30


def test_a_pod_may_do_nothing_but_its_work() -> None:
    pod = one("Deployment", {})["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["image"].rpartition(":")[2] != "latest"


def test_a_change_of_the_bots_starts_no_pod() -> None:
    one_bot = {"bots": {"files": {"linden/bot.toml": "a"}}}
    other = {"bots": {"files": {"linden/bot.toml": "b"}}}
    assert one("Deployment", one_bot) == one("Deployment", other)
    assert one("ConfigMap", one_bot) != one("ConfigMap", other)


def test_the_files_of_bots_arrive_under_their_names() -> None:
    files = {"linden/bot.toml": "name", "linden/tasks/callback.toml": "task", "routes.toml": "routes"}
    deployment, texts = one("Deployment", {"bots": {"files": files}}), one("ConfigMap", {"bots": {"files": files}})
    (volume,) = (each for each in deployment["spec"]["template"]["spec"]["volumes"] if each["name"] == "bots")
    assert volume["configMap"]["name"] == texts["metadata"]["name"]
    assert {each["path"]: texts["data"][each["key"]] for each in volume["configMap"]["items"]} == files


def test_prometheus_has_the_pods_as_the_job_that_alerts_look_at() -> None:
    label = one("PodMonitor", EVERYTHING)["spec"]["jobLabel"]
    job = one("Deployment", EVERYTHING)["spec"]["template"]["metadata"]["labels"][label]
    assert f'up{{job="{job}"}}' in (CHART.parents[1] / "prometheus/tieline.rules.yml").read_text()


def test_another_pod_is_started_before_the_pods_are_full() -> None:
    with pytest.raises(helm.HelmError, match="full before another is started"):
        rendered({"autoscaling": {"enabled": True, "targetCalls": 80}, "callsPerPod": 50})


@pytest.mark.parametrize(
    "values",
    [
        {"callsPerPod": 0},
        {"calls": 1},
        {"image": {"repository": "tieline", "tag": "latest"}},
        {"settings": {"drain_s": "long"}},
        {"settings": {"Time Zone": "UTC"}},
        {"ingress": {"enabled": True}},
        {"bots": {"files": {"../bot.toml": ""}}},
        {"networkPolicy": {"egressPorts": ["https"]}},
        {"existingSecret": ""},
    ],
    ids=str,
)
def test_wrong_values_are_refused(values: Mapping[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        rendered(values)
