// Classification losses as text: names and parameters for the command line, protocols, help and reports.
#pragma once

#include <string>
#include <vector>

#include "kernels/detection/any_loss.h"

namespace diopter {

/// The names of all losses.
std::vector<std::string> loss_names();

/// The key of a configuration that has the loss.
inline constexpr const char* kLossKey = "loss.kind";

/// "focal", or "focal:gamma=1,alpha=0.5": parameters that are not named have their defaults. Throws ConfigError with
/// the place `where` for an unknown name or parameter, naming the nearest, and for a value out of range.
AnyLoss parse_loss(const std::string& text, const std::string& where);

/// The loss with all its parameters: "focal:gamma=2,alpha=0.25". parse_loss reads the same values back.
std::string format_loss(const AnyLoss& loss);

/// Throws ConfigError with the place `where` for the first parameter out of its range.
void check_loss(const AnyLoss& loss, const std::string& where);

/// One line for each loss, its source on it, and one for each of its parameters: default, range and meaning.
std::string describe_losses();

}  // namespace diopter
