// SPDX-License-Identifier: Apache-2.0
// Subject: one kind of thing that dwell follows, looks at and reports, as the commands see it. userspace/subjects has
// the table of all of them; docs/adding-a-subject.md says how one is added.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/base/result.h"
#include "userspace/record/look_command.h"
#include "userspace/record/record.h"
#include "userspace/process/runtime_memory.h"
#include "userspace/recording/codec.h"
#include "userspace/views/block_sites.h"
#include "userspace/views/filter.h"
#include "userspace/views/profile.h"

namespace dwell {

// What subjects know that others may ask for.
struct Peers {
  const BlockSites* block_sites = nullptr;  // null: nobody knows who allocated an address
  std::vector<RuntimeMemory (*)(pid_t pid)> runtime_memory;  // empty ranges where the process has no such runtime
};

// One profile that can be made of a recording: what `--view` names.
struct View {
  std::string_view name;      // "blocked"; in full, "threads:blocked"
  std::string_view sentence;  // what its figures are
  bool (*there)(const Recording& recording);
  std::string_view how;       // what to run for a recording that has it
  Result<Profile> (*profile)(const Recording& recording, const ViewFilter& filter);
  bool filtered = false;      // takes a ViewFilter; others refuse one
  bool signed_values = false; // growth: its values may be negative
};

// One thing that a recording can follow: what --only and --without name.
struct Followed {
  std::string_view name;      // "blocked"; in full, "threads:blocked"
  std::string_view sentence;  // what the recording tells by it
  bool by_default = false;    // where the target has it
  std::string_view flag = {}; // that adds it: "--blocked"; "": none does
  std::string_view flag_help = {};  // "": "also record" and the sentence
  std::string_view value_name = {}; // what the flag takes, each time that it is given: "NAME=TAKE:GIVE"; "": nothing
  Result<void> (*check_values)(const std::vector<std::string>& values) = nullptr;  // Exit::kUsage
};

// What a recording is to follow of one subject, by the names in its table.
struct Chosen {
  std::set<std::string_view> names;
  bool by_name = false;  // the user wants it: named it, or left out memory, which stands first
  std::map<std::string_view, std::vector<std::string>> values = {};  // of flags that take some, by name

  bool has(std::string_view name) const { return names.contains(name); }
};

struct SectionStyle {
  TextStyle style;
  std::size_t sites = 20;   // rows of each table
  std::size_t stacks = 5;   // rows whose stack is printed, of each table
  bool with_look = false;   // the last look is shown as well
};

// Functions that are null: the subject has no such thing.
struct Subject {
  std::string_view name;      // "threads": begins the names of its views, and is its command
  std::string_view sentence;  // what it tells
  std::span<const ChunkReader> chunks;
  std::vector<View> views;    // the first one is what its look exports as
  std::vector<Followed> followed;
  bool (*of_target)(const Recording&) = nullptr;  // whether the target has such a thing at all; null: each has

  // The tracers that follow what was chosen. The loader of a tracer that finds nothing to follow in the target returns null.
  std::vector<TracerLoader> (*tracers)(const Chosen& chosen, const RecordOptions& options, const Peers& peers) = nullptr;

  LookCommand look;  // `dwell NAME PROCESS`

  // What a recording says of it besides memory: before memory's report, and behind it. "": nothing.
  std::string (*before)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  std::string (*behind)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  // What the summary of a recording says of it, a sentence each: what is wrong, or how much there is. At most three.
  std::vector<std::string> (*sentences)(const Recording&, const Peers&) = nullptr;
  void (*json)(const Recording&, const Peers&, Json& whole) = nullptr;

  // A look of its own that was kept reads as it did when it was taken.
  bool (*has_look)(const Recording&) = nullptr;
  Result<std::string> (*look_text)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  Result<std::string> (*look_json)(const Recording&, const Peers&) = nullptr;

  const BlockSites* block_sites = nullptr;
  RuntimeMemory (*runtime_memory)(pid_t pid) = nullptr;
};

}  // namespace dwell
