# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What reads the code without running it; tests/run sources this for --analyze. Each analyser is one test, passes only
# without a finding, and is told of an exception where it stands, with the reason beside it:
#
#   gcc -fanalyzer   paths through a function and what it calls: NULL, leaks, what is freed twice. Alone of the two that
#                    follow paths it knows what g_autoptr and g_autofree do. Exceptions: a pragma.
#   scan-build       clang's analyzer, which finds others of these. Exceptions: an assertion.
#   clang-tidy       habits that lead to faults: .clang-tidy. Exceptions: NOLINT.
#   cppcheck         a view of its own, without a compiler: tests/cppcheck.txt. Exceptions: cppcheck-suppress.
#
# The first two read src/ only: a test that dies of a NULL pointer has told what it had to tell.
# Uses: SOURCE, BUILD, RESULTS, step, build.

run_analyze() {
  step "gcc -fanalyzer" analyze_with_gcc
  step "scan-build" analyze_with_scan_build
  step "clang-tidy" analyze_with_clang_tidy "$1"
  step "cppcheck" analyze_with_cppcheck
}

# A warning is an error, so what it found in is not built and is read again the next time.
analyze_with_gcc() {
  CC=gcc build "$BUILD-analyze" -Dwerror=true -Dtests=disabled -Dman=disabled -Doptimization=0 -Dc_args=-fanalyzer
}

# What it found in is built nonetheless, so it starts afresh each time. unix.Malloc is off because clang 14 does not know
# what a variable's cleanup function does: it takes what g_autoptr hands on for leaked. gcc's analyzer, the sanitizers and
# valgrind look after memory.
analyze_with_scan_build() {
  local scan=(scan-build --use-cc=clang --status-bugs -disable-checker unix.Malloc -o "$BUILD-scan-report")

  rm -rf -- "$BUILD-scan"
  "${scan[@]}" meson setup "$BUILD-scan" "$SOURCE" -Dtests=disabled -Dman=disabled -Doptimization=0 &&
    "${scan[@]}" ninja -C "$BUILD-scan"
}

# All of src/ (analyze), or of tests/ too (analyze-all), that is on the list of the build, which is brought up to date first, as
# are headers that are made.
# What the compiler itself warns of it has said (-w).
analyze_with_clang_tidy() {
  local directory=$BUILD-clang from=$SOURCE/src/

  [[ $1 != analyze-all ]] || from=$SOURCE/
  CC=clang build "$directory" -Dwerror=true -Dtests=enabled -Dman=disabled || return
  jq -r '.[] | select(.file | endswith(".c")) | if .file | startswith("/") then .file else .directory + "/" + .file end' \
    "$directory/compile_commands.json" |
    xargs -d '\n' realpath | grep -F -- "$from" | sort -u |
    xargs -d '\n' --max-procs "$(nproc)" --max-args 8 clang-tidy -p "$directory" --quiet --extra-arg=-w
}

# Macros that define functions are more than it knows of GLib.
analyze_with_cppcheck() {
  cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --inline-suppr --suppressions-list="$SOURCE/tests/cppcheck.txt" \
    --enable=warning,performance,portability --std=c11 --library=gtk --library=posix --library=gnu \
    -D'G_DEFINE_QUARK(a,b)=' -D'G_DEFINE_EXTENDED_ERROR(a,b)=' -D'G_GNUC_PRINTF(a,b)=' \
    -I "$SOURCE/src" "$SOURCE/src" "$SOURCE/tests"
}
