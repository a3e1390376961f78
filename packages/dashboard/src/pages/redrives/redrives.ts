import type { Redrive, RedrivePage } from '@oncekey/core'
import { type Html, html } from '../../html/html.ts'
import { badge, choice, linkTo, nextPage, table } from '../../html/parts.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type Asked, type PageRoute, page } from '../../routing/route.ts'
import { redrivesSchema } from './schemas.ts'
import { hasRedrives, redrivesOf } from './source.ts'

interface Listed {
  readonly source: string
  readonly page: RedrivePage
}

/** The page of redrives on record, the newest first. */
export const redrivesPage: PageRoute = page<Listed>({
  path: 'redrives',
  title: 'Redrives',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Redrives on record, the newest first',
    takes: { source: { about: 'Whose: consumers, webhooks, sagas.' }, ...PAGING },
    answers: redrivesSchema,
  },
  exists: hasRedrives,
  async load({ options, query }) {
    const { source, redrives } = redrivesOf(options, query.get('source'))
    const after = query.get('after')
    const at = { limit: limitOf(query), ...(after !== null && { after }) }
    return { source, page: await redrives.list({ source }, at) }
  },
  render({ source, page }, { options, query }: Asked): Html {
    const { next } = page
    const names = options.deadLetters.flatMap((each) => (each.redrives ? [each.name] : []))
    return html`<form class="filter" action="" method="get">
${choice('source', 'Of', source, names, null)}
<button>Look</button>
</form>
${table(
  ['Started', 'State', 'Of', 'Done', 'Refused', 'Matched', 'Who', 'Why'],
  page.items.map((redrive) => [
    html`<a href="${linkTo('redrives/one', { source, id: redrive.id })}">${redrive.startedAt.toISOString().slice(0, 19).replace('T', ' ')}</a>`,
    badge(redrive.state),
    describe(redrive),
    redrive.redriven,
    redrive.refused,
    redrive.matched,
    redrive.actor,
    redrive.note,
  ]),
  'Nothing has been redriven yet. A redrive of what matches a filter would be here, with its progress.',
)}
${nextPage(next && linkTo('redrives', { ...Object.fromEntries(query), after: next }))}`
  },
})

export function describe({ kind, filter }: Redrive): string {
  const parts = Object.entries(filter).map(([name, value]) => `${name} ${String(value)}`)
  const what = kind === 'window' ? 'all that was sent' : 'dead letters'
  return parts.length === 0 ? `all ${what}` : `${what}: ${parts.join(', ')}`
}
