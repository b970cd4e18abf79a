"""A plain function: the same file may hold Prefect flows, which this version of reeve schedules but does not run."""


def load(table: str, limit: int = 100) -> int:
    """Load a table.

    Args:
        table: which one.
        limit: at most so many rows.
    """
    print(f"loading {limit} rows of {table}")
    return limit
