// SPDX-License-Identifier: Apache-2.0
// Profile: what every view yields and every exporter takes. pprof's own model: sample types × stacks ×
// labels.
//
// Source of the model: github.com/google/pprof, proto/profile.proto.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dwell {

struct ProfileMapping {
  std::string path;
  std::string build_id;  // lower-case hex, may be empty
  std::uint64_t start = 0, limit = 0, file_offset = 0;
  bool has_functions = false, has_filenames = false, has_line_numbers = false, has_inline_frames = false;
};

// One source line of one function. A location has several when calls were inlined there, innermost first.
struct ProfileLine {
  std::string
      function;  // as shown; never empty: "module+0x12ab", "[jit]" or "[unknown]" where there is no name
  std::string system_name;  // mangled, may be empty
  std::string file;         // may be empty
  std::uint32_t line = 0;   // 0: not known
};

struct ProfileLocation {
  std::int32_t mapping = -1;       // index into mappings, -1: none
  std::uint64_t address = 0;       // in the target's address space or the module's file, for display
  std::vector<ProfileLine> lines;  // innermost first, at least one
};

struct ProfileLabel {
  std::string key;
  std::string text;         // text label if not empty,
  std::int64_t number = 0;  // else a number with a unit
  std::string unit;
};

struct ProfileSample {
  std::vector<std::uint32_t> stack;  // location indices, leaf first
  std::vector<std::int64_t> values;  // one per sample type
  std::vector<ProfileLabel> labels;
};

struct ProfileValueType {
  std::string type;  // "inuse_space"
  std::string unit;  // "bytes"
};

struct Profile {
  std::string title;  // "retained memory of redis-server (1234)"
  std::vector<ProfileValueType> sample_types;
  std::size_t default_sample_type = 0;
  std::vector<ProfileMapping> mappings;  // the program itself first: pprof names the profile after it
  std::vector<ProfileLocation> locations;
  std::vector<ProfileSample> samples;
  std::vector<std::string> comments;
  std::int64_t time_unix_ns = 0;
  std::int64_t duration_ns = 0;
  ProfileValueType period_type;
  std::int64_t period = 0;
  bool allocators_are_leaves = false;  // whoever calls an allocator is the call site: what lies below says nothing
};

}  // namespace dwell
