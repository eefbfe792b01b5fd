# The stages of part 1, in the order in which they tell most: a list that run.sh reads. Their limits are seconds; those on a
# GPU add up to less than the part's.
part_limit=580

stage machine 15 machine
stage runtime 20 run_tests kernels_tests 'cuda *,recorded work*,transfer*,timeline*'
stage kernels 60 run_tests kernels_tests kernels
stage plans 60 plans
stage conv2d 90 run_tests kernels_tests 'conv2d*'
for kernel in classification_loss sgd adamw group_norm batch_norm conv2d top_k nms match; do
  stage "bench_$kernel" 11 bench_kernel "$kernel"
done
stage step_bf16 25 bench_step bf16 false
stage step_bf16_graph 25 bench_step bf16 true
stage step_float 25 bench_step float false
stage train_float 20 train cuda
stage train_cpu 20 train cpu
stage train_float_like_cpu 3 compare_devices
stage train_bf16 20 train cuda --set train.precision=bf16
stage train_bf16_like_float 3 compare_precisions
stage train_graph 20 train cuda --set train.cuda_graph=true
stage train_graph_like_float 3 compare_graph
stage engine 30 run_tests engine_tests '~"Pickle*"~"torch files*"'  # readers of files: nothing of them runs on a GPU
stage retinanet 40 run_tests retinanet_tests 'device*,precision*,step graphs*,golden*'
