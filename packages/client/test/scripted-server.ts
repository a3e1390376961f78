import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request as received on the wire. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly key: string | undefined
  readonly body: Buffer
}

/** What the server does with a request once it has received all of it. */
export type Step = (response: ServerResponse, seen: Seen) => void

export interface ScriptedServer {
  readonly url: string
  /** All requests so far, in order. */
  readonly seen: readonly Seen[]
  keys(): (string | undefined)[]
}

/**
 * A real HTTP server that takes one step per request and repeats the last; it ends with the test.
 */
export async function scriptedServer(...steps: Step[]): Promise<ScriptedServer> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const sent = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      key: request.headers['idempotency-key'] as string | undefined,
      body: Buffer.concat(chunks),
    }
    seen.push(sent)
    const step = steps[Math.min(seen.length, steps.length) - 1]
    step?.(response, sent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, seen, keys: () => seen.map(({ key }) => key) }
}

export function answer(
  status: number,
  body = '',
  headers: Record<string, string> = {},
): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, headers).end(body)
  }
}

/** Oncekey's problem details. */
export function problem(
  status: number,
  code: string,
  retry: string,
  headers: Record<string, string> = {},
): (response: ServerResponse) => void {
  const body = JSON.stringify({ type: `urn:oncekey:problem:${code}`, status, code, retry })
  return answer(status, body, { 'content-type': 'application/problem+json', ...headers })
}

/** Receives the request and closes the connection without a response. */
export function drop(response: ServerResponse): void {
  response.socket?.destroy()
}

/** Receives the request and never responds. */
export function stall(): void {}

/** Sends the status and half of the body, then closes the connection. */
export function cut(response: ServerResponse): void {
  response.writeHead(201, { 'content-length': '10' })
  response.write('half.', () => response.socket?.destroy())
}

/** Sends the status and half of the body, then nothing more. */
export function stallInBody(response: ServerResponse): void {
  response.writeHead(201, { 'content-length': '10' })
  response.write('half.')
}
