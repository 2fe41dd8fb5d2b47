// SPDX-License-Identifier: Apache-2.0
// Subject: one kind of thing that dwell follows, looks at and reports, as the commands see it. userspace/subjects has
// the table of all of them; docs/adding-a-subject.md says how one is added.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/base/result.h"
#include "userspace/record/record.h"
#include "userspace/recording/codec.h"
#include "userspace/unwind/runtime_stacks.h"
#include "userspace/views/block_sites.h"
#include "userspace/views/filter.h"
#include "userspace/views/profile.h"

namespace dwell {

// What subjects know that others may ask for.
struct Peers {
  const BlockSites* block_sites = nullptr;            // null: nobody knows who allocated an address
  std::vector<RuntimeStacksFinder> runtimes;          // whose stacks are walked their own way
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

// Where a subject's options are declared; the command line implements it.
class OptionSet {
 public:
  virtual ~OptionSet() = default;
  // `name` as on the command line: "--threads". `value` becomes true, or false for a flag that takes something away.
  virtual void flag(const std::string& name, bool& value, const std::string& help) = 0;
  virtual void flag_off(const std::string& name, bool& value, const std::string& help) = 0;
  // Two that have been declared can't be given together.
  virtual void exclude(const std::string& one, const std::string& other) = 0;
};

// A subject's part of `dwell record`: its options, and the tracers that they choose.
class RecordPart {
 public:
  virtual ~RecordPart() = default;
  virtual void declare(OptionSet& options) = 0;
  virtual std::vector<TracerLoader> tracers(const RecordOptions& options, const Peers& peers) const = 0;
};

struct SectionStyle {
  TextStyle style;
  std::size_t sites = 20;   // rows of each table
  std::size_t stacks = 5;   // rows whose stack is printed, of each table
};

// Functions that are null: the subject has no such thing.
struct Subject {
  std::string_view name;      // "threads": begins the names of its views
  std::span<const ChunkReader> chunks;
  std::vector<View> views;    // the first one is what its look exports as
  std::unique_ptr<RecordPart> (*record_part)() = nullptr;

  // What a recording says of it besides memory: before memory's report, and behind it. "": nothing.
  std::string (*before)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  std::string (*behind)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  void (*json)(const Recording&, const Peers&, Json& whole) = nullptr;

  // A look of its own that was kept reads as it did when it was taken.
  bool (*has_look)(const Recording&) = nullptr;
  Result<std::string> (*look_text)(const Recording&, const SectionStyle&, const Peers&) = nullptr;
  Result<std::string> (*look_json)(const Recording&, const Peers&) = nullptr;

  const BlockSites* block_sites = nullptr;
  RuntimeStacksFinder runtime_stacks = {};
};

}  // namespace dwell
