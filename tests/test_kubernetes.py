"""The Kubernetes manifests are what a cluster takes, agree with each other and with the service, and lock it down."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr

from service.app import create_app
from service.settings import Settings, described

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "kubernetes"
# Applied by kubectl itself, so no cluster has a schema of it.
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
RELEASES = ("1.30.0", "1.34.0", kubernetes_validate.latest_version())  # preStop may sleep since 1.30
RESOURCES = [one for path in FILES for one in yaml.safe_load_all(path.read_text("utf-8"))]
USER = 10001
DRAIN, SHUTDOWN = "SEGMENTATION_DRAIN_SECONDS", "SEGMENTATION_SHUTDOWN_SECONDS"


def the(kind: str, name: str = "customer-segmentation") -> dict[str, Any]:
    """The one resource of a kind with a name."""
    [found] = [one for one in RESOURCES if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert isinstance(found, dict)
    return found


def pods() -> Iterator[dict[str, Any]]:
    """What every workload makes: its labels and its specification."""
    for one in RESOURCES:
        if one["kind"] in {"Deployment", "Job"}:
            yield one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]


PODS = list(pods())
CONTAINERS = [(pod["spec"], container) for pod in PODS for container in pod["spec"]["containers"]]
[SERVING] = the("Deployment")["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_is_what_the_schemas_of_kubernetes_allow(resource: dict[str, Any], release: str) -> None:
    kubernetes_validate.validate(resource, release, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**the("Service"), "spek": {}}, RELEASES[-1], strict=True)


def test_every_file_is_applied_but_the_example_of_secrets() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == [path.name for path in FILES if path.name != "secret.example.yaml"]


def test_the_example_of_secrets_holds_none() -> None:
    assert set(the("Secret")["stringData"].values()) == {""}
    assert all(one["kind"] != "Secret" for one in RESOURCES if one != the("Secret"))


def test_every_variable_is_a_setting() -> None:
    known = {name for name, _, _ in described()} | {DRAIN}
    given = set(the("ConfigMap")["data"]) | {one["name"] for _, box in CONTAINERS for one in box.get("env", [])}
    assert given <= known


def test_the_service_would_start_with_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s" * 64)
    values = {**the("ConfigMap")["data"], **{one["name"]: one["value"] for one in SERVING["env"]}}
    for name, value in values.items():
        monkeypatch.setenv(name, str(tmp_path / "secret") if name.endswith("_FILE") else value)
    monkeypatch.setenv("SEGMENTATION_HOST", "0.0.0.0")  # as the image sets it
    settings = Settings()
    assert settings.signing_key_bytes == b"s" * 64
    assert ":ssss" in settings.store_url


def test_ports_and_selectors_lead_to_the_service() -> None:
    service, [port] = the("Service"), SERVING["ports"]
    labels = the("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert the("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    [ingress] = the("NetworkPolicy")["spec"]["ingress"]
    assert [one["port"] for one in ingress["ports"]] == [port["containerPort"]] == [Settings().port]
    assert f"EXPOSE {port['containerPort']}" in (ROOT / "Dockerfile").read_text("utf-8")
    target = the("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", the("Deployment")["metadata"]["name"])


def test_probes_ask_what_the_service_answers_without_a_key(tmp_path: Path) -> None:
    url = SecretStr(f"sqlite:///{tmp_path}/store.sqlite3")
    paths = create_app(Settings(database_url=url, models_dir=tmp_path)).openapi()["paths"]
    for probe, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        asked = SERVING[f"{probe}Probe"]["httpGet"]
        assert asked == {"path": f"/health/{path}", "port": "http"}
        assert asked["path"] in paths


def test_a_replica_has_the_time_to_drain_and_to_finish() -> None:
    configured = the("ConfigMap")["data"]
    wanted = SERVING["lifecycle"]["preStop"]["sleep"]["seconds"] + int(configured[DRAIN]) + int(configured[SHUTDOWN])
    given = the("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert wanted + 25 <= given  # to store what waits where the database does not answer
    ready = SERVING["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < int(configured[DRAIN])


@pytest.mark.parametrize(("pod", "container"), CONTAINERS, ids=lambda one: one.get("name"))
def test_a_container_may_do_nothing_it_does_not_need(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {USER}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert "hostPath" not in str(pod)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert f"USER {USER}:{USER}" in (ROOT / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize(("pod", "container"), CONTAINERS, ids=lambda one: one.get("name"))
def test_secrets_come_as_files_that_cannot_be_written_and_from_nowhere_else(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    [volume] = [one["secret"] for one in pod["volumes"] if "secret" in one]
    assert volume["secretName"] == the("Secret")["metadata"]["name"]
    assert volume["defaultMode"] == 0o440
    assert {one["key"] for one in volume.get("items", [])} <= set(the("Secret")["stringData"])
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "secrets"]
    assert mount["readOnly"] is True
    values = {one["name"]: one["value"] for one in container.get("env", [])}
    if "envFrom" in container:
        assert container["envFrom"] == [{"configMapRef": {"name": the("ConfigMap")["metadata"]["name"]}}]
        values |= the("ConfigMap")["data"]
    given = {one["path"] for one in volume.get("items", [])} or set(the("Secret")["stringData"])
    named = {Path(path) for name, path in values.items() if name.endswith("_FILE")}
    assert named == {Path(mount["mountPath"]) / one for one in given}
    assert "secretKeyRef" not in str(container)


def test_images_are_those_that_are_built_and_of_this_version() -> None:
    used = {container["image"] for _, container in CONTAINERS}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    assert used == {compose["api"]["image"], compose["training"]["image"]}
    assert {one["name"] for one in KUSTOMIZATION["images"]} == used
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert {one["newTag"] for one in KUSTOMIZATION["images"]} == {version.group(1)}


def test_every_volume_that_is_claimed_is_there_and_models_can_be_shared() -> None:
    claimed = {
        one["persistentVolumeClaim"]["claimName"]
        for pod in PODS
        for one in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in one
    }
    there = {one["metadata"]["name"]: one for one in RESOURCES if one["kind"] == "PersistentVolumeClaim"}
    assert claimed == set(there)
    assert there["models"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_only_the_service_is_reached_and_training_reaches_nothing() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in RESOURCES if one["kind"] == "NetworkPolicy"}
    assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "training" not in str(policies)
    assert [name for name, spec in policies.items() if spec.get("ingress")] == ["customer-segmentation"]
