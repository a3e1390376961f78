import { actForm } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { badge, facts, linkTo, payload, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct } from '../../routing/access.ts'
import { NotFound, type PageRoute, page } from '../../routing/route.ts'
import type { ShownRequest, ShownWholeDelivery, WebhooksSource } from '../../sources/webhooks.ts'
import { opened } from './opened.ts'
import { wholeDeliverySchema } from './schemas.ts'

interface DeliveryStory {
  readonly delivery: ShownWholeDelivery
  /**
   * The request that would be sent at this moment, signed. Anybody who has it could send it, so
   * only viewers who may replay the delivery see it. null if the secrets do not open here.
   */
  readonly request: ShownRequest | null | undefined
}

/** The page of one delivery: the request that is sent, with its signature, and each answer. */
export const deliveryPage: PageRoute = page<DeliveryStory>({
  path: 'webhooks/delivery',
  title: 'Webhook delivery',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'One delivery: its request, and every attempt with the response',
    takes: { id: { about: 'The id of the delivery.', required: true } },
    answers: wholeDeliverySchema,
  },
  exists: ({ webhooks }) => webhooks !== undefined,
  async load({ options, viewer, query }) {
    const { deliveries } = options.webhooks as WebhooksSource
    const delivery = await deliveries.get(query.get('id') ?? '')
    if (delivery === undefined) {
      throw new NotFound('There is no such delivery, or not any more: it may have been purged.')
    }
    const request = mayAct(viewer, 'deliveries.retry')
      ? await opened(deliveries.request(delivery.id))
      : undefined
    const shown = options.mask(delivery.payload, 'event')
    return {
      delivery: {
        ...delivery,
        payload: shown,
        history: delivery.history.map((attempt) => ({
          ...attempt,
          body: attempt.body === '' ? '' : options.mask(attempt.body, 'response'),
        })),
      },
      request: request && { ...request, body: shown },
    }
  },
  render({ delivery, request }, { query, viewer }): Html {
    return html`${said(query, 'It is sent as soon as a worker takes it.', 'It may be held until its endpoint is enabled.')}
${facts([
  ['Delivery', delivery.id],
  [
    'Event',
    html`<a href="../${linkTo('events/one', { id: delivery.eventId })}">${delivery.eventId}</a>`,
  ],
  ['Type', delivery.type],
  [
    'Endpoint',
    html`<a href="${linkTo('endpoint', { id: delivery.endpointId })}">${delivery.endpointId}</a>`,
  ],
  ['State', badge(delivery.isUnderWay ? 'under way' : delivery.state)],
  ['Reason', delivery.reason],
  ['Error', delivery.error],
  ['Redriven', `${delivery.redrives} times`],
  ['Created', time(delivery.createdAt)],
  ['Tried next', delivery.dueAt && time(delivery.dueAt)],
  ['Ended', delivery.endedAt && time(delivery.endedAt)],
])}
<h2>Attempts</h2>
${table(
  ['Attempt', 'When', 'Took', 'Status', 'Error', 'Response'],
  delivery.history.map((attempt) => [
    attempt.number,
    time(attempt.startedAt),
    `${Math.round(attempt.durationMs)} ms`,
    attempt.status,
    attempt.error && html`${attempt.error}<br><span class="note">${attempt.message}</span>`,
    attempt.body === ''
      ? html`<span class="none">empty</span>`
      : html`<details><summary>${attempt.body.length} characters${attempt.isTruncated && ', cut'}</summary>${payload(attempt.body)}</details>`,
  ]),
  'It has not been sent yet.',
)}
<h2>Request</h2>
${request ? requestOf(request) : bodyOf(delivery.payload, request)}
${
  mayAct(viewer, 'deliveries.retry') &&
  !['discarded', 'ended'].includes(delivery.state) &&
  html`<h2>Send it again</h2>${actForm({
    action: 'retry',
    hidden: { id: delivery.id },
    label: 'Send it now',
    warning:
      'Its retry schedule begins anew. A receiver that has taken it gets it again, under the same webhook-id.',
  })}`
}`
  },
})

function requestOf({ method, url, headers, body }: ShownRequest): Content {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return html`<p class="note">As it would be sent now: every attempt has the same id and body, and a timestamp and a signature of its own. What is signed is <code>webhook-id</code>, <code>webhook-timestamp</code> and the body, joined by dots.</p>
${payload(`${method} ${url}\n${lines.join('\n')}\n\n${body}`)}`
}

function bodyOf(body: string, request: null | undefined): Content {
  if (request === undefined) return payload(body)
  return html`<p class="note">It cannot be signed here: the endpoint's secrets do not open with the keys that this dashboard was given. This is its body.</p>
${payload(body)}`
}
