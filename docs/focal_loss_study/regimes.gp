# gnuplot docs/focal_loss_study/regimes.gp, in the repository's root: draws docs/images/focal_loss_study.png.
set terminal pngcairo size 900,330 font "sans,11"
set output "docs/images/focal_loss_study.png"
set datafile separator ","
set xlabel "AP of focal loss - cross-entropy, paired over seeds, 95 % intervals"
set grid xtics linecolor rgb "#dddddd"
set arrow from 0, graph 0 to 0, graph 1 nohead dashtype 2 linecolor rgb "#555555"
set yrange [5.6:-0.6]
set ytics scale 0
unset key
plot "docs/focal_loss_study/regimes.csv" using 2:0:3:4:ytic(1) skip 1 with xerrorbars pointtype 7 linewidth 2 linecolor rgb "#0072b2"
