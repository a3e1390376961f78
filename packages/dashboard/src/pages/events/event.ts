import { type Content, type Html, html } from '../../html/html.ts'
import { badge, errorOf, facts, linkTo, payload, table, time } from '../../html/parts.ts'
import type { ResolvedOptions } from '../../routing/options.ts'
import { NotFound, type PageRoute, page } from '../../routing/route.ts'
import type { EventsSource, ShownEvent, ShownEventDelivery } from '../../sources/events.ts'
import type { ShownDelivery } from '../../sources/webhooks.ts'
import { deliveriesTable } from '../webhooks/endpoint.ts'
import { eventPageSchema } from './schemas.ts'

interface EventStory {
  /** `null` if the event is no longer in the log. */
  readonly event: ShownEvent | null
  readonly consumers: readonly ShownEventDelivery[]
  readonly webhooks: readonly ShownDelivery[]
  /** The run that a consumer started with the event's id as its id. */
  readonly saga: { readonly id: string; readonly saga: string; readonly state: string } | undefined
}

/** The page of one event and what became of it: in consumers, as webhooks, as a saga. */
export const eventPage: PageRoute = page<EventStory>({
  path: 'events/one',
  title: 'Event',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'One event, and what consumers, webhooks and sagas made of it',
    takes: { id: { about: 'The id of the event.', required: true } },
    answers: eventPageSchema,
  },
  exists: ({ events }) => events !== undefined,
  async load({ options, query }) {
    const id = query.get('id') ?? ''
    const events = options.events as EventsSource
    const event = (await events.get(id)) ?? null
    const [consumers, webhooks, saga] = await Promise.all([
      event === null ? [] : events.deliveries(event),
      UUID.test(id) ? (options.webhooks?.deliveries.list({ eventId: id, limit: LIMIT }) ?? []) : [],
      sagaOf(options, id),
    ])
    if (event === null && webhooks.length === 0 && saga === undefined) {
      throw new NotFound(
        'There is no such event in the log, or not any more: it may have been kept long enough.',
      )
    }
    return {
      event: event && { ...event, data: options.mask(event.data, 'event') },
      consumers,
      webhooks,
      saga,
    }
  },
  render({ event, consumers, webhooks, saga }, { options }): Html {
    return html`${event === null ? html`<p class="said refused">It is not in the log any more.</p>` : ofEvent(event)}
<h2>Consumers</h2>
${table(
  ['Consumer', 'State', 'Attempts', 'Error'],
  consumers.map((each) => [
    each.delivery === null || options.deadLetters.every(({ name }) => name !== 'consumers')
      ? each.consumer
      : html`<a href="../${linkTo('dead-letters/one', { source: 'consumers', id: each.delivery })}">${each.consumer}</a>`,
    badge(each.state),
    each.attempts,
    errorOf(each.error),
  ]),
  'No consumer takes events of this type.',
)}
${options.webhooks && html`<h2>Webhooks</h2>${deliveriesTable(webhooks, '../webhooks/')}`}
${saga && html`<h2>Saga</h2><p><a href="../${linkTo('sagas/run', { id: saga.id })}">${saga.saga}</a> ${badge(saga.state)}</p>`}`
  },
})

function ofEvent(event: ShownEvent): Content {
  return html`${facts([
    ['Event', event.id],
    ['Type', event.type],
    ['Subject', event.subject],
    ['Source', event.source],
    ['Ordering key', event.orderingKey],
    ['Occurred', time(event.occurredAt)],
    ['Number in the log', event.seq],
    ...Object.entries(event.headers).map(([name, value]) => [`Header ${name}`, value] as const),
  ])}
<h2>Data</h2>
${payload(event.data)}`
}

/**
 * The run of a saga whose id is the event's id, which a consumer that starts a saga for an event
 * chooses.
 */
async function sagaOf({ sagas }: ResolvedOptions, id: string): Promise<EventStory['saga']> {
  const run = await sagas?.get(id)
  return run && { id: run.id, saga: run.saga, state: run.state }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const LIMIT = 100
