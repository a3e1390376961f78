import { actForm, buttonForm, nameOfStart } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { badge, choice, facts, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct, type Viewer } from '../../routing/access.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { BadInput, NotFound, type PageRoute, page } from '../../routing/route.ts'
import {
  DELIVERY_STATES,
  type ShownDelivery,
  type ShownEndpoint,
  type WebhooksSource,
} from '../../sources/webhooks.ts'
import { opened } from './opened.ts'
import { endpointPageSchema } from './schemas.ts'

interface EndpointStory {
  readonly endpoint: ShownEndpoint
  /**
   * The secrets in force, the newest first: their versions and times, never the secrets themselves.
   * null if they do not open here.
   */
  readonly secrets:
    | null
    | readonly {
        readonly version: 'v1' | 'v1a'
        readonly createdAt: Date
        readonly expiresAt: Date | null
      }[]
  readonly deliveries: {
    readonly items: readonly ShownDelivery[]
    readonly next: string | undefined
  }
}

/** The page of one endpoint with its deliveries, the newest first. */
export const endpointPage: PageRoute = page<EndpointStory>({
  path: 'webhooks/endpoint',
  title: 'Webhook endpoint',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'One endpoint, and its deliveries, the newest first',
    takes: {
      id: { about: 'The id of the endpoint.', required: true },
      state: { about: 'Only deliveries in this state.', choices: DELIVERY_STATES },
      ...PAGING,
    },
    answers: endpointPageSchema,
  },
  exists: ({ webhooks }) => webhooks !== undefined,
  async load({ options, query }) {
    const { endpoints, deliveries } = options.webhooks as WebhooksSource
    const endpoint = await endpoints.get(query.get('id') ?? '')
    if (endpoint === undefined) {
      throw new NotFound('There is no such endpoint, or it was deleted and purged.')
    }
    const [state, before] = [stateOf(query), query.get('after')]
    const [secrets, items] = await Promise.all([
      opened(endpoints.secrets(endpoint.id)),
      deliveries.list({
        endpointId: endpoint.id,
        limit: limitOf(query),
        ...(state !== undefined && { state }),
        ...(before !== null && { before }),
      }),
    ])
    return {
      endpoint,
      secrets:
        secrets === null
          ? secrets
          : secrets.map(({ secret, createdAt, expiresAt }) => ({
              version: secret.startsWith('whpk_') ? 'v1a' : 'v1',
              createdAt,
              expiresAt,
            })),
      deliveries: { items, next: items.length < limitOf(query) ? undefined : items.at(-1)?.id },
    }
  },
  render({ endpoint, secrets, deliveries }, { query, viewer }): Html {
    const { next } = deliveries
    return html`${said(query, '', 'Somebody else may have acted.')}
${facts([
  ['URL', endpoint.url],
  ['Customer', endpoint.customer],
  ['Description', endpoint.description],
  ['Types', endpoint.types.join(', ')],
  ['Status', badge(endpoint.status)],
  ['Why', endpoint.reason],
  ['Accepts nothing since', endpoint.failingSince && time(endpoint.failingSince)],
  ['Its own headers', endpoint.headers.join(', ')],
  ['Its own certificates', endpoint.tls ? 'yes' : null],
  ['At most', endpoint.rate && `${endpoint.rate} a second`],
  ['Registered', time(endpoint.createdAt)],
  ['Changed', time(endpoint.changedAt)],
])}
${
  mayAct(viewer, 'endpoints.ping') &&
  endpoint.status !== 'deleted' &&
  html`<h2>Try it</h2><p>Sends one signed <code>webhook.test</code> now and shows what comes back.</p>${buttonForm('ping', { id: endpoint.id }, 'Ping')}`
}
<h2>Deliveries</h2>
<form class="filter" action="" method="get">
<input type="hidden" name="id" value="${endpoint.id}">
${choice('state', 'State', query.get('state'), DELIVERY_STATES)}
<button>Look</button>
</form>
${deliveriesTable(deliveries.items)}
${nextPage(next && linkTo('endpoint', { ...Object.fromEntries(query), after: next }))}
<h2>Secrets in force</h2>
${
  secrets === null
    ? html`<p class="empty">They do not open with the keys that this dashboard was given.</p>`
    : secretsTable(secrets)
}
${acts(endpoint, viewer)}`
  },
})

function secretsTable(secrets: NonNullable<EndpointStory['secrets']>): Html {
  return table(
    ['Signature', 'Since', 'Until'],
    secrets.map(({ version, createdAt, expiresAt }) => [
      version === 'v1' ? 'v1, HMAC-SHA256' : 'v1a, ed25519',
      time(createdAt),
      expiresAt === null ? 'the next rotation' : time(expiresAt),
    ]),
    'None: it was deleted.',
  )
}

/**
 * A table of deliveries. The page of an event shows one as well; `base` is the path from the page
 * to `webhooks/`.
 */
export function deliveriesTable(items: readonly ShownDelivery[], base = ''): Html {
  return table(
    ['Delivery', 'Event', 'State', 'Error', 'Attempts', 'Created', 'Tried next'],
    items.map((delivery) => [
      html`<a href="${base}${linkTo('delivery', { id: delivery.id })}">${delivery.id}</a>`,
      html`${delivery.type}<br><span class="note">${delivery.eventId}</span>`,
      badge(delivery.isUnderWay ? 'under way' : delivery.state),
      delivery.error,
      delivery.attempts,
      time(delivery.createdAt),
      delivery.dueAt && time(delivery.dueAt),
    ]),
    'No deliveries like these. Each event that it gets makes one.',
  )
}

function acts(endpoint: ShownEndpoint, viewer: Viewer): Content {
  if (endpoint.status === 'deleted') return undefined
  const hidden = { id: endpoint.id }
  const forms = [
    endpoint.status === 'enabled'
      ? mayAct(viewer, 'endpoints.pause') &&
        actForm({
          action: 'pause',
          hidden,
          label: 'Pause',
          warning: 'Nothing is sent to it until it is enabled again; its events are kept for then.',
        })
      : mayAct(viewer, 'endpoints.enable') &&
        actForm({
          action: 'enable',
          hidden,
          label: 'Enable',
          warning: 'What was kept for it is sent, the oldest first.',
        }),
    mayAct(viewer, 'deliveries.replay') &&
      actForm({
        action: 'replay',
        hidden: { ...hidden, ...nameOfStart() },
        label: 'Send everything of that time again',
        warning: 'A receiver that has taken it gets it again, under the same webhook-id.',
        more: html`<label>Since, with its zone<input name="since" placeholder="2026-11-29T04:30:00Z" required autocomplete="off"></label>
<label>Until, with its zone, or now<input name="until" value="now" placeholder="2026-11-29T06:00:00Z" required autocomplete="off"></label>
<label>How many a second<input name="ratePerSecond" value="20" inputmode="numeric" required></label>`,
      }),
    mayAct(viewer, 'endpoints.rotate-secret') &&
      actForm({
        action: 'rotate',
        hidden,
        label: 'Rotate its secret',
        warning: 'The new secret is shown once. The receiver must know it before the overlap ends.',
        more: html`<label>Hours for which the present secret signs beside it<input name="overlapHours" value="24" inputmode="numeric" required></label>`,
      }),
  ]
  return forms.some(Boolean) && html`<h2>Act</h2>${forms}`
}

function stateOf(query: URLSearchParams): ShownDelivery['state'] | undefined {
  const state = query.get('state') || undefined
  const known = DELIVERY_STATES.find((each) => each === state)
  if (state === undefined || known !== undefined) return known
  throw new BadInput(
    `There is no state "${state}". These there are: ${DELIVERY_STATES.join(', ')}.`,
  )
}
