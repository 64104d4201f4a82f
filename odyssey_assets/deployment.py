"""How Dagster is deployed: which run launcher, which executor and which form of logs, chosen by environment.

Dagster reads a launcher's class from ``dagster.yaml`` alone, so there is one such file per launcher.

Belongs here: the choices and their files. Does not belong here: what Dagster makes of them (``executors``,
``instance``, ``run_logs``), or where things are (``configuration``).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.errors import ConfigurationError

ENV_RUN_LAUNCHER = "ODYSSEY_RUN_LAUNCHER"
ENV_EXECUTOR = "ODYSSEY_EXECUTOR"
ENV_LOG_FORMAT = "ODYSSEY_LOG_FORMAT"


class RunLauncherChoice(StrEnum):
    """Where a run is executed: beside the code server, in a container of its own, or in a pod of its own."""

    DEFAULT = "default"
    DOCKER = "docker"
    K8S = "k8s"


class ExecutorChoice(StrEnum):
    """Where the steps of a run are executed."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"
    CELERY = "celery"
    K8S = "k8s"


class LogFormat(StrEnum):
    """How runs write to their console; Dagster's servers have an option of their own."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Deployment:
    """What the environment chose; the defaults are what one machine needs."""

    run_launcher: RunLauncherChoice = RunLauncherChoice.DEFAULT
    executor: ExecutorChoice = ExecutorChoice.IN_PROCESS
    log_format: LogFormat = LogFormat.TEXT

    @property
    def instance_file(self) -> Path:
        """The ``dagster.yaml`` of this launcher."""
        if self.run_launcher is RunLauncherChoice.DEFAULT:
            return PROJECT_DIR / "dagster.yaml"
        return PROJECT_DIR / "deploy" / f"dagster.{self.run_launcher}.yaml"


def deployment_from_environment(environ: Mapping[str, str] = os.environ) -> Deployment:
    """Read the choices; empty variables count as unset. Raises ConfigurationError for one there is not."""
    default = Deployment()
    chosen = Deployment(
        RunLauncherChoice(_choice(environ, ENV_RUN_LAUNCHER, default.run_launcher)),
        ExecutorChoice(_choice(environ, ENV_EXECUTOR, default.executor)),
        LogFormat(_choice(environ, ENV_LOG_FORMAT, default.log_format)),
    )
    if chosen.executor is ExecutorChoice.K8S and chosen.run_launcher is not RunLauncherChoice.K8S:
        raise ConfigurationError(
            f"{ENV_EXECUTOR}=k8s starts its pods as the launcher for Kubernetes would, which was not chosen.",
            hint=f"Set {ENV_RUN_LAUNCHER}=k8s too.",
        )
    return chosen


def _choice(environ: Mapping[str, str], name: str, default: StrEnum) -> str:
    text = environ.get(name, "").strip() or default
    known = [each.value for each in type(default)]
    if text not in known:
        raise ConfigurationError(
            f"{name} must be one of {', '.join(known)}, not {text!r}.", hint="Correct or unset it."
        )
    return text
