// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/contexts.h"

#include <algorithm>

#include "userspace/go/runtime/types.h"

namespace dwell {
namespace {

// context.cancelCtx: its parent first, then what it has.
constexpr std::size_t kDone = 24, kChildren = 40, kError = 48, kCancelSize = 64;
constexpr std::size_t kMostParents = 64, kMostNamed = 6;

struct KnownType {
  std::string_view type, name;
  GoContextKind kind;
};
constexpr KnownType kKnown[] = {
    {"*context.cancelCtx", "cancel", GoContextKind::kCancel},
    {"*context.timerCtx", "deadline", GoContextKind::kDeadline},
    {"*context.afterFuncCtx", "after", GoContextKind::kAfter},
    {"*context.valueCtx", "value", GoContextKind::kOther},
    {"*context.emptyCtx", "background", GoContextKind::kOther},
    {"context.backgroundCtx", "background", GoContextKind::kOther},
    {"context.todoCtx", "background", GoContextKind::kOther},
    {"context.withoutCancelCtx", "without cancel", GoContextKind::kOther},
    {"context.stopCtx", "value", GoContextKind::kOther},
};

ContextTypes::Itab describe(std::string type, bool listed) {
  for (const KnownType& known : kKnown)
    if (known.type == type) return {known.kind, listed, std::string(known.name), true};
  return {GoContextKind::kOther, listed, std::move(type), false};
}

bool is_cancellable(const std::string& name) {
  return name == "cancel" || name == "deadline" || name == "after";
}

}  // namespace

std::optional<ContextTypes> ContextTypes::find(const GoRuntime& runtime) {
  constexpr int kFirstWithCauses = 20, kFirstWithNewTimers = 23;
  ContextTypes types;
  types.timer_field_ = runtime.layout().minor > kFirstWithCauses ? 80 : 64;
  types.timer_in_timer_ = runtime.layout().minor >= kFirstWithNewTimers ? 16 : 8;
  absl::flat_hash_map<std::uint64_t, std::string> interfaces;
  for (const GoItab& itab : go_itabs(runtime)) {
    auto [found, is_new] = interfaces.try_emplace(itab.interface);
    if (is_new) found->second = go_type_name(runtime, itab.interface);
    bool listed = found->second == "context.canceler";
    if (!listed && found->second != "context.Context") continue;
    types.itabs_.emplace(itab.address, describe(go_type_name(runtime, itab.type), listed));
    types.lowest_ = std::min(types.lowest_, itab.address);
    types.highest_ = std::max(types.highest_, itab.address);
  }
  if (types.itabs_.empty()) return std::nullopt;
  return types;
}

std::uint64_t ContextTypes::done_channel(std::string_view context) {
  return field_of<std::uint64_t>(context, kDone + 8);
}

std::uint64_t ContextTypes::context_of(const GoTimer& timer, const GoHeap& heap) const {
  std::optional<GoObject> closure = heap.object_at(timer.argument);
  if (!closure) return 0;
  std::string_view captured = heap.contents(*closure);
  constexpr std::size_t kMostCaptured = 64;
  for (std::size_t at = 8; at + 8 <= std::min(captured.size(), kMostCaptured); at += 8) {
    std::uint64_t word = field_of<std::uint64_t>(captured, at);
    std::optional<GoObject> object = heap.object_at(word);
    if (!object) continue;
    if (field_of<std::uint64_t>(heap.contents(*object), timer_field_) + timer_in_timer_ == timer.address)
      return word;
  }
  return 0;
}

std::optional<GoContext> ContextTypes::read(std::uint64_t address, GoContextKind kind,
                                            const GoHeap& heap) const {
  std::optional<GoObject> object = heap.object_at(address);
  if (!object) return std::nullopt;
  std::string_view bytes = heap.contents(*object);
  if (bytes.size() < kCancelSize || field_of<std::uint64_t>(bytes, kError)) return std::nullopt;
  const Itab* of_parent = itab(field_of<std::uint64_t>(bytes, 0));
  if (!of_parent || of_parent->listed) return std::nullopt;  // something else stands there by now
  GoContext context;
  context.address = address;
  context.kind = kind;
  if (std::optional<GoObject> map = heap.object_at(field_of<std::uint64_t>(bytes, kChildren)))
    context.children = field_of<std::uint64_t>(heap.contents(*map), 0);  // of maps old and new, their length
  std::size_t named = 0;
  for (std::size_t i = 0; i < kMostParents && named < kMostNamed; ++i) {
    const Itab* parent = itab(field_of<std::uint64_t>(bytes, 0));
    if (parent && is_cancellable(parent->name)) context.has_parent = true;
    if (!parent || parent->name != "value") {
      context.parents += (named++ ? " < " : "") + (parent ? parent->name : "another kind");
    }
    std::optional<GoObject> next = heap.object_at(field_of<std::uint64_t>(bytes, 8));
    if (!parent || !next || parent->name == "background" || parent->name == "without cancel") break;
    bytes = heap.contents(*next);
  }
  return context;
}

}  // namespace dwell
