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
  if (!in.ok()) return kTooShort;
  threads_of(out).lock_waits = std::move(waits);
  return "";
}

}  // namespace dwell
