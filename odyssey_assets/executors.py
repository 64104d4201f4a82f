"""The executor of every job, as the deployment chose it.

Belongs here: making Dagster's executors. Does not belong here: the choice (``deployment``).
"""

import importlib
from typing import Any

import dagster as dg

from odyssey_assets.deployment import ENV_EXECUTOR, ExecutorChoice
from odyssey_assets.errors import ConfigurationError

ENV_CELERY_BROKER = "ODYSSEY_CELERY_BROKER"
"""The URL of Celery's broker, for example redis://redis:6379/0; results come back the same way."""


def executor_of(choice: ExecutorChoice) -> dg.ExecutorDefinition:
    """The executor's definition. Raises ConfigurationError where the package it comes from is not installed."""
    if choice is ExecutorChoice.MULTIPROCESS:
        return dg.multiprocess_executor
    if choice is ExecutorChoice.CELERY:
        broker = {"env": ENV_CELERY_BROKER}
        executor = _optional("dagster_celery", choice).celery_executor
        return _definition(executor.configured({"broker": broker, "backend": broker}, name=choice.value))
    if choice is ExecutorChoice.K8S:
        return _definition(_optional("dagster_k8s", choice).k8s_job_executor)
    return dg.in_process_executor


def _optional(module: str, choice: ExecutorChoice) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{ENV_EXECUTOR}={choice} needs a package that is not installed: {error.name}.",
            hint=f"Install this project with its extra: pip install '.[{choice}]'.",
        ) from error


def _definition(executor: object) -> dg.ExecutorDefinition:
    assert isinstance(executor, dg.ExecutorDefinition)
    return executor
