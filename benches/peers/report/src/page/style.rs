//! How the page looks: on a phone and on a desk, by day and by night.

pub(crate) const CSS: &str = "
:root { color-scheme: light dark; --page: #f6f7f8; --card: #ffffff; --ink: #1c2126; --faint: #5d6770; --rule: #d9dee3;
  --ours: #0b62c4; --other: #98a2ad; --bound: #c9cfd6; --lose: #b3261e;
  --c0: #0b62c4; --c1: #c2570c; --c2: #12805c; --c3: #8a3fb5; --c4: #a8820a; --c5: #b02a5b; --c6: #4e5965; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --card: #1d2126; --ink: #e6e9ec; --faint: #9aa5b0; --rule: #343b43;
    --ours: #6cb0ff; --other: #76818d; --bound: #4a535d; --lose: #ff8a80;
    --c0: #6cb0ff; --c1: #ffa15e; --c2: #4fcf9f; --c3: #cf9bf0; --c4: #e3c04a; --c5: #ff86b0; --c6: #aab4be; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.6rem; margin: .4em 0; } h2 { font-size: 1.15rem; margin: 1.8em 0 .5em; }
p, dl { max-width: 75ch; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px; margin: 0; }
.cards { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); align-items: start; }
figcaption { font-size: .82rem; line-height: 1.4; color: var(--faint); margin-bottom: 6px; }
figcaption b { display: block; color: var(--ink); font-size: .95rem; }
dl { max-width: none; display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; font-size: .9rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 560px) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; } }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; }
th.n, td.n { text-align: right; } td.wraps { white-space: normal; } td.wraps span { white-space: nowrap; }
.lose, a.lose { color: var(--lose); }
a { color: var(--ours); text-underline-offset: 2px; }
nav { display: flex; flex-wrap: wrap; gap: 2px 16px; } nav a, summary { padding: 4px 0; }
h3 { font-size: 1rem; margin: 1.2em 0 .5em; } h4 { font-size: .95rem; margin: 0 0 4px; }
section p { font-size: .85rem; margin: 8px 0 0; } .verdict { font-size: .8rem; color: var(--faint); margin: 6px 0 0; }
.why { border-left: 3px solid var(--rule); padding-left: 8px; } .unknown, small { color: var(--faint); }
td.n small { display: block; white-space: normal; }
ul { padding-left: 1.2em; font-size: .85rem; max-width: 90ch; }
.goals { min-width: min(100%, 480px); } details p { font-size: .85rem; }
section table { width: 100%; } section td:last-child, section th:last-child { padding-right: 0; }
figure:target, section:target { outline: 2px solid var(--ours); }
figure summary { font-size: .8rem; color: var(--faint); } figure table { font-size: .76rem; } figure td, figure th { padding-right: 10px; }
details.card { margin-top: 12px; } summary { cursor: pointer; }
svg { display: block; width: 100%; height: auto; font: 10.5px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .faint { fill: var(--faint); } svg text.lose { fill: var(--lose); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .bar { fill: var(--other); } svg .bar.ours { fill: var(--ours); } svg .bar.bound { fill: var(--bound); }
svg .spread { stroke: var(--ink); stroke-width: 1.2; fill: none; }
svg .line { fill: none; stroke-width: 1.6; } svg .line.ours { stroke-width: 2.8; }
";
