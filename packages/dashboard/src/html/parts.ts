import { type Content, type Html, html } from './html.ts'

/** A point in time: exactly, in UTC, and as how long ago it is. */
export function time(at: Date | null | undefined, now: number = Date.now()): Html {
  if (at == null) return html`<span class="none">never</span>`
  const iso = at.toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time> <span class="age">${ago(now - at.getTime())}</span>`
}

/** `3 min ago`; for a time in the future, `in 2 h`. */
export function ago(milliseconds: number): string {
  const text = duration(Math.abs(milliseconds))
  return milliseconds < 0 ? `in ${text}` : `${text} ago`
}

/** A duration in one unit, rounded down: `41 s`, `3 min`, `2 h`, `5 d`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1_000
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

export function badge(state: string): Html {
  return html`<span class="badge" data-state="${state}">${state}</span>`
}

/** A table with these headings; `empty` is shown if there are no rows. */
export function table(heads: readonly string[], rows: readonly Content[][], empty: Content): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${heads[0] ?? 'Table'}"><table>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
</table></div>`
}

/** A list of names and values. A pair whose value is missing is left out. */
export function facts(pairs: readonly (readonly [name: string, value: Content])[]): Html {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return html`<dl>${known.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`
}

/**
 * A text that may be large: its beginning, and its size. It is shown unchanged, numbers included.
 */
export function payload(text: string): Html {
  const shown = text.slice(0, MOST_SHOWN)
  const cut = text.length > shown.length
  return html`<pre tabindex="0">${shown}</pre>${cut && html`<p class="note">The first ${MOST_SHOWN} of ${text.length} characters.</p>`}`
}

/** A link with these parameters. Empty parameters are left out. */
export function linkTo(path: string, parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, value)
  }
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The parameters that were filled in, by their names. */
export function filledIn<Name extends string>(
  query: URLSearchParams,
  ...names: readonly Name[]
): { readonly [Key in Name]?: string } {
  const pairs = names.flatMap((name) => {
    const value = query.get(name)
    return value ? [[name, value] as const] : []
  })
  return Object.fromEntries(pairs) as { [Key in Name]?: string }
}

export function field(name: string, label: string, value: string | null, hint = ''): Html {
  return html`<label>${label}<input name="${name}" value="${value ?? ''}" placeholder="${hint}" autocomplete="off"></label>`
}

export function choice(
  name: string,
  label: string,
  value: string | null,
  choices: readonly string[],
  any: string | null = 'any',
): Html {
  return html`<label>${label}<select name="${name}">${any !== null && html`<option value="">${any}</option>`}${choices.map(
    (each) =>
      each === value
        ? html`<option value="${each}" selected>${each}</option>`
        : html`<option value="${each}">${each}</option>`,
  )}</select></label>`
}

export function nextPage(href: string | undefined): Html | undefined {
  return href === undefined ? undefined : html`<p><a href="${href}" rel="next">Further ones</a></p>`
}

export function errorOf(error: { readonly name: string; readonly message: string } | null): string {
  return error === null ? '' : `${error.name}: ${error.message}`
}

const MOST_SHOWN = 20_000
