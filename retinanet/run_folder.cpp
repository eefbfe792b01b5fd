#include "retinanet/run_folder.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/common/atomic_file.h"

namespace diopter {

namespace {

constexpr const char* kHeader =
    "iteration,seconds,lr,loss,classification_loss,box_loss,positives,gradient_norm,images_per_second,peak_memory_mib,"
    "AP,AP50,AP75,APs,APm,APl,AR1,AR10,AR100,ARs,ARm,ARl,"
    "negatives_loss_1,negatives_loss_5,negatives_loss_20,negatives_gradient_1,negatives_gradient_5,negatives_gradient_20\n";

std::string metrics_file(const std::string& folder) { return folder + "/metrics.csv"; }

void append(const std::string& folder, const std::string& line) {
  const std::string file = metrics_file(folder);
  const bool fresh = !std::filesystem::exists(file);
  std::ofstream out(file, std::ios::app);
  if (fresh) out << kHeader;
  out << line << '\n' << std::flush;
  DIOPTER_CHECK(out, file, ": cannot write");
}

}  // namespace

std::string last_checkpoint(const std::string& folder) { return folder + "/checkpoints/last.safetensors"; }
std::string best_checkpoint(const std::string& folder) { return folder + "/checkpoints/best.safetensors"; }

void create_run_folder(const std::string& folder) {
  DIOPTER_CHECK(!std::filesystem::exists(last_checkpoint(folder)), folder,
                ": holds a run already; go on with --resume or choose another folder");
  std::error_code error;
  for (const char* part : {"/checkpoints", "/pictures"}) {
    std::filesystem::create_directories(folder + part, error);
    DIOPTER_CHECK(!error, folder, part, ": cannot be made: ", error.message());
  }
  std::filesystem::remove(metrics_file(folder), error);
}

void append_step(const std::string& folder, const StepReport& s) {
  std::ostringstream line;
  line << s.iteration << ',' << s.seconds << ',' << s.lr << ',' << s.classification_loss + s.box_loss << ','
       << s.classification_loss << ',' << s.box_loss << ',' << s.positives << ',' << s.gradient_norm << ','
       << s.images_per_second << ',' << s.peak_memory_mib << ",,,,,,,,,,,,";
  if (s.hardest_negatives) {
    for (const double share : s.hardest_negatives->loss) line << ',' << share;
    for (const double share : s.hardest_negatives->gradient) line << ',' << share;
  } else {
    line << ",,,,,,";
  }
  append(folder, line.str());
}

void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics) {
  std::ostringstream line;
  line << iteration << ",,,,,,,,,";
  for (double value : metrics.stats) line << ',' << value;
  line << ",,,,,,";
  append(folder, line.str());
}

void truncate_metrics(const std::string& folder, std::int64_t iteration) {
  std::ifstream in(metrics_file(folder));
  if (!in) return;
  std::string kept, line;
  while (std::getline(in, line)) {
    const bool header = line.empty() || line[0] < '0' || line[0] > '9';
    if (header || std::stoll(line) <= iteration) kept += line + '\n';
  }
  write_file_atomically(metrics_file(folder), kept);
}

}  // namespace diopter
