#include "tests/kernels/detection/loss_versions.h"

#include "kernels/detection/loss_list.h"

namespace diopter::test {

namespace {

template <class T, class Version>
ValueAndDerivative<T> call(const void* version, T x, bool positive) {
  return (*static_cast<const Version*>(version))(x, positive);
}

template <class Version>
LossVersion forget(const Version& version) {
  const auto copy = std::make_shared<Version>(version);
  return {{copy, call<double, Version>}, {copy, call<float, Version>}};
}

}  // namespace

LossVersions versions_of(const AnyLoss& loss) {
  LossVersions versions;
  visit_loss(loss, [&](const auto& l) {
    versions.general = forget(l);
    with_fast_version(l, [&]<class Fast>(const Fast& fast) {
      versions.fast = versions.gpu = forget(fast);
      versions.gpu.in_float.of = [](const void* version, float x, bool positive) {
        return loss_on_gpu(*static_cast<const Fast*>(version), x, positive);
      };
    });
  });
  return versions;
}

ValueAndDerivative<float> positive_loss_at(const AnyLoss& loss, float x, float quality) {
  ValueAndDerivative<float> at{};
  visit_loss(loss, [&](const auto& l) { at = positive_loss(l, x, quality); });
  return at;
}

}  // namespace diopter::test
