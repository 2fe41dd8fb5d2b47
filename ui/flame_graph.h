// SPDX-License-Identifier: Apache-2.0
// Flame graph: a Profile as one SVG file that opens in any browser, without network and without a server.
//
// The file holds the picture twice: as plain shapes, for viewers that run no script, and as data, from which
// the script in flame_graph.js draws what the window shows: zoom, search, callers, details.
#pragma once

#include <cstddef>
#include <string>

#include "userspace/views/profile.h"

namespace dwell {

struct FlameGraphOptions {
  std::size_t sample_type = 0;
  bool root_at_bottom = false;
  // Red for what grew and blue for what shrank, instead of a colour per module. Values of both signs ask
  // for it by themselves.
  bool difference = false;
  double min_width_px = 0.1;  // at 1200 px; narrower siblings are drawn as one grey frame. 0 keeps all.
};

std::string flame_graph(const Profile& profile, const FlameGraphOptions& options);

}  // namespace dwell
