import type { DeadLetterPage, DeadLetterStats } from '@oncekey/core'
import { type Html, html } from '../../html/html.ts'
import { choice, errorOf, field, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct } from '../../routing/access.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type PageRoute, page } from '../../routing/route.ts'
import { FILTER, fieldsOf, filterOf, retryingFilterOf } from './filter.ts'
import { maskedLetter } from './masked.ts'
import { lettersSchema } from './schemas.ts'
import { sourceOf } from './source-of.ts'

interface DeadLetters {
  readonly source: string
  readonly stats: DeadLetterStats
  readonly page: DeadLetterPage
}

/** The page of dead letters: by kind of error, and one by one. */
export const deadLettersPage: PageRoute = page<DeadLetters>({
  path: 'dead-letters',
  title: 'Dead letters',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Dead letters by kind of error and one by one, the oldest first',
    takes: {
      ...FILTER,
      state: {
        about: 'Those that are given up, or those that are tried again.',
        choices: ['dead', 'retrying'],
      },
      ...PAGING,
    },
    answers: lettersSchema,
  },
  exists: ({ deadLetters }) => deadLetters.length > 0,
  async load({ options, query }) {
    const source = sourceOf(options, query.get('source'))
    const filter = filterOf((name) => query.get(name))
    const after = query.get('after')
    const at = { limit: limitOf(query), ...(after !== null && { after }) }
    const listed =
      query.get('state') === 'retrying'
        ? source.listRetrying(retryingFilterOf(filter), at)
        : source.list(filter, at)
    const [stats, found] = await Promise.all([source.stats(), listed])
    const items = found.items.map((letter) => maskedLetter(letter, options))
    return { source: source.name, stats, page: { ...found, items } }
  },
  render(data, { options, query, viewer }): Html {
    const { source, stats, page } = data
    const { depth, groups } = stats
    const next =
      page.next && linkTo('dead-letters', { ...Object.fromEntries(query), after: page.next })
    const filter = fieldsOf(filterOf((name) => query.get(name)))
    const mayRedrive = mayAct(viewer, 'dead-letters.redrive') && query.get('state') !== 'retrying'
    return html`${said(query, 'What fails again comes back here.', '')}
<form class="filter" action="" method="get">
${choice(
  'source',
  'Of',
  source,
  options.deadLetters.map(({ name }) => name),
  null,
)}
${choice('state', 'State', query.get('state'), ['dead', 'retrying'], null)}
${field('origin', 'Consumer, endpoint or saga', query.get('origin'))}
${field('type', 'Type', query.get('type'))}
${field('subject', 'Subject', query.get('subject'))}
${field('fingerprint', 'Kind of error', query.get('fingerprint'))}
<button>Look</button>
</form>
<h2>Kinds of error, of ${depth}</h2>
${table(
  ['Of', 'Error', 'How many', 'Newest', 'Oldest'],
  groups.map(({ origin, fingerprint, count, newestAt, oldestAt, sample }) => [
    origin,
    html`<a href="${linkTo('dead-letters', { source, origin, fingerprint })}">${sample.name}: ${sample.message}</a>`,
    count,
    time(newestAt),
    time(oldestAt),
  ]),
  'Nothing is dead. What cannot be delivered would be here, by its kind of error.',
)}
<h2>One by one, the oldest first</h2>
${mayRedrive && (page.items.length > 0 || page.next !== undefined) && html`<p><a href="${linkTo('dead-letters/preview', { source, ...filter })}">Redrive those that match</a>: shows first which these are.</p>`}
${table(
  ['Event', 'Of', 'Type', 'Subject', 'Attempts', 'Error', 'When'],
  page.items.map((letter) => [
    html`<a href="${linkTo('dead-letters/one', { source, id: letter.id })}">${letter.eventId}</a>`,
    letter.origin,
    letter.type,
    letter.subject,
    letter.attempts,
    errorOf(letter.error),
    time(letter.deadAt ?? letter.firstFailedAt),
  ]),
  'None like these on this page.',
)}
${nextPage(next)}`
  },
})
