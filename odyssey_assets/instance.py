"""Dagster's own home and storage, ready before anything of Dagster is used.

Belongs here: the instance's folder, its ``dagster.yaml`` and the variables that file asks for.
Does not belong here: definitions, or the application's database.
"""

import os
import shutil

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_STATE_DIR, PROJECT_DIR, Settings
from odyssey_assets.target.location import locate_dagster_storage
from odyssey_assets.target.url import dagster_url

ENV_DAGSTER_STORAGE = "ODYSSEY_DAGSTER_STORAGE_URL"
"""What ``dagster.yaml`` reads: the storage's URL in SQLAlchemy's spelling for psycopg2."""


def prepare_instance(settings: Settings) -> None:
    """Make ``DAGSTER_HOME`` and set the variables that this process and its children need. Idempotent."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(PROJECT_DIR / "dagster.yaml", home / "dagster.yaml")
    storage = locate_dagster_storage(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[ENV_STATE_DIR] = str(settings.state_dir)
    os.environ[ENV_DAGSTER_POSTGRES] = storage.uri
    os.environ[ENV_DAGSTER_STORAGE] = dagster_url(storage.uri)
