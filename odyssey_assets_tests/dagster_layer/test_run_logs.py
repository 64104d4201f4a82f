"""The console of runs as JSON, one document a line, without a word of configuration in the run."""

import json

import dagster as dg
import pytest
from dagster import _loggers

from odyssey_assets.run_logs import write_runs_as_json


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    context.log.info("a line\nand another")


@dg.job
def a_speaking_job() -> None:
    speak()


def written(capfd: pytest.CaptureFixture[str]) -> list[str]:
    with dg.DagsterInstance.ephemeral() as instance:
        assert a_speaking_job.execute_in_process(instance=instance).success
    captured = capfd.readouterr()
    return (captured.err + captured.out).splitlines()


def test_every_line_is_a_document(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_loggers, "colored_console_logger", _loggers.colored_console_logger)
    assert not any(line.startswith("{") for line in written(capfd))
    write_runs_as_json()
    documents = [json.loads(line) for line in written(capfd)]
    assert sum("a line" in str(document) and "and another" in str(document) for document in documents) == 1
    assert len(documents) > 5
