// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/command_table.h"

#include <algorithm>
#include <cassert>

#include "userspace/base/text.h"

namespace dwell {
namespace {

constexpr CommandWords kDwell = {
    "dwell",
    "dwell attaches to a running process and finds what it holds on to: retained memory, stuck threads and goroutines, "
    "misused clocks, down to the line of code responsible.\nIt works from outside, with eBPF: the process is not changed, "
    "stopped or restarted.",
    "dwell 1234                            what is wrong with process 1234? One look, no probes\n"
    "dwell threads 1234                    what each thread is waiting for, now; no probes\n"
    "dwell record 1234 -d 60               watch process 1234 for a minute\n"
    "dwell record -- ./server --port 0     start a program and record it from its first instruction\n"
    "dwell report server.1234.dwell        what it retains, by call site\n"};

constexpr CommandWords kCommands[] = {
    {"check", "look at everything once, without a probe: what is wrong with this process?",
     "dwell 1234                            in short\n"
     "dwell check redis-server              by name\n"
     "dwell 1234 --json | jq .findings      exit code 8 if something is proved\n"},
    {"record", "watch running processes, or start one, and write a recording",
     "dwell record 1234                     until Ctrl-C, into NAME.1234.dwell\n"
     "dwell record redis-server -d 10m      the only process of that name, for ten minutes\n"
     "dwell record --children 1234          a server and its workers, those that come later too; one report\n"
     "dwell record --cgroup nginx.service   a systemd unit; or a container, by its id\n"
     "dwell record 1234 --without memory    what threads wait for, and goroutines: without probes on allocators\n"
     "dwell record 1234 --only threads --blocked  threads alone, and for how long they are blocked\n"
     "dwell record -- ./server --port 0     from its first instruction\n"},
    {"top", "watch a running process: what grows now, by call site, live",
     "dwell top 1234                        q quits, ? lists all keys\n"
     "dwell top nginx --max-overhead 2      within two percent of its CPU time\n"
     "dwell top --children 1234             several, added up: the keys [ and ] choose one\n"
     "dwell top 1234 -n 12 -i 10s | tee log in lines, every ten seconds, twelve times\n"},
    {"mark", "set a mark in a recording that goes on: a new generation of memory begins",
     "dwell mark 1234                       in every recording of process 1234\n"
     "dwell mark server.1234.dwell          in this one\n"
     "dwell report server.1234.dwell        later: what of each generation is still there\n"},
    {"report", "show what a recording found: memory by call site, threads, goroutines, clocks",
     "dwell report server.dwell             everything, with the answer first\n"
     "dwell report server.dwell --from 30 --sort growth\n"
     "dwell report server.dwell --view threads:blocked\n"
     "dwell report server.dwell --json | jq .sites[0]\n"},
    {"export", "convert a recording: HTML page, flame graph, pprof, folded stacks, speedscope",
     "dwell export server.dwell -o server.html     everything, to explore in a browser\n"
     "dwell export server.dwell -o server.svg      a flame graph of what is retained\n"
     "dwell export server.dwell -o server.pb.gz    for go tool pprof, and everything that reads its format\n"
     "dwell export server.dwell --view             the views that this recording has\n"
     "dwell export server.dwell --view memory:growing -o growth.svg\n"},
    {"diff", "compare two recordings: what grew",
     "dwell diff monday.dwell tuesday.dwell        what grew, by call site\n"
     "dwell diff before.dwell after.dwell -o growth.html    a page to explore\n"
     "dwell diff before.dwell after.dwell -o growth.svg\n"
     "dwell diff before.dwell after.dwell --view go:heap\n"},
    {"symbolize", "add function names and lines to a recording, on any machine with the debug files",
     "dwell symbolize server.dwell --debug-dir /srv/debug\n"
     "dwell symbolize server.dwell --debuginfod    ask the servers of DEBUGINFOD_URLS\n"
     "dwell symbolize server.dwell --sysroot /mnt/production -o named.dwell\n"},
    {"doctor", "check what this kernel and a process allow, and what tracing it would cost",
     "dwell doctor                          what this kernel allows, command by command\n"
     "dwell doctor 1234                     what can be seen of this process\n"},
};

}  // namespace

const CommandWords& words_of_dwell() { return kDwell; }

const CommandWords& words_of(std::string_view command) {
  auto found = std::ranges::find(kCommands, command, &CommandWords::name);
  assert(found != std::end(kCommands));
  return *found;
}

std::string examples_text(std::string_view examples) {
  std::string text = "\nEXAMPLES\n";
  for (std::string_view line : split(examples, '\n'))
    if (!line.empty()) text += "  " + std::string(line) + "\n";
  return text;
}

}  // namespace dwell
