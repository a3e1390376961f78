import type { Endpoint, WebhookDelivery, WebhookDeliveryDetail } from '@oncekey/webhooks'
import { CliError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import type { Option } from '../command/option.ts'
import { tellNext } from '../command/paging.ts'
import { webhooksFor } from '../connection/webhooks.ts'
import { jsonValue } from '../output/json.ts'
import { type Page, shownDuration } from '../output/page.ts'

export const SEAL: Readonly<Record<string, Option>> = {
  'seal-key-file': {
    value: 'path',
    help: 'The keys that secrets are sealed with, as JSON: {"current":"id","keys":{"id":"base64"}}.',
  },
}

const statuses = ['enabled', 'paused', 'disabled'] as const
const states = ['pending', 'delivered', 'dead', 'discarded', 'ended'] as const

export const webhooksCommands: readonly Command[] = [
  {
    path: 'webhooks endpoints',
    summary: 'List the endpoints that events are sent to, the oldest first',
    server: 'postgres',
    viaDashboard: true,
    options: {
      customer: { value: 'id', help: 'Only of this customer.' },
      status: { value: 'status', choices: statuses, help: 'Only these.' },
      type: { value: 'type', help: 'Only those that are told of events of this type.' },
      ...PAGE,
    },
    examples: ['webhooks endpoints --status disabled'],
    run: listEndpoints,
  },
  {
    path: 'webhooks deliveries',
    summary: 'List deliveries, the newest first; with an id show one with every attempt',
    server: 'postgres',
    viaDashboard: true,
    operands: [{ name: 'delivery', optional: true }],
    options: {
      endpoint: { value: 'id', help: 'Only to this endpoint.' },
      event: { value: 'id', help: 'Only of this event.' },
      state: { value: 'state', choices: states, help: 'Only these.' },
      ...PAGE,
    },
    examples: ['webhooks deliveries --state dead', 'webhooks deliveries 4711'],
    run: deliveries,
  },
  {
    path: 'webhooks ping',
    summary: 'Send a signed webhook.test to an endpoint, once, and show what came back',
    details: 'It is sent from here, whatever the status of the endpoint, and is on no record.',
    server: 'postgres',
    viaDashboard: true,
    operands: [{ name: 'endpoint' }],
    options: {
      ...SEAL,
      'allow-http': { help: 'Also to a URL that begins with http://.' },
      'allow-address': {
        value: 'range',
        many: true,
        help: 'Also to this address or range that is not public, such as 10.1.0.0/16.',
      },
      proxy: { value: 'url', help: 'Through this proxy, by CONNECT.' },
    },
    examples: ['webhooks ping 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a'],
    run: ping,
  },
]

async function listEndpoints(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const { limit, after } = {
    limit: given.whole('limit', 1, 1_000) ?? 50,
    after: given.text('page'),
  }
  const [customer, status, type] = [
    given.text('customer'),
    given.text('status'),
    given.text('type'),
  ]
  const { endpoints } = await webhooksFor(call)
  const items = await endpoints.list({
    limit,
    ...(after !== undefined && { after }),
    ...(customer !== undefined && { customer }),
    ...(status !== undefined && { status: status as (typeof statuses)[number] }),
    ...(type !== undefined && { type }),
  })
  const next = items.length === limit ? items.at(-1)?.id : undefined
  await out.result({ items, next }, (page) => {
    if (items.length === 0) page.line`There are no such endpoints.`
    else {
      page.table(['id', 'status', 'failing', 'customer', 'types', 'url'], items.map(endpointRow))
    }
    tellNext(page, next)
  })
  return ExitCode.done
}

function endpointRow({ id, status, reason, failingSince, customer, types, url }: Endpoint) {
  const why = reason === null || reason === '' ? status : `${status} (${reason})`
  const failing = failingSince && shownDuration(Date.now() - failingSince.getTime())
  return [id, why, failing, customer, types, url]
}

async function deliveries(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const id = given.operand('delivery')
  const webhooks = await webhooksFor(call)
  if (id !== '') {
    const found = await webhooks.deliveries.get(id)
    if (found === undefined) throw new CliError(ExitCode.found, `There is no delivery ${id}.`)
    await out.result({ ...found, payload: jsonValue(found.payload) }, (page) =>
      showDelivery(page, found),
    )
    return ExitCode.done
  }
  const limit = given.whole('limit', 1, 1_000) ?? 50
  const [before, endpoint, event, state] = [
    given.text('page'),
    given.text('endpoint'),
    given.text('event'),
    given.text('state'),
  ]
  const items = await webhooks.deliveries.list({
    limit,
    ...(before !== undefined && { before }),
    ...(endpoint !== undefined && { endpointId: endpoint }),
    ...(event !== undefined && { eventId: event }),
    ...(state !== undefined && { state: state as (typeof states)[number] }),
  })
  const next = items.length === limit ? items.at(-1)?.id : undefined
  await out.result({ items, next }, (page) => {
    if (items.length === 0) page.line`There are no such deliveries.`
    else {
      page.table(
        ['id', 'created', 'state', 'tries', 'next try', 'type', 'endpoint', 'error'],
        items.map(deliveryRow),
      )
    }
    tellNext(page, next)
  })
  return ExitCode.done
}

function deliveryRow(delivery: WebhookDelivery): unknown[] {
  const { id, createdAt, state, attempts, dueAt, type, endpointId, error, reason } = delivery
  const isPending = state === 'pending'
  return [
    id,
    createdAt,
    state,
    attempts,
    isPending ? dueAt : null,
    type,
    endpointId,
    error ?? reason,
  ]
}

function showDelivery(page: Page, delivery: WebhookDeliveryDetail): void {
  page.fields([
    ['id', delivery.id],
    ['state', delivery.state],
    ['reason', delivery.reason],
    ['event', delivery.eventId],
    ['type', delivery.type],
    ['endpoint', delivery.endpointId],
    ['created', delivery.createdAt],
    ['next try', delivery.state === 'pending' ? delivery.dueAt : undefined],
    ['ended', delivery.endedAt],
    ['attempts', delivery.attempts],
    ['redrives', delivery.redrives],
    ['under way', delivery.isUnderWay ? 'yes' : undefined],
  ])
  page.blank()
  page.title('Payload')
  page.block(delivery.payload)
  for (const attempt of delivery.history) {
    const { number, startedAt, durationMs, status, error, message, body, isTruncated } = attempt
    page.blank()
    page.title(`Attempt ${number}`)
    page.line`${startedAt}, ${shownDuration(durationMs)}: ${status ?? error}${status !== null && error !== null ? ` (${error})` : ''}`
    if (message !== null && message !== '') page.line`${message}`
    if (body !== '') page.block(`${body}${isTruncated ? '…' : ''}`)
  }
}

async function ping(call: Call): Promise<ExitCode> {
  const id = call.given.operand('endpoint')
  const { endpoints } = await webhooksFor(call)
  const result = await endpoints.ping(id)
  if (result === undefined) throw noEndpoint(id)
  await call.out.result(result, (page) => {
    const took = shownDuration(result.durationMs)
    if (result.isDelivered) page.mark('good', `Taken: ${result.status}, after ${took}.`)
    else page.mark('fault', `Not taken: ${result.error}, after ${took}.`)
    if (result.message !== undefined) page.line`${result.message}`
    if (result.body !== '') page.block(result.body)
  })
  return result.isDelivered ? ExitCode.done : ExitCode.found
}

export function noEndpoint(id: string): CliError {
  return new CliError(
    ExitCode.found,
    `There is no endpoint ${id}, or it was deleted. See oncekey webhooks endpoints.`,
  )
}
