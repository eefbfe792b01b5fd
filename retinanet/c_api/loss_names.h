// Losses of the C interface by their names.
#pragma once

#include "kernels/detection/any_loss.h"
#include "kernels/detection/box_loss.h"

namespace diopter::c_api {

/// The loss of a text as --loss takes it. Throws BadArgument naming `loss` for null, for what is none, and for losses
/// that need more than logits and targets.
AnyLoss classification_loss_of(const char* text);

/// The box loss of a name. Throws BadArgument naming `loss`.
BoxLoss box_loss_of(const char* name);

}  // namespace diopter::c_api
