"""Reports on a git repository: where it stands and what happened lately."""

import subprocess
from pathlib import Path


def get_repo_info(repository: str = ".", commits: int = 5) -> dict:
    """Report the branch, the newest commits and the uncommitted changes of a git repository.

    Args:
        repository: a directory inside the repository.
        commits: how many of the newest commits to list.
    """
    root = Path(git(repository, "rev-parse", "--show-toplevel"))
    branch = git(repository, "branch", "--show-current") or "(no branch)"
    changed = git(repository, "status", "--porcelain").splitlines()
    print(f"{root.name} is on {branch}, with {len(changed)} uncommitted changes")
    log = git(repository, "log", f"-{commits}", "--format=%h %as %s", check=False).splitlines()
    for line in log:
        print(f"  {line}")
    return {"branch": branch, "commits": len(log), "uncommitted": len(changed)}


def git(repository: str, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
