# SPDX-License-Identifier: Apache-2.0
"""Figures as text and as the tables of docs/performance.md."""
import os
import re

import baseline
import figures

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs",
                    "performance.md")
TITLES = {"exec": "fork + exec + exit", "open": "open + close", "connect": "connect",
          "script": "shell loop, per round"}
MIB = 1 << 20


def _number(value):
    return "–" if value is None else f"{value:,.0f}"


def _mib(value):
    return f"{value / MIB:.1f} MiB"


def _share(value, base):
    return f"{100 * value / base:+.2f} %" if base else "–"


def targets(kentry):
    """[(target, measured, whether it is met)] of Kentry's Figures. What two runs without a sensor
    differ by is allowed for open and connect: their limits are a few instructions."""
    cost, memory = kentry.costs, kentry.memory
    lines = [
        ("exec + exit inline, at most +6,000", _number(cost["exec"].inline),
         cost["exec"].inline <= 6000),
        ("exec + exit in the daemon, at most 50,000", _number(cost["exec"].daemon),
         cost["exec"].daemon <= 50000),
        ("resident without rings, at most 25 MiB", _mib(memory.rss - memory.mapped),
         memory.rss - memory.mapped <= 25 * MIB),
        ("BPF maps without rings at 32,768 processes, at most 8 MB",
         f"{memory.maps / 1e6:.1f} MB", memory.maps <= 8e6),
    ]
    for name in ("open", "connect"):
        one = cost[name]
        lines.append((f"{TITLES[name]} inline, below 0.5 %", _share(one.inline, one.base),
                      one.inline - one.spread < 0.005 * one.base))
    if kentry.burst_daemon is not None:
        lines.append(("no loss in the burst", losses(kentry), no_loss(kentry)))
    return lines


def no_loss(one):
    """Whether the file holds each event of the workload's program that the sensor knows, and the
    sensor agrees."""
    events = one.events
    wanted = {"kentry": ("process.fork", "process.exec", "process.exit"),
              "bpftrace": ("exec", "exit"), "auditd": ("exec",)}[one.sensor]
    return (events.malformed == 0 and not one.lost
            and all(events.found.get(cls, 0) == events.expected for cls in wanted))


def losses(one):
    """"0 of 24,060 execs missing, 0 by its own count"."""
    own = "no count of its own" if one.lost is None else f"{one.lost:,} by its own count"
    return (f"{one.events.expected - _execs(one):,} of {one.events.expected:,} execs missing, "
            f"{own}")


def print_sensor(one):
    """One sensor's figures, for people at a terminal."""
    print(f"\n{one.sensor}")
    for name, cost in one.costs.items():
        print(f"  {TITLES[name]:24} base {cost.base:>9,} (±{cost.spread:,})  inline "
              f"{cost.inline:>+8,} ({_share(cost.inline, cost.base)})  daemon {cost.daemon:>9,}")
    if one.programs:
        print(f"  BPF programs' own time an exec: {one.program_sum():,.0f}")
        for label, (runs, spent) in sorted(one.programs.items(), key=lambda item: -item[1][1]):
            print(f"    {label:24} {runs:6.2f} runs {spent:9,.0f}")
    print(f"  burst: daemon {_number(one.burst_daemon)} an exec; {losses(one)}")
    found = ", ".join(f"{cls} {number:,} × {one.events.bytes[cls]:.0f} B"
                      for cls, number in sorted(one.events.found.items()))
    print(f"  in the file: {found or 'nothing'}; {one.events.malformed} lines malformed")
    memory = one.memory
    print(f"  resident {_mib(memory.rss)} (anonymous {_mib(memory.anon)}, file "
          f"{_mib(memory.file)}; of it mapped BPF pages {_mib(memory.mapped)}), BPF maps "
          f"{memory.maps / 1e6:.1f} MB, rings {_mib(memory.rings)}, kernel memory "
          f"{memory.kernel / 1e6:+.1f} MB")
    print(f"  idle: {_number(one.idle)} a second")
    for failure in one.failures:
        print(f"  {failure}")


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _sensor_cells(one, versions):
    cells = [f"{one.sensor} {versions.get(one.sensor, '')}".strip()]
    for name in figures.OPERATIONS:
        cost = one.costs[name]
        cells.append(f"{cost.inline:+,} / {cost.daemon:,}")
    memory = one.memory
    has_bpf = one.sensor != "auditd"
    cells += [f"{_mib(memory.rss - memory.mapped)} + {_mib(memory.mapped)}",
              f"{memory.maps / 1e6:.1f} MB" if has_bpf else "–",
              _mib(memory.rings) if memory.rings else "–",
              f"{memory.kernel / 1e6:.1f} MB",
              " / ".join(f"{one.events.bytes[cls]:.0f}" for cls in _in_order(one.events.bytes)),
              _number(one.idle), _number(one.burst_daemon),
              f"{one.events.expected - _execs(one):,} of {one.events.expected:,}"]
    return cells


def _in_order(classes):
    order = ("execve", "exec", "process.exec", "process.fork", "exit", "process.exit")
    return [cls for cls in order if cls in classes]


def _execs(one):
    return one.events.found.get("process.exec", one.events.found.get("exec", 0))


def side_by_side(found, versions):
    """The table of all sensors of one boot."""
    base = found[0].costs
    titles = [f"{TITLES[name]} (base {base[name].base:,})" for name in figures.OPERATIONS]
    titles += ["resident + mapped BPF pages", "BPF maps", "rings", "kernel memory",
               "bytes an event", "idle, a second", "burst, daemon an exec", "execs missing"]
    # Sensors as columns: there are few of them and many figures.
    columns = [_sensor_cells(one, versions) for one in found]
    rows = [[title] + [column[at] for column in columns]
            for at, title in enumerate(titles, start=1)]
    return table(["", *(column[0] for column in columns)], rows)


def program_table(kentry):
    rows = [[f"`{label}`", f"{runs:.2f}", f"{spent:,.0f}"]
            for label, (runs, spent) in sorted(kentry.programs.items(),
                                               key=lambda item: -item[1][1])]
    rows.append(["all", "", f"{kentry.program_sum():,.0f}"])
    return table(["BPF program", "runs an exec", "instructions an exec"], rows)


def target_table(kentry):
    return table(["target", "measured", "met"],
                  [[target, measured, "yes" if met else "**no**"]
                   for target, measured, met in targets(kentry)])


def replace(marker, text):
    """Puts `text` between <!-- bench:MARKER --> and <!-- bench:end --> of the page."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    pattern = re.compile(rf"(<!-- bench:{marker} -->\n).*?(<!-- bench:end -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"docs/performance.md has no place for {marker}")
    page = pattern.sub(lambda found: f"{found.group(1)}\n{text}\n\n{found.group(2)}", page)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


def write_page(run, found, versions, key):
    """Regenerates the tables that one boot feeds."""
    kentry = next(one for one in found if one.sensor == "kentry")
    counts = run.counts
    spread = ", ".join(f"{TITLES[name]} {cost.spread:,}"
                       for name, cost in kentry.costs.items())
    replace("made", f"Kernel {run.release}, {key[1]}; {counts.exec:,} execs, {counts.open:,} opens,"
            f" {counts.connect:,} connects, {counts.script} rounds of the shell loop, a burst of "
            f"{counts.burst:,} execs. Two runs without a sensor, before and after Kentry's, "
            f"differed by: {spread}.")
    replace("targets", target_table(kentry))
    replace("sensors", side_by_side(found, versions))
    replace("programs", program_table(kentry))


def stored_key(run, kentry):
    return baseline.kernel_key(run.release), baseline.compiler_key(kentry)
