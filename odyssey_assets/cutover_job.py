"""The job ``cutover``: the switch to PostgreSQL, or its rehearsal, from the UI, and its history as an asset.

Belongs here: configuration, and telling Dagster what happened. Does not belong here: how it goes
(``cutover.machine``), or asking people (``commands``).
"""

from collections.abc import Mapping
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from odyssey_assets.cancellation import raise_if_canceled
from odyssey_assets.cutover.request import FENCE_SECONDS, SMOKE_SECONDS, WAIT_SECONDS
from odyssey_assets.cutover.steps import Cutover, Step
from odyssey_assets.cutover.telling import step_line
from odyssey_assets.errors import OdysseyError
from odyssey_assets.metadata import CUTOVER_ASSET, OWNERS, POOL, WRITES_TAG
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.versions import newest_publication, publication_events

CUTOVER = "odyssey/cutover"
DOWNTIME_SECONDS = "odyssey/downtime_seconds"

cutover_asset = dg.AssetSpec(
    CUTOVER_ASSET,
    description="Each rehearsal and each switch, made by the job cutover; the downtime is plotted over them.",
    group_name="cutover",
    kinds={"postgres"},
    owners=OWNERS,
)

_STEPS = dg.TableSchema(columns=[dg.TableColumn("step", "string"), dg.TableColumn("seconds", "float")])


class CutoverConfig(dg.Config):
    """As the options of ``odyssey cutover``; a run nobody configured rehearses and never switches."""

    rehearse: bool = Field(default=True, description="Everything but the switch. Say false for the real one.")
    action: Literal["begin", "resume", "abort"] = Field(
        default="begin", description="begin a new one, or resume or abort the one that was broken off."
    )
    release: bool = Field(
        default=False, description="Leave the SQLite file writable after the switch, instead of sealed."
    )
    fence_seconds: float = Field(
        default=FENCE_SECONDS, ge=1, description="How long writers may be kept out; then it aborts by itself."
    )
    wait_seconds: float = Field(
        default=WAIT_SECONDS, ge=0, description="How long a writer that is at it may take to finish."
    )
    check_urls: list[str] = Field(
        default=[], description="Pages, each as URL or URL=STATUS, that must answer so on PostgreSQL."
    )
    smoke_seconds: float = Field(
        default=SMOKE_SECONDS, ge=0, description="How long a page may take to answer as it should."
    )


@dg.op(
    name="cut_over",
    pool=POOL,
    out=dg.Out(dg.Nothing),
    description="Fence, backup, final sync, proof, switch, certificate, smoke tests. Can be resumed wherever it was "
    "broken off.",
)
def cutover_op(context: dg.OpExecutionContext, config: CutoverConfig, odyssey: OdysseyEngine) -> None:
    try:
        known = newest_publication(odyssey.ledger())
        try:
            done = odyssey.cut_over(config, context.run_id, lambda step: context.log.info(step_line(step)))
        finally:
            _tell_publications(context, odyssey, known)
    except OdysseyError as error:
        raise_if_canceled(context.instance, context.run, error)
        raise dg.Failure(str(error), allow_retries=False) from None
    metadata = _metadata(done)
    context.log_event(dg.AssetMaterialization(CUTOVER_ASSET, metadata=metadata))
    context.add_output_metadata(metadata)


def cutover_job() -> dg.JobDefinition:
    """The job; its launchpad shows the configuration with every default."""

    @dg.job(
        name="cutover",
        description="Rehearses the switch to PostgreSQL; with rehearse: false, switches. Writers to SQLite are kept "
        "out meanwhile.",
        tags=WRITES_TAG,
        executor_def=dg.in_process_executor,
        config=dg.RunConfig(ops={cutover_op.name: CutoverConfig()}),
    )
    def cutover() -> None:
        cutover_op()

    return cutover


def _tell_publications(context: dg.OpExecutionContext, odyssey: OdysseyEngine, known: int) -> None:
    """Show what was published in the assets of the tables, also where the run failed after it."""
    try:
        ledger = odyssey.ledger()
    except OdysseyError as error:
        context.log.warning(f"What was published is not shown: {error}")
        return
    for event in publication_events(ledger, known, context.run_id):
        context.log_event(event)


def _metadata(done: Cutover) -> Mapping[str, Any]:
    certificate = done.done.get(Step.CERTIFICATE)
    page = {} if certificate is None else {"certificate": dg.MetadataValue.path(str(certificate.detail["page"]))}
    return {
        CUTOVER: f"{done.kind} {done.id}",
        "state": done.state.value,
        DOWNTIME_SECONDS: round(done.downtime_seconds, 3),
        "steps": dg.MetadataValue.table(
            [
                dg.TableRecord({"step": step.value, "seconds": done.done[step].seconds})
                for step in Step
                if step in done.done
            ],
            schema=_STEPS,
        ),
        **page,
    }
