# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: the same attack without a sensor, with one that only watches, and with one that
# enforces. The last two are one sensor, paused at first, since its loading takes longest here.
# Exit 0: each step worked unwatched, was seen when watched and failed when enforced, and Kentry
# named the rule; else 1, with what was otherwise.

readonly attack=/demo/attack.sh
readonly events=/tmp/events.json lines=/tmp/lines log=/tmp/kentry.log
readonly results=/tmp/results wrong=/tmp/wrong

# Step, rule that is to notice it, what that rule does, what the attacker tries.
readonly steps='memory|harden-memfd-mapping|denied|run a program that is on no disk
shm|harden-exec-from-shared-memory|denied|run a program from /dev/shm
miner|site-no-miners|killed|start a coin miner
program|harden-program-renamed|denied|replace /usr/bin/sudo
preload|harden-ld-preload-written|denied|write /etc/ld.so.preload
account|harden-account-file-written|denied|add an account to /etc/passwd
setuid|harden-setuid-bit-set|denied|make a shell set-user-id root
log|harden-log-cut|denied|empty /var/log/auth.log
sensor|harden-sensor-file-renamed|denied|take away the kentry program'

if [ -t 1 ]; then
  readonly bold='\033[1m' red='\033[1;31m' yellow='\033[33m' green='\033[32m'
  readonly plain='\033[0m'
else
  readonly bold='' red='' yellow='' green='' plain=''
fi

# paint COLOUR TEXT
paint() { printf '%b%s%b' "$1" "$2" "$plain"; }

# Starts the sensor, waits until it watches, and pauses it.
start() {
  : >"$events"
  kentry run --hardening enforce --events alerts --output "$events" >"$lines" 2>"$log" &
  pid=$!
  began=$(cut -d. -f1 /proc/uptime)
  printf '   loading hooks and rules into the kernel '
  until grep -q ': watching, ' "$log"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      printf '\nkentry did not start:\n'
      cat "$log"
      exit 1
    fi
    printf .
    sleep 1
  done
  printf ' %d s\n' $(($(cut -d. -f1 /proc/uptime) - began))
  if ! kentry enforce status | grep -q '^enforcing *yes'; then
    cat "$log"
    exit 1
  fi
  control pause
}

# The rules in force only watch, or act again: $1 is pause or resume.
control() {
  kentry enforce "$1" >>"$log" 2>&1 && return
  cat "$log"
  exit 1
}

# Prints the lines of file $1 behind the first $2 that hold pattern $3, once there are any; waits
# for at most half a minute.
await() {
  tries=0
  until tail -n "+$(($2 + 1))" "$1" | grep "$3"; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || return 1
    sleep 0.1
  done
}

# Prints the line of the sensor's text output that has rule $2 and the word $3, without time, place,
# tree, severity and the event; in colour $4.
show_alert() {
  await "$lines" "$1" "  $3 .* $2: " | head -n 1 |
    sed -e 's/^.\{46\}//' -e 's/ .* '"$2: / $2: /" -e 's/ | .*\( (would [a-z]*)\)$/\1/' \
      -e 's/ | .*//' |
    while IFS= read -r line; do printf '     %s\n' "$(paint "$4" "$line")"; done
}

# What came of step $1 in phase $2, rule $3 and verdict $4 expected (none without a sensor); one line
# on the screen, then what the sensor said, in colour $5.
step() {
  seen=$(wc -l <"$events") shown=$(wc -l <"$lines")
  sh "$attack" try "$1" >/dev/null 2>&1
  if sh "$attack" worked "$1"; then result='done' colour=$yellow; else result=stopped colour=$green; fi
  said=
  if [ -n "$4" ]; then
    if await "$events" "$seen" "\"$3\".*\"verdict\":\"$4\"" >/dev/null; then said=$3; fi
  fi
  printf '   %s\n' "$(paint "$colour" "$result")"
  case $4 in
    would_*) word=ALERT ;;
    killed) word=KILLED ;;
    *) word=DENIED ;;
  esac
  if [ -n "$said" ]; then show_alert "$shown" "$said" "$word" "$5"; fi
  echo "$2|$1|$result|$said" >>"$results"
}

# phase NAME HEADING: all steps of the attack, on a machine as new.
phase() {
  printf '\n%s\n' "$(paint "$bold" "$2")"
  sh "$attack" prepare
  case $1 in
    watched) start ;;
    enforced) control resume ;;
  esac
  number=0
  while IFS='|' read -r name rule verdict title <&3; do
    number=$((number + 1))
    printf '%3d  %-34s' "$number" "$title"
    case $1 in
      unwatched) step "$name" "$1" "$rule" '' '' ;;
      watched)
        case $verdict in
          denied) would=would_deny ;;
          *) would=would_kill ;;
        esac
        step "$name" "$1" "$rule" "$would" "$yellow"
        ;;
      enforced) step "$name" "$1" "$rule" "$verdict" "$red" ;;
    esac
  done 3<<STEPS
$steps
STEPS
}

# cell PHASE STEP RESULT VERDICT: what the table says; what is not as it should be goes to $wrong.
cell() {
  IFS='|' read -r _ _ result said <<RESULT
$(grep "^$1|$2|" "$results")
RESULT
  case $1/$result/$said in
    unwatched/done/) echo 'done' ;;
    watched/done/?*) echo 'done, seen' ;;
    enforced/stopped/?*) echo "$4 by $said" ;;
    *)
      echo "$1: $3: ${result:-not tried}, ${said:-no alert}" >>"$wrong"
      echo "${result:-?}${said:+, seen}"
      ;;
  esac
}

table() {
  printf '\n%s\n' "$(paint "$bold" "$(printf '%-34s  %-9s  %-10s  %s' 'the attacker tries to' \
    unwatched watched enforced)")"
  while IFS='|' read -r name _ verdict title <&3; do
    printf '%-34s  %-9s  %-10s  %s\n' "$title" "$(cell unwatched "$name" "$title" "$verdict")" \
      "$(cell watched "$name" "$title" "$verdict")" "$(cell enforced "$name" "$title" "$verdict")"
  done 3<<STEPS
$steps
STEPS
}

: >"$results"
: >"$wrong"
: >"$events"
: >"$lines"
printf '%s\n' "An attack by somebody who has become root, three times. Kernel $(uname -r)"
phase unwatched 'Without a sensor'
phase watched 'Watched: kentry run --hardening enforce, then kentry enforce pause'
phase enforced 'In force: kentry enforce resume'
# The set denies signals to the sensor, ours too.
control pause
kill -INT "$pid"
wait "$pid"
table
if [ -s "$wrong" ]; then
  printf '\nnot as it should be:\n'
  cat "$wrong"
  exit 1
fi
total=$(grep -c ^enforced "$results")
printf '\n%s\n' "$(paint "$green" "all $total steps seen by name, all $total stopped when enforced")"
