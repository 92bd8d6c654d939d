# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: each change of a file without a sensor, with one rule for each class that
# concerns another folder, with 75 of each, and denied. One line a figure, see ops.c.
sysctl -qw kernel.randomize_va_space=0
for folder in none 1 75 denied; do
  mkdir -p "/tmp/$folder/d" "/tmp/$folder/m"
  touch "/tmp/$folder/f" "/tmp/$folder/h"
done

start() {
  kentry run --quiet --rules "$1" --output /tmp/events --events alerts >/tmp/out 2>/tmp/err &
  pid=$!
  until kentry status >/dev/null 2>&1; do
    kill -0 "$pid" || { cat /tmp/err; exit 1; }
    sleep 0.5
  done
  if kentry status | grep -q 'none in force'; then
    cat /tmp/err
    exit 1
  fi
  sleep 1
}

echo "release $(uname -r)"
ops none /tmp/none
for set in 1 75 denied; do
  start "/rules/$set.yaml"
  case $set in
    denied) ops "$set" "/tmp/$set" denied ;;
    *) ops "$set" "/tmp/$set" ;;
  esac
  kill -INT "$pid"
  wait "$pid" || { cat /tmp/err; exit 1; }
  rm -f /tmp/events
done
