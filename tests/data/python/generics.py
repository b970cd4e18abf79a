"""The typing module and its newer spellings."""
from __future__ import annotations
import typing
import typing as t
from typing import Annotated, Any, Dict, FrozenSet, Iterable, List, Literal, Mapping, Optional, Sequence, Set, Tuple, Union
def lists(a: List[int], b: list[str], c: List, d: typing.List[List[float]], e: t.Sequence[int], f: Sequence): pass
def maps(a: Dict[str, int], b: dict[str, Any], c: Dict, d: dict[str, list[int]], e: Mapping[str, int], f: dict[int, str]): pass
def sets(a: Set[int], b: set[str], c: FrozenSet[int]): pass
def tuples(a: Tuple[int, str], b: tuple[int, ...], c: Tuple, d: tuple[int]): pass
def optionals(a: Optional[int], b: Optional[str] = None, c: Optional[List[int]] = None): pass
def unions(a: Union[int, str], b: int | str, c: int | None = None, d: Union[int, str, None] = None, e: Optional[Union[int, str]] = 3): pass
def literals(a: Literal["x", "y"], b: Literal["only"], c: Literal[1, 2] = 1, d: Literal["a", 1, None] = None, e: Literal[True, False] = True): pass
def anything(a: Any, b: Any = None, c: typing.Any = {}): pass
def annotated(a: Annotated[int, "count"], b: Annotated[Optional[str], 1] = None): pass
def repeated(a: Union[int, int], b: Union[int, Union[str, int]], c: Optional[Any] = None): pass
def iterables(a: Iterable[int]): pass
