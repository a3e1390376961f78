import {
  type DeadLetter,
  type DeadLetterFilter,
  LETTERS_LOOKED_AT,
  looksAtAll,
} from '@oncekey/core'
import { actForm, nameOfStart } from '../../html/act-form.ts'
import { type Html, html } from '../../html/html.ts'
import { errorOf, facts, linkTo, table, time } from '../../html/parts.ts'
import { mayAct } from '../../routing/access.ts'
import { type PageRoute, page } from '../../routing/route.ts'
import { MOST_REDRIVEN } from './acts.ts'
import { FILTER, fieldsOf, filterOf } from './filter.ts'
import { maskedLetter } from './masked.ts'
import { previewSchema } from './schemas.ts'
import { sourceOf } from './source-of.ts'

interface Preview {
  readonly source: string
  readonly matched: number
  /** False where letters behind those that were counted may match, too. */
  readonly isWhole: boolean
  readonly sample: readonly DeadLetter[]
  /** Whether a redrive is put on record, so that it can be carried at a rate. */
  readonly isRecorded: boolean
}

/**
 * The page of the letters that a redrive with this filter would take. The preview and the redrive
 * use the same condition.
 */
export const previewPage: PageRoute = page<Preview>({
  path: 'dead-letters/preview',
  title: 'Redrive',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'Count what a redrive with this filter would take, with the ten oldest',
    takes: FILTER,
    answers: previewSchema,
  },
  exists: ({ deadLetters }) => deadLetters.length > 0,
  async load({ options, query }) {
    const source = sourceOf(options, query.get('source'))
    const filter = filterOf((name) => query.get(name))
    const [matched, { items }, { depth }] = await Promise.all([
      source.count(filter),
      source.list(filter, { limit: 10 }),
      source.stats(),
    ])
    return {
      source: source.name,
      matched,
      isWhole: looksAtAll(filter, depth),
      sample: items.map((letter) => maskedLetter(letter, options)),
      isRecorded: source.redrives !== undefined,
    }
  },
  render({ source, matched, isWhole, sample, isRecorded }, { query, viewer }): Html {
    const filter = filterOf((name) => query.get(name))
    const howMany = matched === 1 ? 'One dead letter matches.' : `${matched} dead letters match.`
    const among = `Of the ${LETTERS_LOOKED_AT} oldest dead letters ${matched} match; a redrive looks at all.`
    return html`<p>${isWhole ? howMany : among} Nothing has been done yet.</p>
${facts([
  ['Of', source],
  ['Consumer, endpoint or saga', filter.origin],
  ['Type', filter.type],
  ['Subject', filter.subject],
  ['Kind of error', filter.fingerprint],
])}
<h2>The oldest of them</h2>
${table(
  ['Event', 'Of', 'Type', 'Subject', 'Error', 'Dead since'],
  sample.map((letter) => [
    html`<a href="${linkTo('one', { source, id: letter.id })}">${letter.eventId}</a>`,
    letter.origin,
    letter.type,
    letter.subject,
    errorOf(letter.error),
    time(letter.deadAt),
  ]),
  'None matches: there is nothing to redrive.',
)}
${
  (matched > 0 || !isWhole) &&
  mayAct(viewer, 'dead-letters.redrive') &&
  redriveForm(source, filter, isWhole ? matched : undefined, isRecorded)
}`
  },
})

function redriveForm(
  source: string,
  filter: DeadLetterFilter,
  matched: number | undefined,
  isRecorded: boolean,
): Html {
  const most = isRecorded ? matched : Math.min(matched ?? MOST_REDRIVEN, MOST_REDRIVEN)
  return actForm({
    action: isRecorded ? '../redrives/start' : 'redrive',
    hidden: { source, ...fieldsOf(filter), ...(isRecorded && nameOfStart()) },
    label: 'Redrive them, the oldest first',
    warning: 'Each is delivered again under its event id. What caused the errors has been mended.',
    more: html`<label>At most${most === undefined && ', or all'}<input name="limit" value="${most ?? 'all'}" required></label>
${isRecorded && html`<label>How many a second<input name="ratePerSecond" value="20" inputmode="numeric" required></label>`}`,
  })
}
