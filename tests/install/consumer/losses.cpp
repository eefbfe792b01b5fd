// The losses of the installed library, and the backbone of a preset.
#include <cstdio>

#include "kernels/detection/any_loss.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/presets.h"

int main() {
  for (const diopter::AnyLoss& loss : diopter::all_losses()) {
    std::printf("%s = %g at logit 1\n", diopter::format_loss(loss).c_str(), diopter::loss_at(loss, 1, true).value);
  }
  return diopter::preset("small").model.backbone == "tiny" ? 0 : 1;
}
