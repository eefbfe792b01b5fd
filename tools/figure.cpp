// diopter figure: the figures of Lin et al. 2017, for any loss and any model.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/text.h"
#include "kernels/detection/losses/focal_star.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/laboratory/loss_curves.h"
#include "tools/command/command.h"
#include "tools/figure/gnuplot.h"
#include "tools/figure/loss_cdf.h"

namespace diopter {

namespace {

struct FigureRequest {
  std::string out;
  std::vector<std::string> losses;
  std::vector<float> gammas = {1, 2, 3, 4}, betas = {-1, 0, 1, 2};
  bool negatives = false;
};

// The paper's curves carry no class weight: that of positives with alpha 1.
const std::vector<std::string> kOverProbability = {"focal:gamma=0,alpha=1", "focal:gamma=0.5,alpha=1",
                                                   "focal:gamma=1,alpha=1", "focal:gamma=2,alpha=1",
                                                   "focal:gamma=5,alpha=1"};
const std::vector<std::string> kOverLogit = {"ce", "focal:gamma=2,alpha=1", "focal_star:gamma=2,beta=1,alpha=1",
                                             "focal_star:gamma=4,beta=0,alpha=1"};

std::vector<std::string> titles_of(const std::vector<AnyLoss>& losses) {
  std::vector<std::string> titles;
  for (const AnyLoss& loss : losses) titles.push_back(format_loss(loss));
  return titles;
}

std::string table(const std::string& abscissa, const std::vector<std::string>& titles, const LossCurves& curves) {
  CsvText csv;
  csv << abscissa;
  for (const std::string& title : titles) csv << title;
  csv.end_line();
  for (std::size_t i = 0; i < curves.x.size(); ++i) {
    csv << curves.x[i];
    for (const std::vector<double>& y : curves.y) csv << y[i];
    csv.end_line();
  }
  return csv.text();
}

Figure curve_figure(const std::string& name, const std::string& axes, const std::string& abscissa,
                    const std::vector<AnyLoss>& losses, const LossCurves& curves) {
  const std::vector<std::string> titles = titles_of(losses);
  return {name, table(abscissa, titles, curves), axes + plot_columns(2, titles)};
}

void draw_losses(const FigureRequest& request) {
  const auto chosen = [&](const std::vector<std::string>& of_paper) {
    return parse_losses(request.losses.empty() ? of_paper : request.losses, "--loss ");
  };
  DIOPTER_CHECK(!request.losses.empty() || !request.negatives, "--negatives needs --loss");
  const std::vector<AnyLoss> by_p = chosen(kOverProbability), by_x = chosen(kOverLogit);
  const bool positive = !request.negatives;
  write_figures(request.out, {curve_figure("loss_over_p",
                                           "set xlabel 'p_t, probability of the truth'\nset ylabel 'loss'\n"
                                           "set xrange [0:1]\nset yrange [0:5]\n",
                                           "p_t", by_p, value_over_probability(by_p, positive)),
                              curve_figure("loss_over_x", "set xlabel 'x_t, logit of the truth'\nset ylabel 'loss'\n",
                                           "x_t", by_x, value_over_logit(by_x, positive)),
                              curve_figure("derivative_over_x",
                                           "set xlabel 'x_t, logit of the truth'\nset ylabel 'derivative of the loss'\n"
                                           "set key bottom right\n",
                                           "x_t", by_x, derivative_over_logit(by_x, positive))});
}

/// One panel for each gamma: FL* with each beta.
void draw_focal_star(const FigureRequest& request) {
  std::vector<AnyLoss> losses;
  for (const float gamma : request.gammas) {
    for (const float beta : request.betas) {
      losses.push_back(FocalStarLoss{gamma, beta, 1});
      check_loss(losses.back(), "figure fl-star");
    }
  }
  std::vector<std::string> titles;
  for (const float beta : request.betas) titles.push_back("beta = " + shortest(beta));
  const std::size_t panels = request.gammas.size(), rows = (panels + 1) / 2;
  std::string script = "set multiplot layout " + std::to_string(rows) +
                       ",2\n"
                       "set xlabel 'x_t'\nset ylabel 'FL*'\nset yrange [0:7]\n";
  for (std::size_t g = 0; g < panels; ++g) {
    script += "set title 'gamma = " + shortest(request.gammas[g]) + "'\n";
    script += plot_columns(2 + g * titles.size(), titles);
  }
  write_figures(request.out, {{"fl_star", table("x_t", titles_of(losses), value_over_logit(losses, true)),
                               script + "unset multiplot\n", 320 * static_cast<int>(rows)}});
}

void add_out(Command& command, FigureRequest& request) {
  command.text("--out", request.out, "Folder to write into").required().type("DIR");
}

}  // namespace

void add_figure_command(Command& program) {
  Command command = program.subcommand(
      "figure", "Draws the paper's figures, for any loss and model",
      "figure loss --out figures\n"
      "  diopter figure loss --loss ce --loss focal:gamma=3,alpha=0.25 --out figures\n"
      "  diopter figure loss-cdf --checkpoint run/checkpoints/best.safetensors --annotations val.json \\\n"
      "                          --images pictures --out figures\n\n"
      "Each figure is NAME.csv, NAME.gp and, where gnuplot is installed, NAME.svg: docs/figures.md.");
  command.require_subcommand();
  const auto request = std::make_shared<FigureRequest>();

  Command loss = command.subcommand("loss", "Loss against p_t, loss and derivative against x_t: figures 1, 5 and 6",
                                    "figure loss --loss focal:gamma=2,alpha=0.25 --loss hinge --out figures\n\n"
                                    "Without --loss the curves of the paper.");
  add_out(loss, *request);
  add_losses_option(loss, request->losses, "Loss to draw, may be repeated");
  loss.flag("--negatives", request->negatives, "Curves of negatives, weighted with 1 - alpha, instead of positives");
  loss.action([request] { draw_losses(*request); });

  Command star =
      command.subcommand("fl-star", "FL* against x_t for a grid of gamma and beta: figure 7",
                         "figure fl-star --gammas 1 2 4 --betas 0 1 --out figures\n\nWithout class weights.");
  add_out(star, *request);
  star.list("--gammas", request->gammas, "Steepnesses, a panel each").type("NUMBER");
  star.list("--betas", request->betas, "Shifts, a line each").type("NUMBER");
  star.action([request] { draw_focal_star(*request); });

  add_loss_cdf_figure(command);
}

}  // namespace diopter
