// diopter report: makes report.html of a run or a study anew from its folder.
#include <cstdio>
#include <memory>
#include <string>

#include "kernels/base/check.h"
#include "kernels/base/folder_lock.h"
#include "retinanet/report/run_report.h"
#include "retinanet/report/study_report.h"
#include "tools/command/command.h"

namespace diopter {

namespace {

/// Of its own: a report may be made while the run goes on.
constexpr const char* kReportLock = ".report.lock";

void report(const std::string& folder) {
  if (Study::exists(folder)) {
    const FolderLock lock(folder, kReportLock);
    write_study_report(Study::open(folder));
  } else {
    DIOPTER_CHECK(is_run_folder(folder), folder,
                  ": is no folder of diopter train (with config.toml) or diopter compare (with protocol.toml)");
    const FolderLock lock(folder, kReportLock);
    write_run_report(folder);
  }
  std::printf("%s/report.html\n", folder.c_str());
}

}  // namespace

void add_report_command(Command& program) {
  Command command =
      program.subcommand("report", "Makes report.html of a training run or a comparison anew",
                         "report run\n\n"
                         "diopter train and diopter compare write it themselves. What is in it: docs/report.md.");
  const auto folder = std::make_shared<std::string>();
  command.text("folder", *folder, "Folder of diopter train or diopter compare").required().type("FOLDER");
  command.action([folder] { report(*folder); });
}

}  // namespace diopter
