"""How Dagster is deployed: the choices of the environment, and the files of ``deploy/`` beside what they name."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from odyssey_assets import __version__
from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.deployment import (
    Deployment,
    ExecutorChoice,
    LogFormat,
    RunLauncherChoice,
    deployment_from_environment,
)
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.executors import executor_of
from odyssey_assets_tests.deployed import DEPLOY, DOCKERFILE, compose, image_command, manifests, parsed

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", re.MULTILINE)


def test_one_machine_needs_no_choice() -> None:
    chosen = deployment_from_environment({"ODYSSEY_EXECUTOR": " "})
    assert chosen == Deployment(RunLauncherChoice.DEFAULT, ExecutorChoice.IN_PROCESS, LogFormat.TEXT)
    assert chosen.instance_file == PROJECT_DIR / "dagster.yaml"


def test_every_choice_has_its_file_or_its_executor() -> None:
    for launcher in RunLauncherChoice:
        file = deployment_from_environment({"ODYSSEY_RUN_LAUNCHER": launcher}).instance_file
        assert "run_launcher" in parsed(file)
    names = {choice: executor_of(choice).name for choice in ExecutorChoice}
    assert names == {"in_process": "in_process", "multiprocess": "multiprocess", "celery": "celery", "k8s": "k8s"}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ODYSSEY_RUN_LAUNCHER": "podman"}, "ODYSSEY_RUN_LAUNCHER must be one of default, docker, k8s, not 'podman'"),
        ({"ODYSSEY_EXECUTOR": "dask"}, "ODYSSEY_EXECUTOR must be one of in_process, multiprocess, celery, k8s"),
        ({"ODYSSEY_LOG_FORMAT": "xml"}, "ODYSSEY_LOG_FORMAT must be one of text, json"),
        ({"ODYSSEY_EXECUTOR": "k8s"}, "ODYSSEY_EXECUTOR=k8s starts its pods as the launcher for Kubernetes would"),
    ],
)
def test_a_choice_there_is_not_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        deployment_from_environment(environ)
    assert raised.value.exit_status == 2


def test_a_missing_package_is_named_with_the_extra_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dagster_celery", None)
    with pytest.raises(ConfigurationError, match="needs a package that is not installed") as raised:
        executor_of(ExecutorChoice.CELERY)
    assert "pip install '.[celery]'" in str(raised.value)


@pytest.mark.parametrize("launcher", ["docker", "k8s"])
def test_the_instances_differ_in_their_launcher_alone(launcher: str) -> None:
    ours, base = parsed(DEPLOY / f"dagster.{launcher}.yaml"), parsed(PROJECT_DIR / "dagster.yaml")
    assert ours.pop("run_launcher") != base.pop("run_launcher")
    assert ours == base


def test_dagster_takes_the_launcher_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = compose()["x-environment"]
    for name in ("ODYSSEY_IMAGE", "ODYSSEY_DOCKER_NETWORK"):
        monkeypatch.setenv(name, "odyssey" if "$" in settings[name] else settings[name])
    launcher = launcher_of("docker", tmp_path)
    assert type(launcher).__name__ == "DockerRunLauncher"
    assert set(launcher.env_vars) <= set(settings)


def test_dagster_takes_the_configuration_of_kubernetes_launcher(tmp_path: Path) -> None:
    """Its constructor asks for a cluster; what it would be given is judged by its own schema."""
    from dagster._config import process_config
    from dagster_k8s import K8sRunLauncher

    schema = dg.Shape(K8sRunLauncher.config_type())
    for name in ("ODYSSEY_IMAGE", "ODYSSEY_NAMESPACE"):
        assert name in manifests()[0]["data"]
    config = parsed(DEPLOY / "dagster.k8s.yaml")["run_launcher"]["config"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ODYSSEY_IMAGE", "odyssey")
        patched.setenv("ODYSSEY_NAMESPACE", "odyssey")
        found = process_config(schema, config)
    assert found.success, found.errors
    wrong = process_config(schema, {**config, "voluems": []})
    assert not wrong.success


def launcher_of(name: str, folder: Path) -> Any:
    (folder / "dagster.yaml").write_bytes((DEPLOY / f"dagster.{name}.yaml").read_bytes())
    return InstanceRef.from_dir(str(folder)).run_launcher


def test_compose_names_only_what_there_is() -> None:
    document = compose()
    for service in document["services"].values():
        assert set(service.get("secrets", [])) <= set(document["secrets"])
        named = [volume.split(":")[0] for volume in service.get("volumes", [])]
        assert set(named) <= set(document["volumes"])
        assert set(service.get("depends_on", {})) <= set(document["services"])
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in document["services"][needed]
    settings = document["x-environment"]
    given = document["services"]["code"]["secrets"]
    for name, path in settings.items():
        if name.endswith("_FILE"):
            assert path.removeprefix("/run/secrets/") in given
    assert document["services"]["code"]["command"] == image_command("CMD")
    mounted = parsed(DEPLOY / "dagster.docker.yaml")["run_launcher"]["config"]["container_kwargs"]["volumes"]
    overlay = parsed(DEPLOY / "compose.docker-runs.yaml")["volumes"]
    names = {each["name"] for each in (*document["volumes"].values(), *overlay.values()) if each}
    assert {volume.split(":")[0] for volume in mounted} <= names


def test_kubernetes_names_only_what_there_is_or_what_it_asks_for() -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in manifests()}
    asked_for = {("PersistentVolumeClaim", "odyssey-source"), ("Secret", "odyssey-secrets")}
    known = {*objects, *asked_for}
    for (kind, _), each in objects.items():
        if kind != "Deployment":
            continue
        spec = each["spec"]["template"]["spec"]
        assert each["spec"]["selector"]["matchLabels"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
        assert ("ServiceAccount", spec.get("serviceAccountName", "odyssey")) in known
        for volume in spec["volumes"]:
            assert "emptyDir" in volume or (
                ("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")) in known
                or ("Secret", volume.get("secret", {}).get("secretName")) in known
            )
        (container,) = spec["containers"]
        assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in known
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
        service = compose()["services"][container["name"]]
        assert container["args"] == service["command"]
    settings = objects["ConfigMap", "odyssey-settings"]["data"]
    assert ("Service", settings["ODYSSEY_CODE_SERVER_HOST"]) in known
    assert set(settings) - {"ODYSSEY_NAMESPACE"} <= set(compose()["x-environment"])


def test_the_image_copies_what_there_is_and_is_tagged_with_the_version() -> None:
    text = DOCKERFILE.read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert len(copied) > 3
    for name in (name for names in copied for name in names):
        assert (PROJECT_DIR / name).exists()
        assert f"!{name.split('/')[0]}" in ignored
    for file in (DOCKERFILE, DEPLOY / "compose.yaml", DEPLOY / "kubernetes.yaml"):
        assert set(re.findall(r"odyssey-assets:([0-9.]+)", file.read_text())) == {__version__}
    assert text.rindex("\nUSER ") < text.index("\nENTRYPOINT ")


def test_the_images_lock_is_part_of_the_tested_one_and_has_no_tools_of_tests() -> None:
    image, tested = (
        dict(PINNED.findall(path.read_text()))
        for path in (DEPLOY / "requirements.lock", PROJECT_DIR / "requirements.lock")
    )
    assert image.items() <= tested.items()
    assert {"pytest", "mypy", "playwright", "psycopg", "hypothesis"} <= set(tested) - set(image)
    assert {"dagster-celery", "dagster-docker", "dagster-k8s", "redis"} <= set(image)


def test_every_variable_of_the_files_is_known_to_the_program_or_to_compose() -> None:
    program = "\n".join(path.read_text() for path in (PROJECT_DIR / "odyssey_assets").rglob("*.py"))
    dagster_files = "\n".join(path.read_text() for path in DEPLOY.glob("*.yaml") if "compose" not in path.name)
    for name in compose()["x-environment"]:
        assert name.removesuffix("_FILE") in program or f"env: {name}" in dagster_files, name
