#include "retinanet/c_api/loss_names.h"

#include <string>
#include <vector>

#include "kernels/base/did_you_mean.h"
#include "retinanet/c_api/call.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/names.h"

namespace diopter::c_api {

namespace {

AnyLoss parsed_loss(const char* text) {
  AnyLoss loss;
  try {
    loss = parse_loss(text, "loss");
  } catch (const Error& error) {
    throw BadArgument(error.what());
  }
  require(!hard_example_rule(loss), "loss: ", loss_name(loss),
          " selects hard examples, for which it needs more than logits and labels; must be another loss");
  require(!remembers_steps(loss), "loss: ", loss_name(loss),
          " weighs logits by the gradients of steps before, for which it needs more than logits and labels; must be "
          "another loss");
  return loss;
}

}  // namespace

AnyLoss classification_loss_of(const char* text) {
  require(text, "loss: is null, must be a loss as --loss takes it, such as \"focal:gamma=2\"");
  // Remembered: reading the text takes longer than a call does otherwise, and callers say the same again and again.
  static thread_local std::string last;
  static thread_local AnyLoss loss;
  if (last != text) {
    loss = parsed_loss(text);
    last = text;
  }
  return loss;
}

BoxLoss box_loss_of(const char* name) {
  require(name, "loss: is null, must be a box loss, such as \"giou\"");
  std::vector<std::string> known;
  for (const Named<BoxLoss>& loss : kBoxLosses) {
    if (std::string(name) == loss.name) return loss.value;
    known.push_back(loss.name);
  }
  throw BadArgument("loss: unknown box loss " + std::string(name) + hint_with_list(name, known));
}

}  // namespace diopter::c_api
