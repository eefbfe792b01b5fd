// Style sheet of the reports.
#pragma once

namespace diopter {

/// CSS without the characters that markup escapes. Series of charts have the classes s0 to s7: colours that stay apart
/// for the colour-blind (Okabe and Ito 2008), and dashes.
inline constexpr const char* kStyle = R"(
:root{--page:#fff;--text:#1c1f24;--faint:#5c636e;--line:#d9dde3;--box:#f4f6f8;--good:#0b6e4f;--bad:#b3261e;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b08a00;--c5:#3a8fc4;--c6:#6b5b95;--c7:#555}
@media (prefers-color-scheme:dark){
:root{--page:#15181c;--text:#e6e8eb;--faint:#9aa3ae;--line:#353b43;--box:#1e2329;--good:#5fd0a5;--bad:#ff8a80;
--c0:#56b4e9;--c1:#ff9142;--c2:#2fc79b;--c3:#e39bc4;--c4:#e6c229;--c5:#8ecdf5;--c6:#b3a4de;--c7:#bbb}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:16px}
h1{font-size:1.5rem;line-height:1.25;margin:.4em 0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2em 0 .6em;border-bottom:1px solid var(--line);padding-bottom:.2em}
p,li,dd{overflow-wrap:anywhere;max-width:75ch}
.faint{color:var(--faint);font-size:.9rem}
.state{border-left:4px solid var(--good);background:var(--box);padding:.6em .9em;overflow-wrap:anywhere}
.state.bad{border-color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));gap:8px;margin:16px 0}
.tile{background:var(--box);border-radius:6px;padding:8px 12px}
.tile b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.tile span{color:var(--faint);font-size:.85rem}
.charts,.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:20px 28px;
align-items:start}
.pictures{gap:12px}
.pictures img{display:block;width:100%;height:auto;border-radius:4px}
.crops{display:grid;grid-template-columns:repeat(auto-fill,minmax(120px,1fr));gap:12px;align-items:end;margin:8px 0}
.crops img{display:block;max-width:100%;height:auto;margin:0 auto}
.crops figcaption{color:var(--faint);font-size:.8rem;margin:2px 0 0}
figure{margin:0;min-width:0}
figcaption{font-size:.9rem;margin-bottom:4px;overflow-wrap:anywhere}
.pictures figcaption{color:var(--faint);margin:2px 0 0}
.legend{display:flex;flex-wrap:wrap;gap:0 14px;font-size:.85rem;color:var(--faint)}
.legend svg{width:24px;height:10px;vertical-align:middle;margin-right:5px}
svg.chart{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:12px;fill:var(--faint)}
svg text.label{fill:var(--text)}
.grid{stroke:var(--line);stroke-width:1}
.zero{stroke:var(--faint);stroke-width:1.2;stroke-dasharray:3 3}
.curve{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.mark{fill:var(--c)}
.dot{fill:var(--page);stroke:var(--c);stroke-width:1.2}
.bar{stroke:var(--c);stroke-width:2.4}
.s0{--c:var(--c0)}.s1{--c:var(--c1);stroke-dasharray:7 2}.s2{--c:var(--c2);stroke-dasharray:2 2}
.s3{--c:var(--c3);stroke-dasharray:8 2 2 2}
.s4{--c:var(--c4);stroke-dasharray:10 3}.s5{--c:var(--c5);stroke-dasharray:4 2}
.s6{--c:var(--c6);stroke-dasharray:1 3}.s7{--c:var(--c7);stroke-dasharray:12 3 2 3}
.mark,.dot,.bar{stroke-dasharray:none}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px;margin:8px 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
thead th{background:var(--box);font-weight:600}
tbody tr:last-child th,tbody tr:last-child td{border-bottom:0}
th:first-child{text-align:left;font-weight:500}
tbody th{position:sticky;left:0;background:var(--page);max-width:50vw;white-space:normal;overflow-wrap:break-word}
h3{font-size:1rem;margin:1em 0 .3em}
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:4px 16px;margin:8px 0}
dt{color:var(--faint)}
dd{margin:0;min-width:0}
code,pre{font-family:ui-monospace,monospace;font-size:.85rem}
ul{padding-left:1.3em;margin:8px 0}
pre{background:var(--box);padding:10px 12px;border-radius:6px;overflow-x:auto;margin:8px 0}
pre.command{white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:8px 0}
summary{cursor:pointer}
a{color:var(--c0)}
)";

}  // namespace diopter
