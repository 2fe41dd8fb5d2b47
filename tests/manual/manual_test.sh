#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual page and the completion against what the program really takes.
#   manual_test.sh DWELL MANUAL COMPLETION
set -u
dwell=$1 manual=$2 completion=$3
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

commands=$("$dwell" --help | sed -nE '/^Subcommands:/,/^$/s/^  ([a-z]+) .*/\1/p')
(($(wc -w <<<"$commands") >= 10)) || fail "the commands in dwell --help: $commands"
plain=$(sed 's/\\-/-/g' "$manual")
words=$(tr -s '\n ' '  ' <<<"$plain")
options_of() { "$dwell" "$1" --help | sed -nE 's/^  (-[a-zA-Z],)?(--[a-z-]+).*/\2/p' | grep -v -e --help; }
section_of() { sed -n "/^\.SS dwell $1\$/,/^\.S[SH] /p" <<<"$plain"; }
filters=$(sed -n '/^\.SH FILTERS$/,/^\.SH ENVIRONMENT/p' <<<"$plain")

# Each command has its section, with its own options and no others; the filters have one for those that take them.
for command in $commands; do
  "$dwell" "$command" --help >/dev/null || fail "dwell $command --help"
  section=$(section_of "$command")
  [[ -n $section ]] || fail "the manual has no section of dwell $command"
  grep -q -e "^\.B dwell $command\$" <<<"$plain" || fail "dwell $command is not in the synopsis"
  declared=$(grep -A1 -e '^\.TP' <<<"$section"; case $command in report | export | diff) grep -A1 -e '^\.TP' <<<"$filters" ;; esac)
  for option in $(options_of "$command"); do
    grep -qE -e "$option( |\"|\$)" <<<"$declared" || fail "$option of dwell $command is not in its section of the manual"
  done
  for option in $(grep -A1 -e '^\.TP' <<<"$section" | grep -oE -e '--[a-z][a-z-]+' | sort -u); do
    grep -qx -e "$option" < <(options_of "$command") || fail "the manual's section of dwell $command has $option, and dwell has not"
  done
done

# What a recording can follow has one list.
followed=$("$dwell" record --help | sed -nE 's/^  ([a-z]+(:[a-z]+)?) +(yes|--[a-z-]+) .*/\1/p')
(($(wc -w <<<"$followed") >= 10)) || fail "what dwell record --help says can be followed: $followed"
for name in $followed; do
  grep -q -e "^\.B $name\$" <<<"$(section_of record)" || fail "$name is not in the manual's section of dwell record"
done
# And views have theirs.
for view in $("$dwell" export --view | cut -d' ' -f1); do
  grep -q -e "^\.B $view\$" <<<"$(section_of export)" || fail "$view is not in the manual's section of dwell export"
done

# Options that are gone from the program are gone from all of the manual, examples included.
all_help=$(for command in $commands; do "$dwell" "$command" --help; done)
for option in $(grep -oE -e '--[a-z][a-z-]+' <<<"$words" | sort -u); do
  [[ $option == --port ]] && continue # of the example's server
  grep -q -e "$option" <<<"$all_help" || fail "the manual has $option, and dwell has not"
done

if command -v groff >/dev/null; then
  warnings=$(groff -man -Tutf8 -ww "$manual" 2>&1 >/dev/null)
  [[ -z $warnings ]] || fail "groff: $warnings"
fi

# shellcheck disable=SC1090
source "$completion"
expect_completion() { # what must be offered, then the words so far
  local wanted=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _dwell
  [[ " ${COMPREPLY[*]} " == *" $wanted "* ]] || fail "'$*' does not offer '$wanted', but: ${COMPREPLY[*]}"
}

expect_completion export "$dwell" exp
expect_completion --follow-forks "$dwell" record --f
expect_completion --children "$dwell" record --ch
expect_completion --cgroup "$dwell" top --cg
expect_completion "$(cat /proc/$$/comm)" "$dwell" record --name "$(cut -c1-3 /proc/$$/comm)"
expect_completion --sample-type "$dwell" export --s
expect_completion speedscope "$dwell" export -f s
expect_completion html "$dwell" export -f h
expect_completion json "$dwell" diff -f j
expect_completion growing "$dwell" export --view g
expect_completion blocked "$dwell" report --view bl
expect_completion clocks "$dwell" report --only c
expect_completion threads "$dwell" record --only th
expect_completion blocked "$dwell" record --without bl
expect_completion memory,created "$dwell" record --without memory,cr
expect_completion threads "$dwell" help thr
expect_completion --prove "$dwell" go --p
expect_completion $$ "$dwell" go $$
expect_completion allocations "$dwell" report --sort alloc
expect_completion mapping "$dwell" report --kind m
expect_completion $$ "$dwell" record -p $$
expect_completion $$ "$dwell" memory $$
expect_completion bash "$dwell" record -- bas
cd "$(mktemp -d)" || exit 1
touch app.dwell app.txt
expect_completion app.dwell "$dwell" report a
[[ " ${COMPREPLY[*]} " != *app.txt* ]] || fail "a file that is no recording is offered"
rm -f app.dwell app.txt
rmdir "$PWD"

# Each value that completion offers for an option is one that the program accepts.
for pair in report:--sort report:--group report:--kind export:--view report:--only record:--only record:--without symbolize:--demangle record:--attach-method; do
  command=${pair%%:*} option=${pair##*:}
  COMP_WORDS=("$dwell" "$command" "$option" "") COMP_CWORD=3 COMPREPLY=()
  _dwell
  ((${#COMPREPLY[@]} > 1)) || fail "$option offers nothing"
  for value in "${COMPREPLY[@]}"; do
    message=$("$dwell" "$command" "$option" "$value" 2>&1)
    grep -q -e "$option: " -e "'$value'" <<<"$message" && fail "$option $value is offered and refused: $message"
  done
done

((failures == 0)) && echo "manual and completion agree with the program"
exit $((failures != 0))
