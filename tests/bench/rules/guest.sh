# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: what an open costs without a sensor and with each of the rule sets given, and
# what the sensor's programs at exec, fork and exit run for, in guest instructions. One line a
# figure: figure SET CASE INSTRUCTIONS.
sysctl -qw kernel.randomize_va_space=0
mkdir -p /tmp/match /tmp/a/b/c/d/e
for file in /tmp/match/file /tmp/match/other /tmp/a/b/c/d/e/file /tmp/file; do echo x >"$file"; done
cp /bin/workload /bin/other # a program that no rule names

median() { sed 's/.*median=\([0-9]*\).*/\1/'; }
one() { echo "figure $1 $2 $("$3" -d 0 open "$OPENS" "$4" | median)"; }
opens() {
  workload -d 0 open 200 /tmp/file >/dev/null
  one "$1" unconcerned /bin/other /tmp/file
  one "$1" concerned /bin/workload /tmp/file
  one "$1" concerned-deep /bin/workload /tmp/a/b/c/d/e/file
  one "$1" neighbour /bin/workload /tmp/match/other
  one "$1" match /bin/workload /tmp/match/file
}

# Run time and runs of a program, which the kernel takes only when asked.
run_time() {
  bpftool prog show name "$1__tp_btf" |
    sed -n 's/.*run_time_ns \([0-9]*\) run_cnt \([0-9]*\).*/\1 \2/p'
}
mean() { echo "$((($3 - $1) / ($4 - $2)))"; }
programs() {
  sysctl -qw kernel.bpf_stats_enabled=1
  workload -d 0 exec 20 /usr/bin/nothing >/dev/null # the programs have run: there are figures
  for what in exec fork exit; do run_time "$what" >"/tmp/$what.before"; done
  workload -d 0 exec "$EXECS" /usr/bin/nothing >/dev/null
  for what in exec fork exit; do
    # shellcheck disable=SC2046
    echo "figure $1 $what $(mean $(cat "/tmp/$what.before") $(run_time "$what"))"
  done
  sysctl -qw kernel.bpf_stats_enabled=0
}

# Starts the sensor with the rules $1 and waits until they are in force.
start() {
  kentry run --quiet --rules "$1" --output /tmp/events --events alerts >/tmp/out 2>/tmp/err &
  pid=$!
  until kentry status >/dev/null 2>&1; do
    kill -0 "$pid" || { cat /tmp/err; exit 1; }
    sleep 0.5
  done
  case $1 in
    none) ;;
    *)
      # Without rules every target is met.
      if kentry status | grep -q 'none in force'; then
        cat /tmp/err
        exit 1
      fi
      ;;
  esac
  sleep 1
}
stop() {
  kill -INT "$pid"
  wait "$pid" || { cat /tmp/err; exit 1; }
  rm -f /tmp/events
}

echo "release $(uname -r)"
opens none
start none
programs none
stop
for rules; do
  name=$(basename "$rules" .yaml)
  start "$rules"
  opens "$name"
  programs "$name"
  stop
done
