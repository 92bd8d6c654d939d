# SPDX-License-Identifier: Apache-2.0
"""The stored figures, one line each: kernel, compiler, figure, value. What a line of another kernel
or compiler says is no measure for this one."""
import dataclasses
import os
import re
import subprocess
from typing import Callable

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclasses.dataclass
class Table:
    """A file of stored figures, and which of them are judged. Worse is more, for each."""
    path: str
    made_by: str  # the command that stores them
    gated: Callable[[str], bool]
    limit: float  # how much worse is too much, as a share …
    slack: int = 0  # … when it is by more than so many as well


# The loop's own figure is told, but drifts by more than the limit.
GATED = ("exec inline", "exec daemon", "exec bytes", "fork bytes", "exit bytes")
SENSOR = Table(os.path.join(BENCH, "baseline.tsv"), "tests/bench/run --rebase", GATED.__contains__,
               0.03)


def kernel_key(release):
    """"6.1" of "6.1.0-56-cloud-amd64"."""
    return ".".join(re.split(r"[.-]", release)[:2])


def compiler_key(binary):
    """"gcc-12.2.0 clang-14.0.6": what built the binary and its BPF programs."""
    comment = subprocess.run(["readelf", "-p", ".comment", binary], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    clang = subprocess.run(["clang-14", "--version"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    built_by = re.search(r"(GCC|clang)[^\n]*? (\d+\.\d+\.\d+)", comment)
    bpf = re.search(r"version (\d+\.\d+\.\d+)", clang)
    name = "gcc" if built_by.group(1) == "GCC" else "clang"
    return f"{name}-{built_by.group(2)} clang-{bpf.group(1)}"


def figures_of(kentry):
    """{figure: value} of Kentry's Figures, gated ones and those that are told only."""
    found = {
        "exec inline": round(kentry.program_sum()),
        "exec daemon": kentry.costs["exec"].daemon,
        "exec inline by the loop": kentry.costs["exec"].inline,
        "open inline by the loop": kentry.costs["open"].inline,
        "connect inline by the loop": kentry.costs["connect"].inline,
        "idle": kentry.idle,
        "resident": kentry.memory.rss - kentry.memory.mapped,
        "maps": kentry.memory.maps,
    }
    for cls in ("exec", "fork", "exit"):
        found[f"{cls} bytes"] = round(kentry.events.bytes.get(f"process.{cls}", 0))
    return found


def load(table=SENSOR):
    """{(kernel, compiler): {figure: value}}"""
    stored = {}
    try:
        with open(table.path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    kernel, compiler, figure, value = line.rstrip("\n").split("\t")
                    stored.setdefault((kernel, compiler), {})[figure] = int(value)
    except FileNotFoundError:
        pass
    return stored


def store(key, found, table=SENSOR):
    """Replaces the lines of `key`."""
    stored = load(table)
    stored[key] = found
    with open(table.path, "w", encoding="utf-8") as file:
        file.write(f"# made by {table.made_by}\n# kernel\tcompiler\tfigure\tvalue\n")
        for (kernel, compiler), values in sorted(stored.items()):
            for figure, value in values.items():
                file.write(f"{kernel}\t{compiler}\t{figure}\t{value}\n")


def compare(key, found, table=SENSOR):
    """Returns (lines to print, lines that are failures)."""
    stored = load(table).get(key)
    lines, failures = [], []
    if stored is None:
        lines.append(f"no stored figures for kernel {key[0]} and {key[1]}: measured, not judged; "
                     f"{table.made_by} stores them")
    for figure, value in found.items():
        if stored is None or figure not in stored:
            lines.append(f"{figure:28} {value:>12,}")
            continue
        base = stored[figure]
        change = (value - base) / abs(base) if base else 0.0
        line = f"{figure:28} {value:>12,}  stored {base:>12,}  {change:+7.2%}"
        lines.append(line if table.gated(figure) else line + "  (not judged)")
        if table.gated(figure) and _is_worse(value, base, table):
            failures.append(f"{figure} is {change:.1%} worse than the stored figure of kernel "
                            f"{key[0]} and {key[1]}: {value:,} against {base:,}, limit "
                            f"{table.limit:.0%}")
    return lines, failures


def _is_worse(value, base, table):
    return value - base > max(table.limit * abs(base), table.slack)
