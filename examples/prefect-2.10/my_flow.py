"""The tutorial's function, without the network."""


def get_repo_info(repo_name: str = "reeve"):
    """Say which repository is looked at."""
    print(f"looking at {repo_name}")
