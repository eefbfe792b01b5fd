# gnuplot docs/focal_loss_study/prior_map.gp, in the repository's root: draws docs/images/prior_map.png from the runs of
# prior_map.toml, means of two seeds.
runs = "docs/focal_loss_study/results/prior_map.runs.csv"
# "LOSS LEARNING_RATE PRIOR AP", a line per cell of the grid
cells = "awk -F, '$3 == \"tuning\" {split($5, p, \"model.prior=\"); k = $4 \" \" $6 \" \" p[2]; s[k] += 100 * $10; n[k]++} \
         END {for (k in s) print k, s[k] / n[k]}' " . runs
of(loss) = "< " . cells . " | awk '$1 == \"" . loss . "\"'"
best(loss) = of(loss) . " | awk '$4 > b[$3] {b[$3] = $4} END {for (p in b) print p, b[p]}' | sort -g"
set terminal pngcairo size 1080,340 font "sans,10"
set output "docs/images/prior_map.png"
set multiplot layout 1,3
set logscale xy
set format x "%g"
set format y "%g"
set xlabel "prior"
set xtics ("0.0003" 0.0003, "0.001" 0.001, "0.0036" 0.0036, "0.01" 0.01, "0.03" 0.03, "0.077" 0.077, "0.2" 0.2, "0.5" 0.5) rotate by 45 right
set ylabel "learning rate"
set ytics (0.025, 0.05, 0.1, 0.2, 0.4)
set xrange [0.00017:0.9]
set yrange [0.018:0.56]
unset key
unset colorbox
set palette defined (0 "#440154", 20 "#3b528b", 40 "#21918c", 55 "#5ec962", 65 "#fde725")
set cbrange [0:60]
do for [loss in "ce focal"] {
  set title (loss eq "ce" ? "cross-entropy: AP" : "focal loss, gamma 2, alpha 0.25: AP")
  plot of(loss) using 3:2:4 with points pointtype 5 pointsize 4.6 linecolor palette, \
       of(loss) using 3:($4 < 40 ? $2 : NaN):(sprintf("%.0f", $4)) with labels textcolor rgb "white", \
       of(loss) using 3:($4 < 40 ? NaN : $2):(sprintf("%.0f", $4)) with labels textcolor rgb "black"
}
unset logscale y
set title "best rate of each prior"
set ylabel "AP"
set ytics autofreq
set yrange [*:*]
set key bottom center
set grid
set arrow from 0.0036, graph 0 to 0.0036, graph 1 nohead dashtype 2 linecolor rgb "#0072b2"
set arrow from 0.077, graph 0 to 0.077, graph 1 nohead dashtype 2 linecolor rgb "#d55e00"
plot best("ce") using 1:2 with linespoints pointtype 7 linewidth 2 linecolor rgb "#0072b2" title "cross-entropy", \
     best("focal") using 1:2 with linespoints pointtype 5 linewidth 2 linecolor rgb "#d55e00" title "focal loss", \
     NaN with lines dashtype 2 linecolor rgb "#555555" title "balance"
