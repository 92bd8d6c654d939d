// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/ps_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "fmt/format.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/printable.h"

namespace kentry {
namespace {

// A chain of forks can be as long as the process table; its drawing would be the square of that.
constexpr size_t kMaxLevels = 32;
constexpr size_t kContainerColumns = 12;

using Key = std::pair<uint32_t, uint64_t>;  // pid, start: the identity of a process

class TreeBuilder {
 public:
  explicit TreeBuilder(std::span<const ProcessRow> rows)
      : rows_(rows), children_(rows.size()), placed_(rows.size()) {}

  std::vector<TreeLine> Build() {
    const std::vector<size_t> order = ByStart();
    std::map<Key, size_t> known;
    for (const size_t row : order) known.emplace(Key(rows_[row].pid, rows_[row].start_ns), row);
    std::vector<size_t> roots;
    for (const size_t row : order) {
      const auto parent = known.find(Key(rows_[row].parent_pid, rows_[row].parent_start_ns));
      if (parent == known.end() || parent->second == row) {
        roots.push_back(row);
      } else {
        children_[parent->second].push_back(row);
      }
    }
    // Whether another tree follows is not drawn: roots have no branches.
    for (const size_t row : roots) Place(row);
    // What is left is in a cycle or hangs on one.
    for (const size_t row : order) {
      if (!placed_[row]) Place(row);
    }
    return std::move(lines_);
  }

 private:
  std::vector<size_t> ByStart() const {
    std::vector<size_t> order(rows_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return Key(rows_[a].start_ns, rows_[a].pid) < Key(rows_[b].start_ns, rows_[b].pid);
    });
    return order;
  }

  // The row and all below it; depth on a stack of its own, because it is up to the observed
  // processes.
  void Place(size_t root) {
    std::vector<TreeLine> open = {{.row = root, .more_below = {}}};
    while (!open.empty()) {
      const TreeLine line = std::move(open.back());
      open.pop_back();
      if (placed_[line.row]) continue;
      placed_[line.row] = true;
      const std::vector<size_t>& below = children_[line.row];
      for (size_t i = below.size(); i > 0; --i) {
        TreeLine child = {.row = below[i - 1], .more_below = line.more_below};
        if (child.more_below.size() == kMaxLevels) child.more_below.pop_back();
        child.more_below.push_back(i < below.size());
        open.push_back(std::move(child));
      }
      lines_.push_back(line);
    }
  }

  const std::span<const ProcessRow> rows_;
  std::vector<std::vector<size_t>> children_;
  std::vector<bool> placed_;
  std::vector<TreeLine> lines_;
};

std::string Branches(const std::vector<bool>& more_below, bool ascii) {
  std::string text;
  for (size_t level = 0; level < more_below.size(); ++level) {
    if (level + 1 < more_below.size()) {
      text += more_below[level] ? (ascii ? "|  " : "│  ") : "   ";
    } else if (more_below[level]) {
      text += ascii ? "|- " : "├─ ";
    } else {
      text += ascii ? "`- " : "└─ ";
    }
  }
  return text;
}

bool NeedsQuotes(std::string_view arg) {
  return arg.empty() || arg.find_first_of(" \t\n'\"") != std::string_view::npos;
}

std::string CommandText(const ProcessRow& row) {
  std::string text;
  for (const std::string& arg : row.args) {
    if (!text.empty()) text += ' ';
    text += NeedsQuotes(arg) ? fmt::format("'{}'", Printable(arg)) : Printable(arg);
  }
  if (text.empty() && !row.binary.empty()) text = Printable(row.binary);
  if (text.empty()) text = fmt::format("[{}]", row.name.empty() ? "?" : Printable(row.name));
  if (row.args_cut) text += " ...";
  if (row.exited) text = "(ended) " + text;
  return text;
}

}  // namespace

std::vector<TreeLine> LayOutTree(std::span<const ProcessRow> rows) {
  return TreeBuilder(rows).Build();
}

std::string RenderPsText(std::span<const ProcessRow> rows, const PsStyle& style) {
  std::string text =
      fmt::format("{:>7} {:>7} {:<{}} COMMAND\n", "PID", "UID", "CONTAINER", kContainerColumns);
  for (const TreeLine& line : LayOutTree(rows)) {
    const ProcessRow& row = rows[line.row];
    std::string container =
        row.container_id.empty() ? "-" : Printable(row.container_id.substr(0, kContainerColumns));
    container = FitColumns(std::move(container), kContainerColumns, style.ascii);
    const size_t pad = kContainerColumns - TextColumns(container);
    const std::string whole =
        fmt::format("{:>7} {:>7} {}{:{}} {}{}", row.pid, row.uid, container, "", pad,
                    Branches(line.more_below, style.ascii), CommandText(row));
    text += FitColumns(whole, style.columns, style.ascii) + "\n";
  }
  return text;
}

std::string RenderPsJson(std::span<const ProcessRow> rows) {
  std::string text;
  JsonWriter json;
  for (const ProcessRow& row : rows) {
    json.BeginObject();
    json.Uint("pid", row.pid);
    json.Uint("start_ns", row.start_ns);
    json.Int("started_unix_ns", row.started_unix_ns);
    json.Uint("parent_pid", row.parent_pid);
    json.Uint("parent_start_ns", row.parent_start_ns);
    json.Uint("uid", row.uid);
    if (!row.name.empty()) json.String("name", row.name);
    if (!row.binary.empty()) json.String("binary", row.binary);
    if (!row.args.empty()) json.Strings("args", row.args);
    if (row.args_cut) json.Bool("args_cut", true);
    if (!row.container_id.empty()) json.String("container_id", row.container_id);
    if (!row.container_runtime.empty()) json.String("container_runtime", row.container_runtime);
    if (row.exited) json.Bool("exited", true);
    json.EndObject();
    text += json.TakeLine();
  }
  return text;
}

}  // namespace kentry
