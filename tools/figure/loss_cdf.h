// diopter figure loss-cdf: which examples carry the loss of a trained model.
#pragma once

#include <string>
#include <vector>

#include "kernels/detection/any_loss.h"
#include "tools/command/options.h"

namespace diopter {

/// The losses of a list of texts; an error names `option` and the text.
std::vector<AnyLoss> parse_losses(const std::vector<std::string>& texts, const std::string& option);

/// Adds --loss, which may be repeated.
void add_losses_option(Command& command, std::vector<std::string>& losses, const std::string& description);

/// Adds the subcommand loss-cdf to `figure`.
void add_loss_cdf_figure(Command& figure);

}  // namespace diopter
