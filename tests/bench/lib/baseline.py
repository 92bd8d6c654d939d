# SPDX-License-Identifier: Apache-2.0
"""The stored figures, one line each: kernel, compiler, figure, value. What a line of another kernel
or compiler says is no measure for this one."""
import os
import re
import subprocess

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "baseline.tsv")
LIMIT = 0.03
# Worse is more, for each. The loop's own figure is told, but drifts by more than the limit.
GATED = ("exec inline", "exec daemon", "exec bytes", "fork bytes", "exit bytes")
HEADER = "# made by tests/bench/run --rebase\n# kernel\tcompiler\tfigure\tvalue\n"


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


def load():
    """{(kernel, compiler): {figure: value}}"""
    stored = {}
    try:
        with open(PATH, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    kernel, compiler, figure, value = line.rstrip("\n").split("\t")
                    stored.setdefault((kernel, compiler), {})[figure] = int(value)
    except FileNotFoundError:
        pass
    return stored


def store(key, found):
    """Replaces the lines of `key`."""
    stored = load()
    stored[key] = found
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for (kernel, compiler), values in sorted(stored.items()):
            for figure, value in values.items():
                file.write(f"{kernel}\t{compiler}\t{figure}\t{value}\n")


def compare(key, found):
    """Returns (lines to print, lines that are failures)."""
    stored = load().get(key)
    lines, failures = [], []
    if stored is None:
        lines.append(f"no stored figures for kernel {key[0]} and {key[1]}: measured, not judged; "
                     "tests/bench/run --rebase stores them")
    for figure, value in found.items():
        if stored is None or figure not in stored:
            lines.append(f"{figure:28} {value:>12,}")
            continue
        base = stored[figure]
        change = (value - base) / base if base else 0.0
        line = f"{figure:28} {value:>12,}  stored {base:>12,}  {change:+7.2%}"
        lines.append(line if figure in GATED else line + "  (not judged)")
        if figure in GATED and change > LIMIT:
            failures.append(f"{figure} is {change:.1%} worse than the stored figure of kernel "
                            f"{key[0]} and {key[1]}: {value:,} against {base:,}, limit "
                            f"{LIMIT:.0%}")
    return lines, failures
