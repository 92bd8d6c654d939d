// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_TABLE_H_
#define KENTRY_SENSOR_CLI_TABLE_H_

#include <string>
#include <vector>

namespace kentry {

// Rows of cells as aligned lines. Cells must be printable; missing ones at a row's end are empty.
class TextTable {
 public:
  // Numbers of the columns that are aligned to the right; the others are aligned to the left.
  explicit TextTable(std::vector<size_t> right_aligned = {});

  void AddRow(std::vector<std::string> cells);
  // Two spaces between columns, none at the end of a line.
  std::string Render() const;

 private:
  std::vector<size_t> right_aligned_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_TABLE_H_
