// SPDX-License-Identifier: Apache-2.0
#include "ui/flame_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "absl/container/flat_hash_map.h"
#include "ui/call_tree.h"
#include "ui/escape.h"
#include "ui/flame_graph_assets.h"
#include "ui/text_width.h"
#include "ui/values.h"

namespace dwell {
namespace {

// Sizes of the still picture. The script lays out anew for the window.
constexpr int kWidth = 1200, kMargin = 10, kRow = 18, kTop = 56, kLegendColumns = 4;
constexpr double kGraphWidth = kWidth - 2 * kMargin, kCharWidth = 7.23, kNarrowestShapePx = 0.5;
constexpr std::int32_t kGrey = 8;  // the palette's last class, for what belongs to no coloured module

// One frame as drawn: a node of the call tree, or all narrow children of one node together.
struct Shape {
  std::string name;
  std::string_view file;
  std::uint32_t line = 0;
  std::int32_t module = -1;
  int depth = 0;
  std::int64_t value = 0, self = 0;
  std::uint64_t weight = 0, start = 0;
  bool inlined = false, small = false;
};

struct Shapes {
  std::vector<Shape> all;  // parents before children, heaviest child first, narrow ones last
  std::size_t folded_frames = 0, grey_frames = 0;
  int depth = 0;
};

// Leaves out the frames narrower than the limit; what they weigh stays, in one grey frame a parent.
class ShapeCutter {
 public:
  ShapeCutter(const CallTree& tree, double min_width_px)
      : tree_(tree), min_weight_(min_width_px * static_cast<double>(tree.nodes[0].weight) / kGraphWidth) {
    count_frames();
  }

  // A work list instead of recursion: how deep a stack goes is the target's choice.
  Shapes cut() {
    open_.push_back({0, 0, 0, kWholeNode});
    while (!open_.empty()) {
      Open at = open_.back();
      open_.pop_back();
      if (at.first_narrow == kWholeNode) {
        add_node(at);
      } else {
        add_narrow_children(at);
      }
    }
    return std::move(shapes_);
  }

 private:
  static constexpr std::size_t kWholeNode = ~std::size_t{0};
  struct Open {
    std::uint32_t node;
    int depth;
    std::uint64_t start;
    std::size_t first_narrow;  // stands for the children from here on, unless kWholeNode
  };

  void count_frames() {
    frames_below_.assign(tree_.nodes.size(), 1);
    for (std::size_t i = tree_.nodes.size(); i-- > 1;)
      frames_below_[tree_.nodes[i].parent] += frames_below_[i];
  }

  bool is_wide(std::uint32_t index) const {
    std::uint64_t weight = tree_.nodes[index].weight;
    return weight > 0 && static_cast<double>(weight) >= min_weight_;
  }

  void add_node(const Open& at) {
    const CallNode& node = tree_.nodes[at.node];
    const CallFrame& frame = tree_.frames[node.frame];
    Shape shape;
    shape.name = frame.function;
    shape.file = frame.file;
    shape.line = node.line;
    shape.module = frame.mapping;
    shape.depth = at.depth;
    shape.value = node.value;
    shape.self = node.self;
    shape.weight = node.weight;
    shape.start = at.start;
    shape.inlined = frame.inlined;
    add(std::move(shape));

    std::vector<Open> children;
    std::uint64_t start = at.start;
    std::size_t narrow = 0;
    for (; narrow < node.children.size() && is_wide(node.children[narrow]); ++narrow) {
      children.push_back({node.children[narrow], at.depth + 1, start, kWholeNode});
      start += tree_.nodes[node.children[narrow]].weight;
    }
    if (narrow < node.children.size()) open_.push_back({at.node, at.depth + 1, start, narrow});
    open_.insert(open_.end(), children.rbegin(), children.rend());
  }

  void add_narrow_children(const Open& at) {
    const std::vector<std::uint32_t>& children = tree_.nodes[at.node].children;
    Shape shape;
    std::size_t frames = 0;
    for (std::size_t i = at.first_narrow; i < children.size(); ++i) {
      const CallNode& child = tree_.nodes[children[i]];
      if (child.weight == 0) break;  // its changes cancel each other
      shape.value += child.value;
      shape.weight += child.weight;
      frames += frames_below_[children[i]];
    }
    if (frames == 0) return;
    shapes_.folded_frames += frames;
    ++shapes_.grey_frames;
    shape.name = fmt::format("… {} narrow frame{}", grouped(static_cast<std::int64_t>(frames)),
                             frames == 1 ? "" : "s");
    shape.depth = at.depth;
    shape.self = shape.value;
    shape.start = at.start;
    shape.small = true;
    add(std::move(shape));
  }

  void add(Shape shape) {
    shapes_.depth = std::max(shapes_.depth, shape.depth);
    shapes_.all.push_back(std::move(shape));
  }

  const CallTree& tree_;
  double min_weight_;
  std::vector<std::size_t> frames_below_;
  std::vector<Open> open_;
  Shapes shapes_;
};

std::string base_name(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

struct Module {
  std::string name;
  std::int32_t colour = kGrey;
};

// The modules that cover the most area get the colours, in that order; the rest is grey.
std::vector<Module> colour_modules(const Profile& profile, const Shapes& shapes) {
  std::vector<Module> modules;
  for (const ProfileMapping& mapping : profile.mappings) modules.push_back({base_name(mapping.path), kGrey});
  std::vector<std::pair<std::uint64_t, std::size_t>> areas(modules.size());
  for (std::size_t i = 0; i < areas.size(); ++i) areas[i].second = i;
  for (const Shape& shape : shapes.all) {
    if (shape.module >= 0) areas[static_cast<std::size_t>(shape.module)].first += shape.weight;
  }
  std::stable_sort(areas.begin(), areas.end(), [](auto& a, auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < areas.size() && i < kGrey && areas[i].first > 0; ++i) {
    modules[areas[i].second].colour = static_cast<std::int32_t>(i);
  }
  return modules;
}

struct LegendEntry {
  std::string css_class, name;
};

std::vector<LegendEntry> module_legend(const std::vector<Module>& modules) {
  std::vector<LegendEntry> legend(kGrey);
  for (const Module& module : modules) {
    if (module.colour < kGrey) legend[module.colour] = {fmt::format("c{}", module.colour), module.name};
  }
  std::erase_if(legend, [](const LegendEntry& entry) { return entry.css_class.empty(); });
  legend.push_back({fmt::format("c{}", kGrey), "other, unknown or narrow"});
  return legend;
}

std::vector<LegendEntry> difference_legend() {
  return {{"g5", "grew"}, {"l5", "shrank"}, {"g0", "as much of both"}};
}

// Neighbouring frames of one module differ in shade, and a function has the same shade in every graph.
unsigned shade_of(std::string_view name) {
  std::uint32_t hash = 2166136261;
  for (unsigned char c : name) hash = (hash ^ c) * 16777619;
  return (hash >> 8) % 3;
}

// Text that stands many times in the data: written once, referred to by number.
class TextTable {
 public:
  std::int64_t number(std::string_view text) {
    auto [at, is_new] = numbers_.try_emplace(std::string(text), static_cast<std::int64_t>(texts_.size()));
    if (is_new) texts_.push_back(at->first);
    return at->second;
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  absl::flat_hash_map<std::string, std::int64_t> numbers_;
  std::vector<std::string> texts_;
};

std::string json_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(json_quote(text));
  return fmt::format("[{}]", fmt::join(quoted, ","));
}

class FlameGraphWriter {
 public:
  FlameGraphWriter(const Profile& profile, const FlameGraphOptions& options)
      : profile_(profile), options_(options), tree_(call_tree(profile, options.sample_type)) {
    difference_ = options.difference || std::any_of(profile.samples.begin(), profile.samples.end(),
                                                    [&](const ProfileSample& sample) {
                                                      return sample.values[options.sample_type] < 0;
                                                    });
    shapes_ = ShapeCutter(tree_, options.min_width_px).cut();
    modules_ = colour_modules(profile, shapes_);
    legend_ = difference_ ? difference_legend() : module_legend(modules_);
    legend_rows_ = static_cast<int>((legend_.size() + kLegendColumns - 1) / kLegendColumns);
    describe();
  }

  std::string write() {
    int height =
        kTop + (shapes_.depth + 1) * kRow + 18 * (legend_rows_ + static_cast<int>(notes_.size())) + 26;
    out_ = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n"
        "<title>{2}</title>\n<desc>{3}</desc>\n<style><![CDATA[\n{4}]]></style>\n",
        kWidth, height, xml_escape(profile_.title), xml_escape(subtitle_), kFlameGraphStyle);
    write_picture();
    write_data();
    out_ += fmt::format("<script><![CDATA[\n{}]]></script>\n</svg>\n", kFlameGraphScript);
    return std::move(out_);
  }

 private:
  const ProfileValueType& type() const { return profile_.sample_types[options_.sample_type]; }

  void describe() {
    const CallNode& root = tree_.nodes[0];
    subtitle_ = difference_
                    ? fmt::format("{}: {} in total, changes of {}", type().type,
                                  format_signed(root.value, type().unit),
                                  format_value(static_cast<std::int64_t>(root.weight), type().unit))
                    : fmt::format("{}: {} in total", type().type, format_value(root.value, type().unit));
    if (profile_.time_unix_ns) subtitle_ += ", from " + utc_time(profile_.time_unix_ns);
    if (profile_.duration_ns > 0) {
      subtitle_ += ", for " + format_value(profile_.duration_ns, "nanoseconds");
    }
    if (root.weight == 0) notes_.push_back("Nothing to show: every value of this view is 0.");
    if (shapes_.folded_frames) {
      notes_.push_back(fmt::format(
          "{} frame{} narrower than {} px at a width of {} px folded into {} grey frame{}; totals are not "
          "changed.",
          grouped(static_cast<std::int64_t>(shapes_.folded_frames)), shapes_.folded_frames == 1 ? "" : "s",
          options_.min_width_px, kWidth, grouped(static_cast<std::int64_t>(shapes_.grey_frames)),
          shapes_.grey_frames == 1 ? "" : "s"));
    }
    for (const std::string& comment : profile_.comments) notes_.push_back(comment);
  }

  int y_of(int depth) const {
    return kTop + (options_.root_at_bottom ? shapes_.depth - depth : depth) * kRow;
  }

  std::string colour_class(const Shape& shape) const {
    if (!difference_) {
      std::int32_t colour =
          shape.module < 0 ? kGrey : modules_[static_cast<std::size_t>(shape.module)].colour;
      return fmt::format("c{} s{}", colour, shade_of(shape.name));
    }
    double ratio = shape.weight ? static_cast<double>(shape.value) / static_cast<double>(shape.weight) : 0;
    int step = static_cast<int>(ratio * 5 + (ratio < 0 ? -0.5 : 0.5));
    return fmt::format("{}{}", step < 0 ? 'l' : 'g', step < 0 ? -step : step);
  }

  void write_picture() {
    out_ += "<g id=\"static\">\n";
    out_ += fmt::format("<text class=\"title\" x=\"{}\" y=\"22\">{}</text>\n", kMargin,
                        xml_escape(profile_.title));
    out_ += fmt::format("<text class=\"dim\" x=\"{}\" y=\"42\">{}</text>\n", kMargin, xml_escape(subtitle_));
    for (const Shape& shape : shapes_.all) write_shape(shape);
    int y = kTop + (shapes_.depth + 1) * kRow;
    for (std::size_t i = 0; i < legend_.size(); ++i) write_legend(i, y);
    for (std::size_t i = 0; i < notes_.size(); ++i) {
      out_ += fmt::format("<text class=\"dim\" x=\"{}\" y=\"{}\">{}</text>\n", kMargin,
                          y + 24 + 18 * (legend_rows_ + static_cast<int>(i)), xml_escape(notes_[i]));
    }
    out_ += "</g>\n";
  }

  void write_shape(const Shape& shape) {
    double scale = tree_.nodes[0].weight ? kGraphWidth / static_cast<double>(tree_.nodes[0].weight) : 0;
    double width = static_cast<double>(shape.weight) * scale;
    if (width < kNarrowestShapePx) return;
    double x = kMargin + static_cast<double>(shape.start) * scale;
    int y = y_of(shape.depth);
    out_ += fmt::format(
        "<g class=\"f{}\"><title>{}, {}</title><rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" "
        "rx=\"1\" class=\"{}\"/>",
        shape.inlined ? " inlined" : "", xml_escape(shape.name), xml_escape(amount(shape)), x, y,
        width > 2 ? width - 0.6 : width, kRow - 1, colour_class(shape));
    auto room = static_cast<std::size_t>(std::max(0.0, (width - 6) / kCharWidth));
    if (room >= 3) {
      out_ += fmt::format("<text x=\"{:.2f}\" y=\"{}\">{}</text>", x + 3, y + 13,
                          xml_escape(shorten_name(shape.name, room)));
    }
    out_ += "</g>\n";
  }

  std::string amount(const Shape& shape) const {
    std::string value =
        difference_ ? format_signed(shape.value, type().unit) : format_value(shape.value, type().unit);
    return fmt::format(
        "{}, {}", value,
        percent(static_cast<double>(shape.weight), static_cast<double>(tree_.nodes[0].weight)));
  }

  void write_legend(std::size_t i, int y) {
    constexpr double kColumn = kGraphWidth / kLegendColumns;
    double x = kMargin + kColumn * static_cast<double>(i % kLegendColumns);
    int top = y + 8 + 18 * static_cast<int>(i / kLegendColumns);
    out_ += fmt::format(
        "<rect class=\"swatch {}\" x=\"{:.0f}\" y=\"{}\" width=\"14\" height=\"12\"/><text x=\"{:.0f}\" "
        "y=\"{}\">{}</text>\n",
        legend_[i].css_class, x, top, x + 20, top + 11,
        xml_escape(shorten_name(legend_[i].name, static_cast<std::size_t>((kColumn - 30) / kCharWidth))));
  }

  // What flame_graph.js reads. json_quote() leaves no character that markup could be made of.
  void write_data() {
    TextTable names, files;
    std::vector<std::string> frames, weights;
    for (const Shape& shape : shapes_.all) {
      std::int64_t file = shape.file.empty() ? -1 : files.number(shape.file);
      frames.push_back(fmt::format("{},{},{},{},{},{},{},{}", shape.depth, names.number(shape.name),
                                   shape.module, file, shape.line, shape.value, shape.self,
                                   (shape.inlined ? 1 : 0) | (shape.small ? 2 : 0)));
      weights.push_back(fmt::format("{}", shape.weight));
    }
    std::string shades;
    for (const std::string& name : names.texts()) shades += static_cast<char>('0' + shade_of(name));
    std::vector<std::string> modules, legend;
    for (const Module& module : modules_) {
      modules.push_back(fmt::format("{{\"name\":{},\"colour\":{}}}", json_quote(module.name), module.colour));
    }
    for (const LegendEntry& entry : legend_) {
      legend.push_back(
          fmt::format("{{\"name\":{},\"css\":\"{}\"}}", json_quote(entry.name), entry.css_class));
    }
    out_ += fmt::format(
        "<script type=\"application/json\" "
        "id=\"data\">{{\n\"title\":{},\n\"subtitle\":{},\n\"type\":{},\n\"unit\":{},\n"
        "\"difference\":{},\n\"rootAtBottom\":{},\n\"modules\":[{}],\n\"legend\":[{}],\n\"notes\":{},\n"
        "\"names\":{},\n\"shades\":\"{}\",\n\"files\":{},\n\"weights\":{},\n\"frames\":[\n{}]}}</script>\n",
        json_quote(profile_.title), json_quote(subtitle_), json_quote(type().type), json_quote(type().unit),
        difference_, options_.root_at_bottom, fmt::join(modules, ","), fmt::join(legend, ","),
        json_list(notes_), json_list(names.texts()), shades, json_list(files.texts()),
        difference_ ? fmt::format("[{}]", fmt::join(weights, ",")) : "null", fmt::join(frames, ",\n"));
  }

  const Profile& profile_;
  const FlameGraphOptions& options_;
  CallTree tree_;
  bool difference_ = false;
  Shapes shapes_;
  std::vector<Module> modules_;
  std::vector<LegendEntry> legend_;
  int legend_rows_ = 0;
  std::string subtitle_;
  std::vector<std::string> notes_;
  std::string out_;
};

}  // namespace

std::string flame_graph(const Profile& profile, const FlameGraphOptions& options) {
  return FlameGraphWriter(profile, options).write();
}

}  // namespace dwell
