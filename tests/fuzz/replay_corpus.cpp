// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its corpus, and over each file cut short and changed at many places: what a few minutes
// of fuzzing try first, the same way each time.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>

#include "userspace/base/files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void run_variants(const std::string& input) {
  run(input);
  if (input.empty()) return;
  std::mt19937_64 random(input.size());
  for (int i = 0; i < DWELL_VARIANTS; ++i) {
    std::string changed = input;
    for (int change = 0; change <= i % 4; ++change) changed[random() % changed.size()] = static_cast<char>(random());
    run(changed);
    run(input.substr(0, random() % input.size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      dwell::Result<std::string> input = dwell::read_file(entry.path().string());
      if (!input) {
        std::fprintf(stderr, "%s\n", input.error().what.c_str());
        return 1;
      }
      run_variants(*input);
      ++files;
    }
  }
  std::printf("%d files of the corpus, and variants of each\n", files);
  return files > 0 ? 0 : 1;
}
