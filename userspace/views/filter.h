// SPDX-License-Identifier: Apache-2.0
// ViewFilter: which part of a recording a view is asked for, as it was given on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dwell {

struct ViewFilter {
  // Nanoseconds since the start of the recording. Ranges begin and end at ticks: the nearest one inside.
  std::optional<std::uint64_t> from_ns, to_ns;
  std::string site;    // regular expression (POSIX extended): any function, file or module of the stack matches
  std::string module;  // part of the path of any module of the stack
  std::string kind;    // of memory: "heap", "mapping", "file", "reserved"; "": all
  std::optional<std::uint32_t> thread;  // what this thread did alone
  std::optional<std::uint32_t> process; // this one alone, by its PID
  std::uint64_t min_bytes = 0;          // sites with less are summed up as one row
  std::uint64_t temporary_ns = std::uint64_t{1} << 20;  // what is freed before this age is temporary

  bool operator==(const ViewFilter&) const = default;
};

}  // namespace dwell
