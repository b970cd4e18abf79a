"""Looks at the host: load, memory and disk."""

import os
import shutil


def check_host(
    disk: str = "/",
    max_load_per_cpu: float = 4.0,
    max_memory_percent: float = 95.0,
    max_disk_percent: float = 90.0,
) -> dict:
    """Report load, memory and disk, and fail when one of them is past its threshold.

    Args:
        disk: a path on the file system to look at.
        max_load_per_cpu: the one-minute load average divided by the number of processors.
        max_memory_percent: memory that is not available to new programs.
        max_disk_percent: space that is used.
    """
    found = {
        "load_per_cpu": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
        "memory_percent": memory_percent(),
        "disk_percent": disk_percent(disk),
    }
    limits = {"load_per_cpu": max_load_per_cpu, "memory_percent": max_memory_percent, "disk_percent": max_disk_percent}
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items()))
    past = [f"{name.replace('_', ' ')} is {found[name]}, past {limit}" for name, limit in limits.items() if found[name] > limit]
    if past:
        raise RuntimeError("; ".join(past))
    return found


def memory_percent() -> float:
    with open("/proc/meminfo") as file:
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return round(100 * (1 - kilobytes["MemAvailable"] / kilobytes["MemTotal"]), 1)


def disk_percent(path: str) -> float:
    usage = shutil.disk_usage(path)
    return round(100 * usage.used / usage.total, 1)
