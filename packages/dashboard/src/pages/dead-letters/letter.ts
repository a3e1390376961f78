import type { DeadLetterDetail } from '@oncekey/core'
import { actForm } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { jsonToEdit } from '../../html/json-to-edit.ts'
import { badge, errorOf, facts, linkTo, payload, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct, type Viewer } from '../../routing/access.ts'
import { NotFound, type PageRoute, page } from '../../routing/route.ts'
import { FILTER } from './filter.ts'
import { maskedData, maskedError, maskedLetter } from './masked.ts'
import { letterSchema } from './schemas.ts'
import { sourceOf } from './source-of.ts'

/** The page of one dead letter, with every attempt. */
export const deadLetterPage: PageRoute = page<{
  readonly source: string
  readonly letter: DeadLetterDetail
  readonly isEditable: boolean
}>({
  path: 'dead-letters/one',
  title: 'Dead letter',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'One dead letter, with its event and every attempt',
    takes: {
      source: FILTER.source ?? { about: '' },
      id: { about: 'The id of the letter.', required: true },
    },
    answers: letterSchema,
  },
  exists: ({ deadLetters }) => deadLetters.length > 0,
  async load({ options, query }) {
    const source = sourceOf(options, query.get('source'))
    const letter = await source.get(query.get('id') ?? '')
    if (letter === undefined) {
      throw new NotFound('There is no such letter, or not any more: it may have been purged.')
    }
    const { data, isChanged } = maskedData(letter, source.name, options)
    return {
      source: source.name,
      letter: {
        ...maskedLetter(letter, options),
        data,
        history: letter.history.map((attempt) => ({
          ...attempt,
          error: maskedError(attempt.error, options),
        })),
      },
      isEditable: source.replace !== undefined && !isChanged,
    }
  },
  render({ source, letter, isEditable }, { query, viewer }): Html {
    return html`${said(query, 'Its state is below.', 'Somebody else may have acted, or it was delivered.')}
${facts([
  ['Of', letter.origin],
  ['State', badge(letter.state)],
  ['Reason', letter.reason],
  ['Event', letter.eventId],
  ['Type', letter.type],
  ['Subject', letter.subject],
  ['Source', letter.source],
  ['Occurred', time(letter.occurredAt)],
  ['First failed', time(letter.firstFailedAt)],
  ['Dead since', time(letter.deadAt)],
  ['Tried next', letter.dueAt && time(letter.dueAt)],
  ['Redriven', `${letter.redrives} times`],
  ['Ended', letter.resolution],
  ['Note', letter.note],
  ['Replaces', letter.replaces && otherLetter(source, letter.replaces)],
  ['Replaced by', letter.replacedBy && otherLetter(source, letter.replacedBy)],
  ...Object.entries(letter.headers).map(([name, value]) => [`Header ${name}`, value] as const),
])}
<h2>Data</h2>
${payload(letter.data)}
<h2>Attempts</h2>
${table(
  ['Attempt', 'When', 'Took', 'Error'],
  letter.history.map(({ number, startedAt, durationMs, error }) => [
    number,
    time(startedAt),
    `${Math.round(durationMs)} ms`,
    error.stack === null
      ? errorOf(error)
      : html`<details><summary>${errorOf(error)}</summary>${payload(error.stack)}</details>`,
  ]),
  'None is on record.',
)}
${acts(source, letter, viewer, isEditable)}`
  },
})

function otherLetter(source: string, id: string): Html {
  return html`<a href="${linkTo('one', { source, id })}">${id}</a>`
}

function acts(
  source: string,
  letter: DeadLetterDetail,
  viewer: Viewer,
  isEditable: boolean,
): Content {
  if (letter.state !== 'dead' && letter.state !== 'retired') return undefined
  const hidden = { source, id: letter.id }
  const forms = [
    letter.state === 'dead' &&
      mayAct(viewer, 'dead-letters.redrive') &&
      actForm({
        action: 'redrive',
        hidden,
        label: 'Redrive it',
        warning: 'It is delivered again, under the same event id.',
      }),
    letter.state === 'dead' &&
      isEditable &&
      mayAct(viewer, 'dead-letters.edit-and-redrive') &&
      actForm({
        action: 'edit',
        hidden,
        label: 'Redrive it with this data',
        warning: 'It is delivered under a new event id, so a receiver takes it for another event.',
        more: html`<label>Data, as JSON<textarea name="data" required>${jsonToEdit(letter.data)}</textarea></label>`,
      }),
    mayAct(viewer, 'dead-letters.discard') &&
      actForm({
        action: 'discard',
        hidden,
        label: 'Discard it',
        warning: 'It is never delivered. This cannot be undone.',
      }),
  ]
  return forms.some(Boolean) && html`<h2>Decide</h2>${forms}`
}
