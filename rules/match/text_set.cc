// SPDX-License-Identifier: Apache-2.0
#include "rules/match/text_set.h"

#include <string.h>  // memmem

#include <algorithm>
#include <utility>

namespace kentry {
namespace {

// Up to here comparing one by one is no slower than hashing.
constexpr size_t kFewTexts = 8;

}  // namespace

TextSet::TextSet(Kind kind, std::vector<std::string_view> texts)
    : kind_(kind), texts_(std::move(texts)) {
  for (const std::string_view text : texts_) lengths_.push_back(text.size());
  std::sort(lengths_.begin(), lengths_.end());
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
  if (kind_ != Kind::kPart && texts_.size() > kFewTexts) {
    hashed_.insert(texts_.begin(), texts_.end());
  }
}

bool TextSet::MatchesOne(std::string_view value, std::string_view text) const {
  switch (kind_) {
    case Kind::kEqual:
      return value == text;
    case Kind::kPrefix:
      return value.starts_with(text);
    case Kind::kSuffix:
      return value.ends_with(text);
    case Kind::kPart:
      // Not string_view::find: its time is the product of both lengths for texts of one letter.
      return text.empty() ||
             (text.size() <= value.size() &&
              memmem(value.data(), value.size(), text.data(), text.size()) != nullptr);
  }
  return false;
}

bool TextSet::Matches(std::string_view value) const {
  if (hashed_.empty()) {
    return std::any_of(texts_.begin(), texts_.end(),
                       [this, value](std::string_view text) { return MatchesOne(value, text); });
  }
  if (kind_ == Kind::kEqual) {
    return std::binary_search(lengths_.begin(), lengths_.end(), value.size()) &&
           hashed_.contains(value);
  }
  for (const size_t length : lengths_) {
    if (length > value.size()) return false;
    const size_t from = kind_ == Kind::kPrefix ? 0 : value.size() - length;
    if (hashed_.contains(value.substr(from, length))) return true;
  }
  return false;
}

}  // namespace kentry
