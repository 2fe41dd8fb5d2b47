// SPDX-License-Identifier: Apache-2.0
// Probes on functions of a running Go program, found by name in the runtime's own table of functions.
//
//   std::vector<GoProbe> probes = find_go_probes(runtime, {"runtime.gopark"}, calibration);
//   if (!probes[0].found()) ...  // not there: inlined everywhere, never used, or of another version
//   links.attach({probes[0].site(kPark, index)});
//
// Only places where a call begins: never the return, see bpf/go_probes.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/go/runtime/runtime.h"
#include "userspace/probes/attach.h"
#include "userspace/probes/calibrate.h"
#include "userspace/probes/go_placement.h"

namespace dwell {

struct GoProbe {
  std::string function;  // "runtime.gopark"
  std::string path, open_path;
  std::uint64_t address = 0;            // of the function's entry, in the process
  std::uint64_t file_offset = 0;        // of the same
  std::vector<GoPlacement> placements;  // best first
  std::string why_not;                  // "" if it can be probed

  bool found() const { return why_not.empty(); }
  // `kind`: the tracer's own number for it, in the cookie's place for a shape. `index` counts its hits.
  ProbeSite site(std::uint8_t kind, std::uint16_t index, std::uint8_t flags = 0) const;
};

// One for each name, in order.
std::vector<GoProbe> find_go_probes(const GoModule& module, std::span<const std::string_view> functions,
                                    const Calibration& calibration);

// Inside `function`, behind its call of `callee`: see plan_behind_call().
GoProbe find_go_probe_behind(const GoModule& module, std::string_view function, std::string_view callee,
                             const Calibration& calibration);

// The way to attach them: what is seen at entries only needs no session.
AttachMethod go_probe_method(const Calibration& calibration);

}  // namespace dwell
