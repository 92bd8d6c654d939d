# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # counts and vm_options are the sourcing script's
#
# The parts of ./check, sourced by it. Each prepares just what it needs, so that it can run alone.
# A part that counts tests writes "PASSED FAILED" lines to $counts; one that doesn't is one test.

if [[ -n ${KENTRY_FULL:-} ]]; then
  readonly fuzz_seconds=600 test_timeout=1800 vm_timeout=3600
  readonly systemd_kernels='5.10 6.1 6.12 newest'
else
  readonly fuzz_seconds=30 test_timeout=300 vm_timeout=1800
  readonly systemd_kernels=6.1
fi

step() { printf '... %s\n' "$*"; }

# Configures preset $1, with tests, and builds the targets that follow (default: all).
build_preset() {
  local preset=$1
  shift
  if ! grep -qs '^KENTRY_TESTS:BOOL=ON$' "build/$preset/CMakeCache.txt"; then
    step "configuring $preset"
    cmake --preset "$preset" -DKENTRY_TESTS=ON >/dev/null
  fi
  step "building $preset"
  cmake --build "build/$preset" ${1:+--target "$@"}
}

# Runs the tests of preset $1 whose label matches $2, and counts them.
run_ctest() {
  local preset=$1 labels=$2 log=build/$1/check-ctest.log status=0 total failed
  step "tests of $preset, label $labels"
  ctest --test-dir "build/$preset" -L "$labels" -j "$(nproc)" --output-on-failure \
    --no-tests=error --timeout "$test_timeout" >"$log" 2>&1 || status=$?
  total=$(sed -n 's/.*tests failed out of \([0-9]*\)$/\1/p' "$log")
  failed=$(sed -n 's/.* \([0-9]*\) tests failed out of .*/\1/p' "$log")
  echo "$((${total:-0} - ${failed:-0})) ${failed:-0}" >>"$counts"
  if ((status != 0)); then cat "$log"; else tail -n 3 "$log"; fi
  return "$status"
}

# All C and C++ of the project, new files included. vmlinux.h is made by bpftool.
source_files() {
  git ls-files -z --cached --others --exclude-standard -- '*.c' '*.cc' '*.h' ':!:*vmlinux*.h' |
    while IFS= read -r -d '' file; do
      if [[ -f $file ]]; then printf '%s\0' "$file"; fi
    done
}

part_format() {
  source_files | xargs -0 -r -n 50 -P "$(nproc)" clang-format-14 --dry-run -Werror
}

part_build() {
  local status=0
  build_preset release || status=1
  build_preset clang || status=1
  return "$status"
}

part_unit() {
  local status=0
  build_preset release
  run_ctest release '^(unit|check)$' || status=1
  build_preset clang
  run_ctest clang '^unit$' || status=1
  return "$status"
}

part_tsan() {
  build_preset tsan kentry_unit_test
  run_ctest tsan '^unit$'
}

part_tidy() {
  # The build makes the headers that sources include, and knows what each source includes.
  build_preset clang
  tests/check/tidy build/clang sensor rules exporters
}

part_fuzz() {
  local fuzzers fuzzer name seconds log status=0
  build_preset clang
  fuzzers=(build/clang/tests/fuzz/*_fuzz)
  [[ -x ${fuzzers[0]} ]] || { echo 'no fuzzer was built'; return 1; }
  seconds=$((fuzz_seconds / ${#fuzzers[@]}))
  mkdir -p build/clang/fuzz/artifacts
  for fuzzer in "${fuzzers[@]}"; do
    name=$(basename "$fuzzer" _fuzz)
    log=build/clang/fuzz/artifacts/$name.log
    mkdir -p "build/clang/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    step "fuzzing $name for $seconds s"
    # New inputs go to the first folder, so that the corpus in the tree changes by hand only.
    if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="build/clang/fuzz/artifacts/$name-" -print_final_stats=1 \
      "build/clang/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
      echo '1 0' >>"$counts"
      grep -m1 'number_of_executed_units' "$log" || true
    else
      echo '0 1' >>"$counts"
      status=1
      tail -n 60 "$log"
    fi
  done
  return "$status"
}

# From 7.x on the kernel skips a hook now and then (docs/kernels.md), so that a test may wait for an
# event that will not come. Tests that failed on the newest kernel alone have a second try there;
# a fault fails it too.
second_try() {
  local log=$1 tests test names=()
  if grep -aqE '^(5\.10|6\.1|6\.12) +(failed|crashed|FAILED)|^newest +(crashed|FAILED)' "$log"; then
    return 1
  fi
  tests=$(sed -n 's/^newest  failed  \([^ ]*\).*/\1/p' "$log")
  [[ -n $tests ]] || return 1
  while read -r test; do names+=(--test "$test"); done <<<"$tests"
  step "second try on the newest kernel: $(paste -sd ' ' <<<"$tests")"
  tests/vm/suite --kernel newest --binary build/release/tests/vm/kentry_vm_test \
    --share build/release/tests/vm/fixtures:/fixtures --share build/release/kentry "${names[@]}"
}

part_vm() {
  local out=build/release/tests/vm log=build/release/check-vm.log status=0 summary kernel
  if ((${#vm_options[@]} == 0)); then
    step 'the bench itself'
    if tests/vm/selftest; then echo '1 0' >>"$counts"; else echo '0 1' >>"$counts"; status=1; fi
  fi
  build_preset release kentry kentry_vm_test
  step 'what the program needs'
  if tests/check/needed build/release/kentry; then echo '1 0' >>"$counts"; else
    echo '0 1' >>"$counts"
    status=1
  fi
  if ((${#vm_options[@]} == 0)); then
    step 'the demo'
    if tests/check/demo; then echo '1 0' >>"$counts"; else echo '0 1' >>"$counts"; status=1; fi
  fi
  if ((${#vm_options[@]} == 0)); then
    for kernel in $systemd_kernels; do
      step "under systemd, on $kernel"
      if tests/vm/systemd/run --kernel "$kernel"; then echo '1 0' >>"$counts"; else
        echo '0 1' >>"$counts"
        status=1
      fi
    done
  fi
  step 'booting kernels'
  tests/vm/suite --binary "$out/kentry_vm_test" --share "$out/fixtures:/fixtures" \
    --share build/release/kentry --timeout "$vm_timeout" "${vm_options[@]}" 2>&1 |
    tee "$log" || status=1
  summary=$(tail -n1 "$log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, .*/\1 \2/p')
  if ((status)) && second_try "$log"; then
    status=0
    summary=$(awk '{ print $1 + $2, 0 }' <<<"$summary")
  fi
  if [[ -n $summary ]]; then echo "$summary" >>"$counts"; fi
  return "$status"
}

part_bench() {
  local status=0 bench
  build_preset release kentry
  for bench in 'selftest' 'run --check' 'rules/run --check'; do
    step "tests/bench/$bench"
    # shellcheck disable=SC2086
    if tests/bench/$bench; then echo '1 0' >>"$counts"; else
      echo '0 1' >>"$counts"
      status=1
    fi
  done
  return "$status"
}

part_docs() {
  local status=0
  step 'links between the documents'
  tests/check/links || status=1
  build_preset release kentry
  step 'docs/events.md against the field table'
  if ! diff -u docs/events.md <(build/release/kentry fields -o markdown); then
    echo 'docs/events.md is stale: build/release/kentry fields -o markdown >docs/events.md'
    status=1
  fi
  return "$status"
}
