#include "engine/ops.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/shapes_only.h"
#include "engine/shard_turns.h"
#include "engine/trace.h"
#include "kernels/nn/batch_norm.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/group_norm.h"
#include "kernels/nn/max_pool.h"
#include "kernels/nn/reduce.h"
#include "kernels/nn/upsample.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

LevelShape map_shape(const Tensor& x) {
  const Shape& s = x.shape();
  DIOPTER_CHECK(s.rank() == 4, "a feature map is [N, H, W, C], not ", s.str());
  return {static_cast<int>(s[0]), static_cast<int>(s[1]), static_cast<int>(s[2])};
}

int channels_of(const Tensor& x) { return static_cast<int>(x.shape()[x.shape().rank() - 1]); }

Shape map_of(LevelShape level, int channels) { return {level.n, level.h, level.w, channels}; }

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

Tensor floats(const Tensor& beside, const Shape& shape) { return Tensor::empty(shape, DType::f32, beside.device()); }

const float* floats_or_null(const Tensor& x) { return x.defined() ? x.data<float>() : nullptr; }

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

void check_part(const char* name, const Tensor& part, const Shape& expected, const Shape& y) {
  DIOPTER_CHECK(!part.defined() || part.shape() == expected, "conv2d to ", y.str(), " with ", name, " ",
                part.shape().str());
}

/// The convolution of both overloads: rows in, rows out; y has the shape that the caller gives.
Variable conv2d_rows(const Variable& x, const Levels& levels, const Variable& w, const Conv2dParams& p,
                     const Shape& y_shape) {
  const Tensor xv = x.value(), wv = w.value_as(xv.dtype());
  const Conv2dShape shape{levels,   channels_of(xv), static_cast<int>(wv.shape()[0]), static_cast<int>(wv.shape()[1]),
                          p.stride, p.padding};
  Tensor y = Tensor::empty(y_shape, p.float_output ? DType::f32 : xv.dtype(), xv.device());
  const Tensor bias = p.bias.defined() ? p.bias.value() : Tensor();
  const Tensor residual = p.residual.defined() ? p.residual.value() : Tensor();
  check_part("bias", bias, {shape.out_channels}, y_shape);
  check_part("scale", p.scale, {shape.out_channels}, y_shape);
  check_part("residual", residual, y_shape, y_shape);
  const auto forward = [&](auto in, auto out) {
    using T = decltype(in);
    using Y = decltype(out);
    const Conv2dForwardArgs<T, Y> args{.shape = shape,
                                       .x = xv.data<T>(),
                                       .w = wv.data<T>(),
                                       .y = y.data<Y>(),
                                       .epilogue = {.scale = floats_or_null(p.scale),
                                                    .bias = floats_or_null(bias),
                                                    .residual = data_or_null<Y>(residual),
                                                    .relu = p.relu}};
    DIOPTER_DISPATCH(y.device(), conv2d_forward, args);
  };
  if (xv.dtype() == y.dtype()) {
    with_dtype(y.dtype(), [&](auto t) { forward(t, t); });
  } else {
    forward(bf16{}, float{});
  }
  if (ShapesOnly* shapes = ShapesOnly::current()) {
    const bool recorded = is_recorded({w, x, p.bias, p.residual});
    shapes->add({.shape = shape,
                 .input = xv.dtype(),
                 .output = y.dtype(),
                 .scale = p.scale.defined(),
                 .bias = bias.defined(),
                 .residual = residual.defined(),
                 .relu = p.relu,
                 .data_gradient = recorded && x.requires_gradient(),
                 .weight_gradient = recorded && w.requires_gradient()});
  }
  if (Trace* trace = Trace::current()) trace->add(traced::Convolution{xv, y, w, p});

  const Tensor kept = p.relu ? y : Tensor();
  return record(
      "conv2d", {w, x, p.bias, p.residual}, y,
      [dx = x.gradient(), dw = w.gradient(), db = p.bias.gradient(), dr = p.residual.gradient(),
       xv = w.requires_gradient() ? xv : Tensor(), wv, kept, scale = p.scale, shape](const Tensor& dy) {
        const bool through = dx || dw;
        const bool changes = kept.defined() || scale.defined();
        const Tensor dz = through && changes ? like(dy) : dy;
        const Tensor dresidual = dr && kept.defined() ? like(dy) : dy;
        const Tensor dbias = db ? floats(dy, {shape.out_channels}) : Tensor();
        with_dtype(dy.dtype(), [&](auto t) {
          using T = decltype(t);
          if (changes || db) {
            DIOPTER_DISPATCH(
                dy.device(), conv2d_epilogue_backward,
                Conv2dEpilogueBackwardArgs<T>{.rows = shape.out().rows(),
                                              .channels = shape.out_channels,
                                              .y = data_or_null<T>(kept),
                                              .scale = floats_or_null(scale),
                                              .dy = dy.data<T>(),
                                              .dz = through && changes ? dz.data<T>() : nullptr,
                                              .dresidual = dr && kept.defined() ? dresidual.data<T>() : nullptr,
                                              .dbias = data_or_null<float>(dbias)});
          }
        });
        if (db) db->accumulate(dbias);
        if (dr) dr->accumulate(dresidual);
        if (!through) return;
        const Tensor g = dz.cast(wv.dtype());
        with_dtype(g.dtype(), [&](auto t) {
          using T = decltype(t);
          if (dx) {
            Tensor gradient = Tensor::empty({shape.in.rows(), shape.in_channels}, g.dtype(), g.device());
            DIOPTER_DISPATCH(g.device(), conv2d_backward_data, shape, g.data<T>(), wv.data<T>(), gradient.data<T>());
            if (shape.in.count == 1 && dy.shape().rank() == 4) {
              gradient = gradient.reshape(map_of(shape.in.level[0], shape.in_channels));
            }
            dx->accumulate(gradient);
          }
          if (dw) {
            const Tensor gradient = floats(dy, wv.shape());
            DIOPTER_DISPATCH(g.device(), conv2d_backward_weight, shape, g.data<T>(), xv.data<T>(),
                             gradient.data<float>());
            dw->accumulate(gradient);
          }
        });
      });
}

/// Whether the window fits into every map with its padding.
bool window_fits(const Levels& levels, std::int64_t kernel, int stride, int padding) {
  bool fits = kernel >= 1 && stride >= 1 && padding >= 0;
  for (int l = 0; l < levels.count; ++l) {
    const LevelShape& level = levels.level[l];
    fits = fits && (level.rows() == 0 || std::min(level.h, level.w) + 2 * padding >= kernel);
  }
  return fits;
}

void check_weights(const Tensor& x, const Levels& levels, const Tensor& w, const Conv2dParams& p) {
  const Shape& s = w.shape();
  const bool fit = s.rank() == 4 && s[1] == s[2] && s[3] == channels_of(x);
  DIOPTER_CHECK(fit && window_fits(levels, s[1], p.stride, p.padding), "conv2d of ", x.shape().str(), " with weights ",
                s.str(), ", stride ", p.stride, ", padding ", p.padding);
}

/// An array of structures on a device, or none.
template <class S>
class Records {
 public:
  Records() = default;
  Records(std::int64_t n, Device device)
      : bytes_(Tensor::empty({n * static_cast<std::int64_t>(sizeof(S))}, DType::u8, device)) {}
  Records(const std::vector<S>& values, Device device) : Records(std::ssize(values), device) {
    bytes_.copy_from_host(values.data());
  }
  S* data() const { return bytes_.defined() ? static_cast<S*>(bytes_.raw()) : nullptr; }
  std::vector<S> on_host() const {
    std::vector<S> values(bytes_.bytes() / sizeof(S));
    std::memcpy(values.data(), bytes_.to_vector<std::uint8_t>().data(), bytes_.bytes());
    return values;
  }

 private:
  Tensor bytes_;
};

void check_norm(int channels, const Tensor& gamma, const Tensor& beta) {
  DIOPTER_CHECK(gamma.shape() == Shape{channels} && beta.shape() == Shape{channels}, "a norm of ", channels,
                " channels with weight ", gamma.shape().str(), " and bias ", beta.shape().str());
}

Variable group_norm_rows(const Variable& x, const Levels& levels, const Variable& gamma, const Variable& beta,
                         int groups, float eps, bool relu) {
  const Tensor xv = x.value();
  const int channels = channels_of(xv);
  check_norm(channels, gamma.value(), beta.value());
  DIOPTER_CHECK(groups >= 1 && channels % groups == 0, groups, " groups do not divide ", channels, " channels");
  std::int64_t images = 0;
  for (int l = 0; l < levels.count; ++l) images += levels.level[l].n;
  const Tensor y = like(xv), mean = floats(xv, {images, groups}), rstd = floats(xv, {images, groups});
  with_dtype(xv.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(xv.device(), group_norm_forward,
                     GroupNormForwardArgs<T>{.levels = levels,
                                             .channels = channels,
                                             .groups = groups,
                                             .x = xv.data<T>(),
                                             .gamma = gamma.value().data<float>(),
                                             .beta = beta.value().data<float>(),
                                             .eps = eps,
                                             .y = y.data<T>(),
                                             .mean = mean.data<float>(),
                                             .rstd = rstd.data<float>(),
                                             .relu = relu});
  });
  if (Trace* trace = Trace::current()) trace->add(traced::GroupNorm{xv, y, gamma, beta, groups, eps, relu});

  return record("group_norm", {gamma, x, beta}, y,
                [dx = x.gradient(), dgamma = gamma.gradient(), dbeta = beta.gradient(), xv, gammav = gamma.value(),
                 betav = beta.value(), mean, rstd, levels, channels, groups, relu](const Tensor& dy) {
                  const Tensor gradient = like(dy), dg = floats(dy, {channels}), db = floats(dy, {channels});
                  with_dtype(dy.dtype(), [&](auto t) {
                    using T = decltype(t);
                    DIOPTER_DISPATCH(dy.device(), group_norm_backward,
                                     GroupNormBackwardArgs<T>{.levels = levels,
                                                              .channels = channels,
                                                              .groups = groups,
                                                              .x = xv.data<T>(),
                                                              .dy = dy.data<T>(),
                                                              .gamma = gammav.data<float>(),
                                                              .mean = mean.data<float>(),
                                                              .rstd = rstd.data<float>(),
                                                              .dx = gradient.data<T>(),
                                                              .dgamma = dg.data<float>(),
                                                              .dbeta = db.data<float>(),
                                                              .relu = relu,
                                                              .beta = betav.data<float>()});
                  });
                  if (dx) dx->accumulate(gradient);
                  if (dgamma) dgamma->accumulate(dg);
                  if (dbeta) dbeta->accumulate(db);
                });
}

/// y = f(x), element by element.
Variable activation(const char* name, Activation f, const Variable& x) {
  const Tensor y = like(x.value());
  with_dtype(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), activation_forward, f, y.size(), x.value().data<T>(), y.data<T>());
  });
  if (Trace* trace = Trace::current()) trace->add(traced::ActivationOf{x.value(), y, f});

  return record(name, {x}, y, [dx = x.gradient(), f, y](const Tensor& dy) {
    const Tensor gradient = like(dy);
    with_dtype(dy.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(dy.device(), activation_backward, f, dy.size(), y.data<T>(), dy.data<T>(), gradient.data<T>());
    });
    dx->accumulate(gradient);
  });
}

}  // namespace

Tensor Pyramid::level(int l) const {
  return rows.value().slice(levels.offset(l), levels.offset(l + 1)).reshape(map_of(levels.level[l], channels()));
}

Variable conv2d(const Variable& x, const Variable& w, const Conv2dParams& p) {
  const Levels levels(map_shape(x.value()));
  check_weights(x.value(), levels, w.value(), p);
  const int out = static_cast<int>(w.shape()[0]);
  const Conv2dShape shape{levels, channels_of(x.value()), out, static_cast<int>(w.shape()[1]), p.stride, p.padding};
  return conv2d_rows(x, levels, w, p, map_of(shape.out().level[0], out));
}

Pyramid conv2d(const Pyramid& x, const Variable& w, const Conv2dParams& p) {
  check_weights(x.rows.value(), x.levels, w.value(), p);
  const int out = static_cast<int>(w.shape()[0]);
  const Conv2dShape shape{x.levels, x.channels(), out, static_cast<int>(w.shape()[1]), p.stride, p.padding};
  const Levels levels = shape.out();
  return {conv2d_rows(x.rows, x.levels, w, p, {levels.rows(), out}), levels};
}

Variable cast(const Variable& x, DType dtype) {
  if (dtype == x.value().dtype()) return x;
  return record("cast", {x}, x.value().cast(dtype),
                [dx = x.gradient(), from = x.value().dtype()](const Tensor& dy) { dx->accumulate(dy.cast(from)); });
}

Variable relu(const Variable& x) { return activation("relu", Activation::relu, x); }
Variable sigmoid(const Variable& x) { return activation("sigmoid", Activation::sigmoid, x); }
Pyramid relu(const Pyramid& x) { return {relu(x.rows), x.levels}; }

Variable add(const Variable& a, const Variable& b) {
  DIOPTER_CHECK(a.shape() == b.shape(), "sum of ", a.shape().str(), " and ", b.shape().str());
  const Tensor y = like(a.value());
  with_dtype(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), add, y.size(), a.value().data<T>(), b.value().data<T>(), y.data<T>());
  });
  if (Trace* trace = Trace::current()) trace->add(traced::Sum{a.value(), b.value(), y});

  return record("add", {a, b}, y, [da = a.gradient(), db = b.gradient()](const Tensor& dy) {
    if (da) da->accumulate(dy);
    if (db) db->accumulate(dy);
  });
}

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, const RunningStatistics& running,
                    float momentum, float eps, ShardTurns* shards) {
  const Tensor xv = x.value();
  const int channels = channels_of(xv);
  const std::int64_t rows = xv.size() / channels;
  check_norm(channels, gamma.value(), beta.value());
  const Tensor y = like(xv), mean = floats(xv, {channels}), rstd = floats(xv, {channels});
  Records<Moments<double>> moments;
  double all_rows = 0;
  const bool moves = !shards || shards->moves_statistics();
  with_dtype(xv.dtype(), [&](auto t) {
    using T = decltype(t);
    if (shards) {
      const Records<Moments<double>> own(channels, xv.device());
      DIOPTER_DISPATCH(xv.device(), batch_norm_moments, rows, channels, xv.data<T>(), own.data());
      const std::vector<Moments<double>> all = shards->add_up(own.on_host());
      moments = Records<Moments<double>>(all, xv.device());
      all_rows = all[0].n;
    }
    DIOPTER_DISPATCH(xv.device(), batch_norm_forward,
                     BatchNormForwardArgs<T>{.rows = rows,
                                             .channels = channels,
                                             .x = xv.data<T>(),
                                             .gamma = gamma.value().data<float>(),
                                             .beta = beta.value().data<float>(),
                                             .running_mean = moves ? running.mean.data<float>() : nullptr,
                                             .running_var = moves ? running.var.data<float>() : nullptr,
                                             .momentum = momentum,
                                             .eps = eps,
                                             .y = y.data<T>(),
                                             .mean = mean.data<float>(),
                                             .rstd = rstd.data<float>(),
                                             .moments = moments.data()});
  });

  return record("batch_norm", {gamma, x, beta}, y,
                [dx = x.gradient(), dgamma = gamma.gradient(), dbeta = beta.gradient(), xv, gammav = gamma.value(),
                 mean, rstd, rows, channels, shards, all_rows](const Tensor& dy) {
                  const Tensor gradient = like(dy), dg = floats(dy, {channels}), db = floats(dy, {channels});
                  with_dtype(dy.dtype(), [&](auto t) {
                    using T = decltype(t);
                    BatchNormBackwardArgs<T> args{.rows = rows,
                                                  .channels = channels,
                                                  .x = xv.data<T>(),
                                                  .dy = dy.data<T>(),
                                                  .gamma = gammav.data<float>(),
                                                  .mean = mean.data<float>(),
                                                  .rstd = rstd.data<float>(),
                                                  .dx = gradient.data<T>(),
                                                  .dgamma = dg.data<float>(),
                                                  .dbeta = db.data<float>()};
                    Records<NormProducts> own, total;
                    if (shards) {
                      own = Records<NormProducts>(channels, dy.device());
                      DIOPTER_DISPATCH(dy.device(), batch_norm_products, args, own.data());
                      total = Records<NormProducts>(shards->add_up(own.on_host()), dy.device());
                      args.own = own.data(), args.total = total.data(), args.total_rows = all_rows;
                    }
                    DIOPTER_DISPATCH(dy.device(), batch_norm_backward, args);
                  });
                  if (dx) dx->accumulate(gradient);
                  if (dgamma) dgamma->accumulate(dg);
                  if (dbeta) dbeta->accumulate(db);
                });
}

Variable channel_affine(const Variable& x, const Tensor& scale, const Tensor& shift) {
  const int channels = channels_of(x.value());
  check_norm(channels, scale, shift);
  const auto apply = [channels, scale](const Tensor& in, const Tensor& offset) {
    const Tensor out = like(in);
    with_dtype(in.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(in.device(), channel_affine, in.size() / channels, channels, scale.data<float>(),
                       floats_or_null(offset), in.data<T>(), out.data<T>());
    });
    return out;
  };
  const Tensor y = apply(x.value(), shift);
  if (Trace* trace = Trace::current()) trace->add(traced::ChannelAffine{x.value(), y, scale, shift});

  return record("channel_affine", {x}, y,
                [dx = x.gradient(), apply](const Tensor& dy) { dx->accumulate(apply(dy, Tensor())); });
}

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, int groups, float eps, bool relu) {
  return group_norm_rows(x, Levels(map_shape(x.value())), gamma, beta, groups, eps, relu);
}

Pyramid group_norm(const Pyramid& x, const Variable& gamma, const Variable& beta, int groups, float eps, bool relu) {
  return {group_norm_rows(x.rows, x.levels, gamma, beta, groups, eps, relu), x.levels};
}

Variable max_pool(const Variable& x, int kernel, int stride, int padding) {
  const MaxPoolShape shape{map_shape(x.value()), channels_of(x.value()), kernel, stride, padding};
  DIOPTER_CHECK(window_fits(Levels(shape.in), kernel, stride, padding) && kernel <= 15 && padding <= kernel / 2,
                "max_pool of ", x.shape().str(), " with kernel ", kernel, ", stride ", stride, ", padding ", padding);
  const Tensor y = Tensor::empty(map_of(shape.out(), shape.channels), x.value().dtype(), x.value().device());
  const Tensor tap = Tensor::empty(y.shape(), DType::u8, y.device());
  with_dtype(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), max_pool_forward, shape, x.value().data<T>(), y.data<T>(), tap.data<std::uint8_t>());
  });
  if (Trace* trace = Trace::current()) trace->add(traced::MaxPool{x.value(), y, kernel, stride, padding});

  return record("max_pool", {x}, y, [dx = x.gradient(), tap, shape](const Tensor& dy) {
    const Tensor gradient = Tensor::empty(map_of(shape.in, shape.channels), dy.dtype(), dy.device());
    with_dtype(dy.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(dy.device(), max_pool_backward, shape, tap.data<std::uint8_t>(), dy.data<T>(),
                       gradient.data<T>());
    });
    dx->accumulate(gradient);
  });
}

Variable upsample(const Variable& x, int height, int width) {
  const LevelShape in = map_shape(x.value());
  const int channels = channels_of(x.value());
  DIOPTER_CHECK(height >= in.h && width >= in.w, "upsampling of ", x.shape().str(), " to ", height, " x ", width);
  const Tensor y = Tensor::empty({in.n, height, width, channels}, x.value().dtype(), x.value().device());
  with_dtype(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), upsample_forward, in, channels, height, width, x.value().data<T>(), y.data<T>());
  });

  return record("upsample", {x}, y, [dx = x.gradient(), in, channels, height, width](const Tensor& dy) {
    const Tensor gradient = Tensor::empty(map_of(in, channels), dy.dtype(), dy.device());
    with_dtype(dy.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(dy.device(), upsample_backward, in, channels, height, width, dy.data<T>(), gradient.data<T>());
    });
    dx->accumulate(gradient);
  });
}

Variable upsample(const Variable& x, const Variable& like) {
  const LevelShape size = map_shape(like.value());
  const Variable y = upsample(x, size.h, size.w);
  if (Trace* trace = Trace::current()) trace->add(traced::Upsampling{x.value(), y.value(), like.value()});
  return y;
}

Pyramid concat_levels(const std::vector<Variable>& maps) {
  DIOPTER_CHECK(!maps.empty() && maps.size() <= kMaxLevels, maps.size(), " feature maps, 1 to ", kMaxLevels,
                " are possible");
  Levels levels;
  for (const Variable& map : maps) levels.level[levels.count++] = map_shape(map.value());
  const Tensor& first = maps[0].value();
  const int channels = channels_of(first);
  const Tensor y = Tensor::empty({levels.rows(), channels}, first.dtype(), first.device());
  for (int l = 0; l < levels.count; ++l) {
    DIOPTER_CHECK(channels_of(maps[l].value()) == channels, "levels of ", channels, " and ",
                  channels_of(maps[l].value()), " channels");
    y.slice(levels.offset(l), levels.offset(l + 1)).reshape(maps[l].shape()).copy_from(maps[l].value());
  }
  if (Trace* trace = Trace::current()) {
    std::vector<Tensor> values;
    for (const Variable& map : maps) values.push_back(map.value());
    trace->add(traced::Levels{values, y});
  }

  std::vector<std::shared_ptr<Gradient>> gradients;
  for (const Variable& map : maps) gradients.push_back(map.gradient());
  return {record("concat_levels", maps, y,
                 [gradients, levels, channels](const Tensor& dy) {
                   for (int l = 0; l < levels.count; ++l) {
                     if (!gradients[l]) continue;
                     gradients[l]->accumulate(
                         dy.slice(levels.offset(l), levels.offset(l + 1)).reshape(map_of(levels.level[l], channels)));
                   }
                 }),
          levels};
}

Variable sum(const Variable& x) {
  const Tensor y = floats(x.value(), {1});
  with_dtype(x.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), sum, x.value().size(), x.value().data<T>(), y.data<float>());
  });

  return record("sum", {x}, y, [dx = x.gradient(), shape = x.shape(), dtype = x.value().dtype()](const Tensor& dy) {
    const Tensor gradient = Tensor::empty(shape, dtype, dy.device());
    with_dtype(gradient.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(dy.device(), fill, gradient.size(), dy.item(), gradient.data<T>());
    });
    dx->accumulate(gradient);
  });
}

}  // namespace diopter
