// SPDX-License-Identifier: Apache-2.0
// What TextEncoder writes of events about files, and about other processes.
#include "exporters/encode/text.h"
#include "fmt/format.h"

namespace kentry {

using enum FieldId;

void TextEncoder::WriteFileOpen(Line& line) const {
  line.Word(Text(kFilePath));
  const bool denied = Text(kAlertVerdict) == "denied";
  line.Text(!Flag(kFileCreated) ? "" : denied ? " not created" : " created");
  line.Text(Flag(kFileWrite) ? " for writing" : Flag(kFileRead) ? " for reading" : "");
  WriteAlias(line);
}

// By what name the rules know it, and who did it.
void TextEncoder::WriteAlias(Line& line) const {
  if (!Text(kFileAliases).empty()) {
    line.Text(" (known as ");
    const std::string_view aliases = Text(kFileAliases);
    line.Word(aliases.substr(0, aliases.find('\0')));
    line.Text(")");
  }
  line.Text(" by ");
  line.Word(Text(kProcessBinary));
}

void TextEncoder::WriteChange(EventClass cls, Line& line) const {
  if (Text(kAlertVerdict) != "denied") line.Text("(tried) ");
  if (Flag(kFileAnonymous)) {
    line.Text("anonymous memory");
  } else {
    line.Word(Text(kFilePath));
  }
  switch (cls) {
    case EventClass::kFileRename:
      line.Text(Flag(kFileExchanges) ? " exchanged with " : " to ");
      line.Word(Text(kFileNewPath));
      if (Flag(kFileReplaces)) line.Text(", replacing it");
      break;
    case EventClass::kFileLink:
      line.Text(" also as ");
      line.Word(Text(kFileNewPath));
      break;
    case EventClass::kFileSymlink:
      line.Text(" to ");
      line.Word(Text(kFileLinkTarget));
      break;
    case EventClass::kFileSetxattr:
      line.Text(" ");
      line.Word(Text(kFileXattr));
      break;
    case EventClass::kFileChmod:
      line.Text(fmt::format(" {:04o} to {:04o}", Number(kFileMode) & 07777, Number(kFileNewMode)));
      break;
    case EventClass::kFileMkdir:
    case EventClass::kFileMknod:
      line.Text(fmt::format(" mode {:04o}", Number(kFileNewMode) & 07777));
      break;
    case EventClass::kFileChown:
      WriteOwner(line);
      break;
    case EventClass::kFileMmapExec:
      line.Text(Flag(kFileWritable) ? " executable and writable" : " executable");
      break;
    default:
      break;
  }
  WriteAlias(line);
}

void TextEncoder::WriteOwner(Line& line) const {
  constexpr uint64_t kStays = 0xffffffff;
  line.Text(" to ");
  if (Number(kFileNewUid) != kStays) line.Number(Number(kFileNewUid));
  line.Text(":");
  if (Number(kFileNewGid) != kStays) line.Number(Number(kFileNewGid));
}

void TextEncoder::WriteDeed(EventClass cls, Line& line) const {
  if (Text(kAlertVerdict) != "denied") line.Text("(tried) ");
  if (cls == EventClass::kProcessBpf) {
    if (Flag(kBpfSensor)) line.Text("the sensor's ");
    line.Text(Text(kBpfObject));
    line.Put(" ", 1);
    line.Number(Number(kBpfId));
    line.Put(" ", 1);
    line.Word(Text(kBpfName));
    line.Text(" by ");
    return line.Word(Text(kProcessBinary));
  }
  if (cls == EventClass::kProcessPtrace) {
    line.Text(Flag(kPtraceTraceme) ? "offer to " : Flag(kPtraceAttach) ? "attach to " : "read of ");
  } else {
    if (Text(kSignalName).empty()) {
      line.Number(Number(kSignalNumber));
    } else {
      line.Text(Text(kSignalName));
    }
    line.Text(" to ");
  }
  line.Number(Number(kTargetPid));
  line.Put(" ", 1);
  line.Word(Text(kTargetBinary).empty() ? Text(kTargetName) : Text(kTargetBinary));
  line.Text(" by ");
  line.Word(Text(kProcessBinary));
}

}  // namespace kentry
