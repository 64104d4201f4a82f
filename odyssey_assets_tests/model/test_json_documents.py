"""Two texts are one document exactly when ``jsonb`` says so, and storable exactly when ``jsonb`` takes them.

PostgreSQL itself is asked wherever it can be.
"""

import json
from collections.abc import Iterator
from decimal import Context, Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odyssey_assets.model.json_documents import DEEPEST_NESTING, canonical_document, is_storable_document

EXACT = Context(prec=200)
ACCEPTS_SQL = """
CREATE FUNCTION accepts(document text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM document::jsonb;
    RETURN true;
EXCEPTION WHEN others THEN
    RETURN false;
END $$"""

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
NUMBERS = st.integers(-(10**40), 10**40).map(Decimal) | st.decimals(-(10**12), 10**12, places=30)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def plainly(value: object) -> str:
    """One text of a document whose numbers are Decimal."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {plainly(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(plainly, value)) + "]"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value)


@st.composite
def otherwise(draw: st.DrawFn, value: object) -> str:
    """Another text of the same document: order of keys, space, escapes and the form of numbers are drawn."""
    space = draw(st.text(" \t\n\r", max_size=2))
    match value:
        case dict():
            pairs = draw(st.permutations(list(value.items())))
            # Of duplicate keys the last wins.
            pairs = [(pairs[0][0], "overwritten"), *pairs] if pairs and draw(st.booleans()) else pairs
            members = [f"{space}{draw(otherwise(key))}:{draw(otherwise(each))}" for key, each in pairs]
            return space + "{" + ",".join(members) + space + "}"
        case list():
            return space + "[" + ",".join(draw(otherwise(each)) for each in value) + space + "]"
        case str():
            text = json.dumps(value, ensure_ascii=draw(st.booleans()))
            return space + text.replace("/", draw(st.sampled_from(["/", "\\/"])))
        case Decimal():
            shift = draw(st.integers(-5, 5))
            plain, moved = format(value, "f"), format(value.scaleb(-shift, EXACT), "f")
            forms = [plain, f"{plain}00" if "." in plain else f"{plain}.00", f"{moved}e{shift}", f"{moved}E{shift:+03}"]
            return space + draw(st.sampled_from(forms)) + space
        case _:
            return space + json.dumps(value) + space


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts, often of one document, often of two that are nearly one."""
    first = draw(DOCUMENTS)
    nearly = [first, [first], {"a": first}, [first, None]]
    if isinstance(first, Decimal):
        nearly += [-first, first + 1, EXACT.add(first, Decimal("1e-40")), str(first)]
    return plainly(first), draw(otherwise(draw(st.sampled_from(nearly) | DOCUMENTS)))


@pytest.fixture
def postgres(every_database_uri: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(every_database_uri, autocommit=True) as connection:
        connection.execute(ACCEPTS_SQL)
        yield connection


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_all_spellings_of_a_document_are_one(data: st.DataObject) -> None:
    document = data.draw(DOCUMENTS)
    canonical = canonical_document(plainly(document))
    assert canonical is not None
    assert canonical_document(data.draw(otherwise(document))) == canonical
    assert canonical_document(canonical) == canonical


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs())
def test_equality_is_the_one_of_jsonb(postgres: psycopg.Connection, texts: tuple[str, str]) -> None:
    verdict = postgres.execute("SELECT %s::jsonb = %s::jsonb, %s::jsonb::text", (*texts, texts[0])).fetchone()
    assert verdict is not None
    assert (canonical_document(texts[0]) == canonical_document(texts[1])) == verdict[0]
    assert canonical_document(verdict[1]) == canonical_document(texts[0])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs(), st.data())
def test_texts_that_are_nearly_json_are_judged_as_jsonb_judges(
    postgres: psycopg.Connection, texts: tuple[str, str], data: st.DataObject
) -> None:
    text = texts[1]
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.text('{}[],:"\\ud80\t\x01\x7f0.eE+-nN', max_size=2)) + text[at + 1 :]
    assert postgres.execute("SELECT accepts(%s)", (text,)).fetchone() == (is_storable_document(text),)


EDGES = [
    "null", "true", "truE", "1", "-1", "+1", "01", "1.", ".5", "1e5", "1e", "0x1", "-", "-0", "-0.0", "1 2", "'a'",
    "", " ", " 1\n", "\f1", "\u00a01", "\ufeff1", "NaN", "nan", "Infinity", "-Infinity", "[NaN]", '{"a":Infinity}',
    "{}", "{,}", '{"a":1,}', "[1,]", "[,1]", "[", "]", "{a:1}", '{"a"}', '{1:1}', '{"a":1,"a":2}', "[]//", "[1]]",
    '""', '"', '"a', '"\t"', '"\\t"', '"\x7f"', '"\\x"', '"\\/"', '"\\u00e9"', '"\\u12"', '"\\u0000"', '"\\\\u0000"',
    '{"\\u0000":1}', '{"a":"\\u0000","a":1}', '[{"a":1,"b":["\\u0000"],"b":2}]', '{"a":1e200000,"a":1}',
    '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '"\\ud83dx"',
    '{"\\ud83d":1}', "1e131071", "1e131072", "9.9e131071", "1000e131069", "-1e131072", "1e-16383", "1e-16384",
    "1.5e-16382", "1.5e-16383", "1.0e-16383", "10e-16384", "0e-16384", "0e200000", "0e99999999999999",
    "1e99999999999999999999", "1e-99999999999999999999", "1" + "0" * 131_071, "1" + "0" * 131_072,
    "0." + "0" * 16_382 + "1", "0." + "0" * 16_383 + "1",
]  # fmt: skip


def test_the_edges_are_where_jsonb_has_them(postgres: psycopg.Connection) -> None:
    accepted = {text: postgres.execute("SELECT accepts(%s)", (text,)).fetchone() for text in EDGES}
    assert {text: (is_storable_document(text),) for text in EDGES} == accepted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"b":1,"a":2}', '{ "a" : 2, "b" : 1 }'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E+2"),
        ("0", "-0"),
        ("0", "-0.00e5"),
        ("12345678901234567890123456789012345678900", "1234567890123456789012345678901234567.89e4"),
        ("0.100", "1e-1"),
        ('"é"', '"\\u00e9"'),
        ('"\U0001f600"', '"\\ud83d\\ude00"'),
        ('"/"', '"\\/"'),
    ],
)
def test_other_spellings_are_the_same_document(one: str, other: str) -> None:
    assert canonical_document(one) == canonical_document(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", '"1"'),
        ("1", "true"),
        ("0", "false"),
        ("null", '"null"'),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ('{"a":1}', '{"A":1}'),
        ("9007199254740993", "9007199254740992"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("10000000000000000000000000000000000000001", "10000000000000000000000000000000000000000"),
        ('"e\u0301"', '"\u00e9"'),
        ('"a"', '"a "'),
    ],
)
def test_other_documents_stay_other(one: str, other: str) -> None:
    assert None not in (canonical_document(one), canonical_document(other))
    assert canonical_document(one) != canonical_document(other)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (' {"b" : [1.50, -0, 1e3], "a" : null} ', '{"a":null,"b":[1.5,0,1000]}'),
        ("1e25", "1E+25"),
        ("0.0000001", "0.0000001"),
        ("0.00000001", "1E-8"),
    ],
)
def test_the_one_spelling_can_be_read(text: str, canonical: str) -> None:
    assert canonical_document(text) == canonical


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_is_refused_at_one_depth_whatever_the_caller_s_stack(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(levels: int) -> str:
        return opening * levels + "1" + closing * levels

    def deeper(frames: int) -> tuple[bool, bool]:
        if frames:
            return deeper(frames - 1)
        return is_storable_document(nested(DEEPEST_NESTING)), is_storable_document(nested(DEEPEST_NESTING + 1))

    assert deeper(0) == deeper(200) == (True, False)
    assert not is_storable_document(nested(100_000))


def test_null_is_storable() -> None:
    assert is_storable_document(None)
