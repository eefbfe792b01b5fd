#include "tools/figure/loss_cdf.h"

#include <cstdio>
#include <memory>

#include "data/spread_sample.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/training/loss_distribution.h"
#include "tools/command/command.h"
#include "tools/command/model.h"
#include "tools/command/progress.h"
#include "tools/command/reading.h"
#include "tools/figure/gnuplot.h"

namespace diopter {

namespace {

struct Request {
  ModelRequest model;
  std::vector<std::string> annotations;
  std::string images, out;
  Reading reading;
  std::vector<std::string> losses = {"focal:gamma=0,alpha=-1", "focal:gamma=0.5,alpha=-1", "focal:gamma=1,alpha=-1",
                                     "focal:gamma=2,alpha=-1"};
  std::int64_t pictures = 0;
};

/// One kind of examples under one loss.
struct Row {
  bool positive;
  std::string loss;
  std::int64_t examples;
  LossDistribution distribution;
  HardestShares hardest;
};

std::vector<Row> rows_of(const ExampleLogits& logits, const std::vector<AnyLoss>& losses) {
  std::vector<Row> rows;
  for (const bool positive : {true, false}) {
    const LogitHistogram& examples = positive ? logits.positives : logits.negatives;
    for (const AnyLoss& loss : losses) {
      rows.push_back({positive, format_loss(loss), examples.count(), LossDistribution(examples, loss, positive),
                      hardest_shares(examples, loss, positive)});
    }
  }
  return rows;
}

const char* kind(const Row& row) { return row.positive ? "positives" : "negatives"; }

/// Fractions at which the curves are written: 1000 steps, the last of them in ten.
std::vector<double> fractions() {
  std::vector<double> result;
  for (int i = 0; i < 1000; ++i) result.push_back(i / 1000.0);
  for (int i = 9991; i <= 10000; ++i) result.push_back(i / 10000.0);
  return result;
}

Figure cdf_figure(const std::vector<Row>& rows) {
  CsvText csv;
  csv << "fraction";
  for (const Row& row : rows) csv << std::string(kind(row)) + " " + row.loss;
  csv.end_line();
  for (const double fraction : fractions()) {
    csv << fraction;
    for (const Row& row : rows) csv << row.distribution.easiest(fraction);
    csv.end_line();
  }
  std::vector<std::string> titles;
  for (std::size_t i = 0; i < rows.size() / 2; ++i) titles.push_back(rows[i].loss);
  std::string script = "set multiplot layout 2,1\nset key left top\nset yrange [0:1]\nset ylabel 'share of the loss'\n";
  script += "set xlabel 'share of the positives, easiest first'\n" + plot_columns(2, titles);
  script += "set xlabel 'share of the negatives, easiest first'\n" + plot_columns(2 + titles.size(), titles);
  return {"loss_cdf", csv.text(), script + "unset multiplot\n", 720};
}

std::string share_table(const std::vector<Row>& rows) {
  CsvText csv({"examples", "loss", "count", "total_loss", "loss_hardest_1", "loss_hardest_5", "loss_hardest_20",
               "gradient_hardest_1", "gradient_hardest_5", "gradient_hardest_20"});
  for (const Row& row : rows) {
    csv << kind(row) << row.loss << row.examples << row.distribution.total();
    for (const double share : row.hardest.loss) csv << share;
    for (const double share : row.hardest.gradient) csv << share;
    csv.end_line();
  }
  return csv.text();
}

void print_shares(const std::vector<Row>& rows) {
  std::printf("%-10s %-32s %12s   share of loss of the hardest   share of gradient\n", "", "loss", "count");
  std::printf("%-10s %-32s %12s   %8s %8s %8s   %6s %6s %6s\n", "", "", "", "1 %", "5 %", "20 %", "1 %", "5 %", "20 %");
  for (const Row& row : rows) {
    std::printf("%-10s %-32s %12lld   %8.4f %8.4f %8.4f   %6.4f %6.4f %6.4f\n", kind(row), row.loss.c_str(),
                static_cast<long long>(row.examples), row.hardest.loss[0], row.hardest.loss[1], row.hardest.loss[2],
                row.hardest.gradient[0], row.hardest.gradient[1], row.hardest.gradient[2]);
  }
}

void draw(const Request& request) {
  const std::vector<AnyLoss> losses = parse_losses(request.losses, "--loss ");
  for (const AnyLoss& loss : losses) {
    DIOPTER_CHECK(!hard_example_rule(loss), "--loss ", loss_name(loss),
                  ": trains on selected anchors, which a distribution over all of them does not show; take ce");
    DIOPTER_CHECK(!remembers_steps(loss), "--loss ", loss_name(loss),
                  ": weighs logits by the gradients of whole steps, which a distribution does not show; take ce");
  }
  const LoadedModel loaded = open_model(request.model);
  Dataset dataset =
      read_annotations(request.reading, request.annotations, request.images, loaded.classes, DatasetSplit::val);
  DIOPTER_CHECK(!dataset.images.empty(), name_of(request.annotations), ": has no pictures");
  if (request.pictures > 0) dataset = spread_sample(dataset, request.pictures);

  Progress progress("loss-cdf", static_cast<std::int64_t>(dataset.images.size()), "images");
  const ExampleLogits logits =
      example_logits(*loaded.model, dataset, [&](std::int64_t done) { progress.update(done); });
  DIOPTER_CHECK(logits.positives.count() > 0, name_of(request.annotations),
                ": no anchor is positive on these pictures");
  const std::vector<Row> rows = rows_of(logits, losses);
  write_figures(request.out, {cdf_figure(rows)});
  write_file_atomically(request.out + "/loss_shares.csv", share_table(rows));
  print_shares(rows);
}

}  // namespace

std::vector<AnyLoss> parse_losses(const std::vector<std::string>& texts, const std::string& option) {
  std::vector<AnyLoss> losses;
  for (const std::string& text : texts) losses.push_back(parse_loss(text, option + text));
  return losses;
}

void add_losses_option(Command& command, std::vector<std::string>& losses, const std::string& description) {
  command.repeated("--loss", losses, description).type("NAME:KEY=VALUE,...").default_in_words();
}

void add_loss_cdf_figure(Command& figure) {
  Command command = figure.subcommand(
      "loss-cdf", "Which examples carry the loss of a model: figure 4",
      "figure loss-cdf --checkpoint run/checkpoints/best.safetensors --annotations val.json --images pictures \\\n"
      "                          --out figures\n\n"
      "Also writes loss_shares.csv: what the hardest 1, 5 and 20 % carry of loss and gradient.");
  const auto request = std::make_shared<Request>();
  add_model_option(command, request->model, "Model to run").required();
  add_annotations_option(command, "--annotations", request->annotations,
                         "Ground truth: COCO instances file, or another format")
      .required();
  command.text("--images", request->images, "Folder of the pictures").type("DIR");
  add_reading_options(command, request->reading, "val");
  command.text("--out", request->out, "Folder to write into").required().type("DIR");
  add_losses_option(command, request->losses,
                    "Loss to share out, may be repeated; focal with gamma 0, 0.5, 1 and 2 if not given");
  command.number("--pictures", request->pictures, "Only so many, spread over the set; 0: all")
      .not_negative()
      .limits_in_words()
      .type("N");
  add_device_option(command, request->model.device);
  add_thread_option(command);
  command.action([request] { draw(*request); });
}

}  // namespace diopter
