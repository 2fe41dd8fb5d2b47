// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/locks/codec.h"

#include "userspace/recording/bytes.h"
#include "userspace/threads/part.h"
#include "userspace/threads/site_codec.h"

namespace dwell {

std::string encode_lock_waits(const LockWaits& waits) {
  std::string out;
  put_uleb(out, waits.time_ns);
  put_uleb(out, waits.waits.size());
  for (const LockWait& wait : waits.waits) {
    put_thread_site(out, wait.site);
    put_uleb(out, wait.futex);
    put_uleb(out, wait.relative);
    put_uleb(out, static_cast<std::uint64_t>(wait.end));
    put_thread_site(out, wait.holder);
    for (std::uint64_t value : {wait.ns, wait.times, wait.longest_ns}) put_uleb(out, value);
  }
  put_uleb(out, waits.names.size());
  for (const auto& [place, name] : waits.names) {
    put_uleb(out, place.first);
    put_uleb(out, place.second);
    put_text(out, name);
  }
  put_uleb(out, waits.holds.size());
  for (const LockHold& hold : waits.holds) {
    put_thread_site(out, hold.site);
    put_uleb(out, hold.futex);
    put_uleb(out, hold.at_least);
    for (std::uint64_t value : {hold.ns, hold.times, hold.longest_ns}) put_uleb(out, value);
  }
  return out;
}

std::string decode_lock_waits(Cursor& in, Recording& out) {
  LockWaits waits;
  waits.time_ns = in.uleb();
  for (std::size_t left = get_count<LockWait>(in); left > 0; --left) {
    LockWait wait;
    if (std::string wrong = get_thread_site(in, out, wait.site); !wrong.empty()) return wrong;
    wait.futex = in.uleb();
    wait.relative = in.uleb() != 0;
    std::uint64_t end = in.uleb();
    if (end < static_cast<std::uint64_t>(LockWaitEnd::kEnds)) wait.end = static_cast<LockWaitEnd>(end);
    if (std::string wrong = get_thread_site(in, out, wait.holder); !wrong.empty()) return wrong;
    for (std::uint64_t* value : {&wait.ns, &wait.times, &wait.longest_ns}) *value = in.uleb();
    waits.waits.push_back(wait);
  }
  for (std::size_t left = get_count<std::string>(in); left > 0 && in.ok(); --left) {
    std::uint64_t process = in.uleb(), futex = in.uleb();
    waits.names[{static_cast<ProcessSlot>(process), futex}] = get_text(in);
  }
  bool has_holds = in.ok() && !in.at_end();  // else of an older recording
  for (std::size_t left = has_holds ? get_count<LockHold>(in) : 0; left > 0; --left) {
    LockHold hold;
    if (std::string wrong = get_thread_site(in, out, hold.site); !wrong.empty()) return wrong;
    hold.futex = in.uleb();
    hold.at_least = in.uleb() != 0;
    for (std::uint64_t* value : {&hold.ns, &hold.times, &hold.longest_ns}) *value = in.uleb();
    waits.holds.push_back(hold);
  }
  if (!in.ok()) return kTooShort;
  threads_of(out).lock_waits = std::move(waits);
  return "";
}

}  // namespace dwell
