// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/blocked.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"
#include "userspace/threads/part.h"

namespace dwell {
namespace {

// Stacks that read the same are one place.
using Place = std::pair<ProcessSlot, std::vector<std::uint32_t>>;
using WakerPlace = std::tuple<WakerKind, std::string, Place>;

struct Site {
  BlockedReport report;
  std::map<WakerPlace, WakerReport> wakers;
};

class BlockedView {
 public:
  explicit BlockedView(const RecordingRef& recording)
      : recording_(*recording), texts_(std::make_shared<FrameTexts>(recording)) {}

  std::vector<BlockedReport> report() const {
    std::map<Place, Site> sites;
    std::vector<Site*> site_of;
    for (const BlockedSite& from : threads_of(recording_).blocked.sites) {
      auto [at, fresh] = sites.try_emplace(place_of(from.site));
      BlockedReport& report = at->second.report;
      if (fresh) describe(from.site.stack, report.stack, report.incomplete);
      report.ns += from.ns;
      report.times += from.times;
      site_of.push_back(&at->second);
    }
    for (const Wake& wake : threads_of(recording_).blocked.wakes) add(wake, *site_of[wake.blocked]);
    std::vector<BlockedReport> reports;
    for (auto& [place, site] : sites) {
      for (auto& [key, waker] : site.wakers) site.report.wakers.push_back(std::move(waker));
      std::ranges::stable_sort(site.report.wakers, std::greater<>(), &WakerReport::ns);
      reports.push_back(std::move(site.report));
    }
    std::ranges::stable_sort(reports, std::greater<>(), &BlockedReport::ns);
    return reports;
  }

  Profile profile() const {
    ProfileBuilder builder(recording_, *texts_);
    Profile& profile = builder.profile;
    profile.title = "blocked time";
    profile.sample_types = {{"waits", "count"}, {"blocked", "nanoseconds"}};
    profile.default_sample_type = 1;
    profile.time_unix_ns = static_cast<std::int64_t>(recording_.info.start_unix_ns);
    profile.duration_ns = static_cast<std::int64_t>(recording_.end_ns() - recording_.start_ns());
    const BlockedSites& blocked = threads_of(recording_).blocked;
    std::vector<BlockedSite> waiting = blocked.sites;
    auto add = [&](std::size_t site, std::uint64_t times, std::uint64_t ns, std::string waker) {
      profile.samples.push_back({builder.stack(blocked.sites[site].site.stack),
                                 {static_cast<std::int64_t>(times), static_cast<std::int64_t>(ns)},
                                 {{"waker", std::move(waker), 0, ""}}});
    };
    for (const Wake& wake : blocked.wakes) {
      BlockedSite& rest = waiting[wake.blocked];
      rest.times -= std::min(rest.times, wake.times);
      rest.ns -= std::min(rest.ns, wake.ns);
      add(wake.blocked, wake.times, wake.ns, label_of(wake.waker));
    }
    for (std::size_t i = 0; i < waiting.size(); ++i)
      if (waiting[i].times) add(i, waiting[i].times, waiting[i].ns, "nobody yet");
    return std::move(builder.profile);
  }

 private:
  const CallStack& stack(StackId id) const { return recording_.stacks[static_cast<std::size_t>(id)]; }
  Place place_of(const ThreadSite& site) const {
    return {site.process, texts_->readings_of(stack(site.stack))};
  }

  void describe(StackId id, ReportStack& frames, std::string& incomplete) const {
    frames = {texts_, id};
    if (!frames.empty()) incomplete = incomplete_because(stack(id).end);
  }

  static std::string words_of(const Waker& waker) {
    switch (waker.kind) {
      case WakerKind::kOutside:
        if (!waker.pid && !waker.name.empty()) return waker.name + ", a process outside dwell's PID namespace";
        return fmt::format("{} ({}), another process", waker.name.empty() ? "[unknown]" : waker.name,
                           waker.pid);
      case WakerKind::kKernel:
        return fmt::format("{}, a thread of the kernel", waker.name.empty() ? "[unknown]" : waker.name);
      case WakerKind::kInterrupt:
        return "an interrupt: a timer or a device";
      case WakerKind::kThread:
        return "";
      default:
        return "not seen";
    }
  }

  // One word or two for a label; the report has the waker's whole stack.
  std::string label_of(const Waker& waker) const {
    if (waker.kind != WakerKind::kThread) return words_of(waker);
    std::vector<ReportFrame> own = own_part(texts_->frames_of(stack(waker.site.stack)));
    return own.empty() ? "[unknown]" : own.front().function;
  }

  void add(const Wake& wake, Site& site) const {
    std::string words = words_of(wake.waker);
    auto [at, fresh] = site.wakers.try_emplace({wake.waker.kind, words, place_of(wake.waker.site)});
    WakerReport& waker = at->second;
    if (fresh) {
      waker.kind = wake.waker.kind;
      waker.words = std::move(words);
      if (waker.kind == WakerKind::kThread) describe(wake.waker.site.stack, waker.stack, waker.incomplete);
    }
    waker.ns += wake.ns;
    waker.times += wake.times;
    site.report.ended += wake.times;
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
};

}  // namespace

std::vector<BlockedReport> blocked_report(RecordingRef recording) {
  return BlockedView(recording).report();
}
Profile blocked_profile(const Recording& recording) { return BlockedView(recording).profile(); }

}  // namespace dwell
