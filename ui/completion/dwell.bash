# SPDX-License-Identifier: Apache-2.0
# Completion of dwell's command line in bash. Commands and options are read from --help, so that they are never out of date.

_dwell_commands() {
  "$1" --help 2>/dev/null | sed -nE '/^Subcommands:/,/^$/s/^  ([a-z]+) .*/\1/p'
}

# Whether it takes running processes.
_dwell_takes_processes() {
  "$1" "$2" --help 2>/dev/null | grep -q '^  PROCESS\|--pid'
}

# What a recording can follow: subjects, and the last part of each name that only one has, for bash breaks words at colons.
_dwell_followed() {
  local names
  names=$("$1" record --help 2>/dev/null | sed -nE 's/^  ([a-z]+(:[a-z]+)?) +(yes|--[a-z-]+) .*/\1/p')
  sed 's/:.*//' <<<"$names" | sort -u
  sed -nE 's/.*://p' <<<"$names" | sort | uniq -u
}

_dwell_options() {
  "$1" ${2:+"$2"} --help 2>/dev/null | sed -nE 's/^  (-[a-zA-Z]),(--[a-z-]+).*/\1 \2/p; s/^  (--[a-z-]+).*/\1/p'
}

# Without the subject: bash breaks words at colons.
_dwell_views() {
  "$1" export --view 2>/dev/null | sed -nE 's/^[a-z]+:([a-z-]+) .*/\1/p'
}

_dwell_subjects() {
  "$1" export --view 2>/dev/null | sed -nE 's/^([a-z]+):.*/\1/p' | sort -u
}

_dwell_processes() {
  local folder
  for folder in /proc/[0-9]*; do printf '%s\n' "${folder#/proc/}"; done
}

# Names of processes, and of control groups that hold a service or a container.
_dwell_names() { cat /proc/[0-9]*/comm 2>/dev/null | sort -u; }
_dwell_groups() {
  find /sys/fs/cgroup -mindepth 1 -maxdepth 6 -type d \( -name '*.service' -o -name '*.scope' \) 2>/dev/null |
    sed -nE 's|.*/||; s/^.*-([0-9a-f]{12})[0-9a-f]{52}\.scope$/\1/; p' | sort -u
}

_dwell_complete() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$@" -- "${current##*,}")
}

_dwell() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local program=${COMP_WORDS[0]} command='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --)
        if ((i == COMP_CWORD - 1)); then _dwell_complete -c; else _dwell_complete -f; fi
        return
        ;;
      [a-z]*) ((i == 1)) && command=${COMP_WORDS[i]} ;;
    esac
  done
  if [[ -z $command || $command == help ]]; then
    _dwell_complete -W "$(_dwell_commands "$program") help --help --version"
    return
  fi
  case $previous in
    -p | --pid) _dwell_complete -W "$(_dwell_processes)" ;;
    --name) _dwell_complete -W "$(_dwell_names)" ;;
    --cgroup) _dwell_complete -W "$(_dwell_groups)" ;;
    --process) COMPREPLY=() ;;
    -f | --format)
      if [[ $command == diff ]]; then
        _dwell_complete -W "text json html svg folded pprof speedscope"
      elif [[ $command == clocks ]]; then
        _dwell_complete -W "text json svg folded pprof speedscope"
      else
        _dwell_complete -W "html svg folded pprof speedscope"
      fi
      ;;
    --view) _dwell_complete -W "$(_dwell_views "$program")" ;;
    --only | --without)
      if [[ $command == record || $command == top ]]; then
        # The last name of a list; those before it stay.
        local before=''
        [[ $current == *,* ]] && before=${current%,*},
        _dwell_complete -P "$before" -W "$(_dwell_followed "$program")"
      else
        _dwell_complete -W "$(_dwell_subjects "$program")"
      fi
      ;;
    --sort) _dwell_complete -W "retained blocks growth allocated allocations temporary peak age" ;;
    --group) _dwell_complete -W "stack function file module" ;;
    --kind) _dwell_complete -W "heap mapping file reserved" ;;
    --demangle) _dwell_complete -W "full short none" ;;
    --sample-type) _dwell_complete -W "inuse_space inuse_objects alloc_space alloc_objects temporary_space temporary_objects reads interval waited goroutine contentions delay" ;;
    --attach-method) _dwell_complete -W "session multi perf" ;;
    -o | --output | --with) _dwell_complete -f ;;
    --debug-dir | --sysroot | --sources) _dwell_complete -d ;;
    -d | --duration | --from | --to | --temporary | --min | --sample-bytes | --buffer | --max-memory | --thread | --site | --module | -n | --count | -i | --interval | --sites | --stacks | --groups | --rows | --max-read | --diff | --share | --window | --stuck-after | --look-every | --detach-above | --max-overhead)
      COMPREPLY=()
      ;;
    *)
      if [[ $current == -* ]]; then
        _dwell_complete -W "$(_dwell_options "$program" "$command")"
      elif _dwell_takes_processes "$program" "$command"; then
        _dwell_complete -W "$(_dwell_processes)"
      else
        _dwell_complete -f -X '!*.dwell*'
        local recordings=("${COMPREPLY[@]}")
        _dwell_complete -d
        COMPREPLY+=("${recordings[@]}")
      fi
      ;;
  esac
}

complete -o filenames -F _dwell dwell
