// SPDX-License-Identifier: Apache-2.0
// Codec of threads by the site that created them: what changed within a tick, and who is alive.
#include <fmt/core.h>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/threads/part.h"
#include "userspace/threads/codec.h"
#include "userspace/threads/site_codec.h"

namespace dwell {

void put_thread_site(std::string& out, const ThreadSite& site) {
  put_uleb(out, site.process);
  put_uleb(out, static_cast<std::uint64_t>(site.stack));
}

std::string get_thread_site(Cursor& in, const Recording& recording, ThreadSite& site) {
  std::uint64_t process = in.uleb(), stack = in.uleb();
  if (!in.ok()) return kTooShort;
  if (process >= recording.processes.size())
    return fmt::format("process {} of {}", process, recording.processes.size());
  if (stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  site = {static_cast<ProcessSlot>(process), static_cast<StackId>(stack)};
  return "";
}

namespace {

// One for each of what was read before. The first recordings end before them.
template <typename Item>
std::string get_routines(Cursor& in, const Recording& recording, std::vector<Item>& items) {
  if (!in.ok()) return kTooShort;
  if (in.at_end()) return "";
  for (Item& item : items) {
    std::uint64_t routine = in.uleb();
    if (!in.ok()) return kTooShort;
    if (routine > recording.locations.size())
      return fmt::format("location {} of {}", routine - 1, recording.locations.size());
    item.site.routine = static_cast<std::uint32_t>(routine);
  }
  return "";
}

}  // namespace

std::string encode_thread_tick(const ThreadTick& tick) {
  std::string out;
  put_uleb(out, tick.start_ns);
  put_uleb(out, tick.end_ns);
  put_uleb(out, tick.changes.size());
  for (const ThreadSiteChange& change : tick.changes) {
    put_thread_site(out, change.site);
    put_uleb(out, change.created);
    put_uleb(out, change.ended);
    put_difference(out, static_cast<std::uint64_t>(change.unjoined));
  }
  for (const ThreadSiteChange& change : tick.changes) put_uleb(out, change.site.routine);
  return out;
}

std::string decode_thread_tick(Cursor& in, Recording& out) {
  ThreadTick tick;
  tick.start_ns = in.uleb();
  tick.end_ns = in.uleb();
  for (std::size_t left = get_count<ThreadSiteChange>(in); left > 0; --left) {
    ThreadSiteChange change;
    if (std::string wrong = get_thread_site(in, out, change.site); !wrong.empty()) return wrong;
    change.created = in.uleb();
    change.ended = in.uleb();
    change.unjoined = static_cast<std::int64_t>(get_difference(in));
    tick.changes.push_back(change);
  }
  if (std::string wrong = get_routines(in, out, tick.changes); !wrong.empty()) return wrong;
  threads_of(out).ticks.push_back(std::move(tick));
  return "";
}

std::string encode_live_threads(const LiveThreads& live) {
  std::string out;
  put_uleb(out, live.time_ns);
  put_uleb(out, live.threads.size());
  for (const LiveThread& thread : live.threads) {
    put_thread_site(out, thread.site);
    put_uleb(out, thread.tid);
    put_uleb(out, thread.birth_ns);
  }
  for (const LiveThread& thread : live.threads) put_uleb(out, thread.site.routine);
  return out;
}

std::string decode_live_threads(Cursor& in, Recording& out) {
  LiveThreads live;
  live.time_ns = in.uleb();
  for (std::size_t left = get_count<LiveThread>(in); left > 0; --left) {
    LiveThread thread;
    if (std::string wrong = get_thread_site(in, out, thread.site); !wrong.empty()) return wrong;
    thread.tid = static_cast<Tid>(in.uleb());
    thread.birth_ns = in.uleb();
    live.threads.push_back(thread);
  }
  if (std::string wrong = get_routines(in, out, live.threads); !wrong.empty()) return wrong;
  threads_of(out).live = std::move(live);
  return "";
}

std::string encode_blocked(const BlockedSites& blocked) {
  std::string out;
  put_uleb(out, blocked.time_ns);
  put_uleb(out, blocked.sites.size());
  for (const BlockedSite& site : blocked.sites) {
    put_thread_site(out, site.site);
    put_uleb(out, site.ns);
    put_uleb(out, site.times);
  }
  put_uleb(out, blocked.wakes.size());
  for (const Wake& wake : blocked.wakes) {
    put_uleb(out, wake.blocked);
    put_uleb(out, static_cast<std::uint64_t>(wake.waker.kind));
    put_thread_site(out, wake.waker.site);
    put_uleb(out, wake.waker.pid);
    put_text(out, wake.waker.name);
    put_uleb(out, wake.ns);
    put_uleb(out, wake.times);
  }
  return out;
}

namespace {

std::string get_wake(Cursor& in, const Recording& recording, std::size_t sites, Wake& wake) {
  wake.blocked = in.uleb();
  std::uint64_t kind = in.uleb();
  // A kind that a later version knows is a waker that this one doesn't.
  if (kind < static_cast<std::uint64_t>(WakerKind::kKinds)) wake.waker.kind = static_cast<WakerKind>(kind);
  if (std::string wrong = get_thread_site(in, recording, wake.waker.site); !wrong.empty()) return wrong;
  wake.waker.pid = static_cast<std::uint32_t>(in.uleb());
  wake.waker.name = get_text(in);
  wake.ns = in.uleb();
  wake.times = in.uleb();
  if (!in.ok()) return kTooShort;
  return wake.blocked < sites ? "" : fmt::format("blocked site {} of {}", wake.blocked, sites);
}

}  // namespace

std::string decode_blocked(Cursor& in, Recording& out) {
  BlockedSites blocked;
  blocked.time_ns = in.uleb();
  for (std::size_t left = get_count<BlockedSite>(in); left > 0; --left) {
    BlockedSite site;
    if (std::string wrong = get_thread_site(in, out, site.site); !wrong.empty()) return wrong;
    site.ns = in.uleb();
    site.times = in.uleb();
    blocked.sites.push_back(site);
  }
  if (!in.ok()) return kTooShort;
  // The first recordings end here.
  for (std::size_t left = in.at_end() ? 0 : get_count<Wake>(in); left > 0; --left) {
    Wake wake;
    if (std::string wrong = get_wake(in, out, blocked.sites.size(), wake); !wrong.empty()) return wrong;
    blocked.wakes.push_back(std::move(wake));
  }
  if (!in.ok()) return kTooShort;
  threads_of(out).blocked = std::move(blocked);
  return "";
}

}  // namespace dwell
