# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Shell work in $1 rounds: a pipe in a substitution, one dynamic and one static program.
i=0
while [ "$i" -lt "$1" ]; do
  count=$(echo "line $i" | cat | wc -c)
  cat /etc/passwd >/dev/null
  /bin/nothing "$count"
  i=$((i + 1))
done
