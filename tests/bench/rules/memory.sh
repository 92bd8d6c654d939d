# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: the kernel's memory with PROCESSES processes asleep, NAMED of them of a program
# that the rules name, without rules, with them, and while they are loaded again RELOADS times. One
# line a figure: figure NAME NUMBER.
sysctl -qw kernel.randomize_va_space=0
cp /bin/workload /bin/other # a program that no rule names

figure() { echo "figure $*"; }
now_ms() { awk '{printf "%d\n", $1 * 1000}' /proc/uptime; }
bytes() { sed -n "s/.*$1=\([0-9]*\).*/\1/p" /tmp/peak; }

# What can be given back is no growth.
kernel_memory() {
  sleep 3 # until maps that were taken out of force are gone
  sync
  for _ in 1 2 3 4; do echo 3 >/proc/sys/vm/drop_caches; done # used ones have a second chance
  sleep 1
  workload peak 0 >/tmp/peak
  figure "$1" memory "$(bytes bytes)"
  for kind in slab vmalloc percpu; do figure "$1" "$kind" "$(bytes "$kind")"; done
}

# What each cache of slabs takes.
caches() {
  awk -v phase="$1" 'NR > 2 {print "figure", phase, "slab:" $1, $15 * $6 * 4096}' /proc/slabinfo
}

# What the kernel charges for each map of the sensor.
maps() {
  bpftool map show | sed -n 's/.* name \(ke_[a-z_]*\) .*/\1/p; s/.* memlock \([0-9]*\)B.*/\1/p' |
    awk -v phase="$1" '/^ke_/ {name = $1} /^[0-9]/ && name {sum[name] += $1; name = ""}
      END {for (name in sum) print "figure", phase, name, sum[name]}'
}

status() { kentry status -o json; }
cpu() { status | sed -n 's/.*"cpu_ns":\([0-9]*\).*/\1/p'; }
known() { status | sed -n 's/.*"processes":{"size":\([0-9]*\).*/\1/p'; }

hold() {
  [ "$2" -gt 0 ] || return 0
  : >/tmp/hold
  "$1" hold "$2" >/tmp/hold &
  until grep -q hold /tmp/hold; do sleep 0.5; done
}

# Starts the sensor with the rules $1; the socket answers once they are in force.
start() {
  began=$(now_ms)
  kentry run --quiet --rules "$1" --output /tmp/events --events alerts >/tmp/out 2>/tmp/err &
  pid=$!
  until status >/dev/null 2>&1; do
    kill -0 "$pid" || { cat /tmp/err; exit 1; }
    sleep 0.05
  done
  figure "$2 start-ms" "$(($(now_ms) - began))"
  figure "$2 start-cpu" "$(cpu)"
  [ "$(known)" -ge "$PROCESSES" ] || { echo "only $(known) processes are known"; exit 1; }
}
stop() {
  kill -INT "$pid"
  wait "$pid" || { cat /tmp/err; exit 1; }
}

echo "release $(uname -r)"
hold /bin/other "$((PROCESSES - NAMED))"
hold /bin/workload "$NAMED"
kernel_memory idle
start none none
kernel_memory none
maps none
caches none
stop
kernel_memory stopped
start "$1" rules
kernel_memory rules
maps rules
caches rules
workload peak 1 >/tmp/peak &
watcher=$!
before=$(cpu)
began=$(now_ms)
for _ in $(seq "$RELOADS"); do
  kentry rules reload >/tmp/reload 2>&1 || { cat /tmp/reload; exit 1; }
done
figure reload ms "$(($(now_ms) - began))"
figure reload cpu "$(($(cpu) - before))"
sleep 1
kill -TERM "$watcher"
wait "$watcher"
figure reload memory "$(bytes bytes)"
kernel_memory after
status
stop
