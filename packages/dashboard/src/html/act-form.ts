import { randomUUID } from 'node:crypto'
import { type Content, type Html, html, isReturned } from './html.ts'

/**
 * A form for an act: it asks for a reason, and has a checkbox that confirms the consequences. There
 * is none for something whose name no form returns as it is: the act would be on another thing.
 */
export function actForm(of: {
  /** The path of the act, relative to the page. */
  readonly action: string
  readonly hidden: Readonly<Record<string, string | undefined>>
  readonly label: string
  /** The text beside that checkbox: the consequences of the act. */
  readonly warning: string
  readonly more?: Content
}): Html {
  const { action, hidden, label, warning, more } = of
  const names = Object.values(hidden)
  if (!names.every((name) => name === undefined || isReturned(name))) {
    return html`<p class="empty">${label}: not from here, because no form sends back the line ends in its name. The JSON API and the command line do.</p>`
  }
  return html`<form class="act" method="post" action="${action}">
${hiddenFields(hidden)}
${more}
<label>Why, for the audit<input name="note" required maxlength="2000" autocomplete="off"></label>
<label class="check"><input type="checkbox" name="confirmed" value="yes" required> ${warning}</label>
<button class="grave">${label}</button>
</form>`
}

/**
 * A hidden field with a name for the redrive or replay that the form starts. A second click, or a
 * reload after a lost reply, sends the same name, and one that exists is not started again.
 */
export function nameOfStart(): { readonly requestId: string } {
  return { requestId: randomUUID() }
}

/** A form of one button, for what changes nothing that is stored. */
export function buttonForm(
  action: string,
  hidden: Readonly<Record<string, string>>,
  label: string,
): Html {
  return html`<form method="post" action="${action}">${hiddenFields(hidden)}<button>${label}</button></form>`
}

function hiddenFields(fields: Readonly<Record<string, string | undefined>>): Content {
  return Object.entries(fields).map(
    ([name, value]) =>
      value !== undefined && html`<input type="hidden" name="${name}" value="${value}">`,
  )
}
