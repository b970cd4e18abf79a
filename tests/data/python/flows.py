"""Flows and their docstrings."""
import prefect
from prefect import flow
from prefect import flow as make
from typing import Optional
@flow
def bare_flow(a: int = 1): pass
@flow(name="My Flow", retries=2, retry_delay_seconds=1.5, log_prints=True, timeout_seconds=60, description="does it", version="v1", validate_parameters=False)
def named_flow(repo: str, owner: Optional[str] = None):
    """
    Reads a repository.

    Args:
        repo: The repository,
            and more of it.
        owner (str, optional): Whose it is.
    """
@prefect.flow(name="dotted")
def dotted_flow(x): pass
@make(name="renamed")
def renamed_flow(x: int): pass
@flow(
    log_prints=True,
)
async def async_flow(x: int):
    """One line."""
def google_sections(a, b: int = 2):
    """Does a thing.

    Longer text: with a colon.

    Arguments:
      a: First.
      b: Second.

    Returns:
      int: nothing.

    Raises:
      ValueError: never.
    """
def numpy_style(a: int):
    """Does a thing.

    Parameters
    ----------
    a : int
        The a.
    """
def sphinx_style(a: int):
    """Does a thing.

    :param a: The a.
    """
