# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: one phase after the other, each without a sensor or with one. Every line of
# /tmp/result is "PHASE KEY ...", where a phase is the number of its turn and its name. The host
# sets the counts in the environment.

result() { echo "$phase $*" >>/tmp/result; }

# Runs the workload with the sensor's processes watched.
measure() {
  drain=$1
  shift
  # shellcheck disable=SC2046
  set -- $(for pid in $pids; do echo "-p $pid"; done) -d "$drain" "$@"
  line=$(workload "$@") || { echo "bench: workload $* failed" >&2; exit 1; }
  result measure "$line"
  echo "$phase: $line"
}

# Waits until a command works, at most a minute.
until_works() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 120 ]; then
      echo "bench: $phase does not start: $*" >&2
      cat /tmp/*.err >&2
      exit 1
    fi
    sleep 0.5
  done
}

kernel_memory() {
  awk -v what="$1" '/^(Slab|Percpu|VmallocUsed):/ {sum += $2} END {print what, sum * 1024}' \
    /proc/meminfo
}

memory() {
  for pid in $pids; do
    grep -q VmRSS "/proc/$pid/status" || continue # a thread of the kernel's
    awk '/^VmRSS:|^RssAnon:|^RssFile:|^RssShmem:/ {printf "%s%d ", $1, $2 * 1024}' \
      "/proc/$pid/status" >/tmp/memory
    # Lines of a mapping follow its header; those shared with the kernel are rings and counters.
    awk '/^[0-9a-f]+-[0-9a-f]+ / {bpf = /bpf-map|perf_event/} /^Rss:/ && bpf {sum += $2}
      END {printf "mapped:%d\n", sum * 1024}' "/proc/$pid/smaps" >>/tmp/memory
    result memory "pid:$pid $(cat /tmp/memory)"
  done
}

operations() {
  workload -d 0 exec "$COUNT_WARM" /bin/nothing >/dev/null
  workload -d 0 open "$COUNT_WARM" /tmp/file >/dev/null
  workload -d 0 connect "$COUNT_WARM" >/dev/null
  measure 2000 exec "$COUNT_EXEC" /bin/nothing
  measure 2000 open "$COUNT_OPEN" /tmp/file
  measure 2000 connect "$COUNT_CONNECT"
  [ "$COUNT_SCRIPT" = 0 ] || measure 2000 script "$COUNT_SCRIPT" /usr/bin/dash /bin/loop.sh
}

# Run time of each BPF program, which the kernel takes only when asked: it costs time itself.
program_times() {
  sysctl -qw kernel.bpf_stats_enabled=1
  bpftool -j prog show >"/tmp/$name.progs0"
  workload -d 0 exec "$COUNT_EXEC" /bin/nothing >/dev/null
  bpftool -j prog show >"/tmp/$name.progs1"
  sysctl -qw kernel.bpf_stats_enabled=0
}

with_sensor() {
  sleep 2
  result "$(kernel_memory kernel_after)"
  # shellcheck disable=SC2046
  [ "$COUNT_IDLE" = 0 ] || measure 0 idle "$COUNT_IDLE"
  operations
  bpftool -j map show >"/tmp/$name.maps"
  if [ "$1" = bpf ]; then program_times; fi
  memory
  if [ "$COUNT_BURST" != 0 ]; then
    measure "$BURST_DRAIN_MS" burst "$COUNT_BURST" 8 /bin/nothing
  fi
}

run_base() {
  pids=
  operations
}

run_kentry() {
  result "$(kernel_memory kernel_before)"
  kentry run --rules none --quiet --output /tmp/kentry.events >/tmp/kentry.out 2>/tmp/kentry.err &
  pids=$!
  until_works kentry status
  with_sensor bpf
  kentry status -o json >/tmp/kentry.status
  kill -INT "$pids"
  wait "$pids" || result failed "kentry ended with $?"
}

run_bpftrace() {
  result "$(kernel_memory kernel_before)"
  bpftrace -o /tmp/bpftrace.events /bin/events.bt >/tmp/bpftrace.out 2>/tmp/bpftrace.err &
  pids=$!
  until_works grep -q started /tmp/bpftrace.events
  with_sensor bpf
  kill -INT "$pids"
  wait "$pids" || result failed "bpftrace ended with $?"
}

# The last phase: once audit was on, every process keeps an audit context.
run_auditd() {
  mkdir -p /var/log/audit /var/run
  result "$(kernel_memory kernel_before)"
  auditd -n -s enable >/tmp/auditd.out 2>/tmp/auditd.err &
  auditd=$!
  until_works pidof kauditd
  pids="$auditd $(pidof kauditd)"
  until_works grep -q type=DAEMON_START /var/log/audit/audit.log
  auditctl -b 8192 --backlog_wait_time 60000 >/dev/null
  auditctl -a always,exit -F arch=b64 -S execve,execveat >/dev/null
  with_sensor other
  auditctl -s >/tmp/auditd.status
  kill -TERM "$auditd"
  wait "$auditd" || result failed "auditd ended with $?"
  cp /var/log/audit/audit.log /tmp/auditd.events
}

# A process whose random addresses happen to span one page table more pays thousands of instructions
# more for each fork.
sysctl -qw kernel.randomize_va_space=0
echo hello >/tmp/file
uname -r >/tmp/release
turn=0
for name; do
  turn=$((turn + 1))
  phase=$turn:$name
  "run_$name"
done
