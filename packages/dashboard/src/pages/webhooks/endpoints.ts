import { type Html, html } from '../../html/html.ts'
import { badge, choice, field, filledIn, linkTo, nextPage, table, time } from '../../html/parts.ts'
import { limitOf, PAGING } from '../../routing/paging.ts'
import { type Asked, BadInput, type PageRoute, page } from '../../routing/route.ts'
import type { ShownEndpoint, WebhooksSource } from '../../sources/webhooks.ts'
import { endpointsSchema } from './schemas.ts'

interface EndpointList {
  readonly items: readonly ShownEndpoint[]
  readonly next: string | undefined
}

/** The page of all endpoints, the oldest first. */
export const webhooksPage: PageRoute = page<EndpointList>({
  path: 'webhooks',
  title: 'Webhooks',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'Endpoints of webhooks, the oldest first',
    takes: {
      customer: { about: 'Only of this customer.' },
      status: { about: 'Only those.', choices: ['enabled', 'paused', 'disabled'] },
      type: { about: 'Only those that get events of this type.' },
      ...PAGING,
    },
    answers: endpointsSchema,
  },
  exists: ({ webhooks }) => webhooks !== undefined,
  async load({ options, query }) {
    const { endpoints } = options.webhooks as WebhooksSource
    const items = await endpoints.list({ ...filterOf(query), limit: limitOf(query) })
    return { items, next: items.length < limitOf(query) ? undefined : items.at(-1)?.id }
  },
  render({ items, next }, { query }: Asked): Html {
    return html`<form class="filter" action="" method="get">
${field('customer', 'Customer', query.get('customer'))}
${choice('status', 'Status', query.get('status'), STATUSES)}
${field('type', 'Gets events of type', query.get('type'), 'order.placed')}
<button>Look</button>
</form>
${table(
  ['Endpoint', 'Customer', 'Types', 'Status', 'Why', 'Accepts nothing since'],
  items.map((endpoint) => [
    html`<a href="${linkTo('webhooks/endpoint', { id: endpoint.id })}">${endpoint.url}</a>`,
    endpoint.customer,
    endpoint.types.join(', '),
    badge(endpoint.status),
    endpoint.reason,
    endpoint.failingSince && time(endpoint.failingSince),
  ]),
  'No endpoints like these. What `endpoints.register` registers would be here.',
)}
${nextPage(next && linkTo('webhooks', { ...Object.fromEntries(query), after: next }))}`
  },
})

function filterOf(query: URLSearchParams) {
  const { status, ...filter } = filledIn(query, 'customer', 'status', 'type', 'after')
  const known = STATUSES.find((each) => each === status)
  if (status !== undefined && known === undefined) {
    throw new BadInput(`There is no status "${status}". These there are: ${STATUSES.join(', ')}.`)
  }
  return { ...filter, ...(known !== undefined && { status: known }) }
}

const STATUSES = ['enabled', 'paused', 'disabled'] as const
