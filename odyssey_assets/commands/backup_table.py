"""How backups are told of in a terminal.

Belongs here: words for what a manifest says. Does not belong here: the commands that print them.
"""

from odyssey_assets.backup.manifest import Manifest


def line(manifest: Manifest) -> str:
    """One backup in one line."""
    size = f"{manifest.bytes / 1e6:,.1f} MB"
    pinned = ", pinned" if manifest.is_pinned else ""
    note = f" ({manifest.note})" if manifest.note else ""
    return f"{manifest.id}  {manifest.total_rows:,} rows, {size}{pinned}, {verdict(manifest)}{note}"


def verdict(manifest: Manifest) -> str:
    """Whether it counts."""
    if not manifest.drills:
        return "never restored"
    drill = manifest.drills[-1]
    if drill.passed:
        return f"restored for a try {drill.at:%Y-%m-%d %H:%M} UTC in {drill.seconds:.1f} s"
    return f"NOT RESTORABLE: {drill.detail}"
