# SPDX-License-Identifier: Apache-2.0
"""Instructions that a record costs in user space, stage by stage, counted by valgrind on the host.
Valgrind runs no BPF and no kernel: it sees pipeline_bench, which has neither."""
import os
import re
import shutil
import subprocess
import tempfile

STAGES = ("records", "decode", "process", "event", "journal", "json")
ABOUT = {
    "decode": "check the record",
    "process": "process table",
    "event": "make the event, field by field",
    "journal": "into the journal and out again",
    "json": "JSON encoder",
}
FEW, MANY = 2000, 6000  # the difference leaves out what a start costs, and warms the table up


class PipelineError(Exception):
    """No figures; the message says why."""


def _count(program, stage, processes):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, stage,
             str(processes)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise PipelineError(f"valgrind of {program} {stage}: exit {done.returncode}: "
                            f"{done.stderr[-400:]}")
    return int(found.group(1))


def measure(program):
    """{stage: instructions a process that starts, executes and ends}: three records."""
    costs, before = {}, 0
    for stage in STAGES:
        one = (_count(program, stage, MANY) - _count(program, stage, FEW)) / (MANY - FEW)
        costs[stage] = one - before
        before = one
    del costs["records"]
    return costs


def table(costs):
    lines = ["| stage | instructions a fork + exec + exit | share |", "|---|---|---|"]
    whole = sum(costs.values())
    for stage, cost in costs.items():
        lines.append(f"| {ABOUT[stage]} | {cost:,.0f} | {100 * cost / whole:.0f} % |")
    return "\n".join(lines + [f"| all | {whole:,.0f} | |"])


def build(root):
    """Checks for valgrind and builds pipeline_bench with the release preset; returns its path."""
    if not shutil.which("valgrind"):
        raise PipelineError("valgrind is not installed: apt-get install valgrind")
    folder = os.path.join(root, "build", "release")
    done = subprocess.run(["cmake", "--build", folder, "--target", "pipeline_bench"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise PipelineError(f"pipeline_bench can't be built in {folder}:\n{done.stdout[-800:]}")
    return os.path.join(folder, "tests", "bench", "pipeline_bench")
