import { randomUUID } from 'node:crypto'
import type { Act } from '@oncekey/core'
import type { Endpoint } from '@oncekey/webhooks'
import type { Call, Command } from '../command/command.ts'
import { REQUEST_ID, refuseEmpty } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { webhooksFor } from '../connection/webhooks.ts'
import { shownDuration } from '../output/page.ts'
import { shellWord } from '../output/shell-word.ts'
import type { LeftAs, WebhooksToSee } from '../remote/webhooks.ts'
import { noEndpoint, SEAL } from './webhooks.ts'

type Endpoints = WebhooksToSee['endpoints']

export const webhookActs: readonly Command[] = [
  {
    path: 'webhooks rotate',
    summary: 'Give an endpoint a new signing secret and print it',
    details:
      'The one before signs beside it until the overlap is over; --overlap 0s where it leaked. Where secrets\n' +
      'are sealed, --seal-key-file is required.',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'endpoint' }],
    options: { ...SEAL, overlap: { value: 'time', help: 'Default: 1d.' } },
    examples: [
      "webhooks rotate 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a --note 'asked for by the customer' --yes",
    ],
    run: rotate,
  },
  {
    path: 'webhooks pause',
    summary: 'Send nothing to an endpoint until it is resumed; its events are kept',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'endpoint' }],
    examples: [
      "webhooks pause 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a --note 'asked for by the customer' --yes",
    ],
    run: pause,
  },
  {
    path: 'webhooks resume',
    summary: 'Send to a paused endpoint again, beginning with what was kept',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'endpoint' }],
    examples: ["webhooks resume 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a --note 'it has moved' --yes"],
    run: resume,
  },
  {
    path: 'webhooks enable',
    summary: 'Send to a disabled endpoint again, beginning with what was kept',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'endpoint' }],
    examples: ["webhooks enable 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a --note 'it is back' --yes"],
    run: enable,
  },
  {
    path: 'webhooks replay',
    summary: 'Send the events of a time to one endpoint again',
    details:
      'It sends what was delivered, what is dead and what was never sent there. What is pending goes by\n' +
      'its schedule and is left as it is, and so is what was discarded.\n' +
      'It is a redrive on record, which the workers carry: redrives show --of webhooks says how far it is.\n' +
      'Messages keep their ids, so a receiver that knows them takes none twice.',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'endpoint' }],
    options: {
      since: { value: 'time', help: 'From then on: a time, or so long ago; required.' },
      until: { value: 'time', help: 'Up to then. Default: now.' },
      rate: { value: 'count', help: 'How many in a second. Default: 50.' },
      limit: { value: 'count', help: 'How many at most. Default: all of that time.' },
      ...REQUEST_ID,
    },
    examples: [
      "webhooks replay 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a --since 6h --until 2h --note 'their server lost them' --yes",
    ],
    run: replay,
  },
]

async function rotate(call: Call): Promise<ExitCode> {
  const id = call.given.operand('endpoint')
  const act = call.act()
  const overlapMs = call.given.durationMs('overlap') ?? 86_400_000
  const { endpoints } = await webhooksFor(call)
  const endpoint = await endpointNamed(endpoints, id)
  await call.confirm(
    `${endpoint.url} gets a new signing secret; the one before is taken for ${shownDuration(overlapMs)} more.`,
    id,
  )
  const rotated = await endpoints.rotateSecret(id, { overlapMs }, act)
  if (rotated === undefined) throw noEndpoint(id)
  await call.out.result({ endpoint: id, ...rotated, overlapMs, ...call.onRecord() }, (page) => {
    page.line`The new secret of ${endpoint.url}, for its owner to verify with:`
    page.line`${rotated.secret}`
  })
  return ExitCode.done
}

async function pause(call: Call): Promise<ExitCode> {
  return await setStatus(call, {
    means: (url) => `Nothing is sent to ${url} until it is resumed.`,
    set: (endpoints, id, act) => endpoints.pause(id, act.note.slice(0, 1_000).toWellFormed(), act),
  })
}

async function resume(call: Call): Promise<ExitCode> {
  return await setStatus(call, {
    means: (url) => `${url} is sent to again, beginning with what was kept.`,
    set: (endpoints, id, act) => endpoints.resume(id, act),
  })
}

async function enable(call: Call): Promise<ExitCode> {
  return await setStatus(call, {
    means: (url) => `${url} is sent to again, beginning with what was kept.`,
    set: (endpoints, id, act) => endpoints.enable(id, act),
  })
}

async function setStatus(
  call: Call,
  to: {
    means(url: string): string
    set(endpoints: Endpoints, id: string, act: Act): Promise<LeftAs | undefined>
  },
): Promise<ExitCode> {
  const id = call.given.operand('endpoint')
  const act = call.act()
  const { endpoints } = await webhooksFor(call)
  const { url } = await endpointNamed(endpoints, id)
  await call.confirm(to.means(url), id)
  const changed = await to.set(endpoints, id, act)
  if (changed === undefined) throw noEndpoint(id)
  await call.out.result({ endpoint: id, status: changed.status, ...call.onRecord() }, (page) => {
    page.line`${url} is ${changed.status}.`
  })
  return ExitCode.done
}

async function replay(call: Call): Promise<ExitCode> {
  const { given } = call
  const endpointId = given.operand('endpoint')
  given.required('since')
  const since = given.time('since') as Date
  const until = given.time('until') ?? new Date()
  const ratePerSecond = given.whole('rate', 1, 100_000) ?? 50
  const limit = given.whole('limit', 1, 1_000_000_000)
  refuseEmpty(given, ['request-id'])
  const requestId = given.text('request-id') ?? randomUUID()
  const act = call.act()
  const { endpoints, deliveries } = await webhooksFor(call)
  const endpoint = await endpointNamed(endpoints, endpointId)
  const period = `${since.toISOString()} to ${until.toISOString()}`
  await call.confirm(`Everything from ${period} is sent to ${endpoint.url} again.`, endpointId)
  const pace = { ratePerSecond, ...(limit !== undefined && { limit }), requestId }
  const times = `--since ${since.toISOString()} --until ${until.toISOString()}`
  call.leaves(
    `It may be on record. Repeated with ${times} --request-id ${shellWord(requestId)}, it is not started twice.`,
  )
  const id = await deliveries.replay({ endpointId, since, until }, { ...pace, ...act })
  if (id === undefined) throw noEndpoint(endpointId)
  const document = { endpoint: endpointId, redrive: id, since, until, ...call.onRecord() }
  await call.out.result(document, (page) => {
    page.line`It is redrive ${id}: oncekey redrives watch ${id} --of webhooks`
  })
  return ExitCode.done
}

async function endpointNamed(endpoints: Endpoints, id: string): Promise<Endpoint> {
  const endpoint = await endpoints.get(id)
  if (endpoint === undefined || endpoint.status === 'deleted') throw noEndpoint(id)
  return endpoint
}
