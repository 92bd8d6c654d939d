# SPDX-License-Identifier: Apache-2.0
"""Runs the phases of guest.sh in one boot and reads what came out."""
import dataclasses
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(BENCH, "..", "vm", "lib"))
import machine  # noqa: E402  the path above is needed first

import peers  # noqa: E402

BURST_PROCESSES = 8
PROGRAM = "/bin/nothing"


@dataclasses.dataclass
class Counts:
    """How many of each; 0 leaves it out. Times in seconds, but for the drain."""
    warm: int = 200
    exec: int = 1000
    open: int = 20000
    connect: int = 2000
    script: int = 60
    idle: int = 20
    burst: int = 20000
    drain_ms: int = 20000  # guest time given to a daemon after the burst


# Enough for a gate of 3 %, in a few minutes.
CHECK_COUNTS = Counts(warm=100, exec=500, open=4000, connect=300, script=0, idle=5, burst=4000,
                      drain_ms=5000)


class BenchError(Exception):
    """The run gave no figures; the message says why."""


@dataclasses.dataclass
class Phase:
    """What guest.sh said of one turn."""
    name: str
    operations: dict = dataclasses.field(default_factory=dict)  # op -> {"inline": ..., ...}
    memory: list = dataclasses.field(default_factory=list)  # one dict of bytes per process
    kernel_memory: dict = dataclasses.field(default_factory=dict)
    failures: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Run:
    """One boot."""
    release: str
    phases: list
    folder: str  # the files that came out: kentry.events, kentry.maps, …
    counts: Counts


def _numbers(words, separator):
    """{"n": 1000, ...} of ["n=1000", ...]"""
    return {key: int(value) for key, value in (word.split(separator) for word in words)}


def parse_result(text):
    """Returns the phases of guest.sh's result file, in order."""
    phases = {}
    for line in text.splitlines():
        turn, *words = line.split()
        phase = phases.setdefault(turn, Phase(turn.split(":", 1)[1]))
        if words[0] == "measure":
            phase.operations[words[1]] = _numbers(words[2:], "=")
        elif words[0] == "memory":
            phase.memory.append(_numbers(words[1:], ":"))
        elif words[0].startswith("kernel_"):
            phase.kernel_memory[words[0][len("kernel_"):]] = int(words[1])
        elif words[0] == "failed":
            phase.failures.append(" ".join(words[1:]))
    return list(phases.values())


def _compile(folder):
    # Static, so that the cost of an exec is the kernel's and not the loader's.
    workload, nothing = f"{folder}/workload", f"{folder}/nothing"
    subprocess.run(["gcc", "-O2", "-static", "-o", workload, f"{BENCH}/workload.c"], check=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", nothing, "-x", "c", "-"],
                   input=b"int main(void) { return 0; }\n", check=True)
    return [workload, nothing]


def _programs():
    shares = []
    for program, where in (("bpftool", "/bin"), ("dash", "/usr/bin"), ("cat", "/usr/bin"),
                           ("wc", "/usr/bin")):
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not path:
            raise BenchError(f"{program} is not installed: run deploy/deps test")
        shares.append(f"{path}:{where}/{program}")
    return shares


def _wanted(names):
    files = ["result", "release"]
    for name in set(names) - {"base"}:
        files += [f"{name}.{what}" for what in ("events", "maps", "progs0", "progs1", "out", "err",
                                                "status")]
    return files


def boot(kernel, names, counts, kentry, folder):
    """Boots `kernel`, runs the phases `names` and leaves their files in `folder`. Returns a Run;
    raises BenchError, machine.KernelMissing or machine.HarnessError."""
    shares = _compile(folder) + _programs()
    shares += [f"{BENCH}/guest.sh", f"{BENCH}/loop.sh"]
    if "kentry" in names:
        shares.append(f"{kentry}:/bin/kentry")
    if {"bpftrace", "auditd"} & set(names):
        shares += peers.shares(peers.fetch())
        shares += [f"{BENCH}/events.bt", f"{BENCH}/auditd.conf:/etc/audit/auditd.conf"]
    environment = {f"COUNT_{key.upper()}": str(value)
                   for key, value in dataclasses.asdict(counts).items() if key != "drain_ms"}
    environment["BURST_DRAIN_MS"] = str(counts.drain_ms)
    options = machine.Options(
        kernel=kernel, command=["sh", "/bin/guest.sh", *names], icount=True, mem=2560,
        # What the kernel places by chance changes its costs by chance.
        append="nokaslr randomize_kstack_offset=off",
        timeout=0, stall=1200, share=shares, env=environment,
        get=[f"/tmp/{name}:{folder}/{name}" for name in _wanted(names)])

    def show(data):
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    result = machine.Machine(options, show).run()
    if result.code:
        raise BenchError(f"kernel {kernel}: {result.why or f'guest.sh ended with {result.code}'}\n"
                         f"{result.console.decode(errors='replace')[-4000:] if result.why else ''}")
    with open(f"{folder}/counts", "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(counts), file)
    return load(folder)


def load(folder):
    """Returns the Run whose files `boot` left in `folder`."""
    try:
        with open(f"{folder}/counts", encoding="utf-8") as file:
            counts = Counts(**json.load(file))
        with open(f"{folder}/result", encoding="utf-8") as file:
            phases = parse_result(file.read())
        with open(f"{folder}/release", encoding="utf-8") as file:
            release = file.read().strip()
    except FileNotFoundError as error:
        raise BenchError(f"{folder} holds no run: no {os.path.basename(error.filename)}") from error
    return Run(release, phases, folder, counts)


def load_json(path):
    """The JSON of a file that came out of the guest, or None when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
