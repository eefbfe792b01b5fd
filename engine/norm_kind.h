// Kinds of normalisation.
#pragma once

namespace diopter {

enum class NormKind { none, batch, frozen_batch, group };

}  // namespace diopter
