// SPDX-License-Identifier: Apache-2.0
// A program that a sanitizer watches, which finds nothing. Its runtime takes a stack at each allocation.
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "cases.h"

namespace {

const char* clean() {
  std::vector<std::string> words;
  for (int i = 0; i < 200; ++i) words.push_back(std::string(static_cast<std::size_t>(20 + i), 'w'));
  return words[199].size() == 219 ? "clean" : "wrong size";
}

const char* caught() {
  try {
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
    return "threw";
  }
}

const char* threads() {
  int sums[3] = {};
  std::vector<std::thread> all;
  for (int& sum : sums)
    all.emplace_back([&sum] {
      std::vector<int> numbers;
      for (int i = 0; i < 1000; ++i) numbers.push_back(1);
      sum = static_cast<int>(numbers.size());
    });
  for (std::thread& thread : all) thread.join();
  return sums[0] + sums[1] + sums[2] == 3000 ? "3 threads" : "wrong sum";
}

const safety_case kCases[] = {{"clean", clean}, {"caught", caught}, {"threads", threads}};

}  // namespace

int main(int argc, char** argv) { return RUN_CASES(argc, argv, kCases); }
