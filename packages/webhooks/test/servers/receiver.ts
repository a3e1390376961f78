import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { verifyWebhook } from '@oncekey/webhooks'
import { onTestFinished } from 'vitest'

/** One request as it arrived. */
export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** How many requests with this `webhook-id` came before. */
  readonly before: number
}

export type Answer = number | ((received: Received, response: ServerResponse) => void)

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** How often each event arrived, by its `webhook-id`. */
  counts(): Map<string, number>
  /** Sets how requests are answered from this call on. */
  answer(answer: Answer): void
  close(): Promise<void>
}

/**
 * An HTTP server that receives webhooks and answers as a test tells it to: with a status, or in any
 * way with the response.
 */
export async function startReceiver(answer: Answer = 204): Promise<Receiver> {
  const received: Received[] = []
  const seen = new Map<string, number>()
  let current = answer
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    }
    const id = String(request.headers['webhook-id'])
    const before = seen.get(id) ?? 0
    seen.set(id, before + 1)
    const one = { headers: request.headers, body: Buffer.concat(chunks).toString(), before }
    received.push(one)
    if (typeof current === 'function') current(one, response)
    else response.writeHead(current).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): Promise<void> => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  onTestFinished(close)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    counts: () => seen,
    answer(next) {
      current = next
    },
    close,
  }
}

/** Throws unless the request was signed with one of the secrets. */
export function verified({ headers, body }: Received, ...secrets: string[]): string {
  return verifyWebhook({ header: (name) => String(headers[name] ?? ''), body, secrets }).id
}
