// SPDX-License-Identifier: Apache-2.0
// Code with many layers of inlined calls, all of it local to this file: the sample programs link the same object
// many times, and each copy has code and debug information of its own.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

struct Key {
  std::string name;
  int number = 0;
  bool operator<(const Key& other) const { return std::tie(name, number) < std::tie(other.name, other.number); }
  bool operator==(const Key& other) const { return number == other.number && name == other.name; }
};

struct KeyHash {
  std::size_t operator()(const Key& key) const { return std::hash<std::string>()(key.name) ^ key.number; }
};

struct Item {
  std::variant<int, std::string, std::vector<Key>> value;
  std::unique_ptr<Item> next;
  std::optional<Key> key;
};

template <int Depth>
struct Ladder {
  static inline __attribute__((always_inline)) std::string climb(std::map<Key, Item>& items) {
    items[{std::to_string(Depth), Depth}].value = Depth;
    return Ladder<Depth - 1>::climb(items) + items.begin()->first.name;
  }
};
template <>
struct Ladder<0> {
  static std::string climb(std::map<Key, Item>& items) { return items.empty() ? "" : items.rbegin()->first.name; }
};

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
  virtual std::string text() const = 0;
};

template <typename T, int Kind>
struct Box : Shape {
  explicit Box(std::vector<T> values) : values_(std::move(values)) {}
  double area() const override {
    std::vector<T> sorted = values_;
    std::sort(sorted.begin(), sorted.end(), [](const T& a, const T& b) { return b < a; });
    return static_cast<double>(sorted.size() + Kind);
  }
  std::string text() const override {
    std::ostringstream out;
    for (const T& value : values_) out << sizeof(value) << ',' << Kind;
    return out.str();
  }
  std::vector<T> values_;
};

[[gnu::noinline]] int fail(const char* text) {
  if (text[0] == 'x') throw std::out_of_range(text);
  return text[0];
}

template <typename T>
int count(const std::vector<T>& values) {
  std::set<T> distinct(values.begin(), values.end());
  std::function<int(int)> twice = [&distinct](int n) { return n * 2 + static_cast<int>(distinct.size()); };
  return std::accumulate(values.begin(), values.end(), 0, [&](int sum, const T&) { return twice(sum); });
}

int entry(int argument) {
  std::map<Key, Item> items;
  std::string text = Ladder<12>::climb(items);
  std::unordered_map<Key, std::vector<Item>, KeyHash> table;
  Key key{text, argument};
  table[key].emplace_back();
  table[key].back().value = std::vector<Key>{key, key};
  table[key].back().next = std::make_unique<Item>();
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Box<Key, 1>>(std::vector<Key>{key}));
  shapes.push_back(std::make_unique<Box<std::pair<Key, int>, 2>>(std::vector<std::pair<Key, int>>{{key, 1}}));
  shapes.push_back(std::make_unique<Box<std::vector<Key>, 3>>(std::vector<std::vector<Key>>{{key}}));
  double area = 0;
  for (const std::unique_ptr<Shape>& shape : shapes) area += shape->area() + shape->text().size();
  std::vector<std::tuple<Key, int>> tuples(3, {key, 7});
  for (const auto& [entry, list] : table) {
    for (const Item& item : list) {
      area += std::visit([](const auto& value) { return static_cast<int>(sizeof(value)); }, item.value);
    }
    area += entry.number;
  }
  return static_cast<int>(area) + count(tuples) + count(std::vector<Key>{key}) + fail(text.c_str());
}

// Found by main() between __start_ and __stop_ of this section, so that copies need no names of their own.
[[gnu::section("dwell_entries"), gnu::used]] int (*entry_pointer)(int) = &entry;

}  // namespace
