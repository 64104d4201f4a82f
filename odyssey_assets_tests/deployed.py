"""The files of ``deploy/`` as tests read them: what compose would start, and with which image.

Belongs here: reading them. Does not belong here: what is expected of them, or starting anything.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from odyssey_assets.configuration import PROJECT_DIR

DEPLOY = PROJECT_DIR / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"


def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return parsed


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def parsed(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(file.read_text())
    return document


def image_command(instruction: str) -> list[str]:
    """The words of the image's ENTRYPOINT, CMD or HEALTHCHECK."""
    (words,) = re.findall(rf"^{instruction} [^\[\n]*(\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    command: list[str] = json.loads(words)
    return command


def service_command(service: str) -> list[str]:
    """What a container of the service runs, entry point included."""
    return [*image_command("ENTRYPOINT"), *compose()["services"][service]["command"]]


def health_command(service: str) -> list[str]:
    kind, *command = compose()["services"][service]["healthcheck"]["test"]
    assert kind == "CMD"
    return list(command)
