"""Which PostgreSQL types may carry a kind, and that every name used is PostgreSQL's own."""

import re

import pytest

from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.target.types import CARRYING_TYPES, arrow_type_to_write, can_carry
from odyssey_assets_tests.statements import ask_postgres

LOSSY = [
    (Kind.TEXT, "character"),
    (Kind.TEXT, "jsonb"),
    (Kind.TEXT, "bytea"),
    (Kind.JSON, "json"),
    (Kind.INTEGER, "numeric"),
    (Kind.INTEGER, "double precision"),
    (Kind.DOUBLE, "real"),
    (Kind.DOUBLE, "numeric"),
    (Kind.BOOLEAN, "integer"),
    (Kind.BOOLEAN, "text"),
    (Kind.MOMENT, "date"),
    (Kind.MOMENT, "text"),
    (Kind.MOMENT, "bigint"),
    (Kind.MOMENT, "timestamp(0) without time zone"),
    (Kind.MOMENT, "timestamp(2) with time zone"),
]
EXACT = [
    (Kind.MOMENT, "timestamp(3) without time zone"),
    (Kind.MOMENT, "timestamp(6) with time zone"),
    (Kind.MOMENT, "timestamp without time zone"),
    (Kind.TEXT, "character varying(2)"),
]


@pytest.mark.parametrize(("kind", "type_name"), LOSSY)
def test_a_type_that_would_change_values_is_refused(kind: Kind, type_name: str) -> None:
    assert can_carry(kind, without_modifier(type_name), type_name, is_enum=False) is False


@pytest.mark.parametrize(("kind", "type_name"), EXACT)
def test_a_type_that_holds_values_exactly_or_not_at_all_is_taken(kind: Kind, type_name: str) -> None:
    assert can_carry(kind, without_modifier(type_name), type_name, is_enum=False) is True


def without_modifier(type_name: str) -> str:
    return re.sub(r"\(\d+\)", "", type_name)


def test_every_carrying_type_has_the_name_postgresql_gives_it(database_uri: str) -> None:
    names = sorted(set().union(*CARRYING_TYPES.values()))
    values = ", ".join(f"('{name}')" for name in names)
    spelled = ask_postgres(database_uri, f"SELECT format_type(name::regtype, NULL) FROM (VALUES {values}) AS v (name)")
    assert [name for (name,) in spelled] == names


def test_an_enum_goes_into_an_enum_or_text_and_nothing_else_into_an_enum() -> None:
    assert can_carry(Kind.ENUM, "Role", "Role", is_enum=True)
    assert can_carry(Kind.ENUM, "text", "text", is_enum=False)
    assert not can_carry(Kind.ENUM, "integer", "integer", is_enum=False)
    assert not can_carry(Kind.TEXT, "Role", "Role", is_enum=True)


def test_every_kind_of_the_model_can_be_carried() -> None:
    kinds = {*CARRYING_TYPES, Kind.ENUM}
    assert kinds == set(Kind)
    assert tables_in_order()


@pytest.mark.parametrize("kind", Kind)
def test_a_column_of_the_usual_type_is_written_as_it_is(kind: Kind) -> None:
    usual = {Kind.INTEGER: "bigint", Kind.MOMENT: "timestamp without time zone"}.get(kind, "text")
    assert arrow_type_to_write(CarriedColumn("c", kind, usual)) == CANONICAL_TYPE[kind]
