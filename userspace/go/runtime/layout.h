// SPDX-License-Identifier: Apache-2.0
// GoLayout: where the fields of the runtime's structures stand, by version of Go, on amd64.
//
// The figures are those of the runtime's own debug information, 1.18 to 1.27. Releases of one minor version
// agree. They are never believed without a look: GoRuntime holds them against the live process before
// anything is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell {

// Offsets in bytes. 0 means that this version has no such field, or that it was not verified there, except
// for arena_spans and control_percent, which may stand first.
struct GoLayout {
  std::uint16_t minor;  // of 1.MINOR
  // runtime.g; its stack's bounds are at 0 and 8, its thread at 48, its saved stack pointer and address at 56
  // and 64
  std::uint16_t g_size, g_syscall_sp, g_syscall_pc, g_status, g_id, g_wait_since, g_wait_reason, g_parent,
      g_creator, g_start, g_waiting, g_labels, g_timer, g_tracking_seq;
  // runtime.sudog: its goroutine is at 0, its neighbours in a queue or tree at 8 and 16; since 1.26 two of
  // its pointers are pairs, the second of which is always set. runtime.hchan: length 0, capacity 8, closed 28
  std::uint16_t sudog_element, sudog_next_case, sudog_channel, channel_receivers, channel_senders,
      channel_timer;
  std::uint16_t m_thread, m_current;
  std::uint16_t p_size, p_timers, timer_when, timer_period, timer_function, timer_argument;
  std::uint16_t poll_reader, poll_writer;  // runtime.pollDesc; its descriptor is at 8
  // runtime.mspan; its start is at 24, its pages at 32
  std::uint16_t span_elements, span_state, span_class, span_element_size, span_specials;
  std::uint32_t heap_all_arenas, heap_arenas, arena_spans;
  std::uint16_t heap_record_size;  // runtime.memRecord
  std::uint16_t stats_buckets, stats_cycles, stats_forced, stats_cpu_share, stats_last, stats_pause_total,
      stats_pauses, stats_pause_ends;
  // runtime.moduledata, beyond what all versions have at the same place
  std::uint16_t module_read_only, module_data_mask, module_bss_mask, module_next,
      module_types, module_itabs;  // since 1.27 the itabs are an offset from the types, and a size
  std::uint16_t control_percent, control_limit, control_live, control_marked, control_goal,
      control_free;  // of its heap in bytes: kept, and used for nothing
};

inline constexpr int kOldestGoMinor = 18, kNewestGoMinor = 27;
inline constexpr std::uint16_t kGoThread = 48, kGoSavedSp = 56, kGoSavedPc = 64;

const GoLayout* go_layout(int minor);

// "go1.24.4", "go1.26.4-vendor", "devel go1.28-abcdef": the number behind "1.".
std::optional<int> go_minor_of(std::string_view version);

}  // namespace dwell
