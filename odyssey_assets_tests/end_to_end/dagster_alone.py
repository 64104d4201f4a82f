"""A migration of which Dagster records every event and nothing is carried: what is left is Dagster's own cost.

Belongs here: replaying an outcome, in a process of its own. Does not belong here: measuring it (``test_small_run``).
"""

import pickle
import sys
from pathlib import Path
from typing import Any

from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.definitions import build_definitions
from odyssey_assets.instance import open_instance, prepare_instance
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sync.outcome import Outcome

_outcome: Outcome = pickle.loads(Path(sys.argv[1]).read_bytes())


class Replay(OdysseyEngine):
    """An engine that has run already."""

    def publish_and_verify(self, *_: Any, **__: Any) -> Outcome:
        return _outcome


prepare_instance(settings_from_environment())
with open_instance() as instance:
    job = build_definitions(tables=None).resolve_job_def("migrate")
    result = job.execute_in_process(
        resources={"odyssey": Replay()},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        instance=instance,
    )
    assert result.success
    print(len(instance.all_logs(result.run_id)))
