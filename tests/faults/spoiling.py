"""Every way to spoil params.yaml: its structure, its text, or all of it."""

import copy
import datetime
import io
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.repository import ROOT

Way = tuple[Any, ...]
Case = tuple[Any, list[Way]]  # the content, and the keys of which an error may name any
REAL = YAML(typ="safe").load(ROOT / "params.yaml")
BASE = REAL | {"models": {name: REAL["models"][name] for name in ("cnn_5x5", "cnn_fast")}}


def ways(content: Any, before: Way = ()) -> list[Way]:
    """The way to everything inside."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [way for key, value in inner for way in ((*before, key), *ways(value, (*before, key)))]


def at(content: Any, way: Way) -> Any:
    """What a way leads to."""
    for key in way:
        content = content[key]
    return content


def text(content: Any) -> str:
    """As YAML."""
    stream = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False  # in flows the writer leaves `?0` bare, which its own reader refuses
    yaml.width = 1_000_000  # a key may stand on one line only
    yaml.dump(content, stream)
    return stream.getvalue()


WAYS = ways(BASE)
KEYS = [way for way in WAYS if isinstance(way[-1], str)]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, 2**64, 10**400, -(10**30)]),
    st.floats(),
    st.sampled_from([0.0, 1.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf")]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["", " ", "no", "1e-3", "a\0b", "../x.gz", "x" * 3000, "cpu", "adamw", "sgd", "{", "${seed}"]),
    st.dates(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.binary(max_size=9),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
)
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", ".", "split.seed", "name", "seed", "<<", "=", "a b", "null"]),
)
FOREIGN_KEYS = st.one_of(
    NAMES, st.integers(), st.none(), st.booleans(), st.floats(), st.dates(), st.tuples(st.integers(0, 99))
)


@st.composite
def replaced(draw: Any) -> Case:
    """A value in place of another: anything, or what stands elsewhere in the file."""
    content, way = copy.deepcopy(BASE), draw(st.sampled_from(WAYS))
    elsewhere = st.sampled_from(WAYS).map(lambda other: copy.deepcopy(at(BASE, other)))
    at(content, way[:-1])[way[-1]] = draw(VALUES | elsewhere)
    return content, [way]


@st.composite
def deleted(draw: Any) -> Case:
    content, way = copy.deepcopy(BASE), draw(st.sampled_from(WAYS))
    del at(content, way[:-1])[way[-1]]
    return content, [way]


@st.composite
def misspelt(draw: Any) -> Case:
    """A key with a letter lost, doubled, exchanged or in capitals."""
    content, way = copy.deepcopy(BASE), draw(st.sampled_from(KEYS))
    name, place = str(way[-1]), draw(st.integers(0, len(str(way[-1])) - 1))
    letter = name[place]
    other = draw(st.sampled_from(["", letter * 2, letter.upper(), f"{letter}_", "é", " "]))
    mapping = at(content, way[:-1])
    new = name[:place] + other + name[place + 1 :]
    mapping[new] = mapping.pop(name)
    return content, [way, (*way[:-1], new)]


@st.composite
def added(draw: Any) -> Case:
    """A key that was not there, of any type that YAML has."""
    content, way = copy.deepcopy(BASE), draw(st.sampled_from([(), *WAYS]))
    while not isinstance(at(content, way), dict):
        way = way[:-1]
    key = draw(FOREIGN_KEYS)
    at(content, way)[key] = draw(VALUES)
    return content, [(*way, key)]


@st.composite
def rewritten(draw: Any) -> str:
    """The text itself: a line twice, a tag, an anchor, an alias, a merge, another directive, a piece lost or put in."""
    lines = text(BASE).splitlines()
    place = draw(st.integers(0, len(lines) - 1))
    head, colon, value = lines[place].partition(": ")
    tags = [
        "!!int",
        "!!float",
        "!!bool",
        "!!timestamp",
        "!!binary",
        "!!set",
        "!!omap",
        "!!python/object:os.system",
        "!x",
    ]
    prefixes = [
        *tags,
        "&a",
        "&a &a",
        "*a",
        "&a [*a]",
        "? ",
        "- ",
        "|",
        ">",
        "'",
        '"',
        "0x" + "f" * 5000,
        "9" * 5000,
        "[" * 3000,
    ]
    how = draw(st.sampled_from(["double", "prefix", "anchors", "merge", "directive", "cut", "insert", "indent"]))
    if how == "double":
        lines.insert(place, lines[place])
    elif how == "prefix":
        lines[place] = f"{head}{colon or ': '}{draw(st.sampled_from(prefixes))} {value}"
    elif how == "anchors":
        lines = [line.replace(": ", ": &a ", 1) if draw(st.booleans()) else line for line in lines]
    elif how == "merge":
        lines = ["base: &base", f"  {lines[place].strip()}", *lines]
        lines.insert(
            draw(st.integers(2, len(lines))), draw(st.sampled_from(["<<: *base", "  <<: *base", "    <<: [*base]"]))
        )
    elif how == "directive":
        lines = [draw(st.sampled_from(["%YAML 1.1", "%YAML 1.2", "%YAML 3.0", "%TAG ! x:", "---\n---"])), "---", *lines]
    elif how == "indent":
        lines[place] = " " * draw(st.integers(0, 5)) + draw(st.sampled_from(["", "\t"])) + lines[place].lstrip()
    whole = "\n".join(lines)
    start = draw(st.integers(0, len(whole)))
    if how == "cut":
        return whole[:start] + whole[start + draw(st.integers(1, 40)) :]
    return whole[:start] + draw(st.text(max_size=5)) + whole[start:] if how == "insert" else whole


GARBAGE = st.text(st.sampled_from(" \n\t:-?[]{}#&*!|>'\"%@`,abc019.~<=é\ufeff\u2028"), max_size=60) | st.binary(
    max_size=60
)
