"""What the daemon loads in the test of the alerts: the tables, and the real sensor with less time between its ticks."""

import dagster as dg

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.configuration import DualRun
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sensors import alerts_sensor

defs = dg.Definitions(
    assets=[odyssey_tables],
    sensors=[alerts_sensor(DualRun(), is_on=True, interval_seconds=1)],
    resources={"odyssey": OdysseyEngine()},
)
