"""What a table and its columns are to both sides at once: the agreement the reader, the writer and the proof share.

Belongs here: the agreement. Does not belong here: how it is reached (``compare.pairing``).
"""

from dataclasses import dataclass, replace

from odyssey_assets.model.kinds import Kind


@dataclass(frozen=True)
class CarriedColumn:
    """One column that both sides have.

    ``target_type`` is PostgreSQL's name of the type without its modifier, ``labels`` the target's enum labels.
    """

    name: str
    kind: Kind
    target_type: str
    is_required: bool = False
    labels: tuple[str, ...] = ()

    @property
    def is_json_document(self) -> bool:
        """True where the target parses the text as JSON, so that equality is equality of documents."""
        return self.target_type in ("json", "jsonb")


@dataclass(frozen=True)
class CarriedTable:
    """One table that both sides have, its columns in the target's order.

    ``key`` tells rows apart: the primary key, else the narrowest unique index over required columns, else every
    column. ``is_key_unique`` is False in the last case.
    """

    name: str
    columns: tuple[CarriedColumn, ...]
    key: tuple[str, ...]
    is_key_unique: bool = True

    def named(self, name: str) -> "CarriedTable":
        """The same columns under another name, such as a staging table's."""
        return replace(self, name=name)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def kinds(self) -> dict[str, Kind]:
        return {column.name: column.kind for column in self.columns}
