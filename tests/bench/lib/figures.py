# SPDX-License-Identifier: Apache-2.0
"""Turns one boot into figures: guest instructions an operation, bytes, counts."""
import dataclasses
import json
import re
from typing import Optional

import guest

OPERATIONS = ("exec", "open", "connect", "script")
# Their memory is data on its way, not state: listed apart. Debian's bpftool 7.1 knows both names.
RING_TYPES = ("ringbuf", "perf_event_array")


@dataclasses.dataclass
class Cost:
    """What a sensor adds to an operation, in guest instructions."""
    base: int  # without the sensor, mean of the bases before and after
    spread: int  # between those two: what is below is noise
    inline: int  # added to the operation itself
    daemon: int  # the sensor's own processes, until they had drained


@dataclasses.dataclass
class Memory:
    """Bytes. `mapped`: of rss, pages shared with BPF maps, rings above all."""
    rss: int = 0
    anon: int = 0
    file: int = 0
    mapped: int = 0
    maps: int = 0  # BPF maps but rings, as the kernel charges them
    rings: int = 0
    kernel: int = 0  # growth of slab, vmalloc and per-CPU memory by the sensor's start


@dataclasses.dataclass
class Events:
    """What stands in the sensor's file about the workload's program. Counted here, from the file,
    not by the sensor."""
    expected: int = 0  # execs that there were
    found: dict = dataclasses.field(default_factory=dict)  # class -> number
    bytes: dict = dataclasses.field(default_factory=dict)  # class -> bytes an event, mean
    malformed: int = 0  # lines that a JSON parser refuses


@dataclasses.dataclass
class Figures:
    """One sensor in one boot."""
    sensor: str
    costs: dict
    burst_daemon: Optional[int]
    idle: Optional[int]  # instructions a second
    programs: dict  # name of a BPF program -> (runs, instructions) an exec
    memory: Memory
    events: Events
    lost: Optional[int]  # by the sensor's own account
    failures: list

    def program_sum(self):
        return sum(cost for _, cost in self.programs.values())


def _costs(run, index):
    phases = run.phases
    bases = [phase for at, phase in enumerate(phases)
             if phase.name == "base" and abs(at - index) == 1]
    if not bases:
        raise guest.BenchError(f"phase {phases[index].name} has no base beside it")
    costs = {}
    for name in OPERATIONS:
        measured = phases[index].operations.get(name)
        if not measured:
            continue
        values = [phase.operations[name]["inline"] for phase in bases]
        base = sum(values) // len(values)
        costs[name] = Cost(base, max(values) - min(values), measured["inline"] - base,
                           measured["drained"])
    return costs


def _programs(run, name):
    """Run time of each BPF program in the run with times on, an exec."""
    before = guest.load_json(f"{run.folder}/{name}.progs0")
    after = guest.load_json(f"{run.folder}/{name}.progs1")
    if not before or not after:
        return {}
    start = {entry["id"]: entry for entry in before}
    programs = {}
    for entry in after:
        old = start.get(entry["id"], {})
        runs = entry.get("run_cnt", 0) - old.get("run_cnt", 0)
        spent = entry.get("run_time_ns", 0) - old.get("run_time_ns", 0)
        if runs:
            # The kernel cuts names of programs without BTF, so that two may have the same.
            label = entry.get("name", f"id {entry['id']}")
            old_runs, old_spent = programs.get(label, (0, 0))
            programs[label] = (old_runs + runs / run.counts.exec,
                               old_spent + spent / run.counts.exec)
    return programs


def _memory(run, phase):
    memory = Memory()
    for process in phase.memory:
        memory.rss += process["VmRSS"]
        memory.anon += process["RssAnon"]
        memory.file += process["RssFile"] + process["RssShmem"]
        memory.mapped += process["mapped"]
    for entry in guest.load_json(f"{run.folder}/{phase.name}.maps") or []:
        if entry["type"] == "ringbuf":
            memory.rings += entry["max_entries"]
        elif entry["type"] not in RING_TYPES:
            memory.maps += entry.get("bytes_memlock", 0)
    memory.kernel = phase.kernel_memory["after"] - phase.kernel_memory["before"]
    return memory


def expected_execs(counts, with_programs):
    """How often the phase of a sensor executes the workload's program."""
    execs = counts.warm + counts.exec + counts.script
    if with_programs:
        execs += counts.exec
    return execs + counts.burst // guest.BURST_PROCESSES * guest.BURST_PROCESSES


def _lines(path):
    try:
        with open(path, "rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _count_kentry(path, events):
    """A fork's event still shows the creator's program: it counts when its process then executes
    the workload's."""
    forks, execs, sums = {}, set(), {}

    def add(cls, size):
        events.found[cls] = events.found.get(cls, 0) + 1
        sums[cls] = sums.get(cls, 0) + size

    for line in _lines(path):
        try:
            event = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            events.malformed += 1
            continue
        process, cls = event.get("process", {}), event["class"]
        key = (process.get("pid"), process.get("start_ns"))
        if cls == "process.fork":
            forks[key] = len(line)
        elif process.get("binary") == guest.PROGRAM:
            add(cls, len(line))
            if cls == "process.exec":
                execs.add(key)
    for key in execs & forks.keys():
        add("process.fork", forks[key])
    events.bytes = {cls: sums[cls] / events.found[cls] for cls in sums}


def _bpftrace_class(line):
    # "TIME execve PID UID ARG...", "TIME exec ... COMM FILE", "TIME exit ... COMM"
    words = line.decode(errors="replace").split()
    if len(words) < 3 or words[1] not in ("execve", "exec", "exit"):
        return None
    program = words[4] if words[1] == "execve" else words[-1]
    ours = program in (guest.PROGRAM, guest.PROGRAM.rsplit("/", 1)[1])
    return words[1] if ours else None


_AUDIT_ID = re.compile(rb"msg=audit\(([0-9.:]+)\)")


def _count_bpftrace(path, events):
    sums = {}
    for line in _lines(path):
        cls = _bpftrace_class(line)
        if cls:
            events.found[cls] = events.found.get(cls, 0) + 1
            sums[cls] = sums.get(cls, 0) + len(line)
    events.bytes = {cls: sums[cls] / events.found[cls] for cls in sums}


def _count_audit(path, events):
    """auditd writes several lines an event, tied by an id."""
    sizes, ours = {}, set()
    for line in _lines(path):
        found = _AUDIT_ID.search(line)
        if not found:
            continue
        event = found.group(1)
        sizes[event] = sizes.get(event, 0) + len(line)
        if line.startswith(b"type=SYSCALL") and b'exe="%s"' % guest.PROGRAM.encode() in line:
            ours.add(event)
    if ours:
        events.found["exec"] = len(ours)
        events.bytes["exec"] = sum(sizes[event] for event in ours) / len(ours)


def _events(run, name):
    path = f"{run.folder}/{name}.events"
    events = Events(expected_execs(run.counts, name != "auditd"))
    if name == "kentry":
        _count_kentry(path, events)
    elif name == "bpftrace":
        _count_bpftrace(path, events)
    else:
        _count_audit(path, events)
    return events


def _lost(run, name):
    """Losses as the sensor itself counts them; None when it doesn't say."""
    if name == "kentry":
        status = guest.load_json(f"{run.folder}/kentry.status")
        if not status:
            return None
        # What the kernel skipped ("missed" of a class) is part of what it lost.
        return (sum(entry["lost"] for entry in status["classes"])
                + sum(entry["missed"] for entry in status["outputs"]))
    pattern = rb"lost (\d+)" if name == "auditd" else rb"Lost (\d+) events"
    text = b"".join(line for what in ("status", "out", "err", "events")
                    for line in _lines(f"{run.folder}/{name}.{what}") if b"ost " in line)
    found = [int(number) for number in re.findall(pattern, text)]
    return sum(found) if found or name == "bpftrace" else None


def of(run):
    """Returns [Figures], one for each sensor of the run."""
    result = []
    for index, phase in enumerate(run.phases):
        if phase.name == "base":
            continue
        operations = phase.operations
        result.append(Figures(
            sensor=phase.name, costs=_costs(run, index),
            burst_daemon=operations.get("burst", {}).get("drained"),
            idle=operations.get("idle", {}).get("daemon"),
            programs=_programs(run, phase.name), memory=_memory(run, phase),
            events=_events(run, phase.name), lost=_lost(run, phase.name),
            failures=phase.failures))
    return result
