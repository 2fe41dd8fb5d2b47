// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/event_script.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "userspace/memory/ledger.h"
#include "userspace/base/text.h"
#include "userspace/recording/writer.h"
#include "userspace/memory/codec.h"

namespace dwell {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 100 * kSecond;

std::uint64_t number(std::string_view text) { return std::strtoull(std::string(text).c_str(), nullptr, 0); }

RecordingInfo info() {
  RecordingInfo info;
  info.dwell_version = "0.1.0";
  info.kernel = "6.18.0";
  info.host = "golden";
  info.arch = "x86_64";
  info.command_line = "dwell record -p 4711";
  info.start_unix_ns = 1'700'000'000 * kSecond;
  info.start_monotonic_ns = kStart;
  return info;
}

class Recorder {
 public:
  explicit Recorder(RecordingWriter& writer) : writer_(writer), ledger_(kStart) {
    writer_.set_process(0, {4711, -1, "server", "server --port 1", kStart, 0});
  }

  Result<void> run(std::string_view line, bool with_symbols) {
    std::vector<std::string_view> words = split(line, ' ');
    if (line.empty() || line[0] == '#') return {};
    if (words[0] == "module") {
      modules_[std::string(words[1])] = writer_.add_module({std::string(words[1]), std::string(words[2]), 1 << 20, ModuleKind::kFile});
      return {};
    }
    if (words[0] == "stack") {
      add_stack(words[1], line.substr(words[0].size() + words[1].size() + 2));
      return {};
    }
    std::uint64_t now = kStart + static_cast<std::uint64_t>(std::llround(std::strtod(std::string(words[0]).c_str(), nullptr) * 1e9));
    Result<void> ticked = tick_until(now);
    if (!ticked) return ticked;
    return act(now, words, with_symbols);
  }

  RecordedScript result;

 private:
  void add_stack(std::string_view name, std::string_view frames) {
    std::vector<std::uint32_t> locations;
    for (std::string_view frame : split(frames, ';')) locations.push_back(location(frame));
    stacks_[std::string(name)] = writer_.add_stack(locations, 0);
  }

  std::uint32_t location(std::string_view frame) {
    std::string_view place = frame.substr(0, frame.find('='));
    std::size_t plus = place.rfind('+');
    std::uint32_t module = modules_.at(std::string(place.substr(0, plus)));
    std::uint32_t index = writer_.add_location({static_cast<std::int32_t>(module), number(place.substr(plus + 1)), true});
    if (result.symbols.size() <= index) result.symbols.resize(index + 1);
    if (place.size() == frame.size()) return index;
    std::vector<std::string_view> name = split(frame.substr(place.size() + 1), ',');
    result.symbols[index].frames = {{std::string(name[0]), "", std::string(name[1]), static_cast<std::uint32_t>(number(name[2]))}};
    return index;
  }

  Result<void> tick_until(std::uint64_t now) {
    for (; next_tick_ <= now; next_tick_ += kSecond) {
      Result<void> written = write_memory_tick(writer_, ledger_.take_tick(next_tick_), ledger_.series());
      if (!written) return written;
    }
    return {};
  }

  Result<void> act(std::uint64_t now, const std::vector<std::string_view>& words, bool with_symbols) {
    std::string_view what = words[1];
    auto value = [&](std::size_t i) { return number(words.at(i)); };
    auto tid = [&](std::size_t i) { return static_cast<Tid>(number(words.at(i))); };
    auto stack = [&](std::size_t i) { return stacks_.at(std::string(words.at(i))); };
    if (what == "alloc") {
      ledger_.apply(Alloc{now, value(2), value(3), stack(4), tid(5), 0});
    } else if (what == "free") {
      ledger_.apply(Free{now, value(2), tid(3), 0, false});
    } else if (what == "realloc") {
      ledger_.apply(ReallocBegin{now, value(2), tid(6), 0});
      ledger_.apply(ReallocEnd{now, value(2), value(3), value(4), stack(5), tid(6), 0});
    } else if (what == "map") {
      ledger_.apply(Map{now, value(2), value(3), 0, 0, MemoryKind::kMapping, stack(4), tid(5), 0});
    } else if (what == "unmap") {
      ledger_.apply(Unmap{now, value(2), value(3), tid(4), 0});
    } else if (what == "lost-frees") {
      std::vector<Loss> losses = {{now, LossKind::kFree, value(2)}};
      return writer_.write_losses(losses);
    } else if (what == "end") {
      return finish(now, with_symbols);
    } else {
      return Error{fmt::format("no such event: {}", what), ""};
    }
    return {};
  }

  Result<void> finish(std::uint64_t now, bool with_symbols) {
    Result<void> ok = write_live_blocks(writer_, {now, ledger_.live_blocks()}, ledger_.series());
    if (ok && with_symbols) ok = writer_.write_symbols(0, result.symbols);
    return ok ? writer_.finish({now, "interrupted"}) : ok;
  }

  RecordingWriter& writer_;
  MemoryLedger ledger_;
  std::map<std::string, std::uint32_t> modules_;
  std::map<std::string, StackId> stacks_;
  std::uint64_t next_tick_ = kStart + kSecond;
};

}  // namespace

Result<RecordedScript> record_script(std::string_view script, const std::string& path, bool with_symbols) {
  Result<RecordingWriter> writer = RecordingWriter::create(path, info());
  if (!writer) return writer.error();
  Recorder recorder(*writer);
  for (std::string_view line : split(script, '\n')) {
    Result<void> done = recorder.run(line, with_symbols);
    if (!done) return done.error();
  }
  return std::move(recorder.result);
}

}  // namespace dwell
