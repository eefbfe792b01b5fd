// Classification losses as text: names and parameters for the command line, protocols, help and reports.
#pragma once

#include <string>
#include <vector>

#include "kernels/detection/loss_list.h"

namespace diopter {

/// The names of all losses.
std::vector<std::string> loss_names();

/// "focal", or "focal:gamma=1,alpha=0.5": parameters that are not named have their defaults. Throws Error, its message
/// beginning with `where`, for an unknown name or parameter, naming the nearest, and for a value out of range.
AnyLoss parse_loss(const std::string& text, const std::string& where);

/// The loss with all its parameters: "focal:gamma=2,alpha=0.25". parse_loss reads the same values back.
std::string format_loss(const AnyLoss& loss);

/// Throws Error naming the first parameter out of its range, after `prefix`.
void check_loss(const AnyLoss& loss, const std::string& prefix);

/// One line for each loss, its source on it, and one for each of its parameters: default, range and meaning.
std::string describe_losses();


}  // namespace diopter
