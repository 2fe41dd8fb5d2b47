// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/layout.h"

#include <charconv>

namespace dwell {
namespace {

// 1.18 and 1.20 have the goroutines of 1.19. What else they have was not held against debug information, and
// is left out.
// clang-format off
constexpr GoLayout kLayouts[] = {
    {.minor = 18,
     .g_size = 392, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 0, .g_creator = 296, .g_start = 312, .g_waiting = 328, .g_labels = 360, .g_timer = 368, .g_tracking_seq = 0,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 56, .channel_senders = 72, .channel_timer = 0, .m_thread = 72, .m_current = 192,
     .p_size = 0, .p_timers = 0, .timer_when = 0, .timer_period = 0, .timer_function = 0, .timer_argument = 0, .poll_reader = 0, .poll_writer = 0,
     .span_elements = 0, .span_state = 0, .span_class = 0, .span_element_size = 0, .span_specials = 0, .heap_all_arenas = 0, .heap_arenas = 0, .arena_spans = 0, .heap_record_size = 0,
     .stats_buckets = 0, .stats_cycles = 0, .stats_forced = 0, .stats_cpu_share = 0, .stats_last = 0, .stats_pause_total = 0, .stats_pauses = 0, .stats_pause_ends = 0,
     .module_read_only = 304, .module_data_mask = 0, .module_bss_mask = 0, .module_next = 0, .module_types = 0, .module_itabs = 0,
     .control_percent = 0, .control_limit = 0, .control_live = 0, .control_marked = 0, .control_goal = 0, .control_free = 0},
    {.minor = 19,
     .g_size = 392, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 0, .g_creator = 296, .g_start = 312, .g_waiting = 328, .g_labels = 360, .g_timer = 368, .g_tracking_seq = 189,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 56, .channel_senders = 72, .channel_timer = 0, .m_thread = 72, .m_current = 192,
     .p_size = 8912, .p_timers = 8840, .timer_when = 8, .timer_period = 16, .timer_function = 24, .timer_argument = 32, .poll_reader = 24, .poll_writer = 32,
     .span_elements = 56, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66016, .heap_arenas = 65936, .arena_spans = 2097152, .heap_record_size = 128,
     .stats_buckets = 3568, .stats_cycles = 7704, .stats_forced = 7708, .stats_cpu_share = 7712, .stats_last = 3592, .stats_pause_total = 3600, .stats_pauses = 3608, .stats_pause_ends = 5656,
     .module_read_only = 304, .module_data_mask = 496, .module_bss_mask = 512, .module_next = 544, .module_types = 280, .module_itabs = 360,
     .control_percent = 0, .control_limit = 8, .control_live = 136, .control_marked = 184, .control_goal = 104, .control_free = 320},
    {.minor = 20,
     .g_size = 392, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 0, .g_creator = 296, .g_start = 312, .g_waiting = 328, .g_labels = 360, .g_timer = 368, .g_tracking_seq = 0,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 56, .channel_senders = 72, .channel_timer = 0, .m_thread = 72, .m_current = 192,
     .p_size = 0, .p_timers = 0, .timer_when = 0, .timer_period = 0, .timer_function = 0, .timer_argument = 0, .poll_reader = 0, .poll_writer = 0,
     .span_elements = 0, .span_state = 0, .span_class = 0, .span_element_size = 0, .span_specials = 0, .heap_all_arenas = 0, .heap_arenas = 0, .arena_spans = 0, .heap_record_size = 0,
     .stats_buckets = 0, .stats_cycles = 0, .stats_forced = 0, .stats_cpu_share = 0, .stats_last = 0, .stats_pause_total = 0, .stats_pauses = 0, .stats_pause_ends = 0,
     .module_read_only = 320, .module_data_mask = 0, .module_bss_mask = 0, .module_next = 0, .module_types = 0, .module_itabs = 0,
     .control_percent = 0, .control_limit = 0, .control_live = 0, .control_marked = 0, .control_goal = 0, .control_free = 0},
    {.minor = 21,
     .g_size = 408, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 272, .g_creator = 280, .g_start = 296, .g_waiting = 312, .g_labels = 344, .g_timer = 352, .g_tracking_seq = 188,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 56, .channel_senders = 72, .channel_timer = 0, .m_thread = 72, .m_current = 192,
     .p_size = 8912, .p_timers = 8840, .timer_when = 8, .timer_period = 16, .timer_function = 24, .timer_argument = 32, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 56, .span_state = 107, .span_class = 106, .span_element_size = 112, .span_specials = 136, .heap_all_arenas = 66032, .heap_arenas = 65944, .arena_spans = 1064960, .heap_record_size = 128,
     .stats_buckets = 3568, .stats_cycles = 7704, .stats_forced = 7708, .stats_cpu_share = 7712, .stats_last = 3592, .stats_pause_total = 3600, .stats_pauses = 3608, .stats_pause_ends = 5656,
     .module_read_only = 320, .module_data_mask = 536, .module_bss_mask = 552, .module_next = 584, .module_types = 296, .module_itabs = 376,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 22,
     .g_size = 424, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 272, .g_creator = 280, .g_start = 296, .g_waiting = 312, .g_labels = 344, .g_timer = 352, .g_tracking_seq = 191,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 56, .channel_senders = 72, .channel_timer = 0, .m_thread = 72, .m_current = 192,
     .p_size = 8944, .p_timers = 8872, .timer_when = 8, .timer_period = 16, .timer_function = 24, .timer_argument = 32, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 128,
     .stats_buckets = 3568, .stats_cycles = 7704, .stats_forced = 7708, .stats_cpu_share = 7712, .stats_last = 3592, .stats_pause_total = 3600, .stats_pauses = 3608, .stats_pause_ends = 5656,
     .module_read_only = 320, .module_data_mask = 536, .module_bss_mask = 552, .module_next = 584, .module_types = 296, .module_itabs = 376,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 23,
     .g_size = 432, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 152, .g_id = 160, .g_wait_since = 176, .g_wait_reason = 184,
     .g_parent = 280, .g_creator = 288, .g_start = 304, .g_waiting = 320, .g_labels = 352, .g_timer = 360, .g_tracking_seq = 199,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 64, .channel_senders = 80, .channel_timer = 32, .m_thread = 72, .m_current = 192,
     .p_size = 8944, .p_timers = 8840, .timer_when = 16, .timer_period = 24, .timer_function = 32, .timer_argument = 40, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 128,
     .stats_buckets = 3568, .stats_cycles = 7704, .stats_forced = 7708, .stats_cpu_share = 7712, .stats_last = 3592, .stats_pause_total = 3600, .stats_pauses = 3608, .stats_pause_ends = 5656,
     .module_read_only = 320, .module_data_mask = 536, .module_bss_mask = 552, .module_next = 576, .module_types = 296, .module_itabs = 376,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 24,
     .g_size = 440, .g_syscall_sp = 112, .g_syscall_pc = 120, .g_status = 152, .g_id = 160, .g_wait_since = 176, .g_wait_reason = 184,
     .g_parent = 280, .g_creator = 288, .g_start = 304, .g_waiting = 320, .g_labels = 352, .g_timer = 360, .g_tracking_seq = 199,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 64, .channel_senders = 80, .channel_timer = 32, .m_thread = 72, .m_current = 192,
     .p_size = 8952, .p_timers = 8840, .timer_when = 16, .timer_period = 24, .timer_function = 32, .timer_argument = 40, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 128,
     .stats_buckets = 3568, .stats_cycles = 7704, .stats_forced = 7708, .stats_cpu_share = 7712, .stats_last = 3592, .stats_pause_total = 3600, .stats_pauses = 3608, .stats_pause_ends = 5656,
     .module_read_only = 320, .module_data_mask = 536, .module_bss_mask = 552, .module_next = 576, .module_types = 296, .module_itabs = 376,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 25,
     .g_size = 440, .g_syscall_sp = 104, .g_syscall_pc = 112, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 272, .g_creator = 280, .g_start = 296, .g_waiting = 312, .g_labels = 344, .g_timer = 352, .g_tracking_seq = 191,
     .sudog_element = 24, .sudog_next_case = 64, .sudog_channel = 80, .channel_receivers = 64, .channel_senders = 80, .channel_timer = 32, .m_thread = 64, .m_current = 184,
     .p_size = 9512, .p_timers = 9392, .timer_when = 24, .timer_period = 32, .timer_function = 40, .timer_argument = 48, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 128,
     .stats_buckets = 3544, .stats_cycles = 7680, .stats_forced = 7684, .stats_cpu_share = 7688, .stats_last = 3568, .stats_pause_total = 3576, .stats_pauses = 3584, .stats_pause_ends = 5632,
     .module_read_only = 320, .module_data_mask = 536, .module_bss_mask = 552, .module_next = 576, .module_types = 296, .module_itabs = 376,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 26,
     .g_size = 456, .g_syscall_sp = 104, .g_syscall_pc = 112, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 280, .g_creator = 288, .g_start = 304, .g_waiting = 320, .g_labels = 352, .g_timer = 360, .g_tracking_seq = 191,
     .sudog_element = 32, .sudog_next_case = 72, .sudog_channel = 96, .channel_receivers = 64, .channel_senders = 80, .channel_timer = 32, .m_thread = 64, .m_current = 184,
     .p_size = 15920, .p_timers = 13672, .timer_when = 24, .timer_period = 32, .timer_function = 40, .timer_argument = 48, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 128,
     .stats_buckets = 3544, .stats_cycles = 7680, .stats_forced = 7684, .stats_cpu_share = 7688, .stats_last = 3568, .stats_pause_total = 3576, .stats_pauses = 3584, .stats_pause_ends = 5632,
     .module_read_only = 320, .module_data_mask = 544, .module_bss_mask = 560, .module_next = 584, .module_types = 296, .module_itabs = 384,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
    {.minor = 27,
     .g_size = 456, .g_syscall_sp = 104, .g_syscall_pc = 112, .g_status = 144, .g_id = 152, .g_wait_since = 168, .g_wait_reason = 176,
     .g_parent = 280, .g_creator = 288, .g_start = 304, .g_waiting = 320, .g_labels = 352, .g_timer = 360, .g_tracking_seq = 191,
     .sudog_element = 32, .sudog_next_case = 72, .sudog_channel = 96, .channel_receivers = 64, .channel_senders = 80, .channel_timer = 32, .m_thread = 64, .m_current = 184,
     .p_size = 15920, .p_timers = 13672, .timer_when = 24, .timer_period = 32, .timer_function = 40, .timer_argument = 48, .poll_reader = 32, .poll_writer = 40,
     .span_elements = 50, .span_state = 99, .span_class = 98, .span_element_size = 104, .span_specials = 128, .heap_all_arenas = 66096, .heap_arenas = 66008, .arena_spans = 0, .heap_record_size = 64,
     .stats_buckets = 3544, .stats_cycles = 7680, .stats_forced = 7684, .stats_cpu_share = 7688, .stats_last = 3568, .stats_pause_total = 3576, .stats_pauses = 3584, .stats_pause_ends = 5632,
     .module_read_only = 344, .module_data_mask = 520, .module_bss_mask = 536, .module_next = 560, .module_types = 296, .module_itabs = 320,
     .control_percent = 0, .control_limit = 8, .control_live = 104, .control_marked = 152, .control_goal = 72, .control_free = 288},
};
// clang-format on

}  // namespace

const GoLayout* go_layout(int minor) {
  if (minor < kOldestGoMinor || minor > kNewestGoMinor) return nullptr;
  return &kLayouts[minor - kOldestGoMinor];
}

std::optional<int> go_minor_of(std::string_view version) {
  constexpr std::string_view kPrefix = "go1.";
  std::size_t at = version.find(kPrefix);
  if (at == std::string_view::npos) return std::nullopt;
  version.remove_prefix(at + kPrefix.size());
  int minor = 0;
  auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  if (error != std::errc{} || minor < 0) return std::nullopt;
  return minor;
}

}  // namespace dwell
