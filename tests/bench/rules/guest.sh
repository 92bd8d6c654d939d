# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: what an open costs without rules and with each of the rule sets given, in guest
# instructions. One line a figure: SET CASE INSTRUCTIONS.
sysctl -qw kernel.randomize_va_space=0
mkdir -p /tmp/match /tmp/a/b/c/d/e
for file in /tmp/match/file /tmp/match/other /tmp/a/b/c/d/e/file /tmp/file; do echo x >"$file"; done
cp /bin/workload /bin/other # a program that no rule names

median() { sed 's/.*median=\([0-9]*\).*/\1/'; }
one() { echo "figure $1 $2 $("$3" -d 0 open "$COUNT" "$4" | median)"; }
all() {
  one "$1" unconcerned /bin/other /tmp/file
  one "$1" concerned /bin/workload /tmp/file
  one "$1" concerned-deep /bin/workload /tmp/a/b/c/d/e/file
  one "$1" neighbour /bin/workload /tmp/match/other
  one "$1" match /bin/workload /tmp/match/file
}
# Mean run time of a program, which the kernel takes only when asked.
run_time() {
  bpftool prog show name exec__tp_btf | sed -n 's/.*run_time_ns \([0-9]*\) run_cnt \([0-9]*\).*/\1 \2/p'
}

mean() { echo "$((($3 - $1) / ($4 - $2)))"; }

/bin/workload -d 0 open 500 /tmp/file >/dev/null
all none
for rules; do
  name=$(basename "$rules" .yaml)
  kentry run --quiet --rules "$rules" --output /tmp/events --events alerts >/tmp/out 2>/tmp/err &
  pid=$!
  until kentry status >/dev/null 2>&1; do
    kill -0 "$pid" || { cat /tmp/err; exit 1; }
    sleep 0.5
  done
  sleep 1
  /bin/workload -d 0 open 500 /tmp/file >/dev/null
  all "$name"
  sysctl -qw kernel.bpf_stats_enabled=1
  before=$(run_time)
  /bin/workload -d 0 exec 100 /bin/true >/dev/null
  after=$(run_time)
  sysctl -qw kernel.bpf_stats_enabled=0
  # shellcheck disable=SC2086
  echo "figure $name exec-program $(mean ${before:-0 0} ${after:-0 1})"
  kill -INT "$pid"
  wait "$pid"
done
