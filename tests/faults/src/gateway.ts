import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A payment gateway: it charges once per idempotency key and never forgets a key. */
export interface Gateway {
  readonly url: string
  /** The keys under which each order was charged. More than one means a second charge. */
  readonly charges: ReadonlyMap<string, ReadonlySet<string>>
  stop(): Promise<void>
}

export async function startGateway(): Promise<Gateway> {
  const charges = new Map<string, Set<string>>()
  const server = createServer((request, response) => {
    let order = ''
    request.setEncoding('utf8').on('data', (text) => {
      order += text
    })
    request.on('end', () => {
      const keys = charges.get(order) ?? new Set()
      charges.set(order, keys.add(String(request.headers['idempotency-key'])))
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/charges`,
    charges,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
