import { type Html, html } from '../../html/html.ts'
import { field, filledIn, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type Asked, type PageRoute, page } from '../../routing/route.ts'
import type { EventsSource, ShownEvent } from '../../sources/events.ts'
import { eventsSchema } from './schemas.ts'

interface Recent {
  readonly items: readonly ShownEvent[]
  readonly next: string | undefined
}

/** The page of the events in the log, the newest first. */
export const eventsPage: PageRoute = page<Recent>({
  path: 'events',
  title: 'Events',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Events in the log, the newest first',
    takes: {
      type: { about: '`order.placed`, `order.*`, or several of them, separated by spaces.' },
      subject: { about: 'Only events about this subject.' },
      ...PAGING,
    },
    answers: eventsSchema,
  },
  exists: ({ events }) => events !== undefined,
  async load({ options, query }) {
    const { type, subject, after } = filledIn(query, 'type', 'subject', 'after')
    const types = type?.split(/[\s,]+/).filter((each) => each !== '') ?? []
    const { items, next } = await (options.events as EventsSource).list(
      { ...(types.length > 0 && { types }), ...(subject !== undefined && { subject }) },
      { limit: limitOf(query), ...(after !== undefined && { after }) },
    )
    const masked = (event: ShownEvent) => ({ ...event, data: options.mask(event.data, 'event') })
    return { items: items.map(masked), next }
  },
  render({ items, next }, { query }: Asked): Html {
    return html`<form class="filter" action="" method="get">
${field('type', 'Type', query.get('type'), 'order.*')}
${field('subject', 'Subject', query.get('subject'))}
<button>Look</button>
</form>
${table(
  ['Occurred', 'Type', 'Subject', 'Event', 'Data'],
  items.map(({ id, type, subject, occurredAt, data }) => [
    time(occurredAt),
    type,
    subject,
    html`<a href="${linkTo('events/one', { id })}">${id}</a>`,
    html`<code>${data.length > 80 ? `${data.slice(0, 80)}…` : data}</code>`,
  ]),
  'No events like these on this page. What handlers emit would be here, until it is purged.',
)}
${nextPage(next && linkTo('events', { ...Object.fromEntries(query), after: next }))}`
  },
})
