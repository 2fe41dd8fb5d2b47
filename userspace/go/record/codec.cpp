// SPDX-License-Identifier: Apache-2.0
// Codec of looks at goroutines. What may grow in a later version has its length in front.
#include <bit>

#include "userspace/recording/codec.h"
#include "userspace/go/record/fields.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {

namespace {

constexpr std::uint64_t kWaits = 1, kStuck = 2, kOfRuntime = 4, kAbandoned = 8;
constexpr std::uint64_t kSends = 1, kClosed = 2;

// ---- what a goroutine waits for ----

void put_wait(std::string& out, const GoWait& wait) {
  put_uleb(out, wait.channels.size());
  for (const GoChannel& channel : wait.channels) {
    put_uleb(out, channel.address);
    put_uleb(out, (channel.sends ? kSends : 0) | (channel.closed ? kClosed : 0));
    put_uleb(out, channel.length);
    put_uleb(out, channel.capacity);
    put_uleb(out, channel.receivers);
    put_uleb(out, channel.senders);
    put_optional(out, channel.fires_at_ns);
  }
  put_uleb(out, wait.more_channels);
  put_uleb(out, wait.lock.has_value());
  if (wait.lock) {
    put_text(out, wait.lock->kind);
    put_uleb(out, wait.lock->address);
    put_text(out, wait.lock->state);
  }
  put_uleb(out, wait.descriptor.has_value());
  if (wait.descriptor) {
    put_difference(out, static_cast<std::uint64_t>(wait.descriptor->fd));
    put_uleb(out, wait.descriptor->writes);
    put_text(out, wait.descriptor->words);
  }
  put_optional(out, wait.until_ns);
}

void get_wait(Cursor& in, GoWait& wait) {
  for (std::size_t left = get_count<GoChannel>(in); left > 0 && in.ok(); --left) {
    GoChannel& channel = wait.channels.emplace_back();
    channel.address = in.uleb();
    std::uint64_t flags = in.uleb();
    channel.sends = flags & kSends;
    channel.closed = flags & kClosed;
    channel.length = in.uleb();
    channel.capacity = in.uleb();
    channel.receivers = static_cast<std::uint32_t>(in.uleb());
    channel.senders = static_cast<std::uint32_t>(in.uleb());
    get_optional(in, channel.fires_at_ns);
  }
  wait.more_channels = in.uleb();
  if (in.uleb()) {
    wait.lock.emplace();
    wait.lock->kind = get_text(in);
    wait.lock->address = in.uleb();
    wait.lock->state = get_text(in);
  }
  if (in.uleb()) {
    wait.descriptor.emplace();
    wait.descriptor->fd = static_cast<int>(get_difference(in));
    wait.descriptor->writes = in.uleb() != 0;
    wait.descriptor->words = get_text(in);
  }
  get_optional(in, wait.until_ns);
}

void put_labels(std::string& out, const GoLabels& labels) {
  put_uleb(out, labels.size());
  for (const auto& [key, value] : labels) {
    put_text(out, key);
    put_text(out, value);
  }
}

void get_labels(Cursor& in, GoLabels& labels) {
  for (std::size_t left = get_count<GoLabels::value_type>(in); left > 0 && in.ok(); --left) {
    std::string key(get_text(in));
    labels.emplace_back(std::move(key), get_text(in));
  }
}

std::string encode_example(const GoroutineExample& example) {
  std::string out;
  put_uleb(out, example.id);
  put_uleb(out, example.parent);
  put_uleb(out, example.thread);
  put_optional(out, example.waiting_for_ns);
  put_wait(out, example.wait);
  put_labels(out, example.labels);
  return out;
}

bool decode_example(std::string_view bytes, GoroutineExample& example) {
  Cursor in(bytes);
  example.id = in.uleb();
  example.parent = in.uleb();
  example.thread = in.uleb();
  get_optional(in, example.waiting_for_ns);
  get_wait(in, example.wait);
  get_labels(in, example.labels);
  return in.ok();
}

// ---- groups ----

std::string encode_group(const GoGroup& group) {
  std::string out;
  put_uleb(out, group.count);
  put_text(out, group.state);
  put_uleb(out, static_cast<std::uint64_t>(group.stack_state));
  put_uleb(out,
           (group.waits ? kWaits : 0) | (group.stuck ? kStuck : 0) | (group.of_runtime ? kOfRuntime : 0) |
               (group.abandoned ? kAbandoned : 0));
  put_uleb(out, group.without_time);
  put_optional(out, group.longest_wait_ns);
  put_optional(out, group.shortest_wait_ns);
  put_go_stack(out, group.stack);
  put_go_stack(out, group.creator);
  put_uleb(out, group.examples.size());
  for (const GoroutineExample& example : group.examples) put_text(out, encode_example(example));
  put_uleb(out, group.labels.size());
  for (const auto& [labels, count] : group.labels) {
    put_labels(out, labels);
    put_uleb(out, count);
  }
  return out;
}

std::string decode_group(std::string_view bytes, const Recording& recording, GoGroup& group) {
  Cursor in(bytes);
  group.count = in.uleb();
  group.state = get_text(in);
  std::uint64_t stack_state = in.uleb(), flags = in.uleb();
  group.stack_state =
      stack_state < kGoStackStates ? static_cast<GoStackState>(stack_state) : GoStackState::kBroken;
  group.waits = flags & kWaits;
  group.stuck = flags & kStuck;
  group.of_runtime = flags & kOfRuntime;
  group.abandoned = flags & kAbandoned;
  group.without_time = in.uleb();
  get_optional(in, group.longest_wait_ns);
  get_optional(in, group.shortest_wait_ns);
  for (GoStack* stack : {&group.stack, &group.creator})
    if (std::string wrong = get_go_stack(in, recording, *stack); !wrong.empty()) return wrong;
  for (std::size_t left = get_count<GoroutineExample>(in); left > 0; --left)
    if (!decode_example(get_text(in), group.examples.emplace_back())) return kTooShort;
  for (std::size_t left = get_count<std::pair<GoLabels, std::uint64_t>>(in); left > 0 && in.ok(); --left) {
    get_labels(in, group.labels.emplace_back().first);
    group.labels.back().second = in.uleb();
  }
  return in.ok() ? "" : kTooShort;
}

// ---- what stands once in a look ----

std::string encode_collector(const Collector& collector) {
  std::string out;
  put_uleb(out, collector.cycles);
  put_uleb(out, collector.forced);
  put_uleb(out, collector.pauses_ns);
  std::uint64_t share = std::bit_cast<std::uint64_t>(collector.cpu_share);
  out.append(reinterpret_cast<const char*>(&share), sizeof share);
  put_optional(out, collector.percent);
  put_optional(out, collector.limit);
  put_optional(out, collector.live_bytes);
  put_optional(out, collector.heap_bytes);
  put_optional(out, collector.goal_bytes);
  put_uleb(out, collector.last.size());
  for (const CollectorPause& pause : collector.last) {
    put_uleb(out, pause.end_unix_ns);
    put_uleb(out, pause.ns);
  }
  put_optional(out, collector.idle_bytes);
  put_optional(out, collector.group_limit);
  put_optional(out, collector.group_in_use);
  put_optional(out, collector.cpu ? std::optional(collector.cpu->ran_ns) : std::nullopt);
  put_optional(out, collector.cpu ? std::optional(collector.cpu->waited_ns) : std::nullopt);
  return out;
}

bool decode_collector(std::string_view bytes, Collector& collector) {
  Cursor in(bytes);
  collector.cycles = static_cast<std::uint32_t>(in.uleb());
  collector.forced = static_cast<std::uint32_t>(in.uleb());
  collector.pauses_ns = in.uleb();
  collector.cpu_share = std::bit_cast<double>(in.u64());
  get_optional(in, collector.percent);
  get_optional(in, collector.limit);
  get_optional(in, collector.live_bytes);
  get_optional(in, collector.heap_bytes);
  get_optional(in, collector.goal_bytes);
  for (std::size_t left = get_count<CollectorPause>(in); left > 0 && in.ok(); --left) {
    CollectorPause& pause = collector.last.emplace_back();
    pause.end_unix_ns = in.uleb();
    pause.ns = in.uleb();
  }
  if (in.ok() && in.at_end()) return true;  // written by an earlier version
  get_optional(in, collector.idle_bytes);
  get_optional(in, collector.group_limit);
  get_optional(in, collector.group_in_use);
  if (in.ok() && in.at_end()) return true;
  std::optional<std::uint64_t> ran_ns, waited_ns;
  get_optional(in, ran_ns);
  get_optional(in, waited_ns);
  if (ran_ns && waited_ns) collector.cpu = {*ran_ns, *waited_ns};
  return in.ok();
}

void put_numbers(std::string& out, const std::vector<std::uint64_t>& ids) {
  put_uleb(out, ids.size());
  std::uint64_t before = 0;
  for (std::uint64_t id : ids) put_difference(out, id - std::exchange(before, id));
}

void get_numbers(Cursor& in, std::vector<std::uint64_t>& ids) {
  std::uint64_t id = 0;
  for (std::size_t left = get_count<std::uint64_t>(in); left > 0; --left) ids.push_back(id += get_difference(in));
}

std::string encode_stuck(const GoStuck& stuck) {
  std::string out;
  put_uleb(out, stuck.proved);
  put_text(out, stuck.reservation);
  put_uleb(out, static_cast<std::uint64_t>(stuck.looks));
  put_uleb(out, stuck.candidates);
  put_uleb(out, stuck.copied_bytes);
  put_uleb(out, stuck.took_ns);
  put_numbers(out, stuck.goroutines);
  put_numbers(out, stuck.abandoned);
  put_uleb(out, stuck.not_judged.conditions);
  put_uleb(out, stuck.not_judged.global_locks);
  put_uleb(out, stuck.not_judged.shared_locks);
  return out;
}

bool decode_stuck(std::string_view bytes, GoStuck& stuck) {
  Cursor in(bytes);
  stuck.proved = in.uleb() != 0;
  stuck.reservation = get_text(in);
  stuck.looks = static_cast<int>(in.uleb());
  stuck.candidates = in.uleb();
  stuck.copied_bytes = in.uleb();
  stuck.took_ns = in.uleb();
  get_numbers(in, stuck.goroutines);
  if (!in.ok() || in.at_end()) return in.ok();  // of an older recording
  get_numbers(in, stuck.abandoned);
  stuck.not_judged.conditions = in.uleb();
  stuck.not_judged.global_locks = in.uleb();
  stuck.not_judged.shared_locks = in.uleb();
  return in.ok();
}

void put_figures(std::string& out, const LookFigures& figures) {
  for (std::uint64_t figure :
       {figures.listed, figures.alive, figures.torn, figures.moved, figures.broken, figures.unreadable})
    put_uleb(out, figure);
}

void get_figures(Cursor& in, LookFigures& figures) {
  for (std::uint64_t* figure :
       {&figures.listed, &figures.alive, &figures.torn, &figures.moved, &figures.broken, &figures.unreadable})
    *figure = in.uleb();
}

}  // namespace

std::string encode_go_look(const GoLook& look) {
  std::string out;
  put_uleb(out, look.time_ns);
  put_uleb(out, look.duration_ns);
  put_uleb(out, look.time_unix_ns);
  put_uleb(out, look.process);
  put_text(out, look.version);
  put_text(out, look.module);
  put_text(out, look.note);
  put_figures(out, look.figures);
  put_text(out, look.no_heap);
  put_text(out, look.collector ? encode_collector(*look.collector) : "");
  put_text(out, look.stuck ? encode_stuck(*look.stuck) : "");
  put_uleb(out, look.groups.size());
  for (const GoGroup& group : look.groups) put_text(out, encode_group(group));
  return out;
}

std::string decode_go_look(Cursor& in, Recording& out) {
  GoLook look;
  look.time_ns = in.uleb();
  look.duration_ns = in.uleb();
  look.time_unix_ns = in.uleb();
  std::uint64_t process = in.uleb();
  look.version = get_text(in);
  look.module = get_text(in);
  look.note = get_text(in);
  get_figures(in, look.figures);
  look.no_heap = get_text(in);
  std::string_view collector = get_text(in), stuck = get_text(in);
  if (!in.ok()) return kTooShort;
  if (process >= out.processes.size()) return fmt::format("process {} of {}", process, out.processes.size());
  look.process = static_cast<ProcessSlot>(process);
  if (!collector.empty() && !decode_collector(collector, look.collector.emplace())) return kTooShort;
  if (!stuck.empty() && !decode_stuck(stuck, look.stuck.emplace())) return kTooShort;
  // Grown one by one: a number that lies fails at the first of them that is not there.
  for (std::size_t left = get_count<GoGroup>(in); left > 0; --left) {
    std::string wrong = decode_group(get_text(in), out, look.groups.emplace_back());
    if (!wrong.empty()) return wrong;
  }
  if (!in.ok()) return kTooShort;
  go_of(out).looks.push_back(std::move(look));
  return "";
}

}  // namespace dwell
