import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { monotonicMs } from '../clock.ts'
import { answer } from '../verbs.ts'

const received: number[] = []

const server = createServer((request, response) => {
  if (request.url?.startsWith('/timed')) {
    void take(request, response)
    return
  }
  request.resume()
  // The one dead endpoint: it takes a request and never answers.
  if (request.url === '/dead') return
  request.on('end', () => response.writeHead(204).end())
})

/** Notes when the webhook with this number came for the first time. */
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = monotonicMs()
  const { data } = (await json(request)) as { data: { n: number } }
  received[data.n] ??= at
  response.writeHead(204).end()
}

const verbs = {
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },

  /** When each webhook came; those that have not come are missing. */
  received: (from: number, to: number): number[] =>
    received.slice(from, to).filter((at) => at !== undefined),
}

export type WebhookReceiver = typeof verbs

answer(verbs)
