"""``odyssey sample``.

Belongs here: its options and what it says. Does not belong here: what a sample holds (the package ``sample``).
"""

from pathlib import Path

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.errors import EXIT_DONE


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--scale", type=float, default=1.0, show_default=True, help="1 is about 1,750 rows, 1000 about 1.75 M.")
@click.option("--schema", type=click.Choice(["v1", "v2", "v3", "v4", "v5"]), default="v5", show_default=True)
@click.option("--dates", type=click.Choice(["integer", "iso"]), default="integer", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def sample(file: Path, scale: float, schema: str, dates: str, seed: int, as_json: bool, debug: bool) -> int:
    """Write a realistic Odyssey SQLite file, byte formats as Prisma writes them."""
    from odyssey_assets.sample.writer import DateForm, write_sample

    summary = write_sample(file, scale=scale, version=int(schema.removeprefix("v")), dates=DateForm(dates), seed=seed)
    if as_json:
        print_json(
            {
                "path": str(summary.path),
                "rows": summary.total_rows,
                "bytes": summary.bytes,
                "seconds": round(summary.seconds, 3),
                "tables": dict(summary.rows_by_table),
            }
        )
    else:
        click.echo(
            f"{summary.path}: {summary.total_rows:,} rows in {len(summary.rows_by_table)} tables, "
            f"{summary.bytes / 1e6:,.1f} MB, written in {summary.seconds:.1f} s"
        )
    return EXIT_DONE
