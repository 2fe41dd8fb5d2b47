// SPDX-License-Identifier: Apache-2.0
#include "ui/call_tree.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "absl/container/flat_hash_map.h"

namespace dwell {
namespace {

class CallTreeBuilder {
 public:
  CallTreeBuilder(const Profile& profile, std::size_t sample_type)
      : profile_(profile),
        sample_type_(sample_type),
        all_({"all", {}, -1, false}),
        unknown_({"[unknown]", {}, -1, false}) {
    tree_.frames.push_back(all_);
    tree_.nodes.emplace_back();
  }

  CallTree build() {
    for (const ProfileSample& sample : profile_.samples) add(sample);
    sum_up();
    choose_lines();
    sort_children();
    return std::move(tree_);
  }

 private:
  void add(const ProfileSample& sample) {
    std::int64_t value = sample.values[sample_type_];
    if (value == 0) return;
    std::uint32_t node = 0;
    for (auto index = sample.stack.rbegin(); index != sample.stack.rend(); ++index) {
      const ProfileLocation& location = profile_.locations[*index];
      for (std::size_t i = location.lines.size(); i-- > 0;) {
        const ProfileLine& line = location.lines[i];
        bool inlined = i + 1 < location.lines.size();
        node = child(node, {line.function, line.file, location.mapping, inlined});
        line_weights_[{node, line.line}] += std::abs(value);
      }
    }
    if (node == 0) node = child(node, unknown_);
    tree_.nodes[node].self += value;
  }

  std::uint32_t child(std::uint32_t parent, const CallFrame& frame) {
    auto [number, new_frame] =
        frame_numbers_.try_emplace(std::tuple(frame.function, frame.file, frame.mapping, frame.inlined),
                                   static_cast<std::uint32_t>(tree_.frames.size()));
    if (new_frame) tree_.frames.push_back(frame);
    auto [at, new_child] = children_.try_emplace(std::pair(parent, number->second),
                                                 static_cast<std::uint32_t>(tree_.nodes.size()));
    if (new_child) {
      CallNode node;
      node.frame = number->second;
      node.parent = parent;
      tree_.nodes.push_back(node);
      tree_.nodes[parent].children.push_back(at->second);
    }
    return at->second;
  }

  // Children stand after their parents, so one pass backwards sees every child before its parent.
  void sum_up() {
    for (std::size_t i = tree_.nodes.size(); i-- > 0;) {
      CallNode& node = tree_.nodes[i];
      node.value += node.self;
      node.weight += static_cast<std::uint64_t>(std::abs(node.self));
      if (i == 0) break;
      tree_.nodes[node.parent].value += node.value;
      tree_.nodes[node.parent].weight += node.weight;
    }
  }

  void choose_lines() {
    std::vector<std::int64_t> best(tree_.nodes.size(), 0);
    for (const auto& [key, weight] : line_weights_) {
      auto [node, line] = key;
      std::uint32_t& chosen = tree_.nodes[node].line;
      if (weight < best[node] || (weight == best[node] && line > chosen)) continue;
      best[node] = weight;
      chosen = line;
    }
  }

  void sort_children() {
    auto order = [this](std::uint32_t index) {
      const CallNode& node = tree_.nodes[index];
      const CallFrame& frame = tree_.frames[node.frame];
      return std::tuple(-static_cast<std::int64_t>(node.weight), frame.function, frame.file, frame.mapping,
                        frame.inlined);
    };
    for (CallNode& node : tree_.nodes) {
      std::sort(node.children.begin(), node.children.end(),
                [&](std::uint32_t a, std::uint32_t b) { return order(a) < order(b); });
    }
  }

  const Profile& profile_;
  std::size_t sample_type_;
  CallFrame all_, unknown_;
  CallTree tree_;
  absl::flat_hash_map<std::tuple<std::string_view, std::string_view, std::int32_t, bool>, std::uint32_t>
      frame_numbers_;
  absl::flat_hash_map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> children_;
  absl::flat_hash_map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t> line_weights_;
};

}  // namespace

CallTree call_tree(const Profile& profile, std::size_t sample_type) {
  return CallTreeBuilder(profile, sample_type).build();
}

}  // namespace dwell
