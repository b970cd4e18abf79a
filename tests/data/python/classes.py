"""Enumerations, dataclasses and models of the same file."""
import enum
from dataclasses import dataclass
from enum import Enum
from typing import List, Optional
from pydantic import BaseModel
class Color(Enum):
    RED = "red"
    BLUE = "blue"
class Level(enum.IntEnum):
    """How much."""
    LOW = 1
    HIGH = 2
class Mixed(Enum):
    A = "a"
    B = 1
class Name(str, Enum):
    ONE = "one"
class Address(BaseModel):
    street: str
    number: int = 1
    unit_code: Optional[str] = None
class Person(BaseModel):
    """A person."""
    name: str
    address: Address
    tags: List[str] = []
@dataclass
class Point:
    x: int
    y: float = 0.5
class Plain:
    def __init__(self, a): self.a = a
def enums(a: Color, b: Level, c: Mixed, d: Name): pass
def models(a: Person, b: List[Address], c: Optional[Person] = None): pass
def dataclasses(a: Point, b: Optional[Point] = None): pass
def plain(a: Plain, b: List[Plain], c: Optional[Plain] = None): pass
def enum_default(a: Color = Color.RED, b: Level = Level.HIGH): pass
