"""Types of the standard library."""
import datetime
import datetime as dt
import decimal
import pathlib
import uuid
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID
def moments(a: datetime.datetime, b: date, c: time, d: timedelta, e: dt.datetime = None): pass
def identifiers(a: UUID, b: uuid.UUID = None): pass
def paths(a: Path, b: pathlib.Path = None): pass
def decimals(a: Decimal, b: decimal.Decimal = None): pass
def computed_defaults(a: Path = Path("/tmp/x"), b: int = 3): pass
