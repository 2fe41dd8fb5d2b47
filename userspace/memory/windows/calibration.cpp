// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/calibration.h"

#include <algorithm>
#include <cmath>

namespace dwell::memory::windows {
namespace {

constexpr double kNormal95 = 1.96;
constexpr double kModelError = 0.02;  // of an estimate, whatever the census says
constexpr double kMostErrors = 2;     // that call sites are moved by: a burst that no window met is nobody's here

double square(double value) { return value * value; }

// What low to high has beyond the sampling error: of blocks that contents do not tell apart.
double open_above(const Portion& one) { return std::max(0.0, one.high - one.bytes - kNormal95 * one.error); }
double open_below(const Portion& one) { return std::max(0.0, one.bytes - one.low - kNormal95 * one.error); }

class CellCalibration {
 public:
  CellCalibration(const CellCount& cell, std::span<Portion*> portions, double shared_error)
      : cell_(cell), portions_(portions), counted_variance_(square((cell.most - cell.least) / (2 * kNormal95))) {
    bool any_bursts = false;
    for (const Portion* one : portions_) {
      sum_ += one->bytes;
      variance_ += square(one->error);
      above_ += open_above(*one);
      any_rare_ |= one->rare;
      any_bursts |= one->bursts;
    }
    shared_ = shared_error * sum_;
    if (any_bursts) most_errors_ = 0;
  }

  // Returns what no call site is known for.
  double apply() {
    double missing = std::clamp(sum_, cell_.least, cell_.most) - sum_;
    double error = std::sqrt(variance_ + square(shared_));
    moved_ = std::clamp(missing, -sum_, most_errors_ * error);
    beyond_ = std::max(0.0, std::abs(moved_) - error);
    double unknown = std::max(0.0, missing - moved_);
    bool known = 4 * counted_variance_ <= variance_ + square(shared_) + square(above_);
    // Where the estimates explain the count, one that is clearly not nothing is what it is. Else the missing may have come in bursts.
    explained_ = std::abs(missing) <= error;
    for (Portion* one : portions_) move(*one, unknown, known);
    if (any_rare_)
      raise_highs();
    else
      raise_lows();
    // Blocks whose words have all changed may be old ones: only what the kind grew by came for sure.
    return std::min(unknown, std::max(0.0, cell_.growth));
  }

 private:
  // `known`: the count is better than the estimates. Each then is one of several figures whose sum is known.
  void move(Portion& one, double unknown, bool known) const {
    bool clear = !any_rare_ || (explained_ && one.bytes > kNormal95 * one.error);
    double own = square(one.error), alike = 1 / static_cast<double>(portions_.size());
    double share = variance_ > 0 ? own / variance_ : alike, above = open_above(one), below = open_below(one), lowest = one.low;
    one.bytes = std::clamp(one.bytes + moved_ * share, 0.0, cell_.most);
    double left = variance_ > 0 ? own - own * own / (variance_ + counted_variance_) : 0;
    one.error = std::sqrt(left + square(beyond_ * share / 2) + square(kModelError * one.bytes));
    double error = kNormal95 * one.error;
    if (known) {
      one.low = std::min(lowest, one.bytes - error);
      if (clear) one.low = std::max(one.low, one.bytes - error - below - (above_ - above));
      one.high = one.bytes + error + above;
      one.anchored = unknown == 0;
    }
    one.low = std::clamp(one.low, 0.0, one.bytes);
    // It may have been met too rarely: what is nobody's may be its own.
    one.high = std::clamp(one.high + unknown, one.bytes, cell_.most);
  }

  // What the others cannot hold is its own, as far as its estimate goes: a call site that no window met may have the rest.
  void raise_lows() const {
    double high = 0;
    for (const Portion* one : portions_) high += one->high;
    for (Portion* one : portions_)
      one->low = std::max(one->low, std::min(cell_.least - (high - one->high), one->bytes - kNormal95 * one->error));
  }

  // One that few windows met may have all that nobody else is sure to have.
  void raise_highs() const {
    double low = 0;
    for (const Portion* one : portions_) low += one->low;
    for (Portion* one : portions_)
      if (one->rare) one->high = std::max(one->high, cell_.most - (low - one->low));
  }

  const CellCount& cell_;
  std::span<Portion*> portions_;
  double sum_ = 0, variance_ = 0, shared_ = 0, above_ = 0, counted_variance_;
  bool any_rare_ = false, explained_ = false;
  double most_errors_ = kMostErrors;
  double moved_ = 0, beyond_ = 0;  // by sampling errors; of that, beyond one of them
};

}  // namespace

std::vector<double> calibrate(std::span<Portion> portions, std::span<const CellCount> cells, double shared_error) {
  std::vector<std::vector<Portion*>> by_cell(cells.size());
  for (Portion& one : portions)
    if (one.cell < cells.size()) by_cell[one.cell].push_back(&one);
  std::vector<double> unknown;
  for (std::size_t i = 0; i < cells.size(); ++i) unknown.push_back(CellCalibration(cells[i], by_cell[i], shared_error).apply());
  return unknown;
}

}  // namespace dwell::memory::windows
