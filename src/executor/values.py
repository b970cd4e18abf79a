"""What a parameter's annotation makes of its JSON value. `runner.py` executes this in its own namespace where there is something to
convert: reading it takes ten milliseconds.

JSON has no dates, enumerations or classes. A value is read as Pydantic would read it; where an annotation uses Pydantic itself, Pydantic
reads it. What cannot become what its annotation asks for is a Misfit. An annotation that says nothing that could be checked takes every
value as it is, and nothing that stands in one may make this raise anything else. Runs on Python 3.8 and later.
"""
import sys
import typing

HINTS = {"include_extras": True} if sys.version_info >= (3, 9) else {}


class Misfit(Exception):
    """A value that is not what its annotation asks for. Its cause: what the program's own code raised over it."""

    def __init__(self, place, found, expected):
        super().__init__(place, found, expected)
        self.place, self.found, self.expected = place, found, expected

    def __str__(self):
        return "the parameter `%s` is %s; expected %s" % (".".join(map(str, self.place)), self.found, self.expected)


class Unchecked(Exception):
    """The annotation says nothing about the value."""


def described(value):
    """As reeve's own check says it. Of a long text nothing, and any other as it is: only a whole secret is masked in what the log says."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "`%s`" % str(value).lower()
    if isinstance(value, (int, float)):
        return "the number `%s`" % value
    if isinstance(value, str):
        if value and len(value) <= 60 and value.isprintable():
            return "the text `%s`" % value
        return "a text of %d characters" % len(value) if value else "an empty text"
    return {list: "a list", dict: "a mapping"}.get(type(value), "a %s" % type(value).__name__)


def or_list(words):
    words = list(dict.fromkeys(words))
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[:-1] else words)


def choices(values):
    return or_list("`%s`" % (value,) for value in values)


# What JSON writes as a text or a number: each reader raises where it cannot. `kind` may be a subclass.


def whole(kind, value):
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return value if isinstance(value, int) else int(value)


def real(kind, value):
    return value if isinstance(value, float) else float(value)


def truth(kind, value):
    words = {"true": True, "yes": True, "on": True, "y": True, "t": True, "1": True, 1: True}
    words.update({"false": False, "no": False, "off": False, "n": False, "f": False, "0": False, 0: False})
    return words[value.strip().lower() if isinstance(value, str) else value]


def text(kind, value):
    if not isinstance(value, str):
        raise ValueError
    return value


def octets(kind, value):
    return text(kind, value).encode()


def complex_number(kind, value):
    return kind(value.replace(" ", "")) if isinstance(value, str) else kind(value)


def decimal(kind, value):
    if isinstance(value, bool):
        raise ValueError
    number = kind(str(value).strip())
    if not number.is_finite():
        raise ValueError
    return number


def from_text(kind, value):
    return kind(text(kind, value))


def path(kind, value):
    if kind.__name__ != "PathLike":
        return from_text(kind, value)
    import pathlib

    return from_text(pathlib.Path, value)


def pattern(kind, value):
    import re

    return re.compile(text(kind, value))


CLOCK = r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"


def clock(parts):
    """Hour, minute, second, microsecond and time zone, as CLOCK finds them."""
    import datetime

    hour, minute, second, fraction, universal, sign, hours, minutes = parts
    zone = datetime.timezone.utc if universal else None
    if sign:
        offset = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
        zone = datetime.timezone(-offset if sign == "-" else offset)
    return int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(6, "0")[:6]), zone


def instant(kind, value):
    """ISO 8601, a day alone, or Unix time in seconds (above 2e10 milliseconds), as Pydantic reads it; `fromisoformat` reads other forms
    in each version."""
    import datetime
    import re

    value = value.strip() if isinstance(value, str) else value
    if not isinstance(value, str) or re.fullmatch(r"[+-]?\d+(\.\d*)?", value):
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        when = datetime.timedelta(seconds=number if abs(number) <= 2e10 else number / 1000)
        when += datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        parts = (when.year, when.month, when.day, when.hour, when.minute, when.second, when.microsecond, when.tzinfo)
    else:
        found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt _]%s)?" % CLOCK, value).groups()
        parts = tuple(int(part) for part in found[:3]) + (clock(found[3:]) if found[3] else (0, 0, 0, 0, None))
    return kind(*parts[:7], tzinfo=parts[7])


def day(kind, value):
    import datetime

    when = instant(datetime.datetime, value)
    if when.time() != datetime.time():
        raise ValueError
    return kind(when.year, when.month, when.day)


def time_of_day(kind, value):
    import re

    *parts, zone = clock(re.fullmatch(CLOCK, value.strip()).groups())
    return kind(*parts, tzinfo=zone)


def duration(kind, value):
    """ISO 8601 (`PT1H30M`; a year has 365 days and a month 30), seconds, or as `str` writes one: `1 day, 2:03:04`."""
    import re

    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return kind(seconds=value)
    sign, plain = re.fullmatch(r"([+-]?)(.*)", value.strip()).groups()
    number = r"(\d+(?:[.,]\d+)?)"
    iso = re.fullmatch("P%s(?:T%s)?" % tuple("".join("(?:%s%s)?" % (number, unit) for unit in units) for units in ("YMWD", "HMS")), plain)
    spoken = re.fullmatch(r"(?:(\d+) ?(?:d|days?)?,? ?)??(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?", plain)
    if re.fullmatch(number, plain):
        length = kind(seconds=float(plain.replace(",", ".")))
    elif iso and plain[-1] not in "PT":
        years, months, weeks, days, hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in iso.groups())
        length = kind(days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds)
    elif spoken and plain:
        days, hours, minutes, seconds = (float(part or 0) for part in spoken.groups())
        length = kind(days=days, hours=hours, minutes=minutes, seconds=seconds)
    else:
        raise ValueError
    return -length if sign == "-" else length


NETWORK = "an IP address or network"
READERS = {
    "builtins.int": (whole, "a whole number"),
    "builtins.float": (real, "a number"),
    "builtins.bool": (truth, "`true` or `false`"),
    "builtins.str": (text, "a text"),
    "builtins.bytes": (octets, "a text"),
    "builtins.complex": (complex_number, "a complex number such as `1+2j`"),
    "datetime.datetime": (instant, "a date and time such as `2026-11-20T10:00:00Z`"),
    "datetime.date": (day, "a date such as `2026-11-20`"),
    "datetime.time": (time_of_day, "a time such as `10:00:00`"),
    "datetime.timedelta": (duration, "a duration such as `PT1H30M` or `1:30:00`"),
    "uuid.UUID": (from_text, "a UUID"),
    "decimal.Decimal": (decimal, "a decimal number"),
    "os.PathLike": (path, "a path"),
    "pathlib.PurePath": (path, "a path"),
    "re.Pattern": (pattern, "a regular expression"),
    "zoneinfo.ZoneInfo": (from_text, "a time zone such as `Europe/Berlin`"),
    "ipaddress._BaseAddress": (from_text, NETWORK),
    "ipaddress._BaseNetwork": (from_text, NETWORK),
}

SEQUENCES = ("list", "Sequence", "MutableSequence", "Iterable", "Collection", "Reversible", "Container")
SETS = ("set", "Set", "MutableSet")
MAPPINGS = ("dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict")
WRAPPERS = ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "InitVar")


def reader_of(kind):
    """The reader of a class of Python's own; subclasses have one where they only add to it (`pendulum.DateTime`, `PosixPath`)."""
    own = kind.__mro__ if not hasattr(kind, "__members__") else ()
    for base in own:
        reader = READERS.get("%s.%s" % (base.__module__.split(".")[0], base.__qualname__))
        if reader and (base is kind or base.__module__.split(".")[0] != "builtins"):
            return reader
    return None


def annotations_of(owner):
    try:
        import annotationlib  # 3.14: names may be missing until somebody asks for them
    except ImportError:
        return vars(owner).get("__annotations__") or {}
    return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)


def resolved(annotation, names):
    """An annotation with the names in its quotes looked up; what only type checkers can read takes any value."""

    def holder():
        pass

    holder.__annotations__ = {"it": annotation}
    try:
        return typing.get_type_hints(holder, names, **HINTS)["it"]
    except Exception:
        return typing.Any


def fields_of(owner):
    try:
        return typing.get_type_hints(owner, **HINTS)
    except Exception:
        found = {}
        for base in reversed(owner.__mro__):
            names = dict(vars(sys.modules.get(base.__module__, typing)))
            found.update((name, resolved(kind, names)) for name, kind in annotations_of(base).items())
        return found


def namespace(function):
    """Where the names in a function's annotations are looked up."""
    import inspect

    function = inspect.unwrap(getattr(function, "func", function))
    if not hasattr(function, "__globals__") and not isinstance(function, type):
        function = type(function).__call__
    return getattr(function, "__globals__", None) or vars(sys.modules.get(getattr(function, "__module__", None), typing))


def uses_pydantic(kind, depth=0):
    def is_its(thing):
        package = (getattr(thing, "__module__", None) or "").split(".")[0]
        return package in ("pydantic", "pydantic_core", "pydantic_extra_types", "annotated_types")

    if isinstance(kind, type) and (any(is_its(base) for base in kind.__mro__) or hasattr(kind, "__pydantic_validator__")):
        return True
    extras = getattr(kind, "__metadata__", ())
    if is_its(kind) or hasattr(kind, "__get_pydantic_core_schema__") or any(is_its(type(extra)) for extra in extras):
        return True
    return depth < 20 and any(uses_pydantic(part, depth + 1) for part in typing.get_args(kind))


class Values:
    """Converts, and remembers what it has learnt of the annotations (by identity: not all can be hashed)."""

    def __init__(self):
        self.adapters, self.fields = {}, {}

    def fit(self, value, kind, place):
        if kind is type(value) and kind in (str, int, float, bool):
            return value
        try:
            return self.convert(value, kind, place)
        except Misfit:
            raise
        except Exception:
            return value  # Unchecked, or an annotation that is no type at all.

    def convert(self, value, kind, place):
        adapter = self.adapter(kind) if "pydantic" in sys.modules else None
        if adapter is not None:
            return self.read_by_pydantic(adapter, value, kind, place)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        name = getattr(origin or kind, "__name__", None) or getattr(origin or kind, "_name", None)
        if origin is typing.Union or type(kind).__name__ == "UnionType":
            return self.one_of(value, arguments, place)
        if origin is typing.Literal:
            return self.literal(value, arguments, place)
        inner = self.meant(kind, origin, arguments, name)
        if inner is not None:
            return self.convert(value, inner, place)
        if kind is None or kind is type(None):
            return self.expect(value is None, value, place, "null") or value
        made = origin or kind
        if not isinstance(made, type):
            raise Unchecked
        if made.__module__ in ("builtins", "collections", "collections.abc"):
            if name in SEQUENCES + SETS + ("frozenset", "deque", "tuple"):
                return self.collection(value, made, name, arguments, place)
            if name in MAPPINGS:
                return self.mapping(value, made, arguments, place)
        return self.instance(value, made, place)

    def meant(self, kind, origin, arguments, name):
        """The annotation that another only wraps or names."""
        if name in WRAPPERS and arguments:
            return arguments[0]
        if type(kind).__name__ == "InitVar":
            return kind.type
        if type(kind).__name__ == "TypeVar":
            return kind.__bound__ or (typing.Union[kind.__constraints__] if kind.__constraints__ else None)
        if type(kind).__name__ == "TypeAliasType":
            return kind.__value__
        return getattr(kind, "__supertype__", None)

    def expect(self, holds, value, place, expected):
        if not holds:
            raise Misfit(place, described(value), expected)

    def one_of(self, value, members, place):
        """Unchanged where that is one of the types, else as the first that takes it; one that takes anything comes last."""
        if any(type(value) is member for member in members):
            return value
        misfits, unchecked = [], False
        for member in members:
            try:
                return self.convert(value, member, place)
            except Misfit as misfit:
                misfits.append(misfit)
            except Exception:
                unchecked = True
        if unchecked:
            raise Unchecked
        deeper = [misfit for misfit in misfits if misfit.place != place or misfit.found != described(value)]
        if len(deeper) == 1:
            raise deeper[0]
        raise Misfit(place, described(value), or_list(misfit.expected for misfit in misfits))

    def literal(self, value, options, place):
        plain = [getattr(option, "value", option) for option in options]
        for option, written in zip(options, plain):
            if type(written) is type(value) and written == value or isinstance(written, bytes) and written == str(value).encode():
                return option
        raise Misfit(place, described(value), choices(plain))

    def collection(self, value, made, name, arguments, place):
        self.expect(isinstance(value, list), value, place, "a list")
        kinds = arguments[:1] * len(value)
        if name == "tuple" and arguments and arguments[-1] is not Ellipsis:
            kinds = () if arguments == ((),) else arguments
            if not any("Unpack" in repr(kind) or repr(kind).startswith("*") for kind in kinds):
                if len(kinds) != len(value):
                    raise Misfit(place, "a list of %d" % len(value), "a list of %d" % len(kinds))
            else:
                kinds = ()
        kinds = tuple(kinds) + (typing.Any,) * (len(value) - len(kinds))
        items = [self.fit(item, kind, place + (number,)) for number, (item, kind) in enumerate(zip(value, kinds))]
        if name in SEQUENCES:
            return items
        try:
            return set(items) if name in SETS else made(items)
        except TypeError:
            raise Misfit(place, "a list that holds lists or mappings", "a list of plain values, for a set") from None

    def mapping(self, value, made, arguments, place):
        self.expect(isinstance(value, dict), value, place, "a mapping")
        keys, items = arguments if len(arguments) == 2 else (typing.Any, typing.Any)
        found = {self.fit(key, keys, place + (key,)): self.fit(item, items, place + (key,)) for key, item in value.items()}
        return made(found) if made.__name__ == "OrderedDict" else found

    def instance(self, value, kind, place):
        reader = reader_of(kind)
        if reader:
            try:
                return reader[0](kind, value)
            except Exception:
                raise Misfit(place, described(value), reader[1]) from None
        if hasattr(kind, "__members__"):
            return self.member(value, kind, place)
        fields = self.fields.get(kind)
        if fields is None:
            fields = self.fields[kind] = fields_of(kind)
        if hasattr(kind, "__dataclass_fields__"):
            return self.dataclass(value, kind, fields, place)
        if type(kind).__name__ == "_TypedDictMeta":
            self.expect(isinstance(value, dict), value, place, "a mapping")
            return {key: self.fit(item, fields.get(key, typing.Any), place + (key,)) for key, item in value.items()}
        if issubclass(kind, tuple) and hasattr(kind, "_fields") and isinstance(value, (list, dict)):
            named = value if isinstance(value, dict) else dict(zip(kind._fields, value))
            self.keys(named, kind._fields, [name for name in kind._fields if name not in kind._field_defaults], place)
            self.expect(len(named) == len(value), value, place, "a list of at most %d" % len(kind._fields))
            return kind(**{key: self.fit(item, fields.get(key, typing.Any), place + (key,)) for key, item in named.items()})
        if hasattr(kind, "parse_obj") and isinstance(value, dict):  # Pydantic 1
            return self.made(lambda: kind.parse_obj(value), value, kind, place)
        raise Unchecked

    def member(self, value, kind, place):
        # JSON's keys are texts, also of an enumeration of numbers.
        known = {str(member.value): member.value for member in kind}
        expected = choices(member.value for member in kind)
        try:
            return kind(value)
        except Exception:
            if isinstance(value, str) and value in known:
                return kind(known[value])
            raise Misfit(place, described(value), expected) from None

    def keys(self, value, known, required, place):
        unknown = [key for key in value if key not in known]
        if unknown:
            raise Misfit(place, "a mapping with the unknown key `%s`" % unknown[0], "no other keys than " + (choices(known) or "none"))
        missing = [key for key in required if key not in value]
        if missing:
            raise Misfit(place, "a mapping without `%s`" % missing[0], "a mapping with `%s`" % missing[0])

    def dataclass(self, value, kind, kinds, place):
        self.expect(isinstance(value, dict), value, place, "a mapping")
        parameters = list(signature_of(kind).values())
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters):
            required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
            self.keys(value, [parameter.name for parameter in parameters], required, place)
        fields = {key: self.fit(item, kinds.get(key, typing.Any), place + (key,)) for key, item in value.items()}
        return self.made(lambda: kind(**fields), value, kind, place)

    def made(self, make, value, kind, place):
        try:
            return make()
        except Exception as error:
            reason = " ".join(str(error).split())
            raise Misfit(place, described(value), "what %s takes (%s)" % (kind.__name__, reason or type(error).__name__)) from error

    def adapter(self, kind):
        """Pydantic's, version 2, where the annotation uses Pydantic and Pydantic knows all of it."""
        if id(kind) not in self.adapters:
            adapter = None
            if uses_pydantic(kind):
                try:
                    adapter = sys.modules["pydantic"].TypeAdapter(kind)
                except Exception:
                    pass
            self.adapters[id(kind)] = (kind, adapter)
        return self.adapters[id(kind)][1]

    def read_by_pydantic(self, adapter, value, kind, place):
        try:
            return adapter.validate_python(value)
        except Exception as error:
            if not (isinstance(error, ValueError) and hasattr(error, "errors")):
                raise Misfit(place, described(value), "what its annotation takes") from error
            first = error.errors(include_url=False)[0]
            where, said = place + tuple(first["loc"]), first["msg"]
            if first["type"] == "missing":
                raise Misfit(where[:-1], "a mapping without `%s`" % where[-1], "a mapping with `%s`" % where[-1]) from None
            start = "Input should be "
            expected = said[len(start):] if said.startswith(start) else "what its model takes (%s)" % said
            raise Misfit(where, described(first["input"]), expected) from None
