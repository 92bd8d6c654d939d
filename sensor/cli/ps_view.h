// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_PS_VIEW_H_
#define KENTRY_SENSOR_CLI_PS_VIEW_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "sensor/api/state.h"

namespace kentry {

struct TreeLine {
  size_t row = 0;                // index in the rows
  std::vector<bool> more_below;  // per level, own level last: a later sibling follows there
};

// The rows as a forest, children below their parents, siblings by start time. A row whose parent
// is not there starts a tree; so does one row of each cycle, so that every row comes exactly
// once. Levels beyond a bound are drawn on the last one. Time: n log n.
std::vector<TreeLine> LayOutTree(std::span<const ProcessRow> rows);

struct PsStyle {
  bool ascii = false;  // no box-drawing characters
  size_t columns = 0;  // lines are cut to this width; 0 = unlimited
};

// The tree with a heading; one line a process, safe for a terminal.
std::string RenderPsText(std::span<const ProcessRow> rows, const PsStyle& style);
// One JSON object a line, in the order of the rows.
std::string RenderPsJson(std::span<const ProcessRow> rows);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_PS_VIEW_H_
