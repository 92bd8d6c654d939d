# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest, beside systemd as PID 1 and below it: the steps, one line each. A step is a
# function that fails; what it and its commands print is then what was seen.
# Exit 0: all steps passed.

readonly unit=kentry.service
readonly planted=/usr/bin/planted
readonly events=/var/log/kentry.json
readonly pins=/sys/fs/bpf/kentry
readonly seen=/root/seen
readonly probes=/root/probes # what came of each try of the prober
readonly ready=120           # seconds that a sensor may need until it watches
failures=0

# step NAME FUNCTION [ARG]...
step() {
  name=$1
  shift
  if "$@" >"$seen" 2>&1; then
    echo "ok $name"
  else
    failures=$((failures + 1))
    echo "FAILED $name: $(tr '\n' ' ' <"$seen")"
  fi
}

# wait_for SECONDS COMMAND [ARG]...
wait_for() {
  until=$(($(now) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$(now)" -ge "$until" ]; then
      echo "not in time: $*"
      return 1
    fi
    sleep 0.2
  done
}

now() { cut -d. -f1 /proc/uptime; }
property() { systemctl show -p "$1" --value "$unit"; }
main_pid() { property MainPID; }
enforcing() { kentry enforce status | grep -q '^enforcing *yes'; }
generation() { ls "$pins"; }

# is PROPERTY VALUE: of the unit.
is() {
  value=$(property "$1")
  [ "$value" = "$2" ] && return
  echo "$1 is $value, not $2"
  return 1
}

# denied COMMAND [ARG]...: it fails with EPERM.
denied() {
  if answer=$("$@" 2>&1); then
    echo "not refused: $*"
    return 1
  fi
  case $answer in
    *'not permitted'*) ;;
    *)
      echo "failed otherwise: $answer"
      return 1
      ;;
  esac
}

write_denied() {
  denied cp /etc/os-release "$planted" || return 1
  [ ! -e "$planted" ] && return
  echo "$planted is there all the same"
  return 1
}

write_works() {
  cp /etc/os-release "$planted" && rm "$planted"
}

# The daemon watches, its rules act, and it is another process than the last one.
watches() {
  wait_for "$ready" watches_now || return 1
  if [ "$(main_pid)" = "$old_pid" ]; then
    echo "still process $old_pid"
    return 1
  fi
  is ActiveState active && write_denied
}
watches_now() { kentry status >/dev/null && enforcing; }

# Nothing is left of the daemon but its pins, whose rules act.
only_pins() {
  if [ -e "/proc/$old_pid" ]; then
    echo "process $old_pid is still there"
    return 1
  fi
  is MainPID 0 && write_denied
}

# What pins and the next sensor say of the rules that were in force without a sensor.
status_says_enforcing() {
  kentry enforce status
  enforcing
}

told_with_mode() {
  denials=$(grep -c '"verdict":"denied"' "$events")
  other=$(grep '"verdict":"denied"' "$events" | grep -vc '"mode":"enforce"')
  echo "of $denials denials $other are told with another mode than enforce"
  [ "$denials" -gt 0 ] && [ "$other" = 0 ]
}

pid1_is_systemd() {
  wait_for 60 systemctl is-active multi-user.target || return 1
  readlink /proc/1/exe
  [ "$(readlink /proc/1/exe)" = /usr/lib/systemd/systemd ]
}

# Before there is a sensor, so that nothing refuses it.
first_install() {
  old_pid=0
  dpkg -i /packages/1.deb && watches
}

all_rules_enforce() {
  kentry enforce status
  kentry enforce status | grep -q '^pinned *yes' || return 1
  kentry rules explain --hardening enforce | sed -n 's/^\(harden-[a-z-]*\) .*/\1/p' |
    sort -u >/root/wanted
  kentry status -o json | grep -o '"harden-[a-z-]*"' | tr -d '"' | sort -u >/root/loaded
  echo "of $(wc -l </root/wanted) rules these are not loaded:"
  comm -23 /root/wanted /root/loaded
  [ -s /root/wanted ] && cmp -s /root/wanted /root/loaded
}

# By a shell; the sensor lives on, and tells of it.
kill_denied() {
  pid=$(main_pid)
  denied sh -c "kill -$1 $pid" || return 1
  sleep 1
  is MainPID "$pid"
}

# By a service, a child of PID 1 as the sensor is.
service_kill_denied() {
  pid=$(main_pid)
  mkdir -p /etc/systemd/system
  cat >/etc/systemd/system/attack.service <<UNIT
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'kill -9 $pid'
StandardError=append:/root/attack.log
UNIT
  systemctl daemon-reload
  if systemctl start attack; then
    echo 'it was not refused'
    return 1
  fi
  cat /root/attack.log
  grep -q 'not permitted' /root/attack.log && is MainPID "$pid"
}

# told TEXT RULE VERDICT: an event that begins with something of this text says so.
told() {
  wait_for 10 grep -q "$1.*\"alert\":.*\"$2\".*\"verdict\":\"$3\"" "$events"
}

systemctl_stop() {
  old_pid=$(main_pid)
  pinned=$(generation)
  began=$(now)
  systemctl stop "$unit"
  took=$(($(now) - began))
  if [ "$took" -gt 15 ]; then
    echo "it took $took s"
    return 1
  fi
  is ActiveState inactive && is Result success && is ExecMainStatus 0 && only_pins
}

# The pins are the same ones, so that it has taken them over.
systemctl_start() {
  systemctl start "$unit" && watches || return 1
  if [ "$(generation)" != "$pinned" ]; then
    echo "pins $pinned, then $(generation)"
    return 1
  fi
}

systemctl_kill() {
  old_pid=$(main_pid)
  pinned=$(generation)
  systemctl kill -s KILL "$unit"
  wait_for 15 is ActiveState failed || return 1
  is Result signal && only_pins
}

# A process that gets the number of the killed sensor is refused as any other, and not protected.
recycled_pid() {
  tries=0
  while [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    echo $((old_pid - 1)) >/proc/sys/kernel/ns_last_pid
    code=0
    # shellcheck disable=SC2016  # the new process's own variables
    sh -c '[ "$$" = "$0" ] || exit 99
      if cp /etc/os-release "$1"; then exit 98; fi
      sh -c "kill -9 $0"
      exit 97' "$old_pid" "$planted" || code=$?
    [ "$code" != 99 ] || continue
    echo "code $code"
    grep -q 'not permitted' "$seen" && [ "$code" = 137 ] && [ ! -e "$planted" ]
    return
  done
  echo "$tries times no process $old_pid"
  return 1
}

start_after_kill() {
  systemctl start "$unit" && watches
}

# installed VERSION: the files of this version are there, and its sensor.
installed() {
  dpkg-query -W -f '${Status} ${Version}' kentry
  [ "$(dpkg-query -W -f '${Status} ${Version}' kentry)" = "install ok installed $1" ] &&
    [ "$(cat /usr/share/kentry/version)" = "$1" ] && watches
}

# A program that is called so, elsewhere, is no package manager; what is there stays.
other_dpkg_denied() {
  old_pid=0
  cp /usr/bin/dpkg /root/dpkg
  before=$(stat -c %i /usr/bin/kentry)
  denied /root/dpkg -i /packages/2.deb && [ "$(stat -c %i /usr/bin/kentry)" = "$before" ]
}

dpkg_upgrades() {
  old_pid=$(main_pid)
  dpkg -i /packages/2.deb && installed 2
}

scripts_copy_denied() {
  cat /root/postinst.log
  grep -q 'not permitted' /root/postinst.log
}

trusted_dpkg_upgrades() {
  old_pid=$(main_pid)
  kentry enforce trust /root/dpkg && /root/dpkg -i /packages/3.deb && installed 3 || return 1
  kentry enforce untrust /root/dpkg
}

# Writes into /usr/bin all the time, whatever runs or doesn't.
probe() {
  while [ ! -e /root/stop-probing ]; do
    if true 2>/dev/null >/usr/bin/gap; then echo written; else echo refused; fi
    sleep 0.2
  done >"$probes"
}

no_gap() {
  touch /root/stop-probing
  wait "$prober"
  sort "$probes" | uniq -c
  grep -q refused "$probes" && ! grep -q written "$probes" && [ ! -e /usr/bin/gap ]
}

pause_and_resume() {
  kentry enforce pause && write_works && kentry enforce resume && write_denied
}

release_refuses_beside_daemon() {
  code=0
  kentry enforce release || code=$?
  echo "code $code"
  [ "$code" = 4 ] && write_denied
}

release_without_daemon() {
  systemctl stop "$unit" && write_denied && kentry enforce release || return 1
  write_works || return 1
  if [ -e "$pins" ]; then
    find "$pins"
    return 1
  fi
}

start_after_release() {
  old_pid=0
  systemctl start "$unit" && watches
}

mount -o remount,mode=755 /run
touch /run/go
step systemd-is-pid-1 pid1_is_systemd
step package-installs-and-service-watches first_install
probe &
prober=$!
step whole-set-in-force-and-pinned all_rules_enforce
step kill-by-shell-refused kill_denied 9
step term-by-shell-refused kill_denied TERM
step kill-by-service-refused service_kill_denied
step kill-is-told told '"args":\["sh","-c","kill -9 .*' harden-sensor-signaled denied
step term-is-told told '"args":\["sh","-c","kill -TERM .*' harden-sensor-signaled denied
step kill-by-service-is-told told '/system.slice/attack.service' harden-sensor-signaled denied
step write-refused write_denied
step systemctl-stop systemctl_stop
step status-without-daemon-says-enforcing status_says_enforcing
step systemctl-start-takes-over systemctl_start
step denials-without-daemon-are-told-as-enforced told_with_mode
step systemctl-kill systemctl_kill
step recycled-pid-gains-nothing recycled_pid
step start-after-kill start_after_kill
step dpkg-elsewhere-refused other_dpkg_denied
step dpkg-upgrades dpkg_upgrades
step copy-of-maintainer-script-refused scripts_copy_denied
step trusted-dpkg-upgrades-to-other-options trusted_dpkg_upgrades
step trust-is-told told '"binary":"/root/dpkg".*kentry.dpkg-new' harden-program-written exempt
step no-gap-in-all-that no_gap
step pause-and-resume pause_and_resume
step release-refuses-beside-daemon release_refuses_beside_daemon
step release-without-daemon release_without_daemon
step start-after-release start_after_release
if [ "$failures" != 0 ]; then
  journalctl --no-pager -o short-monotonic
  exit 1
fi
