"""The one style block of the reports: light, 4.5:1 contrast, safe for colour-blind readers, printable.

Everything is styled by class: the page's policy forbids style attributes.
"""

STYLE = """
:root{color-scheme:light;--ink:#1b2430;--soft:#4d5a6a;--line:#d5dbe3;--paper:#fff;--ground:#f4f6f9;
--blue:#005a9c;--orange:#b34700;--band:#cfe3f5}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main{max-width:1240px;margin:0 auto;padding:0 20px}
header{padding-top:24px}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px}
h2{font-size:1.1rem;line-height:1.3;margin:0}
p{margin:0}
.status{color:var(--soft)}
.status strong{color:var(--ink)}
.banner{margin-top:14px;padding:10px 14px;border:1px solid #8a5a00;border-left-width:6px;border-radius:6px;
background:#fff4d6;color:#4a3000}
.alarm{border-color:#a01d26;background:#fdeaea;color:#6b0f16}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:18px 20px;
margin:0;min-width:0}
main{display:grid;grid-template-columns:1fr 1fr;gap:16px;padding-top:16px;padding-bottom:32px;
grid-auto-flow:dense}
.wide{grid-column:1/-1}
.takeaway{color:var(--soft);margin:2px 0 12px;max-width:100ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:0;padding:0;
list-style:none}
.tile{background:var(--ground);border:1px solid var(--line);border-radius:8px;padding:14px 16px;display:flex;
flex-direction:column}
.tile .name{color:var(--soft);font-size:.9rem}
.tile .value{font-size:2rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.tile .note{font-size:.85rem;color:var(--soft);margin-bottom:8px}
.tile svg{margin-top:auto;width:100%;height:36px}
.tile .caption{font-size:.8rem;color:var(--soft)}
.scroll{overflow-x:auto}
.scroll+.scroll,.bars+.scroll{margin-top:14px}
.remark{font-size:.85rem;color:var(--soft);margin:0 0 8px}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:.85rem;color:var(--soft);padding-bottom:6px}
caption span{position:sticky;left:0;display:inline-block;max-width:calc(100vw - 56px)}
th,td{padding:6px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{color:var(--soft);font-weight:600;border-bottom:2px solid var(--line);vertical-align:bottom}
tbody th{font-weight:600}
.n{text-align:right;white-space:nowrap}
.t{white-space:nowrap}
details{margin-top:12px}
details .scroll{max-height:340px;overflow-y:auto;margin-top:8px}
summary{cursor:pointer;color:var(--blue);font-size:.9rem;width:fit-content}
a{color:var(--blue)}
.facts td{overflow-wrap:anywhere;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.8rem}
.facts th,.months th{white-space:nowrap}
.heat i{font-style:normal;color:var(--soft);font-size:.8rem}
.badge{display:inline-block;padding:0 8px;border-radius:4px;border:1px solid currentColor;font-weight:700;
white-space:nowrap}
.SEV1{background:#8f1119;color:#fff;border-color:#8f1119}
.SEV2{background:#fdeaea;color:#8f1119}
.SEV3{background:#fff4d6;color:#6b4500}
.surges td .key{display:block;font:.75rem/1.4 ui-monospace,Menlo,Consolas,monospace;color:var(--soft)}
.surges .words{min-width:17rem}
.surges .drivers{display:block;color:var(--soft);font-size:.85rem}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.85rem;color:var(--soft);margin:0 0 8px;padding:0;
list-style:none}
.legend svg{width:26px;height:12px;margin-right:6px;vertical-align:-1px}
.chart svg{display:block;width:100%;min-width:660px;height:auto}
.chart text{font-size:12px;fill:var(--soft)}
.chart .mark{fill:#8f1119;font-weight:700}
.grid{stroke:#e6eaf0;stroke-width:1}
.line{fill:none;stroke:var(--blue);stroke-width:1.8;stroke-linejoin:round}
.usual{fill:none;stroke:#4d5a6a;stroke-width:1.4;stroke-dasharray:5 4}
.ahead{fill:none;stroke:#4d5a6a;stroke-width:1.8;stroke-dasharray:1.5 4;stroke-linecap:round}
.band{fill:var(--band);stroke:none}
.next{fill:#e3e6ea;stroke:none}
.over{fill:var(--orange);stroke:#fff;stroke-width:1}
.surge{fill:#8f1119;fill-opacity:.09}
.edge{stroke:#8f1119;stroke-width:3}
.now{stroke:#1b2430;stroke-width:1;stroke-dasharray:2 3}
.spark{fill:none;stroke:var(--blue);stroke-width:1.6;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.base{stroke:var(--line);vector-effect:non-scaling-stroke}
.bars{display:grid;gap:7px}
.bar{display:grid;grid-template-columns:minmax(7rem,30%) 1fr minmax(3rem,auto);gap:2px 12px;align-items:center;
font-size:.9rem}
.bar svg{width:100%;height:22px;display:block}
.bar .n{font-variant-numeric:tabular-nums;text-align:right;min-width:9.5rem}
.bar.whole{grid-template-columns:minmax(7rem,30%) 1fr 3.5rem}
.bar.whole .n{min-width:0}
.bar text{font-size:11px;dominant-baseline:central;text-anchor:middle}
.fill{fill:#2f7fc1}.before{stroke:#1b2430;stroke-width:3}
.negative{fill:#8f3a00}.neutral{fill:#c3cad3}.positive{fill:#8cc2ea}
.unmeasured{fill:#fff;stroke:#66727f;stroke-dasharray:3 2}
.s1{fill:#e3edf7;stroke:#6f8fae;stroke-width:.5}.s2{fill:#b3d0ea}.s3{fill:#74add9}.s4{fill:#235f9e}.s5{fill:#0a2a52}
text.on-negative,text.on-s4,text.on-s5{fill:#fff}
text.on-neutral,text.on-positive,text.on-unmeasured,text.on-s1,text.on-s2,text.on-s3{fill:#1b2430}
.heat td{text-align:right;white-space:nowrap;border-left:2px solid var(--paper);min-width:4.6rem}
.heat thead th{white-space:normal}
.heat td b{display:block;font-weight:600}
.heat td span{font-size:.8rem}
.up1{background:#fde3cf;color:#4d1f00}.up2{background:#b34700;color:#fff}
.down1{background:#d6e8f7;color:#06335a}.down2{background:#005a9c;color:#fff}
.up1 span,.up2 span,.down1 span,.down2 span{font-weight:700}
.good{color:#0b5d3b}.bad{color:#8f1119;font-weight:700}
.empty{color:var(--soft);padding:8px 0}
@media (max-width:900px){main{grid-template-columns:minmax(0,1fr)}.wide{grid-column:auto}}
@media (max-width:640px){
header,main{padding:0 12px}header{padding-top:16px}
section{padding:14px}
.tiles{grid-template-columns:1fr 1fr;gap:10px}
main{gap:12px;padding-top:12px}
.tile{padding:12px}.tile .value{font-size:1.6rem}
.bar,.bar.whole{grid-template-columns:1fr auto}
.bar svg{grid-row:2;grid-column:1/-1}
.surges thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.surges,.surges tbody,.surges tr,.surges td,.surges th,.surges caption{display:block}
.surges tr{border:1px solid var(--line);border-radius:6px;padding:8px 10px;margin-bottom:10px}
.surges tbody th,.surges td{border:0;padding:2px 0;text-align:left;white-space:normal}
.surges td::before{content:attr(data-label) ": ";color:var(--soft)}
.surges .words{min-width:0}
.heat th:first-child{position:sticky;left:0;background:var(--paper)}
}
@media print{
@page{margin:12mm}
html{font-size:11px}
body{background:#fff;font-size:1rem;-webkit-print-color-adjust:exact;print-color-adjust:exact}
header,main{max-width:none;padding:0}
main{display:block}
section{margin-top:10px;padding:10px 12px}
section,.tile{break-inside:avoid;border-color:#bbb}
.wide{break-inside:auto}
tr{break-inside:avoid}
h2,.takeaway{break-after:avoid}
.tiles{grid-template-columns:repeat(3,1fr)}
.chart svg{min-width:0}
.scroll,details .scroll{overflow:visible;max-height:none}
table{font-size:.8rem}
th,td{padding:3px 4px}
.n,.t,.heat td{white-space:normal;min-width:0}
.surges .words{min-width:0}
details{display:none}
}
"""
