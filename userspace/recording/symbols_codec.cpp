// SPDX-License-Identifier: Apache-2.0
// Codec of symbols. Names repeat, so a chunk begins with the texts that it uses, each once.
#include <absl/container/flat_hash_map.h>

#include <string_view>
#include <vector>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"

namespace dwell {

namespace {

// A chunk may name one long text a million times; all names of a recording together are held to this.
constexpr std::uint64_t kMaxSymbolText = std::uint64_t{512} << 20;
constexpr std::uint64_t kMaxInlineDepth = 1024;

class TextTable {
 public:
  std::uint64_t index(std::string_view text) {
    auto [it, added] = index_.try_emplace(text, texts_.size());
    if (added) texts_.push_back(text);
    return it->second;
  }
  const std::vector<std::string_view>& texts() const { return texts_; }

 private:
  absl::flat_hash_map<std::string_view, std::uint64_t> index_;
  std::vector<std::string_view> texts_;
};

}  // namespace

std::string encode_symbols(std::size_t first_location, std::span<const LocationSymbol> symbols) {
  TextTable table;
  std::string body;
  put_uleb(body, first_location);
  put_uleb(body, symbols.size());
  for (const LocationSymbol& symbol : symbols) put_uleb(body, symbol.frames.size());
  for (const LocationSymbol& symbol : symbols) {
    for (const SymbolFrame& frame : symbol.frames) {
      put_uleb(body, table.index(frame.function));
      put_uleb(body, table.index(frame.system_name));
      put_uleb(body, table.index(frame.file));
      put_uleb(body, frame.line);
    }
  }
  std::string out;
  put_uleb(out, table.texts().size());
  for (std::string_view text : table.texts()) put_text(out, text);
  return out + body;
}

std::string decode_symbols(Cursor& in, std::uint64_t& text_bytes, Recording& out) {
  std::vector<std::string_view> texts(get_count<std::string_view>(in));
  for (std::string_view& text : texts) text = get_text(in);
  auto text = [&]() -> std::string_view {
    std::uint64_t index = in.uleb();
    if (index < texts.size()) {
      text_bytes += sizeof(std::string) + texts[index].size();
      if (!DecodeBudget::take(texts[index].size(), 1)) in.fail();
      return texts[index];
    }
    in.fail();
    return {};
  };
  std::uint64_t first = in.uleb();
  std::size_t count = get_count<LocationSymbol>(in);
  if (!in.ok() || first > out.locations.size() || count > out.locations.size() - first)
    return "it names a location that was not told before";
  if (out.symbols.size() < first + count) out.symbols.resize(first + count);
  std::vector<std::uint64_t> depths(count);
  for (std::uint64_t& depth : depths) depth = in.uleb();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    if (depths[i] > kMaxInlineDepth || depths[i] > in.remaining()) return "a location has too many names";
    if (!DecodeBudget::take(depths[i], sizeof(SymbolFrame))) return "its names are longer than a recording's can be";
    std::vector<SymbolFrame>& frames = out.symbols[first + i].frames;
    frames.assign(depths[i], {});
    for (SymbolFrame& frame : frames) {
      frame.function = text();
      frame.system_name = text();
      frame.file = text();
      frame.line = static_cast<std::uint32_t>(in.uleb());
      if (text_bytes > kMaxSymbolText) return "its names are longer than a recording's can be";
    }
  }
  return in.ok() ? "" : "it ends in the middle of a field";
}

}  // namespace dwell
