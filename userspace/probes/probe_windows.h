// SPDX-License-Identifier: Apache-2.0
// ProbeWindows: when probes that may be hit very often are attached. Pure: time and cost are told.
//
// The probes may take `share` of the target's time. A program that hits them seldom is watched all the time,
// and its hits are counted exactly. One that does so millions of times a second is watched in short windows:
// each begins when what the windows before have cost is paid back. What is not spent may be kept, up to what two seconds of the
// target's time earn: who saved for an hour may not spend it in a second.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwell {

struct WindowSettings {
  double share = 0.01;                     // of the target's time; 1 and more: always
  std::uint64_t length_ns = 5'000'000;     // of a window, at least
  std::size_t places = 8;                  // instructions that are probed,
  double flush_ns = 6000;                  // and what each costs when its probe comes, and when it goes (toggle_price.h)
  std::uint64_t credit_ns = 500'000'000;   // of the target's time, to begin with
  std::uint64_t kept_ns = 2'000'000'000;   // of it, at most
};

class ProbeWindows {
 public:
  ProbeWindows(const WindowSettings& settings, std::uint64_t now_ns, std::uint64_t seed)
      : settings_(settings), start_ns_(now_ns), random_(seed | 1), left_ns_(settings.share * static_cast<double>(settings.credit_ns)) {}

  bool is_open() const { return open_; }

  // From now on.
  void set_share(double share) { settings_.share = share; }

  // What to do now: open the window, close it, or nothing. `cost_ns` is what the probes have cost so far, and
  // `target_ns` the time that it had to spend.
  enum class Step { kStay, kOpen, kClose };
  Step next(std::uint64_t now_ns, double cost_ns, double target_ns);

  void opened(std::uint64_t now_ns);
  void closed(std::uint64_t now_ns);

  // When to ask again.
  std::uint64_t ask_again_in_ns() const;

  std::uint64_t watched_ns(std::uint64_t now_ns) const {
    return watched_ns_ + (open_ ? now_ns - opened_ns_ : 0);
  }
  std::uint64_t windows() const { return windows_; }
  double toggles_ns() const { return toggles_ns_; }  // what attaching and detaching has cost the target

 private:
  double most_kept_ns() const { return settings_.share * static_cast<double>(settings_.kept_ns); }
  double busy_cpus(std::uint64_t now_ns) const;
  double jitter();  // 0.5 to 1.5, so that windows keep no step with what the target does

  WindowSettings settings_;
  std::uint64_t start_ns_;
  std::uint64_t random_;
  bool open_ = false;
  std::uint64_t opened_ns_ = 0, closed_ns_ = 0, watched_ns_ = 0, windows_ = 0;
  std::uint64_t quiet_ns_ = 0;  // for how long an open window has cost little
  double saved_ns_ = 0;         // what must be left before the next one opens
  double left_ns_ = 0;          // earned, and not spent
  double cost_ns_ = 0, target_ns_ = 0;  // as told last
  double toggles_ns_ = 0;               // what all of them have cost
};

}  // namespace dwell
