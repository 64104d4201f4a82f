"""What the daemon loads in the test that kills it: the real sync job, schedule and sensor at their fastest."""

import dagster as dg

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.configuration import DualRun
from odyssey_assets.jobs import sync_job
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.schedules import schedules
from odyssey_assets.sensors import source_changed_sensor

TABLES = frozenset({"Village"})
"""One will do, for a run of all of them leaves thousands of events."""

DUAL_RUN = DualRun(is_on=True, cron="* * * * *", reacts_to_changes=True, debounce_seconds=0.1)

defs = dg.Definitions(
    assets=[odyssey_tables],
    jobs=[sync_job(TABLES)],
    schedules=[each for each in schedules(DUAL_RUN) if each.name == "resync"],
    sensors=[source_changed_sensor(DUAL_RUN)],
    resources={"odyssey": OdysseyEngine()},
    executor=dg.in_process_executor,
)
