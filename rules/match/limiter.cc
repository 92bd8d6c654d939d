// SPDX-License-Identifier: Apache-2.0
#include "rules/match/limiter.h"

#include <list>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"
#include "rules/match/message.h"

namespace kentry {
namespace {

// Seeded, unlike std::hash: processes choose the keys.
struct KeyHash {
  size_t operator()(std::string_view key) const {
    return absl::Hash<absl::string_view>{}(absl::string_view(key.data(), key.size()));
  }
};

void MakeKey(const EventFields& event, FieldId by, std::string* key) {
  key->clear();
  const FieldValue* value = by == FieldId::kInvalid ? nullptr : event.Get(by);
  if (value == nullptr) return;
  AppendFieldText(*value, key);
  // Long values that differ behind the cut are different keys all the same.
  if (key->size() < value->text.size() && value->text.size() > kMaxMessageValue) {
    fmt::format_to(std::back_inserter(*key), "#{:x}", KeyHash{}(value->text));
  }
}

}  // namespace

// The windows of one rule.
class Limiter::Windows {
 public:
  explicit Windows(const RuleLimit& limit) : limit_(limit) {}

  FieldId by() const { return limit_.by; }
  uint64_t total() const { return total_; }

  bool Admit(const std::string& key, uint64_t now_ns, Counters* counters) {
    Window& window = Open(key, now_ns, counters);
    if (window.events < limit_.events) {
      ++window.events;
      return true;
    }
    ++window.suppressed;
    ++total_;
    ++counters->suppressed;
    return false;
  }

  // Closes what has ended; what was held back since the last call, with count 0 if nothing.
  Suppressed Take(uint64_t now_ns, bool all) {
    while (!open_.empty() && (all || HasEnded(open_.front(), now_ns))) Close(open_.begin());
    return std::exchange(ended_, Suppressed());
  }

 private:
  struct Window {
    std::string key;
    uint64_t start_ns = 0;
    uint64_t events = 0;
    uint64_t suppressed = 0;
  };
  using Place = std::list<Window>::iterator;

  bool HasEnded(const Window& window, uint64_t now_ns) const {
    return now_ns > window.start_ns && now_ns - window.start_ns >= limit_.per_ns;
  }

  Window& Open(const std::string& key, uint64_t now_ns, Counters* counters) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      if (!HasEnded(*found->second, now_ns)) return *found->second;
      Close(found->second);
    }
    if (open_.size() >= kMaxKeys) {
      if (!HasEnded(open_.front(), now_ns)) ++counters->evicted;
      Close(open_.begin());
    }
    if (spare_.empty()) spare_.emplace_back();
    open_.splice(open_.end(), spare_, spare_.begin());
    Window& window = open_.back();
    window.key = key;
    window.start_ns = now_ns;
    window.events = 0;
    window.suppressed = 0;
    by_key_.emplace(window.key, std::prev(open_.end()));
    return window;
  }

  void Close(Place window) {
    if (window->suppressed > 0) {
      if (ended_.keys == 0 || window->start_ns < ended_.since_ns) {
        ended_.since_ns = window->start_ns;
      }
      ended_.count += window->suppressed;
      ended_.key = ++ended_.keys == 1 ? window->key : "";
    }
    by_key_.erase(window->key);
    spare_.splice(spare_.end(), open_, window);
  }

  RuleLimit limit_;
  std::list<Window> open_;   // in the order in which they were opened
  std::list<Window> spare_;  // closed ones, to be used again
  std::unordered_map<std::string_view, Place, KeyHash> by_key_;  // keys are the windows' own
  Suppressed ended_;
  uint64_t total_ = 0;
};

Limiter::Limiter(const RuleSet& rules) {
  for (const Rule& rule : rules.rules) {
    by_rule_.push_back(rule.limit ? std::make_unique<Windows>(*rule.limit) : nullptr);
  }
}

Limiter::~Limiter() = default;
Limiter::Limiter(Limiter&&) noexcept = default;
Limiter& Limiter::operator=(Limiter&&) noexcept = default;

bool Limiter::Admit(size_t rule, const EventFields& event, uint64_t now_ns) {
  Windows* windows = by_rule_[rule].get();
  if (windows == nullptr) return true;
  MakeKey(event, windows->by(), &key_);
  return windows->Admit(key_, now_ns, &counters_);
}

void Limiter::TakeSuppressed(uint64_t now_ns, std::vector<Suppressed>* out) {
  TakeEnded(now_ns, false, out);
}

void Limiter::TakeAll(std::vector<Suppressed>* out) { TakeEnded(0, true, out); }

void Limiter::TakeEnded(uint64_t now_ns, bool all, std::vector<Suppressed>* out) {
  for (size_t rule = 0; rule < by_rule_.size(); ++rule) {
    if (by_rule_[rule] == nullptr) continue;
    Suppressed ended = by_rule_[rule]->Take(now_ns, all);
    if (ended.count == 0) continue;
    ended.rule = rule;
    out->push_back(std::move(ended));
  }
}

uint64_t Limiter::suppressed(size_t rule) const {
  return by_rule_[rule] == nullptr ? 0 : by_rule_[rule]->total();
}

}  // namespace kentry
