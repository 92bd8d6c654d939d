// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/limits.h"
#include "rules/parse/revision.h"
#include "rules/parse/set_builder.h"
#include "rules/parse/shown.h"
#include "rules/parse/source_text.h"
#include "rules/parse/yaml_tree.h"
#include "sensor/util/fd.h"

namespace kentry {
namespace {

// What went wrong with the files themselves, before any was parsed.
struct FileError {
  uint32_t file = 0;
  std::string message;
  std::string hint;
};

class FileReader {
 public:
  void Path(const std::string& path) {
    struct stat info = {};
    if (stat(path.c_str(), &info) != 0) {
      return Fail(path, fmt::format("can't be read: {}", std::strerror(errno)));
    }
    if (S_ISDIR(info.st_mode)) return Directory(path);
    File(path);
  }

  std::vector<SourceFile> files;
  std::vector<FileError> errors;
  std::vector<FileError> warnings;

 private:
  void Fail(const std::string& path, std::string message, std::string hint = "") {
    errors.push_back({.file = static_cast<uint32_t>(files.size()),
                      .message = std::move(message),
                      .hint = std::move(hint)});
    files.push_back({.name = path, .text = ""});
  }

  static bool IsRuleFile(const std::string& name) {
    return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"));
  }

  void Directory(const std::string& path) {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
      std::string name = it->path().filename().string();
      std::error_code unknown;
      if (!IsRuleFile(name) || it->is_directory(unknown)) continue;
      names.push_back(std::move(name));
      if (names.size() > kMaxRuleFiles) break;
    }
    if (error) return Fail(path, fmt::format("can't be read: {}", error.message()));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      File(fmt::format("{}{}{}", path, path.ends_with('/') ? "" : "/", name));
    }
    if (!names.empty()) return;
    warnings.push_back({.file = static_cast<uint32_t>(files.size()),
                        .message = "the directory holds no rule files",
                        .hint = "rule files are called NAME.yaml or NAME.yml"});
    files.push_back({.name = path, .text = ""});
  }

  void File(const std::string& path) {
    if (files.size() >= kMaxRuleFiles) {
      if (files.size() == kMaxRuleFiles) {
        Fail(path, fmt::format("is one file too many: {} are the most", kMaxRuleFiles));
      }
      return;
    }
    // Without O_NONBLOCK the open of a pipe would wait for somebody to write.
    const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat info = {};
    if (fd.get() < 0 || fstat(fd.get(), &info) != 0) {
      return Fail(path, fmt::format("can't be read: {}", std::strerror(errno)));
    }
    if (!S_ISREG(info.st_mode)) return Fail(path, "is no regular file");
    SourceFile file = {.name = path, .text = ""};
    const int error = ReadAll(fd.get(), &file.text);
    if (error != 0) return Fail(path, fmt::format("can't be read: {}", std::strerror(error)));
    // One file beyond the limit is kept, so that the set is refused for its size.
    if (bytes_ > kMaxRuleSetBytes) file.text.clear();
    bytes_ += file.text.size();
    files.push_back(std::move(file));
  }

  // Reads at most one byte more than a file may have. Returns 0 or an errno value.
  static int ReadAll(int fd, std::string* text) {
    constexpr size_t kStep = 1 << 16;
    while (text->size() <= kMaxRuleFileBytes) {
      const size_t before = text->size();
      text->resize(before + std::min(kStep, kMaxRuleFileBytes + 1 - before));
      const ssize_t got = read(fd, text->data() + before, text->size() - before);
      text->resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
      if (got == 0) return 0;
      if (got < 0 && errno != EINTR) return errno;
    }
    return 0;
  }

  size_t bytes_ = 0;
};

// Whether the files are small enough to be parsed; says which is not.
bool CheckSizes(const std::vector<SourceFile>& files, Reporter& reporter) {
  size_t bytes = 0;
  bool small = true;
  for (uint32_t i = 0; i < files.size() && small; ++i) {
    bytes += files[i].text.size();
    small = bytes <= kMaxRuleSetBytes;
    if (small) continue;
    reporter.Error(
        Sources::File(i), "",
        fmt::format("the rule files are larger than {} MiB together", kMaxRuleSetBytes >> 20));
  }
  return small;
}

// The files' trees. Sets `*incomplete` when there is one that can't be read.
std::vector<YamlNode> ReadTrees(const std::vector<SourceFile>& files, Reporter& reporter,
                                bool* incomplete) {
  size_t nodes = kMaxYamlNodes;
  std::vector<YamlNode> roots;
  for (uint32_t i = 0; i < files.size(); ++i) {
    YamlNode root;
    if (files[i].text.size() > kMaxRuleFileBytes) {
      reporter.Error(Sources::File(i), "",
                     fmt::format("the file is larger than {} MiB", kMaxRuleFileBytes >> 20));
      *incomplete = true;
    } else if (!ReadYaml(i, reporter, &nodes, &root)) {
      *incomplete = true;
    }
    roots.push_back(std::move(root));
  }
  return roots;
}

LoadResult Parse(std::vector<SourceFile> files, const FileReader& reader) {
  LoadResult result;
  auto set = std::make_shared<RuleSet>();
  set->files = std::move(files);
  {
    const Sources sources(set->files);
    Reporter reporter(sources, &result.diagnostics);
    for (const FileError& error : reader.errors) {
      reporter.Error(Sources::File(error.file), "", error.message, error.hint);
    }
    for (const FileError& warning : reader.warnings) {
      reporter.Warning(Sources::File(warning.file), "", warning.message, warning.hint);
    }
    if (CheckSizes(set->files, reporter)) {
      bool incomplete = !reader.errors.empty();
      const std::vector<YamlNode> roots = ReadTrees(set->files, reporter, &incomplete);
      RuleSet built = BuildRuleSet(roots, incomplete, reporter);
      set->name = std::move(built.name);
      set->mode = built.mode;
      set->on_stall = built.on_stall;
      set->stall_after_ns = built.stall_after_ns;
      set->rules = std::move(built.rules);
    }
  }
  set->revision = RevisionOf(set->files);
  result.readable = set;
  if (result.diagnostics.errors() == 0) result.rules = set;
  return result;
}

}  // namespace

LoadResult LoadRuleFiles(std::span<const std::string> paths, std::vector<SourceFile> first) {
  FileReader reader;
  reader.files = std::move(first);
  for (const std::string& path : paths) reader.Path(path);
  std::vector<SourceFile> files = std::move(reader.files);
  return Parse(std::move(files), reader);
}

LoadResult ParseRules(std::vector<SourceFile> files) {
  return Parse(std::move(files), FileReader());
}

}  // namespace kentry
