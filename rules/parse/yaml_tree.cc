// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/yaml_tree.h"

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/mark.h"
#include "yaml-cpp/parser.h"

namespace kentry {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Builds the tree from the parser's events. A limit ends the parse with yaml-cpp's own exception:
// its parser has no other way to be stopped.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(uint32_t file, size_t start, Reporter& reporter, size_t* nodes_left)
      : file_(file), start_(start), reporter_(reporter), nodes_left_(nodes_left) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ < 2) return;
    Refuse(mark, "a rule file is one YAML document; here a second one starts",
           "put it into a file of its own");
    Stop(mark);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Add(Make(mark, YamlNode::Kind::kNull), mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "YAML aliases (*name) are not allowed",
           "use lists: and macros:, and quote text that starts with *");
    Add(Make(mark, YamlNode::Kind::kNull), mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& value) override {
    YamlNode node = Make(mark, YamlNode::Kind::kScalar);
    constexpr std::string_view kStyles = "\"'|>";
    node.plain = kStyles.find(At(node.offset)) == std::string_view::npos;
    node.text = value;
    Add(std::move(node), mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(Make(mark, YamlNode::Kind::kSequence), mark);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(Make(mark, YamlNode::Kind::kMap), mark);
  }
  void OnMapEnd() override {
    RefuseDuplicates(open_.back());
    Close();
  }

  YamlNode TakeRoot() { return std::move(root_); }
  bool whole() const { return whole_; }

  size_t OffsetOf(const YAML::Mark& mark) const {
    return mark.pos < 0 ? 0 : start_ + static_cast<size_t>(mark.pos);
  }
  void Refuse(const YAML::Mark& mark, std::string message, std::string hint) {
    whole_ = false;
    reporter_.Error(reporter_.sources().At(file_, OffsetOf(mark), 1), "", std::move(message),
                    std::move(hint));
  }

 private:
  char At(size_t offset) const {
    const std::string_view text = reporter_.sources().Text(file_);
    return offset < text.size() ? text[offset] : ' ';
  }

  [[noreturn]] static void Stop(const YAML::Mark& mark) {
    throw YAML::ParserException(mark, std::string());
  }

  YamlNode Make(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (*nodes_left_ == 0) {
      Refuse(mark, fmt::format("the rule files have more than {} YAML nodes", kMaxYamlNodes), "");
      Stop(mark);
    }
    --*nodes_left_;
    YamlNode node;
    node.kind = kind;
    node.file = file_;
    node.offset = static_cast<uint32_t>(OffsetOf(mark));
    // Tags and anchors are told by their sign: the mark is where a node's properties start.
    if (At(node.offset) == '!') {
      Refuse(mark, "YAML tags (!name) are not allowed",
             "put a text that starts with ! into quotes, or into a block: when: |");
    } else if (At(node.offset) == '&') {
      Refuse(mark, "YAML anchors (&name) are not allowed", "use lists: and macros:");
    }
    return node;
  }

  void Open(YamlNode node, const YAML::Mark& mark) {
    if (open_.size() >= static_cast<size_t>(kMaxYamlDepth)) {
      Refuse(mark, fmt::format("YAML nests deeper than {} levels", kMaxYamlDepth), "");
      Stop(mark);
    }
    RefuseKey(node, mark);
    open_.push_back(std::move(node));
  }

  void Close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    Place(std::move(node));
  }

  void Add(YamlNode node, const YAML::Mark& mark) {
    RefuseKey(node, mark);
    // An empty value's mark is the next token's: its key says better where it is missing.
    if (node.kind == YamlNode::Kind::kNull && !open_.empty() && open_.back().IsMap() &&
        open_.back().items.size() % 2 == 1) {
      node.offset = open_.back().items.back().offset;
    }
    Place(std::move(node));
  }

  void RefuseKey(const YamlNode& node, const YAML::Mark& mark) {
    if (open_.empty() || !open_.back().IsMap() || open_.back().items.size() % 2 == 1) return;
    if (!node.IsScalar()) Refuse(mark, "a key must be text", "");
  }

  void Place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  void RefuseDuplicates(const YamlNode& map) {
    std::vector<const YamlNode*> keys;
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) keys.push_back(&map.items[i]);
    std::stable_sort(keys.begin(), keys.end(),
                     [](const YamlNode* a, const YamlNode* b) { return a->text < b->text; });
    const Sources& sources = reporter_.sources();
    for (size_t i = 1; i < keys.size(); ++i) {
      if (keys[i]->text != keys[i - 1]->text) continue;
      whole_ = false;
      reporter_.Error(PosOf(sources, *keys[i]), "",
                      fmt::format("key {} stands twice; first in line {}", Shown(keys[i]->text),
                                  PosOf(sources, *keys[i - 1]).line),
                      "put both into one");
    }
  }

  const uint32_t file_;
  const size_t start_;
  Reporter& reporter_;
  size_t* const nodes_left_;
  int documents_ = 0;
  bool whole_ = true;
  std::vector<YamlNode> open_;
  YamlNode root_;
};

// Bytes that YAML doesn't allow, which yaml-cpp takes for the end or worse. Whether there is none.
bool CheckBytes(uint32_t file, Reporter& reporter) {
  const std::string_view text = reporter.sources().Text(file);
  size_t at = 0;
  while (at < text.size()) {
    const CodePoint point = DecodeUtf8(text.substr(at));
    const bool control =
        point.value < 0x20 && point.value != '\n' && point.value != '\r' && point.value != '\t';
    if (point.valid && !control) {
      at += point.size;
      continue;
    }
    const char* const what = !point.valid       ? "is not UTF-8"
                             : point.value == 0 ? "is a NUL"
                                                : "is a control character";
    reporter.Error(
        reporter.sources().At(file, at, 1), "",
        fmt::format("byte {} of the file, 0x{:02x}, {}", at, static_cast<uint8_t>(text[at]), what),
        "write it as \\xHH in a string");
    return false;
  }
  return true;
}

std::string HintFor(std::string_view line) {
  const size_t colon = line.find(": ");
  if (colon == std::string_view::npos) return "";
  const size_t value = line.find_first_not_of(' ', colon + 1);
  if (value == std::string_view::npos) return "";
  if (line[value] == '"' || line[value] == '\'') {
    return "a text that starts with a quote ends at the next one: put all of it into the other "
           "kind of quotes, or into a block: when: |";
  }
  constexpr std::string_view kSigns = "*&!%@`|>{}[],?-";
  if (kSigns.find(line[value]) != std::string_view::npos) {
    return fmt::format("put a text that starts with {} into quotes", line[value]);
  }
  return "put text with : or # or quotes into a block: when: |";
}

std::string_view LineAt(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const size_t start = before == std::string_view::npos ? 0 : before + 1;
  return text.substr(start, std::min(text.find('\n', start), text.size()) - start);
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].text == key) return &items[i + 1];
  }
  return nullptr;
}

SourcePos PosOf(const Sources& sources, const YamlNode& node) {
  if (!node.IsScalar()) return sources.At(node.file, node.offset, 1);
  return sources.At(node.file, node.offset, node.text.size() + (node.plain ? 0 : 2));
}

std::string_view KindName(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "text";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a mapping";
  }
  return "";
}

bool ReadYaml(uint32_t file, Reporter& reporter, size_t* nodes_left, YamlNode* root) {
  if (!CheckBytes(file, reporter)) return false;
  const std::string_view text = reporter.sources().Text(file);
  const size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  TreeBuilder builder(file, start, reporter, nodes_left);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    if (!error.msg.empty() || builder.whole()) {
      builder.Refuse(error.mark, fmt::format("this is not valid YAML: {}", TerminalText(error.msg)),
                     HintFor(LineAt(text, builder.OffsetOf(error.mark))));
    }
    return false;
  } catch (const std::exception& error) {
    reporter.Error(Sources::File(file), "", fmt::format("can't be read as YAML: {}", error.what()));
    return false;
  }
  *root = builder.TakeRoot();
  return true;
}

}  // namespace kentry
