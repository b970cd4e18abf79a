"""What annotations make of JSON values: `python3 values.py VALUES_PY`, run by `tests/python_values.rs`. Ends with an error that names what is wrong."""
import inspect
import sys
import typing
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, auto
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, FrozenSet, List, Literal, NamedTuple, NewType, Optional, Set, Tuple, Type, TypeVar, Union
from uuid import UUID

own = {"__name__": "values", "signature_of": lambda function: inspect.signature(function).parameters}  # As runner.py has it.
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), own)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = auto()
    HIGH = auto()


@dataclass
class Point:
    x: int
    on: Optional[date] = None
    seed: InitVar[int] = 0
    late: "Missing" = None
    made: list = field(default_factory=list, init=False)


@dataclass
class Named:
    name: str

    def __post_init__(self):
        if self.name == "bug":
            raise KeyError("a bug")
        if not self.name:
            raise ValueError("empty\nname")


class Pair(NamedTuple):
    day: date
    count: int = 1


class Plain:
    pass


class Typed(typing.TypedDict, total=False):
    day: date


class Speaks(typing.Protocol):
    def speak(self): ...


T, Day = TypeVar("T"), TypeVar("Day", bound=date)
UserId = NewType("UserId", int)
D = date(2026, 1, 2)
UTC = timezone.utc
raw = object()

# annotation, value, what it becomes; `raw`: the value as it is.
TAKEN = [
    *[(kind, {"a": [1, "x"]}, raw) for kind in (
        Any, "Missing", "not python", "Dict[str, 'Missing']", Dict[str, Any], object, Plain, Typed, Speaks, T, Optional[Any], Callable, Type[int],
        Callable[[int], str], Union[int, Any], Union[date, Plain], NewType("N", Any), typing.Generic, typing.Hashable, typing.Generator, 5, {"k": 1}, ...,
        typing.ClassVar, typing.Union, Optional["Missing"], typing.Callable[..., Any], typing.AsyncIterator[int], len, type, typing.NoReturn,
    )],
    *[(kind, ["2026-01-02"], raw) for kind in (List[Any], list, Sequence, Iterable, List[T], List["Missing"], List[Plain], List[Speaks], typing.Iterable)],
    *[(kind, None, raw) for kind in (None, Optional[int], Any, Optional[date], Optional[List[Point]], "None")],
    ("date", "2026-01-02", D), (Day, "2026-01-02", D), (List["date"], ["2026-01-02"], [D]), ("List[date]", ["2026-01-02"], [D]),
    *[(kind, ["2026-01-02"], [D]) for kind in (Optional[List[date]], typing.Sequence[date], typing.Iterable[date], typing.Collection[date], typing.MutableSequence[date])],
    *[(kind, {"k": "2026-01-02"}, {"k": D}) for kind in (Optional[Dict[str, date]], typing.Mapping[str, date], typing.MutableMapping[str, date])],
    (Set[date], ["2026-01-02"], {D}), (typing.AbstractSet[date], ["2026-01-02"], {D}), (FrozenSet[int], [1], frozenset([1])), (set, [1, 1], {1}),
    (tuple, [1], (1,)), (Tuple, ["x"], ("x",)), (Tuple[date, ...], ["2026-01-02"], (D,)), (Tuple[date, int], ["2026-01-02", 1], (D, 1)), (typing.Deque[int], [1], deque([1])),
    (typing.OrderedDict[str, date], {"k": "2026-01-02"}, OrderedDict(k=D)),
    (Dict[Color, int], {"red": 1}, {Color.RED: 1}), (Dict[int, date], {"5": "2026-01-02"}, {5: D}), (Dict[date, Any], {"2026-01-02": 1}, {D: 1}),
    (Dict[Level, int], {"1": 1}, {Level.LOW: 1}), (typing.Iterable[Color], ["blue"], [Color.BLUE]), (Color, "red", Color.RED), (Level, 2, Level.HIGH),
    (Optional[List[Point]], [{"x": 1, "on": "2026-01-02", "late": 5}], [Point(1, D, late=5)]), (Point, {"x": 1.0, "seed": 3}, Point(1)),
    (Union[Named, Point], {"x": 1}, Point(1)), (Union[Point, Named], {"name": "n"}, Named("n")), (Union[int, date, str], "2026-01-02", "2026-01-02"),
    (Union[date, int], "2026-01-02", D), (Union[Plain, date], "2026-01-02", D), (Union[Color, List[Color]], ["red"], [Color.RED]), (Union[float, None], 5, 5.0),
    (Typed, {"day": "2026-01-02", "more": 1}, {"day": D, "more": 1}), (Pair, ["2026-01-02"], Pair(D)), (Pair, {"day": "2026-01-02", "count": 2}, Pair(D, 2)),
    (UserId, 5, 5), (Literal["a", 1], "a", "a"), (Literal[Color.RED], "red", Color.RED),
    (int, 5.0, 5), (int, 10**30, 10**30), (int, "5", 5), (int, True, True), (float, 5, 5.0), (bool, "yes", True), (bytes, "ä", "ä".encode()),
    (datetime, "2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500000, UTC)), (datetime, "2026-01-02", datetime(2026, 1, 2)),
    (datetime, "2026-01-02 03:04+05:30", datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5.5)))), (datetime, "5", datetime(1970, 1, 1, 0, 0, 5, 0, UTC)),
    (datetime, "2026-01-02T03:04:05.123456789-0100", datetime(2026, 1, 2, 3, 4, 5, 123456, timezone(timedelta(hours=-1)))),
    (date, "2026-01-02T00:00:00Z", D), (date, "86400", date(1970, 1, 2)), (time, "03:04", time(3, 4)), (time, "03:04:05.25Z", time(3, 4, 5, 250000, UTC)),
    (timedelta, "PT1H30M", timedelta(hours=1.5)), (timedelta, "-P1DT0.5S", -timedelta(days=1, seconds=0.5)), (timedelta, "P1W", timedelta(weeks=1)),
    (timedelta, "P1Y", timedelta(365)), (timedelta, "90", timedelta(seconds=90)), (timedelta, 1.5, timedelta(seconds=1.5)), (timedelta, "1:30:00", timedelta(hours=1.5)),
    (timedelta, "1 day, 2:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)), (timedelta, "-1 day, 23:00:00", -timedelta(days=1, hours=23)),
    (timedelta, "2 days", timedelta(2)), (timedelta, "3 01:00:00", timedelta(days=3, hours=1)), (timedelta, "5d", timedelta(5)),
    (Decimal, "1.10", Decimal("1.10")), (Decimal, 1.1, Decimal("1.1")), (UUID, "67e5504410b1426f9247bb680e5fe0c8", UUID("67e5504410b1426f9247bb680e5fe0c8")),
    (Path, "a/b", Path("a/b")), (PurePosixPath, "a", PurePosixPath("a")), (IPv4Address, "10.0.0.1", IPv4Address("10.0.0.1")), (complex, "1+2j", 1 + 2j),
]

# annotation, value, the sentence on the parameter `p`.
REFUSED = [
    (datetime, "soon", "the parameter `p` is the text `soon`; expected a date and time such as `2026-11-20T10:00:00Z`"),
    (date, "2026-01-01T01:00:00", "the parameter `p` is the text `2026-01-01T01:00:00`; expected a date such as `2026-11-20`"),
    *[(date, value, None) for value in ("5", "2026-02-30", "x", "2026-01-02T", "2026-01-02T25:00", True, [], "x" * 61)],
    (date, "two\nlines", "the parameter `p` is a text of 9 characters; expected a date such as `2026-11-20`"),
    (date, "x" * 61, "the parameter `p` is a text of 61 characters; expected a date such as `2026-11-20`"),
    *[(time, value, None) for value in ("5", "25:00", 5)],
    *[(timedelta, value, None) for value in ("5 minutes", "1:30", "P", "PT", "", "-", "1H", True, "1:2:3:4")],
    (Decimal, "abc", "the parameter `p` is the text `abc`; expected a decimal number"), (Decimal, "NaN", None), (UUID, "x", None), (Path, 5, None),
    (Level, 5, "the parameter `p` is the number `5`; expected `1` or `2`"), (Color, "RED", "the parameter `p` is the text `RED`; expected `red` or `blue`"),
    (Optional[Color], "RED", "the parameter `p` is the text `RED`; expected `red` or `blue` or null"),
    (int, "many", "the parameter `p` is the text `many`; expected a whole number"), (int, 5.5, None), (int, None, None), (bool, 2, None), (str, 5, None),
    (float, 10**400, None), (List[date], "2026-01-02", "the parameter `p` is the text `2026-01-02`; expected a list"), (Dict[str, int], [], None), (set, [{}], None),
    (Optional[List[date]], ["2026-01-02", "soon"], "the parameter `p.1` is the text `soon`; expected a date such as `2026-11-20`"),
    (Dict[str, List[Point]], {"k": [{}]}, "the parameter `p.k.0` is a mapping without `x`; expected a mapping with `x`"),
    (Point, {"x": 1, "z": 1}, "the parameter `p` is a mapping with the unknown key `z`; expected no other keys than `x`, `on`, `seed` or `late`"),
    (Point, {"x": "a"}, "the parameter `p.x` is the text `a`; expected a whole number"), (Point, 5, None), (Point, {"x": 1, "made": []}, None),
    (Named, {"name": ""}, "the parameter `p` is a mapping; expected what Named takes (empty name)"),
    (Union[int, date], "x", "the parameter `p` is the text `x`; expected a whole number or a date such as `2026-11-20`"),
    (Tuple[int, int], [1], "the parameter `p` is a list of 1; expected a list of 2"), (Literal["a"], "b", "the parameter `p` is the text `b`; expected `a`"),
    (Pair, {"count": 1}, None), (Pair, ["2026-01-02", 1, 2], None), (Dict[int, int], {"k": 1}, None), (typing.Sequence[str], "abc", None),
]

if sys.version_info >= (3, 9):
    TAKEN += [(typing.Annotated[date, "why"], "2026-01-02", D), (dict[str, Any], {"a": 1}, raw), (Mapping[str, date], {"k": "2026-01-02"}, {"k": D})]
    TAKEN += [(Sequence[Point], [{"x": 1}], [Point(1)]), (tuple[date, ...], ["2026-01-02"], (D,)), ("list[date]", ["2026-01-02"], [D])]
if sys.version_info >= (3, 10):
    TAKEN += [(list[date] | None, ["2026-01-02"], [D]), ("list[date] | None", None, None), (typing.ParamSpec("P").args, [1], raw), (str | Any, {}, raw)]
if sys.version_info >= (3, 11):
    TAKEN += [(tuple[int, typing.Unpack[tuple[str, ...]]], [1, "x"], (1, "x")), (typing.LiteralString, "x", raw), (typing.Self, 1, raw), (typing.Never, 1, raw)]
if sys.version_info >= (3, 12):
    exec("type Days = list[date]\ntype Loop = Loop")
    TAKEN += [(Days, ["2026-01-02"], [D]), (Loop, 5, raw)]

try:
    import pydantic
except ImportError:
    print("without pydantic")
else:
    class Model(pydantic.BaseModel):
        count: int
        on: date = None

    class Larger(Model):
        more: int = 0

    Positive = typing.Annotated[int, pydantic.Field(gt=0)]
    TAKEN += [
        (Model, {"count": "5", "on": "2026-01-02"}, Model(count=5, on=D)), (List[Model], [{"count": 1}], [Model(count=1)]),
        (Optional[List[Model]], [{"count": 1}], [Model(count=1)]), (Sequence[Model], [{"count": 1}], [Model(count=1)]), (Positive, 5, 5),
        (Union[Model, Named], {"name": "n"}, Named("n")), (Union[Model, Larger], {"count": 1, "more": 2}, Larger(count=1, more=2)),
        (Union[Model, Plain], {"x": 1}, raw), (Dict[str, Model], {"k": {"count": 1}}, {"k": Model(count=1)}), (Optional[Model], None, None),
        (pydantic.SecretStr, "s", pydantic.SecretStr("s")),
    ]
    REFUSED += [
        (Model, {"count": "x"}, "the parameter `p.count` is the text `x`; expected a valid integer, unable to parse string as an integer"),
        (List[Model], [{}], "the parameter `p.0` is a mapping without `count`; expected a mapping with `count`"), (Positive, 0, None),
    ]


def fit(value, kind):
    return own["Values"]().fit(value, own["resolved"](kind, globals()), ("p",))


wrong = []
for kind, value, expected in TAKEN:
    try:
        found = fit(value, kind)
    except Exception as error:
        found = error
    expected = value if expected is raw else expected
    if found != expected or type(found) is not type(expected):
        wrong.append("%r of %r: %r instead of %r" % (kind, value, found, expected))
for kind, value, expected in REFUSED:
    try:
        wrong.append("%r takes %r as %r" % (kind, value, fit(value, kind)))
    except own["Misfit"] as misfit:
        if expected is not None and str(misfit) != expected:
            wrong.append("%r of %r: %s" % (kind, value, misfit))
try:
    fit({"name": "bug"}, Named)
except own["Misfit"] as misfit:
    if not isinstance(misfit.__cause__, KeyError):
        wrong.append("a fault of the program's own is its cause: %r" % misfit.__cause__)
sys.exit("\n".join(wrong) or 0)
