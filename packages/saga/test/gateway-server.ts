import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gateway } from './order-saga.ts'

/**
 * A server that records, in order, every call to other systems. It runs in the test's own process,
 * so the record is kept when processes under test die.
 */
export interface GatewayServer extends Gateway {
  readonly url: string
  readonly calls: { readonly action: string; readonly runId: string; readonly key: string }[]
  callsOf(runId: string): { readonly action: string; readonly key: string }[]
  close(): Promise<void>
}

export async function gatewayServer(): Promise<GatewayServer> {
  const calls: GatewayServer['calls'] = []
  const server = createServer((req, res) => {
    const [, action = '', runId = ''] = (req.url ?? '').split('/')
    const key = String(req.headers['idempotency-key'])
    calls.push({ action, runId: decodeURIComponent(runId), key })
    res.end(JSON.stringify({ reference: `${action}-${key}` }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...gatewayAt(url),
    url,
    calls,
    callsOf: (runId) => calls.filter((call) => call.runId === runId),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

export function gatewayAt(url: string): Gateway {
  return {
    async call(action, runId, key) {
      const response = await fetch(`${url}/${action}/${encodeURIComponent(runId)}`, {
        method: 'POST',
        headers: { 'idempotency-key': key },
      })
      return (await response.json()) as { reference: string }
    },
  }
}
