import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PutEntry {
  readonly Source: string
  readonly DetailType: string
  readonly Time: number
  readonly Detail: string
  readonly EventBusName: string
}

export interface Refusal {
  readonly ErrorCode: string
  readonly ErrorMessage: string
}

/**
 * A stand-in for EventBridge: it speaks its HTTP protocol, records what it is sent, and answers as
 * it is told to. It is no EventBridge: it has no rules, no targets and no limits. As EventBridge
 * does, it accepts events for a bus that does not exist, and loses them.
 */
export interface EventBridgeStandIn {
  readonly endpoint: string
  readonly buses: Set<string>
  /** The entries that the buses have taken, in their order. */
  readonly taken: PutEntry[]
  /** The entries that were accepted, and lost because there was no such bus. */
  readonly lost: PutEntry[]
  /** The number of entries of each `PutEvents`. */
  readonly requests: number[]
  /** Decides about an entry before it is taken. */
  refuse: (entry: PutEntry) => Refusal | undefined
  /** Whether the answer to a `PutEvents` is lost, which has been carried out. */
  loseAnswer: () => boolean
  mayDescribe: boolean
  /** Decides whether `DescribeEventBus` fails, with this status and name. */
  failToDescribe: () => { readonly status: number; readonly name: string } | undefined
  stop(): Promise<void>
}

export async function startEventBridgeStandIn(): Promise<EventBridgeStandIn> {
  const server = createServer(async (request, response) => {
    const input = JSON.parse(await bodyOf(request))
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(body))
    }
    if (request.headers['x-amz-target'] === 'AWSEvents.DescribeEventBus') {
      const failure = standIn.failToDescribe()
      if (failure !== undefined) answer(failure.status, { __type: failure.name })
      else if (!standIn.mayDescribe) answer(400, { __type: 'AccessDeniedException' })
      else if (standIn.buses.has(input.Name)) answer(200, { Name: input.Name })
      else answer(400, { __type: 'ResourceNotFoundException', message: 'no such bus' })
      return
    }
    const entries = input.Entries as PutEntry[]
    standIn.requests.push(entries.length)
    const outcomes = entries.map((entry, at) => {
      const refusal = standIn.refuse(entry)
      if (refusal !== undefined) return refusal
      const has = standIn.buses.has(entry.EventBusName)
      if (has) standIn.taken.push(entry)
      else standIn.lost.push(entry)
      return { EventId: `id-${at}` }
    })
    if (standIn.loseAnswer()) {
      request.socket.resetAndDestroy()
      return
    }
    const FailedEntryCount = outcomes.filter((outcome) => 'ErrorCode' in outcome).length
    answer(200, { FailedEntryCount, Entries: outcomes })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const standIn: EventBridgeStandIn = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    buses: new Set(['default']),
    taken: [],
    lost: [],
    requests: [],
    refuse: () => undefined,
    loseAnswer: () => false,
    mayDescribe: true,
    failToDescribe: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return standIn
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  return body
}
