import type { Redrive, RedrivePortionPage } from '@oncekey/core'
import { actForm } from '../../html/act-form.ts'
import { type Html, html } from '../../html/html.ts'
import { badge, facts, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct } from '../../routing/access.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { NotFound, type PageRoute, page } from '../../routing/route.ts'
import { describe } from './redrives.ts'
import { redriveSchema } from './schemas.ts'
import { redrivesOf } from './source.ts'

interface Story {
  readonly redrive: Redrive
  readonly portions: RedrivePortionPage
}

/** The page of one redrive: its progress, portion by portion, and the form that cancels it. */
export const redrivePage: PageRoute = page<Story>({
  path: 'redrives/one',
  title: 'Redrive',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary:
      'One redrive, with its portions a page at a time: `last` goes into `after` for what comes',
    takes: {
      source: { about: 'Whose: consumers, webhooks, sagas.' },
      id: { about: 'The id of the redrive.', required: true },
      ...PAGING,
    },
    answers: redriveSchema,
  },
  exists: ({ deadLetters }) => deadLetters.some(({ redrives }) => redrives !== undefined),
  async load({ options, query }) {
    const { redrives } = redrivesOf(options, query.get('source'))
    const id = query.get('id') ?? ''
    const redrive = await redrives.get(id)
    if (redrive === undefined) throw new NotFound('There is no such redrive.')
    const after = query.get('after')
    const at = { limit: limitOf(query), ...(after && { after }) }
    return { redrive, portions: await redrives.portions(id, at) }
  },
  render({ redrive, portions }, { query, viewer }): Html {
    const { id, source, state, matched, redriven, refused, limit } = redrive
    const most = Math.max(Math.min(matched, limit ?? matched), redriven + refused, 1)
    return html`${said(query, 'Whoever works the source carries it.', 'It may be over.')}
${facts([
  ['State', badge(state)],
  ['Of', source],
  ['What', describe(redrive)],
  [
    'Progress',
    html`<progress value="${redriven + refused}" max="${most}">${redriven}</progress> ${redriven} redriven, ${refused} refused, of ${matched} that matched`,
  ],
  ['Rate', `${redrive.ratePerSecond} a second`],
  ['At most', limit],
  ['Who', redrive.actor],
  ['Why', redrive.note],
  ['Started', time(redrive.startedAt)],
  ['Ended', redrive.endedAt && time(redrive.endedAt)],
])}
<h2>Portions</h2>
${table(
  ['When', 'Redriven', 'Refused'],
  portions.items.map((portion) => [
    time(portion.at),
    portion.redriven.length,
    portion.refused.map(({ id, outcome }) => html`<div>${id}: ${outcome}</div>`),
  ]),
  'None has been carried yet: a relay, a worker or a runner of this source does it.',
)}
${nextPage(portions.next && linkTo('one', { source, id, after: portions.next }))}
${
  state === 'running' &&
  mayAct(viewer, 'redrives.cancel') &&
  html`<h2>Cancel</h2>${actForm({
    action: 'cancel',
    hidden: { source, id },
    label: 'Cancel it',
    warning: 'What it has taken stays taken; the others stay dead.',
  })}`
}`
  },
})
