# gnuplot docs/focal_loss_study/gamma_rho.gp, in the repository's root: draws gamma against the imbalance from the tables of those
# gamma_rho protocols that have run (of the files of single runs no line begins as the tables' lines do).
files = "docs/focal_loss_study/results/gamma_rho_*.csv"
# "RHO GAMMA AP DIFFERENCE LOW HIGH", a line per contestant
rows = "awk -F, '$2 ~ /^gamma_/ {rho = FILENAME; sub(/.*gamma_rho_/, \"\", rho); sub(/.csv/, \"\", rho); \
        print rho, substr($2, 7), $6, $14 + 0, $15 + 0, $16 + 0}' " . files
of(gamma) = "< " . rows . " | awk '$2 == " . gamma . "' | sort -g"
best = "< " . rows . " | awk '!($1 in b) || $3 > b[$1] {b[$1] = $3; g[$1] = $2} END {for (r in g) print r, g[r]}' | sort -g"
set terminal pngcairo size 980,360 font "sans,11"
set output "docs/images/gamma_rho.png"
set multiplot layout 1,2
set logscale x
set xlabel "imbalance: classes x negatives / positives"
set xrange [80:100000]
set xtics ("130" 130, "280" 280, "7,650" 7650, "54,700" 54700)
set grid ytics linecolor rgb "#dddddd"
set ylabel "AP more than gamma 0, 95 % intervals"
set key bottom left
set arrow from graph 0, first 0 to graph 1, first 0 nohead linecolor rgb "#555555"
rho(x) = x == 50000 ? 54700 : x  # the protocol is named after what was aimed at
plot of("0.5") using (rho($1) * 0.85):4:5:6 with yerrorlines pointtype 7 linewidth 2 linecolor rgb "#56b4e9" title "gamma 0.5", \
     of("1") using (rho($1) * 0.95):4:5:6 with yerrorlines pointtype 7 linewidth 2 linecolor rgb "#0072b2" title "gamma 1", \
     of("2") using (rho($1) * 1.05):4:5:6 with yerrorlines pointtype 5 linewidth 2 linecolor rgb "#d55e00" title "gamma 2", \
     of("4") using (rho($1) * 1.15):4:5:6 with yerrorlines pointtype 9 linewidth 2 linecolor rgb "#999999" title "gamma 4"
unset arrow
unset key
set ylabel "gamma with the best mean AP"
set yrange [-0.3:4.3]
set ytics ("0" 0, "0.5" 0.5, "1" 1, "2" 2, "4" 4)
plot best using (rho($1)):2 with linespoints pointtype 7 pointsize 1.5 linewidth 2 linecolor rgb "#0072b2"
