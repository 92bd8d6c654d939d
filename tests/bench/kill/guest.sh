# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: so many kills at an exec and at an open, see run.
sysctl -qw kernel.randomize_va_space=0
echo "release $(uname -r)"
cp /bin/victim /bin/at-exec
: >/tmp/trap
cat >/tmp/rules.yaml <<'RULES'
mode: enforce
rules:
  - {name: exec, on: process.exec, when: 'process.binary == "/bin/at-exec"', then: kill, guard: off}
  - {name: open, on: file.open, when: 'file.path == "/tmp/trap"', then: kill, guard: off}
RULES
kentry run --quiet --rules /tmp/rules.yaml --output /tmp/events --events process.exit \
  >/tmp/out 2>/tmp/err &
pid=$!
until grep -q ': watching, ' /tmp/err; do
  kill -0 "$pid" || { cat /tmp/err; exit 1; }
  sleep 0.5
done

kills() { # COMMAND…
  n=0
  while [ "$n" -lt "$COUNT" ]; do
    ("$@") 2>/dev/null
    code=$?
    [ "$code" = 137 ] || { echo "$* ended with $code"; cat /tmp/err; exit 1; }
    n=$((n + 1))
  done
}

kills /bin/at-exec
kills /bin/victim /tmp/trap
sleep 1
kentry status | grep '^killed'
kill -INT "$pid"
wait "$pid" || { cat /tmp/err; exit 1; }
