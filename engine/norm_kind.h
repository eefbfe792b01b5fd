// Kinds of normalisation.
#pragma once

namespace diopter {

/// sync_batch: batch norm whose statistics are those of all shards of a batch.
enum class NormKind { none, batch, sync_batch, frozen_batch, group };

}  // namespace diopter
