// SPDX-License-Identifier: Apache-2.0
// Model: what `dwell top` shows of one process, in figures and ready words, made from its recording as far as that has come.
//
// Pure: no terminal, no clock, no file. Sizes are in bytes, rates in bytes a minute.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/recording/model.h"

namespace dwell::top {

struct Curve {
  std::vector<std::uint64_t> times_ns;  // ascending, since the recording began
  std::vector<double> values;
};

struct SiteRow {
  std::uint64_t key = 0;  // the same call site has the same key in each model of a recording
  std::string name;       // "Cache::insert ← Server::handle ← main", printable, as long as it is
  std::string kind;       // "": heap; else "mapped"
  double live = 0;        // what the recording saw allocated, and is still there
  std::optional<double> rate;        // in the last minute
  std::optional<double> since_mark;  // by how much it has changed since the last mark; none: there is no mark
  std::optional<double> blocks;      // none: estimates that do not tell
  std::string live_text;  // with its error, where it is estimated
  std::vector<double> curve;         // at Model::moments_ns,
  std::vector<std::uint64_t> curve_times_ns;  // or at these, if there are any
  bool by_history = false;           // its course is known only from one model to the next: History gives it
  std::vector<std::string> stack;    // leaf first, a line each, printable
};

struct ProcessRow {  // one of several
  pid_t pid = 0;
  std::string name;            // "worker (103)"
  std::optional<double> rate;  // of its RSS, in the last minute
};

struct Model {
  std::string process;        // "redis-server (1234)", "nginx (4 processes)"
  std::vector<ProcessRow> processes;  // of several, those that run, in the order in which they came
  std::string state;          // why there are no figures, or no more: "attaching", "ended: ..."; "" while all is well
  std::uint64_t elapsed_ns = 0;
  std::optional<double> resident;
  std::optional<double> resident_rate;  // in the last minute
  Curve resident_curve;
  std::optional<double> live; // of all call sites; none: not known
  std::string live_text;      // the same with its range, where it is an estimate; "": as it stands
  std::optional<double> live_rate;
  std::string live_words = "of what dwell saw allocated";  // what `live` is
  std::string limit;          // "68% of the 512.0 MB of its control group", "" if it has none
  std::string time_left;      // "reached in 2 h 10 m (1 h 50 m to 2 h 40 m)", "" if it is not coming nearer
  bool near_limit = false;
  std::optional<double> overhead;  // % of the target's CPU time, in the last seconds; none: it used none
  double budget = 0;          // % that it may take; 0: none was set
  bool estimated = false;     // memory is followed in windows now: docs/budget.md
  std::string lost;           // what is missing in the figures, in a sentence; "" if nothing is
  std::vector<std::uint64_t> marks_ns;   // since the recording began
  std::vector<std::uint64_t> moments_ns; // of the rows' curves
  std::uint64_t from_ns = 0, to_ns = 0;  // what curves cover
  std::vector<SiteRow> rows;  // in no particular order
  std::uint64_t rest_sites = 0;          // that have no row
  double rest_live = 0;
  bool has_go = false;        // a Go program: it has goroutines
};

// `most_rows`: those that hold most, and those that grow fastest.
struct ModelRequest {
  std::size_t most_rows = 200;
  std::size_t most_frames = 64;
  std::optional<pid_t> process = {};  // it alone; none: all, added up
};
Model model_of(const std::shared_ptr<const Recording>& recording, const ModelRequest& request = {});

}  // namespace dwell::top
