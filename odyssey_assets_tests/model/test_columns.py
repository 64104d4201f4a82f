"""The vocabulary of declarations names and types things as Prisma does."""

import pytest
from sqlalchemy import Column, DefaultClause, MetaData

from odyssey_assets.model import columns as vocabulary
from odyssey_assets.model.columns import (
    boolean,
    choice,
    double,
    index,
    integer,
    join_table,
    json_text,
    model,
    moment,
    references,
    string,
    unique,
)
from odyssey_assets.model.domains import Domain
from odyssey_assets.model.enums import ROLE
from odyssey_assets.model.kinds import Kind, kind_of


@pytest.fixture(autouse=True)
def own_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of these tests must not become tables of Odyssey."""
    monkeypatch.setattr(vocabulary, "metadata", MetaData())


def default_of(column: Column[object]) -> str | None:
    return str(column.server_default.arg) if isinstance(column.server_default, DefaultClause) else None


@pytest.mark.parametrize(
    ("column", "kind", "default"),
    [
        (string("c", default="en"), Kind.TEXT, "'en'"),
        (string("c"), Kind.TEXT, None),
        (json_text("c", default="[]"), Kind.JSON, "'[]'"),
        (integer("c", default=0), Kind.INTEGER, "0"),
        (double("c", default=1.0), Kind.DOUBLE, "1.0"),
        (boolean("c", default=False), Kind.BOOLEAN, "false"),
        (boolean("c", default=True), Kind.BOOLEAN, "true"),
        (moment("c", now=True), Kind.MOMENT, "CURRENT_TIMESTAMP"),
        (moment("c"), Kind.MOMENT, None),
        (choice("c", ROLE, default="USER"), Kind.ENUM, "'USER'"),
    ],
)
def test_a_column_has_kind_and_default_and_is_required(column: Column[object], kind: Kind, default: str | None) -> None:
    assert (kind_of(column), default_of(column), column.nullable) == (kind, default, False)


def test_a_column_may_be_optional() -> None:
    assert all(make("c", null=True).nullable for make in (string, json_text, integer, double, moment))


def test_a_model_names_its_parts_as_prisma_does() -> None:
    model("Parent", string("id"), domain=Domain.PEOPLE, description="A parent.")
    child = model(
        "Child",
        string("id"),
        string("parentId", null=True),
        references("parentId", "Parent", on_delete="SET NULL"),
        unique("id", "parentId"),
        index("parentId"),
        domain=Domain.PEOPLE,
        description="A child.",
    )
    assert child.primary_key.name == "Child_pkey"
    (key,) = child.foreign_key_constraints
    assert (key.name, key.ondelete, key.onupdate) == ("Child_parentId_fkey", "SET NULL", "CASCADE")
    assert {str(each.name): each.unique for each in child.indexes} == {
        "Child_id_parentId_key": True,
        "Child_parentId_idx": False,
    }


def test_no_action_goes_with_no_action() -> None:
    key = references("parentId", "Parent", on_delete="NO ACTION")
    assert (key.ondelete, key.onupdate) == ("NO ACTION", "NO ACTION")


def test_a_model_may_have_no_key() -> None:
    table = model("Keyless", string("token"), domain=Domain.PEOPLE, description="Has none.", key=())
    assert list(table.primary_key.columns) == []


def test_a_join_table_is_prisma_s() -> None:
    for name in ("Panel", "User"):
        model(name, string("id"), domain=Domain.PEOPLE, description="One side.")
    table = join_table("_Members", "Panel", "User", domain=Domain.PEOPLE)
    assert (table.primary_key.name, table.primary_key.columns.keys()) == ("_Members_AB_pkey", ["A", "B"])
    assert {str(key.name): next(iter(key.elements)).target_fullname for key in table.foreign_key_constraints} == {
        "_Members_A_fkey": "Panel.id",
        "_Members_B_fkey": "User.id",
    }
    assert {(str(each.name), tuple(each.columns.keys()), each.unique) for each in table.indexes} == {
        ("_Members_B_index", ("B",), False)
    }
