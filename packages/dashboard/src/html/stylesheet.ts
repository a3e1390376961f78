import { createHash } from 'node:crypto'

/**
 * The style of all pages: light or dark by the person's system setting, readable at any width, and
 * without resources from elsewhere.
 */
export const STYLESHEET = `:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;--raised:#f6f8fa;--link:#0a58ca;--bad:#a40e26;--good:#116329;--warn:#7a4b00}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#3a424c;--page:#0f1419;--raised:#171d24;--link:#7ab7ff;--bad:#ff8a8a;--good:#6fd58b;--warn:#f0c060}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
a{color:var(--link)}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--page);padding:8px}
header{border-bottom:1px solid var(--line);background:var(--raised)}
header div,main,footer{max-width:1200px;margin:0 auto;padding:12px 16px}
header div{display:flex;flex-wrap:wrap;gap:8px 20px;align-items:baseline}
header strong{font-size:18px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px}
nav a[aria-current]{color:var(--ink);font-weight:600;text-decoration:none}
.who{margin-left:auto;color:var(--soft)}
footer,.age,.none,.note,dt{color:var(--soft)}
h1{font-size:24px;margin:8px 0 16px}h2{font-size:18px;margin:28px 0 8px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;white-space:nowrap}
td{overflow-wrap:break-word;max-width:420px}
td time,td .age{white-space:nowrap}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;padding:0;list-style:none}
.figures a,.figures div{display:block;border:1px solid var(--line);border-radius:8px;padding:12px 16px;background:var(--raised);color:inherit;text-decoration:none}
.figures b{display:block;font-size:26px;font-variant-numeric:tabular-nums}
.figures a:hover{border-color:var(--link)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--raised);border:1px solid var(--line);border-radius:8px;padding:12px;overflow:auto;max-height:480px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px}
.badge{border:1px solid currentColor;border-radius:999px;padding:0 10px;font-size:14px;white-space:nowrap}
.badge:is([data-state=unknown],[data-state=dead],[data-state=stuck],[data-state=failed],[data-state=compensation-failed],[data-state=disabled]){color:var(--bad)}
.badge:is([data-state=finished],[data-state=done],[data-state=completed],[data-state=delivered],[data-state=enabled],[data-state=passed]){color:var(--good)}
.badge:is([data-state=running],[data-state=retrying],[data-state=result-gone],[data-state=compensating],[data-state=compensated],[data-state=begun],[data-state=undone],[data-state=pending],[data-state=paused],[data-state=waiting]){color:var(--warn)}
.flow{display:flex;flex-wrap:wrap;gap:12px 36px;list-style:none;padding:0;margin:8px 0}
.flow li{position:relative;border:1px solid var(--line);border-left:4px solid var(--soft);border-radius:8px;padding:8px 12px;background:var(--raised);min-width:170px;flex:0 1 220px}
.flow li:not(:last-child)::after{content:"→";position:absolute;right:-27px;top:calc(50% - 12px);color:var(--soft)}
.flow li[data-state=done]{border-left-color:var(--good)}.flow li:is([data-state=failed],[data-state=stuck]){border-left-color:var(--bad)}
.flow li:is([data-state=begun],[data-state=undone],[data-state=compensated]){border-left-color:var(--warn)}
.flow li[data-state=to-come]{border-style:dashed;border-left-style:solid}
.bar{display:block;width:100%;height:6px;margin-top:6px}.bar .ground{fill:var(--line)}.bar .forth{fill:var(--good)}.bar .back{fill:var(--bad)}
h3{font-size:16px;margin:16px 0 4px}
code{font-size:14px;overflow-wrap:anywhere}
form.filter{display:flex;flex-wrap:wrap;gap:12px;align-items:end;margin:0 0 16px}
form.act{border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:12px 0;display:grid;gap:10px;max-width:640px}
label{display:grid;gap:2px;color:var(--soft);font-size:14px}
label.check{display:flex;gap:8px;align-items:center}
input,select,textarea,button{font:inherit;color:var(--ink);background:var(--page);border:1px solid var(--soft);border-radius:6px;padding:6px 10px;max-width:100%}
textarea{min-height:80px;width:100%}
button{background:var(--raised);cursor:pointer;justify-self:start}
button.grave{border-color:var(--bad);color:var(--bad)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.said{border-left:4px solid var(--good);background:var(--raised);padding:8px 16px}
.said.refused{border-color:var(--bad)}
.empty{color:var(--soft);border:1px dashed var(--line);border-radius:8px;padding:16px}
@media(max-width:600px){.flow li{flex-basis:100%}.flow li:not(:last-child)::after{content:"↓";right:auto;left:50%;top:auto;bottom:-21px}dl{grid-template-columns:1fr}dt{margin-top:8px}.who{margin-left:0;width:100%}}
`

/** The name contains a hash of the content, so browsers may store the file for ever. */
export const STYLESHEET_PATH: string = `assets/${createHash('sha256').update(STYLESHEET).digest('hex').slice(0, 16)}.css`
