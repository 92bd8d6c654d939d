# SPDX-License-Identifier: Apache-2.0
"""What rule sets add to opens and execs: one boot, its figures, and what is said of them."""
import dataclasses
import os
import shutil
import subprocess
import sys

import baseline
import guest
import report

RULES = os.path.join(guest.BENCH, "rules")
ROOT = os.path.dirname(os.path.dirname(guest.BENCH))
LIBRARY = os.path.join(ROOT, "rules", "library")
SETS = ("1", "10", "100", "1000", "1000-regex")
DENYING = ("1-deny", "1000-deny")  # the same rules, enforced
BASE = "none"

CASES = {"unconcerned": "unconcerned", "concerned": "concerned, other file",
         "concerned-deep": "the same, deep", "neighbour": "neighbour of a named file",
         "match": "match with record"}
PROGRAMS = {"exec": "exec__tp_btf", "fork": "fork__tp_btf", "exit": "exit__tp_btf"}
# (target, cases, limit): of the sets of bench rules, which all name one program.
TARGETS = (("a process that no rule concerns", ("unconcerned",), 300),
           ("concerned, a file that no rule does", ("concerned", "concerned-deep"), 1150),
           ("a match with its record", ("match",), 2600),
           ("the mask at an exec", ("exec",), 2000))
FLAT = 0.05

# Another build of the same sources, elsewhere in memory and with other collisions in its tables,
# differs by up to 9 % (measured: a neighbour's open 1,410 and 1,534): less than the limit is no
# finding. Fork and exit are told: both have a base below 1,000, which differs by up to 90.
STORED = baseline.Table(os.path.join(RULES, "baseline.tsv"), "tests/bench/rules/run --rebase",
                        lambda figure: figure.split()[-1] not in ("fork", "exit"), 0.12, 60)


@dataclasses.dataclass
class Run:
    """One boot: the instructions of each case and program, by rule set."""
    release: str = ""
    sets: list = dataclasses.field(default_factory=list)  # in their order, without the base
    found: dict = dataclasses.field(default_factory=dict)  # (set, case or program) -> instructions

    def cost(self, name, what):
        """The case with a set in force, all of it."""
        return self.found.get((name, what))

    def added(self, name, what):
        """What a set adds: to open + close without a sensor, to a program's mean run time without
        rules. None when it was not measured."""
        value, base = self.found.get((name, what)), self.found.get((BASE, what))
        return None if value is None or base is None else value - base


def run_guest(kernel, command, kentry, folder, **options):
    """Boots `kernel` and runs `command` with the sensor and the workload in it, under -icount.
    `options` are more of machine.Options. Returns what was printed; raises guest.BenchError,
    machine.KernelMissing or machine.HarnessError."""
    subprocess.run(["strip", "-o", f"{folder}/kentry", kentry], check=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", f"{folder}/workload",
                    f"{guest.BENCH}/workload.c"], check=True)
    # An ordinary program: where programs are, and named by no rule.
    subprocess.run(["gcc", "-O2", "-static", "-o", f"{folder}/nothing", "-x", "c", "-"],
                   input=b"int main(void) { return 0; }\n", check=True)
    output = bytearray()

    def hear(data):
        output.extend(data)
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    share = [f"{folder}/kentry", f"{folder}/workload", f"{folder}/nothing:/usr/bin/nothing", *options.pop("share")]
    # What the kernel places by chance changes its costs by chance.
    result = guest.machine.Machine(guest.machine.Options(
        kernel=kernel, command=command, icount=True, timeout=0, stall=600, share=share,
        append="nokaslr randomize_kstack_offset=off", **options), hear).run()
    if result.code:
        raise guest.BenchError(f"kernel {kernel}: "
                               f"{result.why or f'the guest ended with {result.code}'}")
    return output.decode(errors="replace")


def bpftool():
    """The program's path; raises guest.BenchError."""
    path = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise guest.BenchError("bpftool is not installed: run deploy/deps test")
    return path


def boot(kernel, rules, counts, kentry, folder):
    """Measures the rule sets in `rules`, files or folders. `counts`: (opens, execs) a figure.
    Returns a Run; raises what run_guest does."""
    names = [os.path.basename(os.path.normpath(path)) for path in rules]
    command = ["sh", "/bin/guest.sh", *(f"/rules/{name}" for name in names)]
    share = [f"{bpftool()}:/bin/bpftool", f"{RULES}/guest.sh",
             *(f"{path}:/rules/{name}" for path, name in zip(rules, names))]
    return parse(run_guest(kernel, command, kentry, folder, share=share,
                           env={"OPENS": str(counts[0]), "EXECS": str(counts[1])}))


def parse(text):
    """Returns the Run of what guest.sh printed."""
    run = Run()
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["release"]:
            run.release = words[1]
        if words[:1] != ["figure"]:
            continue
        _, name, what, value = words
        run.found[(name, what)] = int(value)
        if name != BASE and name not in run.sets:
            run.sets.append(name)
    missing = [f"{name} {what}" for name in [BASE, *run.sets] for what in (*CASES, *PROGRAMS)
               if (name, what) not in run.found]
    if missing or not run.sets or not run.release:
        raise guest.BenchError(f"the guest gave no figure for {', '.join(missing) or 'any set'}")
    return run


def figures_of(run):
    """{figure: value}, as they are stored: what each set adds."""
    return {f"{name} {what}": run.added(name, what)
            for name in run.sets for what in (*CASES, *PROGRAMS)}


def _bench_sets(run):
    return [name for name in run.sets if name in SETS]


def targets(run):
    """[(target, measured, whether it is met)]"""
    lines = []
    for target, cases, limit in TARGETS:
        values = [run.added(name, case) for case in cases for name in _bench_sets(run)]
        if values:
            lines.append((f"{target}, at most +{limit:,}", _range(values), max(values) <= limit))
    if "library" in run.sets:
        mask = run.added("library", "exec")
        lines.append(("the mask at an exec with the library, at most +2,000", f"{mask:+,}",
                      mask <= 2000))
    return lines


def flatness(run):
    """[(case, measured, whether it is met)]: the sets of bench rules, a case at a time, and those
    that deny."""
    lines = []
    for sets, suffix in ((SETS, ""), (DENYING, ", denying")):
        names = [name for name in run.sets if name in sets]
        for what in (*CASES, "exec") if len(names) > 1 else ():
            # The cost of a call that was denied, not what it adds to one that does more.
            value_of = run.cost if suffix and what == "match" else run.added
            values = {name: value_of(name, what) for name in names}
            low, high = min(values.values()), max(values.values())
            where = ", ".join(f"{name} {value:+,}" for name, value in values.items())
            lines.append((f"{CASES.get(what, 'mask at exec')}{suffix} flat within {FLAT:.0%}",
                          where, high - low <= FLAT * abs(low)))
    return lines


def _range(values):
    low, high = min(values), max(values)
    return f"{low:+,}" if low == high else f"{low:+,} to {high:+,}"


def table(run):
    """The figures as a Markdown table."""
    header = ["rules", *CASES.values(), *(f"`{name}`" for name in PROGRAMS.values())]
    base = [str(run.found[(BASE, what)]) for what in (*CASES, *PROGRAMS)]
    rows = [[BASE, *base]]
    rows += [[name, *(f"{run.added(name, what):+}" for what in (*CASES, *PROGRAMS))]
             for name in run.sets]
    return report.table(header, rows)


def verdict_table(run):
    return report.table(["target", "measured", "met"],
                        [[target, measured, "yes" if met else "**no**"]
                         for target, measured, met in (*targets(run), *flatness(run))])
