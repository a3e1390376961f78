import { randomUUID } from 'node:crypto'
import { type Child, startNode, startProxy, type TcpProxy, waitFor } from '@oncekey/test-servers'
import type { Database } from './databases/database.ts'
import { type FirstRequest, sendFirst } from './first-request.ts'
import { keyFor, POINTS, type Point } from './points.ts'
import type { Adapter, OrderRequest, ServerOptions, Serving } from './programs/server-options.ts'

/** A server that was killed with requests at every point, and the server that replaced it. */
export interface Crash {
  readonly requests: readonly DeadRequest[]
  readonly heir: Serving
  stop(): void
}

/**
 * A request on its way: its adapter, the point it reaches, and whether it writes outside its
 * transaction.
 */
export interface Place {
  readonly adapter: Adapter
  readonly point: Point
  readonly outside?: boolean
}

export interface DeadRequest {
  readonly place: Place
  readonly key: string
  readonly body: string
  /** Everything that the client received. */
  readonly received: Buffer
  /** What was left of the lease when the process died; `undefined` if no attempt is on record. */
  readonly leaseLeftMs: number | undefined
}

/**
 * Starts a server, sends it the requests, and kills it (SIGKILL) when each has reached its point.
 */
export async function crash(
  database: Database,
  server: Pick<ServerOptions, 'store' | 'broken'>,
  places: readonly Place[],
): Promise<Crash> {
  const wire = await startProxy(database.port)
  const adapters = [...new Set(places.map(({ adapter }) => adapter))]
  const options = { ...server, adapters, outsideUrl: database.url }
  const [dying, heir] = await Promise.all([
    start({ ...options, databaseUrl: wire.through(database.url), stops: true }),
    start({ ...options, databaseUrl: database.url, stops: false }),
  ])
  try {
    await Promise.all(adapters.map((adapter) => warmUp(dying.ready[adapter].retake)))
    const sent = await Promise.all(places.map((place) => bring(place, dying, wire, database)))
    dying.kill('SIGKILL')
    await dying.exited
    const requests = sent.map(async ({ first, ...request }) => {
      const leaseLeftMs = await database.leaseLeftMs(request.key)
      return { ...request, leaseLeftMs, received: await first.rest() }
    })
    return { requests: await Promise.all(requests), heir: heir.ready, stop: () => heir.kill() }
  } catch (cause) {
    dying.kill()
    heir.kill()
    throw new Error(`It did not come to the crash:\n${dying.output()}`, { cause })
  } finally {
    await wire.stop()
  }
}

/** Each adapter with a request at each point. */
export function everyPoint(adapters: readonly Adapter[]): Place[] {
  return adapters.flatMap((adapter) => POINTS.map((point) => ({ adapter, point })))
}

function start(options: ServerOptions): Promise<Child<Serving>> {
  return startNode<Serving>(new URL('./programs/server.ts', import.meta.url), {
    args: [JSON.stringify(options)],
    // A start takes seconds of processor time, which other tests need, too.
    readyTimeoutMs: 100_000,
  })
}

/**
 * Runs each script once in advance: to a script that it does not know, Redis only answers that it
 * is missing.
 */
async function warmUp(url: string): Promise<void> {
  const order = randomUUID()
  const { status } = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': order },
    body: JSON.stringify({ order }),
  })
  if (status !== 201) throw new Error(`The first request of all was answered ${status}`)
}

/** Lets a request run as far as its point. */
async function bring(
  place: Place,
  dying: Child<Serving>,
  wire: TcpProxy,
  database: Database,
): Promise<Omit<DeadRequest, 'received' | 'leaseLeftMs'> & { first: FirstRequest }> {
  const { adapter, point, outside = false } = place
  const key = keyFor(point)
  const large = point === 'flushing'
  const body = JSON.stringify({ order: key, large, outside } satisfies OrderRequest)
  const held = onWire(point, key, wire, database)
  const first = await sendFirst(dying.ready[adapter].retake, key, body)
  let isThere = false
  const there = large ? first.begun : (held ?? said(dying, `reached ${key}`))
  there.then(() => {
    isThere = true
  })
  await waitFor(() => isThere, { what: `${adapter} to be at "${point}"`, timeoutMs: 30_000 })
  return { place, key, body, first }
}

async function said(child: Child<Serving>, line: string): Promise<void> {
  await child.waitForLine((each) => each === line, 30_000)
}

/** Resolves when the request has reached its point, if that is on the wire. */
function onWire(
  point: Point,
  key: string,
  wire: TcpProxy,
  database: Database,
): Promise<void> | undefined {
  if (point === 'claim unanswered') return wire.holdAfter(database.claim(key))
  if (point === 'completing') return wire.holdBefore(database.completion(key))
  if (point === 'commit unanswered') return wire.holdAfter(database.completion(key))
  return undefined
}
