"""What the whole command costs on a database of a hundred rows, beside Dagster recording as many events.

Measured from ODYSSEY_TEST_COST=1 on: it wants a machine that does nothing else.
"""

import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from odyssey_assets.benchmark.engine import load_and_prove
from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, PROJECT_DIR
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, surroundings

SCALE_OF_A_HUNDRED_ROWS = 0.06
ALLOWED_SECONDS = 2.0
REPETITIONS = 3


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ODYSSEY_TEST_COST"), reason="measured with ODYSSEY_TEST_COST=1")
def test_a_small_run_costs_little_more_than_dagster_itself(server: EmbeddedServer, tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "odyssey.db", scale=SCALE_OF_A_HUNDRED_ROWS)
    with ExitStack() as stack:
        storage, engine_target = (stack.enter_context(fresh_database(server)) for _ in range(2))
        outcome = tmp_path / "outcome.pickle"
        outcome.write_bytes(pickle.dumps(load_and_prove(sample.path, engine_target, tmp_path / "engine")))
        environment = surroundings(tmp_path / "state", {ENV_DAGSTER_POSTGRES: storage})
        alone = [sys.executable, "-m", "odyssey_assets_tests.end_to_end.dagster_alone", str(outcome)]
        differences = []
        # The first round makes Dagster's tables, and is not counted.
        for _ in range(REPETITIONS + 1):
            with fresh_database(server) as target:
                whole = [ODYSSEY, "migrate", "--sqlite", str(sample.path), "--postgres", target, "--json"]
                whole_seconds, told = _timed(whole, environment)
            alone_seconds, events = _timed(alone, environment)
            assert json.loads(told)["ok"]
            assert int(events) > 37
            differences.append(whole_seconds - alone_seconds)
    median = statistics.median(differences[1:])
    dagster = f"{alone_seconds:.2f} s for {events.strip()} events"
    print(f"{sample.total_rows} rows: {median:.2f} s above Dagster alone ({dagster})")
    assert median <= ALLOWED_SECONDS


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr[-3000:]
    return seconds, done.stdout
